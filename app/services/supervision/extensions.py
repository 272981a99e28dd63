"""More time for a stage: asked for with a reason, decided by somebody else."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Message, RuleViolation
from app.models import SupervisedTask, TaskExtension, TaskStage
from app.policies import supervision as policy
from app.policies.actor import Actor, require
from app.rules.supervision import TaskVerb, may_extend
from app.rules.timetable import local_time
from app.services.bureau.calendar import work_calendar
from app.services.bureau.rules import rules_of
from app.services.process.acts import needed
from app.services.supervision.notices import tell_office, tell_unit
from app.services.supervision.office import move, note


def ask_extension(
    session: Session, task: SupervisedTask, stage: TaskStage, *, days: int | None, reason: str, actor: Actor,
    now: datetime,
) -> TaskExtension:  # fmt: skip
    """Ask for more working days for a stage that is not late yet."""
    move(task, TaskVerb.ASK_EXTENSION, seen=None, actor=actor)
    today, rules = local_time(now).date(), rules_of(session, task.bureau_id)
    most = rules.read("supervision.extension_days", today)
    if stage.task_id != task.id or stage.done_on is not None:
        raise Conflict(N_("This stage is not open."))
    refusal = why_not_extended(stage, rules.read("supervision.extensions", today), today)
    if refusal is not None:
        raise RuleViolation(refusal, field_name="stage")
    if days is None or not 1 <= days <= most:
        raise RuleViolation(N_("Between 1 and %(count)s working days.", count=most), field_name="days")
    waiting = select(TaskExtension.id).where(TaskExtension.stage_id == stage.id, TaskExtension.state == "asked")
    if session.scalar(waiting) is not None:
        raise Conflict(N_("A request for this stage still waits for its decision."))
    new = work_calendar(session, task.bureau_id).after(stage.due_on, days)
    _check_next(task, stage, new)
    request = TaskExtension(
        task_id=task.id, stage_id=stage.id, days=days, reason=needed(reason), old_due_on=stage.due_on, new_due_on=new,
        state="asked", asked_by_id=actor.account_id, asked_by=actor.name, asked_at=now,
    )  # fmt: skip
    session.add(request)
    note(session, task, TaskVerb.ASK_EXTENSION, actor=actor, now=now, reason=request.reason,
         after={"stage": stage.title, "days": days})  # fmt: skip
    text = N_(
        "%(no)s, stage “%(title)s”: %(count)s more working days are asked for.",
        no=task.no, title=stage.title, count=days,
    )  # fmt: skip
    tell_office(session, task, text, key=f"extension:{request.id}", actor=actor, now=now)
    return request


def _check_next(task: SupervisedTask, stage: TaskStage, new: date) -> None:
    """A stage ends before the next one, also with more time."""
    after = [it for it in task.stages if it.position > stage.position]
    if after and new >= after[0].due_on:
        raise RuleViolation(
            N_("The next stage ends on %(day)s: ask for more time there first.", day=after[0].due_on.isoformat()),
            field_name="days",
        )


def why_not_extended(stage: TaskStage, most: int, today: date) -> Message | None:
    """Why a stage cannot get more time; None where it can."""
    if may_extend(stage.extensions, most, stage.due_on, today):
        return None
    if today > stage.due_on:
        return N_("More time is asked for before a stage is late.")
    return N_("The stage has been extended %(count)s times; more is not allowed.", count=stage.extensions)


def decide_extension(
    session: Session, request: TaskExtension, *, is_granted: bool, opinion: str, actor: Actor, now: datetime
) -> None:
    """Grant or refuse more time; a granted one moves the deadline by working days."""
    task, stage = request.stage.task, request.stage
    move(task, TaskVerb.DECIDE_EXTENSION, seen=None, actor=actor)
    require(
        actor.is_system or policy.may_decide_extension(actor, request),
        N_("A second person decides, and each request once."),
    )
    if not is_granted:
        needed(opinion, "opinion")
    request.state = "granted" if is_granted else "refused"
    request.opinion, request.decided_by_id, request.decided_by = opinion.strip()[:2000], actor.account_id, actor.name
    request.decided_at = now
    before = {stage.title: stage.due_on.isoformat()}
    if is_granted:
        calendar = work_calendar(session, task.bureau_id)
        _check_next(task, stage, calendar.after(stage.due_on, request.days))
        if stage.due_days is None:
            stage.anchor_on, stage.due_days = stage.due_on, request.days
        else:
            stage.due_days += request.days
        assert stage.anchor_on is not None
        stage.due_on = calendar.after(stage.anchor_on, stage.due_days)
        stage.extensions += 1
        if stage.position == task.stages[-1].position:
            task.due_on = stage.due_on
    verb = "grant_extension" if is_granted else "refuse_extension"
    note(session, task, verb, actor=actor, now=now, reason=request.opinion, before=before,
         after={stage.title: stage.due_on.isoformat()})  # fmt: skip
    said = N_("granted") if is_granted else N_("refused")
    text = N_("%(no)s, stage “%(title)s”: more time was %(decision)s.", no=task.no, title=stage.title, decision=said)
    tell_unit(session, task, text, key=f"extension:{request.id}", actor=actor, now=now)
