"""The closed grammar of docs/scoring.md: what is in it is read, all else is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import RuleViolation
from app.rules.grammar import (
    ClauseCap,
    check_code,
    read_applies_to,
    read_clause_cap,
    read_comparison,
    read_limit,
    read_multipliers,
    read_pairs,
)


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (read_clause_cap, "2", ClauseCap(Decimal(2), None)),
        (read_clause_cap, "1/work", ClauseCap(None, Decimal(1))),
        (read_clause_cap, " 2 ; 1 / work ", ClauseCap(Decimal(2), Decimal(1))),
        (read_limit, "none", None),
        (read_limit, "-5", Decimal(-5)),
        (read_pairs, "a=1; b = x ", {"a": "1", "b": "x"}),
    ],
)
def test_what_is_in_the_grammar(read: Callable[[str], Any], text: str, expected: object) -> None:
    assert read(text) == expected


def test_a_multiplier_has_terms_and_a_factor() -> None:
    (multiplier,) = read_multipliers("joint=yes & tag=large : 0.5")

    assert [(it.name, it.value) for it in multiplier.terms] == [("joint", "yes"), ("tag", "large")]
    assert multiplier.factor == Decimal("0.5")


def test_terms_may_be_negated() -> None:
    assert [it.negated for it in read_applies_to("group=机关;!tag=market")] == [False, True]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_clause_cap, "2/week"), (read_clause_cap, "2;3"), (read_clause_cap, "x"), (read_clause_cap, "-1"),
        (read_multipliers, "joint=yes"), (read_multipliers, "joint:2"), (read_multipliers, "count_all>=8:2"), (read_multipliers, "count_all=8/year:2"), (read_multipliers, "count_past>x/year:2"),
        (read_multipliers, "a=b:-1"), (read_multipliers, "{{7*7}}:1"), (read_applies_to, "unit=01"), (read_applies_to, "group="),
        (read_comparison, "A"), (read_comparison, "A>=x"), (read_comparison, ">=80"), (read_limit, "9**9"), (read_pairs, "a=1;a=2"), (read_pairs, "x" * 3000),
        (read_pairs, ";".join(f"a{i}=1" for i in range(200))),
    ],
)  # fmt: skip
def test_what_is_not_in_the_grammar(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(RuleViolation):
        read(text)


@pytest.mark.parametrize("code", ["a;b", "a|b", "a(b", "value", "total", "else", "a>b", "（甲）"])
def test_codes_the_grammar_could_not_tell_apart_are_refused(code: str) -> None:
    with pytest.raises(RuleViolation):
        check_code(code)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for read in (read_clause_cap, read_multipliers, read_applies_to, read_pairs, read_comparison, read_limit):
        try:
            read(text)
        except RuleViolation:
            continue
