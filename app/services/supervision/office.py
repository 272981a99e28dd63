"""The verbs of the supervision office: register, hand over, recall, urge, accept, send back, cancel.

Each verb: permit, move, change, score, trace, notify. Source: mission B3.
"""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, object_session
from sqlalchemy.orm.attributes import flag_modified

from app.errors import N_, Conflict, RuleViolation
from app.models import SupervisedTask, TaskParty, TaskSlip, TaskStage
from app.policies import supervision as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.supervision import TaskState, TaskVerb, next_state
from app.rules.timetable import local_time
from app.rules.workdays import WorkCalendar
from app.services import trace
from app.services.bureau.calendar import work_calendar
from app.services.bureau.closing import hold_bureau
from app.services.bureau.rules import rules_of
from app.services.process.acts import NOT_YOURS, needed
from app.services.supervision.form import Known, TypedTask, latest_deadline
from app.services.supervision.ledger import entries_of
from app.services.supervision.notices import tell_office, tell_unit

WHY = "numbers and states of tasks are counted for the whole bureau"
FILE = Path(__file__).parents[2] / "data" / "supervision.toml"


@cache
def wording() -> dict[str, Any]:
    """The official text of numbers, slips and ledger remarks."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def target_of(task: SupervisedTask, verb: TaskVerb, *, seen: int | None, actor: Actor) -> TaskState:
    """Permit: the right, the arrow, and that nobody has changed the task since it was looked at; where it leads.

    One act at a time in a bureau: what another has done meanwhile is read before the arrow is looked for.
    """
    session = object_session(task)
    assert session is not None
    hold_bureau(session, task.bureau_id)
    session.refresh(task, ["state", "lock_version", "reported_by_id"])
    require(policy.may(verb, actor, task), NOT_YOURS)
    target = next_state(TaskState(task.state), verb)
    if seen is not None and seen != task.lock_version:
        raise Conflict(N_("The task has changed since you opened it; look at it again."))
    return target


def move(task: SupervisedTask, verb: TaskVerb, *, seen: int | None, actor: Actor) -> None:
    """Permit and move at once."""
    task.state = target_of(task, verb, seen=seen, actor=actor)


def note(
    session: Session, task: SupervisedTask, verb: TaskVerb | str, *, actor: Actor, now: datetime, reason: str = "",
    before: dict[str, Any] | None = None, after: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Flush and trace an act on a task."""
    session.flush()
    trace.record(
        session, verb=f"task_{verb}", target=task, reason=reason, before=before, after=after, actor=actor, now=now
    )


def register_tasks(
    session: Session, typed: TypedTask, known: Known, *, bureau_id: int, actor: Actor, now: datetime
) -> list[SupervisedTask]:
    """Keep a sound task as a draft, one for each lead unit, all of one batch."""
    require(policy.may_register(actor))
    hold_bureau(session, bureau_id)
    batch = secrets.token_hex(12)
    return [
        draft_task(session, typed, known, lead, batch=batch, bureau_id=bureau_id, actor=actor, now=now)
        for lead in typed.leads
    ]


def draft_task(
    session: Session, typed: TypedTask, known: Known, lead: str, *, batch: str, bureau_id: int, actor: Actor,
    now: datetime,
) -> SupervisedTask:  # fmt: skip
    """Keep the draft of one lead unit; whether the actor may was asked before."""
    task = SupervisedTask(
        bureau_id=bureau_id, batch_no=batch, state=TaskState.DRAFT, created_by_id=actor.account_id,
        created_by=actor.name, created_at=now,
    )  # fmt: skip
    _fill(task, typed, known, lead)
    session.add(task)
    session.flush()
    _keep_rest(session, task, typed, known, lead, on=local_time(now).date())
    note(session, task, "register", actor=actor, now=now, after=trace.facts_of(task))
    return task


def _fill(task: SupervisedTask, typed: TypedTask, known: Known, lead: str) -> None:
    task.source, task.source_text = typed.source, typed.source_text
    task.matter, task.demand = typed.matter, typed.demand
    task.late_clause, task.rating_clauses = typed.late_clause, ";".join(typed.rating_clauses)
    task.lead_unit_id = known.parties.ids[lead]
    task.due_on = task.first_due_on = typed.stages[-1].due_on


def _keep_rest(session: Session, task: SupervisedTask, typed: TypedTask, known: Known, lead: str, *, on: date) -> None:
    """Write the stages and parties anew; leaders nobody named are those in charge of the unit that day.

    Of several units each gets the handlers that are its own.
    """
    for table in (TaskStage.__table__, TaskParty.__table__):
        unscoped(session, WHY).execute(delete(table).where(table.c.task_id == task.id))
    line = known.clauses.get(typed.late_clause or next(iter(typed.rating_clauses), ""), ("", ""))[0]
    leaders = typed.leaders or known.parties.leaders(lead, line, on)
    is_alone = len(typed.leads) == 1
    handlers = [handler for handler in typed.handlers if is_alone or known.parties.unit_of(handler, on) == lead]
    for role, codes in (("leader", leaders), ("handler", handlers), ("assist", typed.assists)):
        for code in codes:
            session.add(TaskParty(task_id=task.id, role=role, subject_id=known.parties.ids[code]))
    for position, stage in enumerate(typed.stages, 1):
        session.add(
            TaskStage(
                task_id=task.id, position=position, title=stage.title, due_on=stage.due_on, due_days=stage.days,
                anchor_on=None if stage.days is None else on,
            )
        )  # fmt: skip
    session.flush()
    session.expire(task, ["stages", "parties"])


def change_task(
    session: Session, task: SupervisedTask, typed: TypedTask, known: Known, *, seen: int, actor: Actor, now: datetime
) -> None:
    """Change a draft; it stays with one lead unit."""
    move(task, TaskVerb.CHANGE, seen=seen, actor=actor)
    if len(typed.leads) != 1:
        raise RuleViolation(N_("A draft that is there has one lead unit."), field_name="leads")
    before = trace.facts_of(task)
    _fill(task, typed, known, typed.leads[0])
    flag_modified(task, "state")  # the row is touched even if only its stages changed
    _keep_rest(session, task, typed, known, typed.leads[0], on=local_time(now).date())
    note(session, task, TaskVerb.CHANGE, actor=actor, now=now, before=before, after=trace.facts_of(task))


def batch_of(session: Session, task: SupervisedTask) -> Sequence[SupervisedTask]:
    """The drafts that came with a task in one act, itself among them."""
    query = select(SupervisedTask).where(
        SupervisedTask.bureau_id == task.bureau_id, SupervisedTask.state == TaskState.DRAFT,
        (SupervisedTask.id == task.id)
        | ((SupervisedTask.batch_no == task.batch_no) & (SupervisedTask.batch_no != "")),
    )  # fmt: skip
    return session.scalars(query.order_by(SupervisedTask.id)).all()


def assign_task(session: Session, task: SupervisedTask, *, seen: int, actor: Actor, now: datetime) -> int:
    """Hand over a task and every draft of its batch in one act; answers to how many units."""
    target_of(task, TaskVerb.ASSIGN, seen=seen, actor=actor)
    drafts = batch_of(session, task)
    today, calendar = local_time(now).date(), work_calendar(session, task.bureau_id)
    for draft in drafts:
        target = target_of(draft, TaskVerb.ASSIGN, seen=None, actor=actor)
        _date(draft, calendar, today)
        _number(session, draft, today.year)
        draft.state, draft.assigned_on, draft.assigned_by = target, today, actor.name
        note(
            session,
            draft,
            TaskVerb.ASSIGN,
            actor=actor,
            now=now,
            after={"no": draft.no, "due_on": draft.due_on.isoformat()},
        )
        text = N_("%(no)s %(matter)s was handed to your unit; sign for it.", no=draft.no, matter=draft.matter)
        tell_unit(session, draft, text, key=f"assigned:{draft.lock_version}", actor=actor, now=now, wide=True)
    return len(drafts)


def _date(task: SupervisedTask, calendar: WorkCalendar, today: date) -> None:
    """Deadlines in working days count from the hand-over; one that has passed by then is refused."""
    for stage in task.stages:
        if stage.due_days is not None:
            stage.anchor_on, stage.due_on = today, calendar.after(today, stage.due_days)
    if any(stage.due_on < today for stage in task.stages):
        raise RuleViolation(N_("%(matter)s: a deadline has passed already; change the draft.", matter=task.matter))
    task.due_on = task.first_due_on = task.stages[-1].due_on


def _number(session: Session, task: SupervisedTask, year: int) -> None:
    """Draw the next number of the year; a task that was recalled keeps the one it had."""
    if task.serial is not None and task.year == year:
        return
    table = SupervisedTask.__table__.c
    newest = select(func.max(table.serial)).where(table.bureau_id == task.bureau_id, table.year == year)
    task.year, task.serial = year, (unscoped(session, WHY).execute(newest).scalar() or 0) + 1
    task.no = wording()["task_number"].format(year=year, serial=task.serial)
    session.flush()


def recall_task(session: Session, task: SupervisedTask, *, seen: int, actor: Actor, now: datetime) -> None:
    """Take a task back that nobody has signed for and that is not late: what was posted has a task behind it."""
    move(task, TaskVerb.RECALL, seen=seen, actor=actor)
    if entries_of(session, task) or session.scalar(select(TaskSlip.id).where(TaskSlip.task_id == task.id)) is not None:
        raise RuleViolation(N_("The task is late already and has left entries; cancel it with a reason instead."))
    task.assigned_on = None  # the draft is dated anew when it is handed over
    note(session, task, TaskVerb.RECALL, actor=actor, now=now)
    text = N_("%(no)s %(matter)s was taken back.", no=task.no, matter=task.matter)
    tell_unit(session, task, text, key=f"recalled:{task.lock_version}", actor=actor, now=now, wide=True)


def accept_task(
    session: Session, task: SupervisedTask, *, opinion: str, seen: int, actor: Actor, now: datetime
) -> None:
    """Accept the completion."""
    move(task, TaskVerb.ACCEPT, seen=seen, actor=actor)
    task.accepted_by, task.accepted_on = actor.name, local_time(now).date()
    note(session, task, TaskVerb.ACCEPT, actor=actor, now=now, reason=opinion.strip()[:2000])
    text = N_("%(no)s %(matter)s was accepted.", no=task.no, matter=task.matter)
    tell_unit(session, task, text, key=f"accepted:{task.lock_version}", actor=actor, now=now, wide=True)


def send_back_task(
    session: Session, task: SupervisedTask, *, reason: str, due_on: date | None, seen: int, actor: Actor, now: datetime
) -> None:
    """Send a completion back; the last stage is open again until a day that leaves time to do it."""
    move(task, TaskVerb.SEND_BACK, seen=seen, actor=actor)
    reason, today = needed(reason), local_time(now).date()
    calendar = work_calendar(session, task.bureau_id)
    least = calendar.after(today, rules_of(session, task.bureau_id).read("supervision.redo_days", today))
    if due_on is None:
        due_on = max(task.due_on, least)
    if due_on > latest_deadline(today):
        raise RuleViolation(N_("A deadline lies between today and five years from now."), field_name="due_on")
    if due_on < least:
        raise RuleViolation(
            N_("The day lies too near: %(day)s at the earliest.", day=least.isoformat()), field_name="due_on"
        )
    last = task.stages[-1]
    before = {"due_on": last.due_on.isoformat()}
    last.done_on, last.due_on, last.anchor_on, last.due_days = None, due_on, None, None
    last.round += 1
    task.sent_back_on = today
    task.due_on, task.reported_at, task.reported_by, task.reported_by_id = due_on, None, "", None
    note(session, task, TaskVerb.SEND_BACK, actor=actor, now=now, reason=reason, before=before,
         after={"due_on": due_on.isoformat()})  # fmt: skip
    text = N_("%(no)s %(matter)s was sent back: %(reason)s", no=task.no, matter=task.matter, reason=reason)
    tell_unit(session, task, text, key=f"sent_back:{task.lock_version}", actor=actor, now=now)


def cancel_task(session: Session, task: SupervisedTask, *, reason: str, seen: int, actor: Actor, now: datetime) -> None:
    """Give a task up, with a reason. What it has posted stays; the office reverses what should not count."""
    was_draft = task.state == TaskState.DRAFT
    target = target_of(task, TaskVerb.CANCEL, seen=seen, actor=actor)
    task.reason = needed(reason)
    task.state = target
    note(session, task, TaskVerb.CANCEL, actor=actor, now=now, reason=task.reason)
    if not was_draft:
        text = N_("%(no)s %(matter)s was cancelled: %(reason)s", no=task.no, matter=task.matter, reason=task.reason)
        tell_unit(session, task, text, key="cancelled", actor=actor, now=now, wide=True)
        tell_office(session, task, text, key="cancelled", actor=actor, now=now)
