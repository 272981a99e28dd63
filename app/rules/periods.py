"""What a period is: months, quarters and years, their days and the shorter periods inside them.

Source: docs/scoring.md section 1 (Period).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Self

from app.errors import N_, Message

_TEXT = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2])|Q([1-4]))?", re.ASCII)


class Span(StrEnum):
    """The length of a period; a leaf is first computed for its span."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


SPAN_MONTHS = {Span.MONTH: 1, Span.QUARTER: 3, Span.YEAR: 12}


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A calendar month, quarter or year: its first month and how many months it has."""

    year: int
    first_month: int
    months: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `2026-03`, `2026Q1` or `2026`; None for anything else."""
        match = _TEXT.fullmatch(text)
        if not match or not 1900 <= int(match[1]) <= 9998:
            return None
        if match[2]:
            return cls(int(match[1]), int(match[2]), 1)
        if match[3]:
            return cls(int(match[1]), int(match[3]) * 3 - 2, 3)
        return cls(int(match[1]), 1, 12)

    @classmethod
    def month_of(cls, day: date) -> Self:
        return cls(day.year, day.month, 1)

    @property
    def span(self) -> Span:
        return {1: Span.MONTH, 3: Span.QUARTER, 12: Span.YEAR}[self.months]

    @property
    def first_day(self) -> date:
        return date(self.year, self.first_month, 1)

    @property
    def last_day(self) -> date:
        last_month = self.first_month + self.months - 1
        return date(self.year, last_month, calendar.monthrange(self.year, last_month)[1])

    @property
    def spoken(self) -> Message:
        """The period in words."""
        if self.span is Span.MONTH:
            return N_("Month %(month)s of %(year)s", month=self.first_month, year=self.year)
        if self.span is Span.QUARTER:
            return N_("Quarter %(quarter)s of %(year)s", quarter=(self.first_month + 2) // 3, year=self.year)
        return N_("Year %(year)s", year=self.year)

    def __str__(self) -> str:
        if self.months == 12:
            return f"{self.year:04d}"
        if self.months == 3:
            return f"{self.year:04d}Q{(self.first_month + 2) // 3}"
        return f"{self.year:04d}-{self.first_month:02d}"

    def has_begun(self, on: date) -> bool:
        """Months and quarters that have not begun on the day of settlement do not exist."""
        return self.first_day <= on

    def parts(self, span: Span, *, on: date) -> tuple[Period, ...]:
        """The periods of length `span` inside this one that have begun, in order; empty if it is longer."""
        return tuple(part for part in _parts(self, SPAN_MONTHS[span]) if part.has_begun(on))

    def shifted(self, steps: int) -> Period:
        """The period of the same length `steps` later (earlier if negative)."""
        index = self.year * 12 + self.first_month - 1 + steps * self.months
        return Period(index // 12, index % 12 + 1, self.months)

    def of_span(self, span: Span) -> Period:
        """The period of length `span` that holds this one's first month."""
        months = SPAN_MONTHS[span]
        return Period(self.year, (self.first_month - 1) // months * months + 1, months)

    @property
    def month_keys(self) -> tuple[str, ...]:
        """The months inside, begun or not, as they are written."""
        return tuple(str(Period(self.year, self.first_month + step, 1)) for step in range(self.months))

    def overlaps(self, other: Period) -> bool:
        """Whether the two share a day."""
        return self.first_day <= other.last_day and other.first_day <= self.last_day

    def has_ended(self, on: date) -> bool:
        """Whether its last day lies before the day."""
        return self.last_day < on


@lru_cache(maxsize=1024)
def _parts(period: Period, step: int) -> tuple[Period, ...]:
    """The periods of `step` months inside a longer one; asked for every subject and leaf of a year."""
    if step > period.months:
        return ()
    firsts = range(period.first_month, period.first_month + period.months, step)
    return tuple(Period(period.year, first, step) for first in firsts)


def counting_month(occurred_on: date, closed: Container[str]) -> Period:
    """The month a fact counts in: the month of the day, or the first open month after where that one is closed.

    Source: docs/scoring.md section 1 (Period).
    """
    month = Period.month_of(occurred_on)
    while str(month) in closed:
        month = month.shifted(1)
    return month


def spoken(text: str) -> Message:
    """A written period in words; what is no period, a day for instance, as it is written."""
    period = Period.parse(text)
    return Message("%(text)s", {"text": text}) if period is None else period.spoken
