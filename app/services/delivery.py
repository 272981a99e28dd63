"""The outbox towards other channels: taken under a lease, tried again with growing waits, given up in the end.

At least once: who dies between sending and marking sends again, under the same message id. Source: mission E3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import Account, Bureau, Channel, Outbox
from app.policies import notices as policy
from app.policies.actor import Actor, require
from app.rules.delivery import MOST_ATTEMPTS, wait_after
from app.rules.timetable import local_time
from app.services import notices, trace
from app.services.notices import PORTAL, Line, addresses, undump_lines
from app.services.sentences import dump, undump

SLICE = 200
_IN_TIME = timedelta(minutes=10)  # a stamp further ahead than this was written by a clock that was wrong
_OUT = Outbox.__table__
SWITCHED_OFF = N_("The channel rests.")
NO_ADDRESS = N_("There is no mail address in the register any more.")


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


def due(session: Session, *, now: datetime, again_after: timedelta) -> list[int]:
    """The messages to hand out now, each stamped so that the next ring leaves it alone for a while."""
    rows = session.connection()
    not_rung = or_(_OUT.c.queued_at.is_(None), _OUT.c.queued_at <= now - again_after, _OUT.c.queued_at > now + _IN_TIME)
    found = list(
        rows.execute(select(_OUT.c.id).where(_waits(now), not_rung).order_by(_OUT.c.id).limit(SLICE)).scalars()
    )
    if found:
        rows.execute(update(_OUT).where(_OUT.c.id.in_(found)).values(queued_at=now))
    return found


def take(session: Session, outbox_id: int, *, lease: timedelta, now: datetime) -> Parcel | None:
    """Take a message that waits; None when somebody has it, or when it cannot go out: then it is given up."""
    taken = session.connection().execute(
        update(_OUT)
        .where(_OUT.c.id == outbox_id, _waits(now))
        .values(lease_until=now + lease, attempts=_OUT.c.attempts + 1)
    )
    if not taken.rowcount:
        return None
    row = session.connection().execute(select(_OUT).where(_OUT.c.id == outbox_id)).one()
    channel = session.get_one(Channel, row.channel_id, populate_existing=True)
    account = session.get_one(Account, row.account_id)
    address = ""
    if channel.kind == "email":
        address = addresses(session, [row.account_id], on=local_time(now).date()).get(row.account_id, "")
    reason = SWITCHED_OFF if not channel.is_enabled else NO_ADDRESS if channel.kind == "email" and not address else None
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
    session.connection().execute(
        update(_OUT).where(_mine(parcel.outbox_id, parcel.attempt)).values(sent_at=now, lease_until=None, last_error="")
    )


def failed(session: Session, parcel: Parcel, reason: Message, *, now: datetime) -> None:
    """Keep a message for another attempt, later each time; after the last it is given up and told."""
    wait = wait_after(parcel.attempt)
    if wait is None:
        _give_up(session, parcel.outbox_id, parcel.attempt, reason, now=now)
        return
    session.connection().execute(
        update(_OUT)
        .where(_mine(parcel.outbox_id, parcel.attempt))
        .values(lease_until=None, not_before=now + wait, queued_at=None, last_error=dump(reason))
    )


def _give_up(session: Session, outbox_id: int, attempt: int, reason: Message, *, now: datetime) -> None:
    """End a message unsent, and tell the keepers once a day and channel."""
    ended = session.connection().execute(
        update(_OUT).where(_mine(outbox_id, attempt)).values(given_up_at=now, lease_until=None, last_error=dump(reason))
    )
    if not ended.rowcount:
        return
    row = session.connection().execute(select(_OUT).where(_OUT.c.id == outbox_id)).one()
    on = local_time(now).date()
    channel = session.get_one(Channel, row.channel_id)
    notices.say(
        session, notices.keepers(session, row.bureau_id, on=on), category="job",
        key=f"given-up:{row.channel_id}:{on}", item="channels:", bureau_id=row.bureau_id, now=now,
        text=N_("Messages over “%(channel)s” could not be sent and were given up: %(reason)s", channel=channel.name,
                reason=reason),
    )  # fmt: skip


def again(session: Session, it: Outbox, *, actor: Actor, now: datetime) -> None:
    """Try a message that was given up once more, from the first wait on."""
    require(policy.may_keep_channels(actor))
    revived = session.connection().execute(
        update(_OUT)
        .where(_OUT.c.id == it.id, _OUT.c.given_up_at.is_not(None))
        .values(given_up_at=None, attempts=0, not_before=now, queued_at=None, lease_until=None)
    )
    if revived.rowcount:
        bureau = session.get_one(Bureau, it.bureau_id)
        trace.record(session, verb="send_again", target=bureau, label=it.dedup_key, actor=actor, now=now)


assert wait_after(MOST_ATTEMPTS) is None
