"""What the entries of a leaf come to, by subject: integers over one unit, and single marks where a leaf asks for them.

Source: docs/scoring.md sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import TypeAlias

from app.rules.periods import Period
from app.rules.scoring.lines import Tally

QUANTITY_UNIT = 10_000
NO_TALLY = Tally()
Cells: TypeAlias = Mapping[tuple[str, Period], "Cell"]


@dataclass(slots=True)
class Cell:
    """One leaf in one span period: Σ of the counted lines over `unit`, how many, and their quantities, by subject.

    `tallies` hold the marks and ballots of a subject, in order, where the leaf was read entry by entry.
    """

    unit: int = 1
    sums: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    quantities: dict[str, int] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def holding(self, unit: int) -> int:
        """Make the unit a multiple of another; how many of it the other is."""
        if self.unit % unit:
            wider = lcm(self.unit, unit)
            factor = wider // self.unit
            self.sums = {subject: value * factor for subject, value in self.sums.items()}
            self.unit = wider
        return self.unit // unit

    def add(self, subject: str, numerator: int, count: int, quantity: int) -> None:
        """Add to a subject what was brought to the unit."""
        self.sums[subject] = self.sums.get(subject, 0) + numerator
        self.counts[subject] = self.counts.get(subject, 0) + count
        self.quantities[subject] = self.quantities.get(subject, 0) + quantity

    def keep(self, subject: str, tally: Tally) -> None:
        """Put a tally in place of what a subject had."""
        self.holding(tally.total.denominator)
        self.sums[subject] = tally.total.numerator * (self.unit // tally.total.denominator)
        self.counts[subject] = tally.count
        self.quantities[subject] = int(tally.quantity * QUANTITY_UNIT)
        self.tallies[subject] = tally

    def having(self, subject: str, tally: Tally) -> Cell:
        """A cell beside this one, with another tally of a subject."""
        other = Cell(self.unit, dict(self.sums), dict(self.counts), dict(self.quantities), dict(self.tallies))
        other.keep(subject, tally)
        return other

    def tally(self, subject: str) -> Tally:
        """What one subject has; without its marks and ballots where they were not read."""
        if subject in self.tallies:
            return self.tallies[subject]
        return Tally(Fraction(self.sums.get(subject, 0), self.unit), self.counts.get(subject, 0))


def cells_of(tallies: Mapping[tuple[str, str, Period], Tally]) -> dict[tuple[str, Period], Cell]:
    """Cells of tallies by subject, leaf and span period."""
    found: dict[tuple[str, Period], Cell] = {}
    for (subject, leaf, period), tally in tallies.items():
        found.setdefault((leaf, period), Cell()).keep(subject, tally)
    return found
