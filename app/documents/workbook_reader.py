"""Reading a workbook: an untrusted xlsx in, rows of text and dates out, nothing interpreted yet.

What the archive claims is checked before anything is unpacked. Source: trust demands FI-02, FI-03, FI-06.
"""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from python_calamine import CalamineError, CalamineWorkbook

from app.documents.file_types import is_harmless
from app.documents.layout import Column, Layout, Sheet
from app.errors import N_, RuleViolation

MOST_ROWS = 300_000
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))

Cell: TypeAlias = str | date


@dataclass(slots=True)
class RawRow:
    """One data row: the number Excel shows, and the filled cells by column key."""

    number: int
    cells: dict[str, Cell] = field(default_factory=dict)


def check_archive(content: bytes) -> None:
    """Refuse what is no xlsx, or would unpack to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            names = archive.namelist()
    except zipfile.BadZipFile as fault:
        raise RuleViolation(N_("The file is not a readable xlsx workbook.")) from fault
    if not is_harmless(parts):
        raise RuleViolation(N_("The file is protected, or unpacks to more than is accepted."))
    if "xl/workbook.xml" not in names:
        raise RuleViolation(N_("The file is not a readable xlsx workbook."))
    if any(name.startswith("xl/vbaProject") for name in names):
        raise RuleViolation(N_("Workbooks with macros are not accepted."))


def read_workbook(content: bytes, layout: Layout) -> dict[str, list[RawRow]]:
    """Read every known sheet; unknown sheets and columns are ignored, blank rows dropped."""
    check_archive(content)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        found: dict[str, list[RawRow]] = {}
        by_name = {sheet.name: sheet for sheet in layout.sheets.values()}
        for name in book.sheet_names:
            sheet = layout.sheets.get(name.strip()) or by_name.get(name.strip())
            if sheet is not None and sheet.key not in found:
                grid = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                found[sheet.key] = list(_rows(grid, sheet))
    except (CalamineError, OSError, ValueError, KeyError) as fault:
        raise RuleViolation(N_("The file is not a readable xlsx workbook.")) from fault
    if not found:
        raise RuleViolation(N_("The workbook has none of the known sheets."))
    return found


def _rows(grid: Sequence[Sequence[object]], sheet: Sheet) -> Iterator[RawRow]:
    if len(grid) < 2:
        return
    columns: dict[int, Column] = {}
    for index, value in enumerate(grid[1]):
        column = sheet.column(clean(value).rstrip("*")) if isinstance(value, str) else None
        if column is not None and column not in columns.values():
            columns[index] = column
    for number, values in enumerate(grid[2:], start=3):
        row = RawRow(number)
        for index, column in columns.items():
            if index < len(values):
                cell = cell_of(values[index])
                if cell != "":
                    row.cells[column.key] = cell
        if row.cells:
            if number > MOST_ROWS:
                raise RuleViolation(N_("A sheet has more than %(limit)s rows.", limit=MOST_ROWS))
            yield row


def cell_of(value: object) -> Cell:
    """A cell as text or date; a number is written as its shortest decimal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
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
    return text.translate(INVISIBLE).strip().strip("\u3000").strip()


def folded(text: str) -> str:
    """Fold full-width digits and signs, for numbers, dates and coded values."""
    return unicodedata.normalize("NFKC", text).strip()
