"""Pages of what one asks for and another decides."""

from __future__ import annotations

from typing import Any

from flask import abort, g, redirect, request, url_for
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.extensions import db
from app.models import CorrectionVoucher, ReopenPermit
from app.models.bulletin import Bulletin
from app.models.org import Subject
from app.policies import corrections as policy
from app.services.publication import corrections
from app.views.shell.base import HouseView
from app.views.shell.labels import subject_name
from app.views.shell.verbs import mark_read, perform, ring

LONGEST = 2000
DECIDING = ["can_list", "can_show", "can_export", "can_ask", "can_decide", "can_withdraw"]


def shown_state(record: ReopenPermit | CorrectionVoucher) -> str:
    """The state as the word for it: a permit is over, not closed like a period."""
    return {"closed": "ended", "refused": "denied"}.get(record.state, record.state)


class DecidedView(HouseView):
    """What is asked for and decided by a second person; every verb ends on the record's own page."""

    crumb = _("Closing a period")
    show_template = "scores/correction.html"
    category = ""

    def note_reading(self, record: Any) -> None:
        mark_read(item=f"{self.category}:{record.id}")

    def _done(self, pk: str, act: Any, said: str) -> Response:
        if perform(act, said):
            ring()
        return redirect(url_for(f"{self.endpoint}.show", pk=pk))

    def may(self, record: Any) -> dict[str, bool]:
        return {
            "decide": self.can("can_decide") and policy.may_decide(g.actor, record),
            "withdraw": self.can("can_withdraw") and policy.may_withdraw(g.actor, record),
        }

    @staticmethod
    def _opinion() -> str:
        return request.form.get("opinion", "")[:LONGEST]


def texts_of(*names: str) -> dict[str, str]:
    given = {name: request.form.get(name, "") for name in names}
    if any(len(value) > LONGEST or "\0" in value for value in given.values()):
        abort(400)
    return given


def differences(period: str) -> list[dict[str, Any]]:
    """What each version of a period that corrects another moved, newest first."""
    found = []
    versions = db.session.scalars(
        select(Bulletin).where(Bulletin.period == period, Bulletin.corrects_id.is_not(None)).order_by(Bulletin.version)
    ).all()
    for version in versions:
        before = db.session.get_one(Bulletin, version.corrects_id)
        moves = corrections.moves_of(before, version.results)
        names = {
            row.code: subject_name(row)
            for row in db.session.scalars(select(Subject).where(Subject.code.in_([one.subject for one in moves])))
        }
        found.append({"bulletin": version, "moves": moves, "names": names})
    return found[::-1]
