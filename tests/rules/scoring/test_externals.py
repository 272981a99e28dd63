"""What printed tables of bureaus above say against themselves."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from app.rules.scoring.externals import Printed, contradictions, deviation
from app.rules.scoring.ranking import distribution, percentage


def printed(subject: str, score: str | None, rank: int | None, indicator: str = "", issuer: str = "city") -> Printed:
    return Printed(subject, indicator, issuer, None if score is None else Decimal(score), rank)


# The annual table of a city's information work, 2010 (case c08): order and tie follow from the printed scores.
C08 = [("A", "308", 1), ("B", "290", 2), ("C", "264", 3), ("D", "264", 3), ("E", "260", 5), ("F", "245", 6)]


def test_a_table_whose_ranks_follow_from_its_scores_has_no_note() -> None:
    assert contradictions([printed(*row) for row in C08]) == {}


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([("A", "90", 1), ("B", "95", 2)], {"A", "B"}),
        ([("A", "90", 1), ("B", "90", 2)], {"B"}),
        ([("A", "90", None), ("B", "80", 2)], set()),
        ([("A", None, 1), ("B", "80", 1)], set()),  # a row without score: nothing follows
    ],
)
def test_ranks_are_held_against_the_printed_scores_of_the_same_table(
    rows: list[tuple[str, str | None, int | None]], wrong: set[str]
) -> None:
    assert {key[0] for key in contradictions([printed(*row) for row in rows])} == wrong


def test_tables_of_other_issuers_and_indicators_stand_apart() -> None:
    rows = [printed("A", "90", 1), printed("B", "95", 1, issuer="province"), printed("C", "99", 1, indicator="I")]

    assert contradictions(rows) == {}


@pytest.mark.parametrize(
    ("total", "items", "is_wrong"),
    [("90", ["40", "50"], False), ("91", ["40", "50"], True), ("91", ["40"], False), ("0.3", ["0.1", "0.2"], False)],
)
def test_a_total_is_held_against_the_sum_of_two_or_more_printed_items(
    total: str, items: list[str], is_wrong: bool
) -> None:
    rows = [printed("A", total, None), *(printed("A", it, None, indicator=f"I{n}") for n, it in enumerate(items))]

    assert bool(contradictions(rows)) is is_wrong


@pytest.mark.parametrize(
    ("own", "other", "apart"),
    [("90", "92.5", Fraction(5, 2)), ("90", "90", Fraction(0)), (None, "90", None), ("90", None, None)],
)
def test_the_deviation_is_printed_minus_own(own: str | None, other: str | None, apart: Fraction | None) -> None:
    values = (None if it is None else Decimal(it) for it in (own, other))

    assert deviation(*values) == apart


# Case c03: 113 villages of five towns, excellent 21 and good 92; a year later 15 and 98.
@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(21, 113, "18.58"), (92, 113, "81.42"), (15, 113, "13.27"), (98, 113, "86.73"), (1, 8, "12.5"), (0, 0, None)],
)
def test_percentages_are_rounded_half_up_to_two_places(part: int, whole: int, expected: str | None) -> None:
    assert percentage(part, whole) == (None if expected is None else Fraction(expected))


def test_a_distribution_keeps_the_order_in_which_values_are_met() -> None:
    assert list(distribution(["b", "a", "b"]).items()) == [("b", 2), ("a", 1)]


def test_a_note_stands_at_the_row_it_is_about_and_gives_the_number() -> None:
    rows = [
        printed("A", "91", 2), printed("A", "40", None, indicator="I1"), printed("A", "50.5", None, indicator="I2"),
        printed("B", "80", 1), printed("B", "80", None, indicator="I3", issuer="province"),
    ]  # fmt: skip

    found = {key: [str(note) for note in notes] for key, notes in contradictions(rows).items()}

    assert found == {
        ("A", "", "city"): [
            "By the printed scores the rank would be 1.",
            "The printed items add up to 181/2, not to the printed total.",
        ],
        ("B", "", "city"): ["By the printed scores the rank would be 2."],
    }


def test_items_of_one_issuer_are_not_added_to_those_of_another() -> None:
    rows = [
        printed("A", "90", None), printed("A", "40", None, indicator="I1"), printed("A", "50", None, indicator="I2"),
        printed("A", "7", None, indicator="I3", issuer="province"), printed("B", "1", None, indicator="I1"),
        printed("A", None, 1, indicator="I4"),
    ]  # fmt: skip

    assert contradictions(rows) == {}
