"""docs/scoring.md sections 2, 4 and 5: what a whole evaluation must keep."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.rules.periods import Period
from app.rules.scoring.cells import cells_of
from app.rules.scoring.evaluate import Evaluation, Result
from app.rules.scoring.grades import GradeRule, Watched, read_grade_rule
from app.rules.scoring.grading import grades_of
from app.rules.scoring.lines import Tally
from app.rules.scoring.ranking import competition_ranks
from app.rules.scoring.scheme import Assessed, Node, SchemeTree, build_node

BLANK: Mapping[str, Any] = {
    "title": "", "full": None, "weight": None, "base": None, "cap": "", "floor": "", "places": None, "span": "",
    "rollup": "", "applies_to": "", "params": {}, "children": (),
}  # fmt: skip


def period(text: str) -> Period:
    found = Period.parse(text)
    assert found is not None
    return found


def node(code: str, parent: str | None, method: str, **more: Any) -> Node:
    numbers = {name: Decimal(value) for name, value in more.items() if name in ("full", "weight", "base")}
    return build_node(**{**BLANK, **more, **numbers, "code": code, "parent": parent, "method": method})


def tree(*nodes: Node, **more: Any) -> SchemeTree:
    return SchemeTree("S", nodes[0].code, {it.code: it for it in nodes}, **more)


def evaluate(
    scheme: SchemeTree, at: str, tallies: dict[tuple[str, str, str], Tally], *, groups: Mapping[str, str], on: date = date(2027, 1, 1),
    targets: dict[tuple[str, str, str], F] | None = None,
    watched: dict[tuple[str, str, str], list[Watched]] | None = None,
    grade_rules: Mapping[str, list[GradeRule]] | None = None,
) -> dict[str, Result]:  # fmt: skip
    subjects = {code: Assessed(code, "unit", code, group, "S", (0, code)) for code, group in groups.items()}
    evaluation = Evaluation(
        {"S": scheme}, lambda _period: subjects, cells_of({(s, c, period(p)): it for (s, c, p), it in tallies.items()}),
        {(s, c, period(p)): it for (s, c, p), it in (targets or {}).items()}, {}, on,
        {(s, c, period(p)): tuple(it) for (s, c, p), it in (watched or {}).items()}, grade_rules or {},
    )  # fmt: skip
    return {it.subject.code: it for it in evaluation.results(period(at), grades=grades_of)}


def test_ranks_are_1_2_2_4_inside_a_group_and_groups_are_never_mixed() -> None:
    scheme = tree(node("T", None, "award"))
    points = {"a": "9", "b": "7", "c": "7", "d": "3", "e": "100"}
    tallies = {(code, "T", "2026-03"): Tally(F(value), 1) for code, value in points.items()}

    found = evaluate(scheme, "2026-03", tallies, groups={"a": "g", "b": "g", "c": "g", "d": "g", "e": "h"})

    assert {code: (it.rank, it.group_size) for code, it in found.items()} == {
        "a": (1, 4), "b": (2, 4), "c": (2, 4), "d": (4, 4), "e": (1, 1),
    }  # fmt: skip


def test_ranking_compares_rounded_totals_unless_the_scheme_says_exact() -> None:
    nodes = (node("T", None, "award"),)
    tallies = {("a", "T", "2026-03"): Tally(F("94.308"), 1), ("b", "T", "2026-03"): Tally(F("94.310"), 1)}
    groups = {"a": "g", "b": "g"}

    rounded = evaluate(tree(*nodes), "2026-03", tallies, groups=groups)
    exact = evaluate(tree(*nodes, ranks_exact=True), "2026-03", tallies, groups=groups)

    assert [rounded[code].rank for code in "ab"] == [1, 1]
    assert [exact[code].rank for code in "ab"] == [2, 1]


def test_a_year_is_the_same_tree_with_monthly_leaves_replaced_by_their_rollup() -> None:
    scheme = tree(
        node("T", None, "sum", children=("D", "A")),
        node("D", "T", "deduct", full="10"),
        node("A", "T", "given", span="year"),
    )
    tallies = {
        ("a", "D", "2026-01"): Tally(F(-3), 1), ("a", "D", "2026-02"): Tally(F(-20), 1),
        ("a", "A", "2026"): Tally(F(5), 1, ((F(5), F(1)),)),
    }  # fmt: skip

    found = evaluate(scheme, "2026", tallies, groups={"a": "g"}, on=date(2026, 3, 15))["a"]

    assert found.nodes["D"].score == F(7 + 0 + 10, 3)
    assert found.total.score == F("10.67")
    assert evaluate(scheme, "2026-01", tallies, groups={"a": "g"})["a"].total.score == 7


def test_a_branch_is_rolled_up_only_if_it_says_so() -> None:
    leaf = node("D", "T", "deduct", full="10", floor="none")
    tallies = {("a", "D", "2026-01"): Tally(F(-30), 1)}
    kept = evaluate(
        tree(node("T", None, "sum", children=("D",), floor="0"), leaf), "2026Q1", tallies, groups={"a": "g"}
    )
    rolled = evaluate(
        tree(node("T", None, "sum", children=("D",), floor="0", rollup="mean"), leaf),
        "2026Q1",
        tallies,
        groups={"a": "g"},
    )

    assert kept["a"].total.exact == 0
    assert rolled["a"].total.exact == F(20, 3)


def test_a_missing_target_stops_one_subject_and_not_the_others() -> None:
    scheme = tree(
        node("T", None, "sum", children=("R", "D")),
        node("R", "T", "ratio", full="100"),
        node("D", "T", "deduct", full="10"),
    )

    found = evaluate(scheme, "2026-03", {}, groups={"a": "g", "b": "g"}, targets={("b", "R", "2026-03"): F(5)})

    assert found["a"].total.score is None
    assert found["a"].total.error is not None
    assert found["a"].total.error.indicator == "R"
    assert found["a"].rank is None
    assert found["a"].nodes["D"].score == 10
    assert (found["b"].total.score, found["b"].rank, found["b"].group_size) == (10, 1, 1)


def test_an_error_under_weight_zero_is_listed_but_stops_nothing() -> None:
    scheme = tree(
        node("T", None, "sum", children=("D", "Z")),
        node("D", "T", "deduct", full="10"),
        node("Z", "T", "ratio", full="10", weight="0"),
    )

    found = evaluate(scheme, "2026-03", {}, groups={"a": "g"})["a"]

    assert (found.total.score, found.rank) == (10, 1)
    assert found.nodes["Z"].error is not None


def test_a_leaf_that_is_not_rolled_up_hands_no_error_to_the_year() -> None:
    scheme = tree(
        node("T", None, "sum", children=("D", "Z")),
        node("D", "T", "deduct", full="10"),
        node("Z", "T", "ratio", full="10", rollup="none"),
    )

    found = evaluate(scheme, "2026", {}, groups={"a": "g"})["a"]

    assert found.total.score == 10
    assert (found.nodes["Z"].score, found.nodes["Z"].error) == (None, None)


def test_what_does_not_apply_has_no_score_nor_has_anything_below_it() -> None:
    scheme = tree(
        node("T", None, "sum", children=("B", "D")),
        node("B", "T", "sum", children=("E",), applies_to="group=h"),
        node("E", "B", "deduct", full="50"),
        node("D", "T", "deduct", full="10", applies_to="!group=x"),
    )

    found = evaluate(scheme, "2026-03", {}, groups={"a": "g", "b": "h"})

    assert (found["a"].total.score, found["b"].total.score) == (10, 60)
    assert found["a"].nodes["E"].score is None


def test_a_node_takes_the_score_of_another_as_it_can_be_read_on_paper() -> None:
    scheme = tree(
        node("T", None, "sum", children=("A", "P")),
        node("A", "T", "given", places=1),
        node("P", "T", "place", full="10", params={"step": "1", "value_of": "A"}),
    )
    tallies = {
        ("a", "A", "2026-03"): Tally(F(0), 1, ((F("9.04"), F(1)),)), ("b", "A", "2026-03"): Tally(F(0), 1, ((F("9.01"), F(1)),)),
    }  # fmt: skip

    found = evaluate(scheme, "2026-03", tallies, groups={"a": "g", "b": "g"})

    assert [found[code].nodes["P"].score for code in "ab"] == [10, 10]


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(-50, 50), max_size=12))
def test_ties_share_a_rank_and_the_next_is_counted(totals: dict[str, int]) -> None:
    ranks = competition_ranks({key: F(value, 7) for key, value in totals.items()})

    for key, rank in ranks.items():
        assert rank == 1 + sum(other > totals[key] for other in totals.values())


def shared(otherwise: str, **more: str) -> SchemeTree:
    """Two items of 60 and 40 points, the second only for group g."""
    return tree(
        node("T", None, "sum", children=("A", "B")),
        node("A", "T", "given", full="60", **more),
        node("B", "T", "given", full="40", applies_to="group=g", not_applicable=otherwise),
    )


def marked(**values: str) -> dict[tuple[str, str, str], Tally]:
    return {(name[0], name[1], "2026-03"): Tally(F(value), 1, ((F(value), F(1)),)) for name, value in values.items()}


def test_what_a_node_that_does_not_apply_leaves() -> None:
    marks = marked(aA="50", aB="30", bA="48", cA="30", cB="20")
    groups = {"a": "g", "c": "g", "b": "h"}

    def total(otherwise: str, **more: str) -> F | None:
        return evaluate(shared(otherwise, **more), "2026-03", marks, groups=groups)["b"].total.exact

    assert total("") == 48
    assert total("zero") == 48
    assert total("spread") == 48 * F(100, 60)
    assert total("scale_up") == 48 * F(100, 60)
    # the cap acts before the factor, the places after it
    assert total("spread", cap="40") == 40 * F(100, 60)
    assert total("spread", places=1) == F("80")
    assert total("mean_of_others") == 48, "nobody of its own group has it"


def test_the_mean_of_others_is_of_those_of_the_group_to_which_it_applies() -> None:
    scheme = tree(
        node("T", None, "sum", children=("A", "B")),
        node("A", "T", "given"),
        node("B", "T", "given", applies_to="!subject=b", not_applicable="mean_of_others", places=1),
    )
    marks = marked(aA="1", aB="30", bA="2", cA="3", cB="20.3")

    found = evaluate(scheme, "2026-03", marks, groups={"a": "g", "b": "g", "c": "g", "d": "g"})

    assert found["b"].nodes["B"].exact == F("25.15")
    assert found["b"].nodes["B"].score == F("25.2")
    assert found["b"].total.score == F("27.2")


def test_a_gate_that_does_not_hold_sets_the_node_to_0_whatever_its_floor() -> None:
    scheme = tree(
        node("T", None, "sum", children=("A", "B")),
        node("A", "T", "given"),
        node("B", "T", "given", floor="5", params={"gate": "A>=80"}),
    )

    def of_b(**values: str) -> F | None:
        return evaluate(scheme, "2026-03", marked(**values), groups={"a": "g"})["a"].nodes["B"].score

    assert of_b(aA="80", aB="9") == 9
    assert of_b(aA="79.99", aB="9") == 0
    assert of_b(aB="9") == 0, "the gate has no score"
    assert of_b(aA="10") is None, "a node without score stays so"


def test_a_veto_sets_the_total_of_every_period_that_holds_it() -> None:
    scheme = tree(node("T", None, "sum", children=("A",)), node("A", "T", "given"))
    marks = marked(aA="95", bA="60")
    watched = {("a", "A", "2026-03"): [Watched("2026-03", "V", veto=F(59)), Watched("2026-03", "V", veto=F(40))]}
    groups = {"a": "g", "b": "g"}

    def found(at: str) -> dict[str, Result]:
        return evaluate(scheme, at, marks, groups=groups, watched=watched)

    assert found("2026-03")["a"].total.score == 40
    assert found("2026-03")["a"].nodes["T"].score == 95
    assert found("2026-03")["a"].rank == 2
    assert found("2026Q1")["a"].total.exact == 40
    assert found("2026")["a"].total.score == 40
    assert found("2026Q2")["a"].total.score is None, "a subject without total stays without"


def test_a_year_is_graded_by_its_total_its_quarters_and_its_entries() -> None:
    scheme = tree(node("T", None, "sum", children=("A",)), node("A", "T", "given"))
    rules = [
        read_grade_rule(*row, "")
        for row in (
            ("good", "band_quarter", "total>=90"), ("fair", "band_quarter", "total>=0"),
            ("excellent", "band", "total>=85"), ("competent", "band", "total>=60"), ("basic", "band", "total>=0"),
            ("excellent", "eligibility", "grades(fair)=0"), ("basic", "cap", "count(LATE)>=2"),
        )
    ]  # fmt: skip
    marks = {
        (code, "A", f"2026-{month:02d}"): Tally(F(value), 1, ((F(value), F(1)),))
        for code, values in {"a": (95, 92), "b": (95, 80), "c": (95, 92)}.items()
        for month, value in zip((2, 5), values, strict=True)
    }
    watched = {("c", "A", f"2026-{month:02d}"): [Watched(f"2026-{month:02d}", "LATE")] for month in (2, 5)}
    groups = {"a": "g", "b": "g", "c": "g"}

    def found(at: str) -> dict[str, str | None]:
        results = evaluate(scheme, at, marks, groups=groups, watched=watched, grade_rules={"S": rules})
        return {code: it.grade for code, it in results.items()}

    assert found("2026-02") == {"a": None, "b": None, "c": None}
    assert found("2026Q1") == {"a": "good", "b": "good", "c": "good"}
    assert found("2026Q2") == {"a": "good", "b": "fair", "c": "good"}
    assert found("2026") == {"a": "excellent", "b": "competent", "c": "basic"}
