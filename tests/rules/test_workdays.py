"""Counting working days: weekends, the arrangement of a year, lateness over holidays, provisional years."""

from __future__ import annotations

from datetime import date

import pytest

from app.errors import RuleViolation
from app.rules.workdays import WorkCalendar, days_late, days_left, read_arrangement

WORDS = {"holiday": False, "放假": False, "workday": True, "补班": True}
# The first week of October 2026 as it was arranged: off from the 1st to the 7th, Saturday the 10th is worked.
OCTOBER = WorkCalendar(
    {**{date(2026, 10, day): False for day in range(1, 8)}, date(2026, 10, 10): True}, frozenset({2026})
)


@pytest.mark.parametrize(
    ("due", "done", "late"),
    [
        ("2026-09-30", "2026-09-30", 0),  # on the day
        ("2026-09-30", "2026-09-28", 0),  # before it
        ("2026-09-30", "2026-10-07", 0),  # only days off lie between
        ("2026-09-30", "2026-10-08", 1),
        ("2026-09-30", "2026-10-09", 2),
        ("2026-09-30", "2026-10-10", 3),  # the make-up Saturday counts
        ("2026-09-30", "2026-10-11", 3),  # the Sunday after it does not
        ("2026-09-30", "2026-10-12", 4),
        ("2026-10-03", "2026-10-08", 1),  # due on a day off: late from the first working day after it
        ("2026-09-25", "2026-09-28", 1),  # Friday to Monday
    ],
)
def test_days_late(due: str, done: str, late: int) -> None:
    assert days_late(date.fromisoformat(due), date.fromisoformat(done), OCTOBER) == late


@pytest.mark.parametrize(
    ("due", "today", "left"),
    [
        ("2026-10-09", "2026-10-09", 0), ("2026-10-09", "2026-10-08", 1), ("2026-10-09", "2026-09-30", 2),
        ("2026-09-30", "2026-10-07", 0), ("2026-09-30", "2026-10-10", -3), ("2026-10-12", "2026-10-09", 2),
    ],
)  # fmt: skip
def test_days_left(due: str, today: str, left: int) -> None:
    assert days_left(date.fromisoformat(due), date.fromisoformat(today), OCTOBER) == left


@pytest.mark.parametrize(
    ("day", "count", "found"),
    [
        ("2026-09-30", 0, "2026-09-30"), ("2026-10-03", 0, "2026-10-03"), ("2026-09-30", 1, "2026-10-08"),
        ("2026-09-30", 3, "2026-10-10"), ("2026-09-30", 4, "2026-10-12"), ("2026-10-16", 1, "2026-10-19"),
    ],
)  # fmt: skip
def test_the_nth_working_day_after_a_day(day: str, count: int, found: str) -> None:
    assert OCTOBER.after(date.fromisoformat(day), count) == date.fromisoformat(found)


def test_the_newest_working_day_and_what_is_provisional() -> None:
    assert OCTOBER.latest(date(2026, 10, 7)) == date(2026, 9, 30)
    assert OCTOBER.latest(date(2026, 10, 10)) == date(2026, 10, 10)
    assert not OCTOBER.is_provisional(date(2026, 1, 1), date(2026, 12, 31))
    assert OCTOBER.is_provisional(date(2026, 12, 20), date(2027, 1, 5))
    assert list(OCTOBER.within(date(2026, 10, 9), date(2026, 10, 8))) == []


def test_an_arrangement_is_read_as_it_is_pasted() -> None:
    text = "2027-01-01..2027-01-03 放假 元旦\n\n2027-01-09，补班，元旦\n2027-04-05\tholiday\tQingming Festival"

    found = read_arrangement(text, 2027, WORDS)

    assert [(it.day.isoformat(), it.is_workday, it.name) for it in found] == [
        ("2027-01-01", False, "元旦"), ("2027-01-02", False, "元旦"), ("2027-01-03", False, "元旦"),
        ("2027-01-09", True, "元旦"), ("2027-04-05", False, "Qingming Festival"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names the days off"), ("2027-01-09 补班", "names the days off"),
        ("2027-01-01 off", "Line 1: the second word"), ("2027-01-01", "Line 1: the second word"),
        ("2027-01-01 放假\n2026-12-31 放假", "Line 2: the day is not of 2027"),
        ("2027-01-01 放假\n2027-01-01 放假", "Line 2: 2027-01-01 is named twice"),
        ("2027-01-04 补班", "falls on a weekend"), ("1 January 放假", "is written as"),
        ("2027-01-03..2027-01-01 放假", "is written as"), ("2027-01-01..2099-01-01 放假", "is written as"),
    ],
)  # fmt: skip
def test_an_arrangement_with_a_fault_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        read_arrangement(text, 2027, WORDS)
    assert words in str(refused.value)
