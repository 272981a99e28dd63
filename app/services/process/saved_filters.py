"""Searches a person comes back to: kept under a name for one list, forgotten again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import SavedFilter
from app.policies.actor import Actor, require
from app.services import trace
from app.services.upsert import insert_once

MOST = 8


def keep(session: Session, page: str, name: str, query: str, *, actor: Actor, now: datetime) -> SavedFilter:
    """Keep a search; the same name again means the new one."""
    require(actor.account_id is not None)
    assert actor.account_id is not None
    name = name.strip()[:40]
    if not name:
        raise RuleViolation(N_("Give the search a name."), field_name="name")
    mine = (SavedFilter.account_id == actor.account_id) & (SavedFilter.page == page)
    found = session.scalar(select(SavedFilter).where(mine, SavedFilter.name == name))
    if found is None:
        if (session.scalar(select(func.count(SavedFilter.id)).select_from(SavedFilter).where(mine)) or 0) >= MOST:
            raise RuleViolation(N_("At most %(count)s searches for one list; forget one first.", count=MOST))
        row = {"account_id": actor.account_id, "page": page, "name": name, "query": query}
        insert_once(session, SavedFilter, [row], ("account_id", "page", "name"))
        found = session.scalars(select(SavedFilter).where(mine, SavedFilter.name == name)).one()
    found.query = query
    session.flush()
    trace.record(session, verb="keep_search", target=found, after={"query": query}, actor=actor, now=now)
    return found


def forget(session: Session, kept: SavedFilter, *, actor: Actor, now: datetime) -> None:
    require(kept.account_id == actor.account_id)
    trace.record(session, verb="forget_search", target=kept, actor=actor, now=now)
    session.delete(kept)
    session.flush()
