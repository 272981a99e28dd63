"""docs/scoring.md section 5: branches, finishing, rollup."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import pytest

from app.errors import N_
from app.rules.scoring.combine import Child, NotApplicable, Rollup, Shift, Sibling, combine, finish, roll_up, shift_of


def children(*pairs: tuple[str, str | None]) -> list[Child]:
    return [
        Child(str(index), F(score), None if weight is None else F(weight))
        for index, (score, weight) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("method", "parts", "params", "expected"),
    [
        ("sum", [("18", None), ("20", None)], {}, "38"),
        ("sum", [("18", None), ("20", "0")], {}, "18"),
        ("min", [("18", None), ("20", None), ("3", "0")], {}, "18"),
        ("max", [("18", None), ("20", None), ("30", "0")], {}, "20"),
        ("weighted", [("95.32", "40"), ("93.5", "40"), ("93.9", "20")], {}, "94.308"),
        ("weighted", [("90", "80"), ("1.2", None)], {}, "73.2"),
        ("weighted", [("90", "50")], {}, "45"),
        ("weighted_mean", [("90", "50")], {}, "90"),
        ("weighted_mean", [("90", "1"), ("60", "2")], {}, "70"),
        ("weighted_mean", [("90", "0")], {}, None),
        ("mean", [("90", None), ("60", None), ("0", "0")], {}, "75"),
        ("scale", [("95", None)], {"from": "100", "to": "5"}, "4.75"),
        ("sum", [], {}, None),
    ],
)
def test_branches(
    method: str, parts: list[tuple[str, str | None]], params: dict[str, str], expected: str | None
) -> None:
    assert combine(method, children(*parts), params).score == (None if expected is None else F(expected))


@pytest.mark.parametrize(
    ("value", "cap", "floor", "places", "exact", "score"),
    [
        ("120", "100", None, None, "100", "100"),
        ("-20", None, "0", None, "0", "0"),
        ("53.3333", None, None, 2, "53.3333", "53.33"),
        ("99.999", "99.996", None, 2, "99.996", "100"),
        ("-20", "10", "15", None, "15", "15"),
    ],
)
def test_finishing_is_cap_then_floor_then_places(
    value: str, cap: str | None, floor: str | None, places: int | None, exact: str, score: str
) -> None:
    done = finish(
        F(value), cap=None if cap is None else F(cap), floor=None if floor is None else F(floor), places=places
    )

    assert (done.exact, done.score) == (F(exact), F(score))


@pytest.mark.parametrize(
    ("rollup", "scores", "expected"),
    [
        (Rollup.MEAN, ["30", "28.5", "27"], "28.5"), (Rollup.SUM, ["1", "2"], "3"), (Rollup.LAST, ["1", "2"], "2"),
        (Rollup.NONE, ["1", "2"], None), (Rollup.MEAN, [], None),
    ],
)  # fmt: skip
def test_rollups(rollup: Rollup, scores: list[str], expected: str | None) -> None:
    assert roll_up(rollup, [F(it) for it in scores]) == (None if expected is None else F(expected))


def sibling(code: str, points: str | None, otherwise: str | None = None, *, outside: bool = False) -> Sibling:
    """`otherwise` says what becomes of a sibling that does not apply; None: it applies."""
    value = None if points is None else F(points)
    return Sibling(code, value, otherwise is None, NotApplicable(otherwise or ""), outside)


@pytest.mark.parametrize(
    ("siblings", "takers", "spread", "scale_up"),
    [
        ([sibling("a", "60"), sibling("b", "40")], "", "1", "1"),
        ([sibling("a", "60"), sibling("b", "40", "")], "", "1", "1"),
        ([sibling("a", "60"), sibling("b", "40", "spread")], "a", "5/3", "1"),
        ([sibling("a", "60"), sibling("b", "40", "scale_up")], "a", "1", "5/3"),
        ([sibling("a", "50"), sibling("b", "30", "spread"), sibling("c", "20", "scale_up")], "a", "8/5", "5/4"),
        ([sibling("a", "60"), sibling("b", "40", "zero"), sibling("c", "10", "mean_of_others")], "", "1", "1"),
        # without points, or of weight 0: outside of all this
        ([sibling("a", "60"), sibling("n", None), sibling("b", "40", "spread")], "a", "5/3", "1"),
        ([sibling("a", "60"), sibling("o", "10", outside=True), sibling("b", "40", "spread")], "a", "5/3", "1"),
        ([sibling("a", "0"), sibling("b", "40", "spread")], "", "1", "1"),
        ([sibling("a", None), sibling("b", "40", "spread")], "", "1", "1"),
    ],
)
def test_what_is_left_to_those_that_apply(siblings: list[Sibling], takers: str, spread: str, scale_up: str) -> None:
    found = shift_of(siblings)

    assert (found.takers, found.spread, found.scale_up) == (frozenset(takers), F(spread), F(scale_up))


def test_a_sum_and_a_weighted_sum_take_over_what_others_leave() -> None:
    shift = Shift(frozenset({"0"}), F(5, 3), F(5, 4))
    parts = children(("30", "60"), ("2", None))

    assert combine("sum", parts, {}, shift).score == 30 * F(5, 4) + 2
    assert combine("weighted", parts, {}, shift).score == F(60, 100) * 30 * F(5, 3) * F(5, 4) + 2
    assert combine("mean", parts, {}, Shift()).score == 16


@pytest.mark.parametrize(
    ("value", "more", "exact"),
    [
        ("120", {"cap": F(100), "floor": F(0)}, "100"),
        ("50", {"cap": None, "floor": F(60), "gate": N_("shut")}, "0"),
        ("50", {"cap": F(40), "floor": None, "spread": F(3, 2)}, "60"),
        ("50", {"cap": None, "floor": None, "gate": N_("shut"), "spread": F(3, 2)}, "0"),
    ],
)
def test_the_order_of_finishing(value: str, more: dict[str, object], exact: str) -> None:
    assert finish(F(value), places=2, **more).exact == F(exact)  # type: ignore[arg-type]


def test_several_children_take_over_and_several_stand_beside() -> None:
    shift = Shift(frozenset("01"), F(5, 3), F(5, 4))
    parts = children(("30", "40"), ("15", "20"), ("2", None), ("7", None))

    # (30 + 15) × 5/4 + 9; the spread of a sum is in its children already
    assert combine("sum", parts, {}, shift).score == F("65.25")
    # (12 + 3) × 5/3 × 5/4 + 9
    assert combine("weighted", parts, {}, shift).score == F("40.25")
    assert combine("sum", children(("2", "0")), {}, shift).score is None


def test_one_factor_alone_is_enough_to_shift() -> None:
    parts = children(("30", "50"), ("2", None))

    assert combine("weighted", parts, {}, Shift(frozenset("0"), F(2), F(1))).score == 32
    assert combine("weighted", parts, {}, Shift(frozenset("0"), F(1), F(3))).score == 47
    assert combine("sum", parts, {}, Shift(frozenset("0"), F(2), F(1))).score == 32


@pytest.mark.parametrize(
    ("value", "more", "exact", "score"),
    [
        ("50", {"spread": F(2)}, "100", "100"),
        ("7", {"spread": F(1, 3), "places": 1}, "7/3", "2.3"),
        ("-7", {"floor": F(-5), "spread": F(2)}, "-10", "-10"),
        ("2.5", {"places": 0}, "2.5", "3"),
        ("-2.5", {"places": 0}, "-2.5", "-3"),
        ("7/3", {}, "7/3", "7/3"),
    ],
)
def test_the_factor_comes_after_the_limits_and_the_places_last(
    value: str, more: dict[str, Any], exact: str, score: str
) -> None:
    done = finish(F(value), **{"cap": None, "floor": None, "places": None, **more})

    assert (done.exact, done.score) == (F(exact), F(score))


@pytest.mark.parametrize(
    ("rollup", "expected"), [(Rollup.LAST, "4"), (Rollup.SUM, "16"), (Rollup.MEAN, "16/3"), (Rollup.NONE, None)]
)
def test_three_months_are_folded_in_order(rollup: Rollup, expected: str | None) -> None:
    assert roll_up(rollup, [F(3), F(9), F(4)]) == (None if expected is None else F(expected))
