"""Whose data an account has seen or taken out: what the audit administrator asks after a leak."""

from __future__ import annotations

from typing import Any

from flask import g, request
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.documents.workbook_writer import write_table
from app.errors import HouseError
from app.extensions import db, short_transaction
from app.rules.days import read_day
from app.security import sessions
from app.services import trace
from app.services.accounts.exposure import Exposed, exposed
from app.views.shell.errors import words_of
from app.views.shell.files import xlsx
from app.views.shell.labels import day, word

FIELDS = ("username", "since", "until")


class ExposureView(BaseView):  # type: ignore[misc]
    """An account and a stretch of time; the people concerned, and the list as a workbook."""

    route_base = "/exposure"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        given, rows, faults = self._look()
        return str(
            self.render_template(
                "org/exposure.html", title=gettext("Whose data were seen"), given=given, rows=rows, faults=faults,
                ways=_ways, is_asked=bool(given["username"]),
            )
        )  # fmt: skip

    @expose("/export")
    @has_access
    def export(self) -> Response:
        given, rows, faults = self._look()
        head = [
            gettext("Staff no."), gettext("Name"), gettext("Times"), gettext("First time"), gettext("Last time"), gettext("Ways"),
        ]  # fmt: skip
        cells: list[list[Any]] = [
            [row.code, row.name, row.times, day(row.first_at), day(row.last_at), _ways(row)] for row in rows
        ]
        if faults:
            cells = [[" ".join(faults.values()), "", "", "", "", ""]]
        title = gettext("Whose data were seen")
        return xlsx(write_table(title, head, cells), f"{title}-{given['username']}.xlsx")

    @staticmethod
    def _look() -> tuple[dict[str, str], list[Exposed], dict[str, str]]:
        """What was asked, what was found, and the faults by field; the question itself is traced."""
        given = {name: request.args.get(name, "").strip()[:64] for name in FIELDS}
        if not given["username"]:
            return given, [], {}
        try:
            rows = exposed(
                db.session(), username=given["username"], since=read_day(given["since"]),
                until=read_day(given["until"]), actor=g.actor,
            )  # fmt: skip
        except HouseError as refusal:
            return given, [], {refusal.field_name or "username": words_of(refusal)}
        label = f"{given['username']} {given['since']}–{given['until']} {len(rows)}"
        with short_transaction() as work:
            trace.record(work, verb="read", target="trace_entry", label=label, actor=g.actor, now=sessions.now())
        return given, rows, {}


def _ways(row: Exposed) -> str:
    """In which ways, in words."""
    return "；".join(sorted(f"{word('verb', verb)} {word('target_type', target)}" for verb, target in row.ways))


PAGES: tuple[type[Any], ...] = (ExposureView,)
