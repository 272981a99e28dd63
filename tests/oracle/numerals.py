"""Exact numbers of the contract: reading, rounding, comparing and printing (docs/scoring.md §2 and §8)."""

from __future__ import annotations

import operator
from fractions import Fraction
from typing import Any

COMPARED_PLACES = 12
PRINTED_PLACES = 6
COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}


def number(value: Any) -> Fraction:
    """§2: a number of the workbook, as it is written."""
    return Fraction(str(value).strip())


def optional(value: Any) -> Fraction | None:
    """A blank cell is no number."""
    return None if value is None or str(value).strip() == "" else number(value)


def half_up(value: Fraction, places: int) -> Fraction:
    """Half up, away from zero, in one step."""
    unit = Fraction(1, 10**places)
    steps = int(abs(value) / unit + Fraction(1, 2))
    return -steps * unit if value < 0 else steps * unit


def steady(value: Fraction) -> Fraction:
    """§2: what is rounded, compared or ranked is rounded to 12 decimals first."""
    return half_up(value, COMPARED_PLACES)


def rounded(value: Fraction, places: int) -> Fraction:
    """§2: rounding of a node or total."""
    return half_up(steady(value), places)


def holds(left: Fraction, op: str, right: Fraction) -> bool:
    """§2: a comparison of two numbers."""
    return bool(COMPARISONS[op](steady(left), steady(right)))


def whole_up(value: Fraction) -> int:
    """The next whole number, of a quotient as it is compared."""
    return -(-steady(value).numerator // steady(value).denominator)


def whole_down(value: Fraction) -> int:
    return steady(value).numerator // steady(value).denominator


def fixed(value: Fraction, places: int) -> str:
    """§8: all the places, and never -0."""
    scaled = rounded(value, places) * 10**places
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{text}" if scaled < 0 else text


def shortest(value: Fraction) -> str:
    """§8: at most 6 decimals, no trailing zeros."""
    return fixed(value, PRINTED_PLACES).rstrip("0").rstrip(".")
