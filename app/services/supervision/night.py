"""What the night does to supervised tasks: deadlines follow the calendar, every day late is posted, slips are issued.

Everything is found from the rows alone, so a run that was killed, repeated or missed ends in the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.errors import N_, HouseError, Message
from app.models import SupervisedTask, TaskExtension, TaskSlip, TaskStage
from app.policies.actor import Actor
from app.policies.scoping import UNSCOPED, unscoped
from app.rules.supervision import RUNNING, LateDay, late_days
from app.rules.workdays import WorkCalendar
from app.services.bureau.calendar import work_calendar
from app.services.bureau.closing import hold_bureau
from app.services.bureau.rules import ProcessRules, rules_of
from app.services.supervision.ledger import Event, clause_ids, number_of, post_events, stage_mark
from app.services.supervision.notices import tell_unit
from app.services.supervision.office import note, wording

WHY = "the night finds everything that is late"
_SLIP = TaskSlip.__table__


@dataclass(frozen=True, slots=True)
class Late:
    """A working day on which one stage of a task was late."""

    task: SupervisedTask
    stage: TaskStage
    on: LateDay


@dataclass(slots=True)
class Night:
    """What a run did: new entries and slips, moved deadlines, and the tasks that could not be done, with the reason."""

    entries: int = 0
    slips: int = 0
    moved: int = 0
    faults: list[tuple[str, Message]] = field(default_factory=list)


def record_lateness(session: Session, bureau_id: int, *, on: date, actor: Actor, now: datetime) -> Night:
    """Post what is late in a bureau up to a day; a task that cannot be done does not stop the others. Idempotent."""
    hold_bureau(session, bureau_id)
    calendar, rules = work_calendar(session, bureau_id), rules_of(session, bureau_id)
    done = Night(moved=move_deadlines(session, bureau_id, calendar, on=on, actor=actor, now=now))
    query = (
        select(TaskStage)
        .join(SupervisedTask, SupervisedTask.id == TaskStage.task_id)
        .where(
            SupervisedTask.bureau_id == bureau_id, SupervisedTask.state.in_(RUNNING), TaskStage.done_on.is_(None),
            TaskStage.due_on < on, TaskStage.id.not_in(_asked_in_time()),
        )
        .order_by(TaskStage.task_id, TaskStage.position)
    )  # fmt: skip
    post_late(
        session, bureau_id, session.scalars(query).all(), calendar, rules, through=on, done=done, actor=actor, now=now
    )
    return done


def _asked_in_time() -> Any:
    """Stages for which more time was asked, always before they were late: they wait for the decision.

    Granted, the days were never late; refused, the next night posts every one of them on its day.
    """
    return select(TaskExtension.stage_id).where(TaskExtension.state == "asked")


def post_late(
    session: Session, bureau_id: int, stages: Iterable[TaskStage], calendar: WorkCalendar, rules: ProcessRules, *,
    through: date, done: Night, actor: Actor, now: datetime,
) -> None:  # fmt: skip
    """Post every day late of some stages and issue the slips they call for, day by day, task by task."""
    found: list[Late] = []
    for stage in stages:
        last = through if stage.done_on is None else min(stage.done_on, through)
        days = late_days(stage.due_on, last, lambda day: rules.read("supervision.ladder", day), calendar)
        found += [Late(stage.task, stage, day) for day in days]
    found.sort(key=lambda it: (it.on.day, it.task.id, it.stage.position))
    known = _known_codes(session, bureau_id, found, rules, done)
    found = [it for it in found if it.task.id not in known]
    slips = _issue_slips(session, bureau_id, found)
    events = [event for it in found for event in _events(it, slips, rules)]
    entries = post_events(session, bureau_id, events, by=actor.name, now=now)
    done.entries += len(entries)
    posted = {entry.occasion for entry in entries}
    for late in found:
        slip = slips.get((late.stage.id, late.stage.round, late.on.colour))
        if slip is not None and slip[1]:
            done.slips += 1
            _say_slip(session, late, slip[0], actor=actor, now=now)
        elif _late_occasion(late) in posted:
            note(session, late.task, "late", actor=actor, now=now,
                 after={"stage": late.stage.title, "days_late": late.on.number})  # fmt: skip


def _known_codes(
    session: Session, bureau_id: int, found: Sequence[Late], rules: ProcessRules, done: Night
) -> dict[int, Message]:
    """The tasks whose clauses are not there any more, each with the reason; noted as faults."""
    bad: dict[int, Message] = {}
    tried: dict[str, Message | None] = {}
    for late in found:
        for code in (_late_clause(late, rules), _slip_clause(late, rules)):
            if code and code not in tried:
                try:
                    clause_ids(session, bureau_id, {code})
                    tried[code] = None
                except HouseError as fault:
                    tried[code] = fault.message
            reason = tried.get(code)
            if reason is not None and late.task.id not in bad:
                bad[late.task.id] = reason
                done.faults.append((late.task.no, reason))
    return bad


def _late_clause(late: Late, rules: ProcessRules) -> str:
    return late.task.late_clause or str(rules.read("supervision.late_clause", late.on.day))


def _slip_clause(late: Late, rules: ProcessRules) -> str:
    return "" if late.on.colour is None else str(rules.read(f"supervision.{late.on.colour}_clause", late.on.day))


def _late_occasion(late: Late) -> str:
    return f"late:{late.stage.id}:{late.stage.round}:{late.on.number}"


SlipKey = tuple[int, int, str | None]


def _issue_slips(session: Session, bureau_id: int, found: Sequence[Late]) -> dict[SlipKey, tuple[TaskSlip, bool]]:
    """The slips the days call for, by stage, round and colour, each with whether it is new."""
    stages = {it.stage.id for it in found}
    there = session.scalars(select(TaskSlip).where(TaskSlip.stage_id.in_(stages)))
    slips: dict[SlipKey, tuple[TaskSlip, bool]] = {(it.stage_id, it.round, it.colour): (it, False) for it in there}
    for late in found:
        key: SlipKey = (late.stage.id, late.stage.round, late.on.colour)
        if late.on.colour is None or key in slips:
            continue
        year, serial = late.on.day.year, _next_serial(session, bureau_id, late.on.colour, late.on.day.year)
        slip = TaskSlip(
            bureau_id=bureau_id, task_id=late.task.id, stage_id=late.stage.id, round=late.stage.round,
            colour=late.on.colour, year=year, serial=serial,
            no=wording()["slip_number"][late.on.colour].format(year=year, serial=serial),
            issued_on=late.on.day, days_late=late.on.number,
        )  # fmt: skip
        session.add(slip)
        session.flush()
        slips[key] = (slip, True)
    return slips


def _next_serial(session: Session, bureau_id: int, colour: str, year: int) -> int:
    query = select(func.max(_SLIP.c.serial)).where(
        _SLIP.c.bureau_id == bureau_id, _SLIP.c.colour == colour, _SLIP.c.year == year
    )
    return (unscoped(session, WHY).execute(query).scalar() or 0) + 1


def _events(late: Late, slips: dict[SlipKey, tuple[TaskSlip, bool]], rules: ProcessRules) -> Iterable[Event]:
    """The entries of one day late: the day itself, and the slip that falls on it."""
    words = {
        "no": late.task.no, "position": late.stage.position, "title": late.stage.title, "number": late.on.number,
        "due": late.stage.due_on.isoformat(),
    }  # fmt: skip
    mark = stage_mark(late.stage)
    clause = _late_clause(late, rules)
    if clause:
        number = number_of(late.task, f"{mark}L{late.on.number}")
        yield Event(
            late.task, _late_occasion(late), number, clause, late.on.day, wording()["late_remark"].format(**words)
        )
    clause = _slip_clause(late, rules)
    if clause and late.on.colour is not None:
        slip = slips[late.stage.id, late.stage.round, late.on.colour][0]
        occasion = f"slip:{late.stage.id}:{late.stage.round}:{late.on.colour}"
        remark = wording()["slip_remark"].format(slip=slip.no, **words)
        yield Event(
            late.task, occasion, number_of(late.task, f"{mark}{late.on.colour[0].upper()}"), clause, late.on.day, remark
        )


def _say_slip(session: Session, late: Late, slip: TaskSlip, *, actor: Actor, now: datetime) -> None:
    note(session, late.task, "slip", actor=actor, now=now, reason=slip.no,
         after={"stage": late.stage.title, "days_late": late.on.number})  # fmt: skip
    text = N_(
        "%(slip)s: %(no)s, stage “%(title)s” is %(count)s working days late.",
        slip=slip.no, no=late.task.no, title=late.stage.title, count=late.on.number,
    )  # fmt: skip
    tell_unit(session, late.task, text, key=f"slip:{slip.id}", actor=actor, now=now, wide=True)


def move_deadlines(
    session: Session, bureau_id: int, calendar: WorkCalendar, *, on: date, actor: Actor, now: datetime
) -> int:
    """Deadlines counted in working days follow the calendar where they are not late yet; answers how many moved."""
    query = (
        select(TaskStage)
        .join(SupervisedTask, SupervisedTask.id == TaskStage.task_id)
        .where(
            SupervisedTask.bureau_id == bureau_id, SupervisedTask.state.in_(RUNNING), TaskStage.done_on.is_(None),
            TaskStage.due_days.is_not(None), TaskStage.due_on >= on,
        )
        .options(
            joinedload(TaskStage.task).selectinload(SupervisedTask.stages),
            joinedload(TaskStage.task).selectinload(SupervisedTask.parties),
        )
        .order_by(TaskStage.task_id, TaskStage.position)
    )  # fmt: skip
    moved = 0
    # Whoever brings in a year need not see the tasks it moves.
    for stage in session.scalars(query, execution_options=UNSCOPED).unique():
        assert stage.anchor_on is not None
        assert stage.due_days is not None
        due_on = max(calendar.after(stage.anchor_on, stage.due_days), on)
        fixed = [it.due_on for it in stage.task.stages if it.position > stage.position and it.due_days is None]
        due_on = min([due_on, *fixed])  # a stage never ends after a later one whose day is fixed
        if due_on == stage.due_on:
            continue
        task, before = stage.task, stage.due_on
        stage.due_on = due_on
        if stage.position == task.stages[-1].position:
            task.due_on = due_on
        note(session, task, "calendar", actor=actor, now=now, before={stage.title: before.isoformat()},
             after={stage.title: due_on.isoformat()})  # fmt: skip
        text = N_(
            "%(no)s, stage “%(title)s”: the work calendar moved the deadline from %(before)s to %(after)s.",
            no=task.no, title=stage.title, before=before.isoformat(), after=due_on.isoformat(),
        )  # fmt: skip
        key = f"calendar:{stage.id}:{due_on}:{before}"
        tell_unit(session, task, text, key=key, actor=actor, now=now, wide=True)
        moved += 1
    return moved
