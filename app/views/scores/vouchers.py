"""The pages of correction vouchers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.errors import HouseError
from app.extensions import db, transaction
from app.models import Clause, CorrectionVoucher, Indicator, ScoreEntry
from app.security import sessions
from app.services.publication import vouchers
from app.services.registration.facts import Typed
from app.views.scores.decided import DECIDING, DecidedView, differences, shown_state, texts_of
from app.views.shell.base import record_of
from app.views.shell.errors import words_of
from app.views.shell.fields import choices, code_of
from app.views.shell.labels import subject_name
from app.views.shell.listing import Column, chosen, contains, dated, state, text
from app.views.shell.periods import period_word
from app.views.shell.verbs import ring
from app.wording import say


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
        Column("entry", _("Entry"), lambda record: record.entry.no),
        text("month", _("Period"), of=lambda record: period_word(record.entry.month)),
        text("subject", _("Assessed"), of=lambda record: subject_name(record.entry.subject)),
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
            "differences": differences(record.entry.month) if record.state == "approved" else [],
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
            given = texts_of(*vouchers.REPLACED, "reason", "way")
            given["subject"] = code_of(given["subject"])
            texts = None if given["way"] == "out" else given
            try:
                with transaction() as work:
                    made = vouchers.ask_voucher(
                        work, entry, texts=texts, reason=given["reason"], actor=g.actor, now=sessions.now()
                    )
                    number = None if isinstance(made, Typed) else made.id
            except HouseError as refusal:
                faults = {refusal.field_name or "reason": words_of(refusal)}
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


PAGES = (VoucherView,)
