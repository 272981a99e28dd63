"""What was said and waits for an answer: requests to a leader, urges on what somebody does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import selectinload

from app.errors import N_, Message
from app.models import Opinion
from app.policies.actor import Actor
from app.policies.process import Where
from app.policies.processes import ACCESS
from app.rules.timetable import local_time
from app.rules.workdays import days_left
from app.services.process.waiting import Ask, Todo, Waits


def opinions_todo(ask: Ask) -> Iterator[Todo]:
    """Requests to the actor, and urges on what is his, that wait for an answer."""
    waiting = and_(
        Opinion.bureau_id == ask.bureau_id, Opinion.is_answered.is_(False), Opinion.kind.in_(("urge", "request")),
        ask.mine(_to),
    )  # fmt: skip
    found = ask.session.scalars(select(Opinion).where(waiting).order_by(Opinion.id).limit(ask.most)).unique().all()
    places = _places(ask, [it for it in found if it.kind == "urge"])
    for opinion in found:
        where = places.get(opinion.id, Where(opinion.item_type, opinion.subject_id))
        access = ACCESS.get(opinion.item_type)
        why = N_("asks for your decision") if opinion.kind == "request" else N_("urges; to be answered")
        item = f"opinion:{opinion.id}" if access is None else access.item_of(opinion.item_id)
        on = local_time(opinion.said_at).date()
        due_on = opinion.due_on if opinion.kind == "request" else None
        yield Todo(
            "answer", item, Message("%(text)s", {"text": opinion.content[:80]}), why,
            _waits(ask, opinion, where), opinion.said_by, opinion.said_at, due_on,
            None if due_on is None else days_left(due_on, ask.on, ask.calendar),
            mark=f"opinion:{opinion.id}", events=[("opinions.answer", on)],
            unit_id=where.subject_id,
        )  # fmt: skip


def _to(actor: Actor) -> ColumnElement[bool]:
    on_record = [
        and_(Opinion.item_type == item_type, Opinion.item_id.in_(access.of_mine(actor)))
        for item_type, access in ACCESS.items()
    ]
    reach = actor.own_units | ({actor.subject_id} - {None})
    of_mine = Opinion.subject_id.in_(reach)
    urged = and_(Opinion.kind == "urge", or_(of_mine, *on_record), Opinion.said_by_id != actor.account_id)
    return or_(urged, and_(Opinion.kind == "request", Opinion.to_id == actor.subject_id))


def _places(ask: Ask, urges: Sequence[Opinion]) -> dict[int, Where]:
    """Whose the records are that somebody urges on, by opinion; a statement a process."""
    found: dict[int, Where] = {}
    for item_type, access in ACCESS.items():
        asked = {urge.id: urge.item_id for urge in urges if urge.item_type == item_type}
        if asked:
            query = select(access.record).where(access.record.id.in_(asked.values()))
            loaded = query.options(*(selectinload(part) for part in access.loaded))
            records = {record.id: access.where(record) for record in ask.session.scalars(loaded)}
            found |= {pk: records[key] for pk, key in asked.items() if key in records}
    return found


def _one(subject_id: int | None) -> frozenset[int]:
    return frozenset() if subject_id is None else frozenset({subject_id})


def _waits(ask: Ask, opinion: Opinion, where: Where) -> Waits:
    """A request waits for who was asked, and nobody stands above; an urge for who does the work, never who urged."""
    if opinion.kind == "request":
        return Waits(people=_one(opinion.to_id))
    units = _one(where.subject_id)
    people = where.people if where.item_type in ACCESS else units
    return Waits(
        units=units,
        people=people,
        may=lambda actor: actor.account_id != opinion.said_by_id,
        leaders=ask.leaders_of(units),
    )
