"""docs/scoring.md section 3: price, quantity, multipliers, duplicates, caps; each row is one rule."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.grammar import read_clause_cap, read_every_n, read_ladder, read_multipliers
from app.rules.scoring.lines import (
    ClauseRule,
    Duplicates,
    Effect,
    EntryFact,
    Pricing,
    count_lines,
    occurrences,
    plain_sum,
    price_line,
    tally_lines,
)


def clause(
    code: str = "C", effect: str = "award", pricing: str = "fixed", price: str | None = "1", **more: Any
) -> ClauseRule:
    return ClauseRule(
        code, "I", Effect(effect), Pricing(pricing), None if price is None else Decimal(price),
        read_multipliers(more.get("multipliers", "")), Duplicates(more.get("duplicates", "accumulate")),
        read_clause_cap(more.get("cap", "")),
    )  # fmt: skip


def entry(no: str, *, code: str = "C", day: int = 1, **more: Any) -> EntryFact:
    return EntryFact(int(no, 36), no, date(2026, 3, day), code, **more)


@pytest.mark.parametrize(
    ("rule", "fact", "points"),
    [
        (clause(price="0.5"), entry("1"), "0.5"),
        (clause(price="0.5", effect="deduction"), entry("1", quantity=Decimal(3)), "-1.5"),
        (clause(pricing="range", price=None), entry("1", points=Decimal("2.5")), "2.5"),
        (clause(pricing="given", price=None), entry("1", points=Decimal(4), quantity=Decimal("0.08")), "0.32"),
        (clause(pricing="measure", price=None, effect="measure"), entry("1", value=Decimal("-3.25")), "-3.25"),
        (clause(price="12", multipliers="group=基层:2"), entry("1", group="基层"), "24"),
        (clause(price="12", multipliers="group=基层:2"), entry("1", group="机关"), "12"),
        (clause(price="12", multipliers="joint=yes:0.5;tag=large:2"), entry("1", attrs={"joint": "yes"}, tags=frozenset({"large"})), "12"),
        (clause(price="12", multipliers="joint=yes&tag=large:3"), entry("1", attrs={"joint": "yes"}), "12"),
        (clause(price="10", multipliers="tag=x:0"), entry("1", tags=frozenset({"x"})), "0"),
    ],
)  # fmt: skip
def test_the_amount_of_one_entry(rule: ClauseRule, fact: EntryFact, points: str) -> None:
    assert price_line(rule, fact).points == Fraction(points)


def counted(rules: list[ClauseRule], entries: list[EntryFact]) -> dict[str, tuple[str, bool]]:
    lines = count_lines(entries, {rule.code: rule for rule in rules})
    return {line.entry.no: (str(line.points), line.is_counted) for line in lines}


def test_of_one_work_the_highest_counts_and_ties_go_to_the_earliest() -> None:
    rules = [
        clause("A", price="3", duplicates="highest_only"),
        clause("B", price="12", duplicates="highest_only"),
        clause("D", price="3"),
    ]
    entries = [
        entry("1", code="A", work_key="w"), entry("2", code="B", work_key="w"), entry("3", code="D", work_key="w"),
        entry("4", code="A", work_key="v", day=2), entry("5", code="A", work_key="v", day=2), entry("6", code="A"), entry("7", code="A"),
    ]  # fmt: skip

    assert counted(rules, entries) == {
        "1": ("0", False), "2": ("12", True), "3": ("3", True), "4": ("3", True), "5": ("0", False),
        "6": ("3", True), "7": ("3", True),
    }  # fmt: skip


def test_an_award_and_a_deduction_of_one_work_are_no_rivals() -> None:
    rules = [
        clause("A", price="3", duplicates="highest_only"),
        clause("B", "deduction", price="1", duplicates="highest_only"),
    ]

    found = counted(rules, [entry("1", code="A", work_key="w"), entry("2", code="B", work_key="w")])

    assert found == {"1": ("3", True), "2": ("-1", True)}


@pytest.mark.parametrize(
    ("cap", "expected"),
    [
        ("2.5", ["1", "1", "1/2", "0"]),
        ("1/work", ["1", "0", "1", "1"]),
        ("2;1/work", ["1", "0", "1", "0"]),
        ("0", ["0", "0", "0", "0"]),
    ],
)
def test_caps_are_filled_in_order_and_what_is_cut_still_counts(cap: str, expected: list[str]) -> None:
    entries = [entry("1", work_key="w"), entry("2", work_key="w"), entry("3", work_key="v"), entry("4")]

    lines = count_lines(entries, {"C": clause(cap=cap)})

    assert [str(line.points) for line in lines] == expected
    assert all(line.is_counted for line in lines)
    assert tally_lines(lines).count == 4


def test_a_negative_measure_makes_room_under_a_cap() -> None:
    rule = clause(pricing="measure", price=None, effect="measure", cap="2")
    values = ["-3", "4.9", "1"]
    entries = [entry(str(index), value=Decimal(value)) for index, value in enumerate(values)]

    assert [str(line.points) for line in count_lines(entries, {"C": rule})] == ["-3", "49/10", "1/10"]


def test_the_order_is_day_then_number_as_text() -> None:
    entries = [entry("9", day=2), entry("10", day=2), entry("A", day=1)]

    assert [line.entry.no for line in count_lines(entries, {"C": clause()})] == ["A", "10", "9"]


def test_what_is_cut_says_why() -> None:
    lines = count_lines([entry("1"), entry("2")], {"C": clause(cap="1.5")})

    assert [line.reason is None for line in lines] == [True, False]


facts = st.lists(
    st.tuples(st.integers(1, 28), st.sampled_from(["", "u", "v", "w"]), st.sampled_from("ABCD"), st.integers(1, 30)),
    max_size=25,
)
RULES = {
    "A": clause("A", price="1.5", cap="6;2/work"),
    "B": clause("B", price="3", duplicates="highest_only", multipliers="joint=yes:0.5"),
    "C": clause("C", "deduction", "range", None),
    "D": clause("D", price="2", duplicates="highest_only"),
}


@given(facts, st.integers())
def test_the_order_in_which_entries_arrive_does_not_matter(rows: list[tuple[int, str, str, int]], seed: int) -> None:
    entries = [
        entry(
            f"{index:03d}", code=code, day=day, work_key=work, points=Decimal(amount) / 10, quantity=Decimal(amount) / 4
        )
        for index, (day, work, code, amount) in enumerate(rows)
    ]
    shuffled = random.Random(seed).sample(entries, len(entries))

    assert tally_lines(count_lines(entries, RULES)) == tally_lines(count_lines(shuffled, RULES))


@given(facts)
def test_caps_hold_and_a_later_entry_never_changes_an_earlier_capped_line(
    rows: list[tuple[int, str, str, int]],
) -> None:
    entries = sorted(
        (entry(f"{index:03d}", code="A", day=day, work_key=work) for index, (day, work, _, _) in enumerate(rows)),
        key=lambda it: (it.occurred_on, it.no),
    )
    whole = count_lines(entries, RULES)

    assert sum((line.points for line in whole), Fraction(0)) <= 6
    assert count_lines(entries[:-1], RULES) == whole[: max(0, len(entries) - 1)]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5000)), max_size=20),
    st.sampled_from(["fixed", "range", "given", "measure"]),
)
def test_sums_of_the_database_equal_the_lines_counted_one_by_one(rows: list[tuple[int, int]], pricing: str) -> None:
    rule = clause(pricing=pricing, price="0.125", effect="measure" if pricing == "measure" else "deduction")
    entries = [
        entry(f"{index:03d}", quantity=Decimal(quantity), points=Decimal(amount) / 1000, value=Decimal(amount) / 10000)
        for index, (quantity, amount) in enumerate(rows)
    ]
    by_rows = tally_lines(count_lines(entries, {"C": rule}))
    total, count = Fraction(0), 0
    for quantity in {it.quantity for it in entries}:
        group = [it for it in entries if it.quantity == quantity]
        points, value = (
            sum(int((getattr(it, name) or 0) * scale) for it in group)
            for name, scale in (("points", 1000), ("value", 10000))
        )
        unit, numerator = plain_sum(rule)
        total += Fraction(numerator(len(group), points, value), unit) * Fraction(quantity)
        count += len(group)

    assert (total, count) == (by_rows.total, by_rows.count)


def windowed(pricing: str = "ladder", **more: Any) -> ClauseRule:
    ladder = read_ladder(more["ladder"]) if "ladder" in more else None
    every_n = read_every_n(more["every_n"]) if "every_n" in more else None
    rule = clause(pricing=pricing, price=more.get("price", "1"), multipliers=more.get("multipliers", ""))
    return replace(rule, ladder=ladder, every_n=every_n)


def on(no: str, day: str, work: str = "") -> EntryFact:
    return EntryFact(int(no, 36), no, date.fromisoformat(day), "C", work_key=work)


@pytest.mark.parametrize(
    ("rule", "facts", "points"),
    [
        # prices climb inside the window, the last repeats, a new window begins anew
        (
            windowed(ladder="1;5;15/month"),
            [on("1", "2026-03-01"), on("2", "2026-03-02"), on("3", "2026-03-03"), on("4", "2026-03-31"), on("5", "2026-04-01")],
            ["1", "5", "15", "15", "1"],
        ),
        (windowed(ladder="1;5/year"), [on("1", "2026-01-31"), on("2", "2026-12-31"), on("3", "2027-01-01")], ["1", "5", "1"]),
        (windowed(ladder="1;5/quarter"), [on("1", "2026-03-31"), on("2", "2026-04-01")], ["1", "1"]),
        # one day: in the order of the numbers as text
        (windowed(ladder="1;5/month"), [on("b", "2026-03-01"), on("a", "2026-03-01")], ["1", "5"]),
        # each n-th of one work; without work all are one
        (
            windowed("every_n", every_n="2/year", price="3"),
            [on("1", "2026-01-01", "w"), on("2", "2026-02-01", "v"), on("3", "2026-03-01", "w"), on("4", "2026-04-01", "w")],
            ["0", "0", "3", "0"],
        ),
        (windowed("every_n", every_n="3/month"), [on(str(n), "2026-01-05") for n in range(1, 7)], ["0", "0", "1", "0", "0", "1"]),
        # count_all looks at the whole window, count_past at the place in it
        (windowed("fixed", multipliers="count_all>=3/month:2"), [on(str(n), "2026-01-05") for n in (1, 2, 3)], ["2", "2", "2"]),
        (windowed("fixed", multipliers="count_all>3/month:2"), [on(str(n), "2026-01-05") for n in (1, 2, 3)], ["1", "1", "1"]),
        (windowed("fixed", multipliers="count_past>=2/month:2"), [on(str(n), "2026-01-05") for n in (1, 2, 3)], ["1", "2", "2"]),
        (windowed("fixed", multipliers="count_past>2/month:2"), [on(str(n), "2026-01-05") for n in (1, 2, 3)], ["1", "1", "2"]),
    ],
)  # fmt: skip
def test_what_counts_occurrences(rule: ClauseRule, facts: list[EntryFact], points: list[str]) -> None:
    lines = count_lines(facts, {"C": rule})

    assert [str(line.points) for line in lines] == points
    assert not rule.is_plain_sum


def test_a_window_may_begin_before_the_period() -> None:
    rule = windowed(ladder="1;5/year")
    january, march = on("1", "2026-01-05"), on("2", "2026-03-05")

    lines = count_lines([march], {"C": rule}, occurrences([january, march]))

    assert [line.points for line in lines] == [5]
