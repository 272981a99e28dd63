"""What was said and waits for an answer: requests to a leader, urges on what somebody does."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import selectinload

from app.errors import N_, Message
from app.models import Opinion, SupervisedTask
from app.policies.actor import Actor
from app.rules.timetable import local_time
from app.rules.workdays import days_left
from app.services.supervision_todo import handled_by
from app.services.waiting import Ask, Todo, Waits


def opinions_todo(ask: Ask) -> Iterator[Todo]:
    """Requests to the actor, and urges on what is his, that wait for an answer."""
    waiting = and_(
        Opinion.bureau_id == ask.bureau_id, Opinion.is_answered.is_(False), Opinion.kind.in_(("urge", "request")),
        ask.mine(_to),
    )  # fmt: skip
    found = ask.session.scalars(select(Opinion).where(waiting).order_by(Opinion.id).limit(ask.most)).unique().all()
    tasks = _tasks(ask, {it.item_id for it in found if it.kind == "urge" and it.item_type == "supervised_task"})
    for it in found:
        task = tasks.get(it.item_id or 0)
        why = N_("asks for your decision") if it.kind == "request" else N_("urges; to be answered")
        item = f"task:{it.item_id}" if it.item_type == "supervised_task" else f"opinion:{it.id}"
        on = local_time(it.said_at).date()
        due_on = it.due_on if it.kind == "request" else None
        yield Todo(
            "answer", item, Message("%(text)s", {"text": it.content[:80]}), why, _waits(ask, it, task), it.said_by,
            it.said_at, due_on, None if due_on is None else days_left(due_on, ask.on, ask.calendar),
            mark=f"opinion:{it.id}", events=[("opinions.answer", on)],
            unit_id=it.subject_id if task is None else task.lead_unit_id,
        )  # fmt: skip


def _to(actor: Actor) -> ColumnElement[bool]:
    tasks = select(SupervisedTask.id).where(handled_by(actor))
    on_task = and_(Opinion.item_type == "supervised_task", Opinion.item_id.in_(tasks))
    reach = actor.own_units | ({actor.subject_id} - {None})
    of_mine = Opinion.subject_id.in_(reach)
    urged = and_(Opinion.kind == "urge", or_(on_task, of_mine), Opinion.said_by_id != actor.account_id)
    return or_(urged, and_(Opinion.kind == "request", Opinion.to_id == actor.subject_id))


def _tasks(ask: Ask, ids: set[int | None]) -> dict[int, SupervisedTask]:
    if not ids:
        return {}
    query = select(SupervisedTask).where(SupervisedTask.id.in_(ids)).options(selectinload(SupervisedTask.parties))
    return {it.id: it for it in ask.session.scalars(query)}


def _one(subject_id: int | None) -> frozenset[int]:
    return frozenset() if subject_id is None else frozenset({subject_id})


def _waits(ask: Ask, it: Opinion, task: SupervisedTask | None) -> Waits:
    """A request waits for who was asked, and nobody stands above; an urge for who does the work, never who urged."""
    if it.kind == "request":
        return Waits(people=_one(it.to_id))
    units = people = _one(it.subject_id)
    if task is not None:
        units = _one(task.lead_unit_id)
        people = frozenset(party.subject_id for party in task.parties if party.role == "handler")
    return Waits(
        units=units, people=people, may=lambda actor: actor.account_id != it.said_by_id, leaders=ask.leaders_of(units)
    )
