"""What may no longer come, change or go once a period is published."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.rules.closing import Permit, admitting, touched_by_days, touched_period
from app.rules.periods import Period

CLOSED = ("2026-02", "2026-03", "2026Q1")
Row = dict[str, Any]


def unit(start: str | None, end: str | None = None, **values: object) -> Row:
    return {
        "code": "01", "name": "x", "group": "a", **values,
        **({"from": date.fromisoformat(start)} if start else {}), **({"to": date.fromisoformat(end)} if end else {}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "touched"),
    [
        # a new row from the first open day on
        (None, unit("2026-04-01"), None),
        (None, unit("2026-03-31"), "2026-03"),
        (None, unit(None), "2026-02"),
        # a name is corrected in place, a group is not
        (unit("2026-01-01"), unit("2026-01-01", name="y"), None),
        (unit("2026-01-01"), unit("2026-01-01", group="b"), "2026-02"),
        # ending a row after the closed months, inside them, and opening it again
        (unit("2026-01-01"), unit("2026-01-01", "2026-03-31"), None),
        (unit("2026-01-01"), unit("2026-01-01", "2026-03-30"), "2026-03"),
        (unit("2026-01-01", "2026-03-31"), unit("2026-01-01"), None),
        (unit("2026-01-01", "2026-01-31"), unit("2026-01-01"), "2026-02"),
        # a row that ended before the closed months began
        (unit("2026-01-01", "2026-01-31"), unit("2026-01-01", "2026-01-31", group="b"), "2026Q1"),
        (unit("2025-01-01", "2025-12-31"), unit("2025-01-01", "2025-12-31", group="b"), None),
        # removing what acted, and what never did
        (unit("2026-01-01", "2026-02-10"), None, "2026-02"),
        (unit("2026-05-01"), None, None),
    ],
)
def test_dated_rows(before: Row | None, after: Row | None, touched: str | None) -> None:
    assert touched_period("units", before, after, CLOSED) == touched


@pytest.mark.parametrize(
    ("before", "after", "touched"),
    [
        (None, {"period": "2026-03", "value": 1}, "2026-03"),
        (None, {"period": "2026-04", "value": 1}, None),
        ({"period": "2026-03", "value": 1}, {"period": "2026-04", "value": 1}, "2026-03"),
        ({"period": "2026", "value": 1}, {"period": "2026", "value": 2}, None),
        ({"period": "2026Q1", "value": 1}, None, "2026Q1"),
    ],
)
def test_targets(before: Row | None, after: Row | None, touched: str | None) -> None:
    assert touched_period("targets", before, after, CLOSED) == touched


def test_rules_come_by_their_days_and_calendars_never_matter() -> None:
    assert touched_period("calendar", None, {"day": date(2026, 2, 1)}, CLOSED) is None
    assert touched_by_days([(date(2026, 4, 1), date(2026, 12, 31))], CLOSED) is None
    assert touched_by_days([(date(2026, 1, 1), date(2026, 12, 31))], CLOSED) is not None


def permit(period: str, subjects: str = "", indicators: str = "") -> Permit:
    found = Period.parse(period)
    assert found is not None
    return Permit(7, found, frozenset(subjects.split()), frozenset(indicators.split()))


@pytest.mark.parametrize(
    ("named", "subjects", "indicator", "is_admitted"),
    [
        # none named means all
        (permit("2026-03"), ["01"], "A", True),
        (permit("2026-03"), [], None, True),
        (permit("2026-03", "01 02"), ["02"], "A", True),
        (permit("2026-03", "01 02"), ["03"], "A", False),
        (permit("2026-03", "01"), ["03", "01"], "A", True),
        (permit("2026-03", "", "A B"), ["03"], "B", True),
        (permit("2026-03", "", "A B"), ["03"], "C", False),
        (permit("2026-03", "", "A B"), ["03"], None, False),
        # both named: both must fit
        (permit("2026-03", "01", "A"), ["01"], "A", True),
        (permit("2026-03", "01", "A"), ["02"], "A", False),
        (permit("2026-03", "01", "A"), ["01"], "B", False),
    ],
)
def test_what_lies_within_a_permit(
    named: Permit, subjects: list[str], indicator: str | None, is_admitted: bool
) -> None:
    assert named.admits(subjects, indicator) is is_admitted


ALL_CLOSED = ("annual", "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026Q1", "2026Q2", "2026", "2025")


@pytest.mark.parametrize(
    ("period", "longer", "opened"),
    [
        ("2026-03", False, {"2026-03"}),
        ("2026-03", True, {"2026-03", "2026Q1", "2026"}),
        ("2026-01", True, {"2026-01", "2026Q1", "2026"}),
        ("2026Q1", False, {"2026-01", "2026-02", "2026-03", "2026Q1"}),
        ("2026Q1", True, {"2026-01", "2026-02", "2026-03", "2026Q1", "2026"}),
        ("2026", False, {"2026-01", "2026-02", "2026-03", "2026-04", "2026Q1", "2026Q2", "2026"}),
        ("2026-12", False, set()),
        ("2025-12", True, {"2025-12", "2025"}),
    ],
)
def test_which_closed_periods_a_permit_opens(period: str, longer: bool, opened: set[str]) -> None:
    assert permit(period).opens(ALL_CLOSED, longer=longer) == opened


MARCH = {"period": "2026-03", "subject": "01", "indicator": "A", "value": 1}
APRIL = {**MARCH, "period": "2026-04"}


@pytest.mark.parametrize(
    ("sheet", "permits", "before", "after", "expected"),
    [
        # nothing closed is touched: no permit is asked for
        ("targets", [permit("2026-03")], None, APRIL, (None, None)),
        ("targets", [], None, MARCH, ("2026-03", None)),
        ("targets", [permit("2026-03")], None, MARCH, (None, permit("2026-03"))),
        ("targets", [permit("2026-02")], None, MARCH, ("2026-03", None)),
        ("targets", [permit("2026-03", "02")], None, MARCH, ("2026-03", None)),
        ("targets", [permit("2026-03", "", "B")], None, MARCH, ("2026-03", None)),
        ("targets", [permit("2026-03", "01", "A")], None, MARCH, (None, permit("2026-03", "01", "A"))),
        ("targets", [permit("2026-03", "01", "A")], MARCH, None, (None, permit("2026-03", "01", "A"))),
        # the first of several that admits it
        ("targets", [permit("2026-02"), permit("2026Q1"), permit("2026-03")], None, MARCH, (None, permit("2026Q1"))),
        # a changed row must lie within it as it was and as it is to be
        ("targets", [permit("2026-03", "", "A")], MARCH, {**MARCH, "indicator": "B"}, ("2026-03", None)),
        ("targets", [permit("2026-03", "", "B")], MARCH, {**MARCH, "indicator": "B"}, ("2026-03", None)),
        ("targets", [permit("2026-03", "", "A B")], MARCH, {**MARCH, "indicator": "B"}, (None, permit("2026-03", "", "A B"))),
        ("targets", [permit("2026-03")], {**MARCH, "period": "2026-02"}, MARCH, ("2026-02", None)),
        ("targets", [permit("2026Q1")], {**MARCH, "period": "2026-02"}, MARCH, (None, permit("2026Q1"))),
        # the month is opened, not the quarter around it, unless the row itself lies in days
        ("targets", [permit("2026-03")], None, {**MARCH, "period": "2026Q1"}, ("2026Q1", None)),
        ("units", [permit("2026-03", "01")], None, unit("2026-03-15"), (None, permit("2026-03", "01"))),
        ("units", [permit("2026-03", "02")], None, unit("2026-03-15"), ("2026-03", None)),
        ("units", [permit("2026-03")], None, unit("2026-02-15"), ("2026-02", None)),
        # by whichever column the subject is named
        ("people", [permit("2026-03", "1003")], None, {"staff_no": 1003, "from": date(2026, 3, 2)}, (None, permit("2026-03", "1003"))),
        ("postings", [permit("2026-03", "01")], None, {"staff_no": "1003", "unit": "01", "from": date(2026, 3, 2)}, (None, permit("2026-03", "01"))),
        ("oversight", [permit("2026-03", "", "A")], None, {"staff_no": "1003", "unit": None, "indicator": "A", "from": date(2026, 3, 2)}, (None, permit("2026-03", "", "A"))),
        ("oversight", [permit("2026-03", "None")], None, {"staff_no": "1003", "unit": None, "indicator": "A", "from": date(2026, 3, 2)}, ("2026-03", None)),
    ],
)  # fmt: skip
def test_a_row_acts_in_a_closed_period_only_under_a_permit(
    sheet: str, permits: list[Permit], before: Row | None, after: Row | None, expected: tuple[str | None, Permit | None]
) -> None:
    assert admitting(permits, sheet, before, after, CLOSED) == expected


@pytest.mark.parametrize(
    ("first", "last", "touched"),
    [
        ("2026-01-01", "2026-01-31", "2026Q1"),
        ("2026-01-31", "2026-02-01", "2026-02"),
        ("2026-03-31", "2026-04-30", "2026-03"),
        ("2026-04-01", "2026-04-30", None),
        ("2025-01-01", "2025-12-31", None),
        # months come before the quarter that holds them, and earlier ones before later ones
        ("2026-01-01", "2026-12-31", "2026-02"),
    ],
)
def test_the_first_closed_period_that_shares_a_day(first: str, last: str, touched: str | None) -> None:
    span = (date.fromisoformat(first), date.fromisoformat(last))

    assert (
        touched_by_days([(date(2026, 8, 1), date(2026, 8, 2)), span], ("2026Q1", "2026-03", "x", "2026-02")) == touched
    )
