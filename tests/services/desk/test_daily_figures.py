"""The figures of a day: counted at its end, or later as they were; in the scope of who looks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import running
from app.extensions import db, transaction
from app.models import Bureau, DailyFigure, ScheduleRule
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as
from app.services.desk.daily_figures import days_of, record_day
from app.services.supervision import office
from app.services.supervision import work as supervision_work
from tests.supervised import HEAD, OFFICE, STRANGER, actor, do, supervised_rows, under_way

MONDAY, DUE = date(2026, 11, 2), date(2026, 11, 10)


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(supervised_rows())
    return db.session.scalars(select(Bureau)).one()


def figures(bureau_id: int, day: date) -> dict[str, int]:
    with transaction() as work:
        record_day(work, bureau_id, day)
    query = select(DailyFigure.measure, func.sum(DailyFigure.value)).where(DailyFigure.day == day)
    return {measure: int(value) for measure, value in db.session.execute(query.group_by(DailyFigure.measure))}


def test_a_day_that_was_missed_is_counted_as_it_was(bureau: Bureau) -> None:
    closed = under_way(MONDAY, stages=[], due=DUE.isoformat())
    cancelled = under_way(MONDAY, stages=[], due=DUE.isoformat())
    do(office.cancel_task, cancelled, OFFICE, date(2026, 11, 20), reason="不再需要")
    do(supervision_work.complete_task, closed, HEAD, date(2026, 11, 13), content="已完成")

    assert figures(bureau.id, date(2026, 11, 1)) == {}
    assert figures(bureau.id, MONDAY) == {"tasks_open": 1}
    assert figures(bureau.id, DUE) == {"tasks_open": 1}
    assert figures(bureau.id, date(2026, 11, 12)) == {"tasks_open": 1, "tasks_overdue": 1}
    assert figures(bureau.id, date(2026, 11, 16)) == {"tasks_open": 1}, "reported on the 13th, not closed off"
    assert figures(bureau.id, date(2026, 11, 12)) == {"tasks_open": 1, "tasks_overdue": 1}, "again: the same"


def test_the_timetable_counts_a_day_when_it_is_over(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "database_clock", lambda _: None)
    with transaction() as work:
        rule = work.scalars(select(ScheduleRule).where(ScheduleRule.job == "statistics")).one()
        rule.next_period = MONDAY.isoformat()
    for moment in (datetime(2026, 11, 2, 10, 0, tzinfo=UTC), datetime(2026, 11, 2, 20, 0, tzinfo=UTC)):
        monkeypatch.setattr(sessions, "now", lambda moment=moment: moment)
        if moment.hour == 10:
            under_way(MONDAY, stages=[], due=DUE.isoformat())
        act_as(db.session(), SYSTEM)
        for number in running.ring(now=moment):
            running.carry_out(number)
        db.session.rollback()

    assert db.session.scalars(select(DailyFigure.day)).all() == [MONDAY]


def test_everybody_sees_the_figures_of_the_own_units(bureau: Bureau) -> None:
    under_way(MONDAY, stages=[], due=DUE.isoformat())
    for day in (MONDAY, date(2026, 11, 4)):
        figures(bureau.id, day)
    seen = {}
    for who in (OFFICE, HEAD, STRANGER):
        act_as(db.session(), actor(who))
        seen[who] = days_of(db.session(), "tasks_open", first=MONDAY, last=DUE)
        act_as(db.session(), SYSTEM)

    days = [(MONDAY, 1), (date(2026, 11, 3), 0), (date(2026, 11, 4), 1)]
    assert seen == {OFFICE: days, HEAD: days, STRANGER: []}
