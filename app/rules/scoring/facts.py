"""What a method gets and gives: the numbers of a leaf, what it sees of a subject, a score with its formula.

Source: docs/scoring.md section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from app.errors import N_, Message
from app.rules.scoring.columns import Column, column_of
from app.rules.scoring.lines import Tally

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
    other nodes of the tree that the parameters name, `linked` those of linked units with the days they were linked.
    """

    tally: Tally = field(default_factory=Tally)
    value: Fraction | None = None
    target: Fraction | None = None
    external: External | None = None
    peers: Sequence[Fraction] = ()
    named: Mapping[str, Fraction | None] = field(default_factory=dict)
    linked: Sequence[tuple[Fraction, int]] = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a leaf sees of a cohort in one span period: `Facts` as columns, in the order of its subjects.

    `tallies` are there for the leaves that look at single marks or ballots; `peers` are those of the whole group.
    """

    sums: Column
    counts: Sequence[int]
    quantities: Column
    value: Column
    target: Column
    tallies: Sequence[Tally] = ()
    externals: Sequence[External | None] = ()
    peers: Sequence[Fraction] = ()
    named: Mapping[str, Column] = field(default_factory=dict)
    linked: Sequence[Sequence[tuple[Fraction, int]]] = ()

    @classmethod
    def of(cls, facts: Facts) -> Inputs:
        """One subject: columns of length one."""
        tally = facts.tally
        return cls(
            column_of([tally.total]), [tally.count], column_of([tally.quantity]), column_of([facts.value]),
            column_of([facts.target]), [tally], [facts.external], facts.peers,
            {code: column_of([score]) for code, score in facts.named.items()}, [facts.linked],
        )  # fmt: skip

    def at(self, index: int) -> Facts:
        """What the leaf sees of one subject."""
        total = self.sums.at(index)
        tally = self.tallies[index] if self.tallies else Tally(total or ZERO, self.counts[index])
        return Facts(
            tally, self.value.at(index), self.target.at(index), self.externals[index] if self.externals else None,
            self.peers, {code: column.at(index) for code, column in self.named.items()},
            self.linked[index] if self.linked else (),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """A score (None: not assessed) and the formula that gave it."""

    score: Fraction | None
    formula: Message


NOTHING = Outcome(None, N_("No counted entry in the period: not assessed"))
