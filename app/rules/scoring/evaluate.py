"""The evaluation of a bureau: every node of every subject in a period, longer periods from shorter ones.

A score is a pure function of scheme versions, entries, targets, external results and organisation; nothing
here is stored or looked up. What is computed is a column: the scores of a cohort, the subjects of one group whose
nodes apply alike. Sentences are made when somebody reads them. Source: docs/scoring.md sections 2, 4 and 5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from app.errors import N_, Message
from app.rules.numbers import COMPARE_PLACES, plain
from app.rules.periods import SPAN_MONTHS, Period
from app.rules.scoring.cohorts import Cohort, NodeError
from app.rules.scoring.columns import column_of
from app.rules.scoring.combine import Child, NotApplicable, Part, Rollup, combine_parts, tell_combined, tell_ending
from app.rules.scoring.engine import NO_LEAF, NOT_APPLICABLE, SUPERSEDED, Columns
from app.rules.scoring.facts import Inputs
from app.rules.scoring.methods import METHODS
from app.rules.scoring.ranking import ranks_of
from app.rules.scoring.scheme import Assessed, Node

__all__ = ["NOT_APPLICABLE", "NO_BALLOT", "NO_LEAF", "SUPERSEDED", "Evaluation", "NodeError", "NodeScore", "Result"]
Report = Callable[[int, int], None]
Grades = Callable[["Evaluation", Period], Mapping[str, str | None]]
NO_BALLOT = N_("No valid ballot: voter group, question or grade is not among those of the indicator")


def say_nothing(_done: int, _of: int) -> None:
    """What a caller who wants no progress is given."""


def _wordless() -> tuple[Message, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class NodeScore:
    """A node of a subject in a period: its score after rounding, before it, and how it came about."""

    score: Fraction | None = None
    exact: Fraction | None = None
    error: NodeError | None = None
    tell: Callable[[], tuple[Message, ...]] = field(default=_wordless, compare=False)

    @property
    def formula(self) -> tuple[Message, ...]:
        return self.tell()


class Nodes(Mapping[str, NodeScore]):
    """The nodes of one subject, made when they are asked for."""

    def __init__(self, evaluation: Evaluation, cohort: Cohort, index: int) -> None:
        self._evaluation, self._cohort, self._index = evaluation, cohort, index

    def __getitem__(self, code: str) -> NodeScore:
        return self._evaluation.score_of(self._cohort, self._index, self._cohort.tree.nodes[code])

    def stored(self, code: str) -> tuple[int | None, int | None]:
        """Score and exact of a node as they are stored, integers of 6 decimals; None without a score."""
        column = self._evaluation.column(self._cohort, code)
        return column.score.stored[self._index], column.exact.stored[self._index]

    def stored_total(self) -> tuple[int | None, int | None]:
        """The same of the total."""
        column = self._evaluation.totals(self._cohort)
        return column.score.stored[self._index], column.exact.stored[self._index]

    def errors(self) -> list[NodeError]:
        """The distinct named errors of the subject, in the order of its nodes."""
        seen: dict[str, NodeError] = {}
        for code in self._cohort.tree.nodes:
            error = self._evaluation.column(self._cohort, code).errors.get(self._index)
            if error is not None:
                seen.setdefault(error.indicator, error)
        return list(seen.values())

    def __iter__(self) -> Iterator[str]:
        return iter(self._cohort.tree.nodes)

    def __len__(self) -> int:
        return len(self._cohort.tree.nodes)


@dataclass(frozen=True, slots=True)
class Result:
    """One subject of a period: all its nodes, its rank, and how many of its group have a total."""

    subject: Assessed
    total: NodeScore
    nodes: Nodes
    rank: int | None
    group_size: int
    grade: str | None = None


@dataclass(slots=True)
class Evaluation(Columns):
    """Evaluate periods of one bureau: results with ranks and grades, and every score in words when it is read."""

    def results(self, period: Period, *, grades: Grades, report: Report = say_nothing) -> list[Result]:
        """Evaluate the period: one result per assessed subject, ranked inside kind and group.

        `grades` gives the grade of each subject with one (`grading.grades_of`), asked when all totals stand; `report`
        is told after each subject how many are done, and of how many.
        """
        subjects, done = self.subjects(period), 0
        groups: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for cohort in self.cohorts(period):
            totals = self.totals(cohort)
            ranked = totals.exact if cohort.tree.ranks_exact else totals.score
            for code, standing in zip(cohort.codes, ranked.scaled(COMPARE_PLACES), strict=True):
                done += 1
                report(done, len(subjects))
                if standing is not None:
                    groups[cohort.group][code] = standing
        ranks: dict[str, int] = {}
        graded = grades(self, period)
        for members in groups.values():
            ranks |= ranks_of(members)
        found = []
        for code, it in subjects.items():
            cohort, index = self.place(period)[code]
            size = len(groups[it.kind, it.group])
            total, nodes = self.total(period, code), Nodes(self, cohort, index)
            found.append(Result(it, total, nodes, ranks.get(code), size, graded.get(code)))
        return found

    def result_of(self, period: Period, subject: str) -> Result | None:
        """One subject alone, without its rank and grade, which take the others; None if it is not assessed."""
        it = self.subjects(period).get(subject)
        if it is None:
            return None
        return Result(it, self.total(period, subject), Nodes(self, *self.place(period)[subject]), None, 0)

    def total(self, period: Period, subject: str) -> NodeScore:
        """The total of a subject; one that a veto has set says so."""
        cohort, index = self.place(period)[subject]
        root = self.score_of(cohort, index, cohort.tree.nodes[cohort.tree.root])
        vetoes = self._vetoes(period, subject)
        if root.score is None or not vetoes:
            return root
        lowest = min(vetoes)
        clause = next(it.clause for it in self.watched_of(period, subject) if it.veto == lowest)
        told = N_("set to %(score)s by veto, clause %(clause)s", score=lowest, clause=clause)
        return NodeScore(lowest, lowest, None, lambda: (*root.formula, told))

    def node(self, period: Period, subject: str, code: str) -> NodeScore:
        """The score of a node; without score where it does not exist, does not apply or is not due."""
        found = self.place(period).get(subject)
        if found is None or code not in found[0].tree.nodes:
            return NodeScore()
        return self.score_of(*found, found[0].tree.nodes[code])

    def score_of(self, cohort: Cohort, index: int, node: Node) -> NodeScore:
        """One row of a column; it is put into words when somebody reads it."""
        column = self.column(cohort, node.code)
        if index in column.errors:
            return NodeScore(error=column.errors[index])
        score = column.score.at(index)
        return NodeScore(score, column.exact.at(index), None, lambda: self._told(cohort, index, node, score))

    def _told(self, cohort: Cohort, index: int, node: Node, score: Fraction | None) -> tuple[Message, ...]:
        """How the score of a row came about, along the way of `_evaluate`."""
        if not cohort.reaches(node):
            return (NOT_APPLICABLE,)
        if SPAN_MONTHS[node.span] > cohort.period.months:
            return (N_("Computed for a longer period only"),)
        if not cohort.has(node):
            return (self._tell_instead(cohort, node),)
        if self._is_rolled_up(cohort, node):
            return (self._tell_rolled_up(cohort, index, node),)
        return self._tell_leaf(cohort, index, node) if node.is_leaf else self._tell_branch(cohort, index, node)

    def _tell_instead(self, cohort: Cohort, node: Node) -> Message:
        if node.not_applicable is NotApplicable.ZERO:
            return N_("Not applicable to this subject: 0")
        scores = self._of_others(cohort, node)
        if not scores:
            return NOT_APPLICABLE
        exact = sum(scores, Fraction(0)) / len(scores)
        return N_("Not applicable to this subject: mean of %(count)s others %(score)s", count=len(scores), score=exact)

    def _tell_rolled_up(self, cohort: Cohort, index: int, node: Node) -> Message:
        rollup = node.rollup or Rollup.MEAN
        if rollup is Rollup.NONE:
            return N_("Computed for shorter periods only")
        scores = [score for part in self._parts(cohort, node) if (score := part.score.at(index)) is not None]
        exact = self.column(cohort, node.code).exact.at(index)
        if exact is None:
            return N_("No shorter period has a score: not assessed")
        return _rollup_formula(rollup, scores, exact)

    def _tell_branch(self, cohort: Cohort, index: int, node: Node) -> tuple[Message, ...]:
        scores = [(child, column.score.at(index)) for child, column in self._children(cohort, node)]
        children = [Child(child.code, score, child.weight) for child, score in scores if score is not None]
        shift, value = self._shift(cohort, node), None
        if children:
            parts = [Part(child.code, column_of([child.score]), child.weight) for child in children]
            combined = combine_parts(node.method, parts, node.params, shift)
            value = None if combined is None else combined.at(0)
        formula = tell_combined(node.method, children, node.params, shift, value)
        return (formula, *self._tell_ending(cohort, index, node, value))

    def _tell_ending(self, cohort: Cohort, index: int, node: Node, value: Fraction | None) -> tuple[Message, ...]:
        if value is None:
            return ()
        gate = None
        if node.gate is not None and not self._is_open(node, self.column(cohort, node.gate.name), index):
            gate = N_(
                "0, because %(name)s %(sign)s %(number)s does not hold",
                name=node.gate.name, sign=node.gate.sign, number=Fraction(node.gate.number),
            )  # fmt: skip
        return tell_ending(value, self._ending(cohort, node), gate)

    def _tell_leaf(self, cohort: Cohort, index: int, node: Node) -> tuple[Message, ...]:
        inputs, _errors = self._inputs(cohort, node)
        method, facts = METHODS[node.method], inputs.at(index)
        score = method.column(node.leaf, Inputs.of(facts)).at(0)
        return (method.told(node.leaf, facts, score), *self._tell_ending(cohort, index, node, score))


def _rollup_formula(rollup: Rollup, scores: list[Fraction], exact: Fraction) -> Message:
    def parts() -> str:
        return " + ".join(plain(score) for score in scores)

    if rollup is Rollup.LAST:
        return N_("Last of %(count)s periods: %(score)s", count=len(scores), score=exact)
    if rollup is Rollup.SUM:
        return N_("%(parts)s = %(score)s", parts=parts, score=exact)
    return N_("(%(parts)s) ÷ %(count)s = %(score)s", parts=parts, count=len(scores), score=exact)
