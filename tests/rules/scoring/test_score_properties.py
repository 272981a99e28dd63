"""docs/scoring.md sections 4 and 5: what holds of methods, branches, rollups and quotas, whatever the numbers."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.errors import RuleViolation
from app.rules.scoring.combine import (
    BRANCHES,
    Child,
    NotApplicable,
    Rollup,
    Sibling,
    combine,
    finish,
    roll_up,
    shift_of,
)
from app.rules.scoring.facts import Facts, Leaf
from app.rules.scoring.grades import GradeFacts, read_grade_rule, read_quota, year_grades
from app.rules.scoring.lines import Tally
from app.rules.scoring.methods import outcome_of

quick = settings(max_examples=60, deadline=None, derandomize=True)

scores = st.fractions(-200, 200, max_denominator=720)


@quick
@given(scores, st.none() | scores, st.none() | scores, st.none() | st.integers(0, 4))
def test_cap_and_floor_of_a_node_hold_and_its_score_is_within_half_a_step(
    value: F, cap: F | None, floor: F | None, places: int | None
) -> None:
    assume(cap is None or floor is None or floor <= cap)

    done = finish(value, cap=cap, floor=floor, places=places)

    assert cap is None or done.exact <= cap
    assert floor is None or done.exact >= floor
    assert done.exact in (value, cap, floor)
    assert done.score == done.exact if places is None else abs(done.score - done.exact) <= F(1, 2 * 10**places)
    assert finish(done.exact, cap=cap, floor=floor, places=places).exact == done.exact


@quick
@given(st.lists(st.tuples(scores, st.fractions(1, 100, max_denominator=4)), min_size=1, max_size=6))
def test_branches_combine_as_the_table_says(rows: list[tuple[F, F]]) -> None:
    children = [Child(str(at), score, weight) for at, (score, weight) in enumerate(rows)]
    parts, weights = [score for score, _ in rows], [weight for _, weight in rows]
    params = {"from": "100", "to": "5"}

    found = {key: combine(key, children, params).score for key in BRANCHES}

    weighted = sum((score * weight for score, weight in rows), F(0))
    assert found == {
        "sum": sum(parts), "weighted": weighted / 100, "weighted_mean": weighted / sum(weights),
        "mean": F(sum(parts)) / len(parts), "min": min(parts), "max": max(parts),
        "scale": F(sum(parts)) / 20,
    }  # fmt: skip
    # weight 0 is shown, not combined
    for key, score in found.items():
        assert combine(key, [*children, Child("z", F(999), F(0))], params).score == score


@quick
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([None, *NotApplicable])), max_size=6))
def test_what_is_spread_and_scaled_up_neither_loses_nor_makes_points(rows: list[tuple[int, Any]]) -> None:
    siblings = [
        Sibling(str(at), F(points), otherwise is None, otherwise or NotApplicable.LEFT_OUT)
        for at, (points, otherwise) in enumerate(rows)
    ]
    left = {kind: sum(points for points, otherwise in rows if otherwise is kind) for kind in (None, *NotApplicable)}

    shift = shift_of(siblings)

    spread, up = left[NotApplicable.SPREAD], left[NotApplicable.SCALE_UP]
    if left[None] and (spread or up):
        assert left[None] * shift.spread == left[None] + spread
        assert left[None] * shift.spread * shift.scale_up == left[None] + spread + up
        assert shift.takers == {it.code for it in siblings if it.applies}
    else:
        assert (shift.takers, shift.spread, shift.scale_up) == (frozenset(), 1, 1)


@quick
@given(st.lists(scores, max_size=12), st.sampled_from(Rollup))
def test_longer_periods_fold_the_scores_of_shorter_ones(parts: list[F], rollup: Rollup) -> None:
    found = roll_up(rollup, parts)

    if not parts or rollup is Rollup.NONE:
        assert found is None
    else:
        assert found is not None
        assert found * {"sum": 1, "mean": len(parts), "last": 1}[rollup] == (
            parts[-1] if rollup is Rollup.LAST else sum(parts)
        )


@quick
@given(scores, st.none() | st.fractions(-9, 99, max_denominator=12), st.fractions(1, 100, max_denominator=4))
def test_a_share_of_the_target_grows_with_the_value_and_full_marks_are_the_target_met(
    value: F, target: F | None, full: F
) -> None:
    if not target:
        with pytest.raises(RuleViolation):
            outcome_of("ratio", Leaf(full=full), Facts(value=value, target=target))
        return
    found = outcome_of("ratio", Leaf(full=full), Facts(value=value, target=target)).score
    assert found is not None

    assert found * target == value * full
    missing = max(target - value, F(0))
    gap = outcome_of("gap", Leaf(full=full, params={"price": "2", "per": "5"}), Facts(value=value, target=target))
    assert gap.score == full - 2 * missing / 5


@quick
@given(st.lists(scores, min_size=1, max_size=8))
def test_the_best_of_a_group_has_full_marks_and_nobody_more(values: list[F]) -> None:
    shares = [outcome_of("best_share", Leaf(full=F(40)), Facts(value=it, peers=values)).score for it in values]
    places = [
        outcome_of("place", Leaf(full=F(40), floor=F(0), params={"step": "7"}), Facts(value=it, peers=values)).score
        for it in values
    ]

    assert shares[values.index(max(values))] == (40 if max(values) > 0 else 0)
    assert all(it is not None and it <= 40 for it in shares)
    assert places == [max(F(40 - 7 * sum(other > it for other in values)), F(0)) for it in values]


@quick
@given(st.lists(st.tuples(scores, st.integers(1, 31)), min_size=1, max_size=6))
def test_what_is_linked_lies_between_the_lowest_and_the_highest(linked: list[tuple[F, int]]) -> None:
    def found(of: str) -> F:
        score = outcome_of("linked", Leaf(params={"source": "post", "of": of}), Facts(linked=linked)).score
        assert score is not None
        return score

    parts = [score for score, _ in linked]
    assert found("min") == min(parts) <= found("mean") <= max(parts)
    assert found("weighted") * sum(of for _, of in linked) == sum(score * of for score, of in linked)
    assert found("mean") * len(linked) == sum(parts)


@quick
@given(st.lists(scores, min_size=1, max_size=8), st.sampled_from(["last", "sum", "mean"]))
def test_marks_fold_as_their_name_says(parts: list[F], of: str) -> None:
    tally = Tally(sum(parts, F(0)), len(parts), tuple((it, F(1)) for it in parts))

    found = outcome_of("given", Leaf(params={"of": of}), Facts(tally)).score

    assert found == {"last": parts[-1], "sum": sum(parts), "mean": F(sum(parts)) / len(parts)}[of]
    assert outcome_of("award", Leaf(), Facts(tally)).score == sum(parts)
    assert outcome_of("balance", Leaf(base=F(60)), Facts(tally)).score == 60 + sum(parts)


@quick
@given(st.integers(0, 100), st.integers(0, 200))
def test_seats_of_a_quota_keep_to_their_percent(percent: int, people: int) -> None:
    exact = F(percent * people, 100)
    down, near, up = (read_quota(f"{percent}/{kind}").seats(people) for kind in ("floor", "round", "ceil"))

    assert down <= exact < down + 1
    assert up - 1 < exact <= up
    assert near == (down if exact - down < F(1, 2) else up)


@quick
@given(st.lists(st.integers(40, 100), max_size=12), st.integers(0, 100))
def test_a_quota_leaves_no_more_than_its_seats_and_the_highest_totals(totals: list[int], percent: int) -> None:
    rules = [
        read_grade_rule("good", "band", "total>=60", ""), read_grade_rule("fair", "band", "total>=0", ""),
        read_grade_rule("good", "quota", "", f"{percent}/floor"),
    ]  # fmt: skip
    facts = [GradeFacts(str(at), "g", F(it), F(it), (at,)) for at, it in enumerate(totals)]

    found = year_grades(rules, facts)

    good = [totals[at] for at in range(len(totals)) if found[str(at)] == "good"]
    able = sorted((it for it in totals if it >= 60), reverse=True)
    assert sorted(good, reverse=True) == able[: percent * len(totals) // 100]
