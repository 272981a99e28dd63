"""The timetable: which rules a bureau has, the runs that are due by them, each exactly once, and who keeps it.

Two rings at once come to the same: the row of a run is unique, and a rule moves only from where it was read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Bureau, RunLedger, ScheduleRule
from app.policies import jobs as policy
from app.policies.actor import Actor, require
from app.policies.scoping import UNSCOPED, unscoped
from app.rules.periods import Period, spoken
from app.rules.timetable import (
    JOBS,
    Cadence,
    Timing,
    due,
    first_period,
    instant_of,
    local_time,
    newest_begun,
    stepped_back,
    to_run,
)
from app.services import trace
from app.services.bureau.closing import closed_periods
from app.services.jobs import runs
from app.services.messages import notices
from app.services.upsert import insert_once

WHY = "the timetable is kept by the system"
log = logging.getLogger(__name__)
SKEW = timedelta(minutes=5)
_RULE, _BUREAU, _RUN = ScheduleRule.__table__, Bureau.__table__, RunLedger.__table__


def timing_of(rule: Any) -> Timing:
    """When the runs of a rule, or of its row, are due."""
    kind = JOBS[rule.job]
    return Timing(kind.cadence, rule.day or 1, time(rule.hour, rule.minute), kind.looks_back)


def ensure_rules(session: Session, bureau_id: int, *, now: datetime) -> None:
    """Give a bureau the rules it has not: the next night, and the month, quarter and year that run. Idempotent."""
    local = local_time(now)
    rows = []
    for job, kind in JOBS.items():
        day = None if kind.cadence is Cadence.DAY else 1
        first = first_period(Timing(kind.cadence, day or 1, kind.at, kind.looks_back), local)
        rows.append({
            "bureau_id": bureau_id, "job": job, "day": day, "hour": kind.at.hour, "minute": kind.at.minute,
            "is_enabled": True, "next_period": first, "held_reason": "",
        })  # fmt: skip
    insert_once(session, ScheduleRule, rows, ("bureau_id", "job"))


def raise_due(session: Session, *, now: datetime, database_now: datetime | None = None) -> int:
    """Write the runs that are due, one per missed period, and move the rules on; answers how many were new.

    A rule is held instead, and said, where more is due than anybody would have missed, or where its newest period
    has not come by the clock of the database: then one of the clocks is wrong. It goes on by itself when nothing
    of it is due any more, or by the word of who keeps the timetable.
    """
    rows, local = unscoped(session, WHY), local_time(now)
    latest = local_time(max(now, database_now or now)).date()
    there = select(func.count(_RULE.c.id)).where(_RULE.c.bureau_id == _BUREAU.c.id).scalar_subquery()
    for bureau_id in rows.execute(select(_BUREAU.c.id).where(there < len(JOBS))).scalars().all():
        ensure_rules(session, bureau_id, now=now)
    query = select(_RULE, _BUREAU.c.code).join(_BUREAU, _BUREAU.c.id == _RULE.c.bureau_id).where(_RULE.c.is_enabled)
    raised = 0
    for rule in rows.execute(query.order_by(_RULE.c.id).with_for_update(of=_RULE)).all():
        timing = timing_of(rule)
        # Only what has come by neither clock was run too early: else two machines would undo each other.
        waiting = stepped_back(rule.next_period, timing, latest)
        if waiting != rule.next_period:
            _step_back(session, rule, waiting, now=now)
        found = due(waiting, timing, local)
        reason = "beyond" if found.is_beyond_belief else ""
        if found.periods and not reason and database_now is not None:
            is_early = instant_of(timing.moment(found.periods[-1])) > database_now + SKEW
            reason = "clock" if is_early else ""
        if reason != rule.held_reason:
            _hold(session, rule, reason, now=now)
        if found.periods and not reason:
            raised += _raise(session, rule, found.periods, found.next_period, now=now)
    return raised


def _raise(session: Session, rule: Row[Any], periods: tuple[str, ...], next_period: str, *, now: datetime) -> int:
    raised = 0
    for period in to_run(periods, every=JOBS[rule.job].runs_every_missed):
        raised += runs.raise_run(
            session, bureau_id=rule.bureau_id, scope=rule.code, job=rule.job, period=period, now=now
        ) or runs.raise_premature(session, scope=rule.code, job=rule.job, period=period, now=now)
    unscoped(session, WHY).execute(
        update(_RULE).where(_RULE.c.id == rule.id).values(next_period=next_period, held_since=None, held_reason="")
    )
    return raised


def _step_back(session: Session, rule: Row[Any], waiting: str, *, now: datetime) -> None:
    """Wait again for periods that a clock ahead has run too early, and say so once a day."""
    log.warning(
        "the rule of %s of bureau %s goes back from %s to %s", rule.job, rule.bureau_id, rule.next_period, waiting
    )
    unscoped(session, WHY).execute(update(_RULE).where(_RULE.c.id == rule.id).values(next_period=waiting))
    unscoped(session, WHY).execute(
        update(_RUN)
        .where(
            _RUN.c.job == rule.job, _RUN.c.scope == rule.code, _RUN.c.period >= waiting,
            func.length(_RUN.c.period) == len(waiting),
        )
        .values(is_premature=True)
    )  # fmt: skip
    on = local_time(now).date()
    notices.say(
        session, notices.keepers(session, rule.bureau_id, on=on), category="job", key=f"back:{rule.bureau_id}:{on}",
        text=N_("The clock was ahead: what was run for days that have not come is run again when they come."),
        item="jobs:", bureau_id=rule.bureau_id, now=now,
    )  # fmt: skip


def _hold(session: Session, rule: Row[Any], reason: str, *, now: datetime) -> None:
    """Hold a rule and say so once, or let it go where nothing of it is due any more."""
    values = {"held_reason": reason, "held_since": now if reason else None}
    unscoped(session, WHY).execute(update(_RULE).where(_RULE.c.id == rule.id).values(**values))
    if not reason:
        return
    log.warning("the rule of %s of bureau %s is held: %s", rule.job, rule.bureau_id, reason)
    text = N_(
        "The timetable waits for your word: more is due by the clock of the server than can be true. Look at the clock."
    )
    notices.say(
        session, notices.keepers(session, rule.bureau_id, on=local_time(now).date()), category="job",
        key=f"held:{rule.bureau_id}:{reason}:{now.isoformat()}", text=text, item="jobs:",
        bureau_id=rule.bureau_id, now=now,
    )  # fmt: skip


# what people do with it -----------------------------------------------------------------------------------


def keep_rule(
    session: Session, rule: ScheduleRule, *, day: int | None, at: time | None, actor: Actor, now: datetime
) -> None:
    """Let a job be due on another day of the month or at another time; its next period stays."""
    require(policy.may_keep_timetable(actor))
    is_daily = JOBS[rule.job].cadence is Cadence.DAY
    if at is None:
        raise RuleViolation(N_("The time is written as 02:30."), field_name="at")
    if not is_daily and (day is None or not 1 <= day <= 28):
        raise RuleViolation(N_("The day of the month lies between 1 and 28."), field_name="day")
    before = {"day": rule.day, "at": f"{rule.hour:02d}:{rule.minute:02d}"}
    rule.day, rule.hour, rule.minute = None if is_daily else day, at.hour, at.minute
    session.flush()
    after = {"day": rule.day, "at": f"{rule.hour:02d}:{rule.minute:02d}"}
    trace.record(session, verb="keep_rule", target=rule, before=before, after=after, actor=actor, now=now)


def switch_rule(session: Session, rule: ScheduleRule, *, on: bool, actor: Actor, now: datetime) -> None:
    """Pause a job, or let it go on: then what it missed meanwhile is caught up."""
    require(policy.may_keep_timetable(actor))
    before = {"is_enabled": rule.is_enabled}
    rule.is_enabled = on
    session.flush()
    trace.record(
        session, verb="resume_rule" if on else "pause_rule", target=rule, before=before, after={"is_enabled": on},
        actor=actor, now=now,
    )  # fmt: skip


def confirm_rule(session: Session, rule: ScheduleRule, *, actor: Actor, now: datetime) -> int:
    """Say that the clock is right: everything that is due by it runs; answers how many runs were new."""
    require(policy.may_confirm_clock(actor))
    row = _row(session, rule.id)
    if row.held_since is None:
        raise RuleViolation(N_("This rule does not wait for anybody."))
    timing, local = timing_of(rule), local_time(now)
    raised, found = 0, due(row.next_period, timing, local)
    while found.periods:
        raised += _raise(session, row, found.periods, found.next_period, now=now)
        found = due(found.next_period, timing, local)
    trace.record(session, verb="confirm_clock", target=rule, after={"runs": raised}, actor=actor, now=now)
    session.expire(rule)
    return raised


def _row(session: Session, rule_id: int) -> Row[Any]:
    """The rule and its bureau's code as one row, held until the end of the transaction."""
    query = select(_RULE, _BUREAU.c.code).join(_BUREAU, _BUREAU.c.id == _RULE.c.bureau_id).where(_RULE.c.id == rule_id)
    return unscoped(session, WHY).execute(query.with_for_update(of=_RULE)).one()


def run_now(session: Session, rule: ScheduleRule, *, period: str = "", actor: Actor, now: datetime) -> int:
    """Run a job outside its time: today's, or the period that ended last; answers the number of the run.

    The rule stays where it is: when its time comes and the period was run, it is not run again.
    """
    require(policy.may_run(actor))
    timing, local = timing_of(rule), local_time(now)
    wanted = period or newest_begun(timing, local)
    if not is_period(rule.job, wanted):
        raise RuleViolation(N_("“%(period)s” is no period of this job.", period=wanted), field_name="period")
    if not timing.has_come(wanted, local.date()):
        raise RuleViolation(N_("%(period)s is not over yet.", period=spoken(wanted)), field_name="period")
    if timing.cadence is not Cadence.DAY and wanted in closed_periods(session, rule.bureau_id):
        raise RuleViolation(N_("%(period)s is published and closed.", period=spoken(wanted)), field_name="period")
    bureau = session.get_one(Bureau, rule.bureau_id, execution_options=UNSCOPED)
    return runs.request_run(session, bureau, job=rule.job, period=wanted, actor=actor, now=now)


def is_period(job: str, text: str) -> bool:
    """Whether a text names a period of a job: a day, a month, a quarter or a year."""
    cadence = JOBS[job].cadence
    if cadence is Cadence.DAY:
        try:
            return datetime.strptime(text, "%Y-%m-%d").date().isoformat() == text
        except ValueError:
            return False
    found = Period.parse(text)
    return found is not None and found.span == cadence.value


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A rule with when it is due next, by the bureau's clock, and how its newest run ended."""

    rule: ScheduleRule
    due_at: datetime
    last: RunLedger | None

    @property
    def state(self) -> str:
        """`needs_confirmation`, `paused`, or how the newest run stands; blank where none has been."""
        if self.rule.held_since is not None:
            return "needs_confirmation"
        if not self.rule.is_enabled:
            return "paused"
        return "" if self.last is None else self.last.status


def scheduled(session: Session, *, bureau_id: int | None = None) -> list[Scheduled]:
    """The timetable as far as it may be seen, in the order of the day; two statements."""
    query = select(ScheduleRule).order_by(ScheduleRule.bureau_id, ScheduleRule.id)
    if bureau_id is not None:
        query = query.where(ScheduleRule.bureau_id == bureau_id)
    order = list(JOBS)
    rules = [it for it in session.scalars(query) if it.job in JOBS]
    rules.sort(key=lambda it: (it.bureau_id, order.index(it.job)))
    newest = newest_runs(session, [rule.bureau_id for rule in rules])
    return [
        Scheduled(rule, timing_of(rule).moment(rule.next_period), newest.get((rule.bureau_id, rule.job)))
        for rule in rules
    ]  # fmt: skip


def newest_runs(session: Session, bureaus: Iterable[int]) -> dict[tuple[int, str], RunLedger]:
    """The newest run of each job of the timetable, by bureau and job."""
    newest = (
        select(func.max(RunLedger.id)).select_from(RunLedger)
        .where(RunLedger.bureau_id.in_(set(bureaus)), RunLedger.job.in_(tuple(JOBS)))
        .group_by(RunLedger.bureau_id, RunLedger.job)
    )  # fmt: skip
    found = session.scalars(select(RunLedger).where(RunLedger.id.in_(newest)))
    return {(it.bureau_id or 0, it.job): it for it in found}
