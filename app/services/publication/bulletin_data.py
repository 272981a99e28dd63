"""What a bulletin says: from a settled period to plain values, numbers as they are printed.

Every number is taken from the stored-to-be scores or counted here from the same lines; nothing is typed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_
from app.models import PeriodScore
from app.policies.scoping import unscoped
from app.rules.bulletin import change, mean, rank_move
from app.rules.numbers import plain
from app.rules.scoring.evaluate import Result
from app.rules.scoring.scheme import SchemeTree
from app.services.publication.bulletin_annex import (
    entries_with_reasons,
    externals_behind,
    open_items,
    outstanding,
    schemes_behind,
)
from app.services.scoring.explanation import Say
from app.services.scoring.settlement import Computed, score_rows

WHY = "a bulletin says a whole bureau; who may read it is asked of the bulletin"
FORMAT = 1
PRINTED = 2
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
    units = [result for result in done.results if result.subject.kind == "unit"]
    ledger = list(entries_with_reasons(session, done, units, say))
    before = _before(session, done)
    groups = [_group(done, name, members, before, say) for name, members in _by_group(units).items()]
    totals = [unit.total.score for unit in units if unit.total.score is not None and unit.total.error is None]
    was = [it.score for code, it in before.items() if any(unit.subject.code == code for unit in units)]
    now_mean, before_mean = mean([_decimal(total) for total in totals]), mean(was)
    counted = [it for it in ledger if it["counted"]]
    return {
        "format": FORMAT,
        "bureau": {"code": done.bureau.code, "name": bureau_name(done)},
        "period": str(done.period),
        "settled_on": done.on.isoformat(),
        "schemes": schemes_behind(session, done, units),
        "units": len(units),
        "entries": len(ledger),
        "counted": len(counted),
        "mean": _text(now_mean),
        "mean_change": _text(change(now_mean, before_mean)),
        "groups": groups,
        "outstanding": [outstanding(group, ledger) for group in groups if group["rows"]],
        "externals": externals_behind(session, done),
        "open": open_items(session, done, units, say),
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
    for unit in sorted(units, key=lambda it: it.subject.order):
        groups[unit.subject.group].append(unit)
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
    ranked = sorted(
        (member for member in members if member.rank is not None), key=lambda it: (it.rank or 0, it.subject.order)
    )
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
                "subject": member.subject.code, "name": member.subject.name,
                "reason": say(
                    member.total.error.reason if member.total.error else N_("Nothing to assess in this period")
                ),
            }
            for member in members if member.rank is None
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


def _row(result: Result, tree: SchemeTree, before: Before | None) -> dict[str, Any]:
    assert result.rank is not None
    total = _decimal(result.total.score)
    items = {}
    for code in _items(tree):
        score = result.nodes[code]
        if score.score is not None and score.error is None:
            places = tree.places_of(tree.nodes[code])
            items[code] = plain(score.score, PRINTED if places is None else places)
    return {
        "rank": result.rank,
        "subject": result.subject.code,
        "name": result.subject.name,
        "items": items,
        "score": plain(result.total.score or 0, tree.places),
        "change": _text(change(total, None if before is None else before.score)),
        "rank_move": rank_move(result.rank, None if before is None else before.rank),
    }


def _formula(tree: SchemeTree, items: Sequence[str], say: Say) -> str:
    """How the total comes of the columns that have scores in this period, in words."""
    root = tree.nodes[tree.root]
    titles = [tree.nodes[code] for code in items]
    if root.method == "weighted":
        parts = [
            title.title if title.weight is None else f"{title.title}×{plain(title.weight)}%"
            for title in titles
            if title.weight != 0
        ]
    else:
        parts = [title.title for title in titles if title.weight != 0]
    joined = " ＋ ".join(parts)
    sentences = {
        "sum": N_("Total = %(parts)s", parts=joined),
        "weighted": N_("Total = %(parts)s", parts=joined),
        "weighted_mean": N_("Total = weighted mean of %(parts)s", parts=joined),
        "mean": N_("Total = mean of %(parts)s", parts=joined),
        "scale": N_("Total = scaled sum of %(parts)s", parts=joined),
    }
    return say(sentences.get(root.method, N_("Total = %(parts)s", parts=root.title)))
