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


def local_time_of(on: date) -> datetime:
    """The beginning of a day by the bureau's clock."""
    return datetime.combine(on, datetime.min.time())


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
    """What a job of the timetable is: its periods, whether each missed one is run, and when, unless a bureau says.

    A job that looks back is due after its day: it counts what the day left behind.
    """

    cadence: Cadence
    runs_every_missed: bool
    at: time
    looks_back: bool = False


# In the order of the day. A night is the day it falls on; a month end is the month before it.
JOBS: Mapping[str, JobKind] = {
    "lateness": JobKind(Cadence.DAY, runs_every_missed=False, at=time(1)),
    "nightly": JobKind(Cadence.DAY, runs_every_missed=False, at=time(2)),
    "month_end": JobKind(Cadence.MONTH, runs_every_missed=True, at=time(2, 30)),
    "quarter_end": JobKind(Cadence.QUARTER, runs_every_missed=True, at=time(3)),
    "year_end": JobKind(Cadence.YEAR, runs_every_missed=True, at=time(3, 30)),
    "statistics": JobKind(Cadence.DAY, runs_every_missed=True, at=time(3, 45), looks_back=True),
    "verify": JobKind(Cadence.DAY, runs_every_missed=False, at=time(4)),
    "reminders": JobKind(Cadence.DAY, runs_every_missed=False, at=time(8, 30)),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """When the runs of one rule are due, by the bureau's clock; `day` is the day of the month after the period."""

    cadence: Cadence
    day: int
    at: time
    looks_back: bool = False

    def moment(self, period: str) -> datetime:
        """The local moment at which a period is due."""
        if self.cadence is Cadence.DAY:
            day = date.fromisoformat(period)
            return datetime.combine(day + ONE_DAY if self.looks_back else day, self.at)
        return datetime.combine(_parsed(period).shifted(1).first_day.replace(day=self.day), self.at)

    def has_come(self, period: str, on: date) -> bool:
        """Whether a period may be run at all on a day: the day itself, or what is over."""
        if self.cadence is Cadence.DAY:
            day = date.fromisoformat(period)
            return day < on if self.looks_back else day <= on
        return _parsed(period).has_ended(on)


def _parsed(period: str) -> Period:
    found = Period.parse(period)
    assert found is not None, f"a timetable holds periods, not {period!r}"
    return found


def following(period: str, steps: int = 1) -> str:
    """The period some steps after one, of the same length; a day has ten characters."""
    if len(period) == 10:
        return (date.fromisoformat(period) + steps * ONE_DAY).isoformat()
    return str(_parsed(period).shifted(steps))


def running_period(cadence: Cadence, on: date) -> str:
    """The period of a length that runs on a day."""
    if cadence is Cadence.DAY:
        return on.isoformat()
    return str(Period.month_of(on).of_span(Span(cadence)))


def newest_begun(timing: Timing, local: datetime) -> str:
    """What "run it now" means: today, or the day, month, quarter or year that ended last."""
    period = running_period(timing.cadence, local.date())
    return period if timing.has_come(period, local.date()) else following(period, -1)


def first_period(timing: Timing, local: datetime) -> str:
    """The period a new rule waits for: the next night, or the month, quarter or year that runs."""
    period = running_period(timing.cadence, local.date())
    return following(period) if timing.moment(period) <= local else period


def stepped_back(next_period: str, timing: Timing, on: date) -> str:
    """Where a rule waits again after a clock that was ahead: at the first period that has not come.

    What it ran of such periods was run too early. Where nothing was, the rule stays.
    """
    found = next_period
    while not timing.has_come(following(found, -1), on):
        found = following(found, -1)
    return found


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
