"""Slow and large bodies: a stranger's are read small, against the clock, and by few at a time."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from app.security import bodies


class Quiet(WSGIRequestHandler):
    pass


@pytest.fixture
def served(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The application behind real sockets, as gunicorn hands them over."""
    monkeypatch.setattr(bodies, "STRANGER_SECONDS", 1.0)
    connections: dict[int, socket.socket] = {}

    def with_socket(environ: dict[str, Any], start: Any) -> Any:
        environ["gunicorn.socket"] = connections.get(threading.get_ident()) or environ.get("werkzeug.socket")
        return app.wsgi_app(environ, start)

    server = make_server("127.0.0.1", 0, with_socket, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join(10)
    server.server_close()


def slow(port: int, length: int = 500) -> socket.socket:
    """A connection that says it will bring a form and brings a byte."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\nu"
    connection.sendall(head.encode())
    return connection


def answer_of(connection: socket.socket) -> str:
    with connection:
        return connection.recv(200).decode(errors="replace").split("\r\n")[0]


def test_fifty_slow_strangers_stop_nobody(served: int) -> None:
    strangers = [slow(served) for _ in range(50)]
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", served), timeout=30) as other:
        other.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert b"200" in other.recv(100)
    assert time.monotonic() - started < 3.0

    said = [answer_of(connection) for connection in strangers]
    assert sum("503" in it for it in said) >= 40, said
    assert all("503" in it or "408" in it for it in said), said


def test_a_strangers_body_is_small(app: Flask) -> None:
    client = app.test_client()
    client.sends_tokens = False  # type: ignore[attr-defined]

    assert client.post("/login/", data={"username": "x" * 70_000}).status_code == 413
    assert client.post("/import/upload", data={"file": (io.BytesIO(b"x" * 100_000), "a.xlsx")}).status_code == 413


def test_who_is_signed_in_may_bring_a_file(app: Flask, sign_in: Any) -> None:
    client: FlaskClient = sign_in("assessment_office")
    answer = client.post("/import/upload", data={"file": (io.BytesIO(b"x" * 200_000), "a.xlsx")})

    assert answer.status_code == 302
