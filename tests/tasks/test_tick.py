"""The doorbell: a task acts as the system, in a context of its own; two rings at once come to one run a period."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

import config
from app import running, tasks
from app.extensions import db, transaction
from app.models import Bureau, RunLedger, ScheduleRule
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.security import sessions
from app.security.scope import ACTOR, act_as
from app.services.jobs import runs
from tests.conftest import SMALL

RING = """
import sys
from app import create_app, running
from app.extensions import db
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as
app = create_app({"SQLALCHEMY_DATABASE_URI": sys.argv[1]})
with app.test_request_context():
    act_as(db.session(), SYSTEM)
    db.session.connection()
    print("ready", flush=True)
    sys.stdin.readline()
    print(running.ring(now=sessions.now()), flush=True)
"""


def test_a_task_acts_as_the_system(app: Flask) -> None:
    seen = []
    celery = app.extensions["celery"]

    @celery.task(name="look")
    def look() -> None:
        seen.append(db.session().info[ACTOR])

    look()

    assert seen == [SYSTEM]
    assert {"tick", "carry_out"} <= set(celery.tasks)


def test_beat_has_one_entry_and_messages_hold_plain_json(app: Flask) -> None:
    settings = app.extensions["celery"].conf

    assert list(settings.beat_schedule) == ["tick"]
    assert settings.accept_content == ["json"]
    assert settings.task_acks_late


def test_the_bell_hands_out_ids_only(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[tuple[object, ...]] = []
    monkeypatch.setattr(running, "ring", lambda **_: [7, 9])
    monkeypatch.setattr(tasks.carry_out, "delay", lambda *args: handed.append(args))

    posted: list[dict[str, object]] = []
    monkeypatch.setattr(tasks.sending, "is_due", lambda: True)
    monkeypatch.setattr(tasks.post, "apply_async", lambda **facts: posted.append(facts))

    tasks.tick()

    assert handed == [(7,), (9,)]
    assert posted == [{"expires": tasks.FIRST_RING}]


def test_a_task_is_one_call(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(running, "carry_out", done.append)

    tasks.carry_out(5)

    assert done == [5]


def test_two_rings_at_once_raise_each_missed_month_end_once(
    any_app: Flask, home: Path, load: Callable[..., object]
) -> None:
    load(SMALL)
    with transaction() as work:
        for rule in work.scalars(select(ScheduleRule)):
            if rule.job == runs.MONTH_END:
                rule.next_period = str(Period.month_of(sessions.today()).shifted(-3))
            elif len(rule.next_period) == 10:
                rule.next_period = (sessions.today() - timedelta(days=50)).isoformat()
    db.session.remove()
    address = any_app.config["SQLALCHEMY_DATABASE_URI"]
    bells = [
        subprocess.Popen(
            [sys.executable, "-c", RING, address], cwd=config.PROJECT, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "KAOJI_HOME": str(home)},
        )
        for _ in range(3)
    ]  # fmt: skip
    for bell in bells:
        assert bell.stdout is not None
        assert bell.stdout.readline() == "ready\n"
    answers = [bell.communicate("now\n", timeout=60)[0] for bell in bells]

    assert all(bell.returncode == 0 for bell in bells)
    handed = [number for answer in answers for number in json.loads(answer)]
    act_as(db.session(), SYSTEM)
    rows = db.session.execute(
        select(RunLedger.job, RunLedger.period, func.count(RunLedger.id)).group_by(RunLedger.job, RunLedger.period)
    ).all()
    assert all(count == 1 for _, _, count in rows)
    months = sorted(period for job, period, _ in rows if job == runs.MONTH_END)
    assert months == [str(Period.month_of(sessions.today()).shifted(back)) for back in (-3, -2, -1)]
    assert len([job for job, _, _ in rows if job == runs.NIGHTLY]) == 1
    assert sorted(handed) == sorted(set(handed)), "each run was handed out once"
    assert len(handed) == len(rows)
    assert db.session.scalar(select(func.count(Bureau.id))) == 1
