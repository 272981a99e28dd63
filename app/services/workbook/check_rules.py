"""What is wrong with the rules of a workbook: schemes, trees of indicators, clauses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from app.errors import N_, RuleViolation
from app.rules.grammar import (
    Term,
    check_code,
    read_applies_to,
    read_clause_cap,
    read_every_n,
    read_ladder,
    read_multipliers,
    split_list,
)
from app.rules.numbers import read_decimal
from app.rules.periods import SPAN_MONTHS, Span
from app.rules.scoring.apportionment import read_shares
from app.rules.scoring.combine import BRANCHES
from app.rules.scoring.grades import GradeKind
from app.rules.scoring.lines import Effect
from app.rules.scoring.methods import METHODS, allowed_effects, codes_named, read_params
from app.services.workbook.book import (
    NO_CLAUSE,
    NO_DOCUMENT,
    NO_INDICATOR,
    NO_SCHEME,
    NO_UNIT,
    Book,
    Check,
    Params,
    borne,
    reaches,
    reference,
)
from app.services.workbook.rows import Row

MOST_PLACES = 6


def scheme_days(values: Mapping[str, Any]) -> tuple[date, date]:
    """The days a scheme is in force; blank is the whole year."""
    year = values.get("year") or date.min.year
    first = values.get("in_force_from") or date(year, 1, 1)
    last = values.get("in_force_to") or date(year, 12, 31)
    return first, last


def check_schemes(check: Check, book: Book) -> None:
    seen: list[Row] = []
    for row in check.rows["schemes"]:
        year = row.get("year")
        if year is None or row.get("groups") is None:
            continue
        if not 1900 <= year <= 9998:
            check.note(row, "year", N_("This is no year."))
            continue
        first, last = scheme_days(row.values)
        if first > last:
            check.note(row, "in_force_to", N_("The last day is before the first."))
        if (row.get("places") or 0) > MOST_PLACES:
            check.note(row, "places", N_("At most %(places)s decimals are kept.", places=MOST_PLACES))
        groups = set(split_list(row.get("groups")))
        if row.get("subject_kind") is not None:
            borne(check, book, row, "groups", ((f"{row.get('subject_kind')}_group", name) for name in sorted(groups)))
        for other in seen:
            start, end = scheme_days(other.values)
            same = groups.intersection(split_list(other.get("groups")))
            if same and other.get("subject_kind") == row.get("subject_kind") and first <= end and start <= last:
                check.note(
                    row,
                    "groups",
                    N_(
                        "Scheme %(code)s holds for %(group)s on the same days.", code=other.get("code"), group=min(same)
                    ),
                )
        seen.append(row)


def node_params(row: Row) -> Params:
    """The parameters of an indicator row; raises `RuleViolation` on the first fault."""
    method = row.get("method")
    text = row.get("params") or ""
    if method in METHODS:
        return read_params(method, text, METHODS[method].params)
    branch = BRANCHES[method]
    pairs = read_params(method, text, branch.params)
    for name in branch.params:
        if name not in pairs:
            raise RuleViolation(N_("The parameter %(name)s is missing.", name=name))
    if method == "scale" and not float_free_positive(pairs["from"]):
        raise RuleViolation(N_("The parameter from must be greater than 0."))
    return pairs


def float_free_positive(text: str) -> bool:
    """Whether a number's text says more than zero."""
    return any(char in "123456789" for char in text)


def check_indicators(check: Check, book: Book) -> None:
    by_scheme: dict[str, list[Row]] = defaultdict(list)
    for row in check.rows["indicators"]:
        reference(check, row, "scheme", book.schemes, NO_SCHEME)
        reference(check, row, "assessor_unit", book.units, NO_UNIT)
        if row.get("scheme") is not None and row.get("code") is not None:
            by_scheme[row.get("scheme")].append(row)
        check.attempt(row, "code", check_code)
        terms = check.attempt(row, "applies_to", read_applies_to) or ()
        borne(check, book, row, "applies_to", ((term.name, term.value) for term in terms))
        _check_node(check, book, row)
    for code, rows in book.schemes.items():
        if code not in by_scheme:
            check.note(rows[0], "code", N_("The scheme has no indicators."))
    for rows in by_scheme.values():
        _check_tree(check, rows)
    _check_links(check, book)


def _check_links(check: Check, book: Book) -> None:
    """Unit schemes link to groups alone and never in a circle; what is linked is a node somewhere."""
    kinds = {row.get("code"): row.get("subject_kind") for row in check.rows["schemes"]}
    groups: dict[str, set[str]] = defaultdict(set)
    for row in check.rows["schemes"]:
        if row.get("subject_kind") == "unit":
            for group in split_list(row.get("groups") or ""):
                groups[group].add(row.get("code"))
    depends: dict[str, set[str]] = defaultdict(set)
    linked = [row for row in check.rows["indicators"] if row.get("method") == "linked" and id(row) in check.params]
    for row in linked:
        params = check.params[id(row)]
        if params.get("what", "total") != "total" and params["what"] not in book.indicators:
            check.note(row, "params", NO_INDICATOR)
        borne(check, book, row, "params", (("unit_group", it) for it in split_list(params.get("groups", ""), "|")))
        if kinds.get(row.get("scheme")) != "unit":
            continue
        if params["source"] != "group":
            check.note(row, "params", N_("A unit scheme is linked to groups only."))
        for group in split_list(params.get("groups", ""), "|"):
            depends[row.get("scheme")] |= groups[group]
    for row in linked:
        scheme = row.get("scheme")
        if kinds.get(scheme) == "unit" and any(reaches(depends, other, scheme) for other in depends[scheme]):
            check.note(row, "params", N_("The references run in a circle."))


def _check_node(check: Check, book: Book, row: Row) -> None:
    method = row.get("method")
    if method is None:
        return
    is_parent = (row.get("scheme"), row.get("code")) in book.parents
    if method in METHODS and is_parent:
        check.note(row, "method", N_("An indicator with others below it needs a combining method."))
    if (row.get("places") or 0) > MOST_PLACES:
        check.note(row, "places", N_("At most %(places)s decimals are kept.", places=MOST_PLACES))
    for column in ("full", "base"):
        if method in METHODS and column in METHODS[method].needs and row.get(column) is None:
            check.note(row, column, N_("The method needs this."))
    if row.get("full") is not None and row.get("full") < 0:
        check.note(row, "full", N_("“%(text)s” must not be negative.", text=row.get("full")))
    try:
        check.params[id(row)] = node_params(row)
    except RuleViolation as fault:
        check.note(row, "params", fault.message)


def _check_tree(check: Check, rows: list[Row]) -> None:
    """One root, parents that exist, no circles; references of parameters inside the tree."""
    codes = {row.get("code"): row for row in rows}
    roots = [row for row in rows if row.get("parent") is None]
    above = {row.get("code"): {row.get("parent")} for row in rows if row.get("parent")}
    for row in roots[1:]:
        check.note(row, "parent", N_("A scheme has exactly one root."))
    for row in roots[:1]:
        if row.get("places") is not None:
            check.note(row, "places", N_("The root takes the places of its scheme."))
    for row in rows:
        parent = row.get("parent")
        if parent is None:
            continue
        if parent not in codes:
            check.note(row, "parent", NO_INDICATOR)
        elif reaches(above, parent, row.get("code")):
            check.note(row, "parent", N_("The tree runs in a circle."))
        elif (
            BRANCHES.get(codes[parent].get("method") or "sum", BRANCHES["sum"]).needs_weights
            and row.get("weight") is None
        ):
            check.note(row, "weight", N_("Under a weighted mean every item needs a weight."))
    depends: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.get("parent"):
            depends[row.get("parent")].add(row.get("code"))
        depends[row.get("code")] |= codes_named(check.params.get(id(row), {}))
    for row in rows:
        for value in sorted(codes_named(check.params.get(id(row), {}))):
            if value not in codes:
                check.note(row, "params", NO_INDICATOR)
                break
            if reaches(depends, value, row.get("code")):
                check.note(row, "params", N_("The references run in a circle."))
                break


def check_clauses(check: Check, book: Book) -> None:
    for row in check.rows["clauses"]:
        reference(check, row, "document", book.documents, NO_DOCUMENT)
        if row.get("replaces") is not None and row.get("replaces") not in book.clauses:
            check.note(row, "replaces", NO_CLAUSE)
        _check_counting(check, book, row)
        check.attempt(row, "ladder", read_ladder)
        check.attempt(row, "every_n", read_every_n)
        check.attempt(row, "cap", read_clause_cap)
        _check_shares(check, row)
        _check_veto(check, row)
        _check_pricing(check, row)
        _check_effect(check, book, row)


def _check_veto(check: Check, row: Row) -> None:
    """A number sets a total, anything else is a grade that some scheme's bands give."""
    veto = row.get("veto")
    grades = {it.get("grade") for it in check.rows["grade_rules"] if it.get("kind") == GradeKind.BAND}
    if veto is not None and read_decimal(str(veto)) is None and veto not in grades:
        check.note(row, "veto", N_("This is neither a number nor a grade of any scheme."))


def _check_counting(check: Check, book: Book, row: Row) -> None:
    """Multipliers; what counts a whole window must not look beyond the span of its leaf."""
    multipliers = check.attempt(row, "multipliers", read_multipliers) or ()
    named = [term for multiplier in multipliers for term in multiplier.terms if isinstance(term, Term)]
    borne(check, book, row, "multipliers", ((it.name, it.value) for it in named if it.name in ("group", "tag")))
    windows = [term.window for multiplier in multipliers for term in multiplier.counts if term.is_all]
    spans = [Span(node.get("span") or "month") for node in book.indicators.get(row.get("indicator"), [])]
    if any(SPAN_MONTHS[Span(window.value)] > SPAN_MONTHS[span] for window in windows for span in spans):
        check.note(row, "multipliers", N_("The window of count_all is longer than the span of the indicator."))


def _check_shares(check: Check, row: Row) -> None:
    check.attempt(row, "shares", read_shares)


def _check_pricing(check: Check, row: Row) -> None:
    pricing, effect = row.get("pricing"), row.get("effect")
    if pricing is not None and effect is not None and (effect == "measure") != (pricing == "measure"):
        check.note(row, "pricing", N_("A measure is priced as measured, and nothing else is."))
    needed = {
        "fixed": ("price",), "range": ("min", "max"), "ladder": ("ladder",), "every_n": ("every_n", "price"),
    }.get(pricing or "", ())  # fmt: skip
    for column in needed:
        if row.get(column) is None:
            check.note(row, column, N_("The way of pricing needs this."))
    if (
        pricing == "range"
        and row.get("min") is not None
        and row.get("max") is not None
        and row.get("min") > row.get("max")
    ):
        check.note(row, "max", N_("The highest is below the lowest."))


def _check_effect(check: Check, book: Book, row: Row) -> None:
    """A clause hangs on leaves that take clauses, and its effect is one they allow."""
    if row.get("indicator") is None:
        return
    nodes = book.indicators.get(row.get("indicator"))
    if not nodes:
        check.note(row, "indicator", NO_INDICATOR)
        return
    leaves = [node for node in nodes if node.get("method") in METHODS]
    unknown = any(node.get("method") is None for node in nodes)
    if not leaves:
        if not unknown:
            check.note(row, "indicator", N_("The indicator is a branch and takes no clauses."))
        return
    allowed = [
        allowed_effects(node.get("method"), check.params[id(node)]) for node in leaves if id(node) in check.params
    ]
    if allowed and not any(allowed):
        check.note(row, "indicator", N_("The indicator takes its value from another and has no clauses."))
    elif row.get("effect") is not None and any(Effect(row.get("effect")) not in it for it in allowed if it):
        check.note(row, "effect", N_("The indicator's method does not allow this effect."))
