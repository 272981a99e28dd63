"""Who was posted where on a day: what several policies ask about people of a unit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select

from app.models import Posting


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
