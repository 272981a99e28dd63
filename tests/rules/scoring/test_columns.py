"""Columns say what fractions say, row by row, whatever the unit; blanks stay blank."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction as F
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.numbers import comparable, round_half_up
from app.rules.scoring.columns import Column, chosen, column_of, constant, nothing, present_count, present_sum

NUMBERS = st.fractions(min_value=-1000, max_value=1000, max_denominator=997)
ROWS = st.lists(st.none() | NUMBERS, min_size=1, max_size=6)


def each(rows: list[F | None], act: Callable[[F], F | int]) -> list[F | None]:
    return [None if row is None else F(act(row)) for row in rows]


@given(ROWS, NUMBERS)
def test_with_one_number(rows: list[F | None], number: F) -> None:
    column = column_of(rows)

    assert column.fractions() == rows
    assert column.plus(number).fractions() == each(rows, lambda row: row + number)
    assert column.times(number).fractions() == each(rows, lambda row: row * number)
    assert column.at_most(number).fractions() == each(rows, lambda row: min(row, number))
    assert column.at_least(number).fractions() == each(rows, lambda row: max(row, number))


@given(ROWS, st.integers(0, 13))
def test_rounding(rows: list[F | None], places: int) -> None:
    column = column_of(rows)

    assert column.rounded(places).fractions() == each(rows, lambda row: round_half_up(row, places))
    assert column.scaled(places) == each(rows, lambda row: round_half_up(row, places) * 10**places)
    assert column.stored == column.scaled(6)


@pytest.mark.parametrize(
    ("value", "places", "rounded"),
    [("0.125", 2, "0.13"), ("-0.125", 2, "-0.13"), ("0.1249999999999", 2, "0.13"), ("2.5", 0, "3"), ("-2.5", 0, "-3")],
)
def test_half_goes_away_from_zero_after_twelve_decimals(value: str, places: int, rounded: str) -> None:
    assert column_of([F(value)]).rounded(places).at(0) == F(rounded)


@pytest.mark.parametrize("whole", [ceil, floor])
@given(rows=ROWS)
def test_made_whole_as_compared(whole: Callable[[F], int], rows: list[F | None]) -> None:
    assert column_of(rows).whole(whole).fractions() == each(rows, lambda row: whole(comparable(row)))


@given(st.lists(st.tuples(st.none() | NUMBERS, st.none() | NUMBERS), min_size=1, max_size=6), st.integers(1, 10_000))
def test_row_by_row(pairs: list[tuple[F | None, F | None]], unit: int) -> None:
    one, two = column_of([first for first, _ in pairs]), column_of([second for _, second in pairs])
    divisors = [None if second is None else int(second) or 1 for _, second in pairs]

    assert one.minus(two).fractions() == [None if a is None or b is None else a - b for a, b in pairs]
    assert one.divided(divisors, unit).fractions() == [
        None if a is None or b is None else a * unit / b for (a, _), b in zip(pairs, divisors, strict=True)
    ]


@given(st.lists(st.tuples(st.none() | NUMBERS, st.none() | NUMBERS, st.none() | NUMBERS), min_size=1, max_size=6))
def test_over_those_that_have_a_number(rows: list[tuple[F | None, ...]]) -> None:
    columns = [column_of([row[index] for row in rows]) for index in range(3)]
    there = [[number for number in row if number is not None] for row in rows]
    weights = [F(1, 2), F(0), F(30)]
    heavy = [sum(w for number, w in zip(row, weights, strict=True) if number is not None) for row in rows]

    assert present_sum(columns).fractions() == [sum(found, F(0)) if found else None for found in there]
    assert present_count(columns) == ([len(found) or None for found in there], 1)
    values, unit = present_count(columns, weights)
    assert [F(value or 0, unit) for value in values] == heavy
    assert chosen(columns, min).fractions() == [min(found, default=None) for found in there]
    assert chosen(columns, max).fractions() == [max(found, default=None) for found in there]


def test_other_numbers_in_some_rows() -> None:
    column = column_of([F(1), None, F(1, 3)])

    assert column.with_rows({0: F(1, 7), 1: F(2)}).fractions() == [F(1, 7), F(2), F(1, 3)]
    assert column.without([2]).fractions() == [F(1), None, None]
    assert column.without([]) is column
    assert constant(2, F(1, 4)).fractions() == [F(1, 4), F(1, 4)]
    assert nothing(2).fractions() == [None, None]


def test_a_large_unit_is_made_as_small_as_the_numbers_allow() -> None:
    wide = 1 << 70
    assert Column([3 * wide, None], 6 * wide).reduced() == Column([1, None], 2)
    assert Column([2], 4).reduced() == Column([2], 4), "small ones are left alone"
