"""Celery: the broker is a doorbell, the database the truth. A task's only argument is a row's id."""

from __future__ import annotations

import logging
import socket
from typing import Any

from celery import Celery, Task, shared_task
from celery.signals import beat_init, worker_process_init, worker_ready, worker_shutting_down
from flask import Flask
from kombu.exceptions import OperationalError as BrokerError

from app import bell, running, sending
from app.extensions import db
from app.policies.actor import SYSTEM
from app.pulse import Pulse
from app.security import sessions
from app.security.scope import act_as

log = logging.getLogger(__name__)
FIRST_RING = 25  # seconds after which the first ring is too old to be worth anything


def install(app: Flask) -> Celery:
    """Make the Celery application; every task runs in a context of its own and acts as the system."""

    class HouseTask(Task):  # type: ignore[misc]
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.test_request_context():
                act_as(db.session(), SYSTEM)
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=HouseTask)
    celery.config_from_object(app.config["CELERY"])
    celery.set_default()
    app.extensions["celery"] = celery

    app.extensions["bell"] = bell.Bell()
    app.extensions["celery_hooks"] = Hooks(app)
    return celery


class Hooks:
    """What an application does when Celery's processes come and go. Held by the application alone, and goes with it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._worker, self._beat = Pulse(app, "worker"), Pulse(app, "beat")
        worker_process_init.connect(self.forget_connections)
        worker_ready.connect(self.worker_begins)
        worker_shutting_down.connect(self.worker_ends)
        beat_init.connect(self.beat_begins)

    def forget_connections(self, **_: object) -> None:
        """A child of a worker inherits no connection."""
        with self._app.app_context():
            db.engine.dispose(close=False)

    def worker_begins(self, sender: Any, **_: object) -> None:
        self._worker.start(sender.hostname)

    def worker_ends(self, **_: object) -> None:
        self._worker.end()

    def beat_begins(self, **_: object) -> None:
        self._beat.start(f"beat@{socket.gethostname()}")


@worker_ready.connect  # type: ignore[untyped-decorator]
def catch_up(**_: object) -> None:
    """A worker that has just started does not wait for the bell."""
    tick.delay()


@beat_init.connect  # type: ignore[untyped-decorator]
def ring_first(**_: object) -> None:
    """The bell rings when it starts, not an interval later; without a broker it rings with the first interval."""
    try:
        tick.apply_async(expires=FIRST_RING, retry=False)
    except (BrokerError, OSError) as fault:
        log.warning("the first ring found no broker: %s", fault)


@shared_task(name="tick")  # type: ignore[untyped-decorator]
def tick() -> None:
    """The doorbell: what is due is read from the database and handed out."""
    for run_id in running.ring(now=sessions.now()):
        carry_out.delay(run_id)
    if sending.is_due():
        post.apply_async(expires=FIRST_RING)


@shared_task(name="carry_out")  # type: ignore[untyped-decorator]
def carry_out(run_id: int) -> None:
    """Do one run of the ledger."""
    running.carry_out(run_id)


@shared_task(name="post")  # type: ignore[untyped-decorator]
def post() -> None:
    """Send what waits in the outbox, for a while."""
    sending.post()
