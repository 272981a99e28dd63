"""The verbs of the ledger: an entry is reversed with a reason, never edited."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import ScoreEntry
from app.policies import ledger as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.services import jobs, trace
from app.services.closing import hold_bureau, refuse_closed
from app.services.recall import reverse_with_parts

WHY = "parts go with their fact, whosever they are"


def reverse_entry(session: Session, entry: ScoreEntry, *, reason: str, actor: Actor, now: datetime) -> None:
    """Reverse a wrong fact; both rows stay, both are left out of every sum."""
    require(
        policy.may_reverse(actor, entry),
        N_("Only a fact that is not reversed can be reversed, and not one about yourself."),
    )
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    hold_bureau(session, entry.bureau_id)
    refuse_closed(session, entry.bureau_id, entry.month)
    table = ScoreEntry.__table__
    row = unscoped(session, WHY).execute(select(table).where(table.c.id == entry.id)).mappings().one()
    reverse_with_parts(session, [dict(row)], reason=reason.strip(), actor=actor, now=now)
    jobs.refresh_open(session, entry.bureau_id, now=now)
    trace.record(session, verb="reverse", target=entry, reason=reason.strip(), actor=actor, now=now)
