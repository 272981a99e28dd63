"""The timetable: what is due when, what was missed, and what comes next."""

from __future__ import annotations

from datetime import datetime, time

import pytest

from app.rules.timetable import local_time, monthly_due, next_run, nightly_due

NIGHT, MONTH_END = time(2, 0), time(2, 30)


@pytest.mark.parametrize(
    ("waiting", "now", "due", "after"),
    [
        ("2026-11-23", "2026-11-23T01:59", (), "2026-11-23"),
        ("2026-11-23", "2026-11-23T02:00", ("2026-11-23",), "2026-11-24"),
        ("2026-11-24", "2026-11-23T23:59", (), "2026-11-24"),
        # three nights missed: the last one computes all that the others would have
        ("2026-11-20", "2026-11-23T09:00", ("2026-11-23",), "2026-11-24"),
        ("2026-11-20", "2026-11-23T01:00", ("2026-11-22",), "2026-11-23"),
        ("2026-12-31", "2027-01-01T02:00", ("2027-01-01",), "2027-01-02"),
        # the clock was set back: nothing runs twice
        ("2026-11-24", "2026-11-21T03:00", (), "2026-11-24"),
    ],
)
def test_nights(waiting: str, now: str, due: tuple[str, ...], after: str) -> None:
    found = nightly_due(waiting, NIGHT, datetime.fromisoformat(now))

    assert (found.periods, found.next_period) == (due, after)


@pytest.mark.parametrize(
    ("waiting", "day", "now", "due", "after"),
    [
        ("2026-10", 1, "2026-11-01T02:29", (), "2026-10"),
        ("2026-10", 1, "2026-11-01T02:30", ("2026-10",), "2026-11"),
        ("2026-10", 3, "2026-11-02T12:00", (), "2026-10"),
        # three month ends missed: each is run, oldest first
        ("2026-08", 1, "2026-11-05T09:00", ("2026-08", "2026-09", "2026-10"), "2026-11"),
        ("2026-12", 1, "2027-01-01T02:30", ("2026-12",), "2027-01"),
        ("2028-01", 28, "2028-02-28T02:30", ("2028-01",), "2028-02"),
        ("2026-11", 1, "2026-06-01T03:00", (), "2026-11"),
    ],
)
def test_month_ends(waiting: str, day: int, now: str, due: tuple[str, ...], after: str) -> None:
    found = monthly_due(waiting, day, MONTH_END, datetime.fromisoformat(now))

    assert (found.periods, found.next_period) == (due, after)


def test_when_the_next_one_is() -> None:
    assert next_run("2026-11-24", None, NIGHT) == datetime(2026, 11, 24, 2, 0)
    assert next_run("2026-12", 1, MONTH_END) == datetime(2027, 1, 1, 2, 30)


@pytest.mark.parametrize(
    ("instant", "clock"),
    [("2026-11-23T17:59+00:00", "2026-11-24T01:59"), ("2026-07-01T00:00+08:00", "2026-07-01T00:00")],
)
def test_the_clock_of_the_bureau_is_eight_hours_ahead_the_whole_year(instant: str, clock: str) -> None:
    assert local_time(datetime.fromisoformat(instant)) == datetime.fromisoformat(clock)
