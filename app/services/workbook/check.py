"""What is wrong with a workbook: every problem at the cell that holds the wrong value.

File rows and the rows of the database are checked together; only file rows are reported. Source:
docs/scoring.md section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.errors import N_
from app.services.workbook.book import Book, Check
from app.services.workbook.check_facts import check_facts
from app.services.workbook.check_grades import check_grade_rules
from app.services.workbook.check_hints import give_hints
from app.services.workbook.check_org import check_dates, check_links, check_people, check_units
from app.services.workbook.check_rules import check_clauses, check_indicators, check_schemes
from app.services.workbook.rows import KEYS, Problem, Row

CODE_COLUMN = {"documents": "code", "schemes": "code", "indicators": "code", "clauses": "code", "entries": "no"}
DATED = ("units", "people", "postings", "oversight", "roles")


def check_rows(rows: Mapping[str, list[Row]], hints: list[Problem] | None = None) -> list[Problem]:
    """Check all rows; the problems in the order of sheets and rows, empty when there is none.

    `hints` gathers what is allowed and seldom meant.
    """
    check = Check(rows)
    book = Book(rows)
    for sheet in rows:
        for row in _doubles(check, sheet):
            check.note(row, CODE_COLUMN.get(sheet) or _last_key(sheet), N_("This stands twice in the file."))
    for sheet in DATED:
        check_dates(check, sheet)
    check_units(check, book)
    check_people(check, book)
    check_links(check, book)
    check_schemes(check, book)
    check_indicators(check, book)
    check_clauses(check, book)
    check_facts(check, book)
    check_grade_rules(check, book)
    order = {sheet: index for index, sheet in enumerate(rows)}
    if hints is not None:
        give_hints(check, book)
        hints += sorted(check.hints, key=lambda hint: (order[hint.sheet], hint.row or 0, hint.column or ""))
    return sorted(check.problems, key=lambda problem: (order[problem.sheet], problem.row or 0, problem.column or ""))


def _last_key(sheet: str) -> str:
    return {"targets": "subject", "external_results": "subject", "calendar": "day"}.get(sheet, KEYS[sheet][0])


def _doubles(check: Check, sheet: str) -> Iterator[Row]:
    if sheet in DATED:
        return
    seen: set[tuple[object, ...]] = set()
    for row in check.rows[sheet]:
        if all(row.get(name) is None for name in KEYS[sheet]):
            continue
        if row.key in seen:
            yield row
        seen.add(row.key)
