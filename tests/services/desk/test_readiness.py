"""The readiness board: what is missing, whom it waits for, and urging."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bureau, ExternalResult, Notification, Subject, Target
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.services.desk import readiness
from app.services.messages import notices
from app.services.scoring import settlement
from tests.conftest import NOW, SMALL
from tests.services.publication.test_bulletin import actor

MARCH = Period(2026, 3, 1)
TODAY = date(2026, 4, 1)


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(SMALL)
    return db.session.scalars(select(Bureau)).one()


def board(bureau: Bureau) -> readiness.Readiness:
    return readiness.readiness(db.session(), bureau, MARCH, on=TODAY)


def row_of(found: readiness.Readiness, code: str) -> readiness.UnitRow:
    return next(row for row in found.rows if row.code == code)


def drop_target(code: str) -> None:
    with transaction() as work:
        subject = work.scalars(select(Subject).where(Subject.code == code)).one()
        target = select(Target).where(Target.period == "2026-03", Target.subject_id == subject.id)
        work.delete(work.scalars(target).one())


def test_a_bureau_with_everything_is_ready(bureau: Bureau) -> None:
    found = board(bureau)

    assert found.ready == len(found.rows) == 9
    assert found.people == {}


def test_a_missing_target_waits_for_the_department_that_assesses_the_line(bureau: Bureau) -> None:
    drop_target("B2")

    row = row_of(board(bureau), "B2")

    assert {check: len(found) for check, found in row.missing.items()} == {"targets": 1}
    assert set(row.waits_for.values()) == {"裘文"}
    assert board(bureau).ready == 8


def test_a_named_error_is_shown_after_the_settlement(bureau: Bureau) -> None:
    drop_target("B2")
    with transaction() as work:
        settlement.settle_period(work, bureau, MARCH, on=TODAY, actor=SYSTEM, now=NOW)

    assert set(row_of(board(bureau), "B2").missing) == {"targets", "errors"}


def test_a_result_that_was_there_for_the_month_before_is_missed(bureau: Bureau) -> None:
    with transaction() as work:
        subject = work.scalars(select(Subject).where(Subject.code == "B1")).one()
        facts = {"bureau_id": bureau.id, "subject_id": subject.id, "indicator_code": "", "issuer": "city"}
        work.add(ExternalResult(period="2026-02", score=Decimal(90), **facts))
    row = row_of(board(bureau), "B1")
    assert set(row.missing) == {"externals"}
    assert len(row.waits_for) == 2, "nobody assesses the total: it waits for the office"

    with transaction() as work:
        work.add(ExternalResult(period="2026-03", score=Decimal(91), **facts))
    assert board(bureau).ready == 9


def urge(bureau: Bureau, unit: str | None = None, who: str = "zhouyaqin") -> int:
    with transaction() as work:
        count = readiness.urge(work, work.get_one(Bureau, bureau.id), MARCH, unit=unit, actor=actor(who), now=NOW)
        notices.deliver(work, now=NOW)
        return count


def test_urging_tells_each_once_a_day(bureau: Bureau) -> None:
    with pytest.raises(RuleViolation):
        urge(bureau)
    drop_target("B2")
    drop_target("B3")

    assert urge(bureau) == 1
    assert urge(bureau, "B2") == 1

    told = db.session.scalars(select(Notification).where(Notification.category == "closing")).all()
    assert len(told) == 2  # one person, two units
    with pytest.raises(NotPermitted):
        urge(bureau, who="fuweidong")
    with pytest.raises(RuleViolation):
        urge(bureau, "B1")
