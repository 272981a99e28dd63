"""The ledger of runs: asking for one, claiming it, holding it, finishing it; exactly one holder finishes.

The broker only rings: what is to be done stands in `run_ledger`. A claim carries a lease, which another
process may take over when it has run out, and a fence, by which a former holder notices that it is one.
Source: trust demands RE-01 to RE-05 and RE-10.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, insert, or_, select, update
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Message
from app.models import Bulletin, Bureau, RunEvent, RunLedger, RunStatus
from app.policies import jobs as policy
from app.policies.actor import SYSTEM, Actor, require
from app.policies.scoping import unscoped
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import refuse_closed
from app.services.messages import notices
from app.services.messages.sentences import dump
from app.services.upsert import insert_once

WHY = "the ledger of runs is kept by the system"
SETTLE, NIGHTLY, MONTH_END = "settle", "nightly", "month_end"
QUARTER_END, YEAR_END = "quarter_end", "year_end"
STATISTICS, REMINDERS = "statistics", "reminders"
CORRECTION, VERIFY, REHEARSAL = "correction", "verify", "rehearsal"
LATENESS = "lateness"
MOST_ATTEMPTS = 10
KEY = ("job", "period", "scope")
_RUN = RunLedger.__table__
_IN_TIME = timedelta(minutes=10)  # a stamp further ahead than this was written by a clock that was wrong
_IF_TAKEN = case((_RUN.c.status == RunStatus.RUNNING, _RUN.c.fence + 1), else_=_RUN.c.fence)
GAVE_UP = N_("Given up after %(count)s attempts that did not come to an end.", count=MOST_ATTEMPTS)


@dataclass(frozen=True, slots=True)
class Claim:
    """A run in this process's hands: nobody else finishes it while the fence is the newest."""

    run_id: int
    job: str
    period: str
    bureau_id: int
    fence: int


def request_run(session: Session, bureau: Bureau, *, job: str, period: str, actor: Actor, now: datetime) -> int:
    """Ask for a run; answers its number. One that waits is left as it is.

    One that runs may have read what has changed since: it is taken from its holder and begun anew.
    """
    require(policy.may_run(actor))
    if job == SETTLE:
        refuse_closed(session, bureau.id, period)
    return ask_again(session, bureau, job=job, period=period, now=now, requested_by=actor.name)


def ask_again(
    session: Session, bureau: Bureau, *, job: str, period: str, now: datetime, requested_by: str = "", scope: str = ""
) -> int:
    """Write the row of a run, or have the one that is there done anew; answers its number."""
    scope = scope or bureau.code
    raised = raise_run(
        session, bureau_id=bureau.id, scope=scope, job=job, period=period, now=now, requested_by=requested_by
    )
    if not raised:
        again = and_(_of(job, period, scope), _RUN.c.status != RunStatus.PENDING)
        unscoped(session, WHY).execute(update(_RUN).where(again).values(**_waiting(requested_by, now), fence=_IF_TAKEN))
    number = int(unscoped(session, WHY).execute(select(_RUN.c.id).where(_of(job, period, scope))).scalar_one())
    if requested_by:
        note(session, number, N_("Asked for by %(name)s.", name=requested_by), now=now)
    return number


def settle_day(session: Session, run_id: int, on: date) -> None:
    """Keep the day up to which a run has done its work."""
    unscoped(session, WHY).execute(update(_RUN).where(_RUN.c.id == run_id).values(settled_on=on))


def retry(session: Session, run: RunLedger, *, actor: Actor, now: datetime) -> None:
    """Ask for a failed run once more; one that waits or runs already is left as it is."""
    require(policy.may_run(actor))
    if run.job == SETTLE and run.bureau_id is not None:
        refuse_closed(session, run.bureau_id, run.period)
    again = unscoped(session, WHY).execute(
        update(_RUN).where(_RUN.c.id == run.id, _RUN.c.status == RunStatus.FAILED).values(**_waiting(actor.name, now))
    )
    if again.rowcount:
        note(session, run.id, N_("Asked for by %(name)s.", name=actor.name), now=now)
        trace.record(session, verb="retry", target=run, actor=actor, now=now)


def note(session: Session, run_id: int, text: Message, *, now: datetime) -> None:
    """Write a line into the log of a run, with what it tells of."""
    unscoped(session, WHY).execute(insert(RunEvent.__table__).values(run_id=run_id, at=now, text=dump(text)))


def raise_run(
    session: Session,
    *,
    bureau_id: int,
    scope: str,
    job: str,
    period: str,
    now: datetime,
    requested_by: str = "",
) -> int:
    """Write the row of a run unless there is one; answers how many were new. Idempotent."""
    row = {
        "job": job, "period": period, "scope": scope, "bureau_id": bureau_id, "fence": 0, "subjects": 0,
        "entries": 0, "entry_watermark": 0, **_waiting(requested_by, now),
    }  # fmt: skip
    return insert_once(session, RunLedger, [row], KEY)


def raise_premature(session: Session, *, scope: str, job: str, period: str, now: datetime) -> int:
    """Ask again for a run that a clock ahead has run too early, now that its time has come; answers how many."""
    again = unscoped(session, WHY).execute(
        update(_RUN)
        .where(_of(job, period, scope), _RUN.c.is_premature)
        .values(**_waiting("", now), is_premature=False, fence=_IF_TAKEN)
    )
    return int(again.rowcount)


def refresh_open(session: Session, bureau_id: int, *, now: datetime) -> int:
    """Ask for every settled period anew that what just changed may move; answers how many.

    Left alone are periods that are closed, and those whose bulletin lies before somebody: what was submitted is
    what is signed. One that runs is begun anew, as it may have read what has changed since.
    """
    bulletin = Bulletin.__table__.c
    on_its_way = select(bulletin.period).where(bulletin.bureau_id == bureau_id, bulletin.state != "draft")
    asked = unscoped(session, WHY).execute(
        update(_RUN)
        .where(
            _RUN.c.job == SETTLE, _RUN.c.bureau_id == bureau_id,
            or_(_RUN.c.settled_on.is_not(None), _RUN.c.status == RunStatus.RUNNING),
            _RUN.c.status != RunStatus.PENDING, _RUN.c.period.not_in(on_its_way),
        )
        .values(**_waiting("", now), fence=_IF_TAKEN)
    )  # fmt: skip
    return int(asked.rowcount)


def _waiting(name: str, now: datetime) -> dict[str, object]:
    return {
        "status": RunStatus.PENDING, "attempts": 0, "steps_done": 0, "steps": 0, "requested_by": name,
        "requested_at": now, "queued_at": None, "lease_until": None, "error": "", "started_at": None,
        "finished_at": None,
    }  # fmt: skip


def _of(job: str, period: str, scope: str) -> ColumnElement[bool]:
    return and_(_RUN.c.job == job, _RUN.c.period == period, _RUN.c.scope == scope)


def due(session: Session, *, now: datetime, again_after: timedelta) -> list[int]:
    """The runs to hand out now, each stamped so that the next ring of the bell leaves it alone for a while.

    A run whose holder died too often is given up here, and said.
    """
    stale = and_(_RUN.c.status == RunStatus.RUNNING, _is_over(now))
    rows = unscoped(session, WHY)
    worn_out = and_(stale, _RUN.c.attempts >= MOST_ATTEMPTS)
    for run_id in rows.execute(select(_RUN.c.id).where(worn_out)).scalars().all():
        give_up(session, run_id, GAVE_UP, worn_out, now=now)
    open_runs = or_(_RUN.c.status == RunStatus.PENDING, stale)
    not_rung = or_(_RUN.c.queued_at.is_(None), _RUN.c.queued_at <= now - again_after, _RUN.c.queued_at > now + _IN_TIME)
    found = list(rows.execute(select(_RUN.c.id).where(open_runs, not_rung).order_by(_RUN.c.id)).scalars())
    if found:
        rows.execute(update(_RUN).where(_RUN.c.id.in_(found)).values(queued_at=now))
    return found


def _is_over(now: datetime) -> ColumnElement[bool]:
    """Whether a lease has run out; one that lies too far ahead was given by a clock that was wrong."""
    return or_(_RUN.c.lease_until < now, _RUN.c.lease_until > now + _IN_TIME)


def claim(session: Session, run_id: int, *, lease: timedelta, now: datetime, by: str = "") -> Claim | None:
    """Take a run that waits or whose holder's lease has run out; None when somebody else has it.

    `by` names the process that takes it, for the log.
    """
    free = or_(_RUN.c.status == RunStatus.PENDING, and_(_RUN.c.status == RunStatus.RUNNING, _is_over(now)))
    taken = unscoped(session, WHY).execute(
        update(_RUN)
        .where(_RUN.c.id == run_id, free)
        .values(
            status=RunStatus.RUNNING, fence=_RUN.c.fence + 1, attempts=_RUN.c.attempts + 1, lease_until=now + lease,
            started_at=now, finished_at=None, steps_done=0, steps=0, error="",
        )
    )  # fmt: skip
    if not taken.rowcount:
        return None
    row = unscoped(session, WHY).execute(select(_RUN).where(_RUN.c.id == run_id)).one()
    note(session, run_id, N_("Taken by %(worker)s, attempt %(count)s.", worker=by or "-", count=row.attempts), now=now)
    return Claim(run_id, row.job, row.period, row.bureau_id, row.fence)


def renew(session: Session, held: Claim, *, lease: timedelta, steps: tuple[int, int], now: datetime) -> bool:
    """Hold a run longer and say how far it is; False when it is in other hands."""
    done = unscoped(session, WHY).execute(
        update(_RUN)
        .where(*_held(held))
        .values(lease_until=now + lease, steps_done=steps[0], steps=steps[1])
    )  # fmt: skip
    return bool(done.rowcount)


def _held(held: Claim) -> list[ColumnElement[bool]]:
    return [_RUN.c.id == held.run_id, _RUN.c.fence == held.fence, _RUN.c.status == RunStatus.RUNNING]


def finish(session: Session, held: Claim, *, now: datetime) -> None:
    """End a run, first thing in the transaction of its effects; a former holder is refused."""
    ended = unscoped(session, WHY).execute(
        update(_RUN)
        .where(*_held(held))
        .values(status=RunStatus.DONE, finished_at=now, lease_until=None, error="", steps_done=_RUN.c.steps)
    )
    if not ended.rowcount:
        raise Conflict(N_("Another process has taken over this run."))
    note(session, held.run_id, N_("Done."), now=now)


def fail(session: Session, held: Claim, error: Message, *, now: datetime) -> None:
    """End a run that cannot be done, with its reason; nothing if it is in other hands."""
    give_up(session, held.run_id, error, *_held(held), now=now)


def give_up(session: Session, run_id: int, error: Message, *still: ColumnElement[bool], now: datetime) -> None:
    """End a run as failed and tell the office, if the conditions still hold."""
    rows = unscoped(session, WHY)
    ended = rows.execute(
        update(_RUN)
        .where(_RUN.c.id == run_id, *still)
        .values(status=RunStatus.FAILED, finished_at=now, lease_until=None, error=dump(error))
    )
    if not ended.rowcount:
        return
    row = rows.execute(select(_RUN).where(_RUN.c.id == run_id)).one()
    note(session, run_id, N_("Failed: %(reason)s", reason=error), now=now)
    run = session.get_one(RunLedger, run_id, populate_existing=True)
    trace.record(session, verb="run", target=run, result="failed", reason=str(error), actor=SYSTEM, now=now)
    office = notices.holders(session, row.bureau_id, "assessment_office", on=local_time(now).date())
    notices.say(
        session, office, category="job",
        key=f"run-failed:{run_id}:{row.fence}:{row.attempts}",
        text=N_("A run has failed: %(period)s. See the jobs page for the reason.", period=row.period),
        item=f"run:{run_id}", bureau_id=row.bureau_id, now=now,
    )  # fmt: skip
