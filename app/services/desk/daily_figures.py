"""The figures of a day that nobody could count later: what was open and what was overdue at its end, by unit.

A process adds its measures here. Counted from the days on the rows, so a day that was missed is counted as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from app.models import DailyFigure, SupervisedTask, TaskStage
from app.policies.scoping import unscoped
from app.rules.supervision import TaskState
from app.rules.workdays import WorkCalendar
from app.services.bureau.calendar import work_calendar

WHY = "the figures of a day are counted for every unit, by the night"
_TASK, _STAGE, _FIGURE = SupervisedTask.__table__, TaskStage.__table__, DailyFigure.__table__


def _was_open(day: date) -> ColumnElement[bool]:
    """Tasks handed over by the end of a day and not closed by it; a cancelled one was never open."""
    return and_(
        _TASK.c.assigned_on <= day, _TASK.c.state.not_in((TaskState.DRAFT, TaskState.CANCELLED)),
        or_(_TASK.c.closed_on.is_(None), _TASK.c.closed_on > day),
    )  # fmt: skip


def _was_overdue(day: date, calendar: WorkCalendar) -> ColumnElement[bool]:
    """Of them, those with a stage that was not done on a working day after its deadline."""
    late = select(_STAGE.c.task_id).where(
        _STAGE.c.due_on < calendar.latest(day), or_(_STAGE.c.done_on.is_(None), _STAGE.c.done_on > day)
    )
    return and_(_was_open(day), _TASK.c.id.in_(late))


MEASURES: Mapping[str, Callable[[date, WorkCalendar], ColumnElement[bool]]] = {
    "tasks_open": lambda day, _: _was_open(day),
    "tasks_overdue": _was_overdue,
}


def record_day(session: Session, bureau_id: int, day: date) -> int:
    """Count a day anew, every measure by unit; answers how many figures were kept. Idempotent."""
    rows, calendar = unscoped(session, WHY), work_calendar(session, bureau_id)
    rows.execute(delete(_FIGURE).where(_FIGURE.c.bureau_id == bureau_id, _FIGURE.c.day == day))
    found = []
    for measure, criterion in MEASURES.items():
        query = (
            select(_TASK.c.lead_unit_id, func.count(_TASK.c.id))
            .where(_TASK.c.bureau_id == bureau_id, criterion(day, calendar))
            .group_by(_TASK.c.lead_unit_id)
        )
        found += [
            {"bureau_id": bureau_id, "day": day, "unit_id": unit, "measure": measure, "value": count}
            for unit, count in rows.execute(query)
        ]
    if found:
        rows.execute(insert(_FIGURE), found)
    return len(found)


def days_of(session: Session, measure: str, *, first: date, last: date) -> list[tuple[date, int]]:
    """A measure day by day, added up over the units the actor sees, from the first day there was something on."""
    query = (
        select(DailyFigure.day, func.sum(DailyFigure.value))
        .where(DailyFigure.measure == measure, DailyFigure.day >= first, DailyFigure.day <= last)
        .group_by(DailyFigure.day)
        .order_by(DailyFigure.day)
    )
    found = {day: int(value) for day, value in session.execute(query)}
    if not found:
        return []
    # Nothing is kept of a unit that had nothing: between the days there are, a missing one is a 0.
    begun = min(found)
    days = (begun + timedelta(days=it) for it in range((max(found) - begun).days + 1))
    return [(day, found.get(day, 0)) for day in days]
