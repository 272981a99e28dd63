"""What a request may carry, and how long it may take to arrive: slow or endless bodies hold no thread for long.

Whoever is not signed in sends a form of a few hundred bytes. So its body is read whole before the portal is asked,
small, against the clock, and by few at a time; everybody else waits in no queue of strangers. A buffering proxy in
front does the same for production (docs/operations.md); this holds without one. Source: rights and trust demand RE-08.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout, ServiceUnavailable
from werkzeug.wrappers import Request

MOST_OF_A_STRANGER = 64 * 1024
STRANGER_SECONDS = 5.0
STRANGERS_AT_ONCE = 2
SLOWEST = 50_000  # bytes a second; below that an upload does not come to an end
PIECE = 64 * 1024


class AgainstTheClock(io.RawIOBase):
    """The input of a request that must have arrived by a deadline."""

    def __init__(self, source: Any, connection: socket.socket | None, seconds: float) -> None:
        super().__init__()
        self._source, self._connection = source, connection
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = self._bounded(lambda: self._source.read(min(len(buffer), PIECE)))
        buffer[: len(got)] = got
        return len(got)

    def _bounded(self, read: Callable[[], bytes]) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise RequestTimeout
        if self._connection is None:
            return read()
        before = self._connection.gettimeout()
        self._connection.settimeout(left)
        try:
            return read()
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self._connection.settimeout(before)


def _length(environ: dict[str, Any]) -> int | None:
    """How many bytes the request says it brings; None where it does not say."""
    said = environ.get("CONTENT_LENGTH") or ""
    if said.isascii() and said.isdigit():
        return int(said[:12])
    return None if environ.get("HTTP_TRANSFER_ENCODING") else 0


def _hang_up_after(start: Any) -> None:
    """Have gunicorn close the connection with the answer: it would wait five seconds for the rest of the body."""
    response = getattr(start, "__self__", None)
    if hasattr(response, "force_close"):
        response.force_close()


class Bounded:
    """The portal behind its bounds."""

    def __init__(self, portal: Any, app: Flask) -> None:
        self._portal, self._app = portal, app
        self._strangers = threading.BoundedSemaphore(STRANGERS_AT_ONCE)

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        length = _length(environ)
        if length == 0:
            return self._portal(environ, start)
        try:
            if self._is_signed_in(environ):
                seconds = 10.0 + (length or self._app.config["MAX_CONTENT_LENGTH"]) / SLOWEST
                environ["wsgi.input"] = io.BufferedReader(self._clocked(environ, seconds), PIECE)
            else:
                environ["wsgi.input"] = io.BytesIO(self._read_of_a_stranger(environ, length))
        except HTTPException as refusal:
            answer = refusal.get_response(environ)
            if isinstance(refusal, ServiceUnavailable):
                answer.headers["Retry-After"] = "5"
            _hang_up_after(start)
            return answer(environ, start)
        return self._portal(environ, start)

    @staticmethod
    def _clocked(environ: dict[str, Any], seconds: float) -> AgainstTheClock:
        return AgainstTheClock(environ["wsgi.input"], environ.get("gunicorn.socket"), seconds)

    def _read_of_a_stranger(self, environ: dict[str, Any], length: int | None) -> bytes:
        if length is not None and length > MOST_OF_A_STRANGER:
            raise RequestEntityTooLarge
        if not self._strangers.acquire(blocking=False):
            raise ServiceUnavailable
        try:
            source = self._clocked(environ, STRANGER_SECONDS)
            most = MOST_OF_A_STRANGER + 1 if length is None else length
            found = io.BufferedReader(source, PIECE).read(most) or b""
        finally:
            self._strangers.release()
        if len(found) > MOST_OF_A_STRANGER:
            raise RequestEntityTooLarge
        return found

    def _is_signed_in(self, environ: dict[str, Any]) -> bool:
        """Whether the request brings a cookie that was signed here for a session; whether that lives is asked later."""
        session = self._app.session_interface.open_session(self._app, Request(environ))  # type: ignore[arg-type]
        return session is not None and "token" in session
