"""When somebody is reminded: texts of rules, days on which they fall, hours in which nothing leaves the portal."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from app.errors import RuleViolation
from app.rules.processes import EVENTS, PROCESS_RULES, REMINDER
from app.rules.reminders import (
    Reminding,
    days_from,
    falls_on,
    may_leave_from,
    read_quiet,
    read_reminding,
    read_waiting,
)
from app.rules.timetable import instant_of, local_time
from app.rules.workdays import WorkCalendar

# A week off from Thursday 1 to Wednesday 7 October, made up for on Sunday 27 September and Saturday 10 October.
HOLIDAYS = {date(2026, 10, it): False for it in range(1, 8)}
CALENDAR = WorkCalendar({**HOLIDAYS, date(2026, 9, 27): True, date(2026, 10, 10): True}, frozenset({2026}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-3;0;leader:2", Reminding((-3, 0), 2)), (" -3 ; 0 ;leader: 2", Reminding((-3, 0), 2)), ("", Reminding()),
        ("0", Reminding((0,))), ("leader:1", Reminding((), 1)), ("1;60", Reminding((1, 60))),
        ("-60;5;leader:5", Reminding((-60, 5), 5)),
    ],
)  # fmt: skip
def test_rules_are_read_and_written_back(text: str, found: Reminding) -> None:
    assert read_reminding(text) == found
    assert read_reminding(found.text()) == found


@pytest.mark.parametrize(
    "text",
    ["x", "1;1", "0;-3", "-3;0;2", "61", "-61", "leader:0", "leader:-1", "5;leader:4", "leader:1;leader:2",
     "head:1", "1.5", "1e1", "٣", "0001", "--3", "leader:", ":1", "leader:61"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        read_reminding(text)
    assert refusal.value.field_name == "value"


@pytest.mark.parametrize("text", ["0", "-1;1", "0;leader:2"])
def test_there_is_nothing_before_the_day_something_began_to_wait(text: str) -> None:
    with pytest.raises(RuleViolation):
        read_waiting(text)
    assert read_waiting("1;leader:2") == Reminding((1,), 2)


def test_what_is_shipped_holds_by_its_own_rules() -> None:
    for name, event in EVENTS.items():
        kind = PROCESS_RULES[f"{REMINDER}{name}"]
        assert kind.read(event.default).days
        assert kind.process == event.process
        if event.has_leader:
            assert kind.read("1;leader:9").leader == 9
        else:
            assert kind.read(event.default).leader is None
            with pytest.raises(RuleViolation):
                kind.read("1;leader:9")
        if not event.counts_from_due:
            with pytest.raises(RuleViolation):
                kind.read("-1")


@pytest.mark.parametrize(
    ("anchor", "on", "days"),
    [
        ("2026-09-30", "2026-09-30", 0), ("2026-09-30", "2026-09-29", -1), ("2026-09-30", "2026-09-27", -3),
        ("2026-09-30", "2026-09-25", -4),
        # due on a holiday: the last working day before it is the day itself, the first after it is one day late
        ("2026-10-03", "2026-09-30", 0), ("2026-10-03", "2026-10-08", 1), ("2026-10-03", "2026-10-10", 3),
        ("2026-10-08", "2026-09-30", -1), ("2026-09-30", "2026-10-08", 1),
    ],
)  # fmt: skip
def test_days_are_working_days(anchor: str, on: str, days: int) -> None:
    assert days_from(date.fromisoformat(anchor), date.fromisoformat(on), CALENDAR) == days


@pytest.mark.parametrize(
    ("wanted", "after", "on", "found"),
    [
        ((-3, 0), "2026-09-26", "2026-09-27", -3), ((-3, 0), "2026-09-27", "2026-09-28", None),
        ((-3, 0), "2026-09-29", "2026-09-30", 0),
        # nobody was reminded for days: what fell between is not lost, the newest of it counts
        ((-3, 0), "2026-09-24", "2026-09-29", -3), ((-3, 0), "2026-09-24", "2026-10-08", 0),
        ((1,), "2026-09-30", "2026-10-08", 1), ((), "2026-09-24", "2026-10-08", None),
    ],
)  # fmt: skip
def test_which_day_of_a_matter_a_working_day_is(
    wanted: tuple[int, ...], after: str, on: str, found: int | None
) -> None:
    anchor = date(2026, 9, 30)
    assert (
        falls_on(wanted, anchor, after=date.fromisoformat(after), on=date.fromisoformat(on), calendar=CALENDAR) == found
    )


def test_each_working_day_of_a_year_is_one_day_of_a_matter_and_days_off_are_none() -> None:
    anchor = date(2026, 10, 3)
    days = list(CALENDAR.within(date(2025, 12, 31), date(2026, 12, 31)))

    assert [days_from(anchor, it, CALENDAR) for it in days] == sorted({days_from(anchor, it, CALENDAR) for it in days})
    assert days_from(anchor, days[0], CALENDAR) < 0 < days_from(anchor, days[-1], CALENDAR)


@pytest.mark.parametrize(
    "text", ["18:00", "18-8", "25:00-08:00", "18:00-18:00", "x-y", "18:00-08:00-09:00", "18:00:00-08:00"]
)
def test_odd_quiet_hours_are_refused(text: str) -> None:
    with pytest.raises(RuleViolation):
        read_quiet(text)


@pytest.mark.parametrize(
    ("quiet", "now", "leaves"),
    [
        ("18:00-08:00", "2026-09-28T10:00", "2026-09-28T10:00"), ("18:00-08:00", "2026-09-28T17:59", "2026-09-28T17:59"),
        ("18:00-08:00", "2026-09-28T18:00", "2026-09-29T08:00"), ("18:00-08:00", "2026-09-28T07:59", "2026-09-28T08:00"),
        ("18:00-08:00", "2026-09-28T02:00", "2026-09-28T08:00"), ("18:00-08:00", "2026-09-30T20:00", "2026-10-08T08:00"),
        ("18:00-08:00", "2026-10-03T12:00", "2026-10-08T08:00"), ("18:00-08:00", "2026-09-27T09:00", "2026-09-27T09:00"),
        ("12:00-14:00", "2026-09-28T13:00", "2026-09-28T14:00"), ("12:00-14:00", "2026-09-28T11:59", "2026-09-28T11:59"),
        ("12:00-14:00", "2026-10-03T13:00", "2026-10-08T14:00"), ("", "2026-09-28T03:00", "2026-09-28T03:00"),
        ("", "2026-10-03T12:00", "2026-10-08T00:00"),
    ],
)  # fmt: skip
def test_when_a_message_may_leave(quiet: str, now: str, leaves: str) -> None:
    instant = instant_of(datetime.fromisoformat(now))

    found = may_leave_from(instant, read_quiet(quiet), CALENDAR)

    assert local_time(found) == datetime.fromisoformat(leaves)
    assert CALENDAR.is_workday(local_time(found).date())
