"""How a branch combines its children, how a node is finished, and how shorter periods are rolled up.

Source: docs/scoring.md section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import partial
from typing import TypeAlias

from app.errors import N_, Message
from app.rules.numbers import plain, round_half_up

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Child:
    """A child that has a score: its code, score (after its own rounding) and weight in percent."""

    code: str
    score: Fraction
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


def combine_sum(children: Sequence[Child], _params: Params) -> Combined:
    """Σ children."""
    score = sum((child.score for child in children), ZERO)
    return Combined(score, N_("%(parts)s = %(score)s", parts=partial(_scores, children), score=score))


def combine_weighted(children: Sequence[Child], _params: Params) -> Combined:
    """Σ weight % × child + Σ children with blank weight; never divided by the weights present."""
    score = sum((child.score if child.weight is None else child.weight / 100 * child.score for child in children), ZERO)
    return Combined(score, N_("%(parts)s = %(score)s", parts=partial(_weighted, children, "%"), score=score))


def combine_weighted_mean(children: Sequence[Child], _params: Params) -> Combined:
    """Σ weight × child ÷ Σ weight, over children with a score."""
    weights = sum((child.weight or ZERO for child in children), ZERO)
    if not weights:
        return NO_CHILD
    score = sum(((child.weight or ZERO) * child.score for child in children), ZERO) / weights
    parts = partial(_weighted, children, "")
    return Combined(score, N_("(%(parts)s) ÷ %(count)s = %(score)s", parts=parts, count=weights, score=score))


def combine_mean(children: Sequence[Child], _params: Params) -> Combined:
    """The mean of the children with a score."""
    score = sum((child.score for child in children), ZERO) / len(children)
    parts = partial(_scores, children)
    return Combined(score, N_("(%(parts)s) ÷ %(count)s = %(score)s", parts=parts, count=len(children), score=score))


def combine_min(children: Sequence[Child], _params: Params) -> Combined:
    """The lowest of the children with a score."""
    score = min(child.score for child in children)
    return Combined(score, N_("Lowest of %(parts)s = %(score)s", parts=partial(_listed, children), score=score))


def combine_max(children: Sequence[Child], _params: Params) -> Combined:
    """The highest of the children with a score."""
    score = max(child.score for child in children)
    return Combined(score, N_("Highest of %(parts)s = %(score)s", parts=partial(_listed, children), score=score))


def _listed(children: Sequence[Child]) -> str:
    return ", ".join(plain(child.score) for child in children)


def combine_scale(children: Sequence[Child], params: Params) -> Combined:
    """Σ children × to ÷ from."""
    start, end = Fraction(Decimal(params["from"])), Fraction(Decimal(params["to"]))
    total = sum((child.score for child in children), ZERO)
    score = total * end / start
    return Combined(
        score,
        N_(
            "%(total)s × %(to)s ÷ %(from)s = %(score)s",
            **{"total": total, "to": end, "from": start, "score": score},
        ),
    )


@dataclass(frozen=True, slots=True)
class Branch:
    """A row of the catalogue of branches."""

    combine: Callable[[Sequence[Child], Params], Combined]
    params: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    needs_weights: bool = False


BRANCHES: Mapping[str, Branch] = {
    "sum": Branch(combine_sum),
    "weighted": Branch(combine_weighted),
    "weighted_mean": Branch(combine_weighted_mean, needs_weights=True),
    "mean": Branch(combine_mean),
    "min": Branch(combine_min),
    "max": Branch(combine_max),
    "scale": Branch(combine_scale, params={"from": None, "to": None}),
}


def combine(method: str, children: Sequence[Child], params: Params, shift: Shift | None = None) -> Combined:
    """Combine the children that have a score; weight 0 is shown and carried along, not combined.

    `shift` is what the children that do not apply leave to the others.
    """
    taking_part = [child for child in children if child.weight is None or child.weight != 0]
    if not taking_part:
        return NO_CHILD
    if shift is None or shift == Shift():
        return BRANCHES[method].combine(taking_part, params)
    return _shifted(method, taking_part, shift)


def _shifted(method: str, children: Sequence[Child], shift: Shift) -> Combined:
    """A sum or weighted sum whose children that apply take over what others leave.

    The spread of a sum is in its children's scores already. Source: docs/scoring.md section 5, Not applicable.
    """
    inside, outside = ZERO, ZERO
    for child in children:
        share = child.score if method == "sum" or child.weight is None else child.weight / 100 * child.score
        if child.code not in shift.takers:
            outside += share
        else:
            inside += share * (shift.spread if method == "weighted" else 1)
    score = inside * shift.scale_up + outside
    parts = partial(_scores, children) if method == "sum" else partial(_weighted, children, "%")
    factor = shift.scale_up * (shift.spread if method == "weighted" else 1)
    return Combined(
        score,
        N_(
            "%(parts)s, items that apply × %(factor)s because others do not = %(score)s",
            parts=parts, factor=factor, score=score,
        ),
    )  # fmt: skip


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
    """Finish a node: cap, floor, gate, spread factor, places. Source: docs/scoring.md section 5, Finishing.

    `gate` is the reason why the gate is shut, None while it is open.
    """
    notes = []
    if cap is not None and value > cap:
        value = cap
        notes.append(N_("at most %(cap)s", cap=cap))
    if floor is not None and value < floor:
        value = floor
        notes.append(N_("at least %(floor)s", floor=floor))
    if gate is not None:
        value = ZERO
        notes.append(gate)
    if spread != 1:
        value *= spread
        notes.append(N_("× %(factor)s for items that do not apply", factor=spread))
    return Finished(value, rounded(value, places), tuple(notes))


def rounded(value: Fraction, places: int | None) -> Fraction:
    """The score of an exact value: rounded half up where the node declares places."""
    return value if places is None else round_half_up(value, places)


class Rollup(StrEnum):
    """How the scores of shorter periods become the score of a longer one."""

    SUM = "sum"
    MEAN = "mean"
    LAST = "last"
    NONE = "none"


def roll_up(rollup: Rollup, scores: Sequence[Fraction]) -> Fraction | None:
    """Fold the scores of the span periods that have one, in order; None if there is none."""
    if not scores or rollup is Rollup.NONE:
        return None
    if rollup is Rollup.LAST:
        return scores[-1]
    total = sum(scores, ZERO)
    return total if rollup is Rollup.SUM else total / len(scores)
