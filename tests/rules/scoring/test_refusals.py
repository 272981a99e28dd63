"""docs/scoring.md sections 3 to 5 and 7: what is refused, and the sentence that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from app.errors import Conflict, RuleViolation
from app.rules.bulletin import BulletinState, BulletinVerb, next_state
from app.rules.grammar import (
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
from app.rules.scoring.apportionment import read_parties, read_shares
from app.rules.scoring.grades import read_grade_rule, read_grade_terms, read_quota
from app.rules.scoring.methods import METHODS, read_params

ONE_TERM = "A quota is ordered by one term without a comparison."
CODE = "The code must not contain ;|:=<>!& or brackets, nor be value, total or else."
GROUPS = "The parameter groups goes with source=group, and only with it."
STEPS = "One of step and step_pct must be given."


def params_of(method: str) -> Callable[[str], Any]:
    return lambda text: read_params(method, text, METHODS[method].params)


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (split_list, "x" * 2001, "The text is longer than 2000 characters."),
        (split_list, "x;" * 101, "The list has more than 100 parts."),
        (read_pairs, "a", "“a” is not written as name=value."),
        (read_pairs, "=1", "“=1” is not written as name=value."),
        (read_pairs, "a=1;b=2;a=3", "“a” stands twice."),
        (read_number, "x", "“x” is not a number."),
        (read_number, "1000000001", "“1000000001” is not a number."),
        (read_number, "-1000000001", "“-1000000001” is not a number."),
        (read_number, "-1", "“-1” must not be negative."),
        (read_comparison, "A", "“A” is not a condition such as CODE>=80."),
        (read_comparison, "A>=x", "“x” is not a number."),
        (read_rows, "value>=90", "“value>=90” is not a row such as value>=90:20."),
        (read_rows, " :5", "“:5” is not a row such as value>=90:20."),
        (read_rows, "|", "The list of rows is empty."),
        (read_weights, "staff", "“staff” is not written as name:number."),
        (read_weights, " :5", "“:5” is not written as name:number."),
        (read_weights, "a:1| a :2", "“a” stands twice."),
        (read_weights, "", "The list of names is empty."),
        (read_weights, "a:-1", "“-1” must not be negative."),
        (read_multipliers, "joint=yes", "“joint=yes” is not written as condition:factor."),
        (read_multipliers, " :2", "“:2” is not written as condition:factor."),
        (read_multipliers, "joint:2", "“joint” is not a condition such as group=NAME."),
        (read_multipliers, "=yes:2", "“=yes” is not a condition such as group=NAME."),
        (read_multipliers, "joint=:2", "“joint=” is not a condition such as group=NAME."),
        (read_multipliers, "joint>=2:2", "“joint>=2” is not a condition such as group=NAME."),
        (read_multipliers, "!tag=large:2", "“!tag=large” is not a condition such as group=NAME."),
        (read_multipliers, "count_all=8/year:2", "“count_all=8/year” is not a condition such as count_all>=8/year."),
        (read_multipliers, "count_past>=8:2", "“count_past>=8” is not a condition such as count_all>=8/year."),
        (read_multipliers, "count_past>=x/year:2", "“x” is not a number."),
        (read_multipliers, "count_all>=8/week:2", "“week” is no window: month, quarter or year."),
        (read_window, " week ", "“ week ” is no window: month, quarter or year."),
        (read_applies_to, "unit=01", "“unit=01” is not one of group=, tag=, subject=, category=."),
        (read_applies_to, "!group=", "“!group=” is not one of group=, tag=, subject=, category=."),
        (read_applies_to, "group", "“group” is not one of group=, tag=, subject=, category=."),
        (read_ladder, "1;5", "“1;5” is not a ladder such as 1;5;15/month."),
        (read_ladder, "/month", "“/month” is not a ladder such as 1;5;15/month."),
        (read_ladder, "1;-5/month", "“-5” must not be negative."),
        (read_ladder, "1;5/day", "“day” is no window: month, quarter or year."),
        (read_every_n, "2", "“2” is not written as 2/year."),
        (read_every_n, "0/year", "“0/year” is not written as 2/year."),
        (read_every_n, "1２/year", "“1２/year” is not written as 2/year."),
        (read_every_n, "1000000/year", "“1000000/year” is not written as 2/year."),
        (read_every_n, "1.5/year", "“1.5/year” is not written as 2/year."),
        (read_every_n, "2/day", "“day” is no window: month, quarter or year."),
        (read_clause_cap, "2/week", "“2/week” is not a cap such as 2 or 1/work."),
        (read_clause_cap, "2;3", "“3” stands twice."),
        (read_clause_cap, "2/work;3/work", "“3/work” stands twice."),
        (read_clause_cap, "-1", "“-1” must not be negative."),
        (read_clause_cap, "-1/work", "“-1” must not be negative."),
        (read_limit, "None", "“None” is not a number."),
        (check_code, "a;b", CODE),
        (check_code, "total", CODE),
        (read_shares, "king=1", "“king” is no party."),
        (read_shares, "self=10/n", "The own share is not divided."),
        (read_parties, "handler=1021;self=1", "“self” is no party."),
        (read_grade_terms, "total", "“total” lacks a comparison such as >=3."),
        (read_grade_terms, "total>=3&count(LATE)", "“total>=3&count(LATE)” lacks a comparison such as >=3."),
        (read_grade_terms, "count(A", "“count(A” is not a condition such as total>=90."),
        (partial(read_grade_terms, orders=True), "a&b", ONE_TERM),
        (partial(read_grade_terms, orders=True), "total>=3", ONE_TERM),
        (read_quota, "20", "“20” is no quota such as 20/floor."),
        (read_quota, "20/5/floor", "“20/5/floor” is no quota such as 20/floor."),
        (read_quota, "20/up", "“20/up” is no quota such as 20/floor."),
        (read_quota, "-1/floor", "“-1” must not be negative."),
        (partial(read_grade_rule, "A", "quota", "total"), "20", "“20” is no quota such as 20/floor."),
        (params_of("deduct"), "of=last", "The method has no parameter “of”."),
        (params_of("given"), "gate=A>=80;of=median", "“median” is no value of of."),
        (params_of("given"), "of=median", "“median” is no value of of."),
        (params_of("bands"), "by=value", "The parameter rows is missing."),
        (params_of("votes"), "voters=a:1", "The parameter grade_points is missing."),
        (params_of("gap"), "price=1;per=0", "The parameter per must be greater than 0."),
        (params_of("gap"), "price=x", "“x” is not a number."),
        (params_of("gap"), "price=1;per=-2", "“-2” must not be negative."),
        (params_of("place"), "", STEPS),
        (params_of("place"), "step=2;step_pct=5", STEPS),
        (params_of("place"), "step=-1", "“-1” must not be negative."),
        (params_of("place"), "by=registered;step=1;value_of=A", "Registered places take no value_of."),
        (params_of("linked"), "source=group", GROUPS),
        (params_of("linked"), "source=post;groups=a", GROUPS),
        (params_of("ratio"), "gate=A", "“A” is not a condition such as CODE>=80."),
        (params_of("bands"), "rows=value>=90", "“value>=90” is not a row such as value>=90:20."),
        (params_of("votes"), "grade_points=A:1;questions=x:-1", "“-1” must not be negative."),
        (params_of("votes"), "grade_points=A:1;voters=x", "“x” is not written as name:number."),
        (params_of("votes"), "grade_points=A", "“A” is not written as name:number."),
    ],
)  # fmt: skip
def test_a_refusal_names_what_is_wrong(read: Callable[[str], Any], text: str, sentence: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        read(text)

    assert str(refusal.value.message) == sentence


def test_a_bulletin_that_moved_meanwhile_asks_to_be_opened_again() -> None:
    with pytest.raises(Conflict) as refusal:
        next_state(BulletinState.DRAFT, BulletinVerb.PUBLISH)

    assert str(refusal.value.message) == "The bulletin is in another state meanwhile; open it again."
