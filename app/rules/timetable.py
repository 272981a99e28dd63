"""When a job is due, and which periods it is due for: nightly jobs by day, month-end jobs by month.

A period that was missed is caught up, each once, oldest first; of missed nights only the last is worth running,
because each computes the whole open period anew. Source: mission E1, runtime notes on schedules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.rules.periods import Period

ZONE = ZoneInfo("Asia/Shanghai")


def local_time(now: datetime) -> datetime:
    """What the bureau's clock shows at an instant, without a zone: what a timetable is written in."""
    return now.astimezone(ZONE).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Due:
    """The periods to run now, oldest first, and the next one to wait for."""

    periods: tuple[str, ...]
    next_period: str


def nightly_due(next_period: str, at: time, now: datetime) -> Due:
    """Which night is due at a local time: the last one reached since `next_period`, a day."""
    waiting = date.fromisoformat(next_period)
    reached = now.date() if now.time() >= at else now.date() - timedelta(days=1)
    if reached < waiting:
        return Due((), next_period)
    return Due((reached.isoformat(),), (reached + timedelta(days=1)).isoformat())


def monthly_due(next_period: str, day: int, at: time, now: datetime) -> Due:
    """Which month ends are due at a local time: every one whose day in the month after has come."""
    waiting = Period.parse(next_period)
    assert waiting is not None
    found = []
    while datetime.combine(waiting.shifted(1).first_day.replace(day=day), at) <= now:
        found.append(str(waiting))
        waiting = waiting.shifted(1)
    return Due(tuple(found), str(waiting))


def next_run(next_period: str, day: int | None, at: time) -> datetime:
    """The local moment at which the next period is due."""
    if day is None:
        return datetime.combine(date.fromisoformat(next_period), at)
    month = Period.parse(next_period)
    assert month is not None
    return datetime.combine(month.shifted(1).first_day.replace(day=day), at)
