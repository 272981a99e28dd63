"""What a workbook says about who uploads it: refused at the cell, as the pages refuse it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING

from app.policies.actor import Actor
from app.policies.free import NOT_FREE, free
from app.services.ledger.posting import TO_COME
from app.services.registers.keeping import MOVES_NOTHING
from app.services.workbook.rows import Problem, Row
from app.services.workbook.store import Codes
from app.services.workbook.tables import STORES

if TYPE_CHECKING:
    from app.services.workbook.plan import Plan

# The column that says whom a row is about.
ABOUT = {
    "entries": "subject", "targets": "subject", "external_results": "subject", "units": "code", "people": "staff_no",
    "postings": "staff_no", "oversight": "staff_no",
}  # fmt: skip
HARMLESS = MOVES_NOTHING | {"order", "username"}


def own_matters(plan: Plan, codes: Codes, actor: Actor, today: date) -> Iterable[Problem]:
    """Rows that may move the score of the actor, of those near him or of his unit; and facts of days to come."""
    if actor.is_system:
        return
    for sheet, column in ABOUT.items():
        for row in _moving(plan, sheet):
            subject, day = codes.subjects.get(row.get(column)), row.get("occurred_on")
            if subject is not None and not free(actor, {subject}):
                yield Problem(sheet, row.number, column, NOT_FREE, str(row.get(column)))
            if isinstance(day, date) and day > today:
                yield Problem(sheet, row.number, "occurred_on", TO_COME, str(day))


def _moving(plan: Plan, sheet: str) -> Iterator[Row]:
    yield from plan.new.get(sheet, ())
    names = {*STORES[sheet].plain, *STORES[sheet].references} - HARMLESS
    for row, old in plan.changed.get(sheet, ()):
        if any(row.get(name) != old.get(name) for name in names):
            yield row
