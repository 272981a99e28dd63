"""docs/scoring.md sections 1, 4 and 5: schemes that change, gates, rollup, errors, each worked out by hand."""

from __future__ import annotations

from fractions import Fraction as F

import pytest

from app.rules.scoring.evaluate import NodeScore
from app.rules.scoring.facts import External
from app.rules.scoring.grading import grades_of
from app.rules.scoring.lines import Tally
from tests.rules.scoring.bureau import GIVEN, Bureau, marks, node, period, tree, unit


def test_people_and_units_of_one_group_name_are_ranked_apart() -> None:
    who = [unit("01"), unit("02"), unit("1001", kind="person"), unit("1002", "h", kind="person")]
    tallies = {
        (code, "A", "2026-03"): marks(value) for code, value in {"01": "9", "02": "8", "1001": "7", "1002": "1"}.items()
    }

    found = Bureau(GIVEN, who=who, tallies=tallies).results("2026-03")

    assert {code: (it.rank, it.group_size) for code, it in found.items()} == {
        "01": (1, 2), "02": (2, 2), "1001": (1, 1), "1002": (1, 1),
    }  # fmt: skip


def test_progress_is_told_after_each_subject() -> None:
    told: list[tuple[int, int]] = []
    bureau = Bureau(GIVEN, who=[unit(code) for code in "abcd"])

    bureau.evaluation.results(period("2026-03"), grades=grades_of, report=lambda done, of: told.append((done, of)))

    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("rollup", "score", "formula"),
    [
        ("", "29.25", "(30 + 28.5) ÷ 2 = 117/4"),
        ("mean", "29.25", "(30 + 28.5) ÷ 2 = 117/4"),
        ("sum", "58.5", "30 + 28.5 = 117/2"),
        ("last", "28.5", "Last of 2 periods: 57/2"),
        ("none", None, "Computed for shorter periods only"),
    ],
)
def test_a_quarter_folds_the_months_that_have_a_score(rollup: str, score: str | None, formula: str) -> None:
    scheme = tree(node("T", None, "sum", children="A"), node("A", "T", "given", rollup=rollup))
    tallies = {("a", "A", "2026-01"): marks("30"), ("a", "A", "2026-03"): marks("28.5")}

    found = Bureau(scheme, tallies=tallies).node("2026Q1", "a", "A")

    assert found.score == (None if score is None else F(score))
    assert [str(it) for it in found.formula] == [formula]


def test_a_rolled_up_node_is_only_rounded_again() -> None:
    # 7 and 1, capped at 5 and floored at 2 in their months: mean 3.5; then no cap below it, but one place
    scheme = tree(node("T", None, "sum", children="A"), node("A", "T", "given", cap="5", floor="2", places=0))
    tallies = {("a", "A", "2026-01"): marks("7"), ("a", "A", "2026-02"): marks("1")}

    found = Bureau(scheme, tallies=tallies).node("2026Q1", "a", "A")

    assert (found.exact, found.score) == (F("3.5"), 4)


def test_a_gate_is_not_asked_again_in_a_longer_period() -> None:
    scheme = tree(
        node("T", None, "sum", children="A B"),
        node("A", "T", "given"),
        node("B", "T", "given", params={"gate": "A>=80"}),
    )
    tallies = {
        ("a", "A", "2026-01"): marks("80"), ("a", "B", "2026-01"): marks("9"),
        ("a", "A", "2026-02"): marks("10"), ("a", "B", "2026-02"): marks("9"),
    }  # fmt: skip
    bureau = Bureau(scheme, tallies=tallies)

    # the mean of A over the quarter is 45, but the gate was shut in February only
    assert bureau.node("2026Q1", "a", "B").score == F("4.5")
    assert [str(it) for it in bureau.node("2026-02", "a", "B").formula] == [
        "Registered marks: 1 → 9", "0, because A >= 80 does not hold",
    ]  # fmt: skip


@pytest.mark.parametrize(("at", "score"), [("2026-03", None), ("2026Q1", "8"), ("2026", "6.5")])
def test_a_node_has_no_score_in_a_period_shorter_than_its_span(at: str, score: str | None) -> None:
    scheme = tree(node("T", None, "sum", children="A"), node("A", "T", "given", span="quarter"))
    tallies = {("a", "A", "2026Q1"): marks("8"), ("a", "A", "2026Q3"): marks("5")}

    found = Bureau(scheme, tallies=tallies).node(at, "a", "A")

    assert found.score == (None if score is None else F(score))
    if score is None:
        assert [str(it) for it in found.formula] == ["Computed for a longer period only"]


def test_a_period_without_any_score_below_it_is_not_assessed() -> None:
    found = Bureau(GIVEN).node("2026Q1", "a", "A")

    assert (found.score, found.exact, found.error) == (None, None, None)
    assert [str(it) for it in found.formula] == ["No shorter period has a score: not assessed"]
    assert Bureau(GIVEN).node("2026-03", "nobody", "A") == NodeScore()
    assert Bureau(GIVEN).node("2026-03", "a", "X") == NodeScore()


def test_a_year_takes_each_part_from_the_scheme_of_that_time_root_by_root() -> None:
    old = tree(node("R", None, "sum", children="A X"), node("A", "R", "given"), node("X", "R", "given"), code="OLD")
    new = tree(node("N", None, "sum", children="A", rollup="mean"), node("A", "N", "given"), code="NEW")
    bureau = Bureau(
        old, new, who=[unit("a", scheme="NEW")],
        tallies={("a", "A", "2026-01"): marks("10"), ("a", "X", "2026-01"): marks("5"), ("a", "A", "2026-02"): marks("40")},
    )  # fmt: skip
    bureau.from_period = {"2026-01": {"a": unit("a", scheme="OLD")}, "2026-03": {}}

    found = bureau.results("2026Q1")["a"]

    assert found.nodes["A"].score == 25
    # the root of January is R with 15, of February N with 40; in March the unit was not assessed
    assert found.total.score == F("27.5")
    assert "X" not in found.nodes


def test_an_error_reaches_every_node_that_is_computed_from_it_and_no_other() -> None:
    scheme = tree(
        node("T", None, "sum", children="R V G B K A"),
        node("R", "T", "ratio", full="10", weight="0"),
        node("V", "T", "place", full="10", params={"step": "1", "value_of": "R"}, weight="0"),
        node("G", "T", "given", params={"gate": "R>=1"}, weight="0"),
        node("B", "T", "bands", params={"rows": "R>1:5|else:1"}, weight="0"),
        node("K", "T", "ratio", full="10", params={"value_of": "A", "target_of": "R"}, weight="0"),
        node("A", "T", "given"),
    )
    tallies = {("a", code, "2026-03"): marks("5") for code in "GBA"}
    bureau = Bureau(scheme, tallies=tallies)

    for code in "RVGBK":
        found = bureau.node("2026-03", "a", code)
        assert (found.score, found.exact, found.formula) == (None, None, ())
        assert found.error is not None
        assert (found.error.indicator, str(found.error.reason)) == ("R", "The target is missing.")
    assert bureau.node("2026-03", "a", "A").score == 5
    assert bureau.results("2026-03")["a"].total.score == 5
    year = bureau.node("2026", "a", "R")
    assert (year.score, year.error) == (None, bureau.node("2026-03", "a", "R").error)


def test_an_error_of_one_subject_is_left_out_of_places_and_means_of_others() -> None:
    scheme = tree(
        node("T", None, "sum", children="R P M", full="9"),
        node("R", "T", "ratio", full="10", weight="0"),
        node("P", "T", "place", full="10", params={"step": "1", "value_of": "R"}),
        node("M", "T", "ratio", full="10", applies_to="!subject=c", not_applicable="mean_of_others", weight="0"),
    )
    who = [unit("a"), unit("b"), unit("c")]
    tallies = {(code, "R", "2026-03"): Tally(F(value), 1) for code, value in {"a": 4, "b": 2, "c": 3}.items()}
    tallies |= {(code, "M", "2026-03"): Tally(F(2), 1) for code in "ab"}
    targets = {(code, "R", "2026-03"): F(5) for code in "bc"} | {("b", "M", "2026-03"): F(4)}

    found = Bureau(scheme, who=who, tallies=tallies, targets=targets).results("2026-03")

    assert found["a"].total.error is not None
    assert [found[code].nodes["P"].score for code in "bc"] == [9, 10]
    assert found["c"].nodes["M"].score == 5
    assert str(found["c"].nodes["M"].formula[0]) == "Not applicable to this subject: mean of 1 others 5"


def test_an_external_result_serves_the_leaf_of_exactly_its_period() -> None:
    scheme = tree(
        node("T", None, "sum", children="A P"), node("A", "T", "given"),
        node("P", "T", "place", full="10", params={"step": "2", "by": "registered"}),
    )  # fmt: skip
    externals = {("a", "A", "2026-03"): External(F(77)), ("a", "P", "2026-03"): External(None, 3)}
    bureau = Bureau(scheme, tallies={("a", "A", "2026-03"): marks("5")}, externals=externals)

    assert [bureau.node("2026-03", "a", code).score for code in "AP"] == [77, 6]
    assert bureau.node("2026-04", "a", "A").score is None


def test_peers_are_those_of_the_same_group_and_kind_to_whom_the_leaf_applies() -> None:
    scheme = tree(
        node("T", None, "sum", children="S"), node("S", "T", "best_share", full="10", applies_to="!subject=z")
    )
    who = [unit("a"), unit("b"), unit("c", "h"), unit("p", kind="person"), unit("z")]
    tallies = {
        (code, "S", "2026-03"): Tally(F(value), 1) for code, value in {"a": 3, "b": 4, "c": 6, "p": 5, "z": 9}.items()
    }

    found = Bureau(scheme, who=who, tallies=tallies).results("2026-03")

    assert {code: it.total.score for code, it in found.items()} == {"a": F("7.5"), "b": 10, "c": 10, "p": 10, "z": None}


def test_the_value_is_0_without_entries_only_where_the_method_says_so() -> None:
    scheme = tree(
        node("T", None, "sum", children="R G B P"),
        node("R", "T", "ratio", full="10"),
        node("G", "T", "gap", full="10", params={"price": "2"}),
        node("B", "T", "bands", params={"rows": "else:7"}),
        node("P", "T", "place", full="10", params={"step": "1"}),
    )
    targets = {("a", code, "2026-03"): F(3) for code in "RG"}
    bureau = Bureau(scheme, targets=targets, tallies={("a", "B", "2026-03"): Tally(F(0), 0)})

    assert [bureau.node("2026-03", "a", code).score for code in "RGBP"] == [0, 4, None, None]


def test_without_a_value_the_target_is_not_asked_for() -> None:
    scheme = tree(
        node("T", None, "sum", children="B R"),
        node("B", "T", "bands", params={"rows": "else:7", "by": "percent", "target_of": "R"}),
        node("R", "T", "ratio", full="10", weight="0"),
    )

    found = Bureau(scheme).node("2026-03", "a", "B")

    assert (found.score, found.error) == (None, None)


@pytest.mark.parametrize(("method", "child", "total"), [("sum", "80", "100"), ("weighted", "50", "50")])
def test_points_that_are_spread_and_scaled_up_reach_the_children_that_apply(
    method: str, child: str, total: str
) -> None:
    # A = 50, S = 30, U = 20: spread 8/5, scale up 100/80; the child of weight 0 stands outside
    points, other = ("full", "weight") if method == "sum" else ("weight", "full")
    away = {"applies_to": "!group=g"}
    scheme = tree(
        node("T", None, method, children="A B C Z"),
        node("A", "T", "given", **{points: "50", other: "7"}),
        node("B", "T", "given", **{points: "30", other: "9"}, **away, not_applicable="spread"),
        node("C", "T", "given", **{points: "20", other: "3"}, **away, not_applicable="scale_up"),
        node("Z", "T", "given", full="40", weight="0", **away, not_applicable="spread"),
    )
    bureau = Bureau(scheme, tallies={("a", "A", "2026-03"): marks("50")})

    assert bureau.results("2026-03")["a"].total.score == F(total)
    assert bureau.node("2026-03", "a", "A").score == F(child)
    assert [str(it) for it in bureau.node("2026-03", "a", "B").formula] == ["Not applicable to this subject"]


def test_children_that_would_all_leave_their_points_take_over_from_one_another() -> None:
    scheme = tree(
        node("T", None, "sum", children="A B"),
        node("A", "T", "given", full="60", applies_to="group=g", not_applicable="spread"),
        node("B", "T", "given", full="40", applies_to="group=h", not_applicable="spread"),
    )
    tallies = {("a", "A", "2026-03"): marks("30"), ("b", "B", "2026-03"): marks("30")}

    found = Bureau(scheme, who=[unit("a"), unit("b", "h")], tallies=tallies).results("2026-03")

    assert (found["a"].total.score, found["b"].total.score) == (50, 75)


def test_under_other_branches_nothing_is_spread() -> None:
    scheme = tree(
        node("T", None, "mean", children="A B"),
        node("A", "T", "given", full="60"),
        node("B", "T", "given", full="40", applies_to="group=h", not_applicable="spread"),
    )

    assert Bureau(scheme, tallies={("a", "A", "2026-03"): marks("30")}).results("2026-03")["a"].total.score == 30


def test_the_mean_of_others_where_there_is_none_is_not_applicable() -> None:
    scheme = tree(
        node("T", None, "sum", children="A"),
        node("A", "T", "given", applies_to="!subject=a", not_applicable="mean_of_others"),
    )
    found = Bureau(scheme, who=[unit("a"), unit("b")]).node("2026-03", "a", "A")

    assert (found.score, [str(it) for it in found.formula]) == (None, ["Not applicable to this subject"])


def test_a_branch_has_its_own_numbers_limits_and_gate_in_every_period() -> None:
    scheme = tree(
        node("T", None, "sum", children="C G"),
        node("C", "T", "scale", children="A", params={"from": "100", "to": "5", "gate": "G>=1"}, cap="4"),
        node("A", "C", "given"),
        node("G", "T", "given", rollup="last", weight="0"),
    )
    tallies = {
        ("a", "A", "2026-01"): marks("60"),
        ("a", "A", "2026-02"): marks("100"),
        ("a", "G", "2026-02"): marks("1"),
    }
    bureau = Bureau(scheme, tallies=tallies)

    assert [bureau.results(at)["a"].total.score for at in ("2026-01", "2026-02", "2026Q1")] == [0, 4, 4]


def test_a_month_without_the_subject_hides_no_later_one() -> None:
    bureau = Bureau(GIVEN, tallies={("a", "A", f"2026-0{month}"): marks(str(month)) for month in (1, 2, 3)})
    bureau.from_period = {"2026-01": {}}

    assert bureau.node("2026Q1", "a", "A").score == F("2.5")


def test_who_has_no_value_is_no_rival_for_the_best() -> None:
    scheme = tree(node("T", None, "sum", children="S"), node("S", "T", "best_share", full="10"))
    tallies = {("a", "S", "2026-03"): Tally(F(3), 1), ("b", "S", "2026-03"): Tally(F(4), 1)}

    found = Bureau(scheme, who=[unit("z"), unit("a"), unit("b")], tallies=tallies).results("2026-03")

    assert [it.total.score for it in found.values()] == [None, F("7.5"), 10]


def test_what_lies_below_a_node_that_does_not_apply_has_no_score_even_if_it_would_be_0() -> None:
    scheme = tree(
        node("T", None, "sum", children="B D"),
        node("B", "T", "sum", children="E", applies_to="group=h"),
        node("E", "B", "given", applies_to="group=h", not_applicable="zero"),
        node("D", "T", "given", applies_to="group=h", not_applicable="zero"),
    )
    bureau = Bureau(scheme)

    assert bureau.node("2026-03", "a", "E").score is None
    assert [str(it) for it in bureau.node("2026-03", "a", "E").formula] == ["Not applicable to this subject"]
    found = bureau.node("2026-03", "a", "D")
    assert (found.score, found.exact) == (0, 0)
    assert [str(it) for it in found.formula] == ["Not applicable to this subject: 0"]
    assert bureau.results("2026-03")["a"].total.score == 0


def test_a_row_of_bands_looks_at_the_score_of_another_node() -> None:
    scheme = tree(
        node("T", None, "sum", children="A B"), node("A", "T", "given"),
        node("B", "T", "bands", params={"rows": "A>=80:5|A>=60:3|else:1"}),
    )  # fmt: skip
    who = [unit(code) for code in "abcd"]
    tallies = {(code, "B", "2026-03"): Tally(F(1), 1) for code in "abcd"}
    tallies |= {(code, "A", "2026-03"): marks(value) for code, value in {"a": "80", "b": "79", "c": "59"}.items()}

    found = Bureau(scheme, who=who, tallies=tallies).results("2026-03")

    assert [it.nodes["B"].score for it in found.values()] == [5, 3, 1, 1]


def test_a_sibling_without_full_marks_is_not_enlarged() -> None:
    scheme = tree(
        node("T", None, "sum", children="A N B"),
        node("A", "T", "given", full="50"),
        node("N", "T", "award"),
        node("B", "T", "given", full="50", applies_to="group=h", not_applicable="spread"),
    )
    tallies = {("a", "A", "2026-03"): marks("40"), ("a", "N", "2026-03"): Tally(F(3), 1)}

    found = Bureau(scheme, tallies=tallies).results("2026-03")["a"]

    assert ([found.nodes[code].score for code in "AN"], found.total.score) == ([80, 3], 83)


def test_a_sum_whose_children_all_apply_hands_out_nothing() -> None:
    found = Bureau(GIVEN, tallies={("a", "A", "2026-03"): marks("40")}).results("2026-03")["a"]

    assert [str(it) for it in found.total.formula] == ["40 = 40"]
    assert [str(it) for it in found.nodes["A"].formula] == ["Registered marks: 1 → 40"]
