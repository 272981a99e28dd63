"""Whom an act on a supervised task is said to: unit, handlers, leaders, the office; each sentence once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import Message
from app.models import Account, Posting, RoleGrant, SupervisedTask
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.timetable import local_time
from app.services.messages import notices
from app.services.messages.notices import of_people

WHY = "who is told follows from the task, not from who tells"
CATEGORY = "supervision"


def of_unit(session: Session, task: SupervisedTask, *, on: date) -> set[int]:
    """Heads and clerks of the lead unit, and the handlers."""
    return set(notices.concerned(session, task.lead_unit_id, on=on)) | of_people(session, task, "handler")


def of_assisting(session: Session, task: SupervisedTask, *, on: date) -> set[int]:
    found: set[int] = set()
    for party in task.parties:
        if party.role == "assist":
            found |= set(notices.concerned(session, party.subject_id, on=on))
    return found


def of_office(session: Session, task: SupervisedTask, *, on: date) -> set[int]:
    """The supervision office; where its own unit or people have a part in the task, the leaders who decide instead."""
    role = "supervision_office"
    if touches(task, office_and_units(session, task.bureau_id, on)):
        role = "bureau_leader"
    return set(notices.holders(session, task.bureau_id, role, on=on))


def touches(task: SupervisedTask, subjects: frozenset[int]) -> bool:
    """Whether some of the subjects have a part in a task."""
    return task.lead_unit_id in subjects or any(party.subject_id in subjects for party in task.parties)


def office_and_units(session: Session, bureau_id: int | None, on: date) -> frozenset[int]:
    """The people of the supervision office and the units they are posted to."""
    grant, account, posting = RoleGrant.__table__.c, Account.__table__.c, Posting.__table__.c
    query = (
        select(posting.unit_id, posting.person_id)
        .join(Account.__table__, account.subject_id == posting.person_id)
        .join(RoleGrant.__table__, grant.account_id == account.id)
        .where(
            grant.role == "supervision_office", account.bureau_id == bureau_id, posting.valid_from <= on,
            or_(posting.valid_to.is_(None), posting.valid_to >= on),
            or_(grant.valid_to.is_(None), grant.valid_to >= on),
        )
    )  # fmt: skip
    return frozenset(it for row in unscoped(session, WHY).execute(query) for it in row)


def tell(
    session: Session, task: SupervisedTask, accounts: Iterable[int], text: Message, *, key: str, actor: Actor,
    now: datetime,
) -> None:  # fmt: skip
    """Say a sentence about a task to some accounts, but not to who did it."""
    notices.say(
        session, sorted(set(accounts) - {actor.account_id}), category=CATEGORY, key=f"task:{task.id}:{key}", text=text,
        item=f"task:{task.id}", bureau_id=task.bureau_id, now=now,
    )  # fmt: skip


def tell_unit(
    session: Session, task: SupervisedTask, text: Message, *, key: str, actor: Actor, now: datetime, wide: bool = False
) -> None:
    """Say it to the unit and its handlers; `wide` also to assisting units and the supervising leaders."""
    on = local_time(now).date()
    accounts = of_unit(session, task, on=on)
    if wide:
        accounts |= of_assisting(session, task, on=on) | of_people(session, task, "leader")
    tell(session, task, accounts, text, key=key, actor=actor, now=now)


def tell_office(
    session: Session, task: SupervisedTask, text: Message, *, key: str, actor: Actor, now: datetime
) -> None:
    tell(session, task, of_office(session, task, on=local_time(now).date()), text, key=key, actor=actor, now=now)
