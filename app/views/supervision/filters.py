"""Filters of the list of tasks."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from app.models import Person, SupervisedTask, TaskParty
from app.policies.scoping import apart
from app.rules.days import read_period
from app.rules.supervision import COLOURS, OPEN, TaskState
from app.security import sessions
from app.services.supervision.statistics import has_slip, is_overdue, was_late
from app.views.shell.listing import named
from app.views.shell.periods import calendar_now


def overdue(value: str) -> ColumnElement[bool] | None:
    latest = calendar_now().latest(sessions.today())
    return {"overdue": is_overdue(latest), "late": was_late(latest), "on_time": ~was_late(latest)}.get(value)


def of_month(value: str) -> ColumnElement[bool] | None:
    period = read_period(value)
    return None if period is None else SupervisedTask.assigned_on.between(period.first_day, period.last_day)


def of_leader(value: str) -> ColumnElement[bool]:
    party = apart(TaskParty, "what hangs on a task is seen with it").c
    mine = named("leader", "", party.subject_id, Person).where(value)
    assert mine is not None
    return SupervisedTask.id.in_(select(party.task_id).where(party.role == "leader", mine))


def of_slip(value: str) -> ColumnElement[bool] | None:
    if value == "any":
        return has_slip(*COLOURS)
    return has_slip(value) if value in COLOURS else None


def of_states(value: str) -> ColumnElement[bool] | None:
    if value == "open":
        return SupervisedTask.state.in_(OPEN)
    if value == "standing":
        return SupervisedTask.state != TaskState.CANCELLED
    return SupervisedTask.state == value if value in set(TaskState) else None
