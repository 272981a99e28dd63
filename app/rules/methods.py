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

from app.errors import N_, Message, RuleViolation
from app.rules.grammar import read_comparison, read_number, read_pairs, read_rows, read_weights
from app.rules.lines import Effect, Tally
from app.rules.numbers import comparable, plain

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Leaf:
    """The numbers of a leaf, as the scheme states them."""

    full: Fraction = ZERO
    base: Fraction = ZERO
    floor: Fraction | None = None
    params: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> Fraction:
        return Fraction(Decimal(self.params[name]))


@dataclass(frozen=True, slots=True)
class External:
    """An external result: a score, a rank, or both."""

    score: Fraction | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a leaf sees of one subject in one span period.

    `value` is Σ of the counted lines, or the score of the node named by `value_of`; None if there is none.
    `peers` are the values of all subjects of the group that have one, the own included; `named` the scores of
    other nodes of the tree that the parameters name.
    """

    tally: Tally = field(default_factory=Tally)
    value: Fraction | None = None
    target: Fraction | None = None
    external: External | None = None
    peers: Sequence[Fraction] = ()
    named: Mapping[str, Fraction | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A score (None: not assessed) and the formula that gave it."""

    score: Fraction | None
    formula: Message


NOTHING = Outcome(None, N_("No counted entry in the period: not assessed"))


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


def score_votes(leaf: Leaf, facts: Facts) -> Outcome:
    """Σ voter weight × Σ question weight × mean grade points over the valid ballots.

    Questions without ballots, then voter groups without any, drop out; the other weights are then taken ÷ their
    sum.
    """
    points = read_weights(leaf.params["grade_points"], negative=True)
    questions = _weights_of(leaf, "questions")
    voters = _weights_of(leaf, "voters")
    cast: dict[tuple[str, str], list[tuple[Fraction, Fraction]]] = {}
    for ballot in facts.tally.ballots:
        voter = ballot.voter if "voters" in leaf.params else ""
        question = ballot.question if "questions" in leaf.params else ""
        if ballot.grade in points and voter in voters and question in questions and ballot.number > 0:
            mark = (Fraction(points[ballot.grade]), ballot.number)
            cast.setdefault((voter, question), []).append(mark)
    by_voter = {
        voter: _folded(questions, {question: _mean_of(cast.get((voter, question), ())) for question in questions})
        for voter in voters
    }
    score = _folded(voters, by_voter)
    if score is None:
        return NOTHING
    number = sum((ballots for marks in cast.values() for _, ballots in marks), ZERO)
    return Outcome(score, N_("%(number)s valid ballots, weighted mean = %(score)s", number=number, score=score))


def _weights_of(leaf: Leaf, name: str) -> dict[str, Fraction]:
    """The weights of questions or voters; one nameless part of the whole weight where none are named."""
    if name not in leaf.params:
        return {"": Fraction(100)}
    return {key: Fraction(weight) for key, weight in read_weights(leaf.params[name]).items()}


def _mean_of(marks: Sequence[tuple[Fraction, Fraction]]) -> Fraction | None:
    number = sum((ballots for _, ballots in marks), ZERO)
    return sum((points * ballots for points, ballots in marks), ZERO) / number if number else None


def _folded(weights: Mapping[str, Fraction], scores: Mapping[str, Fraction | None]) -> Fraction | None:
    """Σ weight % × score; where parts dropped out the weights of the others ÷ their sum."""
    present = {name: score for name, score in scores.items() if score is not None}
    total = sum((weights[name] for name in present), ZERO)
    if not present or not total:
        return None
    whole = Fraction(100) if len(present) == len(weights) else total
    return sum((weights[name] * score for name, score in present.items()), ZERO) / whole


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

METHODS_TO_COME = frozenset({"linked"})
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
