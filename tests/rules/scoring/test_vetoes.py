"""docs/scoring.md section 5, veto and Grades: what an evaluation hands to the rules, each worked out by hand."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import pytest

from app.rules.scoring.facts import External
from app.rules.scoring.grades import GradeRule, Watched, read_grade_rule
from app.rules.scoring.scheme import Assessed, SchemeTree
from tests.rules.scoring.bureau import GIVEN, Bureau, marks, node, tree, unit

VETO = Watched("2026-03", "V", veto=F(59))


@pytest.mark.parametrize(
    ("watched", "score"),
    [
        ({("a", "A", "2026-03"): (VETO,)}, "59"),
        # of a line of work that is no leaf of the scheme, or in a period that is not its span: it counts nowhere
        ({("a", "X", "2026-03"): (VETO,)}, "95"),
        ({("a", "T", "2026-03"): (VETO,)}, "95"),
        ({("a", "A", "2026Q1"): (VETO,)}, "95"),
        ({("b", "A", "2026-03"): (VETO,)}, "95"),
        # in another month
        ({("a", "A", "2026-02"): (Watched("2026-02", "V", veto=F(59)),)}, "95"),
        # watched for a grade rule alone
        ({("a", "A", "2026-03"): (Watched("2026-03", "V"),)}, "95"),
        # a veto may lie above the total
        ({("a", "A", "2026-03"): (Watched("2026-03", "V", veto=F(99)),)}, "99"),
    ],
)  # fmt: skip
def test_a_veto_acts_where_its_entry_counts(watched: dict[Any, Any], score: str) -> None:
    found = Bureau(GIVEN, tallies={("a", "A", "2026-03"): marks("95")}, watched=watched).results("2026-03")["a"]

    assert (found.total.score, found.total.exact) == (F(score), F(score))


def test_a_veto_is_told_behind_the_formula_of_the_root() -> None:
    bureau = Bureau(GIVEN, tallies={("a", "A", "2026-03"): marks("95")}, watched={("a", "A", "2026-03"): (VETO,)})

    assert [str(it) for it in bureau.results("2026-03")["a"].total.formula] == [
        "95 = 95",
        "set to 59 by veto, clause V",
    ]


@pytest.mark.parametrize(
    ("scheme", "external", "score"),
    [
        (GIVEN, None, "59"),
        # the external result is the only mark: the registered one does not count, nor does its veto
        (GIVEN, External(F(70), None), "70"),
        (GIVEN, External(None, 3), "59"),
        # the leaf does not apply to the subject: its entries count nowhere
        (
            tree(node("T", None, "sum", children="A B"), node("A", "T", "given", applies_to="group=other"),
                 node("B", "T", "given")),
            None,
            "90",
        ),
        (
            tree(node("T", None, "sum", children="A B"), node("A", "T", "given", applies_to="group=other",
                 not_applicable="zero"), node("B", "T", "given")),
            None,
            "90",
        ),
    ],
)  # fmt: skip
def test_an_entry_that_does_not_count_vetoes_nothing(scheme: SchemeTree, external: External | None, score: str) -> None:
    at = ("a", "A", "2026-03")
    tallies = {at: marks("95"), ("a", "B", "2026-03"): marks("90")}
    if external is not None and external.score is not None:
        del tallies["a", "B", "2026-03"]
    bureau = Bureau(
        scheme, tallies=tallies, watched={at: (VETO,)}, externals={} if external is None else {at: external}
    )

    assert bureau.results("2026-03")["a"].total.score == F(score)


def test_grade_rules_see_nodes_counts_quantities_and_vetoes_of_the_period() -> None:
    rows = [
        ("good", "band", "total>=60", ""), ("fair", "band", "total>=0", ""), ("poor", "band", "total<0", ""),
        ("fair", "cap", "quantity(ABSENT)>=3", ""), ("poor", "cap", "count(ABSENT)>=3", ""),
        ("poor", "cap", "B<1", ""),
    ]  # fmt: skip
    rules = {"S": [read_grade_rule(*row) for row in rows]}
    months = ("2026-02", "2026-05")
    who = [unit(code) for code in "abcde"]
    tallies = {(code, "A", month): marks("90") for code in "abcde" for month in months}
    tallies[("e", "B", "2026-05")] = marks("0.5")

    def absent(code: str, quantity: str, veto_grade: str = "") -> dict[tuple[str, str, str], tuple[Watched, ...]]:
        return {(code, "A", month): (Watched(month, "ABSENT", F(quantity), None, veto_grade),) for month in months}

    watched = absent("b", "1.5") | absent("c", "1.4") | absent("d", "1", "poor")
    bureau = Bureau(GIVEN, who=who, tallies=tallies, watched=watched, grade_rules=rules)

    assert {code: it.grade for code, it in bureau.results("2026").items()} == {
        "a": "good", "b": "fair", "c": "good", "d": "poor", "e": "poor",
    }  # fmt: skip


def test_a_subject_without_total_or_without_rules_has_no_grade() -> None:
    rules = {
        "S": [read_grade_rule("good", "band", "total>=0", ""), read_grade_rule("fine", "band_quarter", "total>=0", "")]
    }
    other = tree(node("O", None, "given"), code="O")
    who = [unit("a"), unit("b"), unit("c", scheme="O")]
    tallies = {("a", "A", "2026-03"): marks("1"), ("c", "O", "2026-03"): marks("1")}
    bureau = Bureau(GIVEN, other, who=who, tallies=tallies, grade_rules=rules)

    assert {code: it.grade for code, it in bureau.results("2026").items()} == {"a": "good", "b": None, "c": None}
    assert {code: it.grade for code, it in bureau.results("2026Q1").items()} == {"a": "fine", "b": None, "c": None}


@pytest.mark.parametrize(("ranks_exact", "grades"), [(False, ["good", "fair"]), (True, ["fair", "good"])])
def test_a_quota_orders_by_the_total_as_ranked(ranks_exact: bool, grades: list[str]) -> None:
    rows = [("good", "band", "total>=60", ""), ("fair", "band", "total>=0", ""), ("good", "quota", "", "50/floor")]
    scheme = tree(node("T", None, "given", span="year"), ranks_exact=ranks_exact)
    tallies = {("a", "T", "2026"): marks("90.001"), ("b", "T", "2026"): marks("90.002")}
    rules = {"S": [read_grade_rule(*row) for row in rows]}
    bureau = Bureau(scheme, who=[unit("a", order=1), unit("b", order=2)], tallies=tallies, grade_rules=rules)

    assert [it.grade for it in bureau.results("2026").values()] == grades


def test_a_subject_without_total_stays_without_whatever_the_veto() -> None:
    found = Bureau(GIVEN, watched={("a", "A", "2026-03"): (VETO,)}).results("2026-03")["a"]

    assert (found.total.score, found.total.error, found.rank) == (None, None, None)


def test_a_veto_of_a_month_in_which_the_subject_was_not_assessed_counts_nowhere() -> None:
    bureau = Bureau(GIVEN, tallies={("a", "A", "2026-02"): marks("95")}, watched={("a", "A", "2026-03"): (VETO,)})
    bureau.from_period = {"2026-03": {}}

    assert bureau.results("2026Q1")["a"].total.score == 95


def test_each_scheme_is_graded_by_its_own_rules_with_groups_tags_and_order_of_its_subjects() -> None:
    def rules(best: str) -> list[GradeRule]:
        rows = [
            (best, "band", "total>=60", ""), ("fair", "band", "total>=0", ""), ("poor", "band", "total<0", ""),
            ("poor", "cap", "tag=late&group=g", ""), (best, "quota", "", "50/floor"), (best, "band_quarter", "total>=0", ""),
        ]  # fmt: skip
        return [read_grade_rule(*row) for row in rows]

    other = tree(node("O", None, "given"), code="O")
    late = frozenset({"late"})
    who = [
        Assessed("a", "unit", "a", "g", "S", (2, "a")), Assessed("b", "unit", "b", "g", "S", (1, "b")),
        Assessed("c", "unit", "c", "h", "S", (3, "c"), late), Assessed("d", "unit", "d", "h", "S", (4, "d")),
        Assessed("e", "unit", "e", "g", "S", (5, "e"), late), Assessed("f", "unit", "f", "k", "O", (6, "f")),
        Assessed("h", "unit", "h", "k", "O", (7, "h")),
    ]  # fmt: skip
    tallies = {(code, "A", "2026-03"): marks("90") for code in "abcde"} | {
        (code, "O", "2026-03"): marks("70") for code in "fh"
    }
    bureau = Bureau(GIVEN, other, who=who, tallies=tallies, grade_rules={"S": rules("good"), "O": rules("fine")})

    # of three in g one seat, of two in h and in k one each: equal totals are taken in the order of units
    assert {code: it.grade for code, it in bureau.results("2026").items()} == {
        "a": "fair", "b": "good", "c": "good", "d": "fair", "e": "poor", "f": "fine", "h": "fair",
    }  # fmt: skip
    assert {code: it.grade for code, it in bureau.results("2026Q1").items()} == {
        **dict.fromkeys("abcde", "good"), "f": "fine", "h": "fine",
    }  # fmt: skip
