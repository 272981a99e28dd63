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


@pytest.mark.parametrize(("text", "decimals"), [("NaN", 0), ("0.0", 0), ("1E+3", 0), ("-12.340", 2), ("1E-7", 7)])
def test_decimals_of_odd_numbers(text: str, decimals: int) -> None:
    assert decimals_of(Decimal(text)) == decimals


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (Decimal("0.0000004999995"), 6, "0.000001"),
        (Decimal("0.0000004999994"), 6, "0.000000"),
        (Decimal("0.4999999999995"), 0, "1"),
        (Decimal("0.4999999999994"), 0, "0"),
        # at twelve places and more it is rounded once
        (Decimal("0.12345678901249"), 12, "0.123456789012"),
        (Decimal("0.12345678901249"), 13, "0.1234567890125"),
        (5, 3, "5.000"),
        (-0, 1, "0.0"),
    ],
)
def test_rounding_to_any_places(value: Decimal | int, places: int, expected: str) -> None:
    assert plain(value, places) == expected


@pytest.mark.parametrize("value", [Decimal("-2.5"), Fraction(-5, 2)])
def test_decimals_and_fractions_compare_and_round_alike(value: Decimal | Fraction) -> None:
    assert comparable(value) == Fraction(-5, 2)
    assert comparable(3) == 3
    assert round_half_up(value, 0) == -3


@pytest.mark.parametrize(
    ("value", "expected"), [("1200.50", "1200.5"), ("-7.25", "-7.25"), ("100.000001", "100.000001")]
)
def test_only_zeros_behind_the_point_are_dropped(value: str, expected: str) -> None:
    assert plain(Decimal(value)) == expected
