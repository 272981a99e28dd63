"""A scheme is put in force: whole, checked, taking over from the one before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import (
    Clause,
    Indicator,
    Scheme,
    SchemeState,
)
from app.policies import scheme
from app.policies.actor import Actor, require
from app.rules.closing import touched_by_days
from app.rules.grammar import split_list
from app.rules.numbers import plain
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import acts_in_closed, closed_periods, hold_bureau
from app.services.jobs import runs
from app.services.messages import notices
from app.services.registers.rows import draft_codes
from app.services.rulebook.trees import outline
from app.services.workbook.check import check_rows
from app.services.workbook.store import codes_of, stored_rows


def submit(session: Session, record: Scheme, *, actor: Actor, now: datetime) -> None:
    """Submit a draft for approval: whole and sound, its weights included; it is not edited while it waits."""
    hold_bureau(session, record.bureau_id)
    require(scheme.may_submit(actor, record))
    check_whole(session, record)
    refuse_short_weights(session, record)
    record.submitted_by, record.submitted_at, record.opinion = actor.name, now, ""
    session.flush()
    trace.record(session, verb="submit_scheme", target=record, actor=actor, now=now)
    if record.owner_unit_id is None:
        leaders = notices.holders(session, record.bureau_id, "bureau_leader", on=local_time(now).date())
        _tell(session, record, leaders, N_("Scheme %(code)s waits for your approval.", code=record.code), now)


def withdraw(session: Session, record: Scheme, *, actor: Actor, now: datetime) -> None:
    """Take a submitted draft back, to go on editing it."""
    hold_bureau(session, record.bureau_id)
    require(scheme.may_withdraw(actor, record))
    record.submitted_by, record.submitted_at = "", None
    session.flush()
    trace.record(session, verb="withdraw_scheme", target=record, actor=actor, now=now)


def send_back(session: Session, record: Scheme, reason: str, *, actor: Actor, now: datetime) -> None:
    """Send a submitted draft back with the reason; the office is told."""
    hold_bureau(session, record.bureau_id)
    require(scheme.may_put_in_force(actor, record))
    if not reason.strip():
        raise RuleViolation(N_("Give the reason."), field_name="reason")
    record.submitted_by, record.submitted_at, record.opinion = "", None, reason.strip()
    session.flush()
    trace.record(session, verb="send_scheme_back", target=record, reason=reason.strip(), actor=actor, now=now)
    office = notices.holders(session, record.bureau_id, "assessment_office", on=local_time(now).date())
    text = N_("Scheme %(code)s is sent back: %(reason)s", code=record.code, reason=reason.strip())
    _tell(session, record, office, text, now)


def _tell(session: Session, record: Scheme, accounts: Sequence[int], text: Message, now: datetime) -> None:
    notices.say(
        session, accounts, category="grade", key=f"scheme:{record.id}:{now.isoformat()}", text=text,
        item=f"scheme:{record.id}", bureau_id=record.bureau_id, now=now,
    )  # fmt: skip


def refuse_short_weights(session: Session, record: Scheme) -> None:
    """Refuse a scheme of which the weights below a weighted branch do not add up to 100."""
    nodes = session.scalars(select(Indicator).where(Indicator.scheme_id == record.id)).all()
    for branch in outline(list(nodes)):
        total = branch.short_weights
        if total is not None:
            raise RuleViolation(
                N_(
                    "%(code)s %(title)s: the weights of what lies below add up to %(sum)s, not to 100.",
                    code=branch.node.code, title=branch.node.title, sum=plain(total),
                )
            )  # fmt: skip


def put_in_force(session: Session, record: Scheme, *, actor: Actor, now: datetime) -> None:
    """A leader approves a submitted draft: it is in force, after it was checked as a whole."""
    hold_bureau(session, record.bureau_id)
    require(scheme.may_put_in_force(actor, record))
    touched = touched_by_days([(record.in_force_from, record.in_force_to)], closed_periods(session, record.bureau_id))
    if touched is not None:
        raise RuleViolation(acts_in_closed(touched), field_name="in_force_from")
    if record.owner_unit_id is not None and record.subject_kind != "person":
        raise RuleViolation(N_("A unit's own scheme assesses its staff."), field_name="subject_kind")
    require(actor.account_id not in _drafted_by(session, record), N_("Who drafted a scheme does not approve it."))
    record.state = SchemeState.IN_FORCE
    _take_over(session, record, actor=actor, now=now)
    session.flush()
    check_whole(session, record)
    refuse_short_weights(session, record)
    runs.refresh_open(session, record.bureau_id, now=now)
    trace.record(
        session, verb="put_in_force", target=record, before={"state": SchemeState.DRAFT},
        after={"state": SchemeState.IN_FORCE}, actor=actor, now=now,
    )  # fmt: skip


def _drafted_by(session: Session, record: Scheme) -> set[int | None]:
    """The accounts that drafted, changed or imported a scheme, its indicators or their clauses."""
    nodes = session.scalars(select(Indicator).where(Indicator.scheme_id == record.id)).all()
    lines = [node.code for node in nodes]
    clauses = session.scalars(
        select(Clause).where(Clause.bureau_id == record.bureau_id, Clause.indicator_code.in_(lines))
    ).all()
    named = (record.batch_id, *(node.batch_id for node in nodes), *(clause.batch_id for clause in clauses))
    batches = {batch for batch in named if batch is not None}
    return (
        trace.authors(session, "scheme", [record.id])
        | trace.authors(session, "indicator", [node.id for node in nodes])
        | trace.authors(session, "clause", [clause.id for clause in clauses])
        | trace.authors(session, "import_batch", batches)
    )


def _take_over(session: Session, record: Scheme, *, actor: Actor, now: datetime) -> None:
    """End the versions it takes over from, whose groups are all its own, on the day before its first."""
    before = session.scalars(
        select(Scheme).where(
            Scheme.bureau_id == record.bureau_id, Scheme.state == SchemeState.IN_FORCE, Scheme.id != record.id,
            Scheme.subject_kind == record.subject_kind, Scheme.in_force_from < record.in_force_from,
            Scheme.in_force_to >= record.in_force_from, Scheme.in_force_to <= record.in_force_to,
            Scheme.owner_unit_id.is_not_distinct_from(record.owner_unit_id),
        )
    ).all()  # fmt: skip
    groups = set(split_list(record.groups))
    for old in before:
        if set(split_list(old.groups)) <= groups:
            facts = {"in_force_to": trace.plain_value(old.in_force_to)}
            old.in_force_to = record.in_force_from - timedelta(days=1)
            session.flush()
            trace.record(
                session, verb="take_over", target=old, label=record.code, before=facts,
                after={"in_force_to": trace.plain_value(old.in_force_to)}, actor=actor, now=now,
            )  # fmt: skip


def check_whole(session: Session, record: Scheme) -> None:
    """Refuse a scheme that is not complete and sound beside those in force, with its first fault."""
    codes = codes_of(session, record.bureau_id)
    rows = stored_rows(session, codes, without=frozenset({"entries"}))
    drafts = draft_codes(session, record.bureau_id) - {record.code}
    rows["schemes"] = [row for row in rows["schemes"] if row.get("code") not in drafts]
    for row in (*rows["schemes"], *rows["indicators"]):
        if (row.get("code") if row.sheet == "schemes" else row.get("scheme")) == record.code:
            row.number = 1
    # A draft takes over from the scheme of its groups: that both hold on some day is what a rehearsal is about.
    is_draft = record.state == SchemeState.DRAFT
    for problem in check_rows(rows):
        if not (is_draft and problem.sheet == "schemes" and problem.column == "groups"):
            raise RuleViolation(problem.reason)
