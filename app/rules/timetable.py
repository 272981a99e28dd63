"""When a job is due, and for which periods: days, months, quarters and years, each once, oldest first.

A job that computes everything anew needs only the newest period it missed; one that closes a period, or counts a
day, needs every one. What lies too far ahead is not believed: a clock may be wrong. Source: mission E1, trust
demands RE-04 and RE-06.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.rules.periods import Period, Span

ZONE = ZoneInfo("Asia/Shanghai")
ONE_DAY = timedelta(days=1)


def local_time(now: datetime) -> datetime:
    """What the bureau's clock shows at an instant, without a zone: what a timetable is written in."""
    return now.astimezone(ZONE).replace(tzinfo=None)


def instant_of(local: datetime) -> datetime:
    """The instant at which the bureau's clock shows a time."""
    return local.replace(tzinfo=ZONE)


class Cadence(StrEnum):
    """How long the periods of a job are."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


# How many periods of a job may be due at once before somebody has to say that the clock is right: three months.
MOST_AHEAD: Mapping[Cadence, int] = {Cadence.DAY: 124, Cadence.MONTH: 3, Cadence.QUARTER: 3, Cadence.YEAR: 3}


@dataclass(frozen=True, slots=True)
class JobKind:
    """What a job of the timetable is: its periods, whether each missed one is run, and when, unless a bureau says."""

    cadence: Cadence
    runs_every_missed: bool
    at: time


# In the order of the day. A night is the day it falls on; a month end is the month before it.
JOBS: Mapping[str, JobKind] = {
    "lateness": JobKind(Cadence.DAY, runs_every_missed=False, at=time(1)),
    "nightly": JobKind(Cadence.DAY, runs_every_missed=False, at=time(2)),
    "month_end": JobKind(Cadence.MONTH, runs_every_missed=True, at=time(2, 30)),
    "quarter_end": JobKind(Cadence.QUARTER, runs_every_missed=True, at=time(3)),
    "year_end": JobKind(Cadence.YEAR, runs_every_missed=True, at=time(3, 30)),
    "statistics": JobKind(Cadence.DAY, runs_every_missed=True, at=time(3, 45)),
    "verify": JobKind(Cadence.DAY, runs_every_missed=False, at=time(4)),
    "reminders": JobKind(Cadence.DAY, runs_every_missed=False, at=time(8, 30)),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """When the runs of one rule are due, by the bureau's clock; `day` is the day of the month after the period."""

    cadence: Cadence
    day: int
    at: time

    def moment(self, period: str) -> datetime:
        """The local moment at which a period is due."""
        if self.cadence is Cadence.DAY:
            return datetime.combine(date.fromisoformat(period), self.at)
        return datetime.combine(_parsed(period).shifted(1).first_day.replace(day=self.day), self.at)


def _parsed(period: str) -> Period:
    found = Period.parse(period)
    assert found is not None, f"a timetable holds periods, not {period!r}"
    return found


def following(period: str) -> str:
    """The period after one, of the same length; a day has ten characters."""
    if len(period) == 10:
        return (date.fromisoformat(period) + ONE_DAY).isoformat()
    return str(_parsed(period).shifted(1))


def running_period(cadence: Cadence, on: date) -> str:
    """The period of a length that runs on a day."""
    if cadence is Cadence.DAY:
        return on.isoformat()
    return str(Period.month_of(on).of_span(Span(cadence)))


def newest_begun(timing: Timing, local: datetime) -> str:
    """What "run it now" means: today, or the month, quarter or year that ended last."""
    if timing.cadence is Cadence.DAY:
        return local.date().isoformat()
    return str(_parsed(running_period(timing.cadence, local.date())).shifted(-1))


def first_period(timing: Timing, local: datetime) -> str:
    """The period a new rule waits for: the next night, or the month, quarter or year that runs."""
    period = running_period(timing.cadence, local.date())
    return following(period) if timing.moment(period) <= local else period


@dataclass(frozen=True, slots=True)
class Due:
    """The periods that have come, oldest first, and the one to wait for after them."""

    periods: tuple[str, ...]
    next_period: str
    is_beyond_belief: bool = False


def due(next_period: str, timing: Timing, local: datetime) -> Due:
    """Every period from `next_period` whose moment has come at a local time.

    More of them than anybody would have missed are not believed; counting stops there.
    """
    found: list[str] = []
    waiting = next_period
    while timing.moment(waiting) <= local:
        found.append(waiting)
        waiting = following(waiting)
        if len(found) > MOST_AHEAD[timing.cadence]:
            return Due(tuple(found), waiting, is_beyond_belief=True)
    return Due(tuple(found), waiting)


def to_run(periods: tuple[str, ...], *, every: bool) -> tuple[str, ...]:
    """Which of the periods that have come are run: every one, or the newest alone."""
    return periods if every else periods[-1:]
