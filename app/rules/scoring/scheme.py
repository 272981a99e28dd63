"""What a scheme is to the engine: a tree of nodes with their numbers, ready to be evaluated.

Source: docs/scoring.md sections 1, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from app.rules.grammar import Comparison, Term, read_applies_to, read_comparison, read_limit
from app.rules.periods import Span
from app.rules.scoring.combine import BRANCHES, NotApplicable, Rollup
from app.rules.scoring.facts import Leaf
from app.rules.scoring.methods import METHODS

DEFAULT_PLACES = 2


@dataclass(frozen=True, slots=True)
class Node:
    """One indicator of a scheme, its texts already read."""

    code: str
    parent: str | None
    title: str
    method: str
    full: Fraction | None = None
    weight: Fraction | None = None
    base: Fraction | None = None
    cap: Fraction | None = None
    floor: Fraction | None = None
    places: int | None = None
    span: Span = Span.MONTH
    rollup: Rollup | None = None
    applies_to: tuple[Term, ...] = ()
    not_applicable: NotApplicable = NotApplicable.LEFT_OUT
    gate: Comparison | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    children: tuple[str, ...] = ()

    @property
    def is_leaf(self) -> bool:
        return self.method in METHODS

    @property
    def is_rolled_up(self) -> bool:
        """Leaves are rolled up beyond their span; a branch only if it declares a rollup."""
        return self.is_leaf or self.rollup is not None

    @property
    def leaf(self) -> Leaf:
        zero = Fraction(0)
        return Leaf(
            zero if self.full is None else self.full,
            zero if self.base is None else self.base,
            self.floor,
            self.params,
        )


@dataclass(frozen=True, slots=True)
class SchemeTree:
    """A scheme: its nodes by code, the root's code, and how totals are rounded and ranked."""

    code: str
    root: str
    nodes: Mapping[str, Node]
    places: int = DEFAULT_PLACES
    ranks_exact: bool = False

    def path(self, code: str) -> Iterable[Node]:
        """The node and everything above it, up to the root."""
        step: str | None = code
        while step is not None:
            node = self.nodes[step]
            yield node
            step = node.parent

    def places_of(self, node: Node) -> int | None:
        return self.places if node.code == self.root else node.places


def fraction(value: Decimal | None) -> Fraction | None:
    """An exact fraction of a stored number; absence stays absence."""
    return None if value is None else Fraction(value)


def limits_of(method: str, cap: str, floor: str, full: Decimal | None) -> tuple[Fraction | None, Fraction | None]:
    """The cap and floor in force: as written, `none` for open, blank for the method's default.

    Source: docs/scoring.md section 4.
    """
    defaults = METHODS.get(method)
    upper = fraction(read_limit(cap)) if cap else None
    lower = fraction(read_limit(floor)) if floor else None
    if not cap and defaults is not None and defaults.caps_at_full:
        upper = fraction(full)
    if not floor and defaults is not None and defaults.floors_at_zero:
        lower = Fraction(0)
    return upper, lower


@dataclass(frozen=True, slots=True)
class Assessed:
    """A subject in a period: its name, group and tags on the period's last day, and its scheme."""

    code: str
    kind: str
    name: str
    group: str
    scheme: str
    order: tuple[int, str] = (0, "")
    tags: frozenset[str] = frozenset()
    category: str = ""


def applies(terms: Iterable[Term], subject: Assessed) -> bool:
    """Whether a node applies: one of the plain terms (if any) holds and no negated one is hit.

    Source: docs/scoring.md section 5, Not applicable.
    """
    plain_terms = [term for term in terms if not term.negated]
    negated = [term for term in terms if term.negated]
    if any(_term_hits(term, subject) for term in negated):
        return False
    return not plain_terms or any(_term_hits(term, subject) for term in plain_terms)


def _term_hits(term: Term, subject: Assessed) -> bool:
    if term.name == "tag":
        return term.value in subject.tags
    return term.value == {"group": subject.group, "subject": subject.code, "category": subject.category}[term.name]


def build_node(
    *,
    code: str,
    parent: str | None,
    title: str,
    method: str,
    full: Decimal | None,
    weight: Decimal | None,
    base: Decimal | None,
    cap: str,
    floor: str,
    places: int | None,
    span: str,
    rollup: str,
    applies_to: str,
    params: Mapping[str, str],
    children: tuple[str, ...],
    not_applicable: str = "",
) -> Node:
    """Make a node of an indicator's stored columns; the texts have been checked before."""
    upper, lower = limits_of(method, cap, floor, full)
    is_leaf = method in METHODS
    return Node(
        code=code,
        parent=parent,
        title=title,
        method=method,
        full=fraction(full),
        weight=fraction(weight),
        base=fraction(base),
        cap=upper,
        floor=lower,
        places=places,
        span=Span(span) if span else Span.MONTH,
        rollup=Rollup(rollup) if rollup else (Rollup.MEAN if is_leaf else None),
        applies_to=read_applies_to(applies_to),
        not_applicable=NotApplicable(not_applicable),
        gate=read_comparison(params["gate"]) if "gate" in params else None,
        params=params,
        children=children,
    )


def knows_method(method: str) -> bool:
    """Whether the engine can evaluate the method or branch."""
    return method in METHODS or method in BRANCHES
