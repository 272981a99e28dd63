"""The lease of a run in hand: a thread renews it while the run computes; the clock and the name it is held under."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from flask import Flask, current_app
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.extensions import db, transaction
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as
from app.services.jobs import runs
from app.services.jobs.heartbeats import Clock
from app.services.jobs.runs import Claim

log = logging.getLogger(__name__)
SAY_EVERY = 1.0


class Lease:
    """Holds a claim while its run computes: a thread renews it and writes the progress down."""

    def __init__(self, app: Flask, claim: Claim, length: timedelta) -> None:
        self.app, self.claim, self.length = app, claim, length
        self.steps = (0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def report(self, done: int, of: int) -> None:
        """Remember how far the run is; the thread writes it."""
        self.steps = (done, of)

    def _keep(self) -> None:
        renewed, said = time.monotonic(), (0, 0)
        while not self._over.wait(SAY_EVERY):
            is_due = time.monotonic() - renewed >= self.length.total_seconds() / 3
            if not is_due and self.steps == said:
                continue
            renewed, said = time.monotonic(), self.steps
            with self.app.app_context():
                try:
                    act_as(db.session(), SYSTEM)
                    with transaction() as work:
                        runs.renew(work, self.claim, lease=self.length, steps=said, now=sessions.now())
                except OperationalError as fault:
                    # The next round tries again; if none succeeds the lease runs out, and the fence decides.
                    log.warning("run %s: the lease could not be renewed: %s", self.claim.run_id, fault.orig)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def end(self) -> None:
        """Stop renewing: the transaction of the effects comes next, and it holds the row itself."""
        self._over.set()
        self._thread.join()

    def __exit__(self, *_rest: object) -> None:
        self.end()


def worker_name() -> str:
    """This process, as the log of a run names it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def clock_of_machine() -> Clock | None:
    """The clock of this machine against its time since boot; None where the system does not say."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not hasattr(time, "CLOCK_BOOTTIME") or not boot.exists():
        return None
    ahead = int(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))
    return Clock(socket.gethostname(), boot.read_text().strip(), ahead)


def silent_after() -> timedelta:
    """After how long without a sign of life something counts as silent."""
    return max(timedelta(seconds=10), 3 * current_app.config["TICK_EVERY"])


def database_clock(session: Session) -> datetime | None:
    """What a database with a clock of its own shows; SQLite has the clock of this machine."""
    if session.connection().dialect.name != "postgresql":
        return None
    return session.connection().execute(select(func.clock_timestamp())).scalar_one()


@contextmanager
def holding(claim: Claim, length: timedelta) -> Iterator[Lease]:
    app: Any = current_app
    with Lease(app._get_current_object(), claim, length) as lease:
        yield lease
