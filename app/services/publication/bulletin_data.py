"""What a bulletin says: from a settled period to plain values, numbers as they are printed.

Every number is taken from the stored-to-be scores or counted here from the same lines; nothing is typed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import Document, ExternalResult, ImportBatch, PeriodScore, RunLedger, Scheme
from app.models.imports import BatchState
from app.models.jobs import RunStatus
from app.policies.scoping import unscoped
from app.rules.bulletin import change, mean, rank_move
from app.rules.numbers import plain
from app.rules.scoring.evaluate import Result
from app.rules.scoring.lines import Line
from app.rules.scoring.scheme import SchemeTree
from app.services.scoring.explanation import Teller, lines_of
from app.services.scoring.settlement import Computed, score_rows
from app.services.scoring.source_data import Key

WHY = "a bulletin says a whole bureau; who may read it is asked of the bulletin"
Say = Callable[[Message], str]
FORMAT = 1
PRINTED = 2
MOST_REASONS = 3
_SCORE = PeriodScore.__table__


@dataclass(frozen=True, slots=True)
class Before:
    """The total and rank of a subject in the period before."""

    score: Decimal
    rank: int


RESULT_FIELDS = ("scheme_code", "name", "group_name", "places", "rank", "group_size", "grade")


def result_row(subject: str, row: Mapping[Any, Any]) -> dict[str, Any]:
    """A stored score as plain values, numbers as text of six decimals."""
    return {
        "subject": subject,
        "indicator": row["indicator_code"],
        "score": plain(row["score"], 6),
        "exact": plain(row["exact"], 6),
        **{name: row[name] for name in RESULT_FIELDS},
    }


def results_of(done: Computed) -> list[dict[str, Any]]:
    """Every score of the period, people's too, in one order, so that equal is equal."""
    rows = score_rows(done.sources, done.period, done.results)
    found = [result_row(done.sources.code_of(row["subject_id"]), row) for row in rows]
    return sorted(found, key=lambda row: (row["subject"], row["indicator"]))


def content_of(session: Session, done: Computed, *, say: Say) -> dict[str, Any]:
    """The whole data of a period's bulletin; `say` words sentences in Chinese."""
    units = [it for it in done.results if it.subject.kind == "unit"]
    ledger = list(_ledger(session, done, units, say))
    before = _before(session, done)
    groups = [_group(done, name, members, before, say) for name, members in _by_group(units).items()]
    totals = [it.total.score for it in units if it.total.score is not None and it.total.error is None]
    was = [it.score for code, it in before.items() if any(unit.subject.code == code for unit in units)]
    now_mean, before_mean = mean([_decimal(it) for it in totals]), mean(was)
    counted = [it for it in ledger if it["counted"]]
    return {
        "format": FORMAT,
        "bureau": {"code": done.bureau.code, "name": bureau_name(done)},
        "period": str(done.period),
        "settled_on": done.on.isoformat(),
        "schemes": _schemes(session, done, units),
        "units": len(units),
        "entries": len(ledger),
        "counted": len(counted),
        "mean": _text(now_mean),
        "mean_change": _text(change(now_mean, before_mean)),
        "groups": groups,
        "outstanding": [_outstanding(group, ledger) for group in groups if group["rows"]],
        "externals": _externals(session, done),
        "open": _open_items(session, done, units, say),
        "ledger": counted,
        "left_out": [it for it in ledger if not it["counted"]],
    }


def bureau_name(done: Computed) -> str:
    """What the bureau was called on the last day of the period."""
    row = done.sources.row_on(done.bureau.code, done.period.last_day)
    return done.bureau.code if row is None else row.name


def _decimal(value: Any) -> Decimal:
    return Decimal(plain(value, 6))


def _text(value: Any) -> str | None:
    return None if value is None else plain(value, PRINTED)


def _by_group(units: Sequence[Result]) -> dict[str, list[Result]]:
    """The units by group, groups in the order of their first unit."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for it in sorted(units, key=lambda it: it.subject.order):
        groups[it.subject.group].append(it)
    return dict(groups)


def _before(session: Session, done: Computed) -> dict[str, Before]:
    """The totals of the period before, by subject code."""
    query = select(_SCORE.c.subject_id, _SCORE.c.score, _SCORE.c.rank).where(
        _SCORE.c.bureau_id == done.bureau.id,
        _SCORE.c.period == str(done.period.shifted(-1)),
        _SCORE.c.indicator_code == "",
    )
    rows = unscoped(session, WHY).execute(query)
    return {done.sources.code_of(row.subject_id): Before(row.score, row.rank) for row in rows}


def _group(
    done: Computed, name: str, members: Sequence[Result], before: Mapping[str, Before], say: Say
) -> dict[str, Any]:
    tree = done.evaluation.schemes[members[0].subject.scheme]
    ranked = sorted((it for it in members if it.rank is not None), key=lambda it: (it.rank or 0, it.subject.order))
    now_mean = mean([_decimal(it.total.score) for it in ranked])
    was_mean = mean([before[it.subject.code].score for it in ranked if it.subject.code in before])
    return {
        "name": name,
        "size": len(members),
        "items": [
            {"code": code, "title": tree.nodes[code].title, "measure": _measure(tree, code)} for code in _items(tree)
        ],
        "mean": _text(now_mean),
        "mean_change": _text(change(now_mean, was_mean)),
        "rows": [_row(it, tree, before.get(it.subject.code)) for it in ranked],
        "unsettled": [
            {
                "subject": it.subject.code, "name": it.subject.name,
                "reason": say(it.total.error.reason if it.total.error else N_("Nothing to assess in this period")),
            }
            for it in members if it.rank is None
        ],
        "formula": _formula(tree, [it for it in _items(tree) if any(_has_score(row, it) for row in ranked)], say),
    }  # fmt: skip


def _has_score(row: Result, code: str) -> bool:
    return row.nodes[code].score is not None


def _items(tree: SchemeTree) -> Sequence[str]:
    """The columns of the table: the nodes directly below the root."""
    return tree.nodes[tree.root].children


def _measure(tree: SchemeTree, code: str) -> str:
    """What stands under a column's title: its weight, or its full marks."""
    node = tree.nodes[code]
    if node.weight is not None:
        return f"{plain(node.weight)}%"
    return "±" if node.full is None else plain(node.full)


def _row(it: Result, tree: SchemeTree, before: Before | None) -> dict[str, Any]:
    assert it.rank is not None
    total = _decimal(it.total.score)
    items = {}
    for code in _items(tree):
        score = it.nodes[code]
        if score.score is not None and score.error is None:
            places = tree.places_of(tree.nodes[code])
            items[code] = plain(score.score, PRINTED if places is None else places)
    return {
        "rank": it.rank,
        "subject": it.subject.code,
        "name": it.subject.name,
        "items": items,
        "score": plain(it.total.score or 0, tree.places),
        "change": _text(change(total, None if before is None else before.score)),
        "rank_move": rank_move(it.rank, None if before is None else before.rank),
    }


def _formula(tree: SchemeTree, items: Sequence[str], say: Say) -> str:
    """How the total comes of the columns that have scores in this period, in words."""
    root = tree.nodes[tree.root]
    titles = [tree.nodes[code] for code in items]
    if root.method == "weighted":
        parts = [
            it.title if it.weight is None else f"{it.title}×{plain(it.weight)}%" for it in titles if it.weight != 0
        ]
    else:
        parts = [it.title for it in titles if it.weight != 0]
    joined = " ＋ ".join(parts)
    sentences = {
        "sum": N_("Total = %(parts)s", parts=joined),
        "weighted": N_("Total = %(parts)s", parts=joined),
        "weighted_mean": N_("Total = weighted mean of %(parts)s", parts=joined),
        "mean": N_("Total = mean of %(parts)s", parts=joined),
        "scale": N_("Total = scaled sum of %(parts)s", parts=joined),
    }
    return say(sentences.get(root.method, N_("Total = %(parts)s", parts=root.title)))


def _ledger(session: Session, done: Computed, units: Sequence[Result], say: Say) -> Iterator[dict[str, Any]]:
    """The entries of all units as counted or left out, unit by unit."""
    lines: Mapping[Key, tuple[Line, ...]] = lines_of(session, done)
    for it in sorted(units, key=lambda it: it.subject.order):
        teller = Teller(done, it, lines, say)
        for node in _walk(teller.node(teller.tree.nodes[teller.tree.root])):
            for line in node["lines"]:
                yield {"subject": it.subject.code, "name": it.subject.name, "indicator": node["title"], **line}


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node["children"]:
        yield from _walk(child)


def _outstanding(group: Mapping[str, Any], ledger: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first and the last of a group, each with the entries that weigh most, and who rose most."""
    rows = group["rows"]
    first = [_with_reasons(row, ledger, "award") for row in rows if row["rank"] == 1]
    lowest = rows[-1]["rank"]
    last = [_with_reasons(row, ledger, "deduction") for row in rows if row["rank"] == lowest and lowest != 1]
    rose = [row for row in rows if row["change"] is not None and Decimal(row["change"]) > 0]
    best = max(rose, key=lambda row: Decimal(row["change"]), default=None)
    risen = None if best is None else {name: best[name] for name in ("subject", "name", "change")}
    return {"group": group["name"], "first": first, "last": last, "risen": risen}


def _with_reasons(row: Mapping[str, Any], ledger: Sequence[Mapping[str, Any]], effect: str) -> dict[str, Any]:
    mine = [it for it in ledger if it["subject"] == row["subject"] and it["effect"] == effect and it["counted"]]
    mine.sort(key=lambda it: (-abs(Decimal(it["points"])), it["occurred_on"], it["no"]))
    reasons = [{"text": it["text"], "points": it["points"], "no": it["no"]} for it in mine[:MOST_REASONS]]
    return {"subject": row["subject"], "name": row["name"], "score": row["score"], "reasons": reasons}


def _schemes(session: Session, done: Computed, units: Sequence[Result]) -> list[dict[str, Any]]:
    """The schemes the units were assessed by, each with the documents its clauses rest on."""
    used = {it.subject.scheme for it in units}
    scheme, document = Scheme.__table__.c, Document.__table__.c
    rows = unscoped(session, WHY).execute(
        select(scheme.code, scheme.title, scheme.version, scheme.year)
        .where(scheme.bureau_id == done.bureau.id, scheme.code.in_(used))
        .order_by(scheme.code)
    )
    documents = unscoped(session, WHY).execute(
        select(document.code, document.title, document.number, document.issuer)
        .where(
            document.bureau_id == done.bureau.id,
            document.in_force_from.is_(None) | (document.in_force_from <= done.period.last_day),
            document.in_force_to.is_(None) | (document.in_force_to >= done.period.first_day),
        )
        .order_by(document.code)
    )
    basis = [dict(row) for row in documents.mappings()]
    return [{**dict(row), "documents": basis} for row in rows.mappings()]


def _externals(session: Session, done: Computed) -> list[dict[str, Any]]:
    """What bureaus above printed of the period, beside and never inside."""
    external = ExternalResult.__table__.c
    query = select(ExternalResult.__table__).where(
        external.bureau_id == done.bureau.id, external.period == str(done.period)
    )
    found = []
    for row in unscoped(session, WHY).execute(query.order_by(external.id)).mappings():
        code = done.sources.code_of(row["subject_id"])
        at = done.sources.row_on(code, done.period.last_day)
        if at is not None and at.kind == "unit":
            found.append(
                {
                    "subject": code, "name": at.name, "indicator": row["indicator_code"], "issuer": row["issuer"],
                    "score": None if row["score"] is None else plain(row["score"]), "rank": row["rank"],
                }
            )  # fmt: skip
    return found


def _open_items(session: Session, done: Computed, units: Sequence[Result], say: Say) -> list[str]:
    """What somebody should still look at before the results go out; people by number only."""
    found = []
    for code, error in done.errors:
        at = done.sources.row_on(code, done.period.last_day)
        if at is not None and at.kind == "unit":
            found.append(N_("%(name)s is not settled: %(indicator)s, %(reason)s", name=at.name,
                            indicator=error.indicator, reason=error.reason))  # fmt: skip
    unsettled = {code for code, _ in done.errors} - {it.subject.code for it in units}
    if unsettled:
        found.append(N_("%(count)s people are not settled.", count=len(unsettled)))
    without = [it.subject.name for it in units if not _has_entries(done, it)]
    if without:
        found.append(N_("Without any entry: %(names)s", names="、".join(without)))
    batch, run = ImportBatch.__table__.c, RunLedger.__table__.c
    waiting = unscoped(session, WHY).execute(
        select(func.count(batch.id)).where(batch.bureau_id == done.bureau.id, batch.state == BatchState.CHECKED)
    )
    count = waiting.scalar_one()
    if count:
        found.append(N_("%(count)s checked workbooks are not committed.", count=count))
    failed = unscoped(session, WHY).execute(
        select(func.count(run.id)).where(run.bureau_id == done.bureau.id, run.status == RunStatus.FAILED)
    )
    count = failed.scalar_one()
    if count:
        found.append(N_("%(count)s runs have failed.", count=count))
    return [say(it) for it in found]


def _has_entries(done: Computed, unit: Result) -> bool:
    return any(key[0] == unit.subject.code and tally.count for key, tally in done.sources.tallies.items())
