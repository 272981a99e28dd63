"""The outbox towards other channels: taken under a lease, tried again with growing waits, given up in the end.

At least once: who dies between sending and marking sends again, under the same message id. Source: mission E3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import Account, Bureau, Channel, Outbox
from app.policies import notices as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.delivery import MOST_ATTEMPTS, wait_after
from app.rules.timetable import local_time
from app.services import trace
from app.services.messages import notices
from app.services.messages.notices import PORTAL, Line, addresses, undump_lines
from app.services.messages.sentences import dump, undump

WHY = "the outbox is carried out by the system"
TOO_OLD = timedelta(days=10)  # all attempts fit in, with the days off between them
_IN_TIME = timedelta(minutes=10)  # a stamp further ahead than this was written by a clock that was wrong
_OUT = Outbox.__table__
SWITCHED_OFF = N_("The account is switched off.")
NO_ADDRESS = N_("There is no mail address in the register.")
NEVER_ENDED = N_("It was taken again and again and never came to an end.")
OUT_OF_DATE = N_("It waited too long to be worth anything.")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message in this process's hands, with the channel it leaves by; `attempt` tells a later holder apart."""

    outbox_id: int
    attempt: int
    message_id: str
    account_id: int
    to: str
    address: str
    text: Message
    lines: Sequence[Line]
    channel: Channel


def _waits(now: datetime) -> ColumnElement[bool]:
    """What may be sent now: neither sent nor given up, its hour has come, in nobody's hands."""
    free = or_(_OUT.c.lease_until.is_(None), _OUT.c.lease_until < now, _OUT.c.lease_until > now + _IN_TIME)
    come = or_(_OUT.c.not_before.is_(None), _OUT.c.not_before <= now)
    return and_(_OUT.c.channel != PORTAL, _OUT.c.sent_at.is_(None), _OUT.c.given_up_at.is_(None), come, free)


def due(session: Session, *, now: datetime, limit: int, without: Collection[int] = ()) -> list[tuple[int, int]]:
    """Messages that may be sent now, with their channels, the oldest first.

    Left out are channels that rest, and bureaus whose quiet hours it is: what waits there goes on waiting.
    """
    rows, channel = unscoped(session, WHY), Channel.__table__.c
    used = select(_OUT.c.bureau_id).where(_waits(now)).distinct()
    awake = [it for it in rows.execute(used).scalars().all() if notices.leaves_from(session, it, now) <= now]
    query = (
        select(_OUT.c.id, _OUT.c.channel_id)
        .join(Channel.__table__, channel.id == _OUT.c.channel_id)
        .where(_waits(now), channel.is_enabled, _OUT.c.bureau_id.in_(awake), channel.id.not_in(without))
        .order_by(_OUT.c.id)
        .limit(limit)
    )
    return [(pk, channel_id) for pk, channel_id in rows.execute(query)]


def take(session: Session, outbox_id: int, *, lease: timedelta, now: datetime) -> Parcel | None:
    """Take a message that waits; None when somebody has it, or when it cannot go out: then it is given up."""
    taken = unscoped(session, WHY).execute(
        update(_OUT)
        .where(_OUT.c.id == outbox_id, _waits(now))
        .values(lease_until=now + lease, attempts=_OUT.c.attempts + 1)
    )
    if not taken.rowcount:
        return None
    row = unscoped(session, WHY).execute(select(_OUT).where(_OUT.c.id == outbox_id)).one()
    channel = session.get_one(Channel, row.channel_id, populate_existing=True)
    account = session.get_one(Account, row.account_id)
    address = ""
    if channel.kind == "email":
        address = addresses(session, [row.account_id], on=local_time(now).date()).get(row.account_id, "")
    reason = None
    if channel.kind == "email" and not address:
        reason = NO_ADDRESS
    elif not account.active:
        reason = SWITCHED_OFF
    elif row.attempts > MOST_ATTEMPTS:
        reason = undump(row.last_error) if row.last_error else NEVER_ENDED
    elif now - row.created_at > TOO_OLD:
        reason = OUT_OF_DATE
    if reason is not None:
        _give_up(session, outbox_id, row.attempts, reason, now=now)
        return None
    return Parcel(
        outbox_id, row.attempts, message_id(row.dedup_key, row.account_id, row.channel), row.account_id,
        account.get_full_name(), address, undump(row.text), undump_lines(row.lines), channel,
    )  # fmt: skip


def message_id(key: str, account_id: int, channel: str) -> str:
    """The message's own number, the same however often it is sent."""
    return hashlib.sha256(f"{key}\n{account_id}\n{channel}".encode()).hexdigest()[:32]


def _mine(outbox_id: int, attempt: int) -> ColumnElement[bool]:
    return and_(_OUT.c.id == outbox_id, _OUT.c.attempts == attempt, _OUT.c.sent_at.is_(None))


def sent(session: Session, parcel: Parcel, *, now: datetime) -> None:
    """Mark a message as sent."""
    unscoped(session, WHY).execute(
        update(_OUT).where(_mine(parcel.outbox_id, parcel.attempt)).values(sent_at=now, lease_until=None, last_error="")
    )


def failed(session: Session, parcel: Parcel, reason: Message, *, now: datetime) -> None:
    """Keep a message for another attempt, later each time; after the last it is given up and told.

    Quiet hours are looked at when it is asked what is due.
    """
    wait = wait_after(parcel.attempt)
    if wait is None:
        _give_up(session, parcel.outbox_id, parcel.attempt, reason, now=now)
        return
    unscoped(session, WHY).execute(
        update(_OUT)
        .where(_mine(parcel.outbox_id, parcel.attempt))
        .values(lease_until=None, not_before=now + wait, last_error=dump(reason))
    )


def _give_up(session: Session, outbox_id: int, attempt: int, reason: Message, *, now: datetime) -> None:
    """End a message unsent, and tell the keepers once a day and channel."""
    ended = unscoped(session, WHY).execute(
        update(_OUT).where(_mine(outbox_id, attempt)).values(given_up_at=now, lease_until=None, last_error=dump(reason))
    )
    if not ended.rowcount:
        return
    row = unscoped(session, WHY).execute(select(_OUT).where(_OUT.c.id == outbox_id)).one()
    on = local_time(now).date()
    channel = session.get_one(Channel, row.channel_id)
    notices.say(
        session, notices.keepers(session, row.bureau_id, on=on), category="job",
        key=f"given-up:{row.channel_id}:{on}", item="channels:", bureau_id=row.bureau_id, now=now,
        text=N_("Messages over “%(channel)s” could not be sent and were given up: %(reason)s", channel=channel.name,
                reason=reason),
    )  # fmt: skip


def again(session: Session, letter: Outbox, *, actor: Actor, now: datetime) -> None:
    """Try a message that was given up once more, from the first wait on."""
    require(policy.may_keep_channels(actor))
    revived = unscoped(session, WHY).execute(
        update(_OUT)
        .where(_OUT.c.id == letter.id, _OUT.c.given_up_at.is_not(None))
        .values(given_up_at=None, attempts=0, not_before=now, created_at=now, lease_until=None)
    )
    if revived.rowcount:
        bureau = session.get_one(Bureau, letter.bureau_id)
        trace.record(session, verb="send_again", target=bureau, label=letter.dedup_key, actor=actor, now=now)


assert wait_after(MOST_ATTEMPTS) is None
