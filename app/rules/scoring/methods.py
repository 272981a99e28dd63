"""How a leaf turns its counted lines into a score: one function per method, and the catalogue of them.

Source: docs/scoring.md section 4. A method gets plain numbers and answers with a score (None: not
assessed) and its formula with the numbers put in. A missing target raises `RuleViolation`: the subject has
no score there, the others are settled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias

from app.errors import N_, RuleViolation
from app.rules.grammar import read_comparison, read_number, read_pairs, read_rows, read_weights
from app.rules.numbers import comparable, plain
from app.rules.scoring.facts import NOTHING, ZERO, External, Facts, Leaf, Outcome
from app.rules.scoring.lines import Effect
from app.rules.scoring.votes import score_votes


def score_deduct(leaf: Leaf, facts: Facts) -> Outcome:
    """Full marks − Σ deductions."""
    score = leaf.full + facts.tally.total
    return Outcome(
        score,
        N_(
            "Full marks %(full)s − deductions %(sum)s = %(score)s",
            full=leaf.full, sum=-facts.tally.total, score=score,
        ),
    )  # fmt: skip


def score_award(_leaf: Leaf, facts: Facts) -> Outcome:
    """Σ awards − Σ deductions; 0 without entries."""
    return Outcome(facts.tally.total, N_("Awards − deductions = %(score)s", score=facts.tally.total))


def score_balance(leaf: Leaf, facts: Facts) -> Outcome:
    """Base + Σ awards − Σ deductions."""
    score = leaf.base + facts.tally.total
    return Outcome(
        score,
        N_(
            "Base %(base)s + awards and deductions %(sum)s = %(score)s",
            base=leaf.base, sum=facts.tally.total, score=score,
        ),
    )  # fmt: skip


def score_given(leaf: Leaf, facts: Facts) -> Outcome:
    """The registered mark(s), folded by `of`; an external score for the period is the only mark."""
    marks = facts.tally.marks
    is_external = facts.external is not None and facts.external.score is not None
    if facts.external is not None and facts.external.score is not None:
        marks = ((facts.external.score, Fraction(1)),)
    if not marks:
        return NOTHING
    score = _FOLDS[leaf.params.get("of", "last")](marks)
    if score is None:
        return NOTHING
    if is_external:
        return Outcome(score, N_("External result %(score)s", score=score))
    return Outcome(score, N_("Registered marks: %(count)s → %(score)s", count=len(marks), score=score))


def takes_external(method: str, params: Mapping[str, str], external: External | None) -> bool:
    """Whether an external result is the only mark of a leaf, so that what was registered does not count.

    Source: docs/scoring.md section 4, `given` and `place` by registered places.
    """
    if external is None:
        return False
    if method == "given":
        return external.score is not None
    return method == "place" and params.get("by") == "registered" and external.rank is not None


Marks: TypeAlias = Sequence[tuple[Fraction, Fraction]]


def _weighted(marks: Marks) -> Fraction | None:
    quantities = sum((quantity for _, quantity in marks), ZERO)
    return _total(marks) / quantities if quantities else None


def _total(marks: Marks) -> Fraction:
    return sum((points for points, _ in marks), ZERO)


_FOLDS: Mapping[str, Callable[[Marks], Fraction | None]] = {
    "last": lambda marks: marks[-1][0],
    "sum": _total,
    "mean": lambda marks: _total(marks) / len(marks),
    "weighted": _weighted,
}


def score_ratio(leaf: Leaf, facts: Facts) -> Outcome:
    """Value ÷ target × full; a missing or zero target is a named error, never 0."""
    if facts.value is None:
        return NOTHING
    if facts.target is None:
        raise RuleViolation(N_("The target is missing."))
    if not facts.target:
        raise RuleViolation(N_("The target is 0."))
    score = facts.value / facts.target * leaf.full
    return Outcome(
        score,
        N_(
            "Value %(value)s ÷ target %(target)s × %(full)s = %(score)s",
            value=facts.value, target=facts.target, full=leaf.full, score=score,
        ),
    )  # fmt: skip


def score_bands(leaf: Leaf, facts: Facts) -> Outcome:
    """The score of the first row that holds; a row naming a node without score does not; no row: not assessed."""
    if facts.value is None:
        return NOTHING
    value = facts.value
    if leaf.params.get("by") == "percent":
        if facts.target is None:
            raise RuleViolation(N_("The target is missing."))
        if not facts.target:
            raise RuleViolation(N_("The target is 0."))
        value = value / facts.target * 100
    for row in read_rows(leaf.params["rows"]):
        if row.condition is None:
            return Outcome(
                Fraction(row.score), N_("Value %(value)s: otherwise %(score)s", value=value, score=row.score)
            )
        found = value if row.condition.name == "value" else facts.named.get(row.condition.name)
        if found is not None and row.condition.holds(found):
            return Outcome(
                Fraction(row.score),
                N_(
                    "Value %(value)s: %(name)s %(sign)s %(number)s gives %(score)s",
                    value=value, name=row.condition.name, sign=row.condition.sign, number=row.condition.number,
                    score=row.score,
                ),
            )  # fmt: skip
    return Outcome(None, N_("Value %(value)s: no row holds, not assessed", value=value))


def score_gap(leaf: Leaf, facts: Facts) -> Outcome:
    """Full − price × missing ÷ per; missing is what the value falls short of the target, never below 0."""
    if facts.value is None:
        return NOTHING
    if facts.target is None:
        raise RuleViolation(N_("The target is missing."))
    is_over = leaf.params.get("order") == "asc"
    missing = max(facts.value - facts.target if is_over else facts.target - facts.value, ZERO)
    units = missing / (leaf.number("per") if "per" in leaf.params else 1)
    if leaf.params.get("round") == "up":
        units = Fraction(ceil(comparable(units)))
    elif leaf.params.get("round") == "down":
        units = Fraction(floor(comparable(units)))
    score = leaf.full - leaf.number("price") * units
    return Outcome(
        score,
        N_(
            "Full marks %(full)s − %(price)s × %(units)s (value %(value)s, target %(target)s) = %(score)s",
            full=leaf.full, price=leaf.number("price"), units=units, value=facts.value, target=facts.target,
            score=score,
        ),
    )  # fmt: skip


def score_linked(leaf: Leaf, facts: Facts) -> Outcome:
    """The scores of linked units: their mean, the mean by the days they were linked, or the lowest."""
    if not facts.linked:
        return Outcome(None, N_("No linked unit has a score: not assessed"))
    of = leaf.params.get("of") or ("weighted" if leaf.params["source"] == "post" else "mean")
    scores = [score for score, _ in facts.linked]
    if of == "min":
        result = min(scores)
    elif of == "mean":
        result = sum(scores, ZERO) / len(scores)
    else:
        days = sum(days for _, days in facts.linked)
        result = sum((score * days for score, days in facts.linked), ZERO) / days
    parts = ", ".join(f"{plain(score)} ({days})" if of == "weighted" else plain(score) for score, days in facts.linked)
    return Outcome(result, N_("Linked units: %(parts)s → %(score)s", parts=parts, score=result))


def score_best_share(leaf: Leaf, facts: Facts) -> Outcome:
    """Value ÷ best value of the group × full; a best of 0 or less gives 0."""
    if facts.value is None:
        return NOTHING
    best = max(facts.peers)
    score = facts.value / best * leaf.full if best > 0 else ZERO
    return Outcome(
        score,
        N_(
            "Value %(value)s ÷ best of the group %(best)s × %(full)s = %(score)s",
            value=facts.value, best=best, full=leaf.full, score=score,
        ),
    )  # fmt: skip


def score_place(leaf: Leaf, facts: Facts) -> Outcome:
    """Full − step × (place − 1), by registered places or by the place of the value in the group."""
    if leaf.params.get("by") == "registered":
        if facts.external is not None and facts.external.rank is not None:
            places: tuple[Fraction, ...] = (Fraction(facts.external.rank),)
        else:
            places = tuple(points for points, _ in facts.tally.marks)
    elif facts.value is None:
        places = ()
    else:
        places = (Fraction(place_among(facts.value, facts.peers, leaf.params.get("order", "desc"))),)
    if not places:
        return NOTHING
    earned = [points_of_place(leaf, place) for place in places]
    score = sum(earned, ZERO) / len(earned)
    return Outcome(
        score,
        N_(
            "Full marks %(full)s − %(step)s × (place %(places)s − 1) = %(score)s",
            full=leaf.full, step=step_of(leaf),
            places=lambda: ", ".join(plain(place) for place in places), score=score,
        ),
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


def place_among(value: Fraction, peers: Sequence[Fraction], order: str = "desc") -> int:
    """Competition place 1, 2, 2, 4 of a value among its peers."""
    own = comparable(value)
    if order == "asc":
        return 1 + sum(comparable(peer) < own for peer in peers)
    return 1 + sum(comparable(peer) > own for peer in peers)


ALL_EFFECTS = frozenset(Effect)


@dataclass(frozen=True, slots=True)
class Method:
    """A row of the catalogue: the function and what the check of a workbook must know about it."""

    score: Callable[[Leaf, Facts], Outcome]
    effects: frozenset[Effect]
    needs: frozenset[str] = frozenset()
    params: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    needed_params: frozenset[str] = frozenset()
    caps_at_full: bool = False
    floors_at_zero: bool = False
    zero_without_entries: bool = False
    uses_marks: bool = False
    uses_peers: bool = False
    uses_target: bool = False


METHODS: Mapping[str, Method] = {
    "deduct": Method(score_deduct, frozenset({Effect.DEDUCTION}), needs=frozenset({"full"}), floors_at_zero=True),
    "award": Method(score_award, frozenset({Effect.AWARD, Effect.DEDUCTION})),
    "balance": Method(score_balance, frozenset({Effect.AWARD, Effect.DEDUCTION}), needs=frozenset({"base"})),
    "given": Method(
        score_given,
        frozenset({Effect.AWARD, Effect.MEASURE}),
        params={"of": frozenset(_FOLDS)},
        uses_marks=True,
    ),
    "ratio": Method(
        score_ratio,
        ALL_EFFECTS,
        needs=frozenset({"full"}),
        params={"value_of": None, "target_of": None},
        caps_at_full=True,
        zero_without_entries=True,
        uses_target=True,
    ),
    "bands": Method(
        score_bands,
        ALL_EFFECTS,
        params={"rows": None, "by": frozenset({"value", "percent"}), "value_of": None, "target_of": None},
        needed_params=frozenset({"rows"}),
        uses_target=True,
    ),
    "gap": Method(
        score_gap,
        ALL_EFFECTS,
        needs=frozenset({"full"}),
        params={
            "price": None,
            "per": None,
            "round": frozenset({"none", "up", "down"}),
            "order": frozenset({"asc", "desc"}),
            "value_of": None,
            "target_of": None,
        },
        needed_params=frozenset({"price"}),
        floors_at_zero=True,
        zero_without_entries=True,
        uses_target=True,
    ),
    "votes": Method(
        score_votes,
        frozenset({Effect.MEASURE}),
        params={"grade_points": None, "questions": None, "voters": None},
        needed_params=frozenset({"grade_points"}),
        uses_marks=True,
    ),
    "linked": Method(
        score_linked,
        frozenset(),
        params={
            "source": frozenset({"charge", "post", "group"}),
            "groups": None,
            "what": None,
            "of": frozenset({"mean", "weighted", "min"}),
        },
        needed_params=frozenset({"source"}),
    ),
    "best_share": Method(
        score_best_share, ALL_EFFECTS, needs=frozenset({"full"}), params={"value_of": None}, uses_peers=True
    ),
    "place": Method(
        score_place,
        ALL_EFFECTS,
        needs=frozenset({"full"}),
        params={
            "step": None,
            "step_pct": None,
            "by": frozenset({"value", "registered"}),
            "order": frozenset({"desc", "asc"}),
            "value_of": None,
        },
        floors_at_zero=True,
        uses_marks=True,
        uses_peers=True,
    ),
}

NUMBER_PARAMS = frozenset({"step", "step_pct", "from", "to", "price", "per"})
CODE_PARAMS = frozenset({"value_of", "target_of"})


def read_params(key: str, text: str, known: Mapping[str, frozenset[str] | None]) -> dict[str, str]:
    """Read and check the parameters of a method or branch; raises `RuleViolation` on the first fault."""
    pairs = read_pairs(text)
    for name, value in pairs.items():
        if name == "gate":
            read_comparison(value)
            continue
        if name not in known:
            raise RuleViolation(N_("The method has no parameter “%(name)s”.", name=name))
        choices = known[name]
        if choices is not None and value not in choices:
            raise RuleViolation(N_("“%(value)s” is no value of %(name)s.", value=value, name=name))
        if name in NUMBER_PARAMS:
            read_number(value)
    if key in METHODS:
        for name in METHODS[key].needed_params - pairs.keys():
            raise RuleViolation(N_("The parameter %(name)s is missing.", name=name))
    if "rows" in pairs:
        read_rows(pairs["rows"])
    for name in ("grade_points", "questions", "voters"):
        if name in pairs:
            read_weights(pairs[name], negative=name == "grade_points")
    if "per" in pairs and not Decimal(pairs["per"]):
        raise RuleViolation(N_("The parameter %(name)s must be greater than 0.", name="per"))
    if key == "place" and ("step" in pairs) == ("step_pct" in pairs):
        raise RuleViolation(N_("One of step and step_pct must be given."))
    if key == "linked" and (pairs["source"] == "group") != ("groups" in pairs):
        raise RuleViolation(N_("The parameter groups goes with source=group, and only with it."))
    if pairs.get("by") == "registered" and "value_of" in pairs:
        raise RuleViolation(N_("Registered places take no value_of."))
    return pairs


def codes_named(params: Mapping[str, str]) -> set[str]:
    """The nodes of the same tree that the parameters of a node name."""
    found = {params[name] for name in CODE_PARAMS if name in params}
    if "gate" in params:
        found.add(read_comparison(params["gate"]).name)
    return found | rows_named(params)


def rows_named(params: Mapping[str, str]) -> set[str]:
    """The nodes that the rows of bands name."""
    rows = read_rows(params["rows"]) if "rows" in params else ()
    return {row.condition.name for row in rows if row.condition is not None} - {"value"}


def allowed_effects(key: str, params: Mapping[str, str]) -> frozenset[Effect]:
    """The effects a leaf's clauses may have; empty where the leaf takes no clauses."""
    if "value_of" in params:
        return frozenset()
    if key == "place" and params.get("by") == "registered":
        return frozenset({Effect.MEASURE})
    return METHODS[key].effects


def asks_target(key: str, params: Mapping[str, str]) -> bool:
    """Whether the score is measured against a target."""
    return METHODS[key].uses_target and (key != "bands" or params.get("by") == "percent")


def needs_rows(key: str, params: Mapping[str, str]) -> bool:
    """Whether the leaf needs each mark and not only their sum and number."""
    return METHODS[key].uses_marks and (key != "place" or params.get("by") == "registered")
