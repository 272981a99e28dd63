"""docs/scoring.md section 5, Grades: bands, eligibility, caps, veto, quota; each row is one rule at its boundary."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import pytest

from app.errors import RuleViolation
from app.rules.scoring.grades import (
    GradeFacts,
    GradeRule,
    band_order,
    holds,
    quarter_grade,
    read_grade_rule,
    read_quota,
    year_grades,
)

A, B, C, D = "excellent", "competent", "basic", "poor"
BANDS = [(A, "band", "total>=90"), (B, "band", "total>=75"), (C, "band", "total>=60"), (D, "band", "total>=0")]


def rules(*rows: tuple[str, ...]) -> list[GradeRule]:
    return [read_grade_rule(row[0], row[1], row[2], row[3] if len(row) > 3 else "") for row in rows]


def facts(code: str = "x", total: str = "95", **more: Any) -> GradeFacts:
    return GradeFacts(code, more.pop("group", "g"), F(total), F(more.pop("ranked", total)), (0, code), **more)


def grade(of: GradeFacts, *rows: tuple[str, ...]) -> str | None:
    return year_grades(rules(*BANDS, *rows), [of])[of.code]


@pytest.mark.parametrize(("total", "expected"), [("90", A), ("89.99", B), ("75", B), ("60", C), ("0", D), ("-1", None)])
def test_the_first_band_that_holds(total: str, expected: str | None) -> None:
    assert grade(facts(total=total)) == expected


@pytest.mark.parametrize(
    ("rows", "more", "expected"),
    [
        ([(A, "eligibility", "grades(bad)=0")], {"quarters": ["good", "good"]}, A),
        ([(A, "eligibility", "grades(bad)=0")], {"quarters": ["good", "bad"]}, B),
        # again, if the next lower grade has such rows
        ([(A, "eligibility", "grades(bad)=0"), (B, "eligibility", "count(LATE)<3")], {"quarters": ["bad"], "counts": {"LATE": 3}}, C),
        # several rows for one grade: any of them
        ([(A, "eligibility", "tag=hero"), (A, "eligibility", "N>=80")], {"nodes": {"N": F(80)}}, A),
        ([(A, "eligibility", "tag=hero"), (A, "eligibility", "N>=80")], {"nodes": {}}, B),
        # caps: the worst wins, below the threshold nothing happens
        ([(C, "cap", "count(LATE)>=3"), (D, "cap", "count(LATE)>=5")], {"counts": {"LATE": 2}}, A),
        ([(C, "cap", "count(LATE)>=3"), (D, "cap", "count(LATE)>=5")], {"counts": {"LATE": 3}}, C),
        ([(C, "cap", "count(LATE)>=3"), (D, "cap", "count(LATE)>=5")], {"counts": {"LATE": 5}}, D),
        ([(C, "cap", "quantity(ABSENT)>=1"), (D, "cap", "quantity(ABSENT)>=2")], {"quantities": {"ABSENT": F("1.5")}}, C),
        ([(C, "cap", "group=g&count(LATE)>=1")], {"counts": {"LATE": 1}}, C),
        ([(C, "cap", "group=h&count(LATE)>=1")], {"counts": {"LATE": 1}}, A),
        ([], {"vetoes": [C]}, C),
        ([(B, "cap", "total>0")], {"vetoes": [D, C]}, D),
    ],
)  # fmt: skip
def test_what_holds_a_grade_down(rows: list[tuple[str, ...]], more: dict[str, Any], expected: str) -> None:
    assert grade(facts(**more), *rows) == expected


def test_a_cap_never_lifts_and_the_lowest_has_no_lower() -> None:
    assert grade(facts(total="10"), (C, "cap", "total>0")) == D
    assert grade(facts(total="10"), (D, "eligibility", "total>50")) == D


@pytest.mark.parametrize(
    ("quota", "people", "seats"),
    [
        ("20/floor", 43, 8), ("25/floor", 43, 10), ("20/floor", 20, 4), ("20/floor", 4, 0), ("20/ceil", 43, 9),
        ("20/round", 43, 9), ("20/round", 42, 8), ("50/round", 5, 3), ("100/floor", 7, 7), ("0/ceil", 7, 0),
    ],
)  # fmt: skip
def test_seats(quota: str, people: int, seats: int) -> None:
    assert read_quota(quota).seats(people) == seats


def test_who_is_beyond_the_quota_gets_the_next_lower_grade() -> None:
    people = [facts(code, total) for code, total in (("a", "99"), ("b", "98"), ("c", "98"), ("d", "97"), ("e", "70"))]

    found = year_grades(rules(*BANDS, (A, "quota", "", "40/floor")), people)

    assert found == {"a": A, "b": A, "c": B, "d": B, "e": C}


def test_a_quota_is_ordered_by_its_term_then_the_total_then_the_order_and_groups_stand_alone() -> None:
    people = [
        facts("a", "99", quarters=["good"]), facts("b", "91", quarters=["good", "good"]),
        facts("c", "95", quarters=["good"], group="h"), facts("d", "90", quarters=[], group="h"),
    ]  # fmt: skip

    found = year_grades(rules(*BANDS, (A, "quota", "grades(good)", "50/floor")), people)

    assert found == {"a": B, "b": A, "c": A, "d": B}


def test_quotas_fill_downwards_best_grade_first() -> None:
    people = [facts(code, total) for code, total in (("a", "99"), ("b", "98"), ("c", "80"), ("d", "79"))]

    found = year_grades(rules(*BANDS, (B, "quota", "", "50/floor"), (A, "quota", "", "25/floor")), people)

    assert found == {"a": A, "b": B, "c": B, "d": C}


def test_quarters_know_bands_alone() -> None:
    found = rules(("good", "band_quarter", "total>=90"), ("fair", "band_quarter", "total>=0"), (C, "cap", "total>0"))

    assert quarter_grade(found, facts(total="90")) == "good"
    assert quarter_grade(found, facts(total="89")) == "fair"
    assert quarter_grade(rules(*BANDS), facts()) is None


@pytest.mark.parametrize(
    ("kind", "condition", "value"),
    [
        ("band", "total", ""), ("band", "total>=x", ""), ("band", "count(LATE)", ""), ("band", "__import__('os')", ""),
        ("cap", "count(LATE>=3", ""), ("quota", "total>=3", "20/floor"), ("quota", "", "20"), ("quota", "", "-1/floor"),
        ("quota", "", "20/up"), ("quota", "a&b", "20/floor"), ("eligibility", "total>=90&", "x&&"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_grammar(kind: str, condition: str, value: str) -> None:
    if kind == "eligibility":
        assert read_grade_rule(A, kind, condition, value).terms
        return
    with pytest.raises(RuleViolation):
        read_grade_rule(A, kind, condition, value)


@pytest.mark.parametrize(
    ("condition", "more", "does"),
    [
        ("tag=hero", {"tags": frozenset({"hero"})}, True),
        ("tag=hero", {"tags": frozenset({"other"})}, False),
        ("group=g&total>=95", {}, True),
        ("group=g&total>95", {}, False),
        # what was never registered is 0
        ("count(LATE)=0", {}, True),
        ("quantity(LATE)=0", {}, True),
        ("quantity(LATE)<=0.5", {"quantities": {"LATE": F(1, 2)}}, True),
        ("quantity(LATE)>0.5", {"quantities": {"LATE": F(1, 2)}}, False),
        ("grades(bad)=2", {"quarters": ["bad", "good", "bad"]}, True),
        ("count(LATE)=2", {"counts": {"LATE": 2, "EARLY": 5}}, True),
        # a node without score satisfies nothing
        ("N<=0", {}, False),
        ("N>=0", {}, False),
        ("N=80", {"nodes": {"N": F("79.9999999999999")}}, True),
        # the total as shown, whatever it is ranked by
        ("total>=95", {"ranked": "94.99"}, True),
    ],
)
def test_when_a_condition_holds(condition: str, more: dict[str, Any], does: bool) -> None:
    (rule,) = rules((C, "cap", condition))

    assert holds(rule, facts(**more)) is does


def test_eligibility_of_the_last_but_one_grade_leads_to_the_last() -> None:
    assert grade(facts(total="65"), (C, "eligibility", "tag=hero")) == D
    assert grade(facts(total="95"), *((it, "eligibility", "tag=hero") for it in (A, B, C, D))) == D


def test_a_quota_of_the_last_but_one_grade_and_none_of_the_last() -> None:
    people = [facts(code, "65") for code in "ab"]

    assert year_grades(rules(*BANDS, (C, "quota", "", "50/floor")), people) == {"a": C, "b": D}
    assert year_grades(rules(*BANDS, (D, "quota", "", "0/floor")), people) == {"a": C, "b": C}


def test_who_has_no_score_in_the_term_of_a_quota_comes_last_even_behind_a_negative_one() -> None:
    people = [
        facts("a", "99"),
        facts("b", "90", nodes={"N": F(-5)}),
        facts("c", "91", nodes={"N": F(3)}),
        facts("d", "98"),
    ]

    def with_seats(percent: int) -> set[str]:
        found = year_grades(rules(*BANDS, (A, "quota", "N", f"{percent}/floor")), people)
        return {code for code, it in found.items() if it == A}

    assert [with_seats(percent) for percent in (0, 25, 50, 75, 100)] == [
        set(), {"c"}, {"c", "b"}, {"c", "b", "a"}, {"a", "b", "c", "d"},
    ]  # fmt: skip


def test_a_quota_by_the_term_total_and_ties_by_the_ranked_total_then_the_order() -> None:
    people = [facts("a", "95", ranked="95.001"), facts("b", "95", ranked="95.002"), facts("c", "96", ranked="94")]

    def first(term: str) -> set[str]:
        found = year_grades(rules(*BANDS, (A, "quota", term, "34/floor")), people)
        return {code for code, it in found.items() if it == A}

    assert first("total") == {"c"}
    assert first("") == {"b"}
    assert first("grades(good)") == {"b"}


def test_only_the_bands_of_a_year_give_it_its_order_and_unknown_limits_say_nothing() -> None:
    rows = rules(*BANDS, ("good", "band_quarter", "total>=0"), (A, "band", "total>=80"))

    assert band_order(rows) == [A, B, C, D]
    assert grade(facts(total="85"), (A, "band", "total>=80")) == B
    assert grade(facts(vetoes=["unheard of"]), ("elsewhere", "cap", "total>0")) == A
