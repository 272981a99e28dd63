"""What an evaluation is fed with, as plain values: dated rows, schemes, clauses, and what the ledger comes to."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import cache

from app.rules.periods import Period, Span
from app.rules.scoring.cells import Cell
from app.rules.scoring.evaluate import Evaluation
from app.rules.scoring.facts import External
from app.rules.scoring.grades import GradeRule, Watched
from app.rules.scoring.lines import ClauseRule, Tally
from app.rules.scoring.methods import needs_rows
from app.rules.scoring.scheme import Assessed, SchemeTree

Key = tuple[str, str, Period]


@dataclass(frozen=True, slots=True)
class DatedRow:
    """A unit's or person's dated row, as the evaluation needs it."""

    code: str
    kind: str
    name: str
    group: str
    tags: frozenset[str]
    category: str
    position: int
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class DatedScheme:
    """A scheme in force with its tree, kind, groups and days."""

    tree: SchemeTree
    kind: str
    groups: frozenset[str]
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class ClauseInfo:
    """A clause with its words and basis, for explanations."""

    id: int
    rule: ClauseRule
    text: str
    basis: str
    veto: Fraction | None = None
    veto_grade: str = ""

    @property
    def has_veto(self) -> bool:
        return self.veto is not None or self.veto_grade != ""


@dataclass(slots=True)
class Sources:
    """Everything of one bureau that a period's scores are a function of."""

    bureau_id: int
    rows: dict[str, list[DatedRow]]
    schemes: list[DatedScheme]
    clauses: dict[int, ClauseInfo]
    ids: dict[str, int]
    targets: dict[Key, Fraction] = field(default_factory=dict)
    externals: dict[Key, External] = field(default_factory=dict)
    cells: dict[tuple[str, Period], Cell] = field(default_factory=dict)
    watched: dict[Key, tuple[Watched, ...]] = field(default_factory=dict)
    grade_rules: dict[str, list[GradeRule]] = field(default_factory=dict)
    links: dict[tuple[str, str], list[tuple[str, date, date]]] = field(default_factory=dict)
    months: dict[int, str] = field(default_factory=dict)
    entries: int = 0
    codes: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = {pk: code for code, pk in self.ids.items()}

    @property
    def rules(self) -> dict[str, ClauseRule]:
        return {info.rule.code: info.rule for info in self.clauses.values()}

    def code_of(self, subject_id: int) -> str:
        return self.codes[subject_id]

    @property
    def tallies(self) -> dict[Key, Tally]:
        """What each subject has in each leaf and span period."""
        return {
            (subject, leaf, part): cell.tally(subject)
            for (leaf, part), cell in self.cells.items()
            for subject in cell.counts
        }

    def row_on(self, code: str, day: date) -> DatedRow | None:
        """The row of a subject in force on a day."""
        rows = self.rows.get(code, [])
        index = bisect_right(rows, day, key=lambda row: row.start) - 1
        return rows[index] if index >= 0 and rows[index].end >= day else None

    def assessed(self, period: Period) -> dict[str, Assessed]:
        """The subjects of a period: whose row on its last day names a group of a scheme in force then.

        Source: docs/scoring.md section 1.
        """
        day = period.last_day
        by_group = {
            (scheme.kind, group): scheme.tree.code
            for scheme in self.schemes
            if scheme.start <= day <= scheme.end
            for group in scheme.groups
        }
        found = {}
        for code in self.rows:
            row = self.row_on(code, day)
            scheme = None if row is None or not row.group else by_group.get((row.kind, row.group))
            if row is not None and scheme is not None:
                found[code] = Assessed(
                    code, row.kind, row.name, row.group, scheme, (row.position, code), row.tags, row.category
                )
        return found

    def leaves_needing_rows(self) -> set[str]:
        """Indicator codes whose entries must be read one by one."""
        watched = self.clauses_watched()
        codes = {
            info.rule.indicator
            for info in self.clauses.values()
            if not info.rule.is_plain_sum or info.rule.code in watched
        }
        for scheme in self.schemes:
            for node in scheme.tree.nodes.values():
                if node.is_leaf and needs_rows(node.method, node.params):
                    codes.add(node.code)
        return codes

    def links_of(self, source: str, subject: str, period: Period) -> dict[str, int]:
        """The units a person is linked to in a period, with the calendar days of it; each unit once."""
        days: dict[str, set[int]] = defaultdict(set)
        for unit, start, end in self.links.get((source, subject), ()):
            first, last = max(start, period.first_day), min(end, period.last_day)
            if first <= last:
                days[unit] |= set(range(first.toordinal(), last.toordinal() + 1))
        return {unit: len(found) for unit, found in days.items()}

    def clauses_watched(self) -> set[str]:
        """The clauses whose counted entries vetoes and grade rules ask for."""
        named = {
            term.name
            for rules in self.grade_rules.values()
            for rule in rules
            for term in rule.terms
            if term.what in ("count", "quantity")
        }
        return named | {info.rule.code for info in self.clauses.values() if info.has_veto}

    def evaluation(self, *, on: date) -> Evaluation:
        return Evaluation(
            {scheme.tree.code: scheme.tree for scheme in self.schemes},
            self.assessed,
            self.cells,
            self.targets,
            self.externals,
            on,
            self.watched,
            self.grade_rules,
            self.links_of,
        )


def spans_of(sources: Sources) -> dict[str, set[Span]]:
    """The spans in which each leaf code is computed, over all schemes."""
    spans: dict[str, set[Span]] = defaultdict(set)
    for scheme in sources.schemes:
        for node in scheme.tree.nodes.values():
            if node.is_leaf:
                spans[node.code].add(node.span)
    return spans


@cache
def period_of_month(month: str, span: Span) -> Period:
    """The period of a span that holds a month."""
    period = Period.parse(month)
    assert period is not None
    return period.of_span(span)
