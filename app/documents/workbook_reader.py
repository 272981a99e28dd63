"""Reading a workbook: an untrusted xlsx in, rows of cells out by sheet and column, nothing interpreted yet.

What is not understood is never passed over in silence: a sheet of ours without its keys is a fault, a filled sheet or
column that is none of ours is named. The file itself is opened by `documents.reading` only. Source: docs/scoring.md
section 7; trust demands FI-02, FI-03, FI-06.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from app.documents.layout import Column, Layout, Sheet
from app.documents.reading import Grid, Odd, OddCell, Page, read_pages
from app.errors import N_, Message, RuleViolation
from app.rules.texts import fold_width, seen

LAST_KEY_ROW = 10
NO_KEYS = N_("None of the first ten rows holds the column keys: download the template and compare.")

Cell: TypeAlias = str | date | OddCell


@dataclass(slots=True)
class RawRow:
    """One data row: the number Excel shows, and the filled cells by column key."""

    number: int
    cells: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """What stops a sheet from being read: sheet and column by key, the row where it shows."""

    sheet: str
    row: int | None
    column: str | None
    reason: Message


@dataclass(frozen=True, slots=True)
class Unread:
    """What stands in the file and is not read: a sheet (`column` blank) or a column, with its filled cells."""

    sheet: str
    column: str = ""
    cells: int = 0


@dataclass(slots=True)
class Contents:
    """A workbook as it was read: rows by sheet key, faults of whole sheets, and what was left unread."""

    rows: dict[str, list[RawRow]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def read_workbook(content: bytes, layout: Layout) -> Contents:
    """Read every known sheet; blank rows are dropped."""
    known = {normal(name): sheet for sheet in layout.sheets.values() for name in (sheet.key, sheet.name)}
    found = Contents()
    pages: dict[str, list[Page]] = {}
    for page in read_pages(content, list(known)):
        sheet = known.get(normal(page.name))
        if sheet is not None:
            pages.setdefault(sheet.key, []).append(page)
        elif page.is_filled and normal(page.name) != normal(layout.notes_name):
            found.unread.append(Unread(page.name[:80]))
    if not pages:
        raise RuleViolation(N_("The workbook has none of the known sheets."))
    for key, named in pages.items():
        filled = [page for page in named if page.is_filled]
        if len(filled) > 1:
            names = "、".join(f"{page.name}" for page in filled)
            found.faults.append(
                Fault(key, None, None, N_("Several sheets of the file stand for this one: %(names)s.", names=names))
            )
        elif filled:
            _read_sheet(filled[0], layout.sheets[key], found)
        found.rows.setdefault(key, [])
    return found


def normal(name: str) -> str:
    """A name of a sheet or column as it is compared: without case, width, blanks and the star of needed ones."""
    return "".join(fold_width(seen(name)).casefold().split()).rstrip("*")


def _read_sheet(page: Page, sheet: Sheet, found: Contents) -> None:
    at, columns = _columns(page.rows, sheet)
    if at is None:
        found.faults.append(Fault(sheet.key, None, None, NO_KEYS))
        return
    head = dict(page.rows)
    counted = Counter(column.key for column in columns.values())
    data = [(number, values) for number, values in page.rows if number > at and not _is_head(values, sheet)]
    found.rows[sheet.key] = list(_rows(data, columns))
    for column in sheet.columns:
        if counted[column.key] > 1:
            found.faults.append(Fault(sheet.key, at, column.key, N_("Two columns of the file bear this key.")))
        elif column.is_required and not counted[column.key] and found.rows[sheet.key]:
            found.faults.append(Fault(sheet.key, at, column.key, N_("The column is missing in the file.")))
    unread: Counter[int] = Counter()
    for _, values in data:
        unread.update(index for index, value in enumerate(values) if index not in columns and _is_filled(value))
    for index, cells in sorted(unread.items()):
        found.unread.append(Unread(sheet.name, _title(index, at, head), cells))


def _columns(grid: Grid, sheet: Sheet) -> tuple[int | None, dict[int, Column]]:
    """The row of keys among the first ten, and the column of each cell; where none has keys, a row of labels."""
    keys = {normal(column.key): column for column in sheet.columns}
    labels = {normal(column.label): column for column in sheet.columns}
    for names in (keys, labels):
        best: tuple[int, int] | None = None
        for number, values in grid:
            texts = [value for value in values if isinstance(value, str) and clean(value)]
            count = sum(normal(text) in names for text in texts)
            if number <= LAST_KEY_ROW and count * 2 > len(texts) and (best is None or count > best[1]):
                best = number, count
        if best is not None:
            cells = enumerate(dict(grid)[best[0]])
            both = labels | keys
            return best[0], {
                index: both[normal(value)] for index, value in cells if isinstance(value, str) and normal(value) in both
            }
    return None, {}


def _is_head(values: Sequence[object], sheet: Sheet) -> bool:
    """Whether a row below the keys holds labels, as where both were swapped."""
    texts = [normal(value) for value in values if isinstance(value, str) and clean(value)]
    labels = {normal(column.label) for column in sheet.columns}
    return len(texts) > 1 and all(text in labels for text in texts)


def _title(index: int, at: int, head: Mapping[int, Sequence[object]]) -> str:
    """What a column is called in the file, by the rows down to its keys; else its letters."""
    for number in range(at, 0, -1):
        values = head.get(number, ())
        value = values[index] if index < len(values) else ""
        if isinstance(value, str) and clean(value):
            return clean(value)[:40]
    letters, rest = "", index + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(65 + letter) + letters
    return letters


def _is_filled(value: object) -> bool:
    return not isinstance(value, OddCell | str) or (isinstance(value, str) and clean(value) != "") or _is_own(value)


def _is_own(value: object) -> bool:
    """Whether a cell holds something itself, and does not only lie inside a merge."""
    return isinstance(value, OddCell) and value.kind not in (Odd.BELOW, Odd.BESIDE)


def _rows(data: Iterable[tuple[int, Sequence[object]]], columns: Mapping[int, Column]) -> Iterator[RawRow]:
    for number, values in data:
        row = RawRow(number)
        own = False
        for index, column in columns.items():
            cell = cell_of(values[index]) if index < len(values) else ""
            if cell != "":
                row.cells[column.key] = cell
                own = own or not isinstance(cell, OddCell) or _is_own(cell)
        if own:
            yield row


def cell_of(value: object) -> Cell:
    """A cell as text or date, an odd one as it is; a number is written as its shortest decimal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Decimal):
        return format(value, "f").removesuffix(".0")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date | OddCell):
        return value
    return clean(value) if isinstance(value, str) else str(value)


def clean(text: str) -> str:
    """Strip blanks (full-width ones too), drop invisible characters, and write every line end alike."""
    return seen(text).replace("\r\n", "\n").replace("\r", "\n").strip().strip("\u3000").strip()
