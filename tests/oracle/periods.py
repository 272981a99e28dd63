"""Months, quarters and years as texts, and the days and periods inside them (docs/scoring.md §1)."""

from __future__ import annotations

from datetime import date, timedelta

KINDS = ("month", "quarter", "year")


def kind_of(period: str) -> str:
    if "Q" in period:
        return "quarter"
    return "month" if "-" in period else "year"


def of_day(day: date, kind: str) -> str:
    """The period of a kind that contains the day."""
    if kind == "year":
        return f"{day.year:04d}"
    if kind == "quarter":
        return f"{day.year:04d}Q{(day.month + 2) // 3}"
    return f"{day.year:04d}-{day.month:02d}"


def first_day(period: str) -> date:
    kind = kind_of(period)
    year = int(period[:4])
    if kind == "year":
        return date(year, 1, 1)
    return date(year, int(period[5:]) * 3 - 2 if kind == "quarter" else int(period[5:]), 1)


def last_day(period: str) -> date:
    day = first_day(period)
    while of_day(day, kind_of(period)) == period:
        day += timedelta(days=1)
    return day - timedelta(days=1)


def days(period: str) -> list[date]:
    first, last = first_day(period), last_day(period)
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


def contains(period: str, day: date) -> bool:
    return of_day(day, kind_of(period)) == period


def longer(one: str, other: str) -> bool:
    """Whether a kind of period is longer than another."""
    return KINDS.index(one) > KINDS.index(other)


def inside(period: str, kind: str, on: date) -> list[str]:
    """§1, §5: the periods of a kind inside a period, as far as they have begun."""
    found = dict.fromkeys(of_day(day, kind) for day in days(period))
    return [it for it in found if first_day(it) <= on]
