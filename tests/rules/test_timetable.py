"""The timetable: what is due when, what was missed, what is not believed, and what comes next."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from app.rules.timetable import (
    JOBS,
    MOST_AHEAD,
    Cadence,
    Timing,
    due,
    first_period,
    following,
    instant_of,
    local_time,
    newest_begun,
    running_period,
    stepped_back,
    to_run,
)

NIGHT = Timing(Cadence.DAY, 1, time(2, 0))


@pytest.mark.parametrize(
    ("waiting", "now", "periods", "after"),
    [
        ("2026-11-23", "2026-11-23T01:59", (), "2026-11-23"),
        ("2026-11-23", "2026-11-23T02:00", ("2026-11-23",), "2026-11-24"),
        ("2026-11-24", "2026-11-23T23:59", (), "2026-11-24"),
        ("2026-11-21", "2026-11-23T09:00", ("2026-11-21", "2026-11-22", "2026-11-23"), "2026-11-24"),
        ("2026-11-21", "2026-11-23T01:00", ("2026-11-21", "2026-11-22"), "2026-11-23"),
        ("2026-12-31", "2027-01-01T02:00", ("2026-12-31", "2027-01-01"), "2027-01-02"),
        ("2028-02-29", "2028-02-29T02:00", ("2028-02-29",), "2028-03-01"),
        # the clock was set back: nothing runs twice
        ("2026-11-24", "2026-11-21T03:00", (), "2026-11-24"),
    ],
)
def test_nights(waiting: str, now: str, periods: tuple[str, ...], after: str) -> None:
    found = due(waiting, NIGHT, datetime.fromisoformat(now))

    assert (found.periods, found.next_period, found.is_beyond_belief) == (periods, after, False)


@pytest.mark.parametrize(
    ("cadence", "waiting", "day", "now", "periods", "after"),
    [
        ("month", "2026-10", 1, "2026-11-01T02:29", (), "2026-10"),
        ("month", "2026-10", 1, "2026-11-01T02:30", ("2026-10",), "2026-11"),
        ("month", "2026-10", 3, "2026-11-02T12:00", (), "2026-10"),
        # three month ends missed: each is run, oldest first
        ("month", "2026-08", 1, "2026-11-05T09:00", ("2026-08", "2026-09", "2026-10"), "2026-11"),
        ("month", "2026-12", 1, "2027-01-01T02:30", ("2026-12",), "2027-01"),
        ("month", "2028-01", 28, "2028-02-28T02:30", ("2028-01",), "2028-02"),
        ("month", "2026-11", 1, "2026-06-01T03:00", (), "2026-11"),
        ("quarter", "2026Q3", 5, "2026-10-05T02:29", (), "2026Q3"),
        ("quarter", "2026Q3", 5, "2026-10-05T02:30", ("2026Q3",), "2026Q4"),
        ("quarter", "2026Q4", 1, "2027-01-01T02:30", ("2026Q4",), "2027Q1"),
        ("year", "2026", 10, "2027-01-09T23:59", (), "2026"),
        ("year", "2025", 10, "2027-01-10T02:30", ("2025", "2026"), "2027"),
    ],
)
def test_ends_of_periods(cadence: str, waiting: str, day: int, now: str, periods: tuple[str, ...], after: str) -> None:
    found = due(waiting, Timing(Cadence(cadence), day, time(2, 30)), datetime.fromisoformat(now))

    assert (found.periods, found.next_period) == (periods, after)


@pytest.mark.parametrize(
    ("cadence", "waiting", "now", "is_beyond"),
    [
        ("month", "2026-08", "2026-11-30T23:59", False),
        ("month", "2026-08", "2026-12-01T02:30", True),
        ("day", "2026-07-01", "2026-11-01T02:30", False),
        ("day", "2026-07-01", "2026-11-02T02:30", True),
        ("year", "2026", "2030-01-01T02:30", True),
        ("day", "2026-11-24", "9000-01-01T00:00", True),
    ],
)
def test_more_than_anybody_would_have_missed_is_not_believed(
    cadence: str, waiting: str, now: str, *, is_beyond: bool
) -> None:
    found = due(waiting, Timing(Cadence(cadence), 1, time(2, 30)), datetime.fromisoformat(now))

    assert found.is_beyond_belief is is_beyond
    assert len(found.periods) == MOST_AHEAD[Cadence(cadence)] + is_beyond


def test_of_missed_nights_the_newest_is_run_of_missed_month_ends_each() -> None:
    assert to_run(("a", "b", "c"), every=False) == ("c",)
    assert to_run(("a", "b", "c"), every=True) == ("a", "b", "c")
    assert to_run((), every=False) == ()
    assert {job for job, kind in JOBS.items() if kind.runs_every_missed} == {
        "month_end", "quarter_end", "year_end", "statistics",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cadence", "now", "first", "newest", "running"),
    [
        ("day", "2026-11-24T01:00", "2026-11-24", "2026-11-24", "2026-11-24"),
        ("day", "2026-11-24T02:30", "2026-11-25", "2026-11-24", "2026-11-24"),
        ("month", "2026-11-24T01:00", "2026-11", "2026-10", "2026-11"),
        ("quarter", "2026-11-24T01:00", "2026Q4", "2026Q3", "2026Q4"),
        ("year", "2026-11-24T01:00", "2026", "2025", "2026"),
    ],
)
def test_what_a_new_rule_waits_for_and_what_now_means(
    cadence: str, now: str, first: str, newest: str, running: str
) -> None:
    timing, local = Timing(Cadence(cadence), 1, time(2, 30)), datetime.fromisoformat(now)

    assert first_period(timing, local) == first
    assert newest_begun(timing, local) == newest
    assert running_period(Cadence(cadence), local.date()) == running


@pytest.mark.parametrize(
    ("period", "after"), [("2026-12-31", "2027-01-01"), ("2026-12", "2027-01"), ("2026Q4", "2027Q1"), ("2026", "2027")]
)
def test_the_period_after(period: str, after: str) -> None:
    assert following(period) == after
    assert following(after, -1) == period


EVENING = Timing(Cadence.DAY, 1, time(3, 45), looks_back=True)


def test_what_looks_back_is_due_after_its_day() -> None:
    at = datetime.fromisoformat
    assert EVENING.moment("2026-11-24") == at("2026-11-25T03:45")
    assert due("2026-11-24", EVENING, at("2026-11-25T03:44")).periods == ()
    assert due("2026-11-24", EVENING, at("2026-11-25T03:45")).periods == ("2026-11-24",)
    assert newest_begun(EVENING, at("2026-11-25T12:00")) == "2026-11-24"
    assert first_period(EVENING, at("2026-11-25T12:00")) == "2026-11-25"
    assert JOBS["statistics"].looks_back


@pytest.mark.parametrize(
    ("timing", "waiting", "on", "back"),
    [
        (NIGHT, "2026-11-25", "2026-11-24", "2026-11-25"),
        (NIGHT, "2026-11-27", "2026-11-24", "2026-11-25"),
        (EVENING, "2026-11-25", "2026-11-25", "2026-11-25"),
        (EVENING, "2026-11-25", "2026-11-24", "2026-11-24"),
        (Timing(Cadence.MONTH, 5, time(2)), "2026-12", "2026-11-30", "2026-11"),
        (Timing(Cadence.MONTH, 5, time(2)), "2026-12", "2026-12-01", "2026-12"),
        (Timing(Cadence.QUARTER, 5, time(2)), "2027Q2", "2026-11-30", "2026Q4"),
        (Timing(Cadence.YEAR, 5, time(2)), "2028", "2026-11-30", "2026"),
    ],
)
def test_after_a_clock_that_was_ahead_a_rule_waits_for_what_has_not_come(
    timing: Timing, waiting: str, on: str, back: str
) -> None:
    assert stepped_back(waiting, timing, date.fromisoformat(on)) == back


def test_when_the_next_one_is() -> None:
    assert NIGHT.moment("2026-11-24") == datetime(2026, 11, 24, 2, 0)
    assert Timing(Cadence.MONTH, 1, time(2, 30)).moment("2026-12") == datetime(2027, 1, 1, 2, 30)
    assert Timing(Cadence.QUARTER, 8, time(9)).moment("2026Q4") == datetime(2027, 1, 8, 9, 0)


@pytest.mark.parametrize(
    ("instant", "clock"),
    [("2026-11-23T17:59+00:00", "2026-11-24T01:59"), ("2026-07-01T00:00+08:00", "2026-07-01T00:00")],
)
def test_the_clock_of_the_bureau_is_eight_hours_ahead_the_whole_year(instant: str, clock: str) -> None:
    assert local_time(datetime.fromisoformat(instant)) == datetime.fromisoformat(clock)
    assert instant_of(datetime.fromisoformat(clock)) == datetime.fromisoformat(instant)


def test_jobs_of_a_night_come_before_the_check_and_reminders_in_the_morning() -> None:
    times = {job: kind.at for job, kind in JOBS.items()}

    assert times["lateness"] < times["nightly"] < times["verify"] < times["reminders"]
    assert date(2026, 11, 24).isoformat() == running_period(JOBS["reminders"].cadence, date(2026, 11, 24))
