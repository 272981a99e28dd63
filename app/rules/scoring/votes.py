"""Votes in grades: voters, questions and their weights, over the ballots that are valid.

Source: docs/scoring.md section 4, votes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from app.errors import N_, Message
from app.rules.grammar import read_weights
from app.rules.scoring.columns import Column, column_of
from app.rules.scoring.facts import ZERO, Facts, Inputs, Leaf
from app.rules.scoring.lines import Ballots, Tally


def score_votes(leaf: Leaf, inputs: Inputs) -> Column:
    """Σ voter weight × Σ question weight × mean grade points over the valid ballots.

    Questions without ballots, then voter groups without any, drop out; the other weights are then taken ÷ their
    sum.
    """
    return column_of([_score_of(leaf, tally) for tally in inputs.tallies])


def tell_votes(leaf: Leaf, facts: Facts, score: Fraction | None) -> Message:
    number = sum((ballot.number for ballot in facts.tally.ballots if is_valid_ballot(leaf, ballot)), ZERO)
    return N_("%(number)s valid ballots, weighted mean = %(score)s", number=number, score=score)


def _score_of(leaf: Leaf, tally: Tally) -> Fraction | None:
    points = read_weights(leaf.params["grade_points"], negative=True)
    questions = _weights_of(leaf, "questions")
    voters = _weights_of(leaf, "voters")
    cast: dict[tuple[str, str], list[tuple[Fraction, Fraction]]] = {}
    for ballot in tally.ballots:
        voter = ballot.voter if "voters" in leaf.params else ""
        question = ballot.question if "questions" in leaf.params else ""
        if is_valid_ballot(leaf, ballot):
            mark = (Fraction(points[ballot.grade]), ballot.number)
            cast.setdefault((voter, question), []).append(mark)
    by_voter = {
        voter: _folded(questions, {question: _mean_of(cast.get((voter, question), ())) for question in questions})
        for voter in voters
    }
    return _folded(voters, by_voter)


def is_valid_ballot(leaf: Leaf, ballot: Ballots) -> bool:
    """Whether a ballot names a grade, a voter group and a question that the leaf knows, and there are any."""
    is_known = ("voters" not in leaf.params or ballot.voter in _weights_of(leaf, "voters")) and (
        "questions" not in leaf.params or ballot.question in _weights_of(leaf, "questions")
    )
    return ballot.number > 0 and is_known and ballot.grade in read_weights(leaf.params["grade_points"], negative=True)


def unknown_words(attrs: Mapping[str, str], params: Mapping[str, str]) -> list[str]:
    """The `name=value` of a ballot's attributes that a leaf with these parameters does not know; a blank is one too."""
    known = {"grade": "grade_points", "voter": "voters", "question": "questions"}
    found = []
    for name, source in known.items():
        if source in params:
            words = read_weights(params[source], negative=source == "grade_points")
            if attrs.get(name, "") not in words:
                found.append(f"{name}={attrs.get(name, '')}")
    return found


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
