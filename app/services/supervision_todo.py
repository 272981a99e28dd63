"""What of the supervised tasks waits for somebody: the office, who decides in its stead, the unit, its people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.errors import N_, Message
from app.models import Opinion, SupervisedTask, TaskExtension, TaskPart, TaskParty, TaskStage
from app.policies import supervision as policy
from app.policies.actor import Actor
from app.rules.supervision import RUNNING, TaskState, TaskVerb
from app.rules.workdays import WorkCalendar, days_left
from app.services.calendar import work_calendar
from app.services.supervision_notices import office_and_units, touches
from app.services.waiting import MOST, Todo

DECIDED = {
    TaskState.REPORTED: ("accept", N_("reported as done, to be accepted or sent back"), TaskVerb.ACCEPT),
    TaskState.ACCEPTED: ("rate", N_("accepted, to be rated"), TaskVerb.RATE),
    TaskState.RATED: ("close", N_("rated, to be closed off"), TaskVerb.CLOSE),
}


def supervision_todo(session: Session, actor: Actor, on: date) -> Iterator[Todo]:
    """The matters of the actor; a fixed number of statements, at most 20 of each kind."""
    if not actor.is_member or actor.bureau_id is None:
        return
    calendar = work_calendar(session, actor.bureau_id)
    if actor.has("supervision_office"):
        yield from _drafts(session)
    if actor.has("supervision_office", "bureau_leader"):
        yield from _to_decide(session, actor, on)
        yield from _extensions(session, actor, on)
    if actor.own_units or actor.subject_id is not None:
        yield from _of_unit(session, actor, calendar, on)
        yield from _parts(session, actor, calendar, on)
    yield from _said(session, actor)


def _tasks(session: Session, where: ColumnElement[bool], *loaded: Any) -> Sequence[SupervisedTask]:
    """Tasks by their deadline with what of them is looked at; every top bar pays for each statement."""
    query = select(SupervisedTask).where(where).options(*(selectinload(it) for it in loaded))
    return session.scalars(query.order_by(SupervisedTask.due_on, SupervisedTask.id).limit(MOST)).all()


def _label(task: SupervisedTask) -> Message:
    return Message("%(text)s", {"text": f"{task.no} {task.matter}".strip()})


def _drafts(session: Session) -> Iterator[Todo]:
    for it in _tasks(session, SupervisedTask.state == TaskState.DRAFT):
        is_instruction = it.source == "instruction"
        why = N_("a leader's instruction, to be handed over") if is_instruction else N_("a draft, to be handed over")
        yield Todo("assign", f"task:{it.id}", _label(it), why, it.created_by, it.created_at)


def _to_decide(session: Session, actor: Actor, on: date) -> Iterator[Todo]:
    """What the office decides; what touches its own unit or people, a leader does."""
    touched = None if actor.has("supervision_office") else office_and_units(session, actor.bureau_id, on)
    for it in _tasks(session, SupervisedTask.state.in_(tuple(DECIDED)), SupervisedTask.parties):
        kind, why, verb = DECIDED[TaskState(it.state)]
        if policy.may(verb, actor, it) and (touched is None or touches(it, touched)):
            yield Todo(kind, f"task:{it.id}", _label(it), why, it.reported_by, it.reported_at)


def _extensions(session: Session, actor: Actor, on: date) -> Iterator[Todo]:
    touched = None if actor.has("supervision_office") else office_and_units(session, actor.bureau_id, on)
    query = (
        select(TaskExtension)
        .join(SupervisedTask, SupervisedTask.id == TaskExtension.task_id)
        .where(TaskExtension.state == "asked", SupervisedTask.state.in_(RUNNING))
        .options(joinedload(TaskExtension.stage).joinedload(TaskStage.task).selectinload(SupervisedTask.parties))
    )
    for it in session.scalars(query.order_by(TaskExtension.id).limit(MOST)):
        task = it.stage.task
        is_open = policy.may(TaskVerb.DECIDE_EXTENSION, actor, task) and policy.may_decide_extension(actor, it)
        if is_open and (touched is None or touches(task, touched)):
            why = N_("%(count)s more working days asked for “%(title)s”", count=it.days, title=it.stage.title)
            yield Todo("extension", f"task:{task.id}", _label(task), why, it.asked_by, it.asked_at)


def _of_unit(session: Session, actor: Actor, calendar: WorkCalendar, on: date) -> Iterator[Todo]:
    """What the lead unit and the handlers owe: a signature, the next stage, what was sent back."""
    party = TaskParty.__table__.alias().c
    mine = select(party.task_id).where(party.role == "handler", party.subject_id == actor.subject_id)
    handled = SupervisedTask.id.in_(mine)
    led = SupervisedTask.lead_unit_id.in_(actor.own_units)
    waiting = and_(SupervisedTask.state == TaskState.ASSIGNED, led)
    working = and_(SupervisedTask.state.in_((TaskState.UNDER_WAY, TaskState.SENT_BACK)), or_(led, handled))
    for it in _tasks(session, or_(waiting, working), SupervisedTask.stages):
        if it.state == TaskState.ASSIGNED:
            yield _due("sign_for", it, N_("handed to your unit, to be signed for"), it.assigned_by, calendar, on)
        elif it.state == TaskState.SENT_BACK:
            yield _due("redo", it, N_("sent back, to be done again"), it.assigned_by, calendar, on)
        else:
            stage = _next(it)
            is_last = stage.id == it.stages[-1].id
            why = (
                N_("completion to be reported")
                if is_last
                else N_("stage “%(title)s” to be reported", title=stage.title)
            )
            yield _due("report", it, why, it.assigned_by, calendar, on)


def _next(task: SupervisedTask) -> TaskStage:
    return next((it for it in task.stages if it.done_on is None), task.stages[-1])


def _due(kind: str, task: SupervisedTask, why: Message, name: str, calendar: WorkCalendar, on: date) -> Todo:
    due_on = _next(task).due_on
    return Todo(kind, f"task:{task.id}", _label(task), why, name, None, due_on, days_left(due_on, on, calendar))


def _parts(session: Session, actor: Actor, calendar: WorkCalendar, on: date) -> Iterator[Todo]:
    query = (
        select(TaskPart)
        .join(SupervisedTask, SupervisedTask.id == TaskPart.task_id)
        .where(
            TaskPart.handler_id == actor.subject_id, TaskPart.done_on.is_(None),
            SupervisedTask.state.in_((TaskState.UNDER_WAY, TaskState.SENT_BACK)),
        )
    )  # fmt: skip
    for it in session.scalars(query.order_by(TaskPart.due_on).limit(MOST)):
        text = Message("%(text)s", {"text": it.matter})
        why = N_("your part of %(no)s", no=it.task.no)
        yield Todo("part", f"task:{it.task_id}", text, why, it.task.signed_by, None, it.due_on,
                   days_left(it.due_on, on, calendar))  # fmt: skip


def _said(session: Session, actor: Actor) -> Iterator[Todo]:
    """Requests to the actor, and urges on what is his, that wait for an answer."""
    party = TaskParty.__table__.alias().c
    mine = select(SupervisedTask.id).where(
        or_(
            SupervisedTask.lead_unit_id.in_(actor.own_units),
            SupervisedTask.id.in_(
                select(party.task_id).where(party.role == "handler", party.subject_id == actor.subject_id)
            ),
        )
    )
    on_task = and_(Opinion.item_type == "supervised_task", Opinion.item_id.in_(mine))
    of_mine = Opinion.subject_id.in_(actor.own_units | actor.selves)
    urged = and_(Opinion.kind == "urge", or_(on_task, of_mine), Opinion.said_by_id != actor.account_id)
    asked = and_(Opinion.kind == "request", Opinion.to_id.in_(actor.selves))
    query = select(Opinion).where(Opinion.is_answered.is_(False), or_(urged, asked))
    for it in session.scalars(query.order_by(Opinion.id).limit(MOST)).unique():
        why = N_("asks for your decision") if it.kind == "request" else N_("urges; to be answered")
        item = f"task:{it.item_id}" if it.item_type == "supervised_task" else f"opinion:{it.id}"
        yield Todo("answer", item, Message("%(text)s", {"text": it.content[:80]}), why, it.said_by, it.said_at)
