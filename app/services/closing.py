"""Which periods are closed: those whose results were published. What happened in one counts in the next open month."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import Bulletin, Bureau
from app.rules.bulletin import BulletinState
from app.rules.periods import Period


def closed_periods(session: Session, bureau_id: int) -> frozenset[str]:
    """The months, quarters and years of a bureau that are closed."""
    bulletin = Bulletin.__table__.c
    query = select(bulletin.period).where(bulletin.bureau_id == bureau_id, bulletin.state == BulletinState.PUBLISHED)
    return frozenset(session.connection().execute(query).scalars())


def acts_in_closed(period: str) -> Message:
    """Why a row cannot come, change or go."""
    return N_("%(period)s is closed and this row acts in it: begin a new row after the closed periods.", period=period)


def hold_bureau(session: Session, bureau_id: int) -> None:
    """Let one unit of work at a time settle, publish or register in a bureau.

    SQLite has one writer anyway; on PostgreSQL the row of the bureau is the lock, taken before ids are drawn.
    """
    bureau = Bureau.__table__
    if session.connection().dialect.name == "postgresql":
        session.connection().execute(select(bureau.c.id).where(bureau.c.id == bureau_id).with_for_update())


def refuse_closed(session: Session, bureau_id: int, period: Period | str) -> None:
    """Refuse what would change the results of a closed period."""
    if str(period) in closed_periods(session, bureau_id):
        raise RuleViolation(
            N_("%(period)s is closed: its results are published and stay as they are.", period=str(period))
        )
