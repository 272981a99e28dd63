"""Stored results as tables: one period, group by group, with the items, the change and the ranks.

Everything is read through the session's scope: who may not see a score finds it missing here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import GradeRule, Indicator, PeriodScore, Scheme, ScoreError, Subject
from app.models.org import Bureau
from app.policies.scoping import unscoped
from app.rules.bulletin import change, mean, rank_move
from app.rules.numbers import plain
from app.rules.periods import Period, Span
from app.rules.scoring.ranking import distribution, percentage

WHY = "a settlement evaluates a whole bureau"

TREND = 6


@dataclass(frozen=True, slots=True)
class Standing:
    """One subject's total of a period, its items by indicator code, and how it moved since the period before."""

    subject_id: int
    code: str
    kind: str
    name: str
    group: str
    scheme: str
    score: Decimal
    places: int | None
    rank: int
    group_size: int
    items: Mapping[str, str]
    change: Fraction | None
    rank_move: int | None
    grade: str | None = None

    @property
    def shown(self) -> str:
        """The total with its declared decimals."""
        return plain(self.score, self.places)


@dataclass(frozen=True, slots=True)
class GroupTable:
    """A group's standings in order of rank, with the titles of their items."""

    name: str
    items: Sequence[tuple[str, str]]
    rows: Sequence[Standing]
    mean: Fraction | None

    @property
    def has_grades(self) -> bool:
        """Whether the rules suggest grades here."""
        return any(row.grade for row in self.rows)


@dataclass(slots=True)
class _Cells:
    total: object = None
    items: dict[str, str] = field(default_factory=dict)


def settled_periods(session: Session, span: Span | None = None) -> list[Period]:
    """The periods the actor sees scores of, newest first."""
    query = select(PeriodScore.period).where(PeriodScore.indicator_code == "").distinct()
    found = [Period.parse(text) for text in session.scalars(query)]
    return sorted((it for it in found if it is not None and span in (None, it.span)), reverse=True)


def standings(session: Session, period: Period, *, kind: str | None = None) -> list[Standing]:
    """Every visible total of a period with its items, groups by their first member, then by rank and position."""
    before = {
        row.subject_id: row
        for row in session.execute(
            select(PeriodScore.subject_id, PeriodScore.score, PeriodScore.rank).where(
                PeriodScore.period == str(period.shifted(-1)), PeriodScore.indicator_code == ""
            )
        )
    }
    query = (
        select(
            PeriodScore.subject_id, PeriodScore.indicator_code, PeriodScore.name, PeriodScore.group_name,
            PeriodScore.scheme_code, PeriodScore.score, PeriodScore.places, PeriodScore.rank,
            PeriodScore.group_size, PeriodScore.position, PeriodScore.grade, Subject.code, Subject.kind,
        )
        .join(Subject, Subject.id == PeriodScore.subject_id)
        .where(PeriodScore.period == str(period))
        .order_by(PeriodScore.position, Subject.code)
    )  # fmt: skip
    if kind is not None:
        query = query.where(Subject.kind == kind)
    cells: dict[int, _Cells] = defaultdict(_Cells)
    for row in session.execute(query):
        if row.indicator_code:
            cells[row.subject_id].items[row.indicator_code] = plain(row.score, 2 if row.places is None else row.places)
        else:
            cells[row.subject_id].total = row
    found = [
        _standing(it.total, it.items, before.get(subject)) for subject, it in cells.items() if it.total is not None
    ]
    order = {group: index for index, group in enumerate(dict.fromkeys(it.group for it in found))}
    return sorted(found, key=lambda it: (order[it.group], it.rank))


def _standing(row: object, items: Mapping[str, str], before: object) -> Standing:
    total = row._mapping  # type: ignore[attr-defined]
    was = None if before is None else before._mapping  # type: ignore[attr-defined]
    return Standing(
        total["subject_id"], total["code"], total["kind"], total["name"], total["group_name"], total["scheme_code"],
        total["score"], total["places"], total["rank"], total["group_size"], items,
        change(total["score"], None if was is None else was["score"]),
        rank_move(total["rank"], None if was is None else was["rank"]), total["grade"],
    )  # fmt: skip


def tables(session: Session, period: Period, *, kind: str) -> list[GroupTable]:
    """The groups of a period, each as a table; groups in the order of their first member."""
    found: dict[str, list[Standing]] = defaultdict(list)
    for standing in standings(session, period, kind=kind):
        found[standing.group].append(standing)
    titles = items_of(session, {it.scheme for rows in found.values() for it in rows})
    return [
        GroupTable(name, titles.get(rows[0].scheme, ()), rows, mean([it.score for it in rows]))
        for name, rows in found.items()
    ]


def items_of(session: Session, schemes: set[str]) -> dict[str, list[tuple[str, str]]]:
    """Code and title of the nodes directly below the root, by scheme."""
    query = (
        select(Scheme.code.label("scheme"), Indicator.code, Indicator.title, Indicator.parent_code)
        .join(Scheme, Scheme.id == Indicator.scheme_id)
        .where(Scheme.code.in_(schemes))
        .order_by(Indicator.position, Indicator.code)
    )
    rows = session.execute(query).all()
    roots = {row.scheme: row.code for row in rows if not row.parent_code}
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if row.parent_code and row.parent_code == roots.get(row.scheme):
            found[row.scheme].append((row.code, row.title))
    return dict(found)


@dataclass(frozen=True, slots=True)
class GradeTable:
    """How the suggested grades are distributed: per group and over all, with the percentage of each grade."""

    grades: Sequence[str]
    rows: Sequence[tuple[str, int, Mapping[str, int]]]
    size: int
    total: Mapping[str, int]
    percent: Mapping[str, Fraction | None]


def grade_table(session: Session, groups: Sequence[GroupTable]) -> GradeTable | None:
    """The distribution of the grades of some groups, best grade first; None where no rule suggests any."""
    graded = [group for group in groups if group.has_grades]
    if not graded:
        return None
    rows = [(it.name, len(it.rows), distribution(row.grade for row in it.rows if row.grade)) for it in graded]
    total = distribution(row.grade for it in graded for row in it.rows if row.grade)
    ordered = session.scalars(
        select(GradeRule.grade)
        .where(GradeRule.kind.in_(("band", "band_quarter")), GradeRule.grade.in_(total))
        .order_by(GradeRule.scheme_id, GradeRule.position)
    ).all()
    grades = list(dict.fromkeys((*ordered, *total)))
    size = sum(count for _, count, _ in rows)
    return GradeTable(grades, rows, size, total, {grade: percentage(total.get(grade, 0), size) for grade in grades})


def standing_of(session: Session, period: Period, subject_id: int) -> Standing | None:
    """One subject's standing, if the actor may see it."""
    return next((standing for standing in standings(session, period) if standing.subject_id == subject_id), None)


def trend(session: Session, subject_id: int, until: Period) -> list[tuple[Period, Decimal]]:
    """The totals of the last periods of the same length, oldest first, those the actor sees."""
    wanted = [until.shifted(-back) for back in range(TREND)]
    query = select(PeriodScore.period, PeriodScore.score).where(
        PeriodScore.subject_id == subject_id,
        PeriodScore.indicator_code == "",
        PeriodScore.period.in_([str(it) for it in wanted]),
    )
    scores = dict(session.execute(query).all())
    return [(it, scores[str(it)]) for it in reversed(wanted) if str(it) in scores]


def unsettled(session: Session, period: Period) -> int:
    """How many subjects of a period a named error kept from having a total."""
    query = (
        select(func.count(ScoreError.subject_id.distinct()))
        .select_from(ScoreError)
        .where(ScoreError.period == str(period))
    )
    return session.scalar(query) or 0


def scores_of(session: Session, bureau: Bureau, period: Period, *, kind: str | None = None) -> list[Mapping[str, Any]]:
    """The stored scores of a period in the order of docs/scoring.md section 8, as plain rows."""
    table, subject = PeriodScore.__table__, Subject.__table__
    query = (
        select(table, subject.c.code.label("subject"), subject.c.kind.label("subject_kind"))
        .join(subject, subject.c.id == table.c.subject_id)
        .where(table.c.bureau_id == bureau.id, table.c.period == str(period))
    )
    if kind is not None:
        query = query.where(subject.c.kind == kind)
    rows = [dict(row) for row in unscoped(session, WHY).execute(query).mappings()]
    ranks = {row["subject"]: row["rank"] for row in rows if not row["indicator_code"]}
    last = len(rows) + 1
    return sorted(
        rows,
        key=lambda row: (row["group_name"], ranks.get(row["subject"]) or last, row["subject"], row["indicator_code"]),
    )
