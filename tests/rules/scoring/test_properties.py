"""docs/scoring.md sections 1 to 5: what holds whatever is registered, over the whole catalogue of the rules."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction as F
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.grammar import read_clause_cap, read_every_n, read_ladder, read_multipliers
from app.rules.numbers import comparable, plain, round_half_up
from app.rules.periods import Period, Span, counting_month
from app.rules.scoring.apportionment import apportion, read_shares
from app.rules.scoring.combine import finish
from app.rules.scoring.facts import Facts, Leaf
from app.rules.scoring.formulas import in_order, place_among
from app.rules.scoring.lines import (
    ClauseRule,
    Duplicates,
    Effect,
    EntryFact,
    Line,
    Pricing,
    count_lines,
    occurrences,
    tally_lines,
)
from app.rules.scoring.methods import outcome_of
from app.rules.scoring.ranking import competition_ranks, percentage
from app.rules.scoring.scheme import limits_of

quick = settings(max_examples=60, deadline=None, derandomize=True)

CAPS = ["", "0", "2", "1/work", "4.5;1.5/work"]
MULTIPLIERS = ["", "joint=yes:0.5", "tag=large&count_all>=3/quarter:2", "count_past>2/year:3;group=g:0"]

signed = st.decimals(-50, 50, places=3)
positive = st.decimals(0, 50, places=3)
scores = st.fractions(-200, 200, max_denominator=720)
days = st.dates(date(2025, 12, 1), date(2026, 12, 31))


@st.composite
def clauses(draw: st.DrawFn, code: str) -> ClauseRule:
    """Any clause of the catalogue: every pricing with an effect it may have, factors, duplicates and caps."""
    pricing = draw(st.sampled_from(Pricing))
    effects = [Effect.MEASURE] if pricing is Pricing.MEASURE else [Effect.AWARD, Effect.DEDUCTION]
    return ClauseRule(
        code, "I", draw(st.sampled_from(effects)), pricing, draw(positive),
        read_multipliers(draw(st.sampled_from(MULTIPLIERS))), draw(st.sampled_from(Duplicates)),
        read_clause_cap(draw(st.sampled_from(CAPS))),
        read_ladder("1;5;15/quarter") if pricing is Pricing.LADDER else None,
        read_every_n("2/year") if pricing is Pricing.EVERY_N else None,
    )  # fmt: skip


@st.composite
def books(draw: st.DrawFn) -> tuple[dict[str, ClauseRule], list[EntryFact]]:
    """The entries of one subject and leaf, under three clauses."""
    rules = {code: draw(clauses(code)) for code in "ABC"}
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from("ABC"), days, positive, signed, st.sampled_from(["", "v", "w"])), max_size=12
        )
    )
    attrs = draw(st.sampled_from([{}, {"joint": "yes"}]))
    tags = draw(st.sampled_from([frozenset[str](), frozenset({"large"})]))
    return rules, [
        EntryFact(
            number, f"{number:02d}", day, code, Decimal(1 + number % 3), points, value, work, attrs,
            draw(st.sampled_from("gh")), tags, F(100 - number, 100),
        )
        for number, (code, day, points, value, work) in enumerate(rows)
    ]  # fmt: skip


Book = tuple[dict[str, ClauseRule], list[EntryFact]]


@quick
@given(books())
def test_the_points_of_the_lines_that_count_add_up_to_the_tally(book: Book) -> None:
    lines = count_lines(book[1], book[0])
    counted = [line for line in lines if line.is_counted]

    found = tally_lines(lines)

    assert found.total == sum(line.points for line in lines) == sum(line.points for line in counted)
    assert found.count == len(found.marks) == len(counted)
    assert all(line.points == 0 and line.reason is not None for line in lines if not line.is_counted)


@quick
@given(books())
def test_every_entry_ends_as_one_line_in_the_order_of_day_and_number(book: Book) -> None:
    lines = count_lines(book[1], book[0])

    assert [line.entry for line in lines] == sorted(book[1], key=lambda it: (it.occurred_on, it.no))


@quick
@given(books(), st.randoms(use_true_random=False))
def test_lines_do_not_depend_on_the_order_in_which_entries_come(book: Book, order: random.Random) -> None:
    shuffled = list(book[1])
    order.shuffle(shuffled)

    assert count_lines(shuffled, book[0]) == count_lines(book[1], book[0])


@quick
@given(books())
def test_the_running_sum_of_a_clause_and_of_a_work_never_exceeds_its_cap(book: Book) -> None:
    sums: dict[tuple[str, str | None], F] = defaultdict(F)
    for line in count_lines(book[1], book[0]):
        cap, work = line.clause.cap, line.entry.work_key
        size = -line.points if line.clause.effect is Effect.DEDUCTION else line.points
        sums[line.clause.code, None] += size
        sums[line.clause.code, work] += size
        assert cap.total is None or sums[line.clause.code, None] <= F(cap.total)
        assert cap.per_work is None or not work or sums[line.clause.code, work] <= F(cap.per_work)


@quick
@given(books())
def test_only_what_crosses_a_cap_is_cut_and_never_below_zero_unless_it_is_a_measure(book: Book) -> None:
    for line in count_lines(book[1], book[0]):
        sign = -1 if line.clause.effect is Effect.DEDUCTION else 1
        whole = line.amount * line.entry.share
        assert line.reason is not None or sign * line.points == whole
        assert sign * line.points <= max(whole, F(0))
        assert line.clause.effect is Effect.MEASURE or sign * line.points >= 0


@quick
@given(books())
def test_of_one_work_and_effect_exactly_one_highest_only_entry_counts_and_it_is_the_largest(book: Book) -> None:
    rivals: dict[tuple[str, Effect], list[Line]] = defaultdict(list)
    for line in count_lines(book[1], book[0]):
        if line.clause.duplicates is Duplicates.HIGHEST_ONLY and line.entry.work_key:
            rivals[line.entry.work_key, line.clause.effect].append(line)
        else:
            assert line.is_counted
    for lines in rivals.values():
        (kept,) = (line for line in lines if line.is_counted)
        first = next(line for line in lines if line.amount == max(it.amount for it in lines))
        assert kept is first


@quick
@given(st.decimals(0, 300, places=3), st.lists(positive, max_size=8), st.booleans())
def test_a_score_and_its_deductions_make_up_full_marks_unless_floored(
    full: Decimal, deductions: list[Decimal], is_floored: bool
) -> None:
    rule = ClauseRule("C", "I", Effect.DEDUCTION, Pricing.GIVEN)
    entries = [EntryFact(at, f"{at:02d}", date(2026, 3, 1), "C", points=it) for at, it in enumerate(deductions)]
    tally = tally_lines(count_lines(entries, {"C": rule}))
    outcome = outcome_of("deduct", Leaf(full=F(full)), Facts(tally))
    cap, floor = limits_of("deduct", "", "" if is_floored else "none", full)
    assert outcome.score is not None

    done = finish(outcome.score, cap=cap, floor=floor, places=None).exact

    lost = sum((F(it) for it in deductions), F(0))
    assert done + lost == full if lost <= full or not is_floored else done == 0


@quick
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=10), st.fractions(-1, 1, max_denominator=10**6))
def test_ties_share_a_rank_and_the_next_rank_leaves_them_room(points: list[int], offset: F) -> None:
    totals = {str(at): it + offset for at, it in enumerate(points)}

    ranks = competition_ranks(totals)

    # 1, 2, 2, 4: sorted, a rank is either that of the one before, for the same total, or the place itself
    ordered = sorted(totals, key=lambda code: -totals[code])
    for place, code in enumerate(ordered, start=1):
        is_tied = place > 1 and totals[code] == totals[ordered[place - 2]]
        assert ranks[code] == (ranks[ordered[place - 2]] if is_tied else place)
    values = list(totals.values())
    assert {code: place_among(total, in_order(values)) for code, total in totals.items()} == ranks
    lowest = {code: place_among(-total, in_order(-it for it in values), "asc") for code, total in totals.items()}
    assert lowest == ranks


@quick
@given(scores, st.integers(-499, 499))
def test_totals_that_agree_to_twelve_decimals_share_a_rank(total: F, step: int) -> None:
    printed = round_half_up(total, 12)

    assert competition_ranks({"a": printed, "b": printed + F(step, 10**15)}) == {"a": 1, "b": 1}


@quick
@given(
    st.dictionaries(st.sampled_from(["self", "unit", "leader", "responsible", "handler"]), st.integers(0, 100)),
    st.none() | st.integers(0, 100),
    st.dictionaries(
        st.sampled_from(["unit", "leader", "responsible", "handler", "assist"]),
        st.lists(st.sampled_from(["01", "02", "03", "04"]), max_size=4),
    ),
)
def test_each_subject_has_one_part_and_the_largest_it_was_named_for(
    shares: dict[str, int], divided: int | None, parties: dict[str, list[str]]
) -> None:
    text = ";".join(f"{name}={percent}" for name, percent in shares.items())
    text += "" if divided is None else f";assist={divided}/n"
    due: dict[str, list[F]] = defaultdict(list, {"01": [F(shares.get("self", 100))]})
    for name, codes in parties.items():
        for code in codes:
            if name in shares:
                due[code].append(F(shares[name]))
            if name == "assist" and divided is not None:
                due[code].append(F(divided, len(set(codes))))

    mine, others = apportion(read_shares(text), "01", parties)

    assert mine.subject == "01"
    assert [it.subject for it in others] == sorted(set(due) - {"01"})
    assert {it.subject: it.size for it in (mine, *others)} == {code: max(sizes) for code, sizes in due.items()}


@quick
@given(books(), st.lists(st.tuples(st.sampled_from("ABC"), days, positive, signed), max_size=6))
def test_what_comes_late_never_changes_the_lines_of_a_closed_month(
    book: tuple[dict[str, ClauseRule], list[EntryFact]], late: list[tuple[str, date, Decimal, Decimal]]
) -> None:
    """Whatever its day, a fact that counts in a later month leaves every line of a closed one as it was."""
    rules, entries = book
    closed = "2026-06"
    before = [replace(it, month=f"{it.occurred_on:%Y-%m}") for it in entries if f"{it.occurred_on:%Y-%m}" <= closed]
    more = [
        EntryFact(900 + index, f"z{index}", day, code, points=points, value=value, month="2026-07")
        for index, (code, day, points, value) in enumerate(late)
    ]

    def lines(facts: list[EntryFact], month: str) -> list[tuple[F, F, bool]]:
        here = [it for it in facts if it.month == month]
        return [(it.amount, it.points, it.is_counted) for it in count_lines(here, rules, occurrences(facts), month)]

    for month in {it.month for it in before}:
        assert lines([*before, *more], month) == lines(before, month)


@quick
@given(days, st.sets(st.integers(0, 14), max_size=12))
def test_a_fact_counts_in_the_first_open_month_from_its_own_on(day: date, shut: set[int]) -> None:
    months = [Period(2025, 12, 1).shifted(step) for step in range(30)]
    closed = {str(months[step]) for step in shut}

    found = counting_month(day, closed)

    assert str(found) not in closed
    assert (found.year, found.first_month) >= (day.year, day.month)
    skipped = [
        it for it in months if (day.year, day.month) <= (it.year, it.first_month) < (found.year, found.first_month)
    ]
    assert {str(it) for it in skipped} <= closed


@quick
@given(days, st.sampled_from(Span), st.sampled_from(Span), st.integers(-30, 30))
def test_periods_tile_the_calendar(day: date, outer: Span, inner: Span, steps: int) -> None:
    whole = Period.month_of(day).of_span(outer)

    assert whole.first_day <= day <= whole.last_day
    assert whole.shifted(1).first_day == whole.last_day + timedelta(days=1)
    assert whole.shifted(steps).shifted(-steps) == whole == Period.parse(str(whole))
    parts = whole.parts(inner, on=date.max)
    assert [it.span for it in parts] == [inner] * len(parts)
    if parts:
        assert (parts[0].first_day, parts[-1].last_day) == (whole.first_day, whole.last_day)
        assert all(one.shifted(1) == two for one, two in pairwise(parts))
    assert whole.parts(inner, on=day) == tuple(it for it in parts if it.first_day <= day)


@quick
@given(st.decimals(-(10**6), 10**6, places=5), st.integers(0, 5))
def test_rounding_is_half_up_away_from_zero(value: Decimal, places: int) -> None:
    with localcontext() as context:
        context.prec = 40
        expected = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)

    assert round_half_up(value, places) == F(expected)
    assert plain(value, places) == (f"{expected:f}" if expected else f"{abs(expected):f}")


@quick
@given(st.integers(-(10**5), 10**5), st.integers(0, 4))
def test_a_half_goes_away_from_zero_on_both_sides(steps: int, places: int) -> None:
    half = F(2 * abs(steps) + 1, 2 * 10**places)

    assert round_half_up(half, places) == F(abs(steps) + 1, 10**places)
    assert round_half_up(-half, places) == -F(abs(steps) + 1, 10**places)


@quick
@given(scores, st.integers(0, 12))
def test_rounding_is_symmetric_keeps_order_and_agrees_with_comparing(value: F, places: int) -> None:
    found = round_half_up(value, places)

    assert round_half_up(-value, places) == -found
    assert round_half_up(found, places) == found
    assert round_half_up(comparable(value), places) == found
    assert round_half_up(value + F(1, 3), places) >= found


@quick
@given(st.integers(0, 300), st.integers(1, 300))
def test_a_part_and_the_rest_make_up_a_hundred_percent(part: int, more: int) -> None:
    whole = part + more
    one, two = percentage(part, whole), percentage(more, whole)
    assert one is not None
    assert two is not None

    assert abs(one + two - 100) <= F(1, 100)
    assert abs(one - F(100 * part, whole)) <= F(1, 200)
