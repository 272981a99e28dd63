"""What of the supervised tasks waits for somebody: the office, who decides in its stead, the unit, its people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import joinedload, selectinload

from app.errors import N_, Message
from app.models import SupervisedTask, TaskExtension, TaskPart, TaskStage
from app.policies import supervision as policy
from app.policies.actor import Actor
from app.rules.supervision import RUNNING, TaskState, TaskVerb
from app.rules.timetable import local_time
from app.rules.workdays import days_left
from app.services.process.matters import since
from app.services.process.waiting import Ask, Todo, Waits
from app.services.supervision.notices import office_and_units, touches

DECIDED = {
    TaskState.REPORTED: ("accept", N_("reported as done, to be accepted or sent back"), TaskVerb.ACCEPT),
    TaskState.ACCEPTED: ("rate", N_("accepted, to be rated"), TaskVerb.RATE),
    TaskState.RATED: ("close", N_("rated, to be closed off"), TaskVerb.CLOSE),
}
OFFICE, LEADER = frozenset({"supervision_office"}), frozenset({"bureau_leader"})


def supervision_todo(ask: Ask) -> Iterator[Todo]:
    """The matters of the tasks; a fixed number of statements, at most 20 of each kind for one actor."""
    if ask.actor is not None and not ask.actor.is_member:
        return
    if ask.wants("supervision_office"):
        yield from _drafts(ask)
    if ask.wants("supervision_office", "bureau_leader"):
        only_office = ask.actor is not None and ask.actor.has("supervision_office")
        touched = frozenset() if only_office else office_and_units(ask.session, ask.bureau_id, ask.on)
        yield from _to_decide(ask, touched)
        yield from _extensions(ask, touched)
    if ask.actor is None or ask.actor.own_units or ask.actor.subject_id is not None:
        yield from _of_unit(ask)
        yield from _parts(ask)


def _tasks(ask: Ask, where: ColumnElement[bool], *loaded: Any) -> Sequence[SupervisedTask]:
    """Tasks by their deadline with what of them is looked at; every top bar pays for each statement."""
    query = (
        select(SupervisedTask)
        .where(SupervisedTask.bureau_id == ask.bureau_id, where)
        .options(*(selectinload(it) for it in loaded))
    )
    return ask.session.scalars(query.order_by(SupervisedTask.due_on, SupervisedTask.id).limit(ask.most)).all()


def _label(task: SupervisedTask) -> Message:
    return Message("%(text)s", {"text": f"{task.no} {task.matter}".strip()})


def _drafts(ask: Ask) -> Iterator[Todo]:
    for task in _tasks(ask, SupervisedTask.state == TaskState.DRAFT):
        is_instruction = task.source == "instruction"
        why = N_("a leader's instruction, to be handed over") if is_instruction else N_("a draft, to be handed over")
        yield Todo(
            "assign", f"task:{task.id}", _label(task), why, Waits(roles=OFFICE), task.created_by, task.created_at,
            mark=f"task:{task.id}:assign",
        )  # fmt: skip


def _deciders(task: SupervisedTask, touched: frozenset[int], verb: TaskVerb) -> Waits:
    """The office decides; what touches its own unit or people, the leaders do."""
    roles = OFFICE | LEADER if touches(task, touched) else OFFICE
    return Waits(roles=roles, may=lambda actor: policy.may(verb, actor, task))


def _to_decide(ask: Ask, touched: frozenset[int]) -> Iterator[Todo]:
    for task in _tasks(ask, SupervisedTask.state.in_(tuple(DECIDED)), SupervisedTask.parties):
        kind, why, verb = DECIDED[TaskState(task.state)]
        mark = f"task:{task.id}:{kind}:{_day(task.reported_at)}"
        yield Todo(
            kind, f"task:{task.id}", _label(task), why, _deciders(task, touched, verb), task.reported_by,
            task.reported_at,
            mark=mark, events=since("supervision.decide", task.reported_at), unit_id=task.lead_unit_id,
        )  # fmt: skip


def _day(at: datetime | None) -> str:
    return "" if at is None else local_time(at).date().isoformat()


def _extensions(ask: Ask, touched: frozenset[int]) -> Iterator[Todo]:
    query = (
        select(TaskExtension)
        .join(SupervisedTask, SupervisedTask.id == TaskExtension.task_id)
        .where(
            TaskExtension.state == "asked", SupervisedTask.state.in_(RUNNING),
            SupervisedTask.bureau_id == ask.bureau_id,
        )
        .options(joinedload(TaskExtension.stage).joinedload(TaskStage.task).selectinload(SupervisedTask.parties))
    )  # fmt: skip
    for extension in ask.session.scalars(query.order_by(TaskExtension.id).limit(ask.most)):
        yield _extension(extension, touched)


def _extension(extension: TaskExtension, touched: frozenset[int]) -> Todo:
    task = extension.stage.task

    def may(actor: Actor) -> bool:
        return policy.may(TaskVerb.DECIDE_EXTENSION, actor, task) and policy.may_decide_extension(actor, extension)

    roles = OFFICE | LEADER if touches(task, touched) else OFFICE
    why = N_("%(count)s more working days asked for “%(title)s”", count=extension.days, title=extension.stage.title)
    return Todo(
        "extension", f"task:{task.id}", _label(task), why, Waits(roles=roles, may=may), extension.asked_by,
        extension.asked_at,
        mark=f"extension:{extension.id}", events=since("supervision.decide", extension.asked_at),
        unit_id=task.lead_unit_id,
    )  # fmt: skip


def _of_unit(ask: Ask) -> Iterator[Todo]:
    """What the lead unit and the handlers owe: a signature, the next stage, what was sent back."""
    led = ask.mine(lambda actor: SupervisedTask.lead_unit_id.in_(actor.own_units))
    waiting = and_(SupervisedTask.state == TaskState.ASSIGNED, led)
    working = and_(SupervisedTask.state.in_((TaskState.UNDER_WAY, TaskState.SENT_BACK)), ask.mine(policy.handled_by))
    for task in _tasks(ask, or_(waiting, working), SupervisedTask.stages, SupervisedTask.parties):
        if task.state == TaskState.ASSIGNED:
            yield _due(ask, "sign_for", task, N_("handed to your unit, to be signed for"))
        elif task.state == TaskState.SENT_BACK:
            yield _due(ask, "redo", task, N_("sent back, to be done again"))
        else:
            stage = _next(task)
            is_last = stage.id == task.stages[-1].id
            why = (
                N_("completion to be reported")
                if is_last
                else N_("stage “%(title)s” to be reported", title=stage.title)
            )
            yield _due(ask, "report", task, why)


def _next(task: SupervisedTask) -> TaskStage:
    return next((stage for stage in task.stages if stage.done_on is None), task.stages[-1])


def _due(ask: Ask, kind: str, task: SupervisedTask, why: Message) -> Todo:
    stage = _next(task)
    events: list[tuple[str, date]] = [("supervision.due", stage.due_on)]
    if kind == "sign_for" and task.assigned_on is not None:
        events.append(("supervision.sign_for", task.assigned_on))
    if kind == "redo" and task.sent_back_on is not None:
        events.append(("supervision.returned", task.sent_back_on))
    handlers = frozenset(party.subject_id for party in task.parties if party.role == "handler")
    leaders = frozenset(party.subject_id for party in task.parties if party.role == "leader")
    waits = Waits(
        units=frozenset({task.lead_unit_id}), people=handlers if kind != "sign_for" else frozenset(),
        leaders=leaders or ask.leaders_of([task.lead_unit_id]),
    )  # fmt: skip
    return Todo(
        kind, f"task:{task.id}", _label(task), why, waits, task.assigned_by, None, stage.due_on,
        days_left(stage.due_on, ask.on, ask.calendar), mark=f"stage:{stage.id}:{stage.round}:{stage.due_on}",
        events=events, unit_id=task.lead_unit_id,
        begun_on=task.sent_back_on if kind == "redo" else task.assigned_on,
    )  # fmt: skip


def _parts(ask: Ask) -> Iterator[Todo]:
    query = (
        select(TaskPart)
        .join(SupervisedTask, SupervisedTask.id == TaskPart.task_id)
        .where(
            SupervisedTask.bureau_id == ask.bureau_id, TaskPart.done_on.is_(None),
            SupervisedTask.state.in_((TaskState.UNDER_WAY, TaskState.SENT_BACK)),
            ask.mine(lambda actor: TaskPart.handler_id == actor.subject_id),
        )
        .options(joinedload(TaskPart.task))
    )  # fmt: skip
    for part in ask.session.scalars(query.order_by(TaskPart.due_on, TaskPart.id).limit(ask.most)):
        waits = Waits(people=frozenset({part.handler_id}), leaders=ask.leaders_of([part.task.lead_unit_id]))
        yield Todo(
            "part", f"task:{part.task_id}", Message("%(text)s", {"text": part.matter}),
            N_("your part of %(no)s", no=part.task.no), waits, part.task.signed_by, None, part.due_on,
            days_left(part.due_on, ask.on, ask.calendar), mark=f"part:{part.id}:{part.due_on}",
            events=[("supervision.part", part.due_on)], unit_id=part.task.lead_unit_id,
        )  # fmt: skip
