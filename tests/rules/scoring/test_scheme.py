"""docs/scoring.md sections 4 and 5: the numbers of a node as written, and to whom it applies."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import pytest

from app.rules.grammar import Comparison, Term, read_applies_to
from app.rules.periods import Span
from app.rules.scoring.combine import NotApplicable, Rollup
from app.rules.scoring.facts import Leaf
from app.rules.scoring.scheme import Assessed, Node, SchemeTree, applies, build_node, knows_method, limits_of


@pytest.mark.parametrize(
    ("method", "cap", "floor", "full", "expected"),
    [
        # blank: the method's default
        ("deduct", "", "", "100", (None, F(0))),
        ("place", "", "", "30", (None, F(0))),
        ("gap", "", "", "20", (None, F(0))),
        ("ratio", "", "", "40", (F(40), None)),
        ("award", "", "", None, (None, None)),
        ("given", "", "", "10", (None, None)),
        ("best_share", "", "", "10", (None, None)),
        ("sum", "", "", "100", (None, None)),
        # written: as written
        ("deduct", "90", "-5", "100", (F(90), F(-5))),
        ("ratio", "50", "10", "40", (F(50), F(10))),
        ("sum", "100", "0", None, (F(100), F(0))),
        # none: open
        ("deduct", "none", "none", "100", (None, None)),
        ("ratio", "none", "none", "40", (None, None)),
    ],
)
def test_the_limits_in_force(method: str, cap: str, floor: str, full: str | None, expected: tuple[F, F]) -> None:
    assert limits_of(method, cap, floor, None if full is None else Decimal(full)) == expected


WHO = Assessed("03", "unit", "x", "office", "S", tags=frozenset({"market", "large"}), category="staff")


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("", True),
        ("group=office", True),
        ("group=branch", False),
        ("tag=market", True),
        ("tag=small", False),
        ("subject=03", True),
        ("subject=04", False),
        ("category=staff", True),
        ("category=unit_head", False),
        # one of the plain terms is enough, one negated one that is hit is too many
        ("group=branch;tag=large", True),
        ("group=branch;tag=small", False),
        ("!tag=market", False),
        ("!tag=small", True),
        ("group=office;!tag=market", False),
        ("group=office;!tag=small", True),
        ("group=branch;!tag=small", False),
        ("!group=branch;!subject=03", False),
        ("!category=staff", False),
    ],
)
def test_to_whom_a_node_applies(text: str, does: bool) -> None:
    assert applies(read_applies_to(text), WHO) is does


COLUMNS: dict[str, Any] = {
    "code": "A", "parent": "T", "title": "work", "full": None, "weight": None, "base": None, "cap": "", "floor": "",
    "places": None, "span": "", "rollup": "", "applies_to": "", "params": {}, "children": (),
}  # fmt: skip


def test_a_blank_leaf_is_of_a_month_and_rolled_up_by_the_mean() -> None:
    assert build_node(**COLUMNS, method="given") == Node("A", "T", "work", "given", rollup=Rollup.MEAN)


def test_a_blank_branch_is_computed_from_its_children_in_every_period() -> None:
    found = build_node(**{**COLUMNS, "method": "sum", "children": ("B", "C"), "parent": None})

    assert found == Node("A", None, "work", "sum", children=("B", "C"))
    assert (found.is_leaf, found.is_rolled_up) == (False, False)


def test_what_is_written_in_the_columns_is_in_the_node() -> None:
    found = build_node(
        **{
            **COLUMNS, "method": "ratio", "full": Decimal(40), "weight": Decimal("12.5"), "base": Decimal(7), "floor": "1",
            "places": 3, "span": "quarter", "rollup": "last", "applies_to": "!tag=x", "params": {"gate": "B>=80"},
            "not_applicable": "spread",
        }
    )  # fmt: skip

    assert found == Node(
        "A", "T", "work", "ratio", F(40), F("12.5"), F(7), F(40), F(1), 3, Span.QUARTER, Rollup.LAST,
        (Term("tag", "x", negated=True),), NotApplicable.SPREAD, Comparison("B", ">=", Decimal(80)), {"gate": "B>=80"},
    )  # fmt: skip
    assert found.leaf == Leaf(F(40), F(7), F(1), {"gate": "B>=80"})
    assert (found.is_leaf, found.is_rolled_up) == (True, True)


def test_numbers_that_are_blank_are_0_to_a_method_and_a_branch_rolls_up_when_it_says_so() -> None:
    assert build_node(**COLUMNS, method="given").leaf == Leaf(F(0), F(0), None, {})
    rolled = build_node(**{**COLUMNS, "method": "sum", "rollup": "sum", "span": "year"})
    assert (rolled.rollup, rolled.is_rolled_up, rolled.span) == (Rollup.SUM, True, Span.YEAR)


def test_only_the_root_is_rounded_to_the_places_of_the_scheme() -> None:
    root = Node("T", None, "", "sum", places=4, children=("A",))
    leaf = Node("A", "T", "", "given", places=1)
    scheme = SchemeTree("S", "T", {"T": root, "A": leaf})

    assert (scheme.places_of(root), scheme.places_of(leaf)) == (2, 1)
    assert SchemeTree("S", "T", {}, places=3).places_of(root) == 3
    assert [it.code for it in scheme.path("A")] == ["A", "T"]


@pytest.mark.parametrize(
    ("method", "is_known"), [("deduct", True), ("linked", True), ("weighted_mean", True), ("median", False)]
)
def test_methods_of_leaves_and_branches_are_known(method: str, is_known: bool) -> None:
    assert knows_method(method) is is_known
