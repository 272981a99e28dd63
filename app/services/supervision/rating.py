"""Rating a task and closing it: what it is worth under each clause, and what a bureau above has said of it.

Own ratings are posted when the task is closed, those from above as they come. Source: mission B1 and B3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import Clause, SupervisedTask, TaskRating
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.settings import read_codes
from app.rules.supervision import TaskVerb
from app.rules.timetable import local_time
from app.services.process.acts import needed
from app.services.registration.facts import Typed, read_texts
from app.services.supervision.form import lines_of
from app.services.supervision.ledger import Event, number_of, parties_of, post_events
from app.services.supervision.notices import tell, tell_unit
from app.services.supervision.office import move, note, target_of, wording

WHY = "a rating is worked out for all parties of a task"
WORTH = ("quantity", "points", "value")


@dataclass(slots=True)
class Judged:
    """What was typed for the clauses of a rating: the sound ones by code, and the faults by `code.field`."""

    facts: dict[str, Typed] = field(default_factory=dict)
    faults: dict[str, Message] = field(default_factory=dict)


def refused(judged: Judged) -> RuleViolation:
    """A rating with faults as the refusal that ends its transaction."""
    return RuleViolation(next(iter(judged.faults.values())))


def clauses_of(session: Session, task: SupervisedTask) -> Sequence[Clause]:
    """The clauses a task is rated under, in the order named."""
    codes = read_codes(task.rating_clauses)
    found = {
        clause.code: clause
        for clause in session.scalars(select(Clause).where(Clause.bureau_id == task.bureau_id, Clause.code.in_(codes)))
    }
    return [found[code] for code in codes if code in found]


def judge(session: Session, task: SupervisedTask, worth: Mapping[str, Mapping[str, str]], *, on: date) -> Judged:
    """Read a worth per clause as the ledger would; a clause left blank posts nothing."""
    found = Judged()
    for code, typed in worth.items():
        if not any(typed.get(name, "").strip() for name in WORTH):
            continue
        texts = {
            "occurred_on": on.isoformat(), "clause": code, "subject": task.lead_unit.code, "work_key": task.no,
            "parties": parties_of(task), "remark": task.matter, **{name: typed.get(name, "") for name in WORTH},
        }  # fmt: skip
        read = read_texts(session, texts, bureau_id=task.bureau_id)
        found.facts[code] = read
        for name, fault in read.faults.items():
            found.faults[f"{code}.{name if name in WORTH else 'quantity'}"] = fault
    return found


def rate_task(
    session: Session, task: SupervisedTask, worth: Mapping[str, Mapping[str, str]], *, opinion: str, seen: int,
    actor: Actor, now: datetime,
) -> Judged | None:  # fmt: skip
    """Rate an accepted task under its clauses; rating again replaces it. What was typed comes back with its faults."""
    target = target_of(task, TaskVerb.RATE, seen=seen, actor=actor)
    opinion = needed(opinion, "opinion")
    clauses = {it.code: it for it in clauses_of(session, task)}
    judged = judge(session, task, {code: worth.get(code, {}) for code in clauses}, on=local_time(now).date())
    if judged.faults:
        return judged
    own = delete(TaskRating.__table__).where(TaskRating.task_id == task.id, TaskRating.issuer == "")
    unscoped(session, WHY).execute(own)
    for code, typed in judged.facts.items():
        session.add(_rating(task, clauses[code], typed, actor=actor, now=now))
    task.state, task.rated_by, task.rating_opinion = target, actor.name, opinion
    note(session, task, TaskVerb.RATE, actor=actor, now=now, reason=opinion,
         after={code: _worth(it) for code, it in judged.facts.items()})  # fmt: skip
    return None


def _rating(task: SupervisedTask, clause: Clause, typed: Typed, *, actor: Actor, now: datetime) -> TaskRating:
    values = typed.values
    return TaskRating(
        task_id=task.id, clause_id=clause.id, quantity=values.get("quantity"), points=values.get("points"),
        value=values.get("value"), rated_by_id=actor.account_id, rated_by=actor.name, rated_at=now,
    )  # fmt: skip


def _worth(typed: Typed) -> str:
    return " ".join(f"{name}={typed.values[name]}" for name in WORTH if typed.values.get(name) is not None)


def ratings_of(session: Session, task: SupervisedTask) -> Sequence[TaskRating]:
    """The ratings of a task that may be seen, own ones first."""
    query = select(TaskRating).where(TaskRating.task_id == task.id)
    return session.scalars(query.order_by(TaskRating.issuer, TaskRating.id)).all()


def close_task(session: Session, task: SupervisedTask, *, seen: int, actor: Actor, now: datetime) -> int:
    """Close a rated task and post what it is worth; answers how many facts were new."""
    target, today = target_of(task, TaskVerb.CLOSE, seen=seen, actor=actor), local_time(now).date()
    task.state, task.closed_by, task.closed_on = target, actor.name, today
    own = [it for it in ratings_of(session, task) if not it.issuer]
    events = [_event(task, it, f"rating:{it.clause_id}", f"R{it.clause_id}", "rating_remark", today) for it in own]
    posted = post_events(session, task.bureau_id, events, by=actor.name, now=now)
    note(session, task, TaskVerb.CLOSE, actor=actor, now=now, after={"entries": [it.no for it in posted]})
    text = N_("%(no)s %(matter)s is closed: %(opinion)s", no=task.no, matter=task.matter, opinion=task.rating_opinion)
    tell_unit(session, task, text, key="closed", actor=actor, now=now, wide=True)
    if task.source == "instruction" and task.created_by_id is not None:
        tell(session, task, [task.created_by_id], text, key="closed", actor=actor, now=now)
    return len(posted)


def _event(task: SupervisedTask, rating: TaskRating, occasion: str, suffix: str, remark: str, day: date) -> Event:
    assert rating.clause is not None
    words = {"no": task.no, "matter": task.matter, "issuer": rating.issuer}
    return Event(
        task, occasion, number_of(task, suffix), rating.clause.code, day, wording()[remark].format(**words),
        quantity=Decimal(1) if rating.quantity is None else rating.quantity, points=rating.points, value=rating.value,
    )  # fmt: skip


def rate_above(
    session: Session, task: SupervisedTask, *, issuer: str, document: str, clause: str, worth: Mapping[str, str],
    opinion: str, actor: Actor, now: datetime,
) -> Judged | None:  # fmt: skip
    """Record what a bureau above has said of a task; under a clause it posts at once, like the bureau's own."""
    move(task, TaskVerb.RATE_ABOVE, seen=None, actor=actor)
    issuer, today = needed(issuer, "issuer", 200), local_time(now).date()
    if not clause and not opinion.strip():
        raise RuleViolation(N_("Give a clause with its worth, or what was said."), field_name="opinion")
    rating = TaskRating(
        task_id=task.id, issuer=issuer, document=document.strip()[:200], opinion=opinion.strip()[:2000],
        rated_by_id=actor.account_id, rated_by=actor.name, rated_at=now,
    )  # fmt: skip
    posted = []
    if clause:
        typed = {name: worth.get(name, "") for name in WORTH}
        if not any(it.strip() for it in typed.values()):
            typed["quantity"] = "1"
        lines = lines_of(session, task.bureau_id, on=today)
        judged = judge(session, task, {clause: typed}, on=today)
        named = judged.facts[clause].clause
        if lines and named is not None and named.indicator_code not in lines:
            raise RuleViolation(N_("“%(code)s” is no clause of supervision.", code=clause), field_name="clause")
        if judged.faults:
            return judged
        found = judged.facts[clause]
        assert found.clause is not None
        rating.clause_id, rating.quantity = found.clause.id, found.values.get("quantity")
        rating.points, rating.value = found.values.get("points"), found.values.get("value")
        session.add(rating)
        session.flush()
        event = _event(task, rating, f"above:{rating.id}", f"A{rating.id}", "above_remark", today)
        posted = post_events(session, task.bureau_id, [event], by=actor.name, now=now)
    session.add(rating)
    note(session, task, TaskVerb.RATE_ABOVE, actor=actor, now=now, reason=opinion.strip()[:2000],
         after={"issuer": issuer, "entries": [it.no for it in posted]})  # fmt: skip
    text = N_("%(no)s %(matter)s: %(issuer)s has rated it.", no=task.no, matter=task.matter, issuer=issuer)
    tell_unit(session, task, text, key=f"above:{rating.id}", actor=actor, now=now, wide=True)
    return None
