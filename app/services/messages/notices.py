"""Saying something to people: written to the outbox with the act, delivered exactly once into the portal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.errors import Message
from app.models import Account, Channel, ChannelChoice, Notification, Outbox, Person, Posting, RoleGrant
from app.policies.actor import Actor, require
from app.policies.postings import leavers
from app.policies.scoping import unscoped
from app.rules.delivery import is_mail_address
from app.rules.processes import QUIET
from app.rules.reminders import may_leave_from
from app.rules.timetable import local_time
from app.services.bureau.calendar import work_calendar
from app.services.bureau.rules import rules_of
from app.services.messages.sentences import dump, undump
from app.services.upsert import insert_once

WHY = "who is told follows from the matter, not from who tells"
PORTAL = "portal"
DIGEST = "digest"
SLICE = 500
_OUT, _IN = Outbox.__table__, Notification.__table__
CARRIED = ("bureau_id", "account_id", "dedup_key", "category", "text", "item", "lines", "created_at")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a digest: the sentence, what it is about, until when."""

    text: Message
    item: str
    due_on: date | None = None


def dump_lines(lines: Sequence[Line]) -> str:
    """The lines of a digest as they are stored."""
    found = [[dump(line.text), line.item, None if line.due_on is None else line.due_on.isoformat()] for line in lines]
    return json.dumps(found, ensure_ascii=False) if found else ""


def undump_lines(text: str) -> list[Line]:
    """The lines of a stored digest; none of any other message."""
    return [
        Line(undump(sentence), item, None if due_on is None else date.fromisoformat(due_on))
        for sentence, item, due_on in (json.loads(text) if text else ())
    ]


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
    return list(unscoped(session, WHY).execute(query).scalars())


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
    administrators = unscoped(session, WHY).execute(query.distinct().order_by(grant.account_id)).scalars()
    return [*holders(session, bureau_id, "assessment_office", on=on), *administrators]


def members(session: Session, bureau_id: int) -> list[int]:
    """Every account of a bureau that belongs to a person."""
    account = Account.__table__.c
    query = select(account.id).where(account.bureau_id == bureau_id, account.subject_id.is_not(None))
    return list(unscoped(session, WHY).execute(query.order_by(account.id)).scalars())


def concerned(session: Session, subject_id: int, *, on: date) -> list[int]:
    """Whom an act about a subject is said to: the person, or heads and clerks of the unit on a day."""
    grant, account, posting = RoleGrant.__table__.c, Account.__table__.c, Posting.__table__.c
    rows = unscoped(session, WHY)
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
    lines: Sequence[Line] = (),
) -> int:
    """Put one message per account into the outbox; the same key is said to the same account once, ever.

    Who has chosen other channels for messages of this kind gets it there as well, outside the quiet hours.
    """
    letters = [Letter(account, text, item, lines) for account in accounts]
    return say_each(session, letters, category=category, key=key, bureau_id=bureau_id, now=now)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said to one account."""

    account_id: int
    text: Message
    item: str
    lines: Sequence[Line] = ()


def say_each(
    session: Session, letters: Sequence[Letter], *, category: str, key: str, bureau_id: int | None, now: datetime
) -> int:
    """Say something of its own to each account but who has left, under one key; a fixed number of statements."""
    left = set(unscoped(session, WHY).execute(leavers(local_time(now).date())).scalars())
    letters = [letter for letter in letters if letter.account_id not in left]
    people = [letter.account_id for letter in letters]
    wanted: dict[int, list[int]] = {}
    leaves: datetime | None = None
    if bureau_id is not None and people:
        for account, pk in _wanted(session, bureau_id, people, is_digest=category == DIGEST, on=local_time(now).date()):
            wanted.setdefault(account, []).append(pk)
        leaves = leaves_from(session, bureau_id, now) if wanted else None
    rows: list[dict[str, Any]] = []
    for letter in letters:
        row = {
            "bureau_id": bureau_id, "account_id": letter.account_id, "dedup_key": key, "category": category,
            "text": dump(letter.text), "item": letter.item, "lines": dump_lines(letter.lines),
            "created_at": now, "attempts": 0,
            "last_error": "",
        }  # fmt: skip
        rows.append({**row, "channel": PORTAL, "channel_id": None, "not_before": None})
        rows += [
            {**row, "channel": f"channel:{pk}", "channel_id": pk, "not_before": leaves}
            for pk in wanted.get(letter.account_id, ())
        ]
    return insert_once(session, Outbox, rows, ("dedup_key", "account_id", "channel"))


def ways(session: Session, bureau_id: int, people: Iterable[int], *, on: date) -> dict[int, list[str]]:
    """The channels a digest goes to, by account: the portal, and the names of those that were chosen."""
    channel = Channel.__table__.c
    found = {person: [PORTAL] for person in people}
    names: dict[int, str] = dict(
        unscoped(session, WHY).execute(select(channel.id, channel.name).where(channel.bureau_id == bureau_id)).all()
    )
    for account, pk in _wanted(session, bureau_id, list(found), is_digest=True, on=on):
        found[account].append(names[pk])
    return found


def _wanted(
    session: Session, bureau_id: int, people: Sequence[int], *, is_digest: bool, on: date
) -> list[tuple[int, int]]:
    """Accounts and channels that get a message: by choice; without one, the digest by mail to who has an address."""
    channel, choice = Channel.__table__.c, ChannelChoice.__table__.c
    rows = unscoped(session, WHY)
    query = select(channel.id, channel.kind).where(channel.bureau_id == bureau_id, channel.is_enabled)
    channels = rows.execute(query.order_by(channel.id)).all()
    if not channels:
        return []
    made: dict[tuple[int, int], str] = {
        (account, pk): wants
        for account, pk, wants in rows.execute(
            select(choice.account_id, choice.channel_id, choice.wants).where(choice.account_id.in_(people))
        )
    }
    wants = ("digest", "all") if is_digest else ("all",)
    addressed = addresses(session, people, on=on) if any(kind == "email" for _, kind in channels) else {}
    return [
        (account, pk)
        for pk, kind in channels
        for account in people
        if (kind != "email" or account in addressed)
        and made.get((account, pk), "digest" if kind == "email" else "none") in wants
    ]


def addresses(session: Session, people: Iterable[int], *, on: date) -> dict[int, str]:
    """The mail address of the people of some accounts, as their row of the day has it; by account.

    What is not one address and nothing else is none.
    """
    account, person = Account.__table__.c, Person.__table__.c
    query = (
        select(account.id, person.email)
        .join(Person.__table__, person.subject_id == account.subject_id)
        .where(
            account.id.in_(people), account.active,
            or_(person.valid_from.is_(None), person.valid_from <= on),
            or_(person.valid_to.is_(None), person.valid_to >= on),
        )
        .order_by(person.valid_from.asc().nulls_first())
    )  # fmt: skip
    found: dict[int, str] = dict(unscoped(session, WHY).execute(query).all())
    return {pk: email for pk, email in found.items() if is_mail_address(email)}


def leaves_from(session: Session, bureau_id: int, now: datetime) -> datetime:
    """From when on a message of a bureau may leave the portal: now, or when its quiet hours or days off are over."""
    on = local_time(now).date()
    quiet = rules_of(session, bureau_id).read(QUIET, on)
    return may_leave_from(now, quiet, work_calendar(session, bureau_id))


def deliver(session: Session, *, now: datetime) -> int:
    """Carry what waits for the portal over to its readers; with the mark in one transaction, so exactly once."""
    rows = unscoped(session, WHY)
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
    return (
        session.scalar(
            select(func.count(Notification.id)).select_from(Notification).where(Notification.read_at.is_(None))
        )
        or 0
    )


def mark_read(
    session: Session, *, actor: Actor, now: datetime, item: str | None = None, only: int | None = None
) -> None:
    """Note that the actor has seen what was said about an item, one message (`only`), or everything."""
    require(actor.account_id is not None)
    mine = (_IN.c.account_id == actor.account_id) & _IN.c.read_at.is_(None)
    if item is not None:
        mine &= _IN.c.item == item
    if only is not None:
        mine &= _IN.c.id == only
    unscoped(session, WHY).execute(update(_IN).where(mine).values(read_at=now, read_by=actor.name))


def accounts_of(session: Session, people: Iterable[int]) -> set[int]:
    """The accounts of some people."""
    account = Account.__table__.c
    return set(unscoped(session, WHY).execute(select(account.id).where(account.subject_id.in_(people))).scalars())


def of_people(session: Session, record: Any, role: str) -> set[int]:
    """The accounts of the people of one role among the parties of a process record."""
    return accounts_of(session, [party.subject_id for party in record.parties if party.role == role])
