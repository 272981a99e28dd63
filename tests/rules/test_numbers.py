"""docs/scoring.md section 2: exact inside, half up away from zero, first to 12 decimals."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.numbers import comparable, decimals_of, plain, read_decimal, round_half_up


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("94.308", 2, "94.31"),
        ("94.305", 2, "94.31"),
        ("-94.305", 2, "-94.31"),
        ("92.936", 2, "92.94"),
        ("0.005", 2, "0.01"),
        ("-0.004", 2, "0.00"),
        ("53.3333333", 2, "53.33"),
        ("100", 2, "100.00"),
        ("0.1249999999999", 2, "0.13"),
        ("7", 0, "7"),
    ],
)
def test_rounding_is_half_up_after_twelve_decimals(value: str, places: int, expected: str) -> None:
    assert plain(Fraction(value), places) == expected


def test_a_third_of_three_eighths_is_an_eighth() -> None:
    assert round_half_up(Fraction(Decimal("0.375")) / 3, 2) == Fraction(13, 100)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("94.300000", "94.3"), ("95", "95"), ("0", "0"), ("-0.0000001", "0"), ("1/3", "0.333333"), ("1200", "1200")],
)
def test_a_number_is_written_without_trailing_zeros(value: str, expected: str) -> None:
    assert plain(Fraction(value)) == expected


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6), st.integers(0, 6))
def test_rounding_moves_at_most_half_a_step(numerator: int, denominator: int, places: int) -> None:
    value = Fraction(numerator, denominator)

    assert abs(round_half_up(value, places) - value) <= Fraction(1, 2 * 10**places) + Fraction(1, 10**12)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
def test_what_is_written_reads_back(value: Decimal) -> None:
    assert read_decimal(plain(value)) == value


@pytest.mark.parametrize("text", ["", "NaN", "Infinity", "1,000", "1e999", "0x10", "--1", "1.2.3", "１", "true"])
def test_what_is_no_number_is_not_read(text: str) -> None:
    assert read_decimal(text) is None


def test_decimals_are_counted_without_trailing_zeros() -> None:
    assert [decimals_of(Decimal(text)) for text in ("1.500", "100", "0.0001")] == [1, 0, 4]


def test_values_that_agree_to_twelve_decimals_compare_equal() -> None:
    assert comparable(Fraction(1, 3) * 3) == comparable(Fraction("0.9999999999999"))
