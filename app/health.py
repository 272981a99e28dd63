"""Whether the portal lives and is ready: each part asked on its own, the answer without any secret.

Source: trust demands RE-09 and RE-12.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

import config
from app import bell, revisions
from app.extensions import db, reading, write_aside
from app.models import RunLedger, RunStatus
from app.policies.actor import SYSTEM
from app.running.lease import silent_after
from app.security import sessions
from app.security.scope import act_as, actor_of
from app.services.jobs import heartbeats
from app.services.jobs.heartbeats import Sign

log = logging.getLogger(__name__)
LONGEST_LAG = timedelta(minutes=15)
OLDEST_CHECK = timedelta(hours=50)
FULL, NEARLY_FULL = 0.97, 0.8
LOOK_EVERY = 15.0
OK = "ok"


@dataclass(frozen=True, slots=True)
class Health:
    """Each part with its word: `ok`, or what is the matter; `warnings` do not make it unready."""

    checks: Mapping[str, str]
    warnings: Mapping[str, str]

    @property
    def is_ready(self) -> bool:
        return all(word == OK for word in self.checks.values())


def _database() -> str:
    with reading() as session:
        session.execute(text("SELECT 1"))
    return OK


def _migration() -> str:
    with reading() as session:
        found = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return OK if found == revisions.newest() else "behind"


def _broker() -> str:
    return OK if bell.answers(current_app) else "unreachable"


def signs() -> list[Sign]:
    """The signs of life, whoever asks."""
    with reading() as session:
        return heartbeats.signs(session, now=sessions.now(), silent_after=silent_after())


def _alive(kind: str) -> Callable[[], str]:
    def look() -> str:
        return OK if any(sign.is_alive for sign in signs() if sign.kind == kind) else "silent"

    return look


def _rings() -> str:
    """Whether somebody hears the bell: a worker whose children hang lives and hears nothing."""
    return "unheard" if any(sign.kind == heartbeats.RING and not sign.is_alive for sign in signs()) else OK


def _lag() -> str:
    with reading() as session:
        waits = RunLedger.__table__.c
        oldest = session.execute(select(func.min(waits.requested_at)).where(waits.status == RunStatus.PENDING)).scalar()
    return OK if oldest is None or abs(sessions.now() - oldest) < LONGEST_LAG else "behind"


def _writing() -> str:
    """Whether anybody can store anything: the lock of the database, and a few bytes on the disk."""
    if not write_aside(lambda work: work.connection(), "the look whether one can write"):
        return "blocked"
    try:
        with tempfile.TemporaryFile(dir=config.home()) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return "full"
    return OK


def _disk() -> str:
    space = shutil.disk_usage(config.home())
    return OK if space.used / space.total < FULL else "full"


def _chain() -> str:
    """When every number and the trace were last found whole; a fresh installation has not looked yet."""
    with reading() as session:
        run = RunLedger.__table__.c
        newest = session.execute(
            select(func.max(run.finished_at)).where(run.job == "verify", run.status == RunStatus.DONE)
        ).scalar()
    # A stamp of a clock that was ahead says nothing either.
    return OK if newest is None or abs(sessions.now() - newest) < OLDEST_CHECK else "too long ago"


CHECKS: Mapping[str, Callable[[], str]] = {
    "database": _database, "writing": _writing, "migration": _migration, "broker": _broker, "bell": _alive("beat"),
    "rings": _rings, "workers": _alive("worker"), "job_lag": _lag, "disk": _disk, "chain_check": _chain,
}  # fmt: skip


def health() -> Health:
    """Ask every part; one that cannot be asked is `unreachable`."""
    session = db.session()
    before = actor_of(session)
    act_as(session, SYSTEM)
    found = {}
    for name, check in CHECKS.items():
        try:
            found[name] = check()
        except SQLAlchemyError as fault:
            log.warning("health of %s: %s", name, fault)
            found[name] = "unreachable"
    act_as(session, before)
    space = shutil.disk_usage(config.home())
    warnings = {"disk": f"{100 * space.used // space.total}%"} if space.used / space.total >= NEARLY_FULL else {}
    return Health(found, warnings)


def stands_still(app: Flask) -> bool:
    """Whether the work in the background stands still; looked at again after a while, not on every page."""
    known = app.extensions.get("kaoji_still")
    if known is None or time.monotonic() - known[0] > LOOK_EVERY:
        known = (time.monotonic(), heartbeats.stands_still(signs_beside()))
        app.extensions["kaoji_still"] = known
    return bool(known[1])


def signs_beside() -> list[Sign]:
    """The signs of life, read in the transaction of a page."""
    return heartbeats.signs(db.session(), now=sessions.now(), silent_after=silent_after())
