"""Saying something to people: written to the outbox with the act, delivered exactly once into the portal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.errors import Message
from app.models import Account, Notification, Outbox, Posting, RoleGrant
from app.policies.actor import Actor, require
from app.services.sentences import dump
from app.services.upsert import insert_once

PORTAL = "portal"
SLICE = 500
_OUT, _IN = Outbox.__table__, Notification.__table__
CARRIED = ("bureau_id", "account_id", "dedup_key", "category", "text", "item", "created_at")


def holders(session: Session, bureau_id: int, role: str, *, on: date) -> list[int]:
    """The accounts that hold a role on a day, in the order of their ids."""
    grant, account = RoleGrant.__table__.c, Account.__table__.c
    query = (
        select(grant.account_id)
        .join(Account.__table__, account.id == grant.account_id)
        .where(
            account.bureau_id == bureau_id,
            grant.role == role,
            grant.approved_at.is_not(None),
            or_(grant.valid_from.is_(None), grant.valid_from <= on),
            or_(grant.valid_to.is_(None), grant.valid_to >= on),
        )
        .distinct()
        .order_by(grant.account_id)
    )
    return list(session.connection().execute(query).scalars())


def keepers(session: Session, bureau_id: int, *, on: date) -> list[int]:
    """Whom a matter of the running itself is said to: the office and the system administrators."""
    grant, account = RoleGrant.__table__.c, Account.__table__.c
    query = (
        select(grant.account_id)
        .join(Account.__table__, account.id == grant.account_id)
        .where(
            grant.role == "system_admin", or_(account.bureau_id == bureau_id, account.bureau_id.is_(None)),
            grant.approved_at.is_not(None), or_(grant.valid_to.is_(None), grant.valid_to >= on),
        )
    )  # fmt: skip
    administrators = session.connection().execute(query.distinct().order_by(grant.account_id)).scalars()
    return [*holders(session, bureau_id, "assessment_office", on=on), *administrators]


def members(session: Session, bureau_id: int) -> list[int]:
    """Every account of a bureau that belongs to a person."""
    account = Account.__table__.c
    query = select(account.id).where(account.bureau_id == bureau_id, account.subject_id.is_not(None))
    return list(session.connection().execute(query.order_by(account.id)).scalars())


def concerned(session: Session, subject_id: int, *, on: date) -> list[int]:
    """Whom an act about a subject is said to: the person, or heads and clerks of the unit on a day."""
    grant, account, posting = RoleGrant.__table__.c, Account.__table__.c, Posting.__table__.c
    rows = session.connection()
    own = list(rows.execute(select(account.id).where(account.subject_id == subject_id)).scalars())
    if own:
        return own
    here = select(posting.person_id).where(
        posting.unit_id == subject_id,
        posting.valid_from <= on,
        or_(posting.valid_to.is_(None), posting.valid_to >= on),
    )
    query = (
        select(grant.account_id)
        .join(Account.__table__, account.id == grant.account_id)
        .where(
            grant.role.in_(("unit_head", "clerk")),
            grant.approved_at.is_not(None),
            or_(grant.valid_from.is_(None), grant.valid_from <= on),
            or_(grant.valid_to.is_(None), grant.valid_to >= on),
            or_(grant.unit_id == subject_id, grant.unit_id.is_(None) & account.subject_id.in_(here)),
        )
        .distinct()
        .order_by(grant.account_id)
    )
    return list(rows.execute(query).scalars())


def say(
    session: Session,
    accounts: Iterable[int],
    *,
    category: str,
    key: str,
    text: Message,
    item: str,
    bureau_id: int | None,
    now: datetime,
) -> int:
    """Put one message per account into the outbox; the same key is said to the same account once, ever."""
    rows = [
        {
            "bureau_id": bureau_id, "account_id": account, "dedup_key": key, "channel": PORTAL, "category": category,
            "text": dump(text), "item": item, "created_at": now, "attempts": 0, "last_error": "",
        }
        for account in accounts
    ]  # fmt: skip
    return insert_once(session, Outbox, rows, ("dedup_key", "account_id", "channel"))


def deliver(session: Session, *, now: datetime) -> int:
    """Carry what waits for the portal over to its readers; with the mark in one transaction, so exactly once."""
    rows = session.connection()
    waiting = select(_OUT).where(_OUT.c.sent_at.is_(None), _OUT.c.channel == PORTAL).order_by(_OUT.c.id).limit(SLICE)
    found = rows.execute(waiting.with_for_update(skip_locked=True)).mappings().all()
    if not found:
        return 0
    insert_once(
        session, Notification, [{name: row[name] for name in CARRIED} for row in found], ("account_id", "dedup_key")
    )
    rows.execute(update(_OUT).where(_OUT.c.id.in_([row["id"] for row in found])).values(sent_at=now))
    return len(found)


def unread(session: Session) -> int:
    """How many messages the signed-in person has not opened."""
    return session.scalar(select(func.count(Notification.id)).where(Notification.read_at.is_(None))) or 0


def mark_read(session: Session, *, actor: Actor, now: datetime, item: str | None = None) -> None:
    """Note that the actor has seen what was said about an item, or everything."""
    require(actor.account_id is not None)
    mine = (_IN.c.account_id == actor.account_id) & _IN.c.read_at.is_(None)
    if item is not None:
        mine &= _IN.c.item == item
    session.connection().execute(update(_IN).where(mine).values(read_at=now))
