"""Printed results of the bureaus above beside own ones: how far apart, and where the print contradicts itself.

Source: docs/scoring.md section 2; what is printed is kept, what does not follow from it is said beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from app.errors import N_, Message
from app.rules.scoring.ranking import competition_ranks


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed result: of a subject, for an indicator or (blank) the total, from an issuer."""

    subject: str
    indicator: str
    issuer: str
    score: Decimal | None
    rank: int | None


def deviation(own: Decimal | None, printed: Decimal | None) -> Fraction | None:
    """By how much the printed score is above the own one; None where one side is missing."""
    return None if own is None or printed is None else Fraction(printed) - Fraction(own)


def contradictions(results: Sequence[Printed]) -> dict[tuple[str, str, str], list[Message]]:
    """What does not follow from the printed numbers of one period, by subject, indicator and issuer.

    A rank is held against the competition ranks of the printed scores of the same table, where every row of it
    has a score; a total against the sum of the printed items, where there are at least two.
    """
    found: dict[tuple[str, str, str], list[Message]] = defaultdict(list)
    tables: dict[tuple[str, str], list[Printed]] = defaultdict(list)
    items: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for result in results:
        tables[result.indicator, result.issuer].append(result)
        if result.indicator and result.score is not None:
            items[result.subject, result.issuer].append(result.score)
    for rows in tables.values():
        scores = {it.subject: Fraction(it.score) for it in rows if it.score is not None}
        if len(scores) == len(rows):
            _wrong_ranks(rows, competition_ranks(scores), found)
    for result in results:
        parts = items[result.subject, result.issuer]
        if not result.indicator and result.score is not None and len(parts) > 1 and sum(parts) != result.score:
            found[result.subject, result.indicator, result.issuer].append(
                N_("The printed items add up to %(sum)s, not to the printed total.", sum=Fraction(sum(parts)))
            )
    return dict(found)


def _wrong_ranks(
    rows: Sequence[Printed], ranks: Mapping[str, int], found: dict[tuple[str, str, str], list[Message]]
) -> None:
    for row in rows:
        if row.rank is not None and row.rank != ranks[row.subject]:
            found[row.subject, row.indicator, row.issuer].append(
                N_("By the printed scores the rank would be %(rank)s.", rank=ranks[row.subject])
            )
