"""What is wrong with the facts of a workbook: entries, targets, external results."""

from __future__ import annotations

from app.errors import N_, RuleViolation
from app.rules.grammar import read_pairs
from app.rules.scoring.apportionment import read_parties
from app.rules.scoring.votes import unknown_words
from app.services.workbook.book import (
    NO_CLAUSE,
    NO_DOCUMENT,
    NO_INDICATOR,
    NO_SUBJECT,
    Book,
    Check,
    first_day,
    last_day,
    reference,
)
from app.services.workbook.check_rules import node_params
from app.services.workbook.rows import Row


def check_facts(check: Check, book: Book) -> None:
    for sheet in ("targets", "external_results"):
        for row in check.rows[sheet]:
            reference(check, row, "indicator", book.indicators, NO_INDICATOR)
            if row.get("subject") is not None and not book.subject(row.get("subject")):
                check.note(row, "subject", NO_SUBJECT)
            reference(check, row, "document", book.documents, NO_DOCUMENT)
    for row in check.rows["entries"]:
        _check_entry(check, book, row)


def _check_entry(check: Check, book: Book, row: Row) -> None:
    on, subject = row.get("occurred_on"), row.get("subject")
    if subject is not None:
        rows = book.subject(subject)
        if not rows:
            check.note(row, "subject", NO_SUBJECT)
        elif on is not None and not any(first_day(it) <= on <= last_day(it) for it in rows):
            check.note(row, "subject", N_("The subject does not exist on that day."))
    if row.get("quantity") is not None and row.get("quantity") <= 0:
        check.note(row, "quantity", N_("The quantity must be greater than 0."))
    check.attempt(row, "attrs", read_pairs)
    _check_parties(check, book, row)
    if row.get("clause") is None:
        return
    clauses = book.clauses.get(row.get("clause"))
    if not clauses:
        check.note(row, "clause", NO_CLAUSE)
        return
    _check_amount(check, row, clauses[0])
    _check_ballot(check, book, row, clauses[0])


def _check_parties(check: Check, book: Book, row: Row) -> None:
    """Who the entry names must be there on the day."""
    on = row.get("occurred_on")
    for codes in (check.attempt(row, "parties", read_parties) or {}).values():
        for code in codes:
            rows = book.subject(code)
            if not rows or (on is not None and not any(first_day(it) <= on <= last_day(it) for it in rows)):
                check.note(row, "parties", N_("“%(code)s” does not exist on that day.", code=code))
                return


def _check_ballot(check: Check, book: Book, row: Row, clause: Row) -> None:
    """Ballots that name a voter, question or grade the leaf does not know would drop out without a word."""
    leaves = [node for node in book.indicators.get(clause.get("indicator"), []) if node.get("method") == "votes"]
    try:
        rules = [check.params.get(id(leaf)) or node_params(leaf) for leaf in leaves]
        attrs = read_pairs(row.get("attrs") or "")
    except RuleViolation:
        return  # told at the leaf or at the attributes themselves
    words = [unknown_words(attrs, rule) for rule in rules]
    if words and all(words):
        check.note(row, "attrs", N_("The ballot does not fit its indicator: %(words)s.", words="、".join(words[0])))


def _check_amount(check: Check, row: Row, clause: Row) -> None:
    pricing = clause.get("pricing")
    wanted = {"range": "points", "given": "points", "measure": "value"}.get(pricing or "")
    for column in ("points", "value"):
        if column == wanted and row.get(column) is None:
            check.note(row, column, N_("The clause needs this."))
        if column != wanted and row.get(column) is not None and pricing is not None:
            check.note(row, column, N_("The clause takes no number here."))
    points = row.get("points")
    if wanted != "points" or points is None:
        return
    low, high = clause.get("min"), clause.get("max")
    if points < 0:
        check.note(row, "points", N_("“%(text)s” must not be negative.", text=points))
    elif pricing == "range" and low is not None and high is not None and not low <= points <= high:
        check.note(row, "points", N_("The clause allows %(low)s to %(high)s.", low=low, high=high))
