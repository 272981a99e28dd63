"""Nodes of a tree: branches, finishing, what does not apply, and time (docs/scoring.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle import lines as ledger
from tests.oracle import people
from tests.oracle.book import Book, Entry, Node, comparison
from tests.oracle.leaves import Leaf, NamedError, cap_of, floor_of, is_superseded
from tests.oracle.numerals import holds, number, rounded
from tests.oracle.people import Standing
from tests.oracle.periods import KINDS, contains, inside, kind_of, longer, of_day


class Scores:
    """Every score of a bureau, computed when asked for and remembered."""

    def __init__(self, book: Book, on: date) -> None:
        self.book = book
        self.on = on
        self._known: dict[Any, Any] = {}

    def _once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The memo: a value or a named error, computed once."""
        if key not in self._known:
            try:
                self._known[key] = compute(), None
            except NamedError as error:
                self._known[key] = None, error
        value, error = self._known[key]
        if error is not None:
            raise error
        return value

    def standing(self, code: str, period: str) -> Standing | None:
        return self._once(("standing", code, period), lambda: people.standing(self.book, code, period))

    def subjects_of(self, period: str) -> list[Standing]:
        return self._once(("subjects", period), lambda: people.subjects_of(self.book, period))

    def units_of(self, period: str) -> list[Standing]:
        return [it for it in self.subjects_of(period) if it.subject.kind == "unit"]

    def group_of(self, one: Standing) -> list[Standing]:
        """§2: the group of the period; units and people never share one."""
        mine = (one.subject.kind, one.subject.group)
        return [it for it in self.subjects_of(one.period) if (it.subject.kind, it.subject.group) == mine]

    def lines(self, code: str, indicator: str, period: str) -> list[ledger.Line]:
        return self._once(("lines", code, indicator, period), lambda: ledger.lines(self.book, code, indicator, period))

    # --- scores of nodes ---

    def exact(self, one: Standing, node: Node) -> Fraction | None:
        """§5: the score of a node before `places`."""
        return self._once(("exact", one.code, node.code, one.period), lambda: self._exact(one, node))

    def score(self, one: Standing, node: Node) -> Fraction | None:
        """§2: what others take from a node, as it can be read on paper."""
        found = self.exact(one, node)
        places = self.places(one, node)
        return found if found is None or places is None else rounded(found, places)

    def score_of(self, one: Standing, code: str) -> Fraction | None:
        """The score of a node of the subject's own tree, by its code."""
        node = people.node_of(self.book, one.scheme, code)
        return None if node is None else self.score(one, node)

    def places(self, one: Standing, node: Node) -> int | None:
        """§2: the root is rounded by the scheme."""
        return node.places if node.parent else one.scheme.places

    def _exact(self, one: Standing, node: Node) -> Fraction | None:
        if not self.reached(one, node):
            return None
        span = span_of(node)
        if span and longer(span, kind_of(one.period)):
            return None
        if not self.applies_itself(one, node):
            return self._not_applicable(one, node)
        if is_rolled_up(node) and longer(kind_of(one.period), span):
            return self._rolled_up(one, node, span)
        raw = self._combined(one, node) if node.is_branch else Leaf(self, one, node).raw()
        return None if raw is None else self._finished(one, node, raw)

    def _finished(self, one: Standing, node: Node, value: Fraction) -> Fraction:
        """§5, finishing: cap → floor → gate → spread factor."""
        cap, floor = cap_of(node), floor_of(node)
        if cap is not None:
            value = min(value, cap)
        if floor is not None:
            value = max(value, floor)
        if not self.gate_holds(one, node):
            value = Fraction(0)
        return value * self._spread_factor(one, node)

    def gate_holds(self, one: Standing, node: Node) -> bool:
        """§5: a gate whose node has no score is not satisfied."""
        if "gate" not in node.params:
            return True
        code, op, limit = comparison(node.params["gate"])
        found = self.score_of(one, code)
        return found is not None and holds(found, op, number(limit))

    # --- time ---

    def _rolled_up(self, one: Standing, node: Node, span: str) -> Fraction | None:
        """§5: from all span periods inside, each with its own scheme; nodes by code, root by root."""
        rollup = node.rollup or "mean"
        found = []
        for period in [] if rollup == "none" else inside(one.period, span, self.on):
            then = self.standing(one.code, period)
            if then is None:
                continue
            same = (
                people.node_of(self.book, then.scheme, node.code)
                if node.parent
                else people.root_of(self.book, then.scheme)
            )
            score = None if same is None else self.score(then, same)
            if score is not None:
                found.append(score)
        if not found:
            return None
        if rollup == "last":
            return found[-1]
        whole = sum(found, Fraction(0))
        return whole / len(found) if rollup == "mean" else whole

    # --- what does not apply ---

    def applies_itself(self, one: Standing, node: Node) -> bool:
        """§5: one of the plain terms, if any, holds and no negated one is hit."""
        plain = [it for it in node.applies_to if not it.startswith("!")]
        negated = [it[1:] for it in node.applies_to if it.startswith("!")]
        return (not plain or any(_hit(one, it) for it in plain)) and not any(_hit(one, it) for it in negated)

    def reached(self, one: Standing, node: Node) -> bool:
        """§5: the nodes below one that does not apply have no scores."""
        above = people.parent_of(self.book, node)
        return above is None or (self.applies_itself(one, above) and self.reached(one, above))

    def applies(self, one: Standing, node: Node) -> bool:
        return self.reached(one, node) and self.applies_itself(one, node)

    def _not_applicable(self, one: Standing, node: Node) -> Fraction | None:
        if node.not_applicable == "zero":
            return Fraction(0)
        if node.not_applicable != "mean_of_others":
            return None
        found = []
        for other in self.group_of(one):
            if not self.applies(other, node):
                continue
            try:
                score = self.score(other, node)
            except NamedError:
                continue
            if score is not None:
                found.append(score)
        return sum(found, Fraction(0)) / len(found) if found else None

    def _spread_factor(self, one: Standing, node: Node) -> Fraction:
        """§5: under `sum` the points of what does not apply go to each sibling that has `full`."""
        parent = people.parent_of(self.book, node)
        if parent is None or parent.method != "sum" or node.full is None or node.weight == 0:
            return Fraction(1)
        spread, _ = self._factors(one, parent)
        return spread

    def _factors(self, one: Standing, parent: Node) -> tuple[Fraction, Fraction]:
        """§5: (A + S) ÷ A of the siblings, and (A + S + U) ÷ (A + S) of the parent's Σ."""
        applying = spread = scaled = Fraction(0)
        for child in people.children_of(self.book, parent):
            size = _size(parent, child)
            if size is None or child.weight == 0:
                continue
            if self.applies_itself(one, child):
                applying += size
            elif child.not_applicable == "spread":
                spread += size
            elif child.not_applicable == "scale_up":
                scaled += size
        if not applying:
            return Fraction(1), Fraction(1)
        return (applying + spread) / applying, (applying + spread + scaled) / (applying + spread)

    # --- branches ---

    def _combined(self, one: Standing, node: Node) -> Fraction | None:
        """§5: children without a score are left out, those of weight 0 are not combined."""
        found = []
        for child in people.children_of(self.book, node):
            if child.weight == 0:
                continue
            score = self.score(one, child)
            if score is not None:
                found.append((child, score))
        if not found:
            return None
        if node.method in ("sum", "weighted"):
            return self._summed(one, node, found)
        scores = [score for _, score in found]
        if node.method in ("min", "max"):
            return min(scores) if node.method == "min" else max(scores)
        whole = sum(scores, Fraction(0))
        if node.method == "scale":
            return whole * number(node.params["to"]) / number(node.params["from"])
        if node.method == "mean":
            return whole / len(scores)
        weights = sum((_given(child.weight) for child, _ in found), Fraction(0))
        return sum((_given(child.weight) * score for child, score in found), Fraction(0)) / weights

    def _summed(self, one: Standing, node: Node, found: Sequence[tuple[Node, Fraction]]) -> Fraction:
        """§5: `sum` and `weighted`; only what applies and has `full` (weight) is enlarged."""
        spread, scale = self._factors(one, node)
        enlarged = beside = Fraction(0)
        for child, score in found:
            weighted = node.method == "weighted" and child.weight is not None
            part = _given(child.weight) / 100 * score if weighted else score
            if _size(node, child) is None or not self.applies_itself(one, child):
                beside += part
            else:
                enlarged += part * spread if weighted else part
        return enlarged * scale + beside

    # --- totals ---

    def total(self, one: Standing) -> Fraction | None:
        """§5: the score of the root, or the veto."""
        return self._vetoed(one, self.score(one, people.root_of(self.book, one.scheme)))

    def exact_total(self, one: Standing) -> Fraction | None:
        return self._vetoed(one, self.exact(one, people.root_of(self.book, one.scheme)))

    def _vetoed(self, one: Standing, found: Fraction | None) -> Fraction | None:
        numbers = [number(it) for it in self.vetoes(one) if _is_number(it)]
        return found if found is None or not numbers else min(numbers)

    def vetoes(self, one: Standing) -> list[str]:
        """§5: the vetoes of the counted own entries in the period."""
        return [
            it.clause.veto
            for it in self.book.entries
            if it.subject == one.code and it.clause.veto and contains(one.period, it.day) and self.counts(it)
        ]

    def counts(self, entry: Entry) -> bool:
        """§3, §5: whether the leaf of the subject's own entry counts it in its span period."""
        for kind in KINDS:
            one = self.standing(entry.subject, of_day(entry.day, kind))
            node = None if one is None else people.node_of(self.book, one.scheme, entry.clause.indicator)
            if one is None or node is None or node.is_branch or span_of(node) != kind:
                continue
            if not (self.reached(one, node) and self.applies_itself(one, node)) or is_superseded(self, one, node):
                continue
            if any(it.entry.no == entry.no and it.counted for it in self.lines(one.code, node.code, one.period)):
                return True
        return False


def _hit(one: Standing, term: str) -> bool:
    name, _, value = term.partition("=")
    if name.strip() == "tag":
        return value.strip() in one.subject.tags
    mine = {"group": one.subject.group, "subject": one.code, "category": one.subject.category}
    return mine[name.strip()] == value.strip()


def span_of(node: Node) -> str:
    """§5: blank = month for leaves and for branches with `rollup`; other branches have none."""
    if node.span:
        return node.span
    return "month" if not node.is_branch or node.rollup else ""


def is_rolled_up(node: Node) -> bool:
    return not node.is_branch or bool(node.rollup)


def _size(parent: Node, child: Node) -> Fraction | None:
    """§5: what `spread` and `scale_up` go by: `full` under `sum`, the weight under `weighted`."""
    return {"sum": child.full, "weighted": child.weight}.get(parent.method)


def _given(value: Fraction | None) -> Fraction:
    assert value is not None
    return value


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).lstrip("-").isdigit()
