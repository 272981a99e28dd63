"""The verbs of the ledger: an entry is reversed with a reason, never edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.errors import N_, NotPermitted, RuleViolation
from app.models import EntryKind, ScoreEntry
from app.policies import ledger as policy
from app.policies.actor import Actor, require
from app.policies.free import NOT_FREE, free
from app.policies.scoping import unscoped
from app.services import trace
from app.services.bureau.closing import hold_bureau, refuse_closed
from app.services.jobs import runs

WHY = "parts go with their fact, whosever they are"
SLICE = 500


def reverse_entry(session: Session, entry: ScoreEntry, *, reason: str, actor: Actor, now: datetime) -> None:
    """Reverse a wrong fact; both rows stay, both are left out of every sum."""
    hold_bureau(session, entry.bureau_id)
    require(
        policy.may_reverse(actor, entry),
        N_("Only a fact that is not reversed can be reversed, and not one about yourself."),
    )
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    refuse_closed(session, entry.bureau_id, entry.month)
    table = ScoreEntry.__table__
    row = unscoped(session, WHY).execute(select(table).where(table.c.id == entry.id)).mappings().one()
    reverse_with_parts(session, [dict(row)], reason=reason.strip(), actor=actor, now=now)
    runs.refresh_open(session, entry.bureau_id, now=now)
    trace.record(session, verb="reverse", target=entry, reason=reason.strip(), actor=actor, now=now)


def reverse_with_parts(
    session: Session, facts: list[dict[str, Any]], *, reason: str, actor: Actor, now: datetime
) -> None:
    """Reverse facts together with every part that others have in them; refused where one of them is the actor's."""
    table = ScoreEntry.__table__
    rows = list(facts)
    ids = [row["id"] for row in facts]
    for start in range(0, len(ids), SLICE):
        parts = select(table).where(table.c.fact_id.in_(ids[start : start + SLICE]), table.c.kind == EntryKind.DERIVED)
        rows += [dict(row) for row in unscoped(session, WHY).execute(parts).mappings()]
    if not free(actor, {row["subject_id"] for row in rows}):
        raise NotPermitted(NOT_FREE)
    if rows:
        reversals = [reversal_of(row, reason=reason, actor=actor, now=now) for row in rows]
        unscoped(session, WHY).execute(insert(table), reversals)


def reversal_of(row: Mapping[str, Any], *, reason: str, actor: Actor, now: datetime) -> dict[str, Any]:
    """The row that reverses an entry: same fact, same day and month, linked to it."""
    return {
        **{name: value for name, value in row.items() if name not in ("id", "fact_id", "batch_id")},
        "kind": EntryKind.REVERSAL, "reverses_id": row["id"], "reason": reason,
        "registered_by": actor.name, "registered_at": now,
    }  # fmt: skip
