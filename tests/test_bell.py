"""The bell: whatever the broker does, nobody waits for it, and nothing that was asked for is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from kombu import Connection
from sqlalchemy import select

from app import bell, health
from app.extensions import db
from app.models import RunLedger
from tests.servers import Broker, broker

SignIn = Callable[[str], FlaskClient]
AT_ONCE = 3 * 1.0  # three times the second that is promised


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def with_broker(app: Flask, own: Broker) -> Flask:
    app.config["CELERY"] = {**app.config["CELERY"], "broker_url": own.url}
    return app


def rings_in(own: Broker) -> int:
    with Connection(own.url) as connection:
        return int(connection.channel().client.llen("celery"))


def settle(client: FlaskClient) -> float:
    started = time.monotonic()
    assert client.post("/scores/settle", data={"period": "2026-03"}).status_code == 302
    return time.monotonic() - started


def test_a_ring_is_heard_and_those_that_came_meanwhile_are_one(with_broker: Flask, own: Broker) -> None:
    for _ in range(20):
        with_broker.extensions["bell"].ring(with_broker)
    assert with_broker.extensions["bell"].wait(10)

    assert 1 <= rings_in(own) <= 20
    assert bell.answers(with_broker)


@pytest.mark.parametrize("broken", ["never there", "hangs", "killed", "takes connections only"])
def test_a_post_is_answered_and_its_work_is_kept(
    app: Flask, sample: object, sign_in: SignIn, tmp_path: Path, broken: str
) -> None:
    client = sign_in("assessment_office")
    with broker(tmp_path / "broker") as own, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = own.url if broken != "takes connections only" else f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        app.config["CELERY"] = {**app.config["CELERY"], "broker_url": url}
        if broken == "never there":
            app.config["CELERY"] = {**app.config["CELERY"], "broker_url": "redis://127.0.0.1:9/0"}
        elif broken == "killed":
            own.process.kill()
            own.process.wait()
        elif broken == "hangs":
            with own.hanging():
                took = [settle(client) for _ in range(8)]
                started = time.monotonic()
                assert not bell.answers(app)
                assert time.monotonic() - started < 3 * AT_ONCE
                assert app.extensions["bell"].wait(30)
        if broken != "hangs":
            took = [settle(client) for _ in range(8)]
            assert app.extensions["bell"].wait(30)

    assert max(took) < AT_ONCE
    assert db.session.scalar(select(RunLedger.period).where(RunLedger.job == "settle")) == "2026-03"


def test_readiness_is_said_while_the_broker_hangs(with_broker: Flask, own: Broker) -> None:
    with own.hanging():
        started = time.monotonic()
        answer = with_broker.test_client().get("/health/ready")
        took = time.monotonic() - started

    assert took < 5 * AT_ONCE
    assert answer.get_json()["checks"]["broker"] == "unreachable"
    assert with_broker.test_client().get("/health/ready").get_json()["checks"]["broker"] == health.OK
