"""The doorbell: a task acts as the system, in an application context of its own, over a real broker."""

from __future__ import annotations

from flask import Flask

from app.extensions import db
from app.policies.actor import SYSTEM
from app.security.scope import ACTOR


def test_a_task_acts_as_the_system(app: Flask) -> None:
    seen = []
    celery = app.extensions["celery"]

    @celery.task(name="look")
    def look() -> None:
        seen.append(db.session().info[ACTOR])

    look()

    assert seen == [SYSTEM]
    assert "tick" in celery.tasks


def test_beat_has_one_entry_and_messages_hold_plain_json(app: Flask) -> None:
    settings = app.extensions["celery"].conf

    assert list(settings.beat_schedule) == ["tick"]
    assert settings.accept_content == ["json"]
    assert settings.task_acks_late
