"""The verbs of the unit: sign for, split, report stage by stage, report completion.

Each verb: permit, move, change, score, trace, notify. Source: mission B3.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from app.errors import N_, Conflict, RuleViolation
from app.models import Subject, SupervisedTask, TaskExtension, TaskPart, TaskParty, TaskReport, TaskStage
from app.policies import supervision as policy
from app.policies.actor import SYSTEM, Actor, require
from app.rules.supervision import TaskVerb
from app.rules.timetable import local_time
from app.rules.workdays import days_late
from app.services.bureau.calendar import work_calendar
from app.services.bureau.rules import rules_of
from app.services.messages.notices import accounts_of, of_people
from app.services.process.acts import NOT_YOURS, needed
from app.services.supervision.form import people_of
from app.services.supervision.night import Night, post_late
from app.services.supervision.notices import tell, tell_office, tell_unit
from app.services.supervision.office import move, note

PROGRESS = ("done", "partly", "not_yet")
MOST_COUNT = 1_000_000


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a unit says of a stage: how far, in numbers where there are some, when it expects to be done."""

    content: str
    progress: str = "done"
    done_count: int | None = None
    of_count: int | None = None
    expected_on: date | None = None


def sign_for_task(
    session: Session, task: SupervisedTask, *, handlers: Collection[str], seen: int, actor: Actor, now: datetime
) -> None:
    """Sign for a task and name who handles it, people of the unit; none named leaves those that are."""
    move(task, TaskVerb.SIGN_FOR, seen=seen, actor=actor)
    today = local_time(now).date()
    task.signed_by, task.signed_at = actor.name, now
    if handlers:
        _name_handlers(session, task, handlers, on=today)
    if not any(party.role == "handler" for party in task.parties):
        raise RuleViolation(N_("Name who handles it."), field_name="handlers")
    note(session, task, TaskVerb.SIGN_FOR, actor=actor, now=now,
         after={"handlers": [party.subject.code for party in task.parties if party.role == "handler"]})  # fmt: skip
    text = N_("%(no)s %(matter)s: you handle it.", no=task.no, matter=task.matter)
    tell(session, task, of_people(session, task, "handler"), text, key=f"handler:{task.lock_version}", actor=actor,
         now=now)  # fmt: skip
    text = N_("%(no)s %(matter)s was signed for.", no=task.no, matter=task.matter)
    tell_office(session, task, text, key=f"signed:{task.lock_version}", actor=actor, now=now)


def name_handlers(
    session: Session, task: SupervisedTask, *, handlers: Collection[str], seen: int, actor: Actor, now: datetime
) -> None:
    """Name other handlers: what is posted from then on is theirs; what was posted stays where it is."""
    move(task, TaskVerb.NAME_HANDLERS, seen=seen, actor=actor)
    if not handlers:
        raise RuleViolation(N_("Name who handles it."), field_name="handlers")
    before = sorted(it.code for it in handlers_of(task))
    _name_handlers(session, task, handlers, on=local_time(now).date())
    flag_modified(task, "state")  # the row is touched though only its parties changed
    note(session, task, TaskVerb.NAME_HANDLERS, actor=actor, now=now, before={"handlers": before},
         after={"handlers": sorted(set(handlers))})  # fmt: skip
    text = N_("%(no)s %(matter)s: you handle it.", no=task.no, matter=task.matter)
    new = [it.id for it in handlers_of(task) if it.code not in before]
    tell(session, task, accounts_of(session, new), text, key=f"handler:{task.lock_version}", actor=actor, now=now)


def _name_handlers(session: Session, task: SupervisedTask, codes: Collection[str], *, on: date) -> None:
    people = {it.code: it for it in people_of(session, task.lead_unit_id, on=on)}
    unknown = sorted(set(codes) - people.keys())
    if unknown:
        raise RuleViolation(N_("“%(code)s” is nobody of this unit.", code=unknown[0]), field_name="handlers")
    for old in [party for party in task.parties if party.role == "handler"]:
        session.delete(old)
    session.flush()
    session.add_all(
        TaskParty(task_id=task.id, role="handler", subject_id=people[code].id) for code in sorted(set(codes))
    )
    session.flush()
    session.expire(task, ["parties"])


def split_task(
    session: Session, task: SupervisedTask, *, handler: str, matter: str, due_on: date | None, seen: int, actor: Actor,
    now: datetime,
) -> TaskPart:  # fmt: skip
    """Give one of the unit's people a piece of the task, with a day inside the task's own."""
    move(task, TaskVerb.SPLIT, seen=seen, actor=actor)
    today = local_time(now).date()
    people = {it.code: it for it in people_of(session, task.lead_unit_id, on=today)}
    if handler not in people:
        raise RuleViolation(N_("“%(code)s” is nobody of this unit.", code=handler), field_name="handler")
    if due_on is None or not today <= due_on <= task.due_on:
        raise RuleViolation(
            N_("The day lies between today and %(day)s.", day=task.due_on.isoformat()), field_name="due_on"
        )
    part = TaskPart(task_id=task.id, handler_id=people[handler].id, matter=needed(matter, "matter", 300), due_on=due_on)
    session.add(part)
    session.flush()
    session.expire(task, ["parts"])
    note(session, task, TaskVerb.SPLIT, actor=actor, now=now, reason=part.matter,
         after={"handler": handler, "due_on": due_on.isoformat()})  # fmt: skip
    text = N_("%(no)s: a part is yours: %(matter)s", no=task.no, matter=part.matter)
    tell(session, task, accounts_of(session, [part.handler_id]), text, key=f"part:{part.id}", actor=actor, now=now)
    return part


def finish_part(session: Session, part: TaskPart, *, result: str, actor: Actor, now: datetime) -> None:
    """Say that a part is done: who handles it, or the unit's head or clerk."""
    task = part.task
    move(task, TaskVerb.FINISH_PART, seen=None, actor=actor)
    require(part.handler_id == actor.subject_id or policy.leads(actor, task), NOT_YOURS)
    if part.done_on is not None:
        raise Conflict(N_("This part is done already."))
    part.result, part.done_by, part.done_on = needed(result, "result"), actor.name, local_time(now).date()
    note(session, task, TaskVerb.FINISH_PART, actor=actor, now=now, reason=part.result, after={"part": part.matter})
    text = N_("%(no)s: the part “%(matter)s” is done.", no=task.no, matter=part.matter)
    tell_unit(session, task, text, key=f"part-done:{part.id}", actor=actor, now=now)


def report_stage(
    session: Session, task: SupervisedTask, stage: TaskStage | None, said: Feedback, *, actor: Actor, now: datetime
) -> TaskReport:
    """Report on a stage; without one it is what an assisting unit has done. A stage reported as done is done today."""
    move(task, TaskVerb.REPORT, seen=None, actor=actor)
    content, today = needed(said.content, "content"), local_time(now).date()
    _check(said)
    is_assist = stage is None
    if is_assist and not policy.assists(actor, task):
        raise RuleViolation(N_("Choose the stage you report on."), field_name="stage")
    if stage is not None:
        require(policy.leads(actor, task) or policy.handles(actor, task), NOT_YOURS)
        if stage.task_id != task.id or stage.done_on is not None:
            raise Conflict(N_("This stage is not open."))
        if stage.id == task.stages[-1].id and said.progress == "done":
            raise RuleViolation(N_("The last stage is done by the completion report."), field_name="progress")
    report = TaskReport(
        task_id=task.id, stage_id=None if stage is None else stage.id, kind="assist" if is_assist else "stage",
        progress=said.progress, done_count=said.done_count, of_count=said.of_count, expected_on=said.expected_on,
        content=content, reported_by_id=actor.account_id, reported_by=actor.name, reported_at=now,
        unit_id=_unit_of(actor, task),
    )  # fmt: skip
    session.add(report)
    if stage is not None and said.progress == "done":
        _finish(session, task, [stage], on=today, now=now)
    note(session, task, TaskVerb.REPORT, actor=actor, now=now, reason=content,
         after={"stage": "" if stage is None else stage.title, "progress": said.progress})  # fmt: skip
    text = N_("%(no)s %(matter)s: %(name)s has reported.", no=task.no, matter=task.matter, name=actor.name)
    tell_office(session, task, text, key=f"report:{report.id}", actor=actor, now=now)
    return report


def _check(said: Feedback) -> None:
    if said.progress not in PROGRESS:
        raise RuleViolation(N_("Say how far it is."), field_name="progress")
    counts = [it for it in (said.done_count, said.of_count) if it is not None]
    if any(not 0 <= count <= MOST_COUNT for count in counts):
        raise RuleViolation(N_("At most %(count)s.", count=MOST_COUNT), field_name="done_count")
    if said.done_count is not None and said.of_count is not None and said.done_count > said.of_count:
        raise RuleViolation(N_("No more can be done than there is to do."), field_name="done_count")


def _unit_of(actor: Actor, task: SupervisedTask) -> int | None:
    """For which unit the actor reports: the lead unit where he heads or handles, else the assisting one."""
    if policy.leads(actor, task) or policy.handles(actor, task):
        return task.lead_unit_id
    return next(
        (party.subject_id for party in task.parties if party.role == "assist" and party.subject_id in actor.own_units),
        None,
    )


def _finish(session: Session, task: SupervisedTask, stages: list[TaskStage], *, on: date, now: datetime) -> None:
    """Stages are done today: what was late of them is posted, a request for more time is over."""
    calendar, rules = work_calendar(session, task.bureau_id), rules_of(session, task.bureau_id)
    for stage in stages:
        stage.done_on, stage.late_days = on, stage.late_days + days_late(stage.due_on, on, calendar)
    ids = [stage.id for stage in stages]
    waiting = select(TaskExtension).where(TaskExtension.stage_id.in_(ids), TaskExtension.state == "asked")
    for request in session.scalars(waiting):
        request.state = "withdrawn"
    session.flush()
    done = Night()
    post_late(session, task.bureau_id, stages, calendar, rules, through=on, done=done, actor=SYSTEM, now=now)
    if done.faults:
        raise RuleViolation(done.faults[0][1])


def complete_task(
    session: Session, task: SupervisedTask, *, content: str, seen: int, actor: Actor, now: datetime
) -> None:
    """Report that all is done; stages still open end with it. Parts given to people must be done."""
    move(task, TaskVerb.COMPLETE, seen=seen, actor=actor)
    content, today = needed(content, "content"), local_time(now).date()
    open_parts = [part for part in task.parts if part.done_on is None]
    if open_parts:
        first = open_parts[0].matter
        text = N_("%(count)s parts are not done yet, the first: %(matter)s", count=len(open_parts), matter=first)
        raise RuleViolation(text, field_name="content")
    session.add(
        TaskReport(
            task_id=task.id, stage_id=task.stages[-1].id, kind="completion", progress="done", content=content,
            reported_by_id=actor.account_id, reported_by=actor.name, reported_at=now, unit_id=task.lead_unit_id,
        )
    )  # fmt: skip
    task.reported_by_id, task.reported_by, task.reported_at = actor.account_id, actor.name, now
    _finish(session, task, [stage for stage in task.stages if stage.done_on is None], on=today, now=now)
    note(session, task, TaskVerb.COMPLETE, actor=actor, now=now, reason=content)
    text = N_("%(no)s %(matter)s is reported as done; accept it or send it back.", no=task.no, matter=task.matter)
    tell_office(session, task, text, key=f"completed:{task.lock_version}", actor=actor, now=now)


def take_back_report(session: Session, task: SupervisedTask, *, seen: int, actor: Actor, now: datetime) -> None:
    """Take a completion report back that nobody has accepted; the stages it ended are open again as they were."""
    move(task, TaskVerb.TAKE_BACK, seen=seen, actor=actor)
    calendar = work_calendar(session, task.bureau_id)
    reported = select(TaskReport.stage_id).where(
        TaskReport.task_id == task.id, TaskReport.kind == "stage", TaskReport.progress == "done"
    )
    by_themselves = set(session.scalars(reported))
    for stage in task.stages:
        if stage.done_on is not None and stage.id not in by_themselves:
            stage.late_days -= days_late(stage.due_on, stage.done_on, calendar)
            stage.done_on = None
    task.reported_at, task.reported_by, task.reported_by_id = None, "", None
    note(session, task, TaskVerb.TAKE_BACK, actor=actor, now=now)


def stage_of(task: SupervisedTask, pk: int | None) -> TaskStage | None:
    """A stage of a task by its id; None where it is none of it."""
    return next((stage for stage in task.stages if stage.id == pk), None)


def open_stages(task: SupervisedTask) -> list[TaskStage]:
    """The stages that feedback may be given on: those not done yet."""
    return [stage for stage in task.stages if stage.done_on is None]


def handlers_of(task: SupervisedTask) -> list[Subject]:
    return [party.subject for party in task.parties if party.role == "handler"]
