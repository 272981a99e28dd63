"""What the matters of all processes are made with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from app.rules.timetable import local_time


def since(event: str, at: datetime | None) -> Sequence[tuple[str, date]]:
    """The event a reminder counts from, and the bureau's day of it; nothing where it has not come."""
    return () if at is None else ((event, local_time(at).date()),)
