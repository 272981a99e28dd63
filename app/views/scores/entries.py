"""The ledger: every entry in the actor's scope, filtered, summed, followed to its clause."""

from __future__ import annotations

from decimal import Decimal

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup
from sqlalchemy import ColumnElement, select
from werkzeug.wrappers import Response

from app.errors import HouseError
from app.extensions import db, short_transaction, transaction
from app.models import Clause, Person, ScoreEntry, Unit
from app.policies import ledger as policy
from app.rules.days import read_period
from app.rules.periods import Period
from app.security import sessions
from app.services import trace
from app.services.bureau.closing import closed_periods
from app.services.ledger import reversal
from app.views.shell.base import HouseView
from app.views.shell.errors import words_of
from app.views.shell.labels import number, subject_name, who, word
from app.views.shell.listing import (
    Action,
    Column,
    Filter,
    chosen,
    coded,
    contains,
    dated,
    figure,
    holds,
    named,
    on_or_after,
    on_or_before,
    state,
    text,
)
from app.views.shell.verbs import ring
from app.wording import ABSENT


def state_of(entry: ScoreEntry) -> str:
    """Registered, reversed, itself a reversal, or counted later because its own month was closed."""
    if entry.kind == "reversal":
        return "reversal"
    if entry.is_reversed:
        return "reversed"
    return "counted" if entry.month == str(Period.month_of(entry.occurred_on)) else "carried"


def face_value(entry: ScoreEntry) -> object:
    """What stands on the entry before multipliers and caps: its price or points with sign, or its value."""
    clause = entry.clause
    if clause.effect == "measure":
        return Markup('<span class="k-2">{}</span> {}').format(gettext("value"), number(entry.value))
    base = clause.price if clause.pricing == "fixed" else entry.points
    if base is None:
        return ABSENT
    share = entry.share_percent / 100 / entry.share_divisor
    points = base * entry.quantity * share * (Decimal(-1) if clause.effect == "deduction" else Decimal(1))
    tone = "k-minus" if points < 0 else "k-plus"
    return Markup('<span class="{}">{}</span>').format(tone, number(points, 2, signed=True))


def share_of(entry: ScoreEntry) -> str:
    """The part of the fact that counts here, in percent."""
    divided = "" if entry.share_divisor == 1 else f" ÷ {entry.share_divisor}"
    return f"{number(entry.share_percent)}%{divided}"


def clause_link(entry: ScoreEntry) -> object:
    """The clause an entry stands under, as a door to it."""
    url = url_for("ClauseView.show", pk=entry.clause_id)
    return Markup('<a href="{}">{}</a>').format(url, f"{entry.clause.code} {entry.clause.text}")


def basis_link(entry: ScoreEntry) -> object:
    """The document the clause rests on, as a door to it, and the article."""
    document = entry.clause.document
    if document is None:
        return entry.clause.basis or ABSENT
    url = url_for("DocumentView.show", pk=document.id)
    return Markup('<a href="{}">{}</a> {}').format(url, document.title, entry.clause.basis)


def source_link(entry: ScoreEntry) -> object:
    """The record of the process an entry comes from, as a door to it."""
    words = word("entry_source", entry.source)
    if entry.source != "supervision":
        return words
    return Markup('<a href="{}">{}</a>').format(url_for("TaskView.show", pk=entry.source_id), words)


def in_month(value: str) -> ColumnElement[bool] | None:
    period = read_period(value)
    return None if period is None else ScoreEntry.month.in_(period.month_keys)


def of_clauses(value: str) -> ColumnElement[bool]:
    found = select(Clause.id).where(holds(Clause.text, value) | holds(Clause.code, value))
    return ScoreEntry.clause_id.in_(found)


def of_indicator(value: str) -> ColumnElement[bool]:
    return ScoreEntry.clause_id.in_(select(Clause.id).where(Clause.indicator_code == value))


class ScoreEntryView(HouseView):
    """Entries are appended by processes and imports; here they are read, exported and reversed."""

    datamodel = SQLAInterface(ScoreEntry)
    model = ScoreEntry
    page_title = _("Ledger")
    crumb = _("Scores and bulletins")
    empty_text = _("No entry in your scope under these conditions. Widen them, or look at all months.")
    include_route_methods = {"list", "show", "export", "reverse"}
    base_permissions = ["can_list", "can_show", "can_export", "can_reverse"]
    columns = (
        text("no", _("No."), ScoreEntry.no),
        dated("occurred_on", _("Occurred on"), ScoreEntry.occurred_on),
        text("subject", _("Assessed"), of=lambda record: subject_name(record.subject)),
        text("indicator", _("Indicator"), of=lambda record: record.clause.indicator_code),
        text("clause", _("Clause"), of=lambda record: record.clause.text),
        Column("points", _("Points"), face_value, None, is_number=True),
        text(
            "registered_by", _("Registered by"), ScoreEntry.registered_by, of=lambda record: who(record.registered_by)
        ),
        state("state", _("State"), state_of),
    )
    detail = (
        *columns[:3],
        text("month", _("Counts in")),
        Column("clause_code", _("Clause"), clause_link),
        Column("basis", _("Basis"), basis_link),
        coded("kind", _("Kind")),
        figure("quantity", _("Quantity")),
        Column("points", _("Points"), face_value),
        text("share", _("Share"), of=share_of),
        text("work_key", _("Work")),
        text("attrs", _("Attributes")),
        text("parties", _("Parties")),
        text("remark", _("Remark")),
        text("evidence", _("Evidence")),
        Column("source", _("Comes from"), source_link),
        text("registered_by", _("Registered by"), of=lambda record: who(record.registered_by)),
        dated("registered_at", _("Registered at")),
        text("reason", _("Reason")),
        state("state", _("State"), state_of),
    )
    filters = (
        Filter("month", _("Period"), in_month),
        named("subject", _("Assessed"), ScoreEntry.subject_id, Unit, Person),
        Filter("indicator", _("Indicator"), of_indicator),
        Filter("clause", _("Clause"), of_clauses),
        chosen("kind", _("Kind"), ScoreEntry.kind, "kind", ("fact", "derived", "reversal")),
        on_or_after("from", _("From"), ScoreEntry.occurred_on),
        on_or_before("to", _("To"), ScoreEntry.occurred_on),
        contains("no", _("No."), ScoreEntry.no),
        chosen("source", _("Comes from"), ScoreEntry.source, "entry_source"),
    )
    default_order = (ScoreEntry.occurred_on.desc(),)

    def default_arguments(self) -> dict[str, str]:
        newest = db.session.scalar(select(ScoreEntry.month).order_by(ScoreEntry.occurred_on.desc()).limit(1))
        return {"month": newest} if newest else {}

    def tools(self) -> list[Action]:
        if not (self.appbuilder.sm.has_access("can_page", "RegistrationView") and policy.may_register_any(g.actor)):
            return []
        return [Action(gettext("Register an entry"), url_for("RegistrationView.page"), is_primary=True, icon="plus")]

    def title_of(self, record: ScoreEntry) -> str:
        return record.no

    def row_actions(self, record: ScoreEntry) -> list[Action]:
        found = super().row_actions(record)
        found.append(Action(gettext("Comments"), url_for("OpinionView.on", item=f"score_entry:{record.id}")))
        if self.can("can_reverse") and policy.may_reverse(g.actor, record):
            if record.month in _closed():
                if self.appbuilder.sm.has_access("can_ask", "VoucherView"):
                    found.append(Action(gettext("Correct"), url_for("VoucherView.ask", pk=record.id)))
                return found
            found.append(Action(gettext("Reverse"), url_for("ScoreEntryView.reverse", pk=record.id), is_danger=True))
        return found

    def note_reading(self, record: ScoreEntry) -> None:
        """Opening an entry about another person is traced."""
        if record.subject.kind == "person" and record.subject_id != g.actor.own_person:
            with short_transaction() as work:
                trace.record(work, verb="read", target=record, actor=g.actor, now=sessions.now())

    @expose("/reverse/<pk>", methods=["GET", "POST"])
    @has_access
    def reverse(self, pk: str) -> Response | str:
        """Ask for the reason, then reverse."""
        record = self.record(pk)
        fault = ""
        if request.method == "POST":
            try:
                with transaction() as work:
                    reversal.reverse_entry(
                        work, record, reason=request.form.get("reason", "")[:2000], actor=g.actor, now=sessions.now()
                    )
            except HouseError as refusal:
                fault = words_of(refusal)
            else:
                flash(gettext("Entry %(no)s is reversed.", no=record.no), "success")
                ring()
                return redirect(self.link(record))
        return str(
            self.render_template(
                "shell/reason.html",
                title=gettext("Reverse entry %(no)s", no=record.no),
                text=gettext("The entry stays visible, but no longer counts. Register the right one anew."),
                fault=fault,
                reason=request.form.get("reason", ""),
                verb=gettext("Reverse"),
                back=self.link(record),
            )
        )


def _closed() -> frozenset[str]:
    """The closed periods of the actor's bureau; one query a request."""
    if "closed_periods" not in g:
        g.closed_periods = closed_periods(db.session(), g.actor.bureau_id)
    found: frozenset[str] = g.closed_periods
    return found


PAGES = (ScoreEntryView,)
