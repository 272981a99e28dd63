"""What a row of the workbook holds: typed values by column key, and where it came from.

A row read from the database has the same shape as one read from a file, so that both can be compared and
checked together. Source: docs/scoring.md section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from app.documents.layout import Column, Layout
from app.documents.reading import Odd, OddCell
from app.documents.workbook_reader import Cell, RawRow, cell_of
from app.errors import N_, Message, RuleViolation
from app.rules.days import read_day, read_period
from app.rules.grammar import narrow_signs, read_limit, split_list
from app.rules.numbers import LARGEST, POINT_PLACES, VALUE_PLACES, decimals_of, plain, read_decimal
from app.rules.texts import fold_width, illegal_in

LONGEST_CODE, LONGEST_NAME = 64, 300
LONG_COLUMNS = frozenset({"text", "remark", "params", "applies_to", "multipliers", "parties", "attrs", "condition"})
LONGEST_LONG = 2000
NUMBER_PLACES = {"points": POINT_PLACES, "price": POINT_PLACES, "percent": POINT_PLACES, "measured": VALUE_PLACES}
NEVER_NEGATIVE = frozenset({"price", "percent"})
NUMBERS = frozenset({*NUMBER_PLACES, "int", "nat", "limit"})
# What an enumeration comma stands for in the texts of the grammar; where it may be part of a value it stays.
GRAMMAR: Mapping[str, str] = {
    "params": "|", "applies_to": "|", "multipliers": "", "parties": "|", "attrs": "", "condition": "", "ladder": ";",
    "every_n": "", "cap": ";", "floor": "", "shares": ";", "duplicates": "",
}  # fmt: skip
NO_RESULT = N_("The formula has no stored result: open the file in a spreadsheet, save it, and bring it again.")
# A blank order stands after every number: stored so, a database sorts it there too. Source: docs/scoring.md 9.9.
LAST = 2**31 - 1
DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "units": {"order": LAST},
    "schemes": {"places": 2, "rank_on": "rounded"},
    "indicators": {"order": LAST},
    "clauses": {"duplicates": "accumulate", "evidence_required": "no"},
    "entries": {"quantity": Decimal(1)},
}
KEYS: Mapping[str, tuple[str, ...]] = {
    "units": ("code", "from"),
    "people": ("staff_no", "from"),
    "postings": ("staff_no", "unit", "duty", "from"),
    "oversight": ("staff_no", "unit", "indicator", "from"),
    "roles": ("staff_no", "role", "unit", "from"),
    "documents": ("code",),
    "schemes": ("code",),
    "indicators": ("scheme", "code"),
    "clauses": ("code",),
    "targets": ("indicator", "subject", "period"),
    "entries": ("no",),
    "external_results": ("period", "subject", "indicator"),
    "grade_rules": ("scheme", "grade", "kind", "condition"),
    "calendar": ("day",),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: sheet and column by key, the row as Excel counts it (None: the whole sheet)."""

    sheet: str
    row: int | None
    column: str | None
    reason: Message
    value: str = ""


@dataclass(slots=True)
class Row:
    """One row: `number` is None for a row of the database; blanks are absent from `values`."""

    sheet: str
    values: dict[str, Any]
    number: int | None = None
    id: int | None = None

    def get(self, key: str) -> Any:
        return self.values.get(key)

    @property
    def key(self) -> tuple[object, ...]:
        return tuple(self.values.get(name) for name in KEYS[self.sheet])


def parse_rows(raw: Mapping[str, Iterable[RawRow]], layout: Layout) -> tuple[dict[str, list[Row]], list[Problem]]:
    """Give every cell its type; what has none is a problem at its cell and left out of the row."""
    rows: dict[str, list[Row]] = {key: [] for key in layout.sheets}
    problems: list[Problem] = []
    for key, sheet in layout.sheets.items():
        for source in raw.get(key, ()):
            values: dict[str, Any] = dict(DEFAULTS.get(key, {}))
            for column in sheet.columns:
                cell = source.cells.get(column.key, "")
                if cell == "":
                    if column.is_required:
                        problems.append(Problem(key, source.number, column.key, N_("This must be filled.")))
                    continue
                try:
                    values[column.key] = typed(cell, column, layout)
                except RuleViolation as fault:
                    problems.append(Problem(key, source.number, column.key, fault.message, _said(cell)))
            rows[key].append(Row(key, values, source.number))
    return rows, problems


def _said(cell: Cell) -> str:
    if isinstance(cell, OddCell):
        return "" if cell.value is None else str(cell.value)[:80]
    return str(cell)[:80]


def typed(cell: Cell, column: Column, layout: Layout) -> Any:
    """Read one cell as its column's type; raises `RuleViolation` with what was expected."""
    if isinstance(cell, OddCell):
        cell = _as_shown(cell, column)
    if column.type == "date":
        return cell if isinstance(cell, date) else _date(cell)
    if isinstance(cell, date):
        raise RuleViolation(N_("A date stands here; write it as text."))
    if column.type in layout.choices:
        return _choice(fold_width(cell), layout.choices[column.type])
    if column.type in NUMBER_PLACES:
        return _number(fold_width(cell), column.type)
    if column.type in ("int", "nat"):
        return _integer(fold_width(cell), negative=column.type == "int")
    if column.type == "period":
        period = read_period(cell)
        if period is None:
            raise RuleViolation(N_("A period is written 2026-03, 2026Q1 or 2026."))
        return str(period)
    if column.type == "limit":
        number = read_limit(fold_width(cell))
        return "none" if number is None else format(number.normalize(), "f")
    if column.type == "code":
        cell = fold_width(cell)
    elif column.key in GRAMMAR:
        cell = narrow_signs(cell, comma=GRAMMAR[column.key])
    elif column.type == "list":
        cell = narrow_signs(cell, comma=";")
    longest = LONGEST_CODE if column.type == "code" else LONGEST_LONG if column.key in LONG_COLUMNS else LONGEST_NAME
    if len(cell) > longest:
        raise RuleViolation(N_("The text is longer than %(limit)s characters.", limit=longest))
    strange = illegal_in(cell)
    if strange is not None:
        raise RuleViolation(N_("The text holds a character that cannot be stored (%(character)s).", character=strange))
    return ";".join(split_list(cell)) if column.type == "list" else cell


def _date(cell: str) -> date:
    found = read_day(cell)
    if found is None:
        raise RuleViolation(N_("This is no valid date; write it as 2026-03-15."))
    return found


def _as_shown(cell: OddCell, column: Column) -> str | date:
    """A cell as somebody sees it who opens the file; raises `RuleViolation` where that is not certain."""
    if cell.kind is Odd.ERROR:
        raise RuleViolation(N_("The cell holds an error value."))
    if cell.kind is Odd.FORMULA:
        raise RuleViolation(NO_RESULT)
    if cell.kind is Odd.BESIDE or (cell.kind is Odd.BELOW and column.type in NUMBERS):
        raise RuleViolation(N_("The cell is merged with another: undo the merge and fill in each cell."))
    if cell.kind is Odd.MONTH and isinstance(cell.value, date) and column.type == "period":
        return f"{cell.value:%Y-%m}"
    if cell.kind is Odd.LONG and column.type not in NUMBERS:
        raise RuleViolation(N_("A number of more than 15 digits loses its last ones: format the column as text."))
    if cell.kind is Odd.PADDED and column.type not in NUMBERS:
        return cell.shown
    if cell.kind is Odd.PERCENT and column.key != "quantity" and isinstance(cell.value, int | Decimal):
        if column.type in NUMBERS and column.type != "percent":
            raise RuleViolation(N_("The cell is shown as a percentage: give it the format of a plain number."))
        shown = plain(Decimal(cell.value) * 100)
        return shown if column.type == "percent" else f"{shown}%"
    found = cell_of(cell.value)
    return _as_shown(found, column) if isinstance(found, OddCell) else found


def _choice(text: str, words: Mapping[str, str]) -> str:
    if text in words:
        return text
    for key, word in words.items():
        if fold_width(word) == text:
            return key
    raise RuleViolation(N_("“%(text)s” is none of: %(words)s.", text=text[:40], words="、".join(words.values())))


def _number(text: str, kind: str) -> Decimal:
    number = read_decimal(text)
    places = NUMBER_PLACES[kind]
    if number is None:
        raise RuleViolation(N_("This must be a number."))
    if decimals_of(number) > places:
        raise RuleViolation(N_("At most %(places)s decimals are kept.", places=places))
    if abs(number) > LARGEST:
        raise RuleViolation(N_("The number is too large."))
    if number < 0 and kind in NEVER_NEGATIVE:
        raise RuleViolation(N_("“%(text)s” must not be negative.", text=text))
    return Decimal(plain(number))


def _integer(text: str, *, negative: bool) -> int:
    number = read_decimal(text)
    if number is None or decimals_of(number) or abs(number) > LARGEST or (number < 0 and not negative):
        raise RuleViolation(N_("This must be a whole number."))
    return int(number)
