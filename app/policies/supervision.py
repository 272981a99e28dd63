"""Who sees a supervised task, and which verb each may do: the office that hands over, the unit that does, who decides.

Nobody decides about a task in which he or his own unit has a part. Source: mission B3, trust demands AC-04 and AC-08.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from app.models import (
    SupervisedTask,
    TaskExtension,
    TaskPart,
    TaskParty,
    TaskRating,
    TaskReport,
    TaskSlip,
    TaskStage,
)
from app.policies.actor import Actor
from app.policies.process import Access, Where
from app.policies.scoping import apart
from app.rules.supervision import OPEN, RUNNING, TRANSITIONS, TaskState, TaskVerb


def visible_tasks(actor: Actor) -> ColumnElement[bool]:
    """The office sees all, leaders and the assessment office what was handed over, others what they have a part in."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = SupervisedTask.bureau_id == actor.bureau_id
    if actor.has("supervision_office"):
        return mine
    handed_over = SupervisedTask.state != TaskState.DRAFT
    own_draft = and_(SupervisedTask.state == TaskState.DRAFT, SupervisedTask.created_by_id == actor.account_id)
    if actor.sees_bureau:
        return and_(mine, or_(handed_over, own_draft))
    reach = actor.own_units | actor.selves
    party, part = TaskParty.__table__.alias().c, TaskPart.__table__.alias().c
    has_part = or_(
        SupervisedTask.lead_unit_id.in_(actor.own_units),
        SupervisedTask.id.in_(select(party.task_id).where(party.subject_id.in_(reach))),
        SupervisedTask.id.in_(select(part.task_id).where(part.handler_id.in_(actor.selves))),
    )
    return and_(mine, or_(own_draft, and_(handed_over, has_part)))


def _of_task(actor: Actor, column: object) -> ColumnElement[bool]:
    """What hangs on a task is seen with it."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    return column.in_(select(SupervisedTask.id).where(visible_tasks(actor)).correlate(None))  # type: ignore[attr-defined, no-any-return]


def visible_stages(actor: Actor) -> ColumnElement[bool]:
    return _of_task(actor, TaskStage.task_id)


def visible_parties(actor: Actor) -> ColumnElement[bool]:
    return _of_task(actor, TaskParty.task_id)


def visible_parts(actor: Actor) -> ColumnElement[bool]:
    return _of_task(actor, TaskPart.task_id)


def visible_reports(actor: Actor) -> ColumnElement[bool]:
    return _of_task(actor, TaskReport.task_id)


def visible_extensions(actor: Actor) -> ColumnElement[bool]:
    return _of_task(actor, TaskExtension.task_id)


def visible_slips(actor: Actor) -> ColumnElement[bool]:
    return _of_task(actor, TaskSlip.task_id)


def visible_ratings(actor: Actor) -> ColumnElement[bool]:
    """The bureau's own rating is nobody's knowledge before the task is closed, but for who gives it."""
    seen = _of_task(actor, TaskRating.task_id)
    if actor.is_system or actor.has("supervision_office") or actor.sees_bureau:
        return seen
    closed = select(SupervisedTask.id).where(SupervisedTask.state == TaskState.CLOSED).correlate(None)
    return and_(seen, or_(TaskRating.issuer != "", TaskRating.task_id.in_(closed)))


def sees_rating(actor: Actor, task: SupervisedTask) -> bool:
    """Whether the bureau's own rating of a task, and the opinion with it, are open to the actor."""
    return task.state == TaskState.CLOSED or actor.is_system or actor.sees_bureau or actor.has("supervision_office")


def may_register(actor: Actor) -> bool:
    """Tasks are registered by the supervision office; a leader's instruction makes a draft for it."""
    return actor.has("supervision_office")


def leads(actor: Actor, task: SupervisedTask) -> bool:
    """Whether the actor heads or clerks the lead unit."""
    return task.lead_unit_id in actor.own_units


def handled_by(actor: Actor) -> ColumnElement[bool]:
    """Tasks the actor's units lead or he handles, as a set of ids."""
    party = apart(TaskParty, "what hangs on a task is seen with it").c
    mine = select(party.task_id).where(party.role == "handler", party.subject_id == actor.subject_id)
    return or_(SupervisedTask.lead_unit_id.in_(actor.own_units), SupervisedTask.id.in_(mine))


def handles(actor: Actor, task: SupervisedTask) -> bool:
    return any(party.role == "handler" and party.subject_id == actor.subject_id for party in task.parties)


def assists(actor: Actor, task: SupervisedTask) -> bool:
    return any(party.role == "assist" and party.subject_id in actor.own_units for party in task.parties)


def has_part(actor: Actor, task: SupervisedTask) -> bool:
    """Whether the score of the actor or of the own unit follows the task: then somebody else decides about it."""
    units = actor.stakes
    if task.lead_unit_id in units:
        return True
    return any(party.subject_id in units | actor.selves for party in task.parties)


def _is_office(actor: Actor, _task: SupervisedTask) -> bool:
    return actor.has("supervision_office")


def _decides(actor: Actor, task: SupervisedTask) -> bool:
    """The supervision office or a bureau leader, and nobody with a part in the task or who reported it as done."""
    if task.reported_by_id is not None and task.reported_by_id == actor.account_id:
        return False
    return actor.has("supervision_office", "bureau_leader") and not has_part(actor, task)


def _cancels(actor: Actor, task: SupervisedTask) -> bool:
    """A draft is the office's own; what was handed over is given up only by who has no part in it."""
    return _is_office(actor, task) if task.state == TaskState.DRAFT else _decides(actor, task)


def _urges(actor: Actor, _task: SupervisedTask) -> bool:
    return actor.has("supervision_office", "bureau_leader")


def _works(actor: Actor, task: SupervisedTask) -> bool:
    return leads(actor, task) or handles(actor, task)


def _reports(actor: Actor, task: SupervisedTask) -> bool:
    return _works(actor, task) or assists(actor, task)


def _has_unfinished_part(actor: Actor, task: SupervisedTask) -> bool:
    return any(
        part.done_on is None and (part.handler_id == actor.subject_id or leads(actor, task)) for part in task.parts
    )


VERBS: Mapping[TaskVerb, Callable[[Actor, SupervisedTask], bool]] = {
    TaskVerb.CHANGE: _is_office,
    TaskVerb.ASSIGN: _is_office,
    TaskVerb.RECALL: _is_office,
    TaskVerb.SIGN_FOR: leads,
    TaskVerb.NAME_HANDLERS: leads,
    TaskVerb.SPLIT: leads,
    TaskVerb.FINISH_PART: _has_unfinished_part,
    TaskVerb.REPORT: _reports,
    TaskVerb.ASK_EXTENSION: _works,
    TaskVerb.DECIDE_EXTENSION: _decides,
    TaskVerb.URGE: _urges,
    TaskVerb.COMPLETE: _works,
    TaskVerb.TAKE_BACK: _works,
    TaskVerb.ACCEPT: _decides,
    TaskVerb.SEND_BACK: _decides,
    TaskVerb.RATE: _decides,
    TaskVerb.RATE_ABOVE: _decides,
    TaskVerb.CLOSE: _decides,
    TaskVerb.CANCEL: _cancels,
}


def may(verb: TaskVerb, actor: Actor, task: SupervisedTask) -> bool:
    """Whether the actor may do a verb on a task, whatever state it is in."""
    return actor.is_system or (task.bureau_id == actor.bureau_id and VERBS[verb](actor, task))


def open_verbs(actor: Actor, task: SupervisedTask) -> frozenset[TaskVerb]:
    """The verbs that are open to the actor now: the arrows of the state, as far as the actor may."""
    state = TaskState(task.state)
    return frozenset(it for it in TaskVerb if (state, it) in TRANSITIONS and may(it, actor, task))


def may_decide_extension(actor: Actor, extension: TaskExtension) -> bool:
    """Who asked for more time does not decide it."""
    return extension.state == "asked" and extension.asked_by_id != actor.account_id


def may_attach(actor: Actor, task: SupervisedTask) -> bool:
    """Files are added by who works on the task and by the office, until it is closed."""
    if task.state not in (TaskState.DRAFT, *OPEN):
        return False
    return actor.has("supervision_office") or (task.state != TaskState.DRAFT and _reports(actor, task))


def where(task: SupervisedTask) -> Where:
    """Whose a task is, for what is said on it: the lead unit and the handlers do it."""
    handlers = {party.subject_id for party in task.parties if party.role == "handler"}
    return Where(
        "supervised_task", task.lead_unit_id, frozenset(party.subject_id for party in task.parties),
        frozenset(handlers | {task.lead_unit_id}), task.state in RUNNING,
        frozenset(party.subject_id for party in task.parties if party.role == "assist"),
    )  # fmt: skip


def name_of(task: SupervisedTask) -> str:
    """How a task is called in a sentence."""
    return f"{task.no} {task.matter}".strip()


ACCESS = Access(
    record=SupervisedTask, noun="task", keepers=("supervision_office", "assessment_office"), visible=visible_tasks,
    mine=handled_by, where=where, name_of=name_of, loaded=(SupervisedTask.parties,),
)  # fmt: skip
