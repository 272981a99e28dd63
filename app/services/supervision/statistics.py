"""Supervised tasks counted: the board by unit and state, and the table by unit, leader, source or month.

Every figure is counted in the actor's own scope and equals the list it opens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, extract, func, or_, select
from sqlalchemy.orm import Session

from app.models import EntryKind, ScoreEntry, SupervisedTask, TaskParty, TaskSlip, TaskStage
from app.policies.scoping import apart
from app.rules.supervision import COLOURS, RUNNING, TaskState
from app.services.supervision.ledger import SOURCE

# Sets of ids, never `EXISTS` row by row: SQLite would look the condition up by its own index for each task.

BY = ("unit", "leader", "source", "month")
FIGURES = ("tasks", "open", "overdue", "late", "closed", "cancelled", "slips")


def is_overdue(latest_workday: date) -> ColumnElement[bool]:
    """Tasks with an open stage that is late: a working day has passed since its deadline."""
    stage = apart(TaskStage, "what hangs on a task is seen with it").c
    late = select(stage.task_id).where(stage.done_on.is_(None), stage.due_on < latest_workday)
    return and_(SupervisedTask.state.in_(RUNNING), SupervisedTask.id.in_(late))


def was_late(latest_workday: date) -> ColumnElement[bool]:
    """Tasks that are or were late in some stage."""
    stage = apart(TaskStage, "what hangs on a task is seen with it").c
    once = select(stage.task_id).where(stage.late_days > 0)
    return or_(SupervisedTask.id.in_(once), is_overdue(latest_workday))


def has_slip(*colours: str) -> ColumnElement[bool]:
    slip = apart(TaskSlip, "what hangs on a task is seen with it").c
    return SupervisedTask.id.in_(select(slip.task_id).where(slip.colour.in_(colours)))


@dataclass(slots=True)
class BoardRow:
    """One unit's tasks by state, and how many are overdue."""

    unit_id: int
    states: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    overdue: int = 0

    @property
    def total(self) -> int:
        return sum(self.states.values())


def board(session: Session, *, latest_workday: date) -> list[BoardRow]:
    """Counts by lead unit and state of what may be seen, cancelled ones left out; two statements."""
    task = SupervisedTask
    rows: dict[int, BoardRow] = {}
    counted = (
        select(task.lead_unit_id, task.state, func.count(task.id))
        .where(task.state != TaskState.CANCELLED)
        .group_by(task.lead_unit_id, task.state)
    )
    for unit, state, count in session.execute(counted):
        rows.setdefault(unit, BoardRow(unit)).states[state] = count
    late = select(task.lead_unit_id, func.count(task.id)).where(is_overdue(latest_workday)).group_by(task.lead_unit_id)
    for unit, count in session.execute(late):
        rows[unit].overdue = count
    return list(rows.values())


@dataclass(slots=True)
class Line:
    """One line of the table: its key and its figures."""

    key: Any
    figures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIGURES, 0))


def statistics(session: Session, by: str, *, first: date, last: date, latest_workday: date) -> list[Line]:
    """Tasks handed over between two days, counted by a key; one statement over the tasks in scope."""
    key = _key(by)
    span = and_(SupervisedTask.assigned_on >= first, SupervisedTask.assigned_on <= last)
    state = SupervisedTask.state
    ones: Mapping[str, ColumnElement[bool]] = {
        "tasks": state.is_not(None), "open": state.not_in((TaskState.CLOSED, TaskState.CANCELLED)),
        "overdue": is_overdue(latest_workday), "late": was_late(latest_workday), "closed": state == TaskState.CLOSED,
        "cancelled": state == TaskState.CANCELLED, "slips": has_slip(*COLOURS),
    }  # fmt: skip
    sums = [func.sum(case((criterion, 1), else_=0)) for criterion in ones.values()]
    lines: dict[Any, Line] = {}
    for found, *counts in session.execute(_grouped(select(key, *sums), by).where(span).group_by(key)):
        lines[found] = Line(found, {name: int(count) for name, count in zip(ones, counts, strict=True)})
    return list(lines.values())


def posted_by_unit(session: Session, months: Sequence[str]) -> dict[int, int]:
    """How many facts the tasks of each lead unit posted that count in some months, by the unit's id."""
    query = (
        select(ScoreEntry.subject_id, func.count(ScoreEntry.id))
        .where(ScoreEntry.source == SOURCE, ScoreEntry.kind == EntryKind.FACT, ScoreEntry.month.in_(months))
        .group_by(ScoreEntry.subject_id)
    )
    return dict(session.execute(query).all())


def _key(by: str) -> Any:
    if by == "leader":
        return TaskParty.subject_id
    if by == "source":
        return SupervisedTask.source
    if by == "month":
        return extract("year", SupervisedTask.assigned_on) * 100 + extract("month", SupervisedTask.assigned_on)
    return SupervisedTask.lead_unit_id


def _grouped(query: Select[Any], by: str) -> Select[Any]:
    query = query.select_from(SupervisedTask)
    if by == "leader":
        party = (TaskParty.task_id == SupervisedTask.id) & (TaskParty.role == "leader")
        return query.join(TaskParty, party)
    return query
