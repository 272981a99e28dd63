"""One matter that waits for somebody, as every list of such matters shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from app.errors import Message

MOST = 20


@dataclass(frozen=True, slots=True)
class Todo:
    """One matter: which kind, about what (`type:key`), in words, why, from whom, since when, until when.

    `days_left` are working days to the deadline, negative by the days it is late; None without a deadline.
    """

    kind: str
    item: str
    text: Message
    why: Message
    from_whom: str = ""
    since: datetime | None = None
    due_on: date | None = None
    days_left: int | None = None
