"""The rows of a workbook and of the database side by side: look-ups, references, and where problems are noted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from app.errors import N_, Message, RuleViolation
from app.models.types import FOREVER
from app.rules.grammar import split_list
from app.services.workbook.rows import Problem, Row

Params = Mapping[str, str]


@dataclass(slots=True)
class Check:
    """The rows of file and database side by side, and the problems found so far."""

    rows: Mapping[str, list[Row]]
    problems: list[Problem] = field(default_factory=list)
    params: dict[int, Params] = field(default_factory=dict)
    hints: list[Problem] = field(default_factory=list)

    def note(self, row: Row, column: str | None, reason: Message) -> None:
        """Note a problem of a file row; rows of the database are taken as they are."""
        if row.number is not None:
            value = "" if column is None else str(row.get(column) if row.get(column) is not None else "")
            self.problems.append(Problem(row.sheet, row.number, column, reason, value[:80]))

    def hint(self, row: Row, column: str, reason: Message) -> None:
        """Note what is allowed and seldom meant; it stops nothing."""
        if row.number is not None:
            self.hints.append(Problem(row.sheet, row.number, column, reason, str(row.get(column) or "")[:80]))

    def attempt(self, row: Row, column: str, read: Callable[[str], Any]) -> Any:
        """Read a text by its grammar; a fault is noted at its column and answers None."""
        text = row.get(column)
        if text is None:
            return None
        try:
            return read(text)
        except RuleViolation as fault:
            self.note(row, column, fault.message)
            return None


class Book:
    """Look-ups over all rows, made once."""

    def __init__(self, rows: Mapping[str, list[Row]]) -> None:
        self.rows = rows

    @cached_property
    def units(self) -> dict[str, list[Row]]:
        return _by(self.rows["units"], "code")

    @cached_property
    def people(self) -> dict[str, list[Row]]:
        return _by(self.rows["people"], "staff_no")

    @cached_property
    def documents(self) -> dict[str, list[Row]]:
        return _by(self.rows["documents"], "code")

    @cached_property
    def schemes(self) -> dict[str, list[Row]]:
        return _by(self.rows["schemes"], "code")

    @cached_property
    def indicators(self) -> dict[str, list[Row]]:
        return _by(self.rows["indicators"], "code")

    @cached_property
    def clauses(self) -> dict[str, list[Row]]:
        return _by(self.rows["clauses"], "code")

    @cached_property
    def names(self) -> Mapping[str, set[str]]:
        """What subjects bear or bore, on any day, by what a condition asks: group, tag, category, subject."""
        units, people = self.rows["units"], self.rows["people"]
        return {
            "unit_group": {row.get("group") for row in units},
            "person_group": {row.get("group") for row in people},
            "group": {row.get("group") for row in (*units, *people)},
            "tag": {tag for row in (*units, *people) for tag in split_list(row.get("tags") or "")},
            "category": {row.get("category") for row in people},
            "subject": {*self.units, *self.people},
        }

    @cached_property
    def parents(self) -> set[tuple[str, str]]:
        """(scheme, code) of every indicator that has children."""
        return {(row.get("scheme"), row.get("parent")) for row in self.rows["indicators"] if row.get("parent")}

    def subject(self, code: str) -> list[Row]:
        return self.units.get(code) or self.people.get(code) or []


def _by(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.get(column) is not None:
            found[row.get(column)].append(row)
    return dict(found)


def first_day(row: Row) -> date:
    found = row.get("from")
    return found if isinstance(found, date) else date.min


def last_day(row: Row) -> date:
    found = row.get("to")
    return found if isinstance(found, date) else FOREVER


def reference(check: Check, row: Row, column: str, known: Mapping[str, object] | set[str], reason: Message) -> None:
    if row.get(column) is not None and row.get(column) not in known:
        check.note(row, column, reason)


def borne(check: Check, book: Book, row: Row, column: str, names: Iterable[tuple[str, str]]) -> None:
    """Names a condition asks for must be borne by somebody: a slip of the pen there holds for nobody."""
    for what, name in names:
        if what in book.names and name not in book.names[what]:
            check.note(row, column, N_("No unit and no person bears “%(name)s”.", name=name))
            return


NO_UNIT = N_("There is no such unit.")
NO_PERSON = N_("There is no such person.")
NO_SUBJECT = N_("There is no such unit or person.")
NO_INDICATOR = N_("There is no such indicator.")
NO_DOCUMENT = N_("There is no such document.")
NO_SCHEME = N_("There is no such scheme.")
NO_CLAUSE = N_("There is no such clause.")


def reaches(edges: Mapping[str, set[str]], start: str, goal: str) -> bool:
    waiting, seen = [start], set()
    while waiting:
        step = waiting.pop()
        if step == goal:
            return True
        if step not in seen:
            seen.add(step)
            waiting += edges.get(step, ())
    return False
