"""Why a score is what it is: the tree with formulas, and every entry counted or not, and why.

Source: docs/scoring.md section 6 and the shapes of section 8 (`explain`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import Bureau, PeriodScore, Subject
from app.policies.scoping import unscoped
from app.rules.numbers import plain
from app.rules.periods import Period
from app.rules.scoring.evaluate import NO_BALLOT, NO_LEAF, Evaluation, NodeScore, Result
from app.rules.scoring.lines import Line, ballots_of
from app.rules.scoring.scheme import Node
from app.rules.scoring.votes import is_valid_ballot
from app.services.scoring.ledger_lines import read_lines
from app.services.scoring.settlement import Computed, compute, settled_run
from app.services.scoring.source_data import Key

WHY = "a score rests on the whole group; whose sheet one may open was asked before"
Say = Callable[[Message], str]
SEPARATOR = "\uff1b"
NOT_ASSESSED = N_("“%(code)s” is not assessed in %(period)s.")


def explain(
    session: Session, bureau: Bureau, period: Period, code: str, *, indicator: str | None, on: date, say: Say
) -> dict[str, Any]:
    """Explain a subject's score, or one node of it, as plain JSON values; `say` puts sentences into words.

    A settled period is explained as it was settled: same day, same entries, the stored ranks; only what the subject
    depends on is evaluated. Another period is evaluated whole, as of `on`.
    """
    is_settled = settled_run(session, bureau, period) is not None
    done = as_settled(session, bureau, period, on=on, only=code if is_settled else None)
    result = next((result for result in done.results if result.subject.code == code), None)
    if result is None:
        raise RuleViolation(Message(NOT_ASSESSED.msgid, {"code": code, "period": str(period)}))
    if is_settled:
        place = _stored_place(session, done, result)
    else:
        place = Place(result.rank, result.group_size, _neighbours(result, done.results, done.evaluation))
    lines = lines_of(session, done, subject=code)
    tree = done.evaluation.schemes[result.subject.scheme]
    start = indicator or tree.root
    if start not in tree.nodes:
        raise RuleViolation(N_("There is no such indicator."))
    teller = Teller(done, result, lines, say)
    return {
        "period": str(period),
        "bureau": bureau.code,
        "subject": code,
        "name": result.subject.name,
        "scheme": result.subject.scheme,
        "score": _shown(result.total, tree.places),
        "exact": None if result.total.exact is None else plain(result.total.exact),
        "rank": place.rank,
        "group_size": place.group_size,
        "neighbours": place.neighbours,
        "node": teller.node(tree.nodes[start]),
    }


def distances(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The neighbours as somebody is told who may not see them: no name, no score, how far above or below they stand.

    In a group of fewer than five a distance names a person: nothing is told. Source: trust demand PI-08.
    """
    if told["group_size"] < SMALLEST_GROUP or told["score"] is None:
        return []
    own = Decimal(told["score"])
    return [
        {"subject": "", "score": "", "rank": near["rank"], "distance": plain(Decimal(near["score"]) - own)}
        for near in told["neighbours"]
        if near["score"] is not None
    ]


def as_settled(session: Session, bureau: Bureau, period: Period, *, on: date, only: str | None = None) -> Computed:
    """Evaluate a period as its settlement saw it; one that was not settled as of `on`."""
    run = settled_run(session, bureau, period)
    if run is None or run.settled_on is None:
        return compute(session, bureau, period, on=on, only=only)
    return compute(session, bureau, period, on=run.settled_on, watermark=run.entry_watermark, only=only)


def lines_of(session: Session, done: Computed, *, subject: str | None = None) -> Mapping[Key, tuple[Line, ...]]:
    """Every entry of the period's months as counted, of one subject or of all."""
    codes = {info.rule.indicator for info in done.sources.clauses.values()}
    return read_lines(
        session, done.sources, list(done.period.month_keys), codes, subject=subject, watermark=done.watermark
    )


def _shown(score: NodeScore, places: int | None) -> str | None:
    return None if score.score is None else plain(score.score, places)


SMALLEST_GROUP = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject stands in its group, and who directly above and below."""

    rank: int | None
    group_size: int
    neighbours: list[dict[str, Any]]


def _stored_place(session: Session, done: Computed, result: Result) -> Place:
    """Rank, size of the group and neighbours as they are stored; `verify` holds them against the sources."""
    score, subject = PeriodScore.__table__.c, Subject.__table__.c
    query = (
        select(subject.code, score.score, score.places, score.rank)
        .join(Subject.__table__, subject.id == score.subject_id)
        .where(
            score.bureau_id == done.bureau.id, score.period == str(done.period), score.indicator_code == "",
            score.group_name == result.subject.group, subject.kind == result.subject.kind,
        )
        .order_by(score.rank, score.position, subject.code)
    )  # fmt: skip
    group = unscoped(session, WHY).execute(query).all()
    index = next((i for i, row in enumerate(group) if row.code == result.subject.code), None)
    if index is None:
        return Place(None, len(group), [])
    near = [*group[max(0, index - 1) : index], *group[index + 1 : index + 2]]
    found = [{"subject": row.code, "score": plain(row.score, row.places), "rank": row.rank} for row in near]
    return Place(group[index].rank, len(group), found)


def _neighbours(result: Result, others: Iterable[Result], evaluation: Evaluation) -> list[dict[str, Any]]:
    """Who stands directly above and below in the group."""
    places = evaluation.schemes[result.subject.scheme].places
    own = (result.subject.kind, result.subject.group)

    def same(other: Result) -> bool:
        return (other.subject.kind, other.subject.group) == own

    group = sorted(
        (other for other in others if other.rank is not None and same(other)),
        key=lambda it: (it.rank or 0, it.subject.order),
    )
    index = next((i for i, it in enumerate(group) if it.subject.code == result.subject.code), None)
    if index is None:
        return []
    near = group[max(0, index - 1) : index] + group[index + 1 : index + 2]
    return [{"subject": it.subject.code, "score": _shown(it.total, places), "rank": it.rank} for it in near]


def _is_ballot(node: Node, line: Line) -> bool:
    return "grade" in line.entry.attrs and is_valid_ballot(node.leaf, ballots_of(line))


class Teller:
    """Tells the tree of one subject in one period."""

    def __init__(self, done: Computed, result: Result, lines: Mapping[Key, tuple[Line, ...]], say: Say) -> None:
        """`lines` are those of the subject, or of everybody."""
        self.evaluation, self.period, self.subject = done.evaluation, done.period, result.subject.code
        self.tree, self.say = done.evaluation.schemes[result.subject.scheme], say
        tree = self.tree
        self.by_leaf: dict[str, list[Line]] = defaultdict(list)
        self.infos = {info.rule.code: info for info in done.sources.clauses.values()}
        lines = {key: found for key, found in lines.items() if key[0] == self.subject}
        elsewhere: dict[int, Line] = {}
        for (_, code, part), found in sorted(lines.items(), key=lambda it: (it[0][1], it[0][2])):
            is_leaf = self.evaluation.counts(part, self.subject, code)
            if is_leaf and code in tree.nodes and tree.nodes[code].is_leaf:
                self.by_leaf[code] += self._counted(part, code, found)
            else:
                # A leaf of a scheme that held then, or of none: shown at the root, once.
                why = N_("Counted in %(period)s, under a leaf the present scheme does not have", period=part.spoken)
                elsewhere |= {line.entry.id: line.dropped(why if is_leaf else NO_LEAF) for line in found}
        shown = {line.entry.id for found in self.by_leaf.values() for line in found}
        self.astray = {pk: line for pk, line in elsewhere.items() if pk not in shown}

    def _counted(self, part: Period, code: str, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines of a leaf in a span period, those that do not count with the reason."""
        why = self.evaluation.why_not(part, self.subject, code)
        node = self.evaluation.tree(self.evaluation.subjects(part)[self.subject]).nodes[code]
        for line in lines:
            if why is not None and line.is_counted:
                yield line.dropped(why)
            elif node.method == "votes" and line.is_counted and not _is_ballot(node, line):
                yield line.dropped(NO_BALLOT)
            else:
                yield line

    def node(self, node: Node) -> dict[str, Any]:
        """One node with its children and lines."""
        is_root = node.code == self.tree.root
        score = (self.evaluation.total if is_root else self._score_of(node))(self.period, self.subject)
        lines = sorted(self.by_leaf.get(node.code, ()), key=lambda it: (it.entry.occurred_on, it.entry.no))
        if is_root:
            lines = [*lines, *self.astray.values()]
        formula = [score.error.reason] if score.error else list(score.formula)
        shown = [self.line(line) for line in lines]
        if node.is_leaf and score.score is None and score.error is None:
            # The entries act in another period, or under a node that does not apply: here they give nothing.
            why = SEPARATOR.join(self.say(part) for part in formula)
            shown = [{**it, "counted": False, "points": "0", "reason": it["reason"] or why} for it in shown]
        return {
            "indicator": node.code,
            "title": node.title,
            "method": node.method,
            "score": _shown(score, self.tree.places_of(node)),
            "exact": None if score.exact is None else plain(score.exact),
            "formula": SEPARATOR.join(self.say(part) for part in formula) + self._rounding(score, node),
            "children": [self.node(self.tree.nodes[code]) for code in node.children],
            "lines": shown,
        }

    def _score_of(self, node: Node) -> Callable[[Period, str], NodeScore]:
        return lambda period, subject: self.evaluation.node(period, subject, node.code)

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
            "share": plain(line.entry.share * 100),
            "points": plain(line.points),
            "counted": line.is_counted,
            "reason": self.say(line.reason) if line.reason is not None else "",
        }
