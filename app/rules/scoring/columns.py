"""Columns: a number of each subject of a cohort, exact, as integers over one common unit.

A quotient stays exact because the unit grows to hold it; nothing is rounded but where a node says so. One subject
alone is a column of length one. Source: docs/scoring.md section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor, gcd, lcm
from operator import add, sub

from app.rules.numbers import COMPARE_PLACES, SCORE_PLACES, comparable

Values = Sequence[int | None]


@dataclass(frozen=True)
class Column:
    """`values[i] / unit` is the number of the i-th subject; None where it has none."""

    values: Values
    unit: int = 1

    @cached_property
    def is_full(self) -> bool:
        """Whether every subject has a number."""
        return None not in self.values

    def at(self, index: int) -> Fraction | None:
        value = self.values[index]
        return None if value is None else Fraction(value, self.unit)

    def over(self, unit: int) -> Values:
        """The values over a multiple of the unit."""
        return self._each(lambda value: value * factor) if (factor := unit // self.unit) != 1 else self.values

    def _each(self, act: Callable[[int], int]) -> list[int | None]:
        if self.is_full:
            return [act(value) for value in self.values]  # type: ignore[arg-type]
        return [None if value is None else act(value) for value in self.values]

    def times(self, factor: Fraction) -> Column:
        if factor == 1:
            return self
        numerator = factor.numerator
        return Column(self._each(lambda value: value * numerator), self.unit * factor.denominator).reduced()

    def plus(self, number: Fraction) -> Column:
        if not number:
            return self
        unit = lcm(self.unit, number.denominator)
        constant, factor = number.numerator * (unit // number.denominator), unit // self.unit
        return Column(self._each(lambda value: value * factor + constant), unit)

    def minus(self, other: Column) -> Column:
        """Row by row; None where either has none."""
        return self._with(other, sub)

    def _with(self, other: Column, act: Callable[[int, int], int]) -> Column:
        unit = lcm(self.unit, other.unit)
        pairs = zip(self.over(unit), other.over(unit), strict=True)
        return Column([None if one is None or two is None else act(one, two) for one, two in pairs], unit)

    def divided(self, divisors: Values, unit: int = 1) -> Column:
        """Row by row by `divisors[i] / unit`, which is not 0; None where either has none."""
        rows = [None if value is None else divisor for value, divisor in zip(self.values, divisors, strict=True)]
        common = lcm(*{divisor for divisor in rows if divisor is not None})
        shared = gcd(common, unit)
        common, unit = common // shared, unit // shared
        factors = {divisor: unit * shared * common // divisor for divisor in set(rows) if divisor is not None}
        found = [
            None if value is None or divisor is None else value * factors[divisor]
            for value, divisor in zip(self.values, rows, strict=True)
        ]
        return Column(found, self.unit * common).reduced()

    def reduced(self) -> Column:
        """The same numbers over the smallest unit that holds them, once the unit is large."""
        if self.unit < 1 << 62:
            return self
        shared = gcd(self.unit, *(value for value in self.values if value is not None))
        return self if shared == 1 else Column(self._each(lambda value: value // shared), self.unit // shared)

    def at_most(self, limit: Fraction) -> Column:
        return self._limited(limit, min)

    def at_least(self, limit: Fraction) -> Column:
        return self._limited(limit, max)

    def _limited(self, limit: Fraction, of: Callable[[int, int], int]) -> Column:
        unit = lcm(self.unit, limit.denominator)
        bound, factor = limit.numerator * (unit // limit.denominator), unit // self.unit
        return Column(self._each(lambda value: of(value * factor, bound)), unit)

    def rounded(self, places: int) -> Column:
        """Half up, away from zero, after rounding to 12 decimals (`numbers.round_half_up`)."""
        scale, unit = 10**places, self.unit
        if scale % unit == 0:
            return self
        if places >= COMPARE_PLACES or 10**COMPARE_PLACES % unit == 0:
            return Column(self._each(lambda value: _half_up(value * scale, unit)), scale)
        fine, coarse = 10**COMPARE_PLACES, 10 ** (COMPARE_PLACES - places)
        return Column(self._each(lambda value: _half_up(_half_up(value * fine, unit), coarse)), scale)

    def scaled(self, places: int) -> Values:
        """The numbers rounded to so many decimals, as integers of that scale."""
        return self.rounded(places).over(10**places)

    @cached_property
    def stored(self) -> Values:
        """The numbers as they are stored: integers of 6 decimals."""
        return self.scaled(SCORE_PLACES)

    def whole(self, of: Callable[[Fraction], int]) -> Column:
        """Every number made whole by `ceil` or `floor`, as it is compared."""
        assert of in (ceil, floor)
        return column_of([None if it is None else Fraction(of(comparable(it))) for it in self.fractions()])

    def fractions(self) -> list[Fraction | None]:
        return [None if value is None else Fraction(value, self.unit) for value in self.values]

    def with_rows(self, rows: Mapping[int, Fraction | None]) -> Column:
        """The column with other numbers in some rows."""
        if not rows:
            return self
        unit = lcm(self.unit, *(it.denominator for it in rows.values() if it is not None))
        values = list(self.over(unit))
        for index, number in rows.items():
            values[index] = None if number is None else number.numerator * (unit // number.denominator)
        return Column(values, unit)

    def without(self, rows: Iterable[int]) -> Column:
        """The column with no number in some rows."""
        return self.with_rows(dict.fromkeys(rows))


def _half_up(numerator: int, denominator: int) -> int:
    """The quotient rounded half away from zero."""
    if numerator < 0:
        return -((denominator - 2 * numerator) // (2 * denominator))
    return (2 * numerator + denominator) // (2 * denominator)


def column_of(numbers: Iterable[Fraction | None]) -> Column:
    """The column of some numbers."""
    found = list(numbers)
    unit = lcm(*{it.denominator for it in found if it is not None})
    return Column([None if it is None else it.numerator * (unit // it.denominator) for it in found], unit)


def constant(size: int, number: Fraction) -> Column:
    return Column([number.numerator] * size, number.denominator)


def nothing(size: int) -> Column:
    return Column([None] * size)


def present_sum(columns: Sequence[Column]) -> Column:
    """Row by row the sum of those that have a number; None where none has."""
    unit = lcm(*(column.unit for column in columns))
    total: Values | None = None
    for column in columns:
        values = column.over(unit)
        if total is None:
            total = values
        elif column.is_full and None not in total:
            total = list(map(add, total, values))  # type: ignore[arg-type]
        else:
            total = [
                two if one is None else one if two is None else one + two
                for one, two in zip(total, values, strict=True)
            ]
    assert total is not None
    return Column(total, unit)


def present_count(columns: Sequence[Column], weights: Sequence[Fraction] | None = None) -> tuple[Values, int]:
    """Row by row how many have a number, or the sum of the weights of those; None for 0. As values and their unit."""
    unit = 1 if weights is None else lcm(*(weight.denominator for weight in weights))
    heavy = [1 if weights is None else int(weights[index] * unit) for index in range(len(columns))]
    if all(column.is_full for column in columns):
        return [sum(heavy) or None] * len(columns[0].values), unit
    rows = zip(*(column.values for column in columns), strict=True)
    return [sum(w for value, w in zip(row, heavy, strict=True) if value is not None) or None for row in rows], unit


def chosen(columns: Sequence[Column], of: Callable[[list[int]], int]) -> Column:
    """Row by row the lowest or highest of those that have a number."""
    unit = lcm(*(column.unit for column in columns))
    found: list[int | None] = []
    for row in zip(*(column.over(unit) for column in columns), strict=True):
        numbers = [value for value in row if value is not None]
        found.append(of(numbers) if numbers else None)
    return Column(found, unit)
