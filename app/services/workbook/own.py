"""What a workbook says about who uploads it: refused at the cell, as the pages refuse it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from app.policies.actor import Actor
from app.policies.free import MOVES_NOTHING, NOT_FREE, free
from app.services.ledger.posting import TO_COME
from app.services.workbook.rows import Problem, Row
from app.services.workbook.store import Codes
from app.services.workbook.tables import STORES

# The column that says whom a row is about.
ABOUT = {
    "entries": "subject", "targets": "subject", "external_results": "subject", "units": "code", "people": "staff_no",
    "postings": "staff_no", "oversight": "staff_no",
}  # fmt: skip
HARMLESS = MOVES_NOTHING | {"order", "username"}


New = Mapping[str, Sequence[Row]]
Changed = Mapping[str, Sequence[tuple[Row, Row]]]


def own_matters(new: New, changed: Changed, codes: Codes, actor: Actor, today: date) -> Iterable[Problem]:
    """Rows that may move the score of the actor, of those near him or of his unit; and facts of days to come."""
    if actor.is_system:
        return
    for sheet, column in ABOUT.items():
        for row in _moving(new, changed, sheet):
            subject, day = codes.subjects.get(row.get(column)), row.get("occurred_on")
            if subject is not None and not free(actor, {subject}):
                yield Problem(sheet, row.number, column, NOT_FREE, str(row.get(column)))
            if isinstance(day, date) and day > today:
                yield Problem(sheet, row.number, "occurred_on", TO_COME, str(day))


def _moving(new: New, changed: Changed, sheet: str) -> Iterator[Row]:
    yield from new.get(sheet, ())
    names = {*STORES[sheet].plain, *STORES[sheet].references} - HARMLESS
    for row, old in changed.get(sheet, ()):
        if any(row.get(name) != old.get(name) for name in names):
            yield row
