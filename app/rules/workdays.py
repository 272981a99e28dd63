"""Which days are worked: weekends, the yearly national arrangement, a bureau's own days, and counting between them.

A year without an official arrangement is counted by weekends and statutory dates, and is provisional.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from app.errors import N_, RuleViolation
from app.rules.days import read_day
from app.rules.texts import fold_width

ONE_DAY = timedelta(days=1)
MOST_DAYS = 366
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """The working days of a bureau.

    `days` says of a day whether it is worked where that is not what its weekday says (the bureau's own word over
    the national one); `official` are the years whose arrangement has come.
    """

    days: Mapping[date, bool] = field(default_factory=dict)
    official: frozenset[int] = frozenset()

    def is_workday(self, day: date) -> bool:
        return self.days.get(day, day.weekday() < SATURDAY)

    def after(self, day: date, count: int) -> date:
        """The `count`-th working day after a day; the day itself for 0."""
        found = day
        for _ in range(count):
            found += ONE_DAY
            while not self.is_workday(found):
                found += ONE_DAY
        return found

    def latest(self, day: date) -> date:
        """The newest working day that is not after a day."""
        found = day
        while not self.is_workday(found):
            found -= ONE_DAY
        return found

    def within(self, after: date, through: date) -> Iterator[date]:
        """The working days after one day, up to and with another, in order; none if it lies before."""
        day = after + ONE_DAY
        while day <= through:
            if self.is_workday(day):
                yield day
            day += ONE_DAY

    def count(self, after: date, through: date) -> int:
        """How many working days lie after one day, up to and with another."""
        return sum(1 for _ in self.within(after, through))

    def is_provisional(self, first: date, last: date) -> bool:
        """Whether a count between two days rests on a year whose arrangement has not come."""
        return any(year not in self.official for year in range(first.year, last.year + 1))


def days_late(due_on: date, done_on: date, calendar: WorkCalendar) -> int:
    """By how many working days something was late; 0 on time, and where only days off lie between.

    Source: mission B3 and E2, lateness in working days.
    """
    return calendar.count(due_on, done_on)


def days_left(due_on: date, today: date, calendar: WorkCalendar) -> int:
    """How many working days remain, today not counted: 0 on the last day, negative by the days it is late."""
    if today > due_on:
        return -calendar.count(due_on, today)
    return calendar.count(today, due_on)


@dataclass(frozen=True, slots=True)
class Arranged:
    """One day of a yearly arrangement that is not what its weekday says."""

    day: date
    is_workday: bool
    name: str


def read_arrangement(text: str, year: int, words: Mapping[str, bool]) -> list[Arranged]:
    """Read a year's arrangement, a line a day: `2027-01-01 holiday name`, parted by blanks, commas or tabs.

    `words` are the words for a day off (False) and a make-up workday (True). A range is `2027-02-05..2027-02-12`.
    Refused with the number of the line: unknown words, days of another year, a day named twice, and days that are
    what their weekday says for a make-up workday.
    """
    found: dict[date, Arranged] = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = fold_width(line).replace(",", " ").split(maxsplit=2)
        if not cells:
            continue
        first, last = _days_of(cells[0], number)
        if len(cells) < 2 or cells[1] not in words:
            raise RuleViolation(N_("Line %(line)s: the second word is holiday or workday.", line=number))
        is_workday, name = words[cells[1]], cells[2].strip() if len(cells) > 2 else ""
        day = first
        while day <= last:
            if day.year != year:
                raise RuleViolation(N_("Line %(line)s: the day is not of %(year)s.", line=number, year=year))
            if day in found:
                raise RuleViolation(N_("Line %(line)s: %(day)s is named twice.", line=number, day=day.isoformat()))
            if is_workday and day.weekday() < SATURDAY:
                raise RuleViolation(N_("Line %(line)s: a make-up workday falls on a weekend.", line=number))
            found[day] = Arranged(day, is_workday, name)
            day += ONE_DAY
    if not any(not it.is_workday for it in found.values()):
        raise RuleViolation(N_("An arrangement names the days off of the year, a line each."))
    return [found[day] for day in sorted(found)]


def _days_of(text: str, number: int) -> tuple[date, date]:
    first, dots, last = text.partition("..")
    start, end = read_day(first), read_day(last if dots else first)
    if start is None or end is None or not start <= end or (end - start).days > MOST_DAYS:
        raise RuleViolation(N_("Line %(line)s: the day is written as 2027-01-01.", line=number))
    return start, end
