"""What a supervised task posts to the ledger: days late, slips, ratings; each event once, whatever is restarted.

The fact stands on the lead unit; assisting units, leaders and handlers share in it as the clause says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Clause, EntryKind, ScoreEntry, SupervisedTask, TaskStage
from app.policies.actor import SYSTEM
from app.policies.scoping import unscoped
from app.services.bureau.closing import hold_bureau
from app.services.jobs import runs
from app.services.ledger.posting import post_facts
from app.services.registration.facts import tell_concerned

WHY = "a task posts for all its parties"
SOURCE = "supervision"
_ENTRY = ScoreEntry.__table__


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a task that is worth something: which, under which clause, on which day, in official words."""

    task: SupervisedTask
    occasion: str
    number: str
    clause: str
    day: date
    remark: str
    quantity: Decimal = Decimal(1)
    points: Decimal | None = None
    value: Decimal | None = None


def number_of(task: SupervisedTask, suffix: str) -> str:
    """The number of an entry: year and serial of the task, and which event."""
    return f"DB-{task.year}-{task.serial:03d}-{suffix}"


def stage_mark(stage: TaskStage) -> str:
    """A stage in the number of an entry: its position, and the round where it was opened again."""
    return f"{stage.position}.{stage.round}" if stage.round else str(stage.position)


def parties_of(task: SupervisedTask) -> str:
    """The parties of every fact of a task, by the names of the ledger; who handles it answers for it."""
    found: dict[str, list[str]] = {}
    for party in task.parties:
        found.setdefault(party.role, []).append(party.subject.code)
    if "handler" in found:
        found["responsible"] = found["handler"]
    return ";".join(f"{name}={'|'.join(sorted(codes))}" for name, codes in sorted(found.items()))


def post_events(
    session: Session, bureau_id: int, events: Sequence[Event], *, by: str, now: datetime
) -> list[ScoreEntry]:
    """Post the events that are not in the ledger yet, tell those concerned; answers the new facts.

    Idempotent: an event that was posted once, and reversed since, is not posted again.
    """
    hold_bureau(session, bureau_id)
    known = _posted(session, {event.task.id for event in events})
    new = [event for event in events if (event.task.id, event.occasion) not in known]
    if not new:
        return []
    clauses = clause_ids(session, bureau_id, {it.clause for it in new})
    records = [_record(it, bureau_id, clauses[it.clause], by) for it in new]
    post_facts(session, bureau_id, records, source=SOURCE, actor=SYSTEM, now=now)
    numbers = [it.number for it in new]
    query = select(ScoreEntry).where(
        ScoreEntry.bureau_id == bureau_id, ScoreEntry.kind == EntryKind.FACT, ScoreEntry.source == SOURCE,
        ScoreEntry.no.in_(numbers),
    )  # fmt: skip
    entries = list(session.scalars(query.order_by(ScoreEntry.id)))
    tell_concerned(session, entries, now=now)
    runs.refresh_open(session, bureau_id, now=now)
    return entries


def _posted(session: Session, tasks: Iterable[int]) -> set[tuple[int, str]]:
    query = select(_ENTRY.c.source_id, _ENTRY.c.occasion).where(
        _ENTRY.c.source == SOURCE, _ENTRY.c.source_id.in_(tasks), _ENTRY.c.kind == EntryKind.FACT
    )
    return {(pk, occasion) for pk, occasion in unscoped(session, WHY).execute(query)}


def clause_ids(session: Session, bureau_id: int, codes: set[str]) -> dict[str, int]:
    """The clauses of some codes; refused where one is not there."""
    clause = Clause.__table__.c
    query = select(clause.code, clause.id).where(clause.bureau_id == bureau_id, clause.code.in_(codes))
    found: dict[str, int] = dict(unscoped(session, WHY).execute(query).all())
    missing = sorted(codes - found.keys())
    if missing:
        raise RuleViolation(N_("“%(code)s” is not known.", code=missing[0]))
    return found


def _record(event: Event, bureau_id: int, clause_id: int, by: str) -> dict[str, Any]:
    return {
        "bureau_id": bureau_id, "no": event.number, "occurred_on": event.day, "clause_id": clause_id,
        "subject_id": event.task.lead_unit_id, "quantity": event.quantity, "points": event.points,
        "value": event.value, "work_key": event.task.no, "attrs": f"source={event.task.source}",
        "parties": parties_of(event.task), "remark": event.remark, "evidence": event.task.no,
        "registered_by": by, "batch_id": None, "source_id": event.task.id, "occasion": event.occasion,
    }  # fmt: skip


def entries_of(session: Session, task: SupervisedTask) -> Sequence[ScoreEntry]:
    """What a task has posted, facts with the parts of the others, in order; reversals left out."""
    query = select(ScoreEntry).where(
        ScoreEntry.source == SOURCE, ScoreEntry.source_id == task.id, ScoreEntry.kind != EntryKind.REVERSAL
    )
    return session.scalars(query.order_by(ScoreEntry.occurred_on, ScoreEntry.no, ScoreEntry.id)).unique().all()
