"""What an evaluation is fed with: schemes, subjects, ledger, targets and external results of one bureau.

Set-based statements read plain rows, never entities. Cells whose clauses are plain sums are added up by the
database, the others are read as rows; both give the same tallies (a test says so).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import BigInteger, Integer, cast, func, select
from sqlalchemy.orm import Session

from app.models import (
    Clause,
    Document,
    ExternalResult,
    Indicator,
    Person,
    Scheme,
    SchemeState,
    ScoreEntry,
    Subject,
    Target,
    Unit,
)
from app.models.types import FOREVER
from app.rules.combine import BRANCHES
from app.rules.evaluate import Evaluation
from app.rules.grammar import (
    read_clause_cap,
    read_every_n,
    read_ladder,
    read_multipliers,
    read_pairs,
    split_list,
)
from app.rules.lines import (
    ClauseRule,
    Duplicates,
    Effect,
    EntryFact,
    Line,
    Occurrence,
    Pricing,
    Tally,
    count_lines,
    occurrences,
    plain_amounts,
    tally_lines,
)
from app.rules.methods import METHODS, External, needs_rows, read_params
from app.rules.numbers import read_decimal
from app.rules.periods import Period, Span
from app.rules.scheme import Assessed, Node, SchemeTree, build_node, knows_method

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
    tallies: dict[Key, Tally] = field(default_factory=dict)
    vetoes: dict[Key, tuple[tuple[str, Fraction], ...]] = field(default_factory=dict)
    months: dict[int, str] = field(default_factory=dict)
    entries: int = 0
    _codes: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._codes = {pk: code for code, pk in self.ids.items()}

    @property
    def rules(self) -> dict[str, ClauseRule]:
        return {info.rule.code: info.rule for info in self.clauses.values()}

    def code_of(self, subject_id: int) -> str:
        return self._codes[subject_id]

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
        codes = {info.rule.indicator for info in self.clauses.values() if not info.rule.is_plain_sum}
        for scheme in self.schemes:
            for node in scheme.tree.nodes.values():
                if node.is_leaf and needs_rows(node.method, node.params):
                    codes.add(node.code)
        return codes

    def evaluation(self, *, on: date) -> Evaluation:
        return Evaluation(
            {scheme.tree.code: scheme.tree for scheme in self.schemes},
            self.assessed,
            self.tallies,
            self.targets,
            self.externals,
            on,
            self.vetoes,
        )


def spans_of(sources: Sources) -> dict[str, set[Span]]:
    """The spans in which each leaf code is computed, over all schemes."""
    spans: dict[str, set[Span]] = defaultdict(set)
    for scheme in sources.schemes:
        for node in scheme.tree.nodes.values():
            if node.is_leaf:
                spans[node.code].add(node.span)
    return spans


def period_of_month(month: str, span: Span) -> Period:
    """The period of a span that holds a month."""
    period = Period.parse(month)
    assert period is not None
    return period.of_span(span)


def read_sources(session: Session, bureau_id: int, period: Period, *, watermark: int | None = None) -> Sources:
    """Read the sources of a period: the ledger of its months (of its whole year where a leaf spans longer).

    `watermark` limits the ledger to the entries up to that id, as a settled period saw it.
    """
    sources = read_rules(session, bureau_id)
    _read_targets(session, sources)
    months = [str(month) for month in Period(period.year, 1, 12).parts(Span.MONTH, on=FOREVER)]
    if period.span is Span.MONTH:
        months = [str(period)]
    elif period.span is Span.QUARTER:
        months = [str(month) for month in period.parts(Span.MONTH, on=FOREVER)]
    by_rows = sources.leaves_needing_rows()
    spans = spans_of(sources)
    tallies: dict[Key, Tally] = {}
    for subject, info, month, tally in _plain_sums(session, sources, months, by_rows, watermark):
        for span in spans.get(info.rule.indicator, ()):
            key = (subject, info.rule.indicator, period_of_month(month, span))
            tallies[key] = tallies.get(key, Tally()).plus(tally)
    for key, lines in read_lines(session, sources, months, by_rows, watermark=watermark).items():
        tallies[key] = tally_lines(lines)
        vetoes = [
            (sources.months[it.entry.id], Fraction(it.clause.veto))
            for it in lines
            if it.is_counted and it.clause.veto is not None
        ]
        if vetoes:
            sources.vetoes[key] = tuple(vetoes)
    sources.tallies = tallies
    sources.entries = count_entries(session, bureau_id, months, watermark)
    return sources


def read_rules(session: Session, bureau_id: int) -> Sources:
    """Read organisation and rules: four statements, whatever the size."""
    rows = session.connection()
    subject = Subject.__table__.c
    ids = {
        code: pk for pk, code in rows.execute(select(subject.id, subject.code).where(subject.bureau_id == bureau_id))
    }
    names = {pk: code for code, pk in ids.items()}
    dated: dict[str, list[DatedRow]] = defaultdict(list)
    for row in rows.execute(select(Unit.__table__).where(Unit.__table__.c.bureau_id == bureau_id)).mappings():
        dated[names[row["subject_id"]]].append(_dated(row, names, "unit"))
    for row in rows.execute(select(Person.__table__).where(Person.__table__.c.bureau_id == bureau_id)).mappings():
        dated[names[row["subject_id"]]].append(_dated(row, names, "person"))
    for found in dated.values():
        found.sort(key=lambda it: it.start)
    return Sources(bureau_id, dict(dated), list(_schemes(session, bureau_id)), _clauses(session, bureau_id), ids)


def _dated(row: Mapping[Any, Any], names: Mapping[int, str], kind: str) -> DatedRow:
    return DatedRow(
        names[row["subject_id"]], kind, row["name"], row["group_name"],
        frozenset(split_list(row.get("tags") or "")), row.get("category") or "", row.get("position") or 0,
        row["valid_from"] or date.min, row["valid_to"] or FOREVER,
    )  # fmt: skip


def _schemes(session: Session, bureau_id: int) -> Iterator[DatedScheme]:
    rows = session.connection()
    indicator, scheme = Indicator.__table__, Scheme.__table__
    trees: dict[int, list[Any]] = defaultdict(list)
    query = select(indicator).where(indicator.c.bureau_id == bureau_id)
    for row in rows.execute(query.order_by(indicator.c.position, indicator.c.code)).mappings():
        trees[row["scheme_id"]].append(row)
    for row in rows.execute(
        select(scheme).where(scheme.c.bureau_id == bureau_id, scheme.c.state == SchemeState.IN_FORCE)
    ).mappings():
        yield DatedScheme(
            tree_of(row, trees[row["id"]]), row["subject_kind"], frozenset(split_list(row["groups"])),
            row["in_force_from"], row["in_force_to"],
        )  # fmt: skip


def tree_of(scheme: Mapping[Any, Any], indicators: Iterable[Mapping[Any, Any]]) -> SchemeTree:
    """Build the tree of a scheme from its rows, which the check has found sound."""
    rows = [row for row in indicators if knows_method(row["method"])]
    children: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        children[row["parent_code"]].append(row["code"])
    nodes: dict[str, Node] = {}
    for row in rows:
        method = row["method"]
        known = METHODS[method].params if method in METHODS else BRANCHES[method].params
        nodes[row["code"]] = build_node(
            code=row["code"], parent=row["parent_code"] or None, title=row["title"], method=method,
            full=row["full"], weight=row["weight"], base=row["base"], cap=row["cap"], floor=row["floor"],
            places=row["places"], span=row["span"], rollup=row["rollup"], applies_to=row["applies_to"],
            params=read_params(method, row["params"], known), children=tuple(children[row["code"]]),
            not_applicable=row["not_applicable"],
        )  # fmt: skip
    root = next(code for code, node in nodes.items() if node.parent is None)
    return SchemeTree(scheme["code"], root, nodes, scheme["places"], scheme["rank_on"] == "exact")


def _clauses(session: Session, bureau_id: int) -> dict[int, ClauseInfo]:
    clause, document = Clause.__table__, Document.__table__
    found = {}
    query = (
        select(clause, document.c.title.label("document_title"), document.c.number.label("document_number"))
        .outerjoin(document, document.c.id == clause.c.document_id)
        .where(clause.c.bureau_id == bureau_id)
    )
    for row in session.connection().execute(query).mappings():
        basis = " ".join(part for part in (row["document_title"], row["document_number"], row["basis"]) if part)
        found[row["id"]] = ClauseInfo(row["id"], clause_rule(row), row["text"], basis)
    return found


def clause_rule(row: Mapping[Any, Any]) -> ClauseRule:
    """What the counting needs to know of a stored clause."""
    return ClauseRule(
        row["code"], row["indicator_code"], Effect(row["effect"]), Pricing(row["pricing"]), row["price"],
        read_multipliers(row["multipliers"]), Duplicates(row["duplicates"] or "accumulate"),
        read_clause_cap(row["cap"]), read_ladder(row["ladder"]) if row["ladder"] else None,
        read_every_n(row["every_n"]) if row["every_n"] else None, read_decimal(row["veto"]),
    )  # fmt: skip


def _read_targets(session: Session, sources: Sources) -> None:
    rows = session.connection()
    target, external = Target.__table__.c, ExternalResult.__table__.c
    for row in rows.execute(select(Target.__table__).where(target.bureau_id == sources.bureau_id)).mappings():
        period = Period.parse(row["period"])
        if period is not None:
            key = (sources.code_of(row["subject_id"]), row["indicator_code"], period)
            sources.targets[key] = Fraction(row["value"])
    query = select(ExternalResult.__table__).where(
        external.bureau_id == sources.bureau_id, external.indicator_code != ""
    )
    for row in rows.execute(query).mappings():
        period = Period.parse(row["period"])
        if period is not None:
            key = (sources.code_of(row["subject_id"]), row["indicator_code"], period)
            score = None if row["score"] is None else Fraction(row["score"])
            sources.externals[key] = External(score, row["rank"])


def _live(bureau_id: int, months: list[str], watermark: int | None) -> list[Any]:
    """Entries of the months that are neither reversals nor reversed, up to the watermark."""
    return [ScoreEntry.__table__.c.month.in_(months), *_unreversed(bureau_id, watermark)]


def _unreversed(bureau_id: int, watermark: int | None) -> list[Any]:
    """Entries that are neither reversals nor reversed, up to the watermark."""
    entry = ScoreEntry.__table__.c
    again = ScoreEntry.__table__.alias()
    reversed_ids = select(again.c.reverses_id).where(again.c.reverses_id.is_not(None))
    if watermark is not None:
        reversed_ids = reversed_ids.where(again.c.id <= watermark)
    conditions = [
        entry.bureau_id == bureau_id,
        entry.kind != "reversal",
        entry.id.not_in(reversed_ids),
    ]
    return conditions if watermark is None else [*conditions, entry.id <= watermark]


def count_entries(session: Session, bureau_id: int, months: list[str], watermark: int | None) -> int:
    entry = ScoreEntry.__table__.c
    return (
        session.connection()
        .execute(select(func.count(entry.id)).where(*_live(bureau_id, months, watermark)))
        .scalar_one()
    )


def _plain_sums(
    session: Session, sources: Sources, months: list[str], by_rows: set[str], watermark: int | None
) -> Iterator[tuple[str, ClauseInfo, str, Tally]]:
    """Sums per subject, clause, month and quantity, of the clauses that are plain sums."""
    entry = ScoreEntry.__table__.c
    plain_ids = [pk for pk, info in sources.clauses.items() if info.rule.indicator not in by_rows]
    if not plain_ids:
        return
    raw = {
        name: cast(func.coalesce(func.sum(cast(column, BigInteger)), 0), BigInteger)
        for name, column in (("points", entry.points), ("value", entry.value))
    }
    query = (
        select(
            entry.subject_id, entry.clause_id, entry.month, entry.quantity,
            cast(func.count(entry.id), Integer), raw["points"], raw["value"],
        )
        .where(*_live(sources.bureau_id, months, watermark))
        .group_by(entry.subject_id, entry.clause_id, entry.month, entry.quantity)
    )  # fmt: skip
    wanted = set(plain_ids)
    amounts = {pk: plain_amounts(sources.clauses[pk].rule) for pk in plain_ids}
    for subject, clause, month, quantity, count, points, value in session.connection().execute(query):
        if clause in wanted:
            tally = amounts[clause](count, Fraction(quantity), Fraction(points, 1000), Fraction(value, 10000))
            yield sources.code_of(subject), sources.clauses[clause], month, tally


def read_lines(
    session: Session,
    sources: Sources,
    months: list[str],
    indicators: set[str],
    *,
    subject: str | None = None,
    watermark: int | None = None,
) -> dict[Key, tuple[Line, ...]]:
    """Read the entries of some indicators one by one and count them, per subject, leaf and span period."""
    clause_ids = [pk for pk, info in sources.clauses.items() if info.rule.indicator in indicators]
    if not clause_ids:
        return {}
    entry = ScoreEntry.__table__
    query = select(entry).where(*_live(sources.bureau_id, months, watermark), entry.c.clause_id.in_(clause_ids))
    if subject is not None:
        query = query.where(entry.c.subject_id == sources.ids[subject])
    spans = spans_of(sources)
    cells: dict[Key, list[EntryFact]] = defaultdict(list)
    for row in session.connection().execute(query).mappings():
        code = sources.code_of(row["subject_id"])
        info = sources.clauses[row["clause_id"]]
        fact = _fact(row, info, sources.row_on(code, row["occurred_on"]))
        if info.rule.veto is not None:
            sources.months[row["id"]] = row["month"]
        for span in spans.get(info.rule.indicator, ()):
            cells[code, info.rule.indicator, period_of_month(row["month"], span)].append(fact)
    rules = sources.rules
    numbered = _occurrences(session, sources, months, clause_ids, subject, watermark)
    return {key: count_lines(facts, rules, numbered) for key, facts in cells.items()}


def _occurrences(
    session: Session,
    sources: Sources,
    months: list[str],
    clause_ids: list[int],
    subject: str | None,
    watermark: int | None,
) -> dict[int, Occurrence]:
    """Number the entries of clauses that count occurrences; their windows may begin before the months asked for.

    A fact that was carried over from a closed month lies in a window of its own day, so the year before is read too.
    """
    counting = [pk for pk in clause_ids if sources.clauses[pk].rule.counts_occurrences]
    if not counting:
        return {}
    entry = ScoreEntry.__table__
    first = Period.parse(months[0])
    last = Period.parse(months[-1])
    assert first is not None
    assert last is not None
    days = entry.c.occurred_on.between(date(first.year - 1, 1, 1), date(last.year, 12, 31))
    live = _unreversed(sources.bureau_id, watermark)
    query = select(entry).where(*live, entry.c.kind == "fact", entry.c.clause_id.in_(counting), days)
    if subject is not None:
        query = query.where(entry.c.subject_id == sources.ids[subject])
    of_subject: dict[int, list[EntryFact]] = defaultdict(list)
    for row in session.connection().execute(query).mappings():
        info = sources.clauses[row["clause_id"]]
        of_subject[row["subject_id"]].append(_fact(row, info, None))
    found: dict[int, Occurrence] = {}
    for facts in of_subject.values():
        found |= occurrences(facts)
    return found


def _fact(row: Mapping[Any, Any], info: ClauseInfo, at: DatedRow | None) -> EntryFact:
    return EntryFact(
        row["id"], row["no"], row["occurred_on"], info.rule.code, row["quantity"] or Decimal(1), row["points"],
        row["value"], row["work_key"], read_pairs(row["attrs"]), "" if at is None else at.group,
        frozenset() if at is None else at.tags,
    )  # fmt: skip
