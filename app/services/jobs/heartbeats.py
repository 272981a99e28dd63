"""Signs of life of what must not stop: the bell, the workers, the clock of a machine; and who hears of a silence.

Source: trust demands RE-06, RE-09, RE-12; house rule "no job that can stop running without somebody hearing".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import Bureau, Heartbeat
from app.policies.actor import SYSTEM
from app.policies.scoping import unscoped
from app.rules.timetable import local_time
from app.services import trace
from app.services.messages import notices
from app.services.upsert import insert_once

WHY = "signs of life belong to no bureau"
RING = "ring"
JUMP = 120  # seconds by which a clock is moved before it counts as moved
OUTAGE = timedelta(minutes=30)
LONGEST_RUN = timedelta(minutes=15)  # for so long all children of a worker may be busy, and no ring is heard
TOLD = "told"
FORGOTTEN = timedelta(days=7)
_BEAT, _BUREAU = Heartbeat.__table__, Bureau.__table__


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of a machine: its name, its present start, and by how many seconds it is ahead of the time since."""

    host: str
    boot: str
    ahead: int


@dataclass(frozen=True, slots=True)
class Sign:
    """The newest sign of life of something, and whether it came in time."""

    name: str
    kind: str
    started_at: datetime
    seen_at: datetime
    is_alive: bool


def beat(session: Session, name: str, kind: str, *, now: datetime, is_new: bool = False) -> datetime | None:
    """Note a sign of life; answers when the one before came. `is_new`: of a process that has just started."""
    rows = unscoped(session, WHY)
    before: datetime | None = rows.execute(select(_BEAT.c.seen_at).where(_BEAT.c.name == name)).scalar()
    if before is None:
        row = {"name": name, "kind": kind, "started_at": now, "seen_at": now, "boot": "", "clock": 0}
        insert_once(session, Heartbeat, [row], ("name",))
        return None
    values: dict[str, object] = {"seen_at": now, "boot": ""}
    if is_new:
        values["started_at"] = now
    rows.execute(update(_BEAT).where(_BEAT.c.name == name).values(**values))
    return before


def leave(session: Session, name: str) -> None:
    """Something ends in order: nobody misses it."""
    unscoped(session, WHY).execute(delete(_BEAT).where(_BEAT.c.name == name))


def signs(session: Session, *, now: datetime, silent_after: timedelta) -> list[Sign]:
    """What is expected to give signs of life, the bell first; clocks are left out.

    A ring is heard by a free child of a worker, so it may be missed for as long as a run may last.
    """
    query = select(_BEAT).where(_BEAT.c.kind != "clock").order_by(_BEAT.c.kind, _BEAT.c.name)
    patience = {RING: max(silent_after, LONGEST_RUN)}
    return [
        Sign(
            it.name, it.kind, it.started_at, it.seen_at,
            is_alive=abs(now - it.seen_at) <= patience.get(it.kind, silent_after),
        )
        for it in unscoped(session, WHY).execute(query)
    ]  # fmt: skip


def stands_still(found: Sequence[Sign]) -> bool:
    """Whether the work in the background stands still: no bell, no worker, no ring heard. Not before the first sign."""
    if not found:
        return False
    alive = {it.kind for it in found if it.is_alive}
    is_deaf = any(it.kind == RING and not it.is_alive for it in found)
    return is_deaf or not {"beat", "worker"} <= alive


def listen(session: Session, *, clock: Clock | None, silent_after: timedelta, now: datetime) -> None:
    """What each ring notices: that none was heard for long; a clock that was moved; somebody who fell silent."""
    if clock is not None:
        _note_clock(session, clock, now=now)
    before = beat(session, RING, RING, now=now)
    if before is not None and now - before > OUTAGE:
        text = N_(
            "The work in the background stood still from %(first)s to %(last)s; what was missed is caught up now.",
            first=_shown(before), last=_shown(now),
        )  # fmt: skip
        _say(session, text, key=f"silence:{before.isoformat()}", now=now)
    _watch(session, silent_after=max(silent_after, timedelta(minutes=5)), now=now)


def _watch(session: Session, *, silent_after: timedelta, now: datetime) -> None:
    """A worker or bell that has died without a word is told once, and forgotten after a week."""
    silent = select(_BEAT).where(_BEAT.c.kind.in_(("worker", "beat")), _BEAT.c.seen_at < now - silent_after)
    for it in unscoped(session, WHY).execute(silent).all():
        if now - it.seen_at > FORGOTTEN:
            leave(session, it.name)
        elif it.boot != TOLD:
            unscoped(session, WHY).execute(update(_BEAT).where(_BEAT.c.name == it.name).values(boot=TOLD))
            text = N_("%(name)s has given no sign of life since %(at)s.", name=it.name, at=_shown(it.seen_at))
            _say(session, text, key=f"silent:{it.name}:{it.seen_at.isoformat()}", now=now)


def _note_clock(session: Session, clock: Clock, *, now: datetime) -> None:
    """Note by how much the clock of a machine was moved since the last look; nothing after it was started anew."""
    name = f"clock:{clock.host}"
    row = unscoped(session, WHY).execute(select(_BEAT).where(_BEAT.c.name == name).with_for_update()).first()
    if row is None:
        fresh = {
            "name": name, "kind": "clock", "started_at": now, "seen_at": now, "boot": clock.boot, "clock": clock.ahead,
        }  # fmt: skip
        insert_once(session, Heartbeat, [fresh], ("name",))
        return
    moved = clock.ahead - row.clock if row.boot == clock.boot else 0
    # Small steps are kept against the reading they began from, so that many of them are noticed as well.
    ahead = clock.ahead if abs(moved) >= JUMP or row.boot != clock.boot else row.clock
    unscoped(session, WHY).execute(
        update(_BEAT).where(_BEAT.c.name == name).values(seen_at=now, boot=clock.boot, clock=ahead)
    )
    if abs(moved) < JUMP:
        return
    trace.record(session, verb="clock_moved", target="clock", label=clock.host, after={"seconds": moved},
                 actor=SYSTEM, now=now)  # fmt: skip
    minutes = abs(moved) // 60
    text = (
        N_("The clock of the server was moved %(minutes)s minutes ahead; each period runs once.", minutes=minutes)
        if moved > 0
        else N_("The clock of the server was moved %(minutes)s minutes back; nothing runs twice.", minutes=minutes)
    )
    _say(session, text, key=f"clock:{clock.host}:{clock.boot}:{clock.ahead}", now=now)


def _say(session: Session, text: Message, *, key: str, now: datetime) -> None:
    """Tell the keepers of every bureau; the same thing once, ever."""
    on = local_time(now).date()
    for bureau_id in unscoped(session, WHY).execute(select(_BUREAU.c.id).order_by(_BUREAU.c.id)).scalars().all():
        notices.say(
            session, notices.keepers(session, bureau_id, on=on), category="job", key=key, text=text, item="jobs:",
            bureau_id=bureau_id, now=now,
        )  # fmt: skip


def _shown(at: datetime) -> str:
    return f"{local_time(at):%Y-%m-%d %H:%M}"
