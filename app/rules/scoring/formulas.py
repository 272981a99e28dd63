"""How a leaf turns what was registered into scores, and one score into words: two functions for each method.

A cohort is computed as columns (docs/scoring.md section 4); the sentence is made of the numbers of one subject when
somebody reads it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor

from app.errors import N_, Message
from app.rules.grammar import BandRow, read_rows
from app.rules.numbers import comparable, plain
from app.rules.scoring.columns import Column, column_of
from app.rules.scoring.facts import NOTHING, ZERO, Facts, Inputs, Leaf


def score_deduct(leaf: Leaf, inputs: Inputs) -> Column:
    """Full marks − Σ deductions."""
    return inputs.sums.plus(leaf.full)


def tell_deduct(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    return N_(
        "Full marks %(full)s − deductions %(sum)s = %(score)s", full=leaf.full, sum=-facts.tally.total, score=score
    )


def score_award(_leaf: Leaf, inputs: Inputs) -> Column:
    """Σ awards − Σ deductions; 0 without entries."""
    return inputs.sums


def tell_award(_leaf: Leaf, _facts: Facts, score: Fraction | None) -> Message:
    return N_("Awards − deductions = %(score)s", score=score)


def score_balance(leaf: Leaf, inputs: Inputs) -> Column:
    """Base + Σ awards − Σ deductions."""
    return inputs.sums.plus(leaf.base)


def tell_balance(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    return N_(
        "Base %(base)s + awards and deductions %(sum)s = %(score)s", base=leaf.base, sum=facts.tally.total, score=score
    )


def score_given(leaf: Leaf, inputs: Inputs) -> Column:
    """The registered mark(s), folded by `of`; an external score for the period is the only mark."""
    marks = FOLDS[leaf.params.get("of", "last")](inputs)
    return marks.with_rows(
        {
            index: external.score
            for index, external in enumerate(inputs.externals)
            if external is not None and external.score is not None
        }
    )


def tell_given(_leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    if facts.external is not None and facts.external.score is not None:
        return N_("External result %(score)s", score=score)
    if score is None:
        return NOTHING.formula
    return N_("Registered marks: %(count)s → %(score)s", count=facts.tally.count, score=score)


def _last(inputs: Inputs) -> Column:
    return column_of([tally.marks[-1][0] if tally.marks else None for tally in inputs.tallies])


def _total(inputs: Inputs) -> Column:
    return inputs.sums.without(index for index, count in enumerate(inputs.counts) if not count)


def _mean(inputs: Inputs) -> Column:
    return inputs.sums.divided([count or None for count in inputs.counts])


def _weighted(inputs: Inputs) -> Column:
    return inputs.sums.divided([value or None for value in inputs.quantities.values], inputs.quantities.unit)


FOLDS: Mapping[str, Callable[[Inputs], Column]] = {
    "last": _last, "sum": _total, "mean": _mean, "weighted": _weighted,
}  # fmt: skip


def score_ratio(leaf: Leaf, inputs: Inputs) -> Column:
    """Value ÷ target × full; a missing or zero target is a named error, never 0."""
    return inputs.value.divided(inputs.target.values, inputs.target.unit).times(leaf.full)


def tell_ratio(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    return N_(
        "Value %(value)s ÷ target %(target)s × %(full)s = %(score)s",
        value=facts.value, target=facts.target, full=leaf.full, score=score,
    )  # fmt: skip


def score_bands(leaf: Leaf, inputs: Inputs) -> Column:
    """The score of the first row that holds; a row naming a node without score does not; no row: not assessed."""
    rows = read_rows(leaf.params["rows"])
    every = (inputs.at(index) for index in range(len(inputs.value.values)))
    found = [_band(leaf, rows, facts)[1] for facts in every]
    return column_of([None if band is None else Fraction(band.score) for band in found])


def tell_bands(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    value, band = _band(leaf, read_rows(leaf.params["rows"]), facts)
    if value is None:
        return NOTHING.formula
    if band is None:
        return N_("Value %(value)s: no row holds, not assessed", value=value)
    if band.condition is None:
        return N_("Value %(value)s: otherwise %(score)s", value=value, score=score)
    return N_(
        "Value %(value)s: %(name)s %(sign)s %(number)s gives %(score)s",
        value=value, name=band.condition.name, sign=band.condition.sign, number=band.condition.number, score=score,
    )  # fmt: skip


def _band(leaf: Leaf, rows: Sequence[BandRow], facts: Facts) -> tuple[Fraction | None, BandRow | None]:
    """The value as it is compared, and the first row that holds."""
    value = facts.value
    if value is None:
        return None, None
    if leaf.params.get("by") == "percent":
        value = value / (facts.target or 1) * 100
    for row in rows:
        if row.condition is None:
            return value, row
        found = value if row.condition.name == "value" else facts.named.get(row.condition.name)
        if found is not None and row.condition.holds(found):
            return value, row
    return value, None


def score_gap(leaf: Leaf, inputs: Inputs) -> Column:
    """Full − price × missing ÷ per; missing is what the value falls short of the target, never below 0."""
    return _missing(leaf, inputs).times(-leaf.number("price")).plus(leaf.full)


def _missing(leaf: Leaf, inputs: Inputs) -> Column:
    """What is missing, in units of `per`."""
    is_over = leaf.params.get("order") == "asc"
    value, target = inputs.value, inputs.target
    short = value.minus(target) if is_over else target.minus(value)
    units = short.at_least(ZERO)
    if "per" in leaf.params:
        units = units.times(1 / leaf.number("per"))
    whole = {"up": ceil, "down": floor}.get(leaf.params.get("round", ""))
    return units if whole is None else units.whole(whole)


def tell_gap(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    return N_(
        "Full marks %(full)s − %(price)s × %(units)s (value %(value)s, target %(target)s) = %(score)s",
        full=leaf.full, price=leaf.number("price"), units=_missing(leaf, Inputs.of(facts)).at(0), value=facts.value,
        target=facts.target, score=score,
    )  # fmt: skip


def score_linked(leaf: Leaf, inputs: Inputs) -> Column:
    """The scores of linked units: their mean, the mean by the days they were linked, or the lowest."""
    of = _of_linked(leaf)
    return column_of([_fold_linked(of, linked) for linked in inputs.linked])


def _of_linked(leaf: Leaf) -> str:
    return leaf.params.get("of") or ("weighted" if leaf.params["source"] == "post" else "mean")


def _fold_linked(of: str, linked: Sequence[tuple[Fraction, int]]) -> Fraction | None:
    if not linked:
        return None
    scores = [score for score, _ in linked]
    if len(scores) == 1:
        return scores[0]
    if of == "min":
        return min(scores)
    if of == "mean":
        return sum(scores, ZERO) / len(scores)
    return sum((score * days for score, days in linked), ZERO) / sum(days for _, days in linked)


def tell_linked(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    if score is None:
        return N_("No linked unit has a score: not assessed")
    is_weighted = _of_linked(leaf) == "weighted"
    parts = ", ".join(f"{plain(score)} ({days})" if is_weighted else plain(score) for score, days in facts.linked)
    return N_("Linked units: %(parts)s → %(score)s", parts=parts, score=score)


def score_best_share(leaf: Leaf, inputs: Inputs) -> Column:
    """Value ÷ best value of the group × full; a best of 0 or less gives 0."""
    best = max(inputs.peers, default=ZERO)
    return inputs.value.times(leaf.full / best if best > 0 else ZERO)


def tell_best_share(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    return N_(
        "Value %(value)s ÷ best of the group %(best)s × %(full)s = %(score)s",
        value=facts.value, best=max(facts.peers), full=leaf.full, score=score,
    )  # fmt: skip


def score_place(leaf: Leaf, inputs: Inputs) -> Column:
    """Full − step × (place − 1), by registered places or by the place of the value in the group."""
    if leaf.params.get("by") == "registered":
        every = (inputs.at(index) for index in range(len(inputs.counts)))
        return column_of([_mean_place(leaf, registered_places(facts)) for facts in every])
    order, peers = leaf.params.get("order", "desc"), in_order(inputs.peers)
    values = inputs.value.fractions()
    return column_of(
        [None if it is None else points_of_place(leaf, Fraction(place_among(it, peers, order))) for it in values]
    )


def registered_places(facts: Facts) -> tuple[Fraction, ...]:
    """The places that were registered; an external rank for the period is the only one."""
    if facts.external is not None and facts.external.rank is not None:
        return (Fraction(facts.external.rank),)
    return tuple(points for points, _ in facts.tally.marks)


def _mean_place(leaf: Leaf, places: Sequence[Fraction]) -> Fraction | None:
    earned = [points_of_place(leaf, place) for place in places]
    return sum(earned, ZERO) / len(earned) if earned else None


def tell_place(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    if leaf.params.get("by") == "registered":
        places = registered_places(facts)
    else:
        assert facts.value is not None
        places = (Fraction(place_among(facts.value, in_order(facts.peers), leaf.params.get("order", "desc"))),)
    return N_(
        "Full marks %(full)s − %(step)s × (place %(places)s − 1) = %(score)s",
        full=leaf.full, step=step_of(leaf), places=lambda: ", ".join(plain(place) for place in places), score=score,
    )  # fmt: skip


def step_of(leaf: Leaf) -> Fraction:
    """The points one place costs: `step`, or `step_pct` percent of full."""
    if "step" in leaf.params:
        return leaf.number("step")
    return leaf.full * leaf.number("step_pct") / 100


def points_of_place(leaf: Leaf, place: Fraction) -> Fraction:
    """The points of one place, not below the floor."""
    points = leaf.full - step_of(leaf) * (place - 1)
    return points if leaf.floor is None else max(points, leaf.floor)


def in_order(values: Iterable[Fraction]) -> list[Fraction]:
    """Some values as they are compared, in ascending order."""
    return sorted(comparable(value) for value in values)


def place_among(value: Fraction, peers: Sequence[Fraction], order: str = "desc") -> int:
    """Competition place 1, 2, 2, 4 of a value among its peers, which are `in_order`."""
    own = comparable(value)
    return 1 + (bisect_left(peers, own) if order == "asc" else len(peers) - bisect_right(peers, own))
