"""Why a score is what it is: the tree with formulas, and every entry counted or not, and why.

Source: docs/scoring.md section 6 and the shapes of section 8 (`explain`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import Bureau
from app.models.types import FOREVER
from app.rules.evaluate import Evaluation, NodeScore, Result
from app.rules.lines import Line
from app.rules.numbers import plain
from app.rules.periods import Period, Span
from app.rules.scheme import Node, SchemeTree
from app.services.settlement import settled_run
from app.services.sources import Key, Sources, read_lines, read_sources

Say = Callable[[Message], str]
SEPARATOR = "\uff1b"
NO_LEAF = N_("The indicator is no leaf of the subject's scheme: it counts nowhere.")
NOT_ASSESSED = N_("“%(code)s” is not assessed in %(period)s.")


def explain(
    session: Session, bureau: Bureau, period: Period, code: str, *, indicator: str | None, on: date, say: Say
) -> dict[str, Any]:
    """Explain a subject's score, or one node of it, as plain JSON values; `say` puts sentences into words.

    A settled period is explained as it was settled: same day, same entries; another one as of `on`.
    """
    run = settled_run(session, bureau, period)
    watermark = None if run is None else run.entry_watermark
    on = on if run is None or run.settled_on is None else run.settled_on
    sources = read_sources(session, bureau.id, period, watermark=watermark)
    evaluation = sources.evaluation(on=on)
    results = {it.subject.code: it for it in evaluation.results(period)}
    if code not in results:
        raise RuleViolation(Message(NOT_ASSESSED.msgid, {"code": code, "period": str(period)}))
    result = results[code]
    tree = evaluation.schemes[result.subject.scheme]
    start = indicator or tree.root
    if start not in tree.nodes:
        raise RuleViolation(N_("There is no such indicator."))
    lines = _lines_by_leaf(session, sources, period, code, watermark)
    teller = Teller(evaluation, period, code, tree, sources, lines, say)
    total = result.total
    return {
        "period": str(period),
        "bureau": bureau.code,
        "subject": code,
        "name": result.subject.name,
        "scheme": result.subject.scheme,
        "score": _shown(total, tree.places),
        "exact": None if total.exact is None else plain(total.exact),
        "rank": result.rank,
        "group_size": result.group_size,
        "neighbours": _neighbours(result, results.values(), evaluation),
        "node": teller.node(tree.nodes[start]),
    }


def _shown(score: NodeScore, places: int | None) -> str | None:
    return None if score.score is None else plain(score.score, places)


def _lines_by_leaf(
    session: Session, sources: Sources, period: Period, subject: str, watermark: int | None
) -> Mapping[Key, tuple[Line, ...]]:
    months = [str(month) for month in period.parts(Span.MONTH, on=FOREVER)]
    codes = {info.rule.indicator for info in sources.clauses.values()}
    return read_lines(session, sources, months, codes, subject=subject, watermark=watermark)


def _neighbours(result: Result, others: Iterable[Result], evaluation: Evaluation) -> list[dict[str, Any]]:
    """Who stands directly above and below in the group."""
    places = evaluation.schemes[result.subject.scheme].places
    own = (result.subject.kind, result.subject.group)

    def same(other: Result) -> bool:
        return (other.subject.kind, other.subject.group) == own

    group = sorted(
        (it for it in others if it.rank is not None and same(it)),
        key=lambda it: (it.rank or 0, it.subject.order),
    )
    index = next((i for i, it in enumerate(group) if it.subject.code == result.subject.code), None)
    if index is None:
        return []
    near = group[max(0, index - 1) : index] + group[index + 1 : index + 2]
    return [{"subject": it.subject.code, "score": _shown(it.total, places), "rank": it.rank} for it in near]


class Teller:
    """Tells the tree of one subject in one period."""

    def __init__(
        self,
        evaluation: Evaluation,
        period: Period,
        subject: str,
        tree: SchemeTree,
        sources: Sources,
        lines: Mapping[Key, tuple[Line, ...]],
        say: Say,
    ) -> None:
        self.evaluation, self.period, self.subject = evaluation, period, subject
        self.tree, self.sources, self.say = tree, sources, say
        self.by_leaf: dict[str, list[Line]] = defaultdict(list)
        self.infos = {info.rule.code: info for info in sources.clauses.values()}
        for (_, code, part), found in sorted(lines.items(), key=lambda it: (it[0][1], it[0][2])):
            if self._is_leaf_then(code, part):
                self.by_leaf[code] += found
        # Spans of other versions read an entry again; it is astray once.
        self.astray = {
            line.entry.id: line.dropped(NO_LEAF)
            for (_, code, _part), found in lines.items()
            if code not in self.by_leaf and not (code in tree.nodes and tree.nodes[code].is_leaf)
            for line in found
        }

    def _is_leaf_then(self, code: str, part: Period) -> bool:
        """Whether the code is a leaf, of this span, of the scheme the subject is under in that part."""
        assessed = self.evaluation.subjects(part).get(self.subject)
        if assessed is None:
            return False
        node = self.evaluation.schemes[assessed.scheme].nodes.get(code)
        return node is not None and node.is_leaf and node.span is part.span

    def node(self, node: Node) -> dict[str, Any]:
        """One node with its children and lines."""
        score = self.evaluation.node(self.period, self.subject, node.code)
        lines = sorted(self.by_leaf.get(node.code, ()), key=lambda it: (it.entry.occurred_on, it.entry.no))
        if node.code == self.tree.root:
            lines = [*lines, *self.astray.values()]
        formula = [score.error.reason] if score.error else list(score.formula)
        return {
            "indicator": node.code,
            "title": node.title,
            "method": node.method,
            "score": _shown(score, self.tree.places_of(node)),
            "exact": None if score.exact is None else plain(score.exact),
            "formula": SEPARATOR.join(self.say(part) for part in formula) + self._rounding(score, node),
            "children": [self.node(self.tree.nodes[code]) for code in node.children],
            "lines": [self.line(line) for line in lines],
        }

    def _rounding(self, score: NodeScore, node: Node) -> str:
        if score.exact is None or score.score is None or score.exact == score.score:
            return ""
        return f" → {plain(score.score, self.tree.places_of(node))}"

    def line(self, line: Line) -> dict[str, Any]:
        """One entry as counted, or not and why."""
        info = self.infos[line.clause.code]
        return {
            "no": line.entry.no,
            "occurred_on": line.entry.occurred_on.isoformat(),
            "clause": line.clause.code,
            "text": info.text,
            "basis": info.basis,
            "effect": line.clause.effect.value,
            "price": plain(line.price),
            "quantity": plain(Fraction(line.entry.quantity)),
            "factor": plain(line.factor),
            "share": "100",
            "points": plain(line.points),
            "counted": line.is_counted,
            "reason": self.say(line.reason) if line.reason is not None else "",
        }
