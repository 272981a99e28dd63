"""docs/scoring.md section 5: branches, finishing, rollup."""

from __future__ import annotations

from fractions import Fraction as F

import pytest

from app.rules.combine import Child, Rollup, combine, finish, roll_up


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
