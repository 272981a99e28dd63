"""The evaluation of a bureau: every node of every subject in a period, longer periods from shorter ones.

A score is a pure function of scheme versions, entries, targets, external results and organisation; nothing
here is stored or looked up. Source: docs/scoring.md sections 2, 4 and 5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from app.errors import N_, Message, RuleViolation
from app.rules.grammar import split_list
from app.rules.numbers import plain
from app.rules.periods import SPAN_MONTHS, Period
from app.rules.scoring.combine import (
    Child,
    Finished,
    NotApplicable,
    Rollup,
    Shift,
    Sibling,
    combine,
    finish,
    roll_up,
    rounded,
    shift_of,
)
from app.rules.scoring.facts import External, Facts, Outcome
from app.rules.scoring.grades import GradeRule, Watched
from app.rules.scoring.lines import Tally
from app.rules.scoring.methods import METHODS, asks_target, needs_rows, rows_named, takes_external
from app.rules.scoring.ranking import competition_ranks
from app.rules.scoring.scheme import Assessed, Node, SchemeTree, applies

Report = Callable[[int, int], None]
Grades = Callable[["Evaluation", Period], Mapping[str, str | None]]
NOT_APPLICABLE = N_("Not applicable to this subject")
NO_LEAF = N_("The indicator is no leaf of the subject's scheme: it counts nowhere.")
SUPERSEDED = N_("The external result is the only mark of the period")
NO_BALLOT = N_("No valid ballot: voter group, question or grade is not among those of the indicator")
LEAVING = frozenset({NotApplicable.SPREAD, NotApplicable.SCALE_UP})


def _no_links(_source: str, _subject: str, _period: Period) -> Mapping[str, int]:
    """What a bureau without links has."""
    return {}


def say_nothing(_done: int, _of: int) -> None:
    """What a caller who wants no progress is given."""


@dataclass(frozen=True, slots=True)
class NodeError:
    """A named error: the indicator where it arose and the reason."""

    indicator: str
    reason: Message


@dataclass(frozen=True, slots=True)
class NodeScore:
    """A node of a subject in a period: its score after rounding, before it, and how it came about."""

    score: Fraction | None = None
    exact: Fraction | None = None
    formula: tuple[Message, ...] = ()
    error: NodeError | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One subject of a period: all its nodes, its rank, and how many of its group have a total."""

    subject: Assessed
    total: NodeScore
    nodes: Mapping[str, NodeScore]
    rank: int | None
    group_size: int
    grade: str | None = None


@dataclass(slots=True)
class Evaluation:
    """Evaluate periods of one bureau on the day `on`.

    `subjects_on` gives the assessed subjects of a period by code; `tallies`, `targets` and `externals` are
    keyed (subject, indicator, period). What is computed once is remembered, so that a year asks each month
    once. Recursion follows the tree, whose depth the check of the workbook bounds.
    """

    schemes: Mapping[str, SchemeTree]
    subjects_on: Callable[[Period], Mapping[str, Assessed]]
    tallies: Mapping[tuple[str, str, Period], Tally]
    targets: Mapping[tuple[str, str, Period], Fraction]
    externals: Mapping[tuple[str, str, Period], External]
    on: date
    watched: Mapping[tuple[str, str, Period], tuple[Watched, ...]] = field(default_factory=dict)
    grade_rules: Mapping[str, Sequence[GradeRule]] = field(default_factory=dict)
    links: Callable[[str, str, Period], Mapping[str, int]] = _no_links
    _subjects: dict[Period, Mapping[str, Assessed]] = field(default_factory=dict)
    _nodes: dict[tuple[Period, str, str], NodeScore] = field(default_factory=dict)
    _peers: dict[tuple[Period, str, str, str], tuple[Fraction, ...]] = field(default_factory=dict)

    def results(self, period: Period, *, grades: Grades, report: Report = say_nothing) -> list[Result]:
        """Evaluate the period: one result per assessed subject, ranked inside kind and group.

        `grades` gives the grade of each subject with one (`grading.grades_of`), asked when all totals stand; `report`
        is told after each subject how many are done, and of how many.
        """
        subjects = self.subjects(period)
        totals = {}
        for index, code in enumerate(subjects, start=1):
            totals[code] = self.total(period, code)
            report(index, len(subjects))
        groups: dict[tuple[str, str], dict[str, Fraction]] = defaultdict(dict)
        for code, it in subjects.items():
            total = totals[code]
            if total.score is not None and total.exact is not None:
                ranked = total.exact if self.tree(it).ranks_exact else total.score
                groups[it.kind, it.group][code] = ranked
        ranks: dict[str, int] = {}
        graded = grades(self, period)
        for members in groups.values():
            ranks |= competition_ranks(members)
        return [
            Result(
                it,
                totals[code],
                {node: self.node(period, code, node) for node in self.tree(it).nodes},
                ranks.get(code),
                len(groups[it.kind, it.group]),
                graded.get(code),
            )
            for code, it in subjects.items()
        ]

    def result_of(self, period: Period, subject: str) -> Result | None:
        """One subject alone, without its rank and grade, which take the others; None if it is not assessed."""
        it = self.subjects(period).get(subject)
        if it is None:
            return None
        nodes = {node: self.node(period, subject, node) for node in self.tree(it).nodes}
        return Result(it, self.total(period, subject), nodes, None, 0)

    def total(self, period: Period, subject: str) -> NodeScore:
        """The total of a subject: its root, set to the lowest veto of the period if there is one.

        Source: docs/scoring.md section 5, veto; the nodes are left as they are.
        """
        root = self.node(period, subject, self.tree(self.subjects(period)[subject]).root)
        vetoes = [it.veto for it in self.watched_of(period, subject) if it.veto is not None]
        if root.score is None or root.error is not None or not vetoes:
            return root
        lowest = min(vetoes)
        clause = next(it.clause for it in self.watched_of(period, subject) if it.veto == lowest)
        told = N_("set to %(score)s by veto, clause %(clause)s", score=lowest, clause=clause)
        return NodeScore(lowest, lowest, (*root.formula, told))

    def watched_of(self, period: Period, subject: str) -> list[Watched]:
        """The watched entries of the period's months, where their leaf counts them."""
        if not self.watched:
            return []
        return [
            it
            for (code, indicator, part), found in self.watched.items()
            if code == subject and self.why_not(part, subject, indicator) is None
            for it in found
            if it.month in period.month_keys
        ]

    def counts(self, part: Period, subject: str, indicator: str) -> bool:
        """Whether a code is a leaf, of this span, of the scheme a subject is under in a span period."""
        assessed = self.subjects(part).get(subject)
        node = None if assessed is None else self.tree(assessed).nodes.get(indicator)
        return node is not None and node.is_leaf and node.span is part.span

    def why_not(self, part: Period, subject: str, indicator: str) -> Message | None:
        """Why no entry of a code counts for a subject in a span period; None where they count.

        Source: docs/scoring.md sections 1 (a code that is no leaf), 4 (external results) and 5 (not applicable).
        """
        if not self.counts(part, subject, indicator):
            return NO_LEAF
        assessed = self.subjects(part)[subject]
        tree = self.tree(assessed)
        if not all(applies(step.applies_to, assessed) for step in tree.path(indicator)):
            return NOT_APPLICABLE
        node = tree.nodes[indicator]
        external = self.externals.get((subject, indicator, part))
        return SUPERSEDED if takes_external(node.method, node.params, external) else None

    def subjects(self, period: Period) -> Mapping[str, Assessed]:
        if period not in self._subjects:
            self._subjects[period] = self.subjects_on(period)
        return self._subjects[period]

    def tree(self, subject: Assessed) -> SchemeTree:
        return self.schemes[subject.scheme]

    def node(self, period: Period, subject: str, code: str) -> NodeScore:
        """The score of a node; without score where it does not exist, does not apply or is not due."""
        key = (period, subject, code)
        if key not in self._nodes:
            self._nodes[key] = self._evaluate(period, subject, code)
        return self._nodes[key]

    def _evaluate(self, period: Period, subject: str, code: str) -> NodeScore:
        assessed = self.subjects(period).get(subject)
        if assessed is None or code not in self.tree(assessed).nodes:
            return NodeScore()
        tree = self.tree(assessed)
        node = tree.nodes[code]
        above = [step for step in tree.path(code) if step is not node]
        if not all(applies(step.applies_to, assessed) for step in above):
            return NodeScore(formula=(NOT_APPLICABLE,))
        own_months = SPAN_MONTHS[node.span]
        if own_months > period.months:
            return NodeScore(formula=(N_("Computed for a longer period only"),))
        if not applies(node.applies_to, assessed):
            return self._instead(period, assessed, node)
        if node.is_rolled_up and own_months < period.months:
            return self._rolled_up(period, subject, tree, node)
        return self._leaf(period, assessed, node) if node.is_leaf else self._branch(period, assessed, node)

    def _instead(self, period: Period, assessed: Assessed, node: Node) -> NodeScore:
        """What a node that does not apply to a subject has all the same. Source: section 5, Not applicable."""
        if node.not_applicable is NotApplicable.ZERO:
            return NodeScore(Fraction(0), Fraction(0), (N_("Not applicable to this subject: 0"),))
        if node.not_applicable is not NotApplicable.MEAN_OF_OTHERS:
            return NodeScore(formula=(NOT_APPLICABLE,))
        tree = self.tree(assessed)
        found = [self.node(period, peer.code, node.code) for peer in self._peers_under(period, assessed, node)]
        scores = [it.score for it in found if it.score is not None and it.error is None]
        if not scores:
            return NodeScore(formula=(NOT_APPLICABLE,))
        exact = sum(scores, Fraction(0)) / len(scores)
        told = N_("Not applicable to this subject: mean of %(count)s others %(score)s", count=len(scores), score=exact)
        return NodeScore(rounded(exact, tree.places_of(node)), exact, (told,))

    def _peers_under(self, period: Period, assessed: Assessed, node: Node) -> list[Assessed]:
        """The subjects of the group to which a node applies."""
        return [
            peer
            for peer in self.subjects(period).values()
            if (peer.kind, peer.group) == (assessed.kind, assessed.group)
            and node.code in self.tree(peer).nodes
            and all(applies(step.applies_to, peer) for step in self.tree(peer).path(node.code))
        ]

    def _shift(self, assessed: Assessed, parent: Node) -> Shift:
        """What the children of a sum or weighted sum that apply take over from those that do not."""
        if parent.method not in ("sum", "weighted"):
            return Shift()
        nodes = [self.tree(assessed).nodes[code] for code in parent.children]
        if all(node.not_applicable not in LEAVING for node in nodes):
            return Shift()
        return shift_of(
            [
                Sibling(
                    node.code, node.full if parent.method == "sum" else node.weight, applies(node.applies_to, assessed),
                    node.not_applicable, node.weight == 0,
                )
                for node in nodes
            ]
        )  # fmt: skip

    def _rolled_up(self, period: Period, subject: str, tree: SchemeTree, node: Node) -> NodeScore:
        rollup = node.rollup or Rollup.MEAN
        if rollup is Rollup.NONE:
            return NodeScore(formula=(N_("Computed for shorter periods only"),))
        scores = []
        for part in period.parts(node.span, on=self.on):
            there = self.subjects(part).get(subject)
            if there is None:
                continue
            code = self.tree(there).root if node.code == tree.root else node.code
            found = self.node(part, subject, code)
            if found.error is not None:
                return NodeScore(error=found.error)
            if found.score is not None:
                scores.append(found.score)
        exact = roll_up(rollup, scores)
        if exact is None:
            return NodeScore(formula=(N_("No shorter period has a score: not assessed"),))
        return NodeScore(rounded(exact, tree.places_of(node)), exact, (_rollup_formula(rollup, scores, exact),))

    def _branch(self, period: Period, assessed: Assessed, node: Node) -> NodeScore:
        tree = self.tree(assessed)
        children = []
        for code in node.children:
            if tree.nodes[code].weight == 0:
                continue  # shown and carried along, so neither its score nor its error reaches the branch
            found = self.node(period, assessed.code, code)
            if found.error is not None:
                return NodeScore(error=found.error)
            if found.score is not None:
                children.append(Child(code, found.score, tree.nodes[code].weight))
        combined = combine(node.method, children, node.params, self._shift(assessed, node))
        return self._finished(period, assessed, node, Outcome(combined.score, combined.formula))

    def _finished(self, period: Period, assessed: Assessed, node: Node, outcome: Outcome) -> NodeScore:
        if outcome.score is None:
            return NodeScore(formula=(outcome.formula,))
        tree = self.tree(assessed)
        shut, error = self._gate(period, assessed, node)
        if error is not None:
            return NodeScore(error=error)
        spread = Fraction(1)
        if node.parent is not None and tree.nodes[node.parent].method == "sum":
            shift = self._shift(assessed, tree.nodes[node.parent])
            spread = shift.spread if node.code in shift.takers else spread
        done: Finished = finish(
            outcome.score, cap=node.cap, floor=node.floor, places=tree.places_of(node), gate=shut, spread=spread
        )
        return NodeScore(done.score, done.exact, (outcome.formula, *done.notes))

    def _gate(self, period: Period, assessed: Assessed, node: Node) -> tuple[Message | None, NodeError | None]:
        """Why the gate of a node is shut; None while it is open or there is none."""
        if node.gate is None:
            return None, None
        found = self.node(period, assessed.code, node.gate.name)
        if found.error is not None:
            return None, found.error
        if found.score is not None and node.gate.holds(found.score):
            return None, None
        told = N_(
            "0, because %(name)s %(sign)s %(number)s does not hold",
            name=node.gate.name, sign=node.gate.sign, number=Fraction(node.gate.number),
        )  # fmt: skip
        return told, None

    def _leaf(self, period: Period, assessed: Assessed, node: Node) -> NodeScore:
        key = (assessed.code, node.code, period)
        method = METHODS[node.method]
        value, error = self._value(period, assessed, node)
        if error is None and asks_target(node.method, node.params) and value is not None:
            target, error = self._target(period, assessed, node)
        else:
            target = None
        named = {code: self.node(period, assessed.code, code) for code in rows_named(node.params)}
        error = error or next((it.error for it in named.values() if it.error is not None), None)
        if error is not None:
            return NodeScore(error=error)
        peers = self._values_of_group(period, assessed, node) if method.uses_peers else ()
        tally = self.tallies.get(key, Tally())
        scores = {code: it.score for code, it in named.items()}
        linked = self._linked(period, assessed, node) if node.method == "linked" else ()
        facts = Facts(tally, value, target, self.externals.get(key), peers, scores, linked)
        try:
            outcome = method.score(node.leaf, facts)
        except RuleViolation as refusal:
            return NodeScore(error=NodeError(node.code, refusal.message))
        return self._finished(period, assessed, node, outcome)

    def _linked(self, period: Period, assessed: Assessed, node: Node) -> tuple[tuple[Fraction, int], ...]:
        """The scores of the linked units that have one, each with the days it was linked, in unit order."""
        units = {code: it for code, it in self.subjects(period).items() if it.kind == "unit"}
        if node.params["source"] == "group":
            groups = split_list(node.params["groups"], "|")
            days = {code: 1 for code, it in units.items() if it.group in groups and code != assessed.code}
        else:
            days = {
                code: found
                for code, found in self.links(node.params["source"], assessed.code, period).items()
                if code in units
            }
        found = []
        for code in sorted(days, key=lambda it: units[it].order):
            score = self._of_unit(period, units[code], node.params.get("what", "total"))
            if score.score is not None and score.error is None:
                found.append((score.score, days[code]))
        return tuple(found)

    def _of_unit(self, period: Period, unit: Assessed, what: str) -> NodeScore:
        """A unit's total, or one of its nodes; the code of its root is its total."""
        if what in ("total", self.tree(unit).root):
            return self.total(period, unit.code)
        return self.node(period, unit.code, what)

    def _value(self, period: Period, assessed: Assessed, node: Node) -> tuple[Fraction | None, NodeError | None]:
        """The value of a leaf: Σ of its counted lines, or the score of the node `value_of`."""
        if "value_of" in node.params:
            found = self.node(period, assessed.code, node.params["value_of"])
            return found.score, found.error
        tally = self.tallies.get((assessed.code, node.code, period))
        if tally is None or not tally.count:
            return (Fraction(0) if METHODS[node.method].zero_without_entries else None), None
        return tally.total, None

    def _target(self, period: Period, assessed: Assessed, node: Node) -> tuple[Fraction | None, NodeError | None]:
        """The target: the row for exactly this period, or the score of the node `target_of`."""
        if "target_of" in node.params:
            found = self.node(period, assessed.code, node.params["target_of"])
            return found.score, found.error
        return self.targets.get((assessed.code, node.code, period)), None

    def _values_of_group(self, period: Period, assessed: Assessed, node: Node) -> tuple[Fraction, ...]:
        if needs_rows(node.method, node.params):
            return ()
        key = (period, assessed.kind, assessed.group, node.code)
        if key not in self._peers:
            found = (self._value(period, peer, node) for peer in self._peers_under(period, assessed, node))
            self._peers[key] = tuple(value for value, error in found if value is not None and error is None)
        return self._peers[key]


def _rollup_formula(rollup: Rollup, scores: list[Fraction], exact: Fraction) -> Message:
    def parts() -> str:
        return " + ".join(plain(score) for score in scores)

    if rollup is Rollup.LAST:
        return N_("Last of %(count)s periods: %(score)s", count=len(scores), score=exact)
    if rollup is Rollup.SUM:
        return N_("%(parts)s = %(score)s", parts=parts, score=exact)
    return N_("(%(parts)s) ÷ %(count)s = %(score)s", parts=parts, count=len(scores), score=exact)
