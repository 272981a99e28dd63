"""What each kind of run does: computed while its lease is held, all effects in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.extensions import reading, short_transaction, transaction
from app.models import Bureau, Rehearsal
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.rules.scoring.evaluate import Report
from app.running import outside
from app.running.lease import Lease
from app.security import sessions
from app.services import trace
from app.services.bureau.closing import closed_periods
from app.services.desk import daily_figures, reminders
from app.services.jobs import runs
from app.services.jobs.runs import Claim
from app.services.process import submissions
from app.services.publication import corrections, month_end, verification
from app.services.publication import drafts as bulletin_drafts
from app.services.rulebook import rehearsal
from app.services.scoring import settlement
from app.services.scoring.settlement import Settled
from app.services.supervision import night
from app.wording import say


def settle(claim: Claim, lease: Lease) -> Settled:
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
        for computed in done:
            settlement.store(work, computed, actor=SYSTEM, now=sessions.now())


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
    """Everything stored and published against its sources; a difference ends the run as failed, and is told.

    Where all is well the day's anchor of the trace is written: never of a chain that does not hold.
    """
    with reading() as session:
        bureau = session.get_one(Bureau, claim.bureau_id)
        found = verification.differences(session, [bureau], beside=outside.differences(session), report=lease.report)
        seq, digest = trace.head(session)
    lease.end()
    if found:
        raise RuleViolation(N_("%(count)s differences, the first: %(first)s", count=len(found), first=found[0]))
    outside.anchor(seq, digest, now=sessions.now())
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
    runs.SETTLE: settle,
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
