"""A leader's instruction, given on any record or freely: it becomes the draft of a supervised task in the same act.

Source: mission B11.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Opinion, SupervisedTask
from app.policies import opinions as policy
from app.policies.actor import Actor, require
from app.rules.timetable import local_time
from app.services.bureau.rules import rules_of
from app.services.messages import notices
from app.services.process import opinions
from app.services.process.acts import needed
from app.services.supervision.form import Known, TypedTask, known_of, read_task
from app.services.supervision.office import draft_task, wording


def instruct(
    session: Session, place: opinions.Place, content: str, *, lead: str, due: str, actor: Actor, now: datetime
) -> Opinion:
    """Give an instruction that becomes a supervised task in the same act, each pointing to the other.

    `lead` is the code of the unit that is to do it, `due` a day or a number of working days.
    """
    require(policy.may_instruct(actor) and actor.bureau_id is not None)
    assert actor.bureau_id is not None
    today, content = local_time(now).date(), needed(content, "content", 2000)
    known = known_of(session, actor.bureau_id, on=today)
    rules = rules_of(session, actor.bureau_id)
    texts = {
        "source": "instruction", "source_text": wording()["instruction_source"].format(name=actor.name)[:300],
        "matter": content.splitlines()[0][:300], "demand": content, "leads": lead, "due": due,
        "last_stage": wording()["last_stage"], "late_clause": rules.text("supervision.late_clause", today),
        "rating_clauses": rules.text("supervision.rating_clauses", today),
    }  # fmt: skip
    typed = read_task(texts, [], known=known, today=today)
    if not typed.is_sound:
        name, fault = next(iter(typed.faults.items()))
        raise RuleViolation(fault, field_name={"leads": "lead"}.get(name, name))
    accounts = opinions.concerned(session, place, now)
    if place.answers is not None:
        require(place.answers.to_id in actor.selves)
        accounts |= {it for it in (place.answers.said_by_id,) if it is not None}
        place.answers.is_answered = True
    said = opinions.say(session, place, "instruction", content, accounts, actor=actor, now=now, answers=place.answers)
    task = draft_of_instruction(session, typed, known, bureau_id=actor.bureau_id, actor=actor, now=now)
    said.task_id, said.due_on = task.id, task.due_on
    session.flush()
    office = notices.holders(session, actor.bureau_id, "supervision_office", on=today)
    notices.say(
        session, office, category=opinions.CATEGORY, key=f"opinion:{said.id}:office",
        text=N_("%(name)s has given an instruction; hand the task over: %(matter)s", name=actor.name,
                matter=task.matter),
        item=f"task:{task.id}", bureau_id=actor.bureau_id, now=now,
    )  # fmt: skip
    return said


def draft_of_instruction(
    session: Session, typed: TypedTask, known: Known, *, bureau_id: int, actor: Actor, now: datetime
) -> SupervisedTask:
    """The draft that a leader's instruction becomes; the supervision office completes it and hands it over."""
    require(actor.has("bureau_leader"))
    return draft_task(session, typed, known, typed.leads[0], batch="", bureau_id=bureau_id, actor=actor, now=now)


def origin_of(session: Session, task: SupervisedTask) -> Opinion | None:
    """The instruction a task came from, where it may be seen."""
    return session.scalars(select(Opinion).where(Opinion.task_id == task.id)).unique().first()
