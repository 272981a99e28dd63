"""What stands behind the tables of a bulletin: entries with reasons, schemes, external results, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_
from app.models import Document, ExternalResult, ImportBatch, RunLedger, Scheme
from app.models.imports import BatchState
from app.models.jobs import RunStatus
from app.policies.scoping import unscoped
from app.rules.numbers import plain
from app.rules.scoring.evaluate import Result
from app.rules.scoring.lines import Line
from app.services.scoring.explanation import Say, Teller, lines_of
from app.services.scoring.settlement import Computed
from app.services.scoring.source_data import Key

WHY = "a bulletin says a whole bureau; who may read it is asked of the bulletin"
MOST_REASONS = 3


def entries_with_reasons(
    session: Session, done: Computed, units: Sequence[Result], say: Say
) -> Iterator[dict[str, Any]]:
    """The entries of all units as counted or left out, unit by unit."""
    lines: Mapping[Key, tuple[Line, ...]] = lines_of(session, done)
    for unit in sorted(units, key=lambda it: it.subject.order):
        teller = Teller(done, unit, lines, say)
        for node in _walk(teller.node(teller.tree.nodes[teller.tree.root])):
            for line in node["lines"]:
                yield {"subject": unit.subject.code, "name": unit.subject.name, "indicator": node["title"], **line}


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node["children"]:
        yield from _walk(child)


def outstanding(group: Mapping[str, Any], ledger: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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
    reasons = [{"text": own["text"], "points": own["points"], "no": own["no"]} for own in mine[:MOST_REASONS]]
    return {"subject": row["subject"], "name": row["name"], "score": row["score"], "reasons": reasons}


def schemes_behind(session: Session, done: Computed, units: Sequence[Result]) -> list[dict[str, Any]]:
    """The schemes the units were assessed by, each with the documents its clauses rest on."""
    used = {unit.subject.scheme for unit in units}
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


def externals_behind(session: Session, done: Computed) -> list[dict[str, Any]]:
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


def open_items(session: Session, done: Computed, units: Sequence[Result], say: Say) -> list[str]:
    """What somebody should still look at before the results go out; people by number only."""
    found = []
    for code, error in done.errors:
        at = done.sources.row_on(code, done.period.last_day)
        if at is not None and at.kind == "unit":
            found.append(N_("%(name)s is not settled: %(indicator)s, %(reason)s", name=at.name,
                            indicator=error.indicator, reason=error.reason))  # fmt: skip
    unsettled = {code for code, _ in done.errors} - {unit.subject.code for unit in units}
    if unsettled:
        found.append(N_("%(count)s people are not settled.", count=len(unsettled)))
    without = [unit.subject.name for unit in units if not _is_in_ledger(done, unit)]
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


def _is_in_ledger(done: Computed, unit: Result) -> bool:
    return any(cell.counts.get(unit.subject.code) for cell in done.sources.cells.values())
