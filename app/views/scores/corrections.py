"""Reopen permits and correction vouchers: asked for by the office, decided by a second person, followed to the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.errors import HouseError
from app.extensions import db, transaction
from app.models import Bulletin, Bureau, Clause, CorrectionVoucher, Indicator, ReopenPermit, ScoreEntry, Subject
from app.policies import corrections as policy
from app.security import sessions
from app.services.bureau.closing import closed_periods
from app.services.publication import corrections, permits, vouchers
from app.services.registration.facts import Typed
from app.views.shell.base import HouseView, record_of
from app.views.shell.fields import choices, code_of
from app.views.shell.labels import subject_name, who
from app.views.shell.listing import Action, Column, chosen, contains, dated, state, text
from app.views.shell.periods import period_word
from app.views.shell.verbs import mark_read, perform, ring
from app.wording import say

LONGEST = 2000
DECIDING = ["can_list", "can_show", "can_export", "can_ask", "can_decide", "can_withdraw"]


def shown_state(it: ReopenPermit | CorrectionVoucher) -> str:
    """The state as the word for it: a permit is over, not closed like a period."""
    return {"closed": "ended", "refused": "denied"}.get(it.state, it.state)


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


def _given(*names: str) -> dict[str, str]:
    given = {name: request.form.get(name, "") for name in names}
    if any(len(value) > LONGEST or "\0" in value for value in given.values()):
        abort(400)
    return given


def _differences(period: str) -> list[dict[str, Any]]:
    """What each version of a period that corrects another moved, newest first."""
    found = []
    versions = db.session.scalars(
        select(Bulletin).where(Bulletin.period == period, Bulletin.corrects_id.is_not(None)).order_by(Bulletin.version)
    ).all()
    for it in versions:
        before = db.session.get_one(Bulletin, it.corrects_id)
        moves = corrections.moves_of(before, it.results)
        names = {
            row.code: subject_name(row)
            for row in db.session.scalars(select(Subject).where(Subject.code.in_([one.subject for one in moves])))
        }
        found.append({"bulletin": it, "moves": moves, "names": names})
    return found[::-1]


class PermitView(DecidedView):
    """Reopen permits."""

    datamodel = SQLAInterface(ReopenPermit)
    model = ReopenPermit
    category = "permit"
    page_title = _("Reopen permits")
    empty_text = _("No permit was asked for yet. A closed period is reopened only with one, for what it names.")
    include_route_methods = {"list", "show", "export", "ask", "grant", "refuse", "withdraw", "close"}
    base_permissions = [*DECIDING, "can_close"]
    method_permission_name = {
        "list": "list", "show": "show", "export": "export", "ask": "ask", "grant": "decide", "refuse": "decide",
        "withdraw": "withdraw", "close": "close",
    }  # fmt: skip
    columns = (
        text("period", _("Period"), ReopenPermit.period, of=lambda it: period_word(it.period)),
        text("subjects", _("Units and people"), of=lambda it: it.subjects or gettext("all")),
        text("indicators", _("Indicators"), of=lambda it: it.indicators or gettext("all")),
        text("reason", _("Reason")),
        dated("last_day", _("Until"), ReopenPermit.last_day),
        state("state", _("State"), shown_state),
        text("asked_by", _("Asked for by"), ReopenPermit.asked_by),
        text("decided_by", _("Decided by"), ReopenPermit.decided_by),
    )
    detail = (
        *columns[:6],
        text("asked_by", _("Asked for by")),
        dated("asked_at", _("Asked for at")),
        text("decided_by", _("Decided by")),
        dated("decided_at", _("Decided at")),
        text("opinion", _("Opinion")),
        text("closed_by", _("Closed by"), of=lambda it: who(it.closed_by)),
        dated("closed_at", _("Closed at")),
    )
    filters = (
        contains("period", _("Period"), ReopenPermit.period),
        chosen("state", _("State"), ReopenPermit.state, "state", ("asked", "granted", "refused", "closed")),
    )
    default_order = (ReopenPermit.asked_at.desc(),)

    def title_of(self, record: ReopenPermit) -> str:
        return gettext("Permit to reopen %(period)s", period=period_word(record.period))

    def tools(self) -> list[Action]:
        if not (self.can("can_ask") and policy.may_ask(g.actor)):
            return []
        return [Action(gettext("Ask for a permit"), url_for("PermitView.ask"), is_primary=True, icon="plus")]

    def show_extras(self, record: ReopenPermit) -> dict[str, Any]:
        return {
            "may": {**self.may(record), "close": self.can("can_close") and policy.may_close(g.actor, record)},
            "entries": permits.entries_under(db.session(), record),
            "rows_changed": record.rows_changed,
            "differences": _differences(record.period) if record.state == "closed" else [],
            "replacement": None,
            "shown_state": shown_state(record),
        }

    @expose("/ask", methods=["GET", "POST"])
    @has_access
    def ask(self) -> Response | str:
        """The form of a new permit."""
        given, faults = _given("period", "subjects", "indicators", "reason", "last_day"), {}
        if request.method == "POST":
            try:
                with transaction() as work:
                    bureau = work.get_one(Bureau, g.actor.bureau_id)
                    permit = permits.ask_permit(
                        work, bureau, period=given["period"], subjects=given["subjects"],
                        indicators=given["indicators"], reason=given["reason"], last_day=_day(given["last_day"]),
                        actor=g.actor, now=sessions.now(),
                    )  # fmt: skip
                    number = permit.id
            except HouseError as refusal:
                faults = {refusal.field_name or "reason": say(refusal.message)}
            else:
                ring()
                flash(gettext("The permit is asked for; a bureau leader decides."), "success")
                return redirect(url_for("PermitView.show", pk=number))
        closed = sorted(closed_periods(db.session(), g.actor.bureau_id), reverse=True)
        return str(
            self.render_template(
                "scores/permit.html", title=gettext("Ask for a permit"), given=given, faults=faults, view=self,
                periods=[(it, period_word(it)) for it in closed],
            )
        )  # fmt: skip

    @expose("/grant/<pk>", methods=["POST"])
    @has_access
    def grant(self, pk: str) -> Response:
        record, opinion = self.record(pk), self._opinion()
        return self._done(
            pk,
            lambda work: permits.grant_permit(work, record, opinion=opinion, actor=g.actor, now=sessions.now()),
            gettext("Granted: the period counts as open for what the permit names."),
        )

    @expose("/refuse/<pk>", methods=["POST"])
    @has_access
    def refuse(self, pk: str) -> Response:
        record, opinion = self.record(pk), self._opinion()
        return self._done(
            pk,
            lambda work: permits.refuse_permit(work, record, opinion=opinion, actor=g.actor, now=sessions.now()),
            gettext("Refused."),
        )

    @expose("/withdraw/<pk>", methods=["POST"])
    @has_access
    def withdraw(self, pk: str) -> Response:
        record = self.record(pk)
        return self._done(
            pk,
            lambda work: permits.withdraw_permit(work, record, actor=g.actor, now=sessions.now()),
            gettext("Withdrawn."),
        )

    @expose("/close/<pk>", methods=["POST"])
    @has_access
    def close(self, pk: str) -> Response:
        record = self.record(pk)
        return self._done(
            pk,
            lambda work: permits.close_permit(work, record, actor=g.actor, now=sessions.now()),
            gettext("Closed. What was done under it is being worked into the bulletins."),
        )


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


class VoucherView(DecidedView):
    """Correction vouchers; one is written from the page of its entry."""

    datamodel = SQLAInterface(CorrectionVoucher)
    model = CorrectionVoucher
    category = "voucher"
    page_title = _("Correction vouchers")
    empty_text = _("No entry of a closed period was corrected yet; a voucher begins on the page of its entry.")
    include_route_methods = {"list", "show", "export", "ask", "approve", "refuse", "withdraw"}
    base_permissions = DECIDING
    method_permission_name = {
        "list": "list", "show": "show", "export": "export", "ask": "ask", "approve": "decide", "refuse": "decide",
        "withdraw": "withdraw",
    }  # fmt: skip
    columns = (
        text("no", _("No."), CorrectionVoucher.no),
        Column("entry", _("Entry"), lambda it: it.entry.no),
        text("month", _("Period"), of=lambda it: period_word(it.entry.month)),
        text("subject", _("Assessed"), of=lambda it: subject_name(it.entry.subject)),
        text("reason", _("Reason")),
        state("state", _("State"), shown_state),
        text("asked_by", _("Asked for by"), CorrectionVoucher.asked_by),
        text("decided_by", _("Decided by"), CorrectionVoucher.decided_by),
    )
    detail = (
        *columns[:6],
        text("asked_by", _("Asked for by")),
        dated("asked_at", _("Asked for at")),
        text("decided_by", _("Decided by")),
        dated("decided_at", _("Decided at")),
        text("opinion", _("Opinion")),
    )
    filters = (
        contains("no", _("No."), CorrectionVoucher.no),
        chosen("state", _("State"), CorrectionVoucher.state, "state", ("asked", "approved", "refused")),
    )
    default_order = (CorrectionVoucher.asked_at.desc(),)

    def title_of(self, record: CorrectionVoucher) -> str:
        return gettext("Correction voucher %(no)s", no=record.no)

    def show_extras(self, record: CorrectionVoucher) -> dict[str, Any]:
        return {
            "may": {**self.may(record), "close": False},
            "entries": [],
            "rows_changed": 0,
            "differences": _differences(record.entry.month) if record.state == "approved" else [],
            "replacement": self._both(record),
            "shown_state": shown_state(record),
        }

    @staticmethod
    def _both(record: CorrectionVoucher) -> list[tuple[str, str, str]]:
        """The fact as it stands and as it would be, field by field."""
        old = vouchers.texts_of(record.entry)
        new: Mapping[str, str] = json.loads(record.replacement) if record.replacement else {}
        return [(name, old[name], new.get(name, "")) for name in vouchers.REPLACED if old[name] or new.get(name)]

    @expose("/ask/<pk>", methods=["GET", "POST"])
    @has_access
    def ask(self, pk: str) -> Response | str:
        """The form of a voucher for an entry, filled with what stands."""
        entry = record_of(ScoreEntry, ScoreEntry.id, pk)
        given: dict[str, str] = vouchers.texts_of(entry)
        faults: dict[str, str] = {}
        if request.method == "POST":
            given = _given(*vouchers.REPLACED, "reason", "way")
            given["subject"] = code_of(given["subject"])
            texts = None if given["way"] == "out" else given
            try:
                with transaction() as work:
                    made = vouchers.ask_voucher(
                        work, entry, texts=texts, reason=given["reason"], actor=g.actor, now=sessions.now()
                    )
                    number = None if isinstance(made, Typed) else made.id
            except HouseError as refusal:
                faults = {refusal.field_name or "reason": say(refusal.message)}
            else:
                if number is not None:
                    ring()
                    flash(gettext("The voucher is written; a bureau leader decides."), "success")
                    return redirect(url_for("VoucherView.show", pk=number))
                assert isinstance(made, Typed)
                faults = {name: say(message) for name, message in made.faults.items()}
        return str(
            self.render_template(
                "scores/voucher.html", title=gettext("Correct entry %(no)s", no=entry.no), view=self, entry=entry,
                given=given, faults=faults, subjects=choices(None), clauses=_clauses_like(entry),
            )
        )  # fmt: skip

    @expose("/approve/<pk>", methods=["POST"])
    @has_access
    def approve(self, pk: str) -> Response:
        record, opinion = self.record(pk), self._opinion()
        return self._done(
            pk,
            lambda work: vouchers.approve_voucher(work, record, opinion=opinion, actor=g.actor, now=sessions.now()),
            gettext("Approved: the entry is replaced, and the corrected bulletin is being drafted."),
        )

    @expose("/refuse/<pk>", methods=["POST"])
    @has_access
    def refuse(self, pk: str) -> Response:
        record, opinion = self.record(pk), self._opinion()
        return self._done(
            pk,
            lambda work: vouchers.refuse_voucher(work, record, opinion=opinion, actor=g.actor, now=sessions.now()),
            gettext("Refused."),
        )

    @expose("/withdraw/<pk>", methods=["POST"])
    @has_access
    def withdraw(self, pk: str) -> Response:
        record = self.record(pk)
        return self._done(
            pk,
            lambda work: vouchers.withdraw_voucher(work, record, actor=g.actor, now=sessions.now()),
            gettext("Withdrawn."),
        )


def _clauses_like(entry: ScoreEntry) -> list[tuple[str, str]]:
    """The clauses of the same line, and all others after them."""
    found = db.session.execute(
        select(Clause.code, Clause.text, Clause.indicator_code)
        .where(Clause.indicator_code.in_(select(Indicator.code)))
        .order_by(Clause.indicator_code != entry.clause.indicator_code, Clause.code)
    )
    return [(code, f"{code} {words}") for code, words, _line in found]


PAGES = (PermitView, VoucherView)
