"""How a branch combines its children, how a node is finished, and how shorter periods are rolled up.

Source: docs/scoring.md section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import partial
from math import lcm
from typing import TypeAlias

from app.errors import N_, Message
from app.rules.numbers import plain, round_half_up
from app.rules.scoring.columns import Column, chosen, column_of, present_count, present_sum

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Child:
    """A child that has a score: its code, score (after its own rounding) and weight in percent."""

    code: str
    score: Fraction
    weight: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A child of a cohort: its code, the column of its scores and its weight in percent."""

    code: str
    scores: Column
    weight: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Combined:
    """A combined score (None: not assessed) and its formula."""

    score: Fraction | None
    formula: Message


NO_CHILD = Combined(None, N_("No item below has a score: not assessed"))
Params: TypeAlias = Mapping[str, str]


def _scores(children: Sequence[Child]) -> str:
    return " + ".join(plain(child.score) for child in children)


def _weighted(children: Sequence[Child], sign: str) -> str:
    """Each score behind its weight; those with none stand alone."""
    return " + ".join(
        plain(child.score) if child.weight is None else f"{plain(child.weight)}{sign} × {plain(child.score)}"
        for child in children
    )


def _listed(children: Sequence[Child]) -> str:
    return ", ".join(plain(child.score) for child in children)


def _columns(parts: Sequence[Part]) -> list[Column]:
    return [part.scores for part in parts]


def combine_sum(parts: Sequence[Part], _params: Params) -> Column:
    """Σ children."""
    return present_sum(_columns(parts))


def tell_sum(children: Sequence[Child], _params: Params, score: Fraction) -> Message:
    return N_("%(parts)s = %(score)s", parts=partial(_scores, children), score=score)


def combine_weighted(parts: Sequence[Part], _params: Params) -> Column:
    """Σ weight % × child + Σ children with blank weight; never divided by the weights present."""
    return present_sum([part.scores if part.weight is None else part.scores.times(part.weight / 100) for part in parts])


def tell_weighted(children: Sequence[Child], _params: Params, score: Fraction) -> Message:
    return N_("%(parts)s = %(score)s", parts=partial(_weighted, children, "%"), score=score)


def combine_weighted_mean(parts: Sequence[Part], _params: Params) -> Column:
    """Σ weight × child ÷ Σ weight, over children with a score."""
    weights = [part.weight or ZERO for part in parts]
    total = present_sum([part.scores.times(weight) for part, weight in zip(parts, weights, strict=True)])
    return total.divided(*present_count(_columns(parts), weights))


def tell_weighted_mean(children: Sequence[Child], _params: Params, score: Fraction) -> Message:
    weights = sum((child.weight or ZERO for child in children), ZERO)
    parts = partial(_weighted, children, "")
    return N_("(%(parts)s) ÷ %(count)s = %(score)s", parts=parts, count=weights, score=score)


def combine_mean(parts: Sequence[Part], _params: Params) -> Column:
    """The mean of the children with a score."""
    return present_sum(_columns(parts)).divided(*present_count(_columns(parts)))


def tell_mean(children: Sequence[Child], _params: Params, score: Fraction) -> Message:
    parts = partial(_scores, children)
    return N_("(%(parts)s) ÷ %(count)s = %(score)s", parts=parts, count=len(children), score=score)


def combine_min(parts: Sequence[Part], _params: Params) -> Column:
    """The lowest of the children with a score."""
    return chosen(_columns(parts), min)


def tell_min(children: Sequence[Child], _params: Params, score: Fraction) -> Message:
    return N_("Lowest of %(parts)s = %(score)s", parts=partial(_listed, children), score=score)


def combine_max(parts: Sequence[Part], _params: Params) -> Column:
    """The highest of the children with a score."""
    return chosen(_columns(parts), max)


def tell_max(children: Sequence[Child], _params: Params, score: Fraction) -> Message:
    return N_("Highest of %(parts)s = %(score)s", parts=partial(_listed, children), score=score)


def combine_scale(parts: Sequence[Part], params: Params) -> Column:
    """Σ children × to ÷ from."""
    start, end = _scale(params)
    return present_sum(_columns(parts)).times(end / start)


def tell_scale(children: Sequence[Child], params: Params, score: Fraction) -> Message:
    start, end = _scale(params)
    total = sum((child.score for child in children), ZERO)
    return N_("%(total)s × %(to)s ÷ %(from)s = %(score)s", **{"total": total, "to": end, "from": start, "score": score})


def _scale(params: Params) -> tuple[Fraction, Fraction]:
    return Fraction(Decimal(params["from"])), Fraction(Decimal(params["to"]))


@dataclass(frozen=True, slots=True)
class Branch:
    """A row of the catalogue of branches: what combines columns, and what puts one score into words."""

    combine: Callable[[Sequence[Part], Params], Column]
    tell: Callable[[Sequence[Child], Params, Fraction], Message]
    params: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    needs_weights: bool = False


BRANCHES: Mapping[str, Branch] = {
    "sum": Branch(combine_sum, tell_sum),
    "weighted": Branch(combine_weighted, tell_weighted),
    "weighted_mean": Branch(combine_weighted_mean, tell_weighted_mean, needs_weights=True),
    "mean": Branch(combine_mean, tell_mean),
    "min": Branch(combine_min, tell_min),
    "max": Branch(combine_max, tell_max),
    "scale": Branch(combine_scale, tell_scale, params={"from": None, "to": None}),
}


def combine_parts(method: str, parts: Sequence[Part], params: Params, shift: Shift) -> Column | None:
    """Combine the children of a cohort, each row over those that have a score; None where nothing takes part.

    Weight 0 is shown and carried along, not combined. `shift` is what the children that do not apply leave to the
    others.
    """
    taking_part = [part for part in parts if part.weight is None or part.weight != 0]
    if not taking_part:
        return None
    if not shift.takers:
        return BRANCHES[method].combine(taking_part, params)
    return present_sum([part.scores.times(_factor(method, part.code, part.weight, shift)) for part in taking_part])


def _factor(method: str, code: str, weight: Fraction | None, shift: Shift) -> Fraction:
    """What a child of a sum or weighted sum counts with, once it has taken over what others leave.

    The spread of a sum is in its children's scores already. Source: docs/scoring.md section 5, Not applicable.
    """
    share = Fraction(1) if method == "sum" or weight is None else weight / 100
    if code not in shift.takers:
        return share
    return share * shift.scale_up * (shift.spread if method == "weighted" else 1)


def tell_combined(
    method: str, children: Sequence[Child], params: Params, shift: Shift, score: Fraction | None
) -> Message:
    """The formula of a branch of one subject, over the children that have a score."""
    if score is None:
        return NO_CHILD.formula
    if not shift.takers:
        return BRANCHES[method].tell(children, params, score)
    parts = partial(_scores, children) if method == "sum" else partial(_weighted, children, "%")
    factor = shift.scale_up * (shift.spread if method == "weighted" else 1)
    return N_(
        "%(parts)s, items that apply × %(factor)s because others do not = %(score)s",
        parts=parts, factor=factor, score=score,
    )  # fmt: skip


def combine(method: str, children: Sequence[Child], params: Params, shift: Shift | None = None) -> Combined:
    """Combine the children of one subject that have a score: columns of length one, in words."""
    taking_part = [child for child in children if child.weight is None or child.weight != 0]
    parts = [Part(child.code, column_of([child.score]), child.weight) for child in taking_part]
    moved = shift or Shift()
    column = combine_parts(method, parts, params, moved)
    score = None if column is None else column.at(0)
    return Combined(score, tell_combined(method, taking_part, params, moved, score))


class NotApplicable(StrEnum):
    """What becomes of the points of a node that does not apply to a subject."""

    LEFT_OUT = ""
    SPREAD = "spread"
    SCALE_UP = "scale_up"
    MEAN_OF_OTHERS = "mean_of_others"
    ZERO = "zero"


@dataclass(frozen=True, slots=True)
class Sibling:
    """A child of a sum or weighted sum: its points (full marks or weight), whether it applies, and what if not."""

    code: str
    points: Fraction | None
    applies: bool
    otherwise: NotApplicable = NotApplicable.LEFT_OUT
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """What the children that apply take over: who takes, the factor of each, and that of their sum."""

    takers: frozenset[str] = frozenset()
    spread: Fraction = Fraction(1)
    scale_up: Fraction = Fraction(1)


def shift_of(siblings: Sequence[Sibling]) -> Shift:
    """The factors (A + S) ÷ A and (A + S + U) ÷ (A + S); none where A is 0.

    Source: docs/scoring.md section 5, Not applicable.
    """
    inside = [sibling for sibling in siblings if not sibling.is_outside and sibling.points is not None]
    takers = [it for it in inside if it.applies]
    own = sum((taker.points or ZERO for taker in takers), ZERO)
    if not own:
        return Shift()

    def left(what: NotApplicable) -> Fraction:
        return sum((it.points or ZERO for it in inside if not it.applies and it.otherwise is what), ZERO)

    spread, up = left(NotApplicable.SPREAD), left(NotApplicable.SCALE_UP)
    if not spread and not up:
        return Shift()
    return Shift(frozenset(taker.code for taker in takers), (own + spread) / own, (own + spread + up) / (own + spread))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a node is finished: cap, floor, the factor of what others leave, places."""

    cap: Fraction | None = None
    floor: Fraction | None = None
    places: int | None = None
    spread: Fraction = Fraction(1)


def finish_column(values: Column, ending: Ending, shut: Iterable[int] = ()) -> tuple[Column, Column]:
    """Finish a node: cap, floor, gate, spread factor, places; before places and after them.

    `shut` are the rows whose gate is shut. Source: docs/scoring.md section 5, Finishing.
    """
    if ending.cap is not None:
        values = values.at_most(ending.cap)
    if ending.floor is not None:
        values = values.at_least(ending.floor)
    exact = values.with_rows(dict.fromkeys(shut, ZERO)).times(ending.spread)
    return exact, exact if ending.places is None else exact.rounded(ending.places)


def tell_ending(value: Fraction, ending: Ending, gate: Message | None) -> tuple[Message, ...]:
    """What finishing did to a value; `gate` is the reason why the gate is shut, None while it is open."""
    notes = []
    if ending.cap is not None and value > ending.cap:
        value = ending.cap
        notes.append(N_("at most %(cap)s", cap=ending.cap))
    if ending.floor is not None and value < ending.floor:
        notes.append(N_("at least %(floor)s", floor=ending.floor))
    if gate is not None:
        notes.append(gate)
    if ending.spread != 1:
        notes.append(N_("× %(factor)s for items that do not apply", factor=ending.spread))
    return tuple(notes)


@dataclass(frozen=True, slots=True)
class Finished:
    """A node after cap, floor and places: `exact` before places, `score` after."""

    exact: Fraction
    score: Fraction
    notes: tuple[Message, ...] = ()


def finish(
    value: Fraction,
    *,
    cap: Fraction | None,
    floor: Fraction | None,
    places: int | None,
    gate: Message | None = None,
    spread: Fraction = Fraction(1),
) -> Finished:
    """Finish the node of one subject: a column of length one, with its notes."""
    ending = Ending(cap, floor, places, spread)
    exact, score = finish_column(column_of([value]), ending, () if gate is None else (0,))
    return Finished(exact.at(0) or ZERO, score.at(0) or ZERO, tell_ending(value, ending, gate))


def rounded(value: Fraction, places: int | None) -> Fraction:
    """The score of an exact value: rounded half up where the node declares places."""
    return value if places is None else round_half_up(value, places)


class Rollup(StrEnum):
    """How the scores of shorter periods become the score of a longer one."""

    SUM = "sum"
    MEAN = "mean"
    LAST = "last"
    NONE = "none"


def roll_up_columns(rollup: Rollup, parts: Sequence[Column]) -> Column | None:
    """Fold the scores of the span periods, in order, each row over those that have one; None if there are none."""
    if not parts or rollup is Rollup.NONE:
        return None
    if rollup is Rollup.LAST:
        unit = lcm(*(part.unit for part in parts))
        rows = zip(*(part.over(unit) for part in reversed(parts)), strict=True)
        return Column([next((value for value in row if value is not None), None) for row in rows], unit)
    total = present_sum(parts)
    return total if rollup is Rollup.SUM else total.divided(*present_count(parts))


def roll_up(rollup: Rollup, scores: Sequence[Fraction]) -> Fraction | None:
    """Fold the scores of the span periods of one subject that have one, in order; None if there is none."""
    column = roll_up_columns(rollup, [column_of([score]) for score in scores])
    return None if column is None else column.at(0)
