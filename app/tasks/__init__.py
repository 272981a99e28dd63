"""Celery: the broker is a doorbell, the database the truth. A task's only argument is a row's id."""

from __future__ import annotations

import logging

from celery import Celery, Task, shared_task
from celery.signals import worker_process_init
from flask import Flask

from app.extensions import db
from app.policies.actor import SYSTEM

log = logging.getLogger(__name__)


def install(app: Flask) -> Celery:
    """Make the Celery application; every task runs in an app context and acts as the system."""

    class HouseTask(Task):  # type: ignore[misc]
        def __call__(self, *args: object, **kwargs: object) -> object:
            from app.security.scope import act_as

            with app.app_context():
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
    return celery


@shared_task(name="tick")  # type: ignore[untyped-decorator]
def tick() -> None:
    """The doorbell beat rings every half minute; what is due will be read from the database."""
    log.debug("tick")
