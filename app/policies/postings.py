"""Who was posted where on a day, and who has left: what several policies ask about people."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select

from app.models import Account, Person, Posting
from app.policies.scoping import apart

LEFT = "that somebody has left is asked of his rows alone; whose rows are shown the statement around it says"


def was_posted(person: Any, units: Collection[int], on: Any) -> ColumnElement[bool]:
    """Whether the person of a row was posted to one of the units on the day of the row; both are columns."""
    posting = Posting.__table__.alias().c
    return exists(
        select(posting.id).where(
            posting.person_id == person,
            posting.unit_id.in_(units),
            posting.valid_from <= on,
            or_(posting.valid_to.is_(None), posting.valid_to >= on),
        )
    )


def left_people(on: date) -> Select[Any]:
    """The people the register knows, but no longer on a day, by subject id."""
    person = apart(Person, LEFT).c
    last = func.max(func.coalesce(person.valid_to, date.max))
    return select(person.subject_id).group_by(person.subject_id).having(last < on)


def leavers(on: date) -> Select[Any]:
    """The accounts of those who have left: their roles ended with their last day."""
    account = apart(Account, LEFT).c
    return select(account.id).where(account.subject_id.in_(left_people(on)))
