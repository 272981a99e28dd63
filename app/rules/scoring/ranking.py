"""Who stands where: competition ranking inside a group, ties sharing a rank.

Source: docs/scoring.md section 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from app.rules.numbers import COMPARE_PLACES, comparable, round_half_up


def competition_ranks(totals: Mapping[str, Fraction]) -> dict[str, int]:
    """Rank the totals of one group, highest first, as 1, 2, 2, 4; one rank per key."""
    return ranks_of({key: int(comparable(total) * 10**COMPARE_PLACES) for key, total in totals.items()})


def ranks_of(standing: Mapping[str, int]) -> dict[str, int]:
    """Rank what is comparable already: integers of 12 decimals."""
    first_of: dict[int, int] = {}
    for index, value in enumerate(sorted(standing.values(), reverse=True), start=1):
        first_of.setdefault(value, index)
    return {key: first_of[value] for key, value in standing.items()}


def distribution(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, in the order in which they are first met."""
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found


def percentage(part: int, whole: int, places: int = 2) -> Fraction | None:
    """A part of a whole in percent, rounded half up; None of nothing."""
    return None if not whole else round_half_up(Fraction(100 * part, whole), places)
