"""Carrying out a run: claim it, compute while holding the lease, write all its effects in one transaction.

Workers and the command line do it alike, on the same row of `run_ledger`. Three kinds of transaction: the
claim, short ones that renew the lease and say how far it is, and one for the effects, which ends the run.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from flask import Flask, current_app
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, HouseError, RuleViolation
from app.extensions import db, reading, short_transaction, transaction
from app.models import Bureau, Rehearsal
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.rules.scoring.evaluate import Report
from app.security import sessions
from app.security.scope import act_as
from app.services.bureau.closing import closed_periods, refuse_closed
from app.services.desk import daily_figures, reminders
from app.services.jobs import heartbeats, runs, timetable
from app.services.jobs.heartbeats import Clock
from app.services.jobs.runs import Claim
from app.services.messages import notices
from app.services.process import submissions
from app.services.publication import corrections, month_end, permits, verification
from app.services.publication import drafts as bulletin_drafts
from app.services.rulebook import rehearsal
from app.services.scoring import settlement
from app.services.scoring.settlement import Settled
from app.services.supervision import night
from app.wording import official, say

log = logging.getLogger(__name__)
SAY_EVERY = 1.0
FAULT = N_("A fault of the program; its details are in the log.")


class Lease:
    """Holds a claim while its run computes: a thread renews it and writes the progress down."""

    def __init__(self, app: Flask, claim: Claim, length: timedelta) -> None:
        self.app, self.claim, self.length = app, claim, length
        self.steps = (0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def report(self, done: int, of: int) -> None:
        """Remember how far the run is; the thread writes it."""
        self.steps = (done, of)

    def _keep(self) -> None:
        renewed, said = time.monotonic(), (0, 0)
        while not self._over.wait(SAY_EVERY):
            is_due = time.monotonic() - renewed >= self.length.total_seconds() / 3
            if not is_due and self.steps == said:
                continue
            renewed, said = time.monotonic(), self.steps
            with self.app.app_context():
                try:
                    act_as(db.session(), SYSTEM)
                    with transaction() as work:
                        runs.renew(work, self.claim, lease=self.length, steps=said, now=sessions.now())
                except OperationalError as fault:
                    # The next round tries again; if none succeeds the lease runs out, and the fence decides.
                    log.warning("run %s: the lease could not be renewed: %s", self.claim.run_id, fault.orig)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def end(self) -> None:
        """Stop renewing: the transaction of the effects comes next, and it holds the row itself."""
        self._over.set()
        self._thread.join()

    def __exit__(self, *_rest: object) -> None:
        self.end()


def worker_name() -> str:
    """This process, as the log of a run names it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def clock_of_machine() -> Clock | None:
    """The clock of this machine against its time since boot; None where the system does not say."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not hasattr(time, "CLOCK_BOOTTIME") or not boot.exists():
        return None
    ahead = int(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    return Clock(socket.gethostname(), boot.read_text().strip(), ahead)


def silent_after() -> timedelta:
    """After how long without a sign of life something counts as silent."""
    return max(timedelta(seconds=10), 3 * current_app.config["TICK_EVERY"])


def database_clock(session: Session) -> datetime | None:
    """What a database with a clock of its own shows; SQLite has the clock of this machine."""
    if session.connection().dialect.name != "postgresql":
        return None
    return session.connection().execute(select(func.clock_timestamp())).scalar_one()


def ring(*, now: datetime) -> list[int]:
    """What every ring of the bell does: raise what is due, deliver messages; answers the runs to hand out."""
    with transaction() as work:
        heartbeats.listen(work, clock=clock_of_machine(), silent_after=silent_after(), now=now)
    with transaction() as work:
        timetable.raise_due(work, now=now, database_now=database_clock(work))
        permits.close_expired(work, now=now)
        found = runs.due(work, now=now, again_after=current_app.config["JOB_LEASE"] / 2)
    deliver(now=now)
    return found


def deliver(*, now: datetime) -> None:
    """Carry everything that waits for the portal over to its readers, a slice a transaction."""
    while True:
        with transaction() as work:
            if notices.deliver(work, now=now) < notices.SLICE:
                return


def carry_out(run_id: int) -> None:
    """Do one run, if it is free. A refusal or a fault ends it as failed; a lost database leaves it to the next."""
    lease = current_app.config["JOB_LEASE"]
    with transaction() as work:
        claim = runs.claim(work, run_id, lease=lease, now=sessions.now(), by=worker_name())
    if claim is None:
        return
    try:
        with official(), _held(claim, lease) as holder:
            BODIES[claim.job](claim, holder)
    except Conflict:
        log.info("run %s is in other hands", run_id)
    except OperationalError:
        raise
    except HouseError as refusal:
        with transaction() as work:
            runs.fail(work, claim, refusal.message, now=sessions.now())
    except Exception:
        log.exception("run %s failed", run_id)
        with transaction() as work:
            runs.fail(work, claim, FAULT, now=sessions.now())
    deliver(now=sessions.now())


@contextmanager
def _held(claim: Claim, length: timedelta) -> Iterator[Lease]:
    app: Any = current_app
    with Lease(app._get_current_object(), claim, length) as lease:
        yield lease


def _settle(claim: Claim, lease: Lease) -> Settled:
    """One period; a draft of its bulletin that nobody has submitted yet follows it."""
    watermark = take_watermark(claim.bureau_id)
    with reading() as session:
        (done,) = _computed(session, claim, [claim.period], lease.report, watermark)
        draft = month_end.prepare_again(session, done, say=say)
    lease.end()
    with transaction() as work:
        settled = settlement.store(work, done, held=claim, actor=SYSTEM, now=sessions.now())
        if draft is not None:
            bulletin_drafts.keep_draft(work, done, draft, actor=SYSTEM, now=sessions.now())
        return settled


def _nightly(claim: Claim, lease: Lease) -> None:
    """The running month, quarter and year, as of today."""
    watermark = take_watermark(claim.bureau_id)
    with reading() as session:
        done = _computed(session, claim, month_end.running_periods(sessions.today()), lease.report, watermark)
    lease.end()
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())
        for it in done:
            settlement.store(work, it, actor=SYSTEM, now=sessions.now())


def _period_end(claim: Claim, lease: Lease) -> None:
    """A month, quarter or year for good; and the draft of its bulletin. One that is closed already stays."""
    watermark = take_watermark(claim.bureau_id)
    with reading() as session:
        done = _computed(session, claim, [claim.period], lease.report, watermark)
        drafts = [month_end.prepare(session, it, say=say) for it in done]
    lease.end()
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())
        for it, draft in zip(done, drafts, strict=True):
            settlement.store(work, it, actor=SYSTEM, now=sessions.now())
            month_end.hand_over(work, it, draft, actor=SYSTEM, now=sessions.now(), on=sessions.today())


def _correct(claim: Claim, lease: Lease) -> None:
    """A closed period worked out anew: where it differs, the next version of its bulletin is drafted."""
    watermark = take_watermark(claim.bureau_id)
    with reading() as session:
        (done,) = _computed(session, claim, [claim.period], lease.report, watermark)
        draft = corrections.prepare(session, done, say=say)
    lease.end()
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())
        if draft is not None:
            corrections.keep_correction(work, done, draft, actor=SYSTEM, now=sessions.now())


def _rehearse(claim: Claim, lease: Lease) -> None:
    """A draft scheme over closed months."""
    with reading() as session:
        it = rehearsal.rehearsal_of(session, claim.run_id)
        number, found = it.id, rehearsal.rehearse(session, it, on=sessions.today(), report=lease.report)
    lease.end()
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())
        rehearsal.keep_results(work, work.get_one(Rehearsal, number), found, now=sessions.now())


def _verify(claim: Claim, lease: Lease) -> None:
    """Everything stored and published against its sources; a difference ends the run as failed, and is told."""
    with reading() as session:
        found = verification.differences(session, [session.get_one(Bureau, claim.bureau_id)])
    lease.end()
    if found:
        raise RuleViolation(N_("%(count)s differences, the first: %(first)s", count=len(found), first=found[0]))
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())


def _lateness(claim: Claim, lease: Lease) -> None:
    """What the night does to the processes; tasks that could not be done end the run as failed, the others stand.

    It reads and writes in one transaction: everything it posts is found from the rows alone, once.
    """
    on = date.fromisoformat(claim.period)
    lease.end()
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())
        submissions.forget_old(work, now=sessions.now())
        done = night.record_lateness(work, claim.bureau_id, on=on, actor=SYSTEM, now=sessions.now())
        if done.faults:
            number, reason = done.faults[0]
            text = N_(
                "%(count)s tasks could not be done, the first: %(no)s: %(reason)s",
                count=len(done.faults), no=number, reason=reason,
            )  # fmt: skip
            runs.give_up(work, claim.run_id, text, now=sessions.now())
        text = N_("%(entries)s entries, %(slips)s slips, %(moved)s deadlines moved.",
                  entries=done.entries, slips=done.slips, moved=done.moved)  # fmt: skip
        runs.note(work, claim.run_id, text, now=sessions.now())


def _statistics(claim: Claim, lease: Lease) -> None:
    """The figures of a day."""
    lease.end()
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())
        count = daily_figures.record_day(work, claim.bureau_id, date.fromisoformat(claim.period))
        runs.note(work, claim.run_id, N_("%(count)s figures kept.", count=count), now=sessions.now())


def _remind(claim: Claim, lease: Lease) -> None:
    """The reminders of a working day: read and worked out first, given in the transaction that ends the run."""
    on = date.fromisoformat(claim.period)
    with reading() as session:
        day = None
        if on >= sessions.today():
            after = reminders.last_day(session, claim.bureau_id, before=on)
            day = reminders.day_of(session, claim.bureau_id, on, after=after)
        found = []
        if day is not None:
            rules = reminders.rules_on(session, claim.bureau_id, on)
            found = reminders.reminders_of(session, claim.bureau_id, day, rules)
            found = reminders.still_to_give(session, claim.bureau_id, found, before=on)
    lease.end()
    with transaction() as work:
        runs.finish(work, claim, now=sessions.now())
        if day is None:
            runs.note(work, claim.run_id, N_("No working day, or past: nobody is reminded."), now=sessions.now())
            return
        sent = reminders.send(work, claim.bureau_id, day, found, now=sessions.now())
        runs.settle_day(work, claim.run_id, sent.through)
        text = N_("%(count)s people were reminded, %(lines)s lines.", count=sent.digests, lines=len(found))
        runs.note(work, claim.run_id, text, now=sessions.now())


BODIES: Mapping[str, Callable[[Claim, Lease], object]] = {
    runs.SETTLE: _settle,
    runs.NIGHTLY: _nightly,
    runs.MONTH_END: _period_end,
    runs.QUARTER_END: _period_end,
    runs.YEAR_END: _period_end,
    runs.STATISTICS: _statistics,
    runs.REMINDERS: _remind,
    runs.CORRECTION: _correct,
    runs.VERIFY: _verify,
    runs.LATENESS: _lateness,
    runs.REHEARSAL: _rehearse,
}


def _computed(
    session: Session, claim: Claim, periods: list[str], report: Report, watermark: int
) -> list[settlement.Computed]:
    """Evaluate the periods that are not closed."""
    bureau = session.get_one(Bureau, claim.bureau_id)
    closed = closed_periods(session, bureau.id)
    if claim.job in (runs.SETTLE, runs.CORRECTION):
        closed = frozenset()  # who asks for a closed period by name is told so
    found = []
    for text in periods:
        period = Period.parse(text)
        assert period is not None
        if text not in closed:
            found.append(
                settlement.compute(session, bureau, period, on=sessions.today(), report=report, watermark=watermark)
            )
    return found


def take_watermark(bureau_id: int) -> int:
    """The newest entry to settle from, in a short transaction of its own before anything is read.

    So all entries up to it are seen, and nobody waits for the lock while the run computes.
    """
    with short_transaction() as work:
        return settlement.take_watermark(work, work.get_one(Bureau, bureau_id))


def settle_here(bureau: Bureau, period: Period) -> Settled:
    """Settle in this process, on the run's own row; a process that has it in hand gives way."""
    refuse_closed(db.session(), bureau.id, period)
    lease = current_app.config["JOB_LEASE"]
    bureau_id = bureau.id
    with transaction() as work:
        owner = work.get_one(Bureau, bureau_id)
        number = runs.request_run(work, owner, job=runs.SETTLE, period=str(period), actor=SYSTEM, now=sessions.now())
        claim = runs.claim(work, number, lease=lease, now=sessions.now(), by=worker_name())
    assert claim is not None, "asked for and claimed in one transaction"
    try:
        with _held(claim, lease) as holder:
            return _settle(claim, holder)
    except BaseException as fault:
        reason = fault.message if isinstance(fault, HouseError) else FAULT
        with transaction() as work:
            runs.fail(work, claim, reason, now=sessions.now())
        raise
