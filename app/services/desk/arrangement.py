"""Bringing in the arrangement of a year: the days themselves, and every open deadline that follows them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Bureau
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.timetable import local_time
from app.services.bureau.calendar import import_year, work_calendar
from app.services.supervision.night import move_deadlines

WHY = "every deadline of a year follows its days off"


def bring_in_year(session: Session, year: int, text: str, *, actor: Actor, now: datetime) -> tuple[int, int]:
    """Import a year and let the deadlines of all bureaus follow; answers how many days and deadlines."""
    days = import_year(session, year, text, actor=actor, now=now)
    bureau, moved = Bureau.__table__.c, 0
    for pk in unscoped(session, WHY).execute(select(bureau.id).order_by(bureau.id)).scalars().all():
        calendar = work_calendar(session, pk)
        moved += move_deadlines(session, pk, calendar, on=local_time(now).date(), actor=actor, now=now)
    return days, moved
