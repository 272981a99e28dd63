"""What may no longer come, change or go once a period is published."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.rules.closing import touched_by_days, touched_period

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
