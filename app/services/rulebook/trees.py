"""A scheme's indicators in the order of its tree, each with its depth and the sum of what is below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.models import Indicator
from app.rules.scoring.methods import METHODS

WHOLE = Decimal(100)


@dataclass(frozen=True, slots=True)
class Branch:
    """One node as the tree shows it, with what its children's full marks and weights add up to."""

    node: Indicator
    depth: int
    is_leaf: bool
    children_full: Decimal | None
    children_weight: Decimal | None

    @property
    def short_weights(self) -> Decimal | None:
        """The sum of the weights below a weighted branch, where it is not 100."""
        if self.node.method != "weighted" or self.children_weight == WHOLE:
            return None
        return self.children_weight or Decimal(0)

    @property
    def disagrees(self) -> bool:
        """Whether the full marks of the children of a sum do not add up to the node's own."""
        return (
            self.node.method == "sum"
            and self.node.full is not None
            and self.children_full is not None
            and self.node.full != self.children_full
        )


def outline(nodes: Sequence[Indicator]) -> list[Branch]:
    """The nodes depth first; nodes that hang on nothing come last at depth 0."""
    below: dict[str, list[Indicator]] = defaultdict(list)
    for node in nodes:
        below[node.parent_code].append(node)
    found: list[Branch] = []
    seen: set[str] = set()

    def walk(node: Indicator, depth: int) -> None:
        if node.code in seen:
            return
        seen.add(node.code)
        children = below[node.code]
        fulls = [child.full for child in children if child.full is not None and child.weight != 0]
        weights = [child.weight for child in children if child.weight is not None]
        found.append(
            Branch(
                node,
                depth,
                node.method in METHODS,
                sum(fulls, Decimal(0)) if fulls else None,
                sum(weights, Decimal(0)) if weights else None,
            )
        )
        for child in children:
            walk(child, depth + 1)

    for root in below[""]:
        walk(root, 0)
    for node in nodes:
        walk(node, 0)
    return found
