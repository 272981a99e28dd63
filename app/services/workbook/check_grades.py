"""Checking the grade rules of a scheme."""

from __future__ import annotations

from collections import defaultdict

from app.errors import N_, RuleViolation
from app.rules.grammar import (
    check_code,
)
from app.rules.scoring.grades import GradeKind, read_grade_terms, read_quota
from app.services.workbook.book import (
    NO_CLAUSE,
    NO_INDICATOR,
    NO_SCHEME,
    Book,
    Check,
    borne,
    reference,
)
from app.services.workbook.rows import Row


def check_grade_rules(check: Check, book: Book) -> None:
    """Conditions name clauses, nodes and quarter grades that are there; quotas, caps and eligibility a year's grade."""
    rows = check.rows["grade_rules"]
    by_scheme: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        reference(check, row, "scheme", book.schemes, NO_SCHEME)
        by_scheme[row.get("scheme")].append(row)
        check.attempt(row, "grade", check_code)
    for scheme, found in by_scheme.items():
        years = {row.get("grade") for row in found if row.get("kind") == GradeKind.BAND}
        quarters = {row.get("grade") for row in found if row.get("kind") == GradeKind.BAND_QUARTER}
        nodes = {row.get("code") for row in check.rows["indicators"] if row.get("scheme") == scheme}
        for row in found:
            _check_grade_rule(check, book, row, years=years, quarters=quarters, nodes=nodes)


def _check_grade_rule(
    check: Check, book: Book, row: Row, *, years: set[str], quarters: set[str], nodes: set[str]
) -> None:
    kind, condition, value = row.get("kind"), row.get("condition") or "", row.get("value") or ""
    if kind is None or row.get("grade") is None:
        return
    if kind not in (GradeKind.BAND, GradeKind.BAND_QUARTER) and row.get("grade") not in years:
        check.note(row, "grade", N_("No band of the scheme gives this grade."))
    is_quota = kind == GradeKind.QUOTA
    if is_quota != bool(value):
        check.note(row, "value", N_("A quota needs this.") if is_quota else N_("Only a quota takes this."))
    elif is_quota:
        check.attempt(row, "value", read_quota)
    if not condition and not is_quota:
        check.note(row, "condition", N_("This must be filled."))
        return
    try:
        terms = read_grade_terms(condition, orders=is_quota)
    except RuleViolation as fault:
        check.note(row, "condition", fault.message)
        return
    borne(check, book, row, "condition", ((term.what, term.name) for term in terms if term.what in ("group", "tag")))
    known = {"count": book.clauses, "quantity": book.clauses, "grades": quarters, "node": nodes}
    faults = {"count": NO_CLAUSE, "quantity": NO_CLAUSE, "grades": NO_QUARTER_GRADE, "node": NO_INDICATOR}
    for term in terms:
        if term.what in known and term.name not in known[term.what]:
            check.note(row, "condition", faults[term.what])
            return


NO_QUARTER_GRADE = N_("No quarter band of the scheme gives this grade.")
