"""The figures of the first page, counted in the actor's own scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Account, ImportBatch, Person, RoleGrant, Scheme, ScoreEntry, TraceEntry, Unit
from app.models.imports import BatchState
from app.policies.actor import Actor
from app.rules.periods import Period


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its key; the page knows its words and the list behind it."""

    key: str
    count: int


def figures(session: Session, *, actor: Actor, on: date) -> list[Figure]:
    """At most five figures for the actor's roles; every one counts what its list shows."""
    found: list[Figure] = []

    def add(key: str, column: Any, *where: Any) -> None:
        found.append(Figure(key, session.scalar(select(func.count(column)).where(*where)) or 0))

    month = Period.month_of(on)
    if actor.is_member:
        add("entries_month", ScoreEntry.id, ScoreEntry.month == str(month))
        add("entries_last", ScoreEntry.id, ScoreEntry.month == str(month.shifted(-1)))
        add("schemes", Scheme.id, Scheme.state == "in_force")
    if actor.has("assessment_office"):
        add("batches_open", ImportBatch.id, ImportBatch.state.in_([BatchState.CHECKED, BatchState.REFUSED]))
    if actor.is_member or actor.has("system_admin"):
        add("units", Unit.id)
        add("people", Person.id)
    if actor.has("system_admin"):
        add("no_password", Account.id, Account.password == "")
    if actor.has("security_admin"):
        add("grants_waiting", RoleGrant.id, RoleGrant.approved_at.is_(None))
        add("accounts_locked", Account.id, Account.locked_until.is_not(None))
    if actor.has("audit_admin"):
        add("acts", TraceEntry.seq)
        add("acts_refused", TraceEntry.seq, TraceEntry.result == "refused")
    return found[:6]
