"""The layout of the workbook: sheets, columns, types and coded values, read once from the data file.

Source: docs/scoring.md section 7.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent.parent / "data" / "workbook.toml"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key, Chinese label, type, and whether it must be filled."""

    key: str
    label: str
    type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its key, Chinese name and columns in order."""

    key: str
    name: str
    columns: tuple[Column, ...]

    def column(self, key: str) -> Column | None:
        return next((column for column in self.columns if column.key == key), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole workbook."""

    sheets: Mapping[str, Sheet]
    choices: Mapping[str, Mapping[str, str]]
    errors_label: str
    notes_name: str
    notes: tuple[str, ...]


def _column(text: str) -> Column:
    key, label, kind = text.split("|")
    return Column(key.rstrip("*"), label, kind, key.endswith("*"))


@cache
def layout() -> Layout:
    """The layout; the same whatever language a page is shown in."""
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    sheets = {
        key: Sheet(key, sheet["name"], tuple(_column(text) for text in sheet["columns"]))
        for key, sheet in data["sheets"].items()
    }
    words = data["words"]
    return Layout(sheets, data["choices"], words["errors"], words["notes"], tuple(words["notes_text"]))
