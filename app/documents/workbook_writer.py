"""Writing a workbook: rows out as xlsx, user text never as a formula, the same file back with its errors.

Source: docs/scoring.md section 7; trust demand FI-04.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from app.documents.layout import Layout, Sheet
from app.documents.reading import OddCell, marked
from app.documents.workbook_reader import Cell, read_workbook
from app.errors import RuleViolation
from app.rules.texts import legal

LABEL = Font(bold=True)
KEY = Font(size=8, color="808080")
HEAD = PatternFill("solid", fgColor="EEF3FA")
LAST_ROW = 5000
WIDEST = 28

Value = str | int | Decimal | date | None
Fault = tuple[str, int | None, str | None, str]


def write_workbook(
    layout: Layout, rows: Mapping[str, Iterable[Mapping[str, Value]]], *, with_notes: bool = True
) -> bytes:
    """Write every sheet of the layout with the rows it has; labels, keys and drop-downs included."""
    book = Workbook(write_only=True)
    for sheet in layout.sheets.values():
        page = book.create_sheet(sheet.name)
        for index, column in enumerate(sheet.columns, start=1):
            page.column_dimensions[get_column_letter(index)].width = min(WIDEST, 6 + 2 * len(column.label))
        page.freeze_panes = "A3"
        page.append([_text(page, column.label + "*" * column.is_required, LABEL, HEAD) for column in sheet.columns])
        page.append([_text(page, column.key, KEY) for column in sheet.columns])
        for row in rows.get(sheet.key, ()):
            page.append([_cell(page, row.get(column.key)) for column in sheet.columns])
        for rule in _drop_downs(sheet, layout):
            page.data_validations.append(rule)
    if with_notes:
        notes = book.create_sheet(layout.notes_name)
        notes.column_dimensions["A"].width = 110
        for line in layout.notes:
            notes.append([_text(notes, line)])
    return _bytes(book)


def write_table(title: str, head: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """Write one plain table: a list as it is filtered, or scores."""
    return write_tables([(title, head, rows)])


def write_tables(tables: Iterable[tuple[str, Sequence[str], Iterable[Sequence[Value]]]]) -> bytes:
    """Write plain tables, each (title, labels, rows) on a sheet of its own."""
    book = Workbook(write_only=True)
    for title, head, rows in tables:
        page = book.create_sheet(_sheet_title(title))
        page.freeze_panes = "A2"
        for index, label in enumerate(head, start=1):
            page.column_dimensions[get_column_letter(index)].width = min(WIDEST, 8 + 2 * len(label))
        page.append([_text(page, label, LABEL, HEAD) for label in head])
        for row in rows:
            page.append([_cell(page, value) for value in row])
    return _bytes(book)


def with_errors(content: bytes, layout: Layout, faults: Iterable[Fault]) -> bytes:
    """Give the same file back with a column that says what is wrong in each row.

    A fault is (sheet key, row or None, column or None, reason); one without a row stands in row 2. A file that only
    one of two libraries can read comes back as the rows that were read, in a workbook of ours.
    """
    by_row: dict[str, dict[int, list[str]]] = {}
    for key, row, column, reason in faults:
        label = next((it.label for it in layout.sheets[key].columns if it.key == column), "")
        by_row.setdefault(key, {}).setdefault(row or 2, []).append(f"{label}：{reason}" if label else reason)
    remarks = {key: {row: legal("；".join(reasons)) for row, reasons in rows.items()} for key, rows in by_row.items()}
    marks = [
        {"names": [key, layout.sheets[key].name], "rows": sorted(rows.items())} for key, rows in sorted(remarks.items())
    ]
    return marked(content, label=layout.errors_label, marks=marks) or _read_with_errors(content, layout, remarks)


def _read_with_errors(content: bytes, layout: Layout, remarks: Mapping[str, Mapping[int, str]]) -> bytes:
    """The rows as they were read under their keys, each with its remark; where they cannot be, the remarks."""
    try:
        found = read_workbook(content, layout).rows
    except RuleViolation:
        found = {}
    tables = []
    for sheet in layout.sheets.values():
        if sheet.key not in found and sheet.key not in remarks:
            continue
        said = dict(remarks.get(sheet.key, {}))
        rows: list[list[Value]] = [[*(column.key for column in sheet.columns), ""]]
        rows += [
            [*(_as_text(row.cells.get(column.key)) for column in sheet.columns), said.pop(row.number, "")]
            for row in found.get(sheet.key, ())
        ]
        rows += [[*("" for _ in sheet.columns), text] for _, text in sorted(said.items())]
        tables.append((sheet.name, [*(column.label for column in sheet.columns), layout.errors_label], rows))
    return write_tables(tables)


def _as_text(cell: Cell | None) -> Value:
    """A cell as it can be corrected: of one that is no value, what stands behind it."""
    if isinstance(cell, OddCell):
        return "" if cell.value is None else cell.shown or str(cell.value)
    return cell


def _bytes(book: Workbook) -> bytes:
    """The archive without the time it was made, so that the same rows give the same bytes."""
    made, out = io.BytesIO(), io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "docProps/core.xml":
                content = _MADE_AT.sub(rb"\g<1>2000-01-01T00:00:00Z<", content)
            still = zipfile.ZipInfo(part.filename, (1980, 1, 1, 0, 0, 0))
            still.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(still, content)
    return out.getvalue()


_MADE_AT = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*<")


def _sheet_title(title: str) -> str:
    """A title as a sheet may bear it."""
    return _NO_TITLE.sub(" ", legal(title)).strip()[:31] or "1"


_NO_TITLE = re.compile(r"[\\*?:/\[\]]")


def _text(page: Any, text: str, font: Font | None = None, fill: PatternFill | None = None) -> Any:
    cell = WriteOnlyCell(page, value=legal(text))
    cell.data_type = "s"
    if font is not None:
        cell.font = font
    if fill is not None:
        cell.fill = fill
    return cell


def _cell(page: Any, value: Value) -> Any:
    """Text is written as text whatever it begins with; numbers and dates stay what they are."""
    if isinstance(value, str):
        return _text(page, value) if value else None
    if isinstance(value, date):
        cell = WriteOnlyCell(page, value=datetime(value.year, value.month, value.day))
        cell.number_format = "yyyy-mm-dd"
        return cell
    return value


def _drop_downs(sheet: Sheet, layout: Layout) -> Iterable[DataValidation]:
    for index, column in enumerate(sheet.columns, start=1):
        words = layout.choices.get(column.type)
        if words is None:
            continue
        listed = ",".join(words.values())
        rule = DataValidation(type="list", formula1=f'"{listed}"', allow_blank=True, showErrorMessage=False)
        letter = get_column_letter(index)
        rule.add(f"{letter}3:{letter}{LAST_ROW}")
        yield rule
