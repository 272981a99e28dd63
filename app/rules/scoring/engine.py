"""The columns of an evaluation: every node of a cohort in a period, longer periods from shorter ones.

A cohort are the subjects of one group to whom the nodes of their scheme apply alike, so that a node is one computation
for all of them. Source: docs/scoring.md sections 2, 4 and 5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from app.errors import N_, Message
from app.rules.grammar import split_list
from app.rules.periods import SPAN_MONTHS, Period
from app.rules.scoring.cells import NO_TALLY, QUANTITY_UNIT, Cell, Cells
from app.rules.scoring.cohorts import Cohort, NodeColumn, NodeError
from app.rules.scoring.columns import Column, column_of, constant, nothing
from app.rules.scoring.combine import (
    Ending,
    NotApplicable,
    Part,
    Rollup,
    Shift,
    Sibling,
    combine_parts,
    finish_column,
    roll_up_columns,
    rounded,
    shift_of,
)
from app.rules.scoring.facts import External, Inputs
from app.rules.scoring.grades import GradeRule, Watched
from app.rules.scoring.methods import METHODS, asks_target, needs_rows, refusal_of, rows_named, takes_external
from app.rules.scoring.scheme import Assessed, Node, SchemeTree, applies

Place = tuple[Cohort, int]
NOT_APPLICABLE = N_("Not applicable to this subject")
NO_LEAF = N_("The indicator is no leaf of the subject's scheme: it counts nowhere.")
SUPERSEDED = N_("The external result is the only mark of the period")
LEAVING = frozenset({NotApplicable.SPREAD, NotApplicable.SCALE_UP})
NO_CELL = Cell()
TOTAL = ""  # beside the codes of the nodes


def _no_links(_source: str, _subject: str, _period: Period) -> Mapping[str, int]:
    """What a bureau without links has."""
    return {}


@dataclass(slots=True)
class Columns:
    """The columns of one bureau as of the day `on`.

    `subjects_on` gives the assessed subjects of a period by code; `cells` are keyed (leaf, period), `targets` and
    `externals` (subject, indicator, period). What is computed once is remembered, so that a year asks each month
    once. Recursion follows the tree, whose depth the check of the workbook bounds.
    """

    schemes: Mapping[str, SchemeTree]
    subjects_on: Callable[[Period], Mapping[str, Assessed]]
    cells: Cells
    targets: Mapping[tuple[str, str, Period], Fraction]
    externals: Mapping[tuple[str, str, Period], External]
    on: date
    watched: Mapping[tuple[str, str, Period], tuple[Watched, ...]] = field(default_factory=dict)
    grade_rules: Mapping[str, Sequence[GradeRule]] = field(default_factory=dict)
    links: Callable[[str, str, Period], Mapping[str, int]] = _no_links
    _subjects: dict[Period, Mapping[str, Assessed]] = field(default_factory=dict)
    _cohorts: dict[Period, list[Cohort]] = field(default_factory=dict)
    _places: dict[Period, dict[str, Place]] = field(default_factory=dict)
    _peers: dict[tuple[Period, tuple[str, str], str], tuple[Fraction, ...]] = field(default_factory=dict)
    _watched: dict[str, list[tuple[str, Period, tuple[Watched, ...]]]] | None = None

    def subjects(self, period: Period) -> Mapping[str, Assessed]:
        if period not in self._subjects:
            self._subjects[period] = self.subjects_on(period)
        return self._subjects[period]

    def tree(self, subject: Assessed) -> SchemeTree:
        return self.schemes[subject.scheme]

    def cohorts(self, period: Period) -> list[Cohort]:
        """The subjects of a period by group and by what applies to them."""
        if period not in self._cohorts:
            asked = {
                code: [node.applies_to for node in tree.nodes.values() if node.applies_to]
                for code, tree in self.schemes.items()
            }
            members: dict[tuple[object, ...], list[Assessed]] = defaultdict(list)
            for it in self.subjects(period).values():
                alike = tuple(applies(terms, it) for terms in asked[it.scheme])
                members[it.scheme, it.kind, it.group, alike].append(it)
            self._cohorts[period] = [Cohort(period, self.tree(found[0]), found) for found in members.values()]
        return self._cohorts[period]

    def place(self, period: Period) -> Mapping[str, Place]:
        """Where each subject of a period stands: its cohort and its row there."""
        if period not in self._places:
            self._places[period] = {
                code: (cohort, index) for cohort in self.cohorts(period) for index, code in enumerate(cohort.codes)
            }
        return self._places[period]

    def column(self, cohort: Cohort, code: str) -> NodeColumn:
        """The scores of a node for a cohort; none where the tree has no such node."""
        if code not in cohort.columns:
            node = cohort.tree.nodes.get(code)
            found = None if node is None else self._evaluate(cohort, node)
            empty = nothing(len(cohort.codes))
            cohort.columns[code] = found or NodeColumn(empty, empty)
        return cohort.columns[code]

    def _evaluate(self, cohort: Cohort, node: Node) -> NodeColumn | None:
        if not cohort.reaches(node) or SPAN_MONTHS[node.span] > cohort.period.months:
            return None
        if not cohort.has(node):
            return self._instead(cohort, node)
        if self._is_rolled_up(cohort, node):
            return self._rolled_up(cohort, node)
        return self._leaf(cohort, node) if node.is_leaf else self._branch(cohort, node)

    @staticmethod
    def _is_rolled_up(cohort: Cohort, node: Node) -> bool:
        return node.is_rolled_up and SPAN_MONTHS[node.span] < cohort.period.months

    def totals(self, cohort: Cohort) -> NodeColumn:
        """The totals of a cohort: its roots, set to the lowest veto of the period where there is one.

        Source: docs/scoring.md section 5, veto; the nodes are left as they are.
        """
        if TOTAL not in cohort.columns:
            root = self.column(cohort, cohort.tree.root)
            rows: dict[int, Fraction | None] = {
                index: min(vetoes)
                for index, code in enumerate(cohort.codes if self.watched else ())
                if root.score.values[index] is not None and (vetoes := self._vetoes(cohort.period, code))
            }
            total = NodeColumn(root.score.with_rows(rows), root.exact.with_rows(rows), root.errors)
            cohort.columns[TOTAL] = total if rows else root
        return cohort.columns[TOTAL]

    def _vetoes(self, period: Period, subject: str) -> list[Fraction]:
        return [it.veto for it in self.watched_of(period, subject) if it.veto is not None]

    def watched_of(self, period: Period, subject: str) -> list[Watched]:
        """The watched entries of the period's months, where their leaf counts them."""
        if not self.watched:
            return []
        if self._watched is None:
            self._watched = defaultdict(list)
            for (code, indicator, part), found in self.watched.items():
                self._watched[code].append((indicator, part, found))
        return [
            it
            for indicator, part, found in self._watched.get(subject, ())
            if self.why_not(part, subject, indicator) is None
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

    def _instead(self, cohort: Cohort, node: Node) -> NodeColumn | None:
        """What a node that does not apply to a cohort has all the same. Source: section 5, Not applicable."""
        size = len(cohort.codes)
        if node.not_applicable is NotApplicable.ZERO:
            return NodeColumn(constant(size, Fraction(0)), constant(size, Fraction(0)))
        scores = self._of_others(cohort, node)
        if not scores:
            return None
        exact = sum(scores, Fraction(0)) / len(scores)
        return NodeColumn(constant(size, rounded(exact, cohort.tree.places_of(node))), constant(size, exact))

    def _of_others(self, cohort: Cohort, node: Node) -> list[Fraction]:
        """The scores of those in the group to whom a node applies, where it asks for their mean."""
        if node.not_applicable is not NotApplicable.MEAN_OF_OTHERS:
            return []
        columns = [self.column(peer, node.code) for peer in self._peers_under(cohort, node)]
        return [score for column in columns for score in column.score.fractions() if score is not None]

    def _peers_under(self, cohort: Cohort, node: Node) -> list[Cohort]:
        """The cohorts of the group to which a node applies."""
        return [
            peer
            for peer in self.cohorts(cohort.period)
            if peer.group == cohort.group and node.code in peer.tree.nodes
            and peer.has(peer.tree.nodes[node.code]) and peer.reaches(peer.tree.nodes[node.code])
        ]  # fmt: skip

    def _shift(self, cohort: Cohort, parent: Node) -> Shift:
        """What the children of a sum or weighted sum that apply take over from those that do not."""
        if parent.method not in ("sum", "weighted"):
            return Shift()
        nodes = [cohort.tree.nodes[code] for code in parent.children]
        if all(node.not_applicable not in LEAVING for node in nodes):
            return Shift()
        return shift_of(
            [
                Sibling(
                    node.code, node.full if parent.method == "sum" else node.weight, cohort.has(node),
                    node.not_applicable, node.weight == 0,
                )
                for node in nodes
            ]
        )  # fmt: skip

    def _parts(self, cohort: Cohort, node: Node) -> list[NodeColumn]:
        """A node in the span periods of a period that has begun, in order, by the rows of the cohort."""
        code = "" if node.code == cohort.tree.root else node.code
        return [self._there(cohort, part, code) for part in cohort.period.parts(node.span, on=self.on)]

    def _there(self, cohort: Cohort, part: Period, code: str) -> NodeColumn:
        """A node (blank: the root of whatever scheme held) of a cohort's subjects in another period."""
        places = self.place(part)
        found = [places.get(it) for it in cohort.codes]
        homes = {id(place[0]): place[0] for place in found if place is not None}
        columns = {key: self.column(home, code or home.tree.root) for key, home in homes.items()}
        if len(homes) == 1 and cohort.codes == next(iter(homes.values())).codes:
            return next(iter(columns.values()))
        errors = {
            index: columns[id(place[0])].errors[place[1]]
            for index, place in enumerate(found)
            if place is not None and place[1] in columns[id(place[0])].errors
        }
        scores = column_of([None if it is None else columns[id(it[0])].score.at(it[1]) for it in found])
        return NodeColumn(scores, scores, errors)

    def _rolled_up(self, cohort: Cohort, node: Node) -> NodeColumn | None:
        rollup = node.rollup or Rollup.MEAN
        parts = [] if rollup is Rollup.NONE else self._parts(cohort, node)
        exact = roll_up_columns(rollup, [part.score for part in parts])
        if exact is None:
            return None
        errors: dict[int, NodeError] = {}
        for part in parts:
            errors = {**part.errors, **errors}
        exact, places = exact.without(errors), cohort.tree.places_of(node)
        return NodeColumn(exact if places is None else exact.rounded(places), exact, errors)

    def _children(self, cohort: Cohort, node: Node) -> list[tuple[Node, NodeColumn]]:
        """The children that take part; one of weight 0 is shown, and neither its score nor its error reaches up."""
        nodes = [cohort.tree.nodes[code] for code in node.children]
        return [(child, self.column(cohort, child.code)) for child in nodes if child.weight != 0]

    def _branch(self, cohort: Cohort, node: Node) -> NodeColumn:
        children = self._children(cohort, node)
        errors: dict[int, NodeError] = {}
        for _child, column in children:
            errors = {**column.errors, **errors}
        parts = [Part(child.code, column.score, child.weight) for child, column in children]
        combined = combine_parts(node.method, parts, node.params, self._shift(cohort, node))
        return self._finished(cohort, node, combined or nothing(len(cohort.codes)), errors)

    def _finished(self, cohort: Cohort, node: Node, raw: Column, errors: Mapping[int, NodeError]) -> NodeColumn:
        shut, late = self._gate(cohort, node, raw.without(errors))
        wrong = {**late, **errors}
        exact, score = finish_column(raw.without(wrong), self._ending(cohort, node), shut)
        return NodeColumn(score, exact, wrong)

    def _ending(self, cohort: Cohort, node: Node) -> Ending:
        spread = Fraction(1)
        if node.parent is not None and cohort.tree.nodes[node.parent].method == "sum":
            shift = self._shift(cohort, cohort.tree.nodes[node.parent])
            spread = shift.spread if node.code in shift.takers else spread
        return Ending(node.cap, node.floor, cohort.tree.places_of(node), spread)

    def _gate(self, cohort: Cohort, node: Node, raw: Column) -> tuple[list[int], Mapping[int, NodeError]]:
        """The rows with a score whose gate is shut, and those whose gate has a named error."""
        if node.gate is None:
            return [], {}
        found = self.column(cohort, node.gate.name)
        rows = [index for index, value in enumerate(raw.values) if value is not None]
        errors = {index: found.errors[index] for index in rows if index in found.errors}
        return [it for it in rows if it not in errors and not self._is_open(node, found, it)], errors

    @staticmethod
    def _is_open(node: Node, found: NodeColumn, index: int) -> bool:
        score = found.score.at(index)
        return score is not None and node.gate is not None and node.gate.holds(score)

    def _leaf(self, cohort: Cohort, node: Node) -> NodeColumn:
        inputs, errors = self._inputs(cohort, node)
        return self._finished(cohort, node, METHODS[node.method].column(node.leaf, inputs), errors)

    def _inputs(self, cohort: Cohort, node: Node) -> tuple[Inputs, dict[int, NodeError]]:
        """What a leaf sees of a cohort, and the rows that have a named error instead of a score."""
        period, codes, method = cohort.period, cohort.codes, METHODS[node.method]
        cell = self.cells.get((node.code, period), NO_CELL)
        value, errors = self._value(cohort, node)
        target = nothing(len(codes))
        if asks_target(node.method, node.params):
            target, wrong = self._target(cohort, node)
            errors |= {it: error for it, error in wrong.items() if it not in errors and value.values[it] is not None}
        named = {}
        for code in sorted(rows_named(node.params)):
            column = self.column(cohort, code)
            named[code], errors = column.score, {**column.errors, **errors}
        errors |= self._refused(node, value, target, errors)
        inputs = Inputs(
            Column([cell.sums.get(code, 0) for code in codes], cell.unit),
            [cell.counts.get(code, 0) for code in codes],
            Column([cell.quantities.get(code, 0) for code in codes], QUANTITY_UNIT),
            value.without(errors), target.without(errors),
            [cell.tallies.get(code, NO_TALLY) for code in codes] if needs_rows(node.method, node.params) else (),
            [self.externals.get((code, node.code, period)) for code in codes] if self.externals else (),
            self._values_of_group(cohort, node) if method.uses_peers else (),
            named, self._linked(cohort, node) if node.method == "linked" else (),
        )  # fmt: skip
        return inputs, errors

    def _refused(
        self, node: Node, value: Column, target: Column, errors: Mapping[int, NodeError]
    ) -> dict[int, NodeError]:
        """The rows with a value that are measured against a target they do not have."""
        if not asks_target(node.method, node.params):
            return {}
        found = {}
        for index in range(len(value.values)):
            refusal = None if index in errors else refusal_of(node.method, value.values[index], target.values[index])
            if refusal is not None:
                found[index] = NodeError(node.code, refusal)
        return found

    def _linked(self, cohort: Cohort, node: Node) -> list[tuple[tuple[Fraction, int], ...]]:
        """For each subject the scores of the linked units that have one, each with the days, in unit order."""
        period = cohort.period
        units = {code: it for code, it in self.subjects(period).items() if it.kind == "unit"}
        groups = split_list(node.params.get("groups", ""), "|")
        members = {code for code, it in units.items() if it.group in groups}
        scores: dict[str, Fraction | None] = {}
        found = []
        for subject in cohort.codes:
            if node.params["source"] == "group":
                days: Mapping[str, int] = dict.fromkeys(members - {subject}, 1)
            else:
                days = self.links(node.params["source"], subject, period)
            linked = []
            for code in sorted((it for it in days if it in units), key=lambda it: units[it].order):
                if code not in scores:
                    scores[code] = self._of_unit(period, code, node.params.get("what", "total"))
                score = scores[code]
                if score is not None:
                    linked.append((score, days[code]))
            found.append(tuple(linked))
        return found

    def _of_unit(self, period: Period, unit: str, what: str) -> Fraction | None:
        """A unit's total, or one of its nodes; the code of its root is its total."""
        cohort, index = self.place(period)[unit]
        is_total = what in ("total", cohort.tree.root)
        return (self.totals(cohort) if is_total else self.column(cohort, what)).score.at(index)

    def _value(self, cohort: Cohort, node: Node) -> tuple[Column, dict[int, NodeError]]:
        """The values of a leaf: Σ of its counted lines, or the scores of the node `value_of`."""
        if "value_of" in node.params:
            found = self.column(cohort, node.params["value_of"])
            return found.score, dict(found.errors)
        cell = self.cells.get((node.code, cohort.period), NO_CELL)
        if METHODS[node.method].zero_without_entries:
            return Column([cell.sums.get(code, 0) for code in cohort.codes], cell.unit), {}
        counts, sums = cell.counts, cell.sums
        return Column([sums[code] if counts.get(code) else None for code in cohort.codes], cell.unit), {}

    def _target(self, cohort: Cohort, node: Node) -> tuple[Column, Mapping[int, NodeError]]:
        """The targets: the row for exactly this period, or the score of the node `target_of`."""
        if "target_of" in node.params:
            found = self.column(cohort, node.params["target_of"])
            return found.score, found.errors
        return column_of([self.targets.get((code, node.code, cohort.period)) for code in cohort.codes]), {}

    def _values_of_group(self, cohort: Cohort, node: Node) -> tuple[Fraction, ...]:
        if needs_rows(node.method, node.params):
            return ()
        key = (cohort.period, cohort.group, node.code)
        if key not in self._peers:
            found: list[Fraction] = []
            for peer in self._peers_under(cohort, node):
                value, errors = self._value(peer, peer.tree.nodes[node.code])
                found += [it for it in value.without(errors).fractions() if it is not None]
            self._peers[key] = tuple(found)
        return self._peers[key]
