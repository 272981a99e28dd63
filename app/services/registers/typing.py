"""What was typed into a form of a register, in the form a workbook gives it."""

from __future__ import annotations

from typing import Any

from app.documents.layout import layout
from app.errors import N_, RuleViolation
from app.models import ExternalResult, Target
from app.rules.days import read_period
from app.services.workbook.rows import GRAMMAR, typed
from app.services.workbook.tables import STORES


def as_read(record: Any, sheet: str | None) -> None:
    """Write the signs of the grammar and codes narrow, and periods by their key; refused at the field it stands in."""
    for column in () if sheet is None else layout().sheets[sheet].columns:
        name = STORES[sheet or ""].plain.get(column.key)
        text = None if name is None else getattr(record, name, None)
        if name and isinstance(text, str) and text and (column.key in GRAMMAR or column.type in ("list", "code")):
            try:
                setattr(record, name, typed(text, column, layout()))
            except RuleViolation as fault:
                raise RuleViolation(fault.message, field_name=name) from None
    if isinstance(record, Target | ExternalResult):
        period = read_period(record.period or "")
        if period is None:
            raise RuleViolation(N_("A period is written 2026-03, 2026Q1 or 2026."), field_name="period")
        record.period = str(period)
