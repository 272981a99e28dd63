"""Cohorts: the subjects of one group in a period to whom the nodes of their scheme apply alike, and their columns.

Source: docs/scoring.md sections 1 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.errors import Message
from app.rules.periods import Period
from app.rules.scoring.columns import Column
from app.rules.scoring.scheme import Assessed, Node, SchemeTree, applies


@dataclass(frozen=True, slots=True)
class NodeError:
    """A named error: the indicator where it arose and the reason."""

    indicator: str
    reason: Message


@dataclass(frozen=True, slots=True)
class NodeColumn:
    """A node of a cohort: scores after rounding, before it, and the rows that have a named error instead."""

    score: Column
    exact: Column
    errors: Mapping[int, NodeError] = field(default_factory=dict)


@dataclass(slots=True)
class Cohort:
    """The subjects of one group in a period to whom the nodes of their scheme apply alike, in order."""

    period: Period
    tree: SchemeTree
    subjects: list[Assessed]
    columns: dict[str, NodeColumn] = field(default_factory=dict)
    codes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.codes = [it.code for it in self.subjects]

    @property
    def group(self) -> tuple[str, str]:
        return self.subjects[0].kind, self.subjects[0].group

    def has(self, node: Node) -> bool:
        """Whether a node applies to these subjects, what is above it left out."""
        return not node.applies_to or applies(node.applies_to, self.subjects[0])

    def reaches(self, node: Node) -> bool:
        """Whether everything above a node applies to these subjects."""
        return all(self.has(step) for step in self.tree.path(node.code) if step is not node)
