"""Celery: the broker is a doorbell, the database the truth. A task's only argument is a row's id."""

from __future__ import annotations

import logging
import socket

from celery import Celery, Task, shared_task
from celery.signals import beat_init, worker_process_init, worker_ready, worker_shutting_down
from flask import Flask
from kombu.exceptions import OperationalError as BrokerError

from app import running, sending
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

    def forget_connections(**_: object) -> None:
        with app.app_context():
            db.engine.dispose(close=False)

    worker_process_init.connect(forget_connections, weak=False)
    pulse, bell = Pulse(app, "worker"), Pulse(app, "beat")
    worker_ready.connect(lambda sender, **_: pulse.start(sender.hostname), weak=False)
    worker_shutting_down.connect(lambda **_: pulse.end(), weak=False)
    beat_init.connect(lambda **_: bell.start(f"beat@{socket.gethostname()}"), weak=False)
    return celery


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
