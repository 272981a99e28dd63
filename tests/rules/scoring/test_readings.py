"""docs/scoring.md sections 3 to 5 and 7: each text of the grammar beside what it is read as."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D
from fractions import Fraction as F
from functools import partial
from typing import Any

import pytest

from app.rules.grammar import (
    BandRow,
    ClauseCap,
    Comparison,
    CountTerm,
    EveryN,
    Ladder,
    Multiplier,
    Term,
    Window,
    check_code,
    read_applies_to,
    read_clause_cap,
    read_comparison,
    read_every_n,
    read_ladder,
    read_limit,
    read_multipliers,
    read_number,
    read_pairs,
    read_rows,
    read_weights,
    read_window,
    split_list,
)
from app.rules.scoring.grades import (
    GradeKind,
    GradeRule,
    GradeTerm,
    Quota,
    read_grade_rule,
    read_grade_terms,
    read_quota,
)
from app.rules.scoring.lines import Effect
from app.rules.scoring.methods import (
    METHODS,
    allowed_effects,
    asks_target,
    codes_named,
    needs_rows,
    read_params,
    rows_named,
)

QUARTER, YEAR = Window.QUARTER, Window.YEAR
signed_number = partial(read_number, negative=True)
signed_weights = partial(read_weights, negative=True)
quota_order = partial(read_grade_terms, orders=True)


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (split_list, " a ; b;;c ; ", ("a", "b", "c")),
        (split_list, "", ()),
        (split_list, "x" * 2000, ("x" * 2000,)),
        (split_list, "x;" * 100, ("x",) * 100),
        (partial(split_list, separator="|"), "a;b|c", ("a;b", "c")),
        (read_pairs, " a = 1 ;b= ", {"a": "1", "b": ""}),
        (read_pairs, "rows=value>=90:20|else:0", {"rows": "value>=90:20|else:0"}),
        (read_number, " 5 ", D(5)),
        (read_number, "0", D(0)),
        (read_number, "1000000000", D(10**9)),
        (signed_number, "-1000000000", D(-(10**9))),
        (signed_number, "-0.5", D("-0.5")),
        (read_comparison, " A.1 >= 80 ", Comparison("A.1", ">=", D(80))),
        (read_comparison, "LOW<-33.3", Comparison("LOW", "<", D("-33.3"))),
        (read_comparison, "A<=5", Comparison("A", "<=", D(5))),
        (read_comparison, "A>5", Comparison("A", ">", D(5))),
        (read_comparison, "A=5", Comparison("A", "=", D(5))),
        (
            read_rows, "value>=90:200| LOW < 33.3 : -16 | else : 130",
            (BandRow(Comparison("value", ">=", D(90)), D(200)), BandRow(Comparison("LOW", "<", D("33.3")), D(-16)), BandRow(None, D(130))),
        ),
        (read_weights, " leader : 20 |staff:80", {"leader": D(20), "staff": D(80)}),
        (read_weights, "none:0", {"none": D(0)}),
        # the number stands behind the last colon
        (read_weights, "9:30 shift:5", {"9:30 shift": D(5)}),
        (signed_weights, "bad:-20|good:100", {"bad": D(-20), "good": D(100)}),
        (read_window, " year ", YEAR),
        (read_window, "month", Window.MONTH),
        (read_multipliers, "", ()),
        (read_multipliers, "at=9:30:0.5", (Multiplier((Term("at", "9:30"),), D("0.5")),)),
        (read_multipliers, "rule=a=b:2", (Multiplier((Term("rule", "a=b"),), D(2)),)),
        (
            read_multipliers, " joint = yes : 0.5 ; tag = large & count_all >= 8 / year : 2;count_past>3/quarter&group=g:0",
            (
                Multiplier((Term("joint", "yes"),), D("0.5")),
                Multiplier((Term("tag", "large"), CountTerm(is_all=True, sign=">=", number=D(8), window=YEAR)), D(2)),
                Multiplier((CountTerm(is_all=False, sign=">", number=D(3), window=QUARTER), Term("group", "g")), D(0)),
            ),
        ),
        (read_applies_to, "", ()),
        (
            read_applies_to, "group=a; ! tag = b ;subject = 03;!category=staff",
            (Term("group", "a"), Term("tag", "b", negated=True), Term("subject", "03"), Term("category", "staff", negated=True)),
        ),
        (read_applies_to, "tag=!b", (Term("tag", "!b"),)),
        (read_applies_to, "tag=a=b", (Term("tag", "a=b"),)),
        (read_ladder, "1; 5 ;15;60/month", Ladder((D(1), D(5), D(15), D(60)), Window.MONTH)),
        (read_ladder, "0.5 / year", Ladder((D("0.5"),), YEAR)),
        (read_every_n, "2/year", EveryN(2, YEAR)),
        (read_every_n, " 10 / quarter ", EveryN(10, QUARTER)),
        (read_every_n, "999999/year", EveryN(999999, YEAR)),
        (read_clause_cap, "", ClauseCap()),
        (read_clause_cap, "1/work;2", ClauseCap(D(2), D(1))),
        (read_clause_cap, "0;0/work", ClauseCap(D(0), D(0))),
        (read_limit, "-5.5", D("-5.5")),
        (check_code, "A-1.甲", None),
        (check_code, "totals", None),
        (read_grade_terms, "", ()),
        (read_grade_terms, "total>=90", (GradeTerm("total", "", ">=", D(90)),)),
        (
            read_grade_terms, "A.1 <= -2.5 & count( LATE )>=3&quantity(ABSENT) < 1.5&grades(bad)=0",
            (
                GradeTerm("node", "A.1", "<=", D("-2.5")), GradeTerm("count", "LATE", ">=", D(3)),
                GradeTerm("quantity", "ABSENT", "<", D("1.5")), GradeTerm("grades", "bad", "=", D(0)),
            ),
        ),
        (read_grade_terms, "count(LATE)>-1", (GradeTerm("count", "LATE", ">", D(-1)),)),
        (read_grade_terms, "group = office&tag=hero", (GradeTerm("group", "office", "="), GradeTerm("tag", "hero", "="))),
        # only the equals sign makes them words: else they are indicators of that name
        (read_grade_terms, "group>=3", (GradeTerm("node", "group", ">=", D(3)),)),
        (quota_order, "", ()),
        (quota_order, "total", (GradeTerm("total"),)),
        (quota_order, "A.1", (GradeTerm("node", "A.1"),)),
        (quota_order, "grades(good)", (GradeTerm("grades", "good"),)),
        (read_quota, " 12.5 / ceil ", Quota(D("12.5"), "ceil")),
        (read_quota, "20/round", Quota(D(20), "round")),
        (partial(read_grade_rule, "A", "cap", "total<60"), "", GradeRule("A", GradeKind.CAP, (GradeTerm("total", "", "<", D(60)),))),
        (partial(read_grade_rule, "A", "quota", "total"), "20/floor", GradeRule("A", GradeKind.QUOTA, (GradeTerm("total"),), Quota(D(20), "floor"))),
    ],
)  # fmt: skip
def test_a_text_and_what_it_means(read: Callable[[str], Any], text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("sign", "below", "at", "above"),
    [
        (">=", False, True, True), (">", False, False, True), ("<=", True, True, False), ("<", True, False, False),
        ("=", False, True, False),
    ],
)  # fmt: skip
def test_a_comparison_holds_to_twelve_decimals(sign: str, below: bool, at: bool, above: bool) -> None:
    comparison = Comparison("A", sign, D(80))

    assert [comparison.holds(F(value)) for value in ("79.999999999999", "80", "80.000000000001")] == [below, at, above]
    assert comparison.holds(F("79.9999999999996")) is at
    assert comparison.holds(F("80.0000000000004")) is at


@pytest.mark.parametrize(
    ("method", "text", "expected"),
    [
        ("deduct", "", {}),
        ("deduct", "gate=A>=80", {"gate": "A>=80"}),
        ("given", "of=weighted", {"of": "weighted"}),
        ("gap", "price=2;per=5;round=up;order=asc", {"price": "2", "per": "5", "round": "up", "order": "asc"}),
        ("gap", "price=0;per=0.5", {"price": "0", "per": "0.5"}),
        ("place", "by=value;value_of=A;step_pct=5", {"by": "value", "value_of": "A", "step_pct": "5"}),
        ("place", "step=2;by=registered", {"step": "2", "by": "registered"}),
        ("linked", "source=group;groups=a|b", {"source": "group", "groups": "a|b"}),
        ("linked", "source=post;of=min;what=A", {"source": "post", "of": "min", "what": "A"}),
        ("bands", "by=percent;rows=value>=100:20|else:0", {"by": "percent", "rows": "value>=100:20|else:0"}),
        ("votes", "grade_points=a:9|b:-9;voters=x:1", {"grade_points": "a:9|b:-9", "voters": "x:1"}),
    ],
)
def test_parameters_that_are_read(method: str, text: str, expected: dict[str, str]) -> None:
    assert read_params(method, text, METHODS[method].params) == expected


def test_a_branch_has_the_parameters_of_its_own_catalogue_and_no_method_is_asked() -> None:
    assert read_params("scale", "from=100;to=5", {"from": None, "to": None}) == {"from": "100", "to": "5"}


@pytest.mark.parametrize(
    ("params", "named", "in_rows"),
    [
        ({}, set(), set()),
        ({"value_of": "A"}, {"A"}, set()),
        ({"target_of": "B", "value_of": "A"}, {"A", "B"}, set()),
        ({"gate": "C>=80"}, {"C"}, set()),
        ({"rows": "value>=9:1|LOW<3:2|HIGH>3:2|else:0"}, {"LOW", "HIGH"}, {"LOW", "HIGH"}),
        ({"rows": "value>=9:1", "gate": "C>=80", "value_of": "A"}, {"A", "C"}, set()),
        ({"what": "X", "of": "mean"}, set(), set()),
    ],
)
def test_the_nodes_that_parameters_name(params: dict[str, str], named: set[str], in_rows: set[str]) -> None:
    assert (codes_named(params), rows_named(params)) == (named, in_rows)


AWARD, DEDUCTION, MEASURE = Effect.AWARD, Effect.DEDUCTION, Effect.MEASURE
ALL = {AWARD, DEDUCTION, MEASURE}


@pytest.mark.parametrize(
    ("method", "params", "effects", "target", "rows"),
    [
        ("deduct", {}, {DEDUCTION}, False, False),
        ("award", {}, {AWARD, DEDUCTION}, False, False),
        ("balance", {}, {AWARD, DEDUCTION}, False, False),
        ("given", {}, {AWARD, MEASURE}, False, True),
        ("ratio", {}, ALL, True, False),
        ("ratio", {"value_of": "A"}, set(), True, False),
        ("bands", {"rows": "else:1"}, ALL, False, False),
        ("bands", {"rows": "else:1", "by": "value"}, ALL, False, False),
        ("bands", {"rows": "else:1", "by": "percent"}, ALL, True, False),
        ("gap", {"price": "1"}, ALL, True, False),
        ("best_share", {}, ALL, False, False),
        ("place", {"step": "1"}, ALL, False, False),
        ("place", {"step": "1", "by": "value"}, ALL, False, False),
        ("place", {"step": "1", "by": "registered"}, {MEASURE}, False, True),
        ("votes", {}, {MEASURE}, False, True),
        ("linked", {"source": "post"}, set(), False, False),
    ],
)
def test_what_a_leaf_takes(method: str, params: dict[str, str], effects: set[Effect], target: bool, rows: bool) -> None:
    assert allowed_effects(method, params) == effects
    assert asks_target(method, params) is target
    assert needs_rows(method, params) is rows
