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
    "scale": Branch(combine_scale, params={"from": None, "to": None}),
}
BRANCHES_TO_COME = frozenset({"min", "max"})


def combine(method: str, children: Sequence[Child], params: Params) -> Combined:
    """Combine the children that have a score; weight 0 is shown and carried along, not combined."""
    taking_part = [child for child in children if child.weight is None or child.weight != 0]
    if not taking_part:
        return NO_CHILD
    return BRANCHES[method].combine(taking_part, params)


@dataclass(frozen=True, slots=True)
class Finished:
    """A node after cap, floor and places: `exact` before places, `score` after."""

    exact: Fraction
    score: Fraction
    notes: tuple[Message, ...] = ()


def finish(value: Fraction, *, cap: Fraction | None, floor: Fraction | None, places: int | None) -> Finished:
    """Finish a node: cap, then floor, then places. Source: docs/scoring.md section 5, Finishing."""
    notes = []
    if cap is not None and value > cap:
        value = cap
        notes.append(N_("at most %(cap)s", cap=cap))
    if floor is not None and value < floor:
        value = floor
        notes.append(N_("at least %(floor)s", floor=floor))
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
