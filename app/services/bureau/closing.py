"""Which periods are closed: those whose results were published. What happened in one counts in the next open month."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import Bulletin, Bureau, ReopenPermit
from app.policies.scoping import unscoped
from app.rules.bulletin import BulletinState
from app.rules.closing import Permit
from app.rules.grammar import split_list
from app.rules.periods import Period
from app.rules.timetable import local_time

WHY = "a closed period is closed for everybody"


def closed_periods(session: Session, bureau_id: int) -> frozenset[str]:
    """The months, quarters and years of a bureau that are closed."""
    bulletin = Bulletin.__table__.c
    query = select(bulletin.period).where(bulletin.bureau_id == bureau_id, bulletin.state == BulletinState.PUBLISHED)
    return frozenset(unscoped(session, WHY).execute(query).scalars())


def open_permits(session: Session, bureau_id: int, *, now: datetime) -> list[Permit]:
    """The reopen permits of a bureau that hold now, oldest first."""
    permit = ReopenPermit.__table__.c
    query = (
        select(permit.id, permit.period, permit.subjects, permit.indicators)
        .where(
            permit.bureau_id == bureau_id,
            permit.state == "granted",
            permit.last_day >= local_time(now).date(),
        )
        .order_by(permit.id)
    )
    found = []
    for pk, text, subjects, indicators in unscoped(session, WHY).execute(query):
        period = Period.parse(text)
        assert period is not None
        found.append(Permit(pk, period, frozenset(split_list(subjects)), frozenset(split_list(indicators))))
    return found


def note_use(session: Session, permit: Permit) -> None:
    """Count a row that was added, changed or removed under a permit."""
    table = ReopenPermit.__table__
    unscoped(session, WHY).execute(
        update(table).where(table.c.id == permit.id).values(rows_changed=table.c.rows_changed + 1)
    )


def acts_in_closed(period: str) -> Message:
    """Why a row cannot come, change or go."""
    return N_("%(period)s is closed and this row acts in it: begin a new row after the closed periods.", period=period)


def hold_bureau(session: Session, bureau_id: int) -> None:
    """Let one unit of work at a time settle, publish or register in a bureau.

    SQLite has one writer anyway; on PostgreSQL the row of the bureau is the lock, taken before ids are drawn. It is
    taken beside the locks of foreign keys on the bureau, else two that insert first would wait for each other. It is
    the first statement of a verb: what was loaded before is read anew where nobody has changed it here, because
    somebody else may have.
    """
    bureau = Bureau.__table__
    if session.connection().dialect.name == "postgresql":
        unscoped(session, WHY).execute(
            select(bureau.c.id).where(bureau.c.id == bureau_id).with_for_update(key_share=True)
        )
        for record in set(session.identity_map.values()) - set(session.dirty) - set(session.deleted):
            session.expire(record)


def refuse_closed(session: Session, bureau_id: int, period: Period | str) -> None:
    """Refuse what would change the results of a closed period."""
    if str(period) in closed_periods(session, bureau_id):
        raise RuleViolation(
            N_("%(period)s is closed: its results are published and stay as they are.", period=str(period))
        )
