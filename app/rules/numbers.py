"""How numbers are read, rounded and written: exact inside, half up at the declared places.

Source: docs/scoring.md section 2.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

Number: TypeAlias = Fraction | Decimal | int

POINT_PLACES = 3
VALUE_PLACES = 4
SCORE_PLACES = 6
COMPARE_PLACES = 12
LARGEST = 10**9

_DECIMAL = re.compile(r"[+-]?(\d{1,12}(\.\d{0,28})?|\.\d{1,28})(e[+-]?\d{1,2})?", re.IGNORECASE | re.ASCII)


_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def round_half_up(value: Number, places: int) -> Fraction:
    """Round to `places` decimals, half away from zero, after rounding to 12 decimals.

    Source: docs/scoring.md section 2 (a third of 0.375 is 0.125, and 0.13).
    """
    exact = value if isinstance(value, Fraction) else Fraction(value)
    if places < COMPARE_PLACES:
        exact = _round_once(exact, COMPARE_PLACES)
    return _round_once(exact, places)


def _round_once(value: Fraction, places: int) -> Fraction:
    scale = 10**places
    if not scale % value.denominator:
        return value
    numerator = abs(value.numerator) * scale
    whole = (2 * numerator + value.denominator) // (2 * value.denominator)
    return Fraction(-whole if value < 0 else whole, scale)


def comparable(value: Number) -> Fraction:
    """Return the value as it is compared and ranked: half up to 12 decimals."""
    return _round_once(value if isinstance(value, Fraction) else Fraction(value), COMPARE_PLACES)


def read_decimal(text: str) -> Decimal | None:
    """Read a decimal the way a person writes it, or return None.

    Full-width digits have been folded before; `NaN`, `Infinity` and thousands signs are no numbers.
    """
    if not _DECIMAL.fullmatch(text):
        return None
    return Decimal(text)


def read_whole(text: str, *, least: int = 0, most: int = LARGEST) -> int | None:
    """Read a whole number as a key, a page or a count is written, or return None.

    One form for each number: no sign, no leading zeros, ASCII digits only, so that no spelling slips past a bound.
    """
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        return None
    return int(text)


def decimals_of(value: Decimal) -> int:
    """Count the decimals a number needs, trailing zeros not counted."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def plain(value: Number, places: int | None = None) -> str:
    """Write a number as text: with exactly `places` decimals, or with at most 6 and no trailing zeros.

    Never an exponent and never `-0`.
    """
    rounded = round_half_up(value, SCORE_PLACES if places is None else places)
    if not rounded:
        rounded = Fraction(0)
    digits = SCORE_PLACES if places is None else places
    scaled = abs(rounded.numerator) * 10**digits // rounded.denominator
    body = str(scaled).rjust(digits + 1, "0")
    text = f"{body[:-digits]}.{body[-digits:]}" if digits else body
    if places is None:
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"-{text}" if rounded < 0 else text
