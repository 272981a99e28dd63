"""What a task has cost and earned so far, and what comes next if nothing is done: said before it bites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Clause, SupervisedTask, TaskStage
from app.rules.scoring.apportionment import Part, apportion, read_parties, read_shares
from app.rules.supervision import RUNNING
from app.rules.workdays import WorkCalendar, days_late, days_left
from app.services.bureau.rules import ProcessRules
from app.services.supervision.ledger import parties_of

MOST_COMING = 3


@dataclass(frozen=True, slots=True)
class Coming:
    """An entry that will be posted if a stage is still open on a day: under which clause, whose part is how much.

    `points` of a part is None where the clause has no single price.
    """

    stage: TaskStage
    day: date
    number: int
    colour: str | None
    clause: Clause
    parts: Sequence[tuple[str, Decimal | None]]


def shares_of(task: SupervisedTask, clause: Clause) -> list[Part]:
    """The parts of a fact under a clause: lead unit first; parties the task does not name are left to the ledger."""
    mine, others = apportion(read_shares(clause.shares), task.lead_unit.code, read_parties(parties_of(task)))
    return [mine, *others]


def coming(
    session: Session, task: SupervisedTask, *, calendar: WorkCalendar, rules: ProcessRules, on: date
) -> list[Coming]:
    """What the next late working day of each open stage would post; the nearest first."""
    if task.state not in RUNNING:
        return []
    due: list[tuple[date, TaskStage, int, str, str | None]] = []
    for stage in task.stages:
        if stage.done_on is None:
            due += list(_next_of(task, stage, calendar, rules, on))
    due.sort(key=lambda it: (it[0], it[1].position))
    codes = {it[3] for it in due}
    clauses = {
        clause.code: clause
        for clause in session.scalars(select(Clause).where(Clause.bureau_id == task.bureau_id, Clause.code.in_(codes)))
    }
    return [
        Coming(stage, day, number, colour, clauses[code], _amounts(task, clauses[code]))
        for day, stage, number, code, colour in due
        if code in clauses
    ][:MOST_COMING]


def _next_of(
    task: SupervisedTask, stage: TaskStage, calendar: WorkCalendar, rules: ProcessRules, on: date
) -> Iterator[tuple[date, TaskStage, int, str, str | None]]:
    day = calendar.after(max(on, stage.due_on), 1)
    number = days_late(stage.due_on, day, calendar)
    late_clause = task.late_clause or str(rules.read("supervision.late_clause", day))
    if late_clause:
        yield day, stage, number, late_clause, None
    late = days_late(stage.due_on, on, calendar) if on > stage.due_on else 0
    for rung in rules.read("supervision.ladder", day):
        if rung.days > late:
            slip_day = calendar.after(stage.due_on, rung.days)
            code = str(rules.read(f"supervision.{rung.colour}_clause", slip_day))
            if code:
                yield slip_day, stage, rung.days, code, rung.colour
            return


def _amounts(task: SupervisedTask, clause: Clause) -> list[tuple[str, Decimal | None]]:
    sign = -1 if clause.effect == "deduction" else 1
    found = []
    for part in shares_of(task, clause):
        is_priced = clause.pricing == "fixed" and clause.price is not None
        share = part.percent / 100 / part.divisor
        found.append((part.subject, sign * clause.price * share if is_priced and clause.price is not None else None))
    return found


@dataclass(frozen=True, slots=True)
class Deadline:
    """How a stage stands on a day: working days left (negative: late), and whether the count is provisional."""

    stage: TaskStage
    left: int
    is_provisional: bool


def deadline_of(task: SupervisedTask, calendar: WorkCalendar, on: date) -> Deadline | None:
    """The first open stage of a running task with its days left; None where nothing is due."""
    if task.state not in RUNNING:
        return None
    stage = next((stage for stage in task.stages if stage.done_on is None), None)
    if stage is None:
        return None
    first, last = sorted((on, stage.due_on))
    return Deadline(stage, days_left(stage.due_on, on, calendar), calendar.is_provisional(first, last))
