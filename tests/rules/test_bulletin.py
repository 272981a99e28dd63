"""The way of a bulletin, and the small sums it prints."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from app.errors import Conflict
from app.rules.bulletin import (
    TRANSITIONS,
    BulletinState,
    BulletinVerb,
    Moved,
    change,
    mean,
    moved,
    next_state,
    rank_move,
)
from app.rules.scoring.lights import Light, light_of

D, S, G, P = BulletinState
ALLOWED = {
    (D, BulletinVerb.SUBMIT): S,
    (S, BulletinVerb.SIGN): G,
    (S, BulletinVerb.RETURN): D,
    (G, BulletinVerb.RETURN): D,
    (G, BulletinVerb.PUBLISH): P,
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(BulletinState, BulletinVerb)))
def test_only_the_arrows_of_the_table_lead_on(state: BulletinState, verb: BulletinVerb) -> None:
    if (state, verb) in ALLOWED:
        assert next_state(state, verb) is ALLOWED[state, verb]
    else:
        with pytest.raises(Conflict):
            next_state(state, verb)


def test_nothing_leads_out_of_publication() -> None:
    assert not [verb for state, verb in TRANSITIONS if state is BulletinState.PUBLISHED]


def test_means_changes_and_ranks() -> None:
    assert mean([Decimal("90.00"), Decimal("90.01")]) == Fraction("90.01")
    assert mean([]) is None
    assert change(Decimal("92.22"), Decimal("93.80")) == Fraction("-1.58")
    assert change(Decimal(0), Decimal("1.5")) == Fraction("-1.5")
    assert change(None, Decimal(1)) is None
    assert rank_move(2, 3) == 1
    assert rank_move(3, 1) == -2
    assert rank_move(3, None) is None


@pytest.mark.parametrize(
    ("total", "light"), [("90", Light.MET), ("89.99", Light.WATCH), ("85", Light.WATCH), ("84.99", Light.WARN)]
)
def test_lights(total: str, light: Light) -> None:
    assert light_of(Decimal(total)) is light


def row(subject: str, score: str, rank: int | None, **more: Any) -> dict[str, Any]:
    blank = {"indicator": None, "group_name": "g", "places": 2, "grade": None}
    return {**blank, "subject": subject, "score": score, "rank": rank, **more}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([row("a", "90", 1)], [row("a", "90", 1)], []),
        # a total, a rank, a grade: each of them alone is a move
        ([row("a", "90", 1)], [row("a", "91.5", 1)], [Moved("a", "g", "90.00", "91.50", 1, 1)]),
        ([row("a", "90", 1)], [row("a", "90", 2)], [Moved("a", "g", "90.00", "90.00", 1, 2)]),
        (
            [row("a", "90", 1, grade="good")], [row("a", "90", 1, grade="fair")],
            [Moved("a", "g", "90.00", "90.00", 1, 1, "good", "fair")],
        ),
        # who came and who went, told with the group they are or were in
        ([], [row("a", "90", 1, grade="good")], [Moved("a", "g", None, "90.00", None, 1, None, "good")]),
        ([row("a", "90", 1, grade="good")], [], [Moved("a", "g", "90.00", None, 1, None, "good", None)]),
        ([row("a", "90", 1)], [row("a", "90.5", 1, group_name="h")], [Moved("a", "h", "90.00", "90.50", 1, 1)]),
        # with the decimals of the scheme; items are not compared
        ([row("a", "90", 1, places=0)], [row("a", "91", 1, places=1)], [Moved("a", "g", "90", "91.0", 1, 1)]),
        ([row("a", "9", None, indicator="I")], [row("a", "8", None, indicator="I")], []),
        ([row("a", "90", 1), row("a", "9", None, indicator="I")], [row("a", "90", 1), row("a", "8", None, indicator="I")], []),
    ],
)  # fmt: skip
def test_whom_a_correction_moved(
    before: list[dict[str, Any]], after: list[dict[str, Any]], expected: list[Moved]
) -> None:
    assert moved(before, after) == expected


def test_who_moved_is_listed_by_group_and_new_rank_those_without_last() -> None:
    before = [row(code, "1", 9, group_name="h" if code == "e" else "g") for code in "abcdef"]
    after = [
        row("a", "2", 3), row("b", "2", 1), row("c", "2", 1), row("d", "2", None), row("e", "2", 1, group_name="h"),
        row("f", "2", 0),
    ]  # fmt: skip

    assert [it.subject for it in moved(before, after)] == ["f", "b", "c", "a", "d", "e"]
    assert [it.subject for it in moved(before[:1], [])] == ["a"]


def test_means_are_rounded_to_the_places_asked_for() -> None:
    assert mean([Decimal(1), Decimal(2)], 0) == 2
    assert mean([Decimal(1), Decimal(1), Decimal(2)]) == Fraction("1.33")


def test_those_who_stayed_hide_nobody_who_moved() -> None:
    before = [row(f"{number:02d}", "1", number) for number in range(20)]
    after = [row(f"{number:02d}", "1" if number % 2 else "2", number) for number in range(20)]

    assert [it.subject for it in moved(before, after)] == [f"{number:02d}" for number in range(0, 20, 2)]
