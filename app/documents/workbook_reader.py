"""Reading a workbook: an untrusted xlsx in, rows of text and dates out, nothing interpreted yet.

The file itself is opened by `documents.reading` only. Source: trust demands FI-02, FI-03, FI-06.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from app.documents.layout import Column, Layout, Sheet
from app.documents.reading import Grid, read_sheets
from app.errors import N_, RuleViolation
from app.rules.texts import seen

KEY_ROW = 2

Cell: TypeAlias = str | date


@dataclass(slots=True)
class RawRow:
    """One data row: the number Excel shows, and the filled cells by column key."""

    number: int
    cells: dict[str, Cell] = field(default_factory=dict)


def read_workbook(content: bytes, layout: Layout) -> dict[str, list[RawRow]]:
    """Read every known sheet; unknown sheets and columns are ignored, blank rows dropped."""
    known = {name: sheet for sheet in layout.sheets.values() for name in (sheet.key, sheet.name)}
    found: dict[str, list[RawRow]] = {}
    for name, grid in read_sheets(content, list(known)).items():
        if known[name].key not in found:
            found[known[name].key] = list(_rows(grid, known[name]))
    if not found:
        raise RuleViolation(N_("The workbook has none of the known sheets."))
    return found


def _rows(grid: Grid, sheet: Sheet) -> Iterator[RawRow]:
    columns: dict[int, Column] = {}
    for index, value in enumerate(next((values for number, values in grid if number == KEY_ROW), ())):
        column = sheet.column(clean(value).rstrip("*")) if isinstance(value, str) else None
        if column is not None and column not in columns.values():
            columns[index] = column
    for number, values in grid:
        row = RawRow(number)
        for index, column in columns.items():
            if number > KEY_ROW and index < len(values):
                cell = cell_of(values[index])
                if cell != "":
                    row.cells[column.key] = cell
        if row.cells:
            yield row


def cell_of(value: object) -> Cell:
    """A cell as text or date; a number is written as its shortest decimal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Decimal):
        return format(value, "f").removesuffix(".0")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        if value.time() == datetime.min.time():
            return value.date()
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value
    return clean(value) if isinstance(value, str) else str(value)


def clean(text: str) -> str:
    """Strip blanks (full-width ones too) and drop invisible characters."""
    return seen(text).strip().strip("\u3000").strip()


def folded(text: str) -> str:
    """Fold full-width digits and signs, for numbers, dates and coded values."""
    return unicodedata.normalize("NFKC", text).strip()
