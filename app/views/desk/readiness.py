"""The readiness board: what is open before a period is settled, whom it waits for, and one click to urge."""

from __future__ import annotations

from typing import Any

from flask import abort, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.extensions import db
from app.models import Bureau
from app.rules.days import read_period
from app.rules.periods import Period
from app.security import sessions
from app.services.desk import readiness
from app.services.scoring import results
from app.views.scores.ranking import bulletin_of, run_of, state_of
from app.views.shell.labels import day
from app.views.shell.periods import period_word, switch
from app.views.shell.verbs import mark_read, perform, ring


class ReadinessView(BaseView):  # type: ignore[misc]
    """The office's list before closing; leaders read it."""

    route_base = "/readiness"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        bureau, period = self._place()
        mark_read(item=f"readiness:{period}")
        board = readiness.readiness(db.session(), bureau, period, on=sessions.today())
        month = Period.month_of(sessions.today())
        known = sorted({*results.settled_periods(db.session), period, month, month.shifted(-1)}, reverse=True)
        only_open = request.args.get("open") == "1"
        return str(
            self.render_template(
                "desk/readiness.html",
                title=gettext("Readiness board"),
                period=period,
                period_switch=switch(period, known, lambda record: url_for("ReadinessView.page", period=str(record))),
                board=board,
                groups=_groups(board, only_open=only_open),
                only_open=only_open,
                checks=list(readiness.CHECKS),
                state=state_of(period),
                steps=_steps(board, period),
                may_urge=self.appbuilder.sm.has_access("can_urge", "ReadinessView"),
                may_settle=self.appbuilder.sm.has_access("can_settle", "ScoreView") and state_of(period) != "closed",
            )
        )

    @staticmethod
    def _place() -> tuple[Bureau, Period]:
        """The bureau of the actor, and the period of the address or the month before this one."""
        bureau = db.session.get(Bureau, g.actor.bureau_id) if g.actor.bureau_id is not None else None
        given = request.values.get("period", "")
        period = read_period(given) if given else Period.month_of(sessions.today()).shifted(-1)
        if bureau is None or period is None or not period.has_begun(sessions.today()):
            abort(404 if bureau is None else 400)
        return bureau, period

    @expose("/urge", methods=["POST"])
    @has_access
    def urge(self) -> Response:
        """Tell whom the open matters wait for: of one unit, or of all."""
        bureau, period = self._place()
        unit = request.form.get("unit", "")[:64] or None
        told: list[int] = []

        def act(work: Any) -> None:
            told.append(
                readiness.urge(
                    work, work.get_one(Bureau, bureau.id), period, unit=unit, actor=g.actor, now=sessions.now()
                )
            )

        if perform(act, gettext("Urged; each person is told once a day about the same unit.")):
            ring()
        return redirect(url_for("ReadinessView.page", period=str(period)))


def _groups(board: readiness.Readiness, *, only_open: bool) -> list[dict[str, Any]]:
    """The rows by assessment group, with how many of each are ready."""
    found: dict[str, list[readiness.UnitRow]] = {}
    for row in board.rows:
        found.setdefault(row.group, []).append(row)
    return [
        {
            "name": name or gettext("without a group"),
            "ready": sum(1 for row in rows if not row.count),
            "size": len(rows),
            "rows": [row for row in rows if row.count or not only_open],
        }
        for name, rows in found.items()
    ]


def _steps(board: readiness.Readiness, period: Period) -> list[dict[str, Any]]:
    """The way of a period from the list to its closing; each step with what is known of it."""
    run, bulletin = run_of(period), bulletin_of(period)
    is_settled = run is not None and run.settled_on is not None
    at = {name: getattr(bulletin, name, None) for name in ("submitted_at", "signed_at", "published_at")}
    steps = [
        (gettext("List checked"), board.ready == len(board.rows),
         gettext("%(ready)s of %(all)s units ready", ready=board.ready, all=len(board.rows))),
        (gettext("Settled"), is_settled, day(run.finished_at) if run is not None and is_settled else ""),
        (gettext("Bulletin drafted"), bulletin is not None, period_word(period) if bulletin is not None else ""),
        (gettext("Submitted"), at["submitted_at"] is not None, day(at["submitted_at"])),
        (gettext("Signed"), at["signed_at"] is not None, day(at["signed_at"])),
        (gettext("Published and closed"), at["published_at"] is not None, day(at["published_at"])),
    ]  # fmt: skip
    current = next((index for index, (_, is_done, _why) in enumerate(steps) if not is_done), None)
    return [
        {"label": label, "is_done": is_done, "why": why, "is_current": index == current}
        for index, (label, is_done, why) in enumerate(steps)
    ]


PAGES = (ReadinessView,)
