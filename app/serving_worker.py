"""A worker of gunicorn that gives the head of a request ten seconds: a line that never ends holds no thread for ever.

Strangers with many connections can still keep the threads busy for as long; where they reach the portal, nginx in
front is what holds (docs/operations.md).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

HEAD_SECONDS = 10.0


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class HeaderClock(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads, with a clock over the head of each request."""

    def handle(self, conn: Any) -> Any:
        conn.clock = threading.Timer(HEAD_SECONDS, _hang_up, [conn.sock])
        conn.clock.daemon = True
        conn.clock.start()
        try:
            return super().handle(conn)
        finally:
            conn.clock.cancel()

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.clock.cancel()
        return super().handle_request(req, conn)
