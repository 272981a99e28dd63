"""What is wrong with the organisation of a workbook: units, people, postings, oversight, roles."""

from __future__ import annotations

from collections import defaultdict

from app.errors import N_
from app.models.accounts import ADMINISTRATOR_ROLES, BUREAU_ROLES
from app.services.workbook.book import (
    NO_INDICATOR,
    NO_PERSON,
    NO_UNIT,
    Book,
    Check,
    first_day,
    last_day,
    reaches,
    reference,
)
from app.services.workbook.rows import KEYS, Problem, Row


def check_dates(check: Check, sheet: str) -> None:
    """From before to, and rows of one key that do not overlap; the fault is at the later row's `from`."""
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in check.rows[sheet]:
        if first_day(row) > last_day(row):
            check.note(row, "to", N_("The last day is before the first."))
        identity = tuple(row.get(name) for name in KEYS[sheet] if name != "from")
        if identity[0] is not None:
            groups[identity].append(row)
    for rows in groups.values():
        for index, row in enumerate(rows):
            if any(first_day(row) <= last_day(other) and first_day(other) <= last_day(row) for other in rows[:index]):
                check.note(row, "from", N_("The days overlap those of an earlier row."))


def check_units(check: Check, book: Book) -> None:
    bureaus = {code for code, rows in book.units.items() if any(row.get("kind") == "bureau" for row in rows)}
    if not bureaus and check.rows["units"]:
        check.problems.append(Problem("units", None, "kind", N_("Exactly one unit must be of kind bureau.")))
    first = next((row.get("code") for row in check.rows["units"] if row.get("kind") == "bureau"), None)
    for row in check.rows["units"]:
        if row.get("kind") == "bureau" and row.get("code") != first:
            check.note(row, "kind", N_("Exactly one unit must be of kind bureau."))
        reference(check, row, "parent", book.units, NO_UNIT)
    above: dict[str, set[str]] = {
        code: {row.get("parent") for row in rows if row.get("parent")} for code, rows in book.units.items()
    }
    for row in check.rows["units"]:
        if row.get("parent") and reaches(above, row.get("parent"), row.get("code")):
            check.note(row, "parent", N_("The tree runs in a circle."))


def check_people(check: Check, book: Book) -> None:
    names: dict[str, str] = {}
    for row in check.rows["people"]:
        code = row.get("staff_no")
        if code in book.units:
            check.note(row, "staff_no", N_("A unit has this code."))
        name = row.get("username")
        if name is not None and code is not None and names.setdefault(name.casefold(), code) != code:
            check.note(row, "username", N_("The sign-in name “%(name)s” is taken.", name=name))


def check_links(check: Check, book: Book) -> None:
    for sheet in ("postings", "oversight", "roles"):
        for row in check.rows[sheet]:
            reference(check, row, "staff_no", book.people, NO_PERSON)
            reference(check, row, "unit", book.units, NO_UNIT)
    for row in check.rows["oversight"]:
        reference(check, row, "indicator", book.indicators, NO_INDICATOR)
        if row.get("unit") is None and row.get("indicator") is None:
            check.note(row, "unit", N_("A unit or an indicator must be named."))
    held: dict[str, set[str]] = defaultdict(set)
    for row in check.rows["roles"]:
        if row.get("staff_no") is None or row.get("role") is None:
            continue
        roles = held[row.get("staff_no")] | {row.get("role")}
        administrators = roles.intersection(ADMINISTRATOR_ROLES)
        if len(administrators) > 1 or (administrators and roles.intersection(BUREAU_ROLES)):
            check.note(row, "role", N_("Nobody holds two administrator roles, nor one beside another role."))
        held[row.get("staff_no")] = roles
