"""The verbs of a reopen permit: ask, grant, refuse, withdraw, close. At its end it closes by itself.

Each verb: permit, move, change, trace, notify. Source: docs/scoring.md section 1, mission C5, trust demand LE-06.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, RuleViolation
from app.models import Bureau, Indicator, ReopenPermit, ScoreEntry, Subject
from app.policies import corrections as policy
from app.policies.actor import SYSTEM, Actor, require
from app.policies.scoping import unscoped
from app.rules.grammar import split_list
from app.rules.periods import Period, spoken
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import closed_periods, hold_bureau
from app.services.jobs import runs
from app.services.messages import notices
from app.services.publication import corrections

WHY = "whether a permit is open is the same for everybody"
LONGEST_DAYS = 31


def ask_permit(
    session: Session,
    bureau: Bureau,
    *,
    period: str,
    subjects: str,
    indicators: str,
    reason: str,
    last_day: date | None,
    actor: Actor,
    now: datetime,
) -> ReopenPermit:
    """Ask to open a closed period for named subjects and lines until a day; blank names mean all."""
    require(policy.may_ask(actor))
    today = local_time(now).date()
    if period not in closed_periods(session, bureau.id):
        raise RuleViolation(N_("Only a closed period can be reopened."), field_name="period")
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    if last_day is None or not today <= last_day <= today + timedelta(days=LONGEST_DAYS):
        raise RuleViolation(
            N_("The last day lies between today and %(days)s days from now.", days=LONGEST_DAYS), field_name="last_day"
        )
    _known(session, Subject.__table__, bureau.id, subjects, "subjects")
    _known(session, Indicator.__table__, bureau.id, indicators, "indicators")
    permit = ReopenPermit(
        bureau_id=bureau.id, period=period, subjects=";".join(split_list(subjects)),
        indicators=";".join(split_list(indicators)), reason=reason.strip(), last_day=last_day, state="asked",
        asked_by_id=actor.account_id, asked_by=actor.name, asked_at=now,
    )  # fmt: skip
    session.add(permit)
    session.flush()
    trace.record(
        session, verb="ask_permit", target=permit, reason=permit.reason, after=trace.facts_of(permit),
        actor=actor, now=now,
    )  # fmt: skip
    _tell(
        session, permit, "bureau_leader", N_("A permit to reopen %(period)s is asked for.", period=spoken(period)), now
    )
    return permit


def _known(session: Session, table: Any, bureau_id: int, text: str, field: str) -> None:
    codes = split_list(text)
    query = select(table.c.code).where(table.c.bureau_id == bureau_id, table.c.code.in_(codes))
    missing = [code for code in codes if code not in set(unscoped(session, WHY).execute(query).scalars())]
    if missing:
        raise RuleViolation(N_("“%(code)s” is not known.", code=missing[0]), field_name=field)


def grant_permit(session: Session, permit: ReopenPermit, *, opinion: str, actor: Actor, now: datetime) -> None:
    """A second person opens the period; from now on it counts as open for what the permit names."""
    require(policy.may_decide(actor, permit), N_("A second person decides, and each permit once."))
    if permit.last_day < local_time(now).date():
        raise Conflict(N_("The last day of the permit has passed; ask for another."))
    hold_bureau(session, permit.bureau_id)
    _decide(session, permit, "granted", "grant_permit", opinion, actor, now)
    _tell(
        session,
        permit,
        "assessment_office",
        N_("The permit to reopen %(period)s is granted.", period=spoken(permit.period)),
        now,
    )


def refuse_permit(session: Session, permit: ReopenPermit, *, opinion: str, actor: Actor, now: datetime) -> None:
    require(policy.may_decide(actor, permit), N_("A second person decides, and each permit once."))
    if not opinion.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="opinion")
    _decide(session, permit, "refused", "refuse_permit", opinion, actor, now)
    _tell(
        session,
        permit,
        "assessment_office",
        N_("The permit to reopen %(period)s is refused.", period=spoken(permit.period)),
        now,
    )


def _decide(
    session: Session, permit: ReopenPermit, state: str, verb: str, opinion: str, actor: Actor, now: datetime
) -> None:
    permit.state, permit.opinion = state, opinion.strip()
    permit.decided_by_id, permit.decided_by, permit.decided_at = actor.account_id, actor.name, now
    session.flush()
    trace.record(session, verb=verb, target=permit, reason=permit.opinion, actor=actor, now=now)


def withdraw_permit(session: Session, permit: ReopenPermit, *, actor: Actor, now: datetime) -> None:
    """Take back what nobody has decided yet."""
    require(policy.may_withdraw(actor, permit))
    permit.state = "withdrawn"
    session.flush()
    trace.record(session, verb="withdraw", target=permit, actor=actor, now=now)


def close_permit(session: Session, permit: ReopenPermit, *, actor: Actor, now: datetime) -> None:
    """Close it; what was done under it is worked out into corrected bulletins."""
    require(policy.may_close(actor, permit))
    hold_bureau(session, permit.bureau_id)
    session.refresh(permit)
    require(policy.may_close(actor, permit))
    permit.state, permit.closed_by, permit.closed_at = "closed", actor.name, now
    session.flush()
    used = count_uses(session, permit)
    trace.record(session, verb="close_permit", target=permit, after={"used": used}, actor=actor, now=now)
    if used:
        period = Period.parse(permit.period)
        assert period is not None
        corrections.request(session, permit.bureau_id, period, now=now)
        runs.refresh_open(session, permit.bureau_id, now=now)
    text = N_(
        "The permit to reopen %(period)s has ended; it was used %(count)s times.",
        period=spoken(permit.period), count=used,
    )  # fmt: skip
    _tell(session, permit, "assessment_office", text, now)


def close_expired(session: Session, *, now: datetime) -> int:
    """Close the permits whose last day has passed; answers how many. Idempotent, run by every ring of the bell."""
    table = ReopenPermit.__table__.c
    over = unscoped(session, WHY).execute(
        select(table.id).where(table.state == "granted", table.last_day < local_time(now).date())
    )
    numbers = over.scalars().all()
    for pk in numbers:
        close_permit(session, session.get_one(ReopenPermit, pk), actor=SYSTEM, now=now)
    return len(numbers)


def count_uses(session: Session, permit: ReopenPermit) -> int:
    """How many entries were posted and rows changed under a permit."""
    entry = ScoreEntry.__table__.c
    count = select(func.count(entry.id)).where(entry.permit_id == permit.id)
    return int(unscoped(session, WHY).execute(count).scalar_one()) + permit.rows_changed


def entries_under(session: Session, permit: ReopenPermit) -> Sequence[ScoreEntry]:
    """The facts posted under a permit, oldest first."""
    query = select(ScoreEntry).where(ScoreEntry.permit_id == permit.id, ScoreEntry.kind == "fact")
    return session.scalars(query.order_by(ScoreEntry.id)).all()


def _tell(session: Session, permit: ReopenPermit, role: str, text: Any, now: datetime) -> None:
    accounts = notices.holders(session, permit.bureau_id, role, on=local_time(now).date())
    notices.say(
        session, accounts, category="correction", key=f"permit:{permit.id}:{permit.lock_version}:{role}", text=text,
        item=f"permit:{permit.id}", bureau_id=permit.bureau_id, now=now,
    )  # fmt: skip
