"""docs/scoring.md section 1 (Period)."""

from datetime import date

import pytest

from app.rules.periods import Period, Span, counting_month, spoken


@pytest.mark.parametrize("text", ["2026-03", "2026Q1", "2026", "2024-12", "2024Q4"])
def test_a_period_reads_and_writes_the_same(text: str) -> None:
    assert str(Period.parse(text)) == text


@pytest.mark.parametrize("text", ["", "2026-13", "2026-3", "2026Q5", "26", "2026-00", "２０２６", "2026-03-01", "0000"])
def test_what_is_no_period_is_refused(text: str) -> None:
    assert Period.parse(text) is None


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("2024-02", date(2024, 2, 29)),
        ("2026-02", date(2026, 2, 28)),
        ("2026Q1", date(2026, 3, 31)),
        ("2026", date(2026, 12, 31)),
    ],
)
def test_the_last_day(text: str, last: date) -> None:
    period = Period.parse(text)

    assert period is not None
    assert period.last_day == last


def test_months_that_have_not_begun_do_not_exist() -> None:
    year = Period.parse("2026")

    assert year is not None
    assert [str(it) for it in year.parts(Span.QUARTER, on=date(2026, 6, 30))] == ["2026Q1", "2026Q2"]
    assert len(year.parts(Span.MONTH, on=date(2026, 3, 1))) == 3
    assert year.parts(Span.YEAR, on=date(2026, 1, 1)) == (year,)


def test_a_month_has_no_quarters() -> None:
    month = Period.parse("2026-03")

    assert month is not None
    assert month.parts(Span.QUARTER, on=date(2027, 1, 1)) == ()


@pytest.mark.parametrize(
    ("text", "steps", "expected"), [("2026-01", -1, "2025-12"), ("2026Q4", 1, "2027Q1"), ("2026", -2, "2024")]
)
def test_stepping(text: str, steps: int, expected: str) -> None:
    period = Period.parse(text)

    assert period is not None
    assert str(period.shifted(steps)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03", "Month 3 of 2026"),
        ("2026Q4", "Quarter 4 of 2026"),
        ("2026", "Year 2026"),
        ("2026-11-23", "2026-11-23"),
    ],
)
def test_in_words(text: str, words: str) -> None:
    assert str(spoken(text)) == words


@pytest.mark.parametrize(
    ("day", "closed", "month"),
    [
        (date(2026, 3, 31), (), "2026-03"),
        (date(2026, 3, 31), ("2026-03",), "2026-04"),
        (date(2026, 3, 1), ("2026-03", "2026-04"), "2026-05"),
        # an earlier month that is still open takes its own facts, whatever was closed after it
        (date(2026, 3, 1), ("2026-04",), "2026-03"),
        (date(2026, 12, 5), ("2026-12",), "2027-01"),
        (date(2026, 2, 1), ("2026", "2026Q1"), "2026-02"),
    ],
)
def test_a_late_fact_counts_in_the_first_open_month(day: date, closed: tuple[str, ...], month: str) -> None:
    assert str(counting_month(day, closed)) == month


def test_longer_periods_and_months_inside() -> None:
    november = Period(2026, 11, 1)
    assert str(november.of_span(Span.QUARTER)) == "2026Q4"
    assert str(november.of_span(Span.YEAR)) == "2026"
    assert Period(2026, 10, 3).month_keys == ("2026-10", "2026-11", "2026-12")
    assert not november.has_ended(date(2026, 11, 30))
    assert november.has_ended(date(2026, 12, 1))


@pytest.mark.parametrize(("text", "is_read"), [("1899", False), ("1900", True), ("9998-12", True), ("9999-01", False)])
def test_years_that_have_neighbours(text: str, is_read: bool) -> None:
    assert (Period.parse(text) is not None) is is_read


@pytest.mark.parametrize(
    ("month", "quarter"), [(1, "2026Q1"), (3, "2026Q1"), (4, "2026Q2"), (6, "2026Q2"), (7, "2026Q3"), (12, "2026Q4")]
)
def test_the_quarter_of_a_month(month: int, quarter: str) -> None:
    assert str(Period(2026, month, 1).of_span(Span.QUARTER)) == quarter
    assert Period(2026, month, 1).of_span(Span.MONTH) == Period(2026, month, 1)
    assert str(Period(2026, month, 1).of_span(Span.YEAR)) == "2026"


def test_a_period_has_begun_on_its_first_day_and_ended_after_its_last() -> None:
    quarter = Period(2026, 4, 3)

    assert [quarter.has_begun(date(2026, 3, 31)), quarter.has_begun(date(2026, 4, 1))] == [False, True]
    assert [quarter.has_ended(date(2026, 6, 30)), quarter.has_ended(date(2026, 7, 1))] == [False, True]
    assert (quarter.first_day, quarter.span, quarter.month_keys) == (
        date(2026, 4, 1), Span.QUARTER, ("2026-04", "2026-05", "2026-06"),
    )  # fmt: skip
