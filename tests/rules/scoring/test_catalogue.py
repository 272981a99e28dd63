"""docs/scoring.md sections 4, 5 and 7: the catalogue of methods and branches, row by row as in its tables."""

from __future__ import annotations

import pytest

from app.rules.scoring.combine import BRANCHES
from app.rules.scoring.methods import METHODS

VALUE, BOTH = {"value_of"}, {"value_of", "target_of"}


@pytest.mark.parametrize(
    ("method", "needs", "params", "needed", "limits", "without_entries_0"),
    [
        ("deduct", {"full"}, set(), set(), "floor 0", False),
        ("award", set(), set(), set(), "", False),
        ("balance", {"base"}, set(), set(), "", False),
        ("given", set(), {"of"}, set(), "", False),
        ("ratio", {"full"}, BOTH, set(), "cap full", True),
        ("bands", set(), {"rows", "by"} | BOTH, {"rows"}, "", False),
        ("best_share", {"full"}, VALUE, set(), "", False),
        ("place", {"full"}, {"step", "step_pct", "by", "order"} | VALUE, set(), "floor 0", False),
        ("gap", {"full"}, {"price", "per", "round", "order"} | BOTH, {"price"}, "floor 0", True),
        ("votes", set(), {"grade_points", "questions", "voters"}, {"grade_points"}, "", False),
        ("linked", set(), {"source", "groups", "what", "of"}, {"source"}, "", False),
    ],
)
def test_the_row_of_a_method(
    method: str, needs: set[str], params: set[str], needed: set[str], limits: str, without_entries_0: bool
) -> None:
    row = METHODS[method]

    assert (row.needs, set(row.params), row.needed_params) == (needs, params, needed)
    assert (row.floors_at_zero, row.caps_at_full) == (limits == "floor 0", limits == "cap full")
    assert row.zero_without_entries is without_entries_0
    assert row.uses_peers is (method in ("best_share", "place"))


@pytest.mark.parametrize(
    ("method", "name", "choices"),
    [
        ("given", "of", {"last", "sum", "mean", "weighted"}),
        ("bands", "by", {"value", "percent"}),
        ("place", "by", {"value", "registered"}),
        ("place", "order", {"desc", "asc"}),
        ("gap", "round", {"none", "up", "down"}),
        ("gap", "order", {"desc", "asc"}),
        ("linked", "source", {"charge", "post", "group"}),
        ("linked", "of", {"mean", "weighted", "min"}),
    ],
)
def test_the_words_a_parameter_may_have(method: str, name: str, choices: set[str]) -> None:
    assert METHODS[method].params[name] == choices


def test_the_catalogue_has_the_methods_and_branches_of_the_tables_and_no_others() -> None:
    assert set(METHODS) == {
        "deduct", "award", "balance", "given", "ratio", "bands", "best_share", "place", "gap", "votes", "linked",
    }  # fmt: skip
    assert set(BRANCHES) == {"sum", "weighted", "weighted_mean", "mean", "min", "max", "scale"}


@pytest.mark.parametrize("branch", ["sum", "weighted", "weighted_mean", "mean", "min", "max", "scale"])
def test_the_row_of_a_branch(branch: str) -> None:
    assert BRANCHES[branch].needs_weights is (branch == "weighted_mean")
    assert BRANCHES[branch].params == ({"from": None, "to": None} if branch == "scale" else {})
