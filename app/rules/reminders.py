"""When somebody is reminded of a matter, and when its leader hears: in working days, at most twice, then one list.

Which events there are, each process says in its `REMINDERS`; what holds for one is a short text, `-3;0;leader:2`:
three working days before the day, on the day, and two after it the line in the leader's list. Source: mission E2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from app.errors import N_, Message, RuleViolation
from app.rules.timetable import instant_of, local_time
from app.rules.workdays import ONE_DAY, WorkCalendar, days_left

MOST_REMINDERS = 2
MOST_DAYS = 60
LEADER = "leader"
FALSE_WAY = N_("Written as -3;0;leader:2: working days from the day, at most two, then the leader's list.")


@dataclass(frozen=True, slots=True)
class Reminding:
    """On which working days from a matter's day people are reminded, rising; and when its leader is told, if ever."""

    days: tuple[int, ...] = ()
    leader: int | None = None

    def text(self) -> str:
        """As it is stored."""
        return ";".join([*map(str, self.days), *([] if self.leader is None else [f"{LEADER}:{self.leader}"])])


@dataclass(frozen=True, slots=True)
class ReminderEvent:
    """Something people are reminded of: of which process, in which words, and what holds unless a bureau says.

    `counts_from_due` says whether its day is a deadline, or the day it began to wait: then only days after it count.
    `only_unread` reminds only those who have not opened what was said of it. `has_leader` says whether somebody is in
    charge of those it waits for, and hears of it in the end.
    """

    process: str
    title: Message
    default: str
    counts_from_due: bool = True
    only_unread: bool = False
    has_leader: bool = True

    def read(self, text: str) -> Reminding:
        """Read a rule of this event; refused is what it cannot have."""
        found = read_reminding(text) if self.counts_from_due else read_waiting(text)
        if found.leader is not None and not self.has_leader:
            raise RuleViolation(N_("Nobody stands above those this waits for: no leader's list."), field_name="value")
        return found


def read_reminding(text: str) -> Reminding:
    """Read `-3;0;leader:2`; blank: nobody is reminded.

    Refused are more than two days, days that do not rise or lie beyond 60, a leader's day that lies before them.
    """
    days: list[int] = []
    leader: int | None = None
    for part in (it.strip() for it in text.split(";") if it.strip()):
        name, colon, number = part.rpartition(":")
        found = _whole(number.strip())
        if found is None or (colon and name.strip() != LEADER) or (colon and leader is not None):
            raise RuleViolation(FALSE_WAY, field_name="value")
        if colon:
            leader = found
        else:
            days.append(found)
    if len(days) > MOST_REMINDERS:
        raise RuleViolation(N_("Nobody is reminded of one matter more than twice."), field_name="value")
    rises = all(one < other for one, other in itertools.pairwise(days))
    told = leader is None or (leader >= 1 and (not days or leader >= days[-1]))
    if not rises or not told or any(abs(it) > MOST_DAYS for it in (*days, leader or 0)):
        raise RuleViolation(
            N_("The days rise and lie within 60; the leader is told last, after the day."), field_name="value"
        )
    return Reminding(tuple(days), leader)


def _whole(text: str) -> int | None:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    return sign * int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 3 else None


def read_waiting(text: str) -> Reminding:
    """Read a rule of an event that counts from the day it began to wait: there is nothing before that day."""
    found = read_reminding(text)
    if any(day < 1 for day in found.days):
        raise RuleViolation(N_("This counts from the day it began to wait: 1 or more."), field_name="value")
    return found


def days_from(anchor: date, on: date, calendar: WorkCalendar) -> int:
    """How many working days a day lies from a matter's day: negative before it, 0 on the last day, positive after."""
    return -days_left(anchor, on, calendar)


def falls_on(wanted: Iterable[int], anchor: date, *, after: date, on: date, calendar: WorkCalendar) -> int | None:
    """Which of the wanted days of a matter fell on a working day after one day, up to and with another; the newest.

    None where none did. Usually the two days are neighbours; the span is longer after days nobody was reminded on.
    """
    days = {days_from(anchor, day, calendar) for day in calendar.within(after, on)}
    found = days.intersection(wanted)
    return max(found) if found else None


def read_quiet(text: str) -> tuple[time, time] | None:
    """Read quiet hours as `18:00-08:00`; blank: there are none."""
    if not text.strip():
        return None
    first, _, last = text.partition("-")
    try:
        found = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
    except ValueError:
        raise RuleViolation(N_("Quiet hours are written as 18:00-08:00."), field_name="value") from None
    if found[0] == found[1] or len(first.strip()) != 5 or len(last.strip()) != 5:
        raise RuleViolation(N_("Quiet hours are written as 18:00-08:00."), field_name="value")
    return found


def may_leave_from(now: datetime, quiet: tuple[time, time] | None, calendar: WorkCalendar) -> datetime:
    """From which instant a message may leave the portal: now, or the next working day's end of the quiet hours."""
    local = local_time(now)
    first, last = quiet or (time(0), time(0))
    is_night = quiet is not None and (
        first <= local.time() < last if first < last else local.time() >= first or local.time() < last
    )
    if calendar.is_workday(local.date()) and not is_night:
        return now
    day = local.date()
    if (is_night and local.time() >= first and first > last) or not is_night:
        day += ONE_DAY
    while not calendar.is_workday(day):
        day += ONE_DAY
    return max(now, instant_of(datetime.combine(day, last)))
