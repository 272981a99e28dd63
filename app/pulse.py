"""The pulse of beat and workers: while the main process lives, a thread of it writes that it does."""

from __future__ import annotations

import logging
import threading
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import config
from app.extensions import transaction
from app.security import sessions
from app.services.jobs import heartbeats

log = logging.getLogger(__name__)


class Pulse:
    """Signs of life of one process, on a connection that is opened for each: the children of a worker inherit none."""

    def __init__(self, app: Flask, kind: str) -> None:
        self._app, self._kind = app, kind
        self._over = threading.Event()
        self._name = ""

    def start(self, name: str) -> None:
        self._name = name
        threading.Thread(target=self._keep, name="pulse", daemon=True).start()

    def _keep(self) -> None:
        is_new = True
        while True:
            self._write(is_new=is_new)
            is_new = False
            if self._over.wait(self._app.config["TICK_EVERY"].total_seconds()):
                return

    def _write(self, *, is_new: bool) -> None:
        engine = self._engine()
        try:
            with Session(engine) as session, transaction(session):
                heartbeats.beat(session, self._name, self._kind, now=sessions.now(), is_new=is_new)
        except SQLAlchemyError as fault:
            # The next beat tries again; who looks sees how old the newest one is.
            log.warning("the pulse could not be written: %s", fault)

    def _engine(self) -> sa.Engine:
        """A connection that is opened for one sign and waits as long as a page would."""
        url = str(self._app.config["SQLALCHEMY_DATABASE_URI"])
        arguments: Any = config.engine_options(url, config.PAGE_PATIENCE).get("connect_args", {})
        return sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=arguments)

    def end(self) -> None:
        """The process stops in order: nobody is to miss it."""
        self._over.set()
        engine = self._engine()
        try:
            with Session(engine) as session, transaction(session):
                heartbeats.leave(session, self._name)
        except SQLAlchemyError as fault:
            log.warning("%s could not sign off: %s", self._name, fault)
