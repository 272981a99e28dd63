"""Reading the ledger for an evaluation: sums where the database may add up, entries one by one elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, func, literal_column, select, type_coerce
from sqlalchemy.orm import Session

from app.models import ScoreEntry
from app.policies.scoping import unscoped
from app.rules.grammar import read_pairs
from app.rules.periods import Period
from app.rules.scoring.cells import QUANTITY_UNIT, Cell
from app.rules.scoring.lines import EntryFact, Line, Occurrence, count_lines, occurrences, plain_sum
from app.services.scoring.source_data import ClauseInfo, DatedRow, Key, Sources, period_of_month, spans_of

WHOLE = 100_000
WHY = "an evaluation counts the whole ledger of a bureau"


def _live(bureau_id: int, months: list[str], watermark: int | None) -> list[Any]:
    """Entries of successive months that are neither reversals nor reversed, up to the watermark."""
    return [ScoreEntry.__table__.c.month.between(months[0], months[-1]), *_unreversed(bureau_id, watermark)]


def _unreversed(bureau_id: int, watermark: int | None) -> list[Any]:
    """Entries that are neither reversals nor reversed, up to the watermark.

    The kind stands in the statement and not beside it: a partial index serves no statement that does not name it.
    """
    entry = ScoreEntry.__table__.c
    again = ScoreEntry.__table__.alias()
    reversed_ids = select(again.c.reverses_id).where(again.c.bureau_id == bureau_id, again.c.reverses_id.is_not(None))
    if watermark is not None:
        reversed_ids = reversed_ids.where(again.c.id <= watermark)
    conditions = [
        entry.bureau_id == bureau_id,
        entry.kind != literal_column("'reversal'"),
        entry.id.not_in(reversed_ids),
    ]
    return conditions if watermark is None else [*conditions, entry.id <= watermark]


def read_cells(
    session: Session, sources: Sources, months: list[str], by_rows: set[str], watermark: int | None
) -> tuple[dict[tuple[str, Period], Cell], int]:
    """Add up the clauses that are plain sums, per leaf and span period; and how many entries there are of all clauses.

    One statement, answered from an index in the order of its groups; the stored integers stay integers.
    """
    entry = ScoreEntry.__table__.c
    grouped: tuple[Any, ...] = (
        entry.month,
        entry.clause_id,
        entry.subject_id,
        *_exact(entry.quantity, entry.share_percent),
    )
    query = (
        select(
            *grouped, entry.share_divisor, func.count(), *(func.sum(it) for it in _exact(entry.points, entry.value))
        )
        .where(*_live(sources.bureau_id, months, watermark))
        .group_by(*grouped, entry.share_divisor)
    )  # fmt: skip
    spans = spans_of(sources)
    plain = {
        pk: plain_sum(info.rule) for pk, info in sources.clauses.items() if info.rule.indicator not in by_rows
    }  # fmt: skip
    cells: dict[tuple[str, Period], Cell] = defaultdict(Cell)
    known, entries, now = sources.codes, 0, ("", 0)
    found: list[tuple[Cell, int]] = []
    rows: Iterable[Any] = unscoped(session, WHY).execute(query)
    for month, clause, subject, quantity, percent, divisor, count, points, value in rows:
        entries += count
        if clause not in plain:
            continue
        unit, total = plain[clause]
        if (month, clause) != now:
            now, leaf = (month, clause), sources.clauses[clause].rule.indicator
            held = [cells[leaf, period_of_month(month, span)] for span in spans.get(leaf, ())]
            found = [(cell, cell.holding(unit)) for cell in held]
        numerator, code = total(count, int(points or 0), int(value or 0)), known[subject]
        if quantity == QUANTITY_UNIT and percent == WHOLE and divisor == 1:
            for cell, times in found:
                cell.add(code, numerator * times, count, count * QUANTITY_UNIT)
        else:
            weight = _weight(quantity, percent, divisor)
            for cell, _times in found:
                times = cell.holding(unit * weight.denominator)
                cell.add(code, numerator * weight.numerator * times, count, count * quantity)
            found = [(cell, cell.holding(unit)) for cell, _times in found]
    return dict(cells), entries


def _exact(*columns: Any) -> list[Any]:
    """Columns as the integers they are stored as: thousands of decimals would cost more than the sums."""
    return [type_coerce(column, BigInteger) for column in columns]


@lru_cache(maxsize=4096)
def _weight(quantity: int, percent: int, divisor: int) -> Fraction:
    """Quantity times share, out of stored integers: ten thousandths, and thousandths of a percent."""
    return Fraction(quantity * percent, QUANTITY_UNIT * WHOLE * divisor)


def read_lines(
    session: Session,
    sources: Sources,
    months: list[str],
    indicators: set[str],
    *,
    subject: str | None = None,
    watermark: int | None = None,
    also: Sequence[Mapping[Any, Any]] = (),
) -> dict[Key, tuple[Line, ...]]:
    """Read the entries of some indicators one by one and count them, per subject, leaf and span period.

    `also` are entries that are not posted yet, as rows with ids below 0 and the subject of their fact.
    """
    clause_ids = [pk for pk, info in sources.clauses.items() if info.rule.indicator in indicators]
    if not clause_ids:
        return {}
    entry = ScoreEntry.__table__
    fact = entry.alias("fact")
    query = (
        select(entry, fact.c.subject_id.label("fact_subject_id"))
        .outerjoin(fact, fact.c.id == entry.c.fact_id)
        .where(*_live(sources.bureau_id, months, watermark), entry.c.clause_id.in_(clause_ids))
    )
    if subject is not None:
        query = query.where(entry.c.subject_id == sources.ids[subject])
    spans = spans_of(sources)
    cells: dict[Key, list[EntryFact]] = defaultdict(list)
    watched = sources.clauses_watched()
    wanted = [row for row in also if subject in (None, sources.code_of(row["subject_id"]))]
    stored: Iterable[Mapping[Any, Any]] = unscoped(session, WHY).execute(query).mappings()
    for row in chain(stored, wanted):
        code = sources.code_of(row["subject_id"])
        info = sources.clauses[row["clause_id"]]
        own = code if row["fact_subject_id"] is None else sources.code_of(row["fact_subject_id"])
        found = _fact(row, info, sources.row_on(own, row["occurred_on"]))
        if info.rule.code in watched and row["kind"] == "fact":
            sources.months[row["id"]] = row["month"]
        for span in spans.get(info.rule.indicator, ()):
            cells[code, info.rule.indicator, period_of_month(row["month"], span)].append(found)
    rules = sources.rules
    numbered = _occurrences(session, sources, months, clause_ids, watermark, also)
    return {key: count_lines(facts, rules, numbered, key[2].month_keys[-1]) for key, facts in cells.items()}


def _occurrences(
    session: Session,
    sources: Sources,
    months: list[str],
    clause_ids: list[int],
    watermark: int | None,
    also: Sequence[Mapping[Any, Any]],
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
    of_subject: dict[int, list[EntryFact]] = defaultdict(list)
    facts_to_come = [row for row in also if row["kind"] == "fact" and row["clause_id"] in counting]
    stored: Iterable[Mapping[Any, Any]] = unscoped(session, WHY).execute(query).mappings()
    for row in chain(stored, facts_to_come):
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
        Fraction(row["share_percent"]) / 100 / row["share_divisor"], row["fact_id"], row["month"],
    )  # fmt: skip
