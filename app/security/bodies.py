"""What a request may carry, and how long it may take to arrive: slow or endless bodies hold no thread for long.

Whoever is not signed in sends a form of a few hundred bytes. So its body is read whole before the portal is asked,
small, against the clock, and by few at a time; everybody else waits in no queue of strangers. A buffering proxy in
front does the same for production (docs/operations.md); this holds without one. Source: rights and trust demand RE-08.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout, ServiceUnavailable
from werkzeug.wrappers import Request
from werkzeug.wsgi import ClosingIterator

MOST_OF_A_STRANGER = 64 * 1024
STRANGER_SECONDS = 5.0
STRANGERS_AT_ONCE = 2
SLOWEST = 50_000  # bytes a second; below that an upload does not come to an end


def _hang_up(environ: dict[str, Any]) -> None:
    """Read no more of a connection: who waits for the rest of a body is answered at once, and nobody drains it."""
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


def _clock(environ: dict[str, Any], seconds: float) -> threading.Timer:
    """Hang up after a while: a time-out of the socket would begin anew with every byte that trickles in."""
    timer = threading.Timer(seconds, _hang_up, [environ])
    timer.daemon = True
    timer.start()
    return timer


def _length(environ: dict[str, Any]) -> int | None:
    """How many bytes the request says it brings; None where it does not say."""
    said = environ.get("CONTENT_LENGTH") or ""
    if said.isascii() and said.isdigit():
        return int(said[:12])
    return None if environ.get("HTTP_TRANSFER_ENCODING") else 0


class Bounded:
    """The portal behind its bounds."""

    def __init__(self, portal: Any, app: Flask) -> None:
        self._portal, self._app = portal, app
        self._strangers = threading.BoundedSemaphore(STRANGERS_AT_ONCE)

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        length = _length(environ)
        if length == 0:
            return self._portal(environ, start)
        if self._is_signed_in(environ):
            timer = _clock(environ, 10.0 + (length or self._app.config["MAX_CONTENT_LENGTH"]) / SLOWEST)
            return ClosingIterator(self._portal(environ, start), timer.cancel)
        try:
            environ["wsgi.input"] = io.BytesIO(self._read_of_a_stranger(environ, length))
        except HTTPException as refusal:
            _hang_up(environ)
            answer = refusal.get_response(environ)
            if isinstance(refusal, ServiceUnavailable):
                answer.headers["Retry-After"] = "5"
            return answer(environ, start)
        return self._portal(environ, start)

    def _read_of_a_stranger(self, environ: dict[str, Any], length: int | None) -> bytes:
        if length is not None and length > MOST_OF_A_STRANGER:
            raise RequestEntityTooLarge
        with self._place():
            most = MOST_OF_A_STRANGER + 1 if length is None else length
            until, timer = time.monotonic() + STRANGER_SECONDS, _clock(environ, STRANGER_SECONDS)
            try:
                found: bytes = environ["wsgi.input"].read(most)
            except OSError:
                found = b""
            finally:
                timer.cancel()
        if time.monotonic() >= until or (length is not None and len(found) < length):
            raise RequestTimeout
        if len(found) > MOST_OF_A_STRANGER:
            raise RequestEntityTooLarge
        return found

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if not self._strangers.acquire(blocking=False):
            raise ServiceUnavailable
        try:
            yield
        finally:
            self._strangers.release()

    def _is_signed_in(self, environ: dict[str, Any]) -> bool:
        """Whether the request brings a cookie that was signed here for a session; whether that lives is asked later."""
        session = self._app.session_interface.open_session(self._app, Request(environ))  # type: ignore[arg-type]
        return session is not None and "token" in session
