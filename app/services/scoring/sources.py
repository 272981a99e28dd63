"""What an evaluation is fed with: schemes, subjects, ledger, targets and external results of one bureau.

Set-based statements read plain rows, never entities. Cells whose clauses are plain sums are added up by the
database, the others are read as rows; both give the same tallies (a test says so).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import (
    Clause,
    Document,
    ExternalResult,
    GradeRule,
    Indicator,
    Oversight,
    Person,
    Posting,
    Scheme,
    SchemeState,
    Subject,
    Target,
    Unit,
)
from app.models.types import FOREVER
from app.policies.scoping import unscoped
from app.rules.grammar import (
    read_clause_cap,
    read_every_n,
    read_ladder,
    read_multipliers,
    split_list,
)
from app.rules.numbers import read_decimal
from app.rules.periods import SPAN_MONTHS, Period, Span
from app.rules.scoring.cells import Cell
from app.rules.scoring.combine import BRANCHES
from app.rules.scoring.facts import External
from app.rules.scoring.grades import Watched, read_grade_rule
from app.rules.scoring.lines import (
    ClauseRule,
    Duplicates,
    Effect,
    Line,
    Pricing,
    tally_lines,
)
from app.rules.scoring.methods import METHODS, read_params
from app.rules.scoring.scheme import Node, SchemeTree, build_node, knows_method
from app.services.scoring.ledger_lines import read_cells, read_lines
from app.services.scoring.source_data import ClauseInfo, DatedRow, DatedScheme, Key, Sources, spans_of

WHY = "an evaluation reads a whole bureau"


def read_sources(
    session: Session, bureau_id: int, period: Period, *, watermark: int | None = None, rules: Sources | None = None
) -> Sources:
    """Read the sources of a period: the ledger of its months (of its whole year where a leaf spans longer).

    `watermark` limits the ledger to the entries up to that id, as a settled period saw it. `rules` are organisation
    and rules other than those in force, for a rehearsal.
    """
    sources = read_rules(session, bureau_id) if rules is None else rules
    read_targets(session, sources)
    months = [str(month) for month in Period(period.year, 1, 12).parts(Span.MONTH, on=FOREVER)]
    if period.span is Span.MONTH:
        months = [str(period)]
    elif period.span is Span.QUARTER:
        months = [str(month) for month in period.parts(Span.MONTH, on=FOREVER)]
    by_rows = sources.leaves_needing_rows()
    spans = spans_of(sources)
    sources.cells, sources.entries = read_cells(session, sources, months, by_rows, watermark)
    lines = read_lines(session, sources, months, by_rows, watermark=watermark)
    for (subject, leaf, part), found in lines.items():
        sources.cells.setdefault((leaf, part), Cell()).keep(subject, tally_lines(found))
    later = _watched_beyond(sources, spans, period)
    sources.watched = _watched(sources, {key: found for key, found in lines.items() if key[1] not in later})
    if later:
        year = [str(month) for month in period.of_span(Span.YEAR).parts(Span.MONTH, on=FOREVER)]
        whole = read_lines(session, sources, year, later, watermark=watermark)
        sources.watched |= _watched(sources, {key: found for key, found in whole.items() if key[1] in later})
    return sources


def _watched(sources: Sources, lines: Mapping[Key, tuple[Line, ...]]) -> dict[Key, tuple[Watched, ...]]:
    """The counted lines of watched clauses, by subject, leaf and span period."""
    infos = {info.rule.code: info for info in sources.clauses.values()}
    found = {
        key: tuple(
            watched_of(infos[it.clause.code], sources.months[it.entry.id], it)
            for it in counted
            if it.is_counted and it.entry.id in sources.months
        )
        for key, counted in lines.items()
    }
    return {key: watched for key, watched in found.items() if watched}


def _watched_beyond(sources: Sources, spans: Mapping[str, set[Span]], period: Period) -> set[str]:
    """The leaves with watched clauses whose span reaches beyond the period: what counts is decided in the span.

    Source: docs/scoring.md sections 3 (steps 4 to 6 are done for each span period) and 5 (veto, grades).
    """
    watched = sources.clauses_watched()
    leaves = {info.rule.indicator for info in sources.clauses.values() if info.rule.code in watched}
    return {leaf for leaf in leaves if any(SPAN_MONTHS[span] > period.months for span in spans.get(leaf, ()))}


def read_rules(session: Session, bureau_id: int) -> Sources:
    """Read organisation and rules: four statements, whatever the size."""
    rows = unscoped(session, WHY)
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
    sources = Sources(bureau_id, dict(dated), list(_schemes(session, bureau_id)), _clauses(session, bureau_id), ids)
    _read_grade_rules(session, sources)
    if any(node.method == "linked" for scheme in sources.schemes for node in scheme.tree.nodes.values()):
        _read_links(session, sources)
    return sources


def _read_links(session: Session, sources: Sources) -> None:
    """Who is in charge of which unit (rows with a unit and no indicator), and who was posted where."""
    posting, oversight = Posting.__table__.c, Oversight.__table__.c
    posts = select(posting.person_id, posting.unit_id, posting.valid_from, posting.valid_to).where(
        posting.bureau_id == sources.bureau_id
    )
    charges = select(oversight.leader_id, oversight.unit_id, oversight.valid_from, oversight.valid_to).where(
        oversight.bureau_id == sources.bureau_id, oversight.unit_id.is_not(None), oversight.indicator_code == ""
    )
    for source, query in (("post", posts), ("charge", charges)):
        for person, unit, start, end in unscoped(session, WHY).execute(query):
            found = sources.links.setdefault((source, sources.code_of(person)), [])
            found.append((sources.code_of(unit), start or date.min, end or FOREVER))


def _read_grade_rules(session: Session, sources: Sources) -> None:
    """The rules by which schemes suggest grades, in the order of the workbook."""
    rule, scheme = GradeRule.__table__.c, Scheme.__table__.c
    query = (
        select(scheme.code, rule.grade, rule.kind, rule.condition, rule.value)
        .join(Scheme.__table__, scheme.id == rule.scheme_id)
        .where(rule.bureau_id == sources.bureau_id, scheme.state == SchemeState.IN_FORCE)
    )
    for code, grade, kind, condition, value in unscoped(session, WHY).execute(query.order_by(rule.position, rule.id)):
        sources.grade_rules.setdefault(code, []).append(read_grade_rule(grade, kind, condition, value))


def _dated(row: Mapping[Any, Any], names: Mapping[int, str], kind: str) -> DatedRow:
    return DatedRow(
        names[row["subject_id"]], kind, row["name"], row["group_name"],
        frozenset(split_list(row.get("tags") or "")), row.get("category") or "", row.get("position") or 0,
        row["valid_from"] or date.min, row["valid_to"] or FOREVER,
    )  # fmt: skip


def _schemes(session: Session, bureau_id: int) -> Iterator[DatedScheme]:
    rows = unscoped(session, WHY)
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
    for row in unscoped(session, WHY).execute(query).mappings():
        basis = " ".join(part for part in (row["document_title"], row["document_number"], row["basis"]) if part)
        veto = read_decimal(row["veto"]) if row["veto"] else None
        found[row["id"]] = ClauseInfo(
            row["id"], clause_rule(row), row["text"], basis, None if veto is None else Fraction(veto),
            row["veto"] if veto is None else "",
        )  # fmt: skip
    return found


def clause_rule(row: Mapping[Any, Any]) -> ClauseRule:
    """What the counting needs to know of a stored clause."""
    return ClauseRule(
        row["code"], row["indicator_code"], Effect(row["effect"]), Pricing(row["pricing"]), row["price"],
        read_multipliers(row["multipliers"]), Duplicates(row["duplicates"] or "accumulate"),
        read_clause_cap(row["cap"]), read_ladder(row["ladder"]) if row["ladder"] else None,
        read_every_n(row["every_n"]) if row["every_n"] else None,
    )  # fmt: skip


def watched_of(info: ClauseInfo, month: str, line: Line) -> Watched:
    """A counted line as vetoes and grade rules see it."""
    return Watched(month, line.clause.code, Fraction(line.entry.quantity), info.veto, info.veto_grade)


def read_targets(session: Session, sources: Sources) -> None:
    """Read targets and external results of a bureau into its sources."""
    rows = unscoped(session, WHY)
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
