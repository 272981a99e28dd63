"""Drafting a bulletin: what it is made of, from the run that settled its period."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, RuleViolation
from app.models import Bulletin, Bureau, RunLedger
from app.models.org import Subject
from app.models.scores import PeriodScore
from app.policies import bulletin as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.bulletin import BulletinState
from app.rules.periods import Period
from app.services import trace
from app.services.bureau.closing import refuse_closed
from app.services.jobs.runs import SETTLE
from app.services.publication.bulletin_data import content_of, result_row, results_of
from app.services.scoring.explanation import Say, as_settled
from app.services.scoring.settlement import Computed, settled_run

WHY = "a bulletin says a whole bureau; who may act on it was asked before"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a draft is made of: what is printed, and every score behind it, both as they are stored."""

    content: str
    results: str


def canonical(value: object) -> str:
    """JSON with one spelling, over which checksums are taken."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def checksum(text: str | bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def prepare(session: Session, done: Computed, *, say: Say) -> Prepared:
    """Make the draft of a period from its evaluation; reads only."""
    return Prepared(canonical(content_of(session, done, say=say)), canonical(results_of(done)))


def of_period(session: Session, bureau_id: int, period: Period) -> Bulletin | None:
    """The newest bulletin of a period, whoever may see it."""
    return session.scalar(
        select(Bulletin)
        .where(Bulletin.bureau_id == bureau_id, Bulletin.period == str(period))
        .order_by(Bulletin.version.desc())
        .limit(1)
    )


def keep_draft(session: Session, done: Computed, draft: Prepared, *, actor: Actor, now: datetime) -> Bulletin | None:
    """Store a draft, or renew the one there is; None when the bulletin is past being drafted. Idempotent."""
    refuse_closed(session, done.bureau.id, done.period)
    run = settled_run(session, done.bureau, done.period)
    assert run is not None
    found = of_period(session, done.bureau.id, done.period)
    if found is not None and found.state != BulletinState.DRAFT:
        return None
    if found is None:
        found = Bulletin(bureau_id=done.bureau.id, period=str(done.period), version=1, state=BulletinState.DRAFT)
        session.add(found)
    found.content, found.results = draft.content, draft.results
    found.run_id, found.settled_on, found.entry_watermark = run.id, done.on, done.watermark
    found.drafted_by, found.drafted_at = actor.name, now
    session.flush()
    trace.record(
        session, verb="draft_bulletin", target=found, after={"results": checksum(draft.results)}, actor=actor, now=now
    )
    return found


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draft as it followed from its sources, when the trace had `seq` records."""

    seq: int
    done: Computed
    draft: Prepared


def draw(session: Session, bureau: Bureau, period: Period, *, say: Say, actor: Actor, on: date) -> Drawn:
    """Make the draft of a settled period before the transaction that keeps it: evaluating may take seconds."""
    require(policy.may_draft(actor))
    _may_be_drafted(session, bureau, period, on=on)
    seq, _digest = trace.head(session)
    done = as_settled(session, bureau, period, on=on)
    return Drawn(seq, done, prepare(session, done, say=say))


def draft_bulletin(
    session: Session, bureau: Bureau, period: Period, *, say: Say, actor: Actor, on: date, now: datetime,
    drawn: Drawn | None = None,
) -> Bulletin:  # fmt: skip
    """Draft the bulletin of a settled period, or draft it anew from its newest settlement.

    What was `drawn` before holds as long as nothing was done since.
    """
    require(policy.may_draft(actor))
    _may_be_drafted(session, bureau, period, on=on)
    is_fresh = drawn is not None and drawn.done.period == period and not trace.has_moved(session, drawn.seq)
    if drawn is None or not is_fresh:
        drawn = draw(session, bureau, period, say=say, actor=actor, on=on)
    if drawn.draft.results != canonical(stored_results(session, bureau.id, str(period))):
        raise RuleViolation(N_("What the scores rest on has changed since the settlement: settle it again first."))
    found = keep_draft(session, drawn.done, drawn.draft, actor=actor, now=now)
    if found is None:
        raise Conflict(N_("The bulletin is already on its way; take it back first."))
    return found


def _may_be_drafted(session: Session, bureau: Bureau, period: Period, *, on: date) -> None:
    """Refuse a period that is closed, not settled, or was settled before it had ended."""
    refuse_closed(session, bureau.id, period)
    run = settled_run(session, bureau, period)
    if run is None or run.settled_on is None:
        raise RuleViolation(N_("%(period)s is not settled yet: settle it first.", period=str(period)))
    if not period.has_ended(on):
        raise RuleViolation(N_("%(period)s has not ended yet.", period=str(period)))
    if not period.has_ended(run.settled_on):
        raise RuleViolation(
            N_("%(period)s was last settled before it ended: settle it again first.", period=str(period))
        )


def runs_to_draft(session: Session, bureau_id: int, *, on: date) -> Sequence[str]:
    """The settled periods of a bureau that have ended and have no bulletin yet, newest first."""
    query = (
        select(RunLedger.period)
        .where(
            RunLedger.job == SETTLE,
            RunLedger.settled_on.is_not(None),
            RunLedger.bureau_id == bureau_id,
            RunLedger.period.not_in(select(Bulletin.period).where(Bulletin.bureau_id == bureau_id)),
        )
        .order_by(RunLedger.period.desc())
    )
    periods = [Period.parse(it) for it in session.scalars(query)]
    return [str(period) for period in periods if period is not None and period.has_ended(on)]


def stored_results(session: Session, bureau_id: int, period: str) -> list[dict[str, Any]]:
    """The stored scores of a period in the shape of `Bulletin.results`."""
    table, subject = PeriodScore.__table__, Subject.__table__
    rows = unscoped(session, WHY).execute(
        select(table, subject.c.code)
        .join(subject, subject.c.id == table.c.subject_id)
        .where(table.c.bureau_id == bureau_id, table.c.period == period)
    )
    found = [result_row(row["code"], row) for row in rows.mappings()]
    return sorted(found, key=lambda row: (row["subject"], row["indicator"]))
