"""The catalogue of methods: what computes a leaf, what puts it into words, and what the check of a workbook must know.

Source: docs/scoring.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from app.errors import N_, Message, RuleViolation
from app.rules.grammar import read_comparison, read_number, read_pairs, read_rows, read_weights
from app.rules.scoring.columns import Column
from app.rules.scoring.facts import NOTHING, External, Facts, Inputs, Leaf, Outcome
from app.rules.scoring.formulas import (
    FOLDS,
    score_award,
    score_balance,
    score_bands,
    score_best_share,
    score_deduct,
    score_gap,
    score_given,
    score_linked,
    score_place,
    score_ratio,
    tell_award,
    tell_balance,
    tell_bands,
    tell_best_share,
    tell_deduct,
    tell_gap,
    tell_given,
    tell_linked,
    tell_place,
    tell_ratio,
)
from app.rules.scoring.lines import Effect
from app.rules.scoring.votes import score_votes, tell_votes


def takes_external(method: str, params: Mapping[str, str], external: External | None) -> bool:
    """Whether an external result is the only mark of a leaf, so that what was registered does not count.

    Source: docs/scoring.md section 4, `given` and `place` by registered places.
    """
    if external is None:
        return False
    if method == "given":
        return external.score is not None
    return method == "place" and params.get("by") == "registered" and external.rank is not None


def refusal_of(method: str, value: object | None, target: object | None) -> Message | None:
    """The named error of a leaf with a value that is measured against a target it does not have; None without."""
    if value is None:
        return None
    if target is None:
        return N_("The target is missing.")
    return N_("The target is 0.") if not target and method != "gap" else None


ALL_EFFECTS = frozenset(Effect)


@dataclass(frozen=True, slots=True)
class Method:
    """A row of the catalogue: what computes the scores of a cohort, what puts one into words, what checks must know."""

    column: Callable[[Leaf, Inputs], Column]
    tell: Callable[[Leaf, Facts, Fraction | None], Message]
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
    tells_absence: bool = False

    def told(self, leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
        """The formula of a score with its numbers put in; without a score why there is none."""
        if score is None and not self.tells_absence:
            return NOTHING.formula
        return self.tell(leaf, facts, score)


METHODS: Mapping[str, Method] = {
    "deduct": Method(
        score_deduct, tell_deduct, frozenset({Effect.DEDUCTION}), needs=frozenset({"full"}), floors_at_zero=True
    ),
    "award": Method(score_award, tell_award, frozenset({Effect.AWARD, Effect.DEDUCTION})),
    "balance": Method(
        score_balance, tell_balance, frozenset({Effect.AWARD, Effect.DEDUCTION}), needs=frozenset({"base"})
    ),
    "given": Method(
        score_given,
        tell_given,
        frozenset({Effect.AWARD, Effect.MEASURE}),
        params={"of": frozenset(FOLDS)},
        uses_marks=True,
    ),
    "ratio": Method(
        score_ratio,
        tell_ratio,
        ALL_EFFECTS,
        needs=frozenset({"full"}),
        params={"value_of": None, "target_of": None},
        caps_at_full=True,
        zero_without_entries=True,
        uses_target=True,
    ),
    "bands": Method(
        score_bands,
        tell_bands,
        ALL_EFFECTS,
        params={"rows": None, "by": frozenset({"value", "percent"}), "value_of": None, "target_of": None},
        needed_params=frozenset({"rows"}),
        uses_target=True,
        tells_absence=True,
    ),
    "gap": Method(
        score_gap,
        tell_gap,
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
        tell_votes,
        frozenset({Effect.MEASURE}),
        params={"grade_points": None, "questions": None, "voters": None},
        needed_params=frozenset({"grade_points"}),
        uses_marks=True,
    ),
    "linked": Method(
        score_linked,
        tell_linked,
        frozenset(),
        params={
            "source": frozenset({"charge", "post", "group"}),
            "groups": None,
            "what": None,
            "of": frozenset({"mean", "weighted", "min"}),
        },
        needed_params=frozenset({"source"}),
        tells_absence=True,
    ),
    "best_share": Method(
        score_best_share,
        tell_best_share,
        ALL_EFFECTS,
        needs=frozenset({"full"}),
        params={"value_of": None},
        uses_peers=True,
    ),
    "place": Method(
        score_place,
        tell_place,
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


def outcome_of(method: str, leaf: Leaf, facts: Facts) -> Outcome:
    """The score of one subject, a column of length one, in words; raises `RuleViolation` for its named error."""
    refusal = refusal_of(method, facts.value, facts.target) if asks_target(method, leaf.params) else None
    if refusal is not None:
        raise RuleViolation(refusal)
    score = METHODS[method].column(leaf, Inputs.of(facts)).at(0)
    return Outcome(score, METHODS[method].told(leaf, facts, score))


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
    if key == "given":
        return params.get("of", "last") == "last"
    return METHODS[key].uses_marks and (key != "place" or params.get("by") == "registered")
