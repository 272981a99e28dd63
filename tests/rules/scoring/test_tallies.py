"""docs/scoring.md sections 3 and 4: what a leaf takes from its counted lines, and what a line keeps."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import pytest

from app.rules.grammar import Window, read_clause_cap, read_every_n, read_ladder, read_multipliers
from app.rules.scoring.lines import (
    Ballots,
    ClauseRule,
    Duplicates,
    Effect,
    EntryFact,
    Line,
    Occurrence,
    Pricing,
    Tally,
    count_lines,
    occurrences,
    plain_sum,
    price_line,
    tally_lines,
    window_of,
)


def clause(effect: str = "award", pricing: str = "fixed", price: str | None = "1", **more: Any) -> ClauseRule:
    return ClauseRule(
        more.pop("code", "C"), "I", Effect(effect), Pricing(pricing), None if price is None else Decimal(price), **more
    )


def entry(number: int, day: str = "2026-03-01", **more: Any) -> EntryFact:
    return EntryFact(number, f"{number:03d}", date.fromisoformat(day), more.pop("clause", "C"), **more)


BALLOT = clause("measure", "measure", None)


def ballot(number: int, value: str, **attrs: str) -> EntryFact:
    return entry(number, value=Decimal(value), attrs=attrs)


def test_a_tally_holds_sum_number_marks_and_ballots_of_what_counted() -> None:
    entries = [
        ballot(1, "3", voter="staff", question="work", grade="good"),
        ballot(2, "2", grade="fair"),
        entry(3, value=Decimal("1.5"), quantity=Decimal(2)),
    ]

    found = tally_lines(count_lines(entries, {"C": BALLOT}))

    assert found == Tally(
        F(8),
        3,
        ((F(3), F(1)), (F(2), F(1)), (F(3), F(2))),
        (Ballots("staff", "work", "good", F(3)), Ballots("", "", "fair", F(2))),
    )


def test_what_does_not_count_is_in_no_tally() -> None:
    rule = clause("measure", "measure", None, duplicates=Duplicates.HIGHEST_ONLY)
    entries = [
        entry(1, value=Decimal(3), work_key="w", attrs={"grade": "good"}),
        entry(2, value=Decimal(5), work_key="w", attrs={"grade": "fair"}),
    ]

    lines = count_lines(entries, {"C": rule})

    assert tally_lines(lines) == Tally(F(5), 1, ((F(5), F(1)),), (Ballots("", "", "fair", F(5)),))
    assert [line.is_counted for line in lines] == [False, True]
    assert [str(line.reason) for line in lines] == ["The same work counts once, at its highest: entry 002.", "None"]
    assert (lines[0].points, lines[0].amount) == (0, 3)


def test_two_tallies_add_up_part_by_part() -> None:
    one = Tally(F(1), 1, ((F(1), F(2)),), (Ballots("a", "", "x", F(1)),))
    two = Tally(F(-3), 2, ((F(3), F(4)),), (Ballots("b", "", "y", F(2)),))

    assert one.plus(two) == Tally(
        F(-2), 3, ((F(1), F(2)), (F(3), F(4))), (Ballots("a", "", "x", F(1)), Ballots("b", "", "y", F(2)))
    )
    assert Tally().plus(one) == one


def test_a_line_keeps_price_factor_amount_and_the_share_of_its_subject() -> None:
    rule = clause("deduction", price="1.5", multipliers=read_multipliers("joint=yes:0.5;tag=large:3"))
    fact = entry(1, quantity=Decimal(4), attrs={"joint": "yes"}, tags=frozenset({"large"}), share=F(2, 5))

    assert price_line(rule, fact) == Line(fact, rule, F(3, 2), F(3, 2), F(9), F(-18, 5))


@pytest.mark.parametrize(
    ("rule", "fact", "points"),
    [
        # points and prices that are not there are 0
        (clause(price=None), entry(1), "0"),
        (clause(pricing="range", price="5"), entry(1), "0"),
        (clause(pricing="range", price="5"), entry(1, points=Decimal("2.5"), value=Decimal(9)), "2.5"),
        (clause(pricing="given", price="5"), entry(1, points=Decimal(3), value=Decimal(9)), "3"),
        (clause("measure", "measure", "5"), entry(1, points=Decimal(3), value=Decimal(9)), "9"),
        (clause(pricing="every_n", every_n=read_every_n("1/year")), entry(1), "1"),
        (clause(pricing="every_n", price=None, every_n=read_every_n("1/year")), entry(1), "0"),
        (clause(pricing="ladder", price=None, ladder=read_ladder("7;9/year")), entry(1), "7"),
        # an entry without numbered occurrences is the only one
        (clause(multipliers=read_multipliers("count_all>=1/year:2;count_past>1/month:5")), entry(1), "2"),
    ],
)
def test_the_points_of_a_single_entry(rule: ClauseRule, fact: EntryFact, points: str) -> None:
    assert price_line(rule, fact).points == F(points)


@pytest.mark.parametrize(
    ("text", "attrs", "factor"),
    [
        ("count_all>=8/year:2", {}, "1"),
        ("count_all>=7/year:2", {}, "2"),
        ("count_all>7/year:2", {}, "1"),
        ("count_all>6/year:2", {}, "2"),
        ("count_past>=4/quarter:2", {}, "1"),
        ("count_past>=3/quarter:2", {}, "2"),
        ("count_past>3/quarter:2", {}, "1"),
        ("count_past>2/quarter:2", {}, "2"),
        ("count_past>2/month:2", {}, "1"),
        ("joint=yes&count_all>=7/year:3", {}, "1"),
        ("joint=yes&count_all>=7/year:3", {"joint": "yes"}, "3"),
        ("joint=yes:0.5;joint=yes:0.5", {"joint": "yes"}, "0.25"),
    ],
)
def test_the_factor_of_the_third_of_seven(text: str, attrs: dict[str, str], factor: str) -> None:
    all_of = {Window.MONTH: [""] * 2, Window.QUARTER: [""] * 4, Window.YEAR: [""] * 7}
    at = Occurrence({Window.MONTH: 2, Window.QUARTER: 3, Window.YEAR: 3}, all_of, {})

    assert price_line(clause(multipliers=read_multipliers(text)), entry(1, attrs=attrs), at).factor == F(factor)


@pytest.mark.parametrize(
    ("day", "month", "quarter"),
    [("2026-01-31", 1, 1), ("2026-03-01", 3, 1), ("2026-04-01", 4, 2), ("2026-09-30", 9, 3), ("2026-12-31", 12, 4)],
)
def test_a_window_is_the_calendar_window_around_the_day(day: str, month: int, quarter: int) -> None:
    at = date.fromisoformat(day)

    assert [window_of(at, window) for window in Window] == [(2026, month), (2026, quarter), (2026, 0)]


def test_occurrences_are_the_own_entries_of_one_clause_in_the_window() -> None:
    entries = [
        entry(1, "2026-01-10", work_key="w"),
        entry(2, "2026-02-10"),
        entry(3, "2026-02-11", work_key="w"),
        entry(4, "2026-04-01", work_key="w"),
        entry(5, "2026-02-12", clause="D"),
        entry(6, "2026-02-13", fact=99),
        entry(7, "2027-01-10", work_key="w"),
    ]

    found = occurrences(reversed(entries))

    assert set(found) == {1, 2, 3, 4, 5, 7}
    month, quarter, year = Window.MONTH, Window.QUARTER, Window.YEAR
    assert numbers(found[3]) == (
        {month: 2, quarter: 3, year: 3}, {month: 2, quarter: 3, year: 4}, {month: 1, quarter: 2, year: 2}
    )  # fmt: skip
    assert numbers(found[4]) == (
        {month: 1, quarter: 1, year: 4}, {month: 1, quarter: 1, year: 4}, {month: 1, quarter: 1, year: 3}
    )  # fmt: skip
    assert numbers(found[5]) == numbers(found[7]) == ({month: 1, quarter: 1, year: 1},) * 3


def numbers(at: Occurrence) -> tuple[dict[Window, int], ...]:
    return dict(at.number), {window: at.all_of(window, "") for window in Window}, dict(at.of_work)


def test_what_counts_later_is_numbered_after_what_counts_before_it_whatever_its_day() -> None:
    """A late fact of February counts in March: the ladder of published February stands."""
    entries = [
        entry(1, "2026-02-20", month="2026-02"), entry(2, "2026-02-10", month="2026-03"),
        entry(3, "2026-03-01", month="2026-03"),
    ]  # fmt: skip

    found = occurrences(entries)

    assert [found[pk].number[Window.YEAR] for pk in (1, 2, 3)] == [1, 2, 3]
    assert [found[pk].all_of(Window.YEAR, "2026-02") for pk in (1, 2, 3)] == [1, 1, 1]
    assert [found[pk].all_of(Window.YEAR, "2026-03") for pk in (1, 2, 3)] == [3, 3, 3]


def test_a_shared_entry_stands_at_the_occurrence_of_its_fact() -> None:
    rule = clause(pricing="ladder", ladder=read_ladder("1;5;9/year"))
    own = [entry(1, "2026-01-05"), entry(2, "2026-01-06"), entry(3, "2026-01-07")]
    derived = entry(8, "2026-01-07", fact=3, share=F(1, 2))

    assert [line.points for line in count_lines([derived], {"C": rule}, occurrences(own))] == [F(9, 2)]
    assert [line.points for line in count_lines([derived], {"C": rule})] == [F(1, 2)]


def test_caps_of_one_work_and_of_two_clauses_are_filled_apart_and_say_which_was_reached() -> None:
    rules = {
        "C": clause("deduction", cap=read_clause_cap("2.5;1.5/work")),
        "D": clause("award", code="D", cap=read_clause_cap("2")),
    }
    entries = [
        entry(1, work_key="w"), entry(2, work_key="w", clause="D"), entry(3, work_key="w"), entry(4, work_key="v"),
        entry(5, clause="D", quantity=Decimal("1.5")), entry(6), entry(7, work_key="w"),
    ]  # fmt: skip

    lines = count_lines(entries, rules)

    work, whole = "The cap of the clause for one work is reached.", "The cap of the clause is reached."
    assert [(str(line.points), str(line.reason)) for line in lines] == [
        ("-1", "None"), ("1", "None"), ("-1/2", work), ("-1", "None"), ("1", whole), ("0", whole), ("0", work),
    ]  # fmt: skip


def test_a_share_is_taken_before_the_cap_and_a_dropped_line_leaves_its_room() -> None:
    rule = clause(price=None, pricing="given", cap=read_clause_cap("4"), duplicates=Duplicates.HIGHEST_ONLY)
    entries = [
        entry(1, points=Decimal(3), work_key="w"),
        entry(2, points=Decimal(6), work_key="w", share=F(1, 2)),
        entry(3, points=Decimal(9)),
    ]

    assert [line.points for line in count_lines(entries, {"C": rule})] == [0, 3, 1]


@pytest.mark.parametrize(
    ("rule", "numbers", "total"),
    [
        (clause(price="0.5"), (3, 9000, 90000), "1.5"),
        (clause("deduction", price="0.5"), (3, 9000, 90000), "-1.5"),
        (clause(price=None), (3, 9000, 90000), "0"),
        (clause(pricing="given"), (3, 7001, 90000), "7.001"),
        (clause("deduction", "range"), (3, 7001, 90000), "-7.001"),
        (clause("measure", "measure"), (3, 7000, 90001), "9.0001"),
    ],
)
def test_sums_of_a_plain_clause(rule: ClauseRule, numbers: tuple[int, int, int], total: str) -> None:
    unit, numerator = plain_sum(rule)

    assert F(numerator(*numbers), unit) == F(total)


@pytest.mark.parametrize(
    ("more", "is_plain"),
    [
        ({}, True),
        ({"duplicates": Duplicates.ALWAYS_ADDED}, True),
        ({"duplicates": Duplicates.HIGHEST_ONLY}, False),
        ({"multipliers": read_multipliers("joint=yes:2")}, False),
        ({"cap": read_clause_cap("2")}, False),
        ({"cap": read_clause_cap("1/work")}, False),
        ({"pricing": "ladder", "ladder": read_ladder("1;2/year")}, False),
        ({"pricing": "every_n", "every_n": read_every_n("2/year")}, False),
    ],
)
def test_entries_are_summed_only_where_no_line_depends_on_another(more: dict[str, Any], is_plain: bool) -> None:
    assert clause(**more).is_plain_sum is is_plain


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({}, False),
        ({"multipliers": read_multipliers("joint=yes:2")}, False),
        ({"multipliers": read_multipliers("joint=yes:2;joint=yes&count_all>=2/year:2")}, True),
        ({"pricing": "ladder"}, True),
        ({"pricing": "every_n"}, True),
    ],
)
def test_occurrences_are_asked_for_only_where_they_matter(more: dict[str, Any], counts: bool) -> None:
    assert clause(**more).counts_occurrences is counts
