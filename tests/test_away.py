"""What people see when the database hangs, is locked, or is away: an answer, soon, and the right one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

import config
from app import extensions
from app.extensions import db, transaction
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.accounts import sessions
from app.services.sample import bureau as sample_bureau
from tests.conftest import FAST_HASH, NOW, SMALL, let_go, make_app
from tests.servers import Server, postgresql

PROMISED = 10.0
SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def own_server() -> Iterator[Server]:
    with postgresql() as server:
        yield server


@pytest.fixture
def far(own_server: Server, tmp_path: Path) -> Iterator[tuple[Flask, FlaskClient]]:
    """The portal over a PostgreSQL of its own, as pages have it; and somebody of the office who is signed in."""
    from tests.conftest import initialise

    url = own_server.create("away")
    initialise(tmp_path, url)
    app = make_app(tmp_path, SQLALCHEMY_DATABASE_URI=url, DATABASE_PATIENCE=config.PAGE_PATIENCE)
    with app.app_context():
        act_as(db.session(), SYSTEM)
        with transaction() as work:
            printed = sample_bureau.load_bureau(work, SMALL, hash_method=FAST_HASH, now=NOW)
        db.session.remove()
        client = app.test_client()
        username, _, password = next(row for row in printed if row[1] == "assessment_office")
        assert client.post("/login/", data={"username": username, "password": password}).status_code == 302
        client.token()
        yield app, client
        let_go(app)


@pytest.mark.postgresql
def test_a_database_that_hangs_is_said_in_time(own_server: Server, far: tuple[Flask, FlaskClient]) -> None:
    _, client = far
    assert client.get("/unitview/list/").status_code == 200

    with own_server.frozen():
        for address, status in (("/unitview/list/", 503), ("/", 503), ("/health/live", 200)):
            started = time.monotonic()
            answer = client.get(address)
            took = time.monotonic() - started
            assert answer.status_code == status, address
            assert took < 3 * PROMISED, (address, took)
            if status == 503:
                assert "请稍后再试" in answer.get_data(as_text=True)

    assert client.get("/unitview/list/").status_code == 200, "the next one is as before"


@pytest.mark.postgresql
def test_a_database_that_is_away_is_said_to_who_is_signed_in(tmp_path: Path) -> None:
    from tests.conftest import initialise

    with postgresql() as server:
        url = server.create("away")
        initialise(tmp_path, url)
        app = make_app(tmp_path, SQLALCHEMY_DATABASE_URI=url, DATABASE_PATIENCE=config.PAGE_PATIENCE)
        with app.app_context():
            client = app.test_client()
            client.token()
            with client.session_transaction() as cookie:
                cookie["token"], cookie["_user_id"] = "x" * 43, "1"
            assert client.get("/login/").status_code == 200
    with app.app_context():
        for address, status in (("/", 503), ("/unitview/list/", 503), ("/health/live", 200), ("/health/ready", 503)):
            answer = client.get(address)
            assert answer.status_code == status, address
        assert client.get("/health/ready").get_json()["checks"]["database"] == "unreachable"
        assert "请稍后再试" in client.get("/").get_data(as_text=True)
        let_go(app)


@pytest.fixture
def locked(home: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    held = []

    def lock() -> sqlite3.Connection:
        connection = sqlite3.connect(home / "kaoji.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        held.append(connection)
        return connection

    yield lock
    for connection in held:
        connection.close()


def test_reading_goes_on_while_somebody_writes_for_long(
    app: Flask,
    sample: object,
    sign_in: SignIn,
    locked: Callable[[], sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stamp of the session and the record of a refusal fail; the page and the refusal do not."""
    client, staff = sign_in("assessment_office"), sign_in("staff")
    staff.token()
    monkeypatch.setattr(extensions, "ASIDE_TIMEOUT_MS", 50)
    monkeypatch.setattr(sessions, "STAMP_EVERY", NOW - NOW)
    locked()

    started = time.monotonic()
    assert client.get("/unitview/list/").status_code == 200
    refused = staff.post("/scores/settle", data={"period": "2026-03"})
    assert refused.status_code == 403
    assert "没有权限" in refused.get_data(as_text=True) or "无权" in refused.get_data(as_text=True)
    assert time.monotonic() - started < 3 * PROMISED
    assert client.get("/health/ready").get_json()["checks"]["writing"] == "blocked"


def test_a_full_disk_is_named(app: Flask, sample: object, sign_in: SignIn, home: Path) -> None:
    client = sign_in("assessment_office")
    client.token()
    with closing(sqlite3.connect(home / "kaoji.db")) as database:
        pages = database.execute("PRAGMA page_count").fetchone()[0]

    def no_more(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    db.engine.dispose()
    event.listen(db.engine, "connect", no_more)
    try:
        answers = [
            client.post(
                "/unitview/add",
                data={
                    "code": f"9{number}",
                    "name": "长" * 150,
                    "kind": "department",
                    "position": "9",
                    "group_name": "机关",
                },
            )
            for number in range(60)
        ]
        assert {it.status_code for it in answers} <= {302, 503}, {it.status_code for it in answers}
        said = next(it for it in answers if it.status_code == 503)
        assert "磁盘已满" in said.get_data(as_text=True)
        assert client.get("/unitview/list/").status_code == 200, "reading goes on"
    finally:
        event.remove(db.engine, "connect", no_more)
