"""The doorbell from this side: ringing it, and asking whether the broker answers. Nobody ever waits for it.

The broker may be away, or hang with its port open; both are bounded, and a request does not wait at all: the
bell is rung by a thread beside it, one ring at a time however many ask. What is to be done stands in the
database, so a ring that is lost costs half a minute and nothing else.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from flask import Flask
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerError

log = logging.getLogger(__name__)
# Seconds; how long the broker may take to take a connection, and to answer a command.
PATIENCE = 1.0
TOO_OLD = 25  # seconds after which a ring that nobody heard is worth nothing


def _connection(app: Flask) -> Connection:
    settings = app.config["CELERY"]
    options = {
        **settings["broker_transport_options"],
        "socket_connect_timeout": PATIENCE,
        "socket_timeout": PATIENCE,
        "max_retries": 0,
    }
    return Connection(settings["broker_url"], connect_timeout=PATIENCE, transport_options=options)


def answers(app: Flask) -> bool:
    """Whether the broker takes a connection and speaks, within about a second."""
    try:
        with _connection(app) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE)
    except (BrokerError, OSError):
        return False
    return True


class Bell:
    """Rings for one application. Whoever asks while it rings is answered by one more ring after it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_ringing = self._is_asked = False
        self._thread: threading.Thread | None = None

    def ring(self, app: Flask) -> None:
        """Ask for a ring; comes back at once."""
        with self._guard:
            self._is_asked = True
            if self._is_ringing:
                return
            self._is_ringing = True
            self._thread = threading.Thread(target=self._work, args=(app,), name="bell", daemon=True)
            self._thread.start()

    def _work(self, app: Flask) -> None:
        while True:
            with self._guard:
                if not self._is_asked:
                    self._is_ringing = False
                    return
                self._is_asked = False
            self._send(app.extensions["celery"], app)

    @staticmethod
    def _send(celery: Any, app: Flask) -> None:
        try:
            with _connection(app) as connection:
                celery.send_task("tick", connection=connection, retry=False, expires=TOO_OLD)
        except (BrokerError, OSError) as fault:
            log.warning("the bell could not be rung: %s", fault)

    def wait(self, seconds: float) -> bool:
        """Wait for the ring under way, if any; whether it is over."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()
