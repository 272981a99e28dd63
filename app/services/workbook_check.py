"""What is wrong with a workbook: every problem at the cell that holds the wrong value.

File rows and the rows of the database are checked together; only file rows are reported. Source:
docs/scoring.md section 7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from app.errors import N_, Message, RuleViolation
from app.models.accounts import ADMINISTRATOR_ROLES, BUREAU_ROLES
from app.models.types import FOREVER
from app.rules.combine import BRANCHES, BRANCHES_TO_COME
from app.rules.grammar import (
    check_code,
    read_applies_to,
    read_clause_cap,
    read_multipliers,
    read_pairs,
    split_list,
)
from app.rules.lines import Effect
from app.rules.methods import CODE_PARAMS, METHODS, METHODS_TO_COME, allowed_effects, read_params
from app.services.workbook_rows import KEYS, Problem, Row

MOST_PLACES = 6
DEEPEST_TREE = 20
CODE_COLUMN = {"documents": "code", "schemes": "code", "indicators": "code", "clauses": "code", "entries": "no"}
DATED = ("units", "people", "postings", "oversight", "roles")
PRICINGS_TO_COME = frozenset({"ladder", "every_n"})
NOT_YET = N_("This is not supported yet.")

Params = Mapping[str, str]


@dataclass(slots=True)
class Check:
    """The rows of file and database side by side, and the problems found so far."""

    rows: Mapping[str, list[Row]]
    problems: list[Problem] = field(default_factory=list)
    _params: dict[int, Params] = field(default_factory=dict)

    def note(self, row: Row, column: str | None, reason: Message) -> None:
        """Note a problem of a file row; rows of the database are taken as they are."""
        if row.number is not None:
            value = "" if column is None else str(row.get(column) if row.get(column) is not None else "")
            self.problems.append(Problem(row.sheet, row.number, column, reason, value[:80]))

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


def check_rows(rows: Mapping[str, list[Row]]) -> list[Problem]:
    """Check all rows; the problems in the order of sheets and rows, empty when there is none."""
    check = Check(rows)
    book = Book(rows)
    for sheet in rows:
        for row in _doubles(check, sheet):
            check.note(row, CODE_COLUMN.get(sheet) or _last_key(sheet), N_("This stands twice in the file."))
    for sheet in DATED:
        _check_dates(check, sheet)
    _check_units(check, book)
    _check_people(check, book)
    _check_links(check, book)
    _check_schemes(check, book)
    _check_indicators(check, book)
    _check_clauses(check, book)
    _check_facts(check, book)
    _check_grade_rules(check, book)
    order = {sheet: index for index, sheet in enumerate(rows)}
    return sorted(check.problems, key=lambda it: (order[it.sheet], it.row or 0, it.column or ""))


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


def _start(row: Row) -> date:
    found = row.get("from")
    return found if isinstance(found, date) else date.min


def _end(row: Row) -> date:
    found = row.get("to")
    return found if isinstance(found, date) else FOREVER


def _check_dates(check: Check, sheet: str) -> None:
    """From before to, and rows of one key that do not overlap; the fault is at the later row's `from`."""
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in check.rows[sheet]:
        if _start(row) > _end(row):
            check.note(row, "to", N_("The last day is before the first."))
        identity = tuple(row.get(name) for name in KEYS[sheet] if name != "from")
        if identity[0] is not None:
            groups[identity].append(row)
    for rows in groups.values():
        for index, row in enumerate(rows):
            if any(_start(row) <= _end(other) and _start(other) <= _end(row) for other in rows[:index]):
                check.note(row, "from", N_("The days overlap those of an earlier row."))


def _reference(check: Check, row: Row, column: str, known: Mapping[str, object] | set[str], reason: Message) -> None:
    if row.get(column) is not None and row.get(column) not in known:
        check.note(row, column, reason)


NO_UNIT = N_("There is no such unit.")
NO_PERSON = N_("There is no such person.")
NO_SUBJECT = N_("There is no such unit or person.")
NO_INDICATOR = N_("There is no such indicator.")
NO_DOCUMENT = N_("There is no such document.")
NO_SCHEME = N_("There is no such scheme.")
NO_CLAUSE = N_("There is no such clause.")


def _check_units(check: Check, book: Book) -> None:
    bureaus = {code for code, rows in book.units.items() if any(row.get("kind") == "bureau" for row in rows)}
    if not bureaus and check.rows["units"]:
        check.problems.append(Problem("units", None, "kind", N_("Exactly one unit must be of kind bureau.")))
    first = next((row.get("code") for row in check.rows["units"] if row.get("kind") == "bureau"), None)
    for row in check.rows["units"]:
        if row.get("kind") == "bureau" and row.get("code") != first:
            check.note(row, "kind", N_("Exactly one unit must be of kind bureau."))
        _reference(check, row, "parent", book.units, NO_UNIT)
    above: dict[str, set[str]] = {
        code: {row.get("parent") for row in rows if row.get("parent")} for code, rows in book.units.items()
    }
    for row in check.rows["units"]:
        if row.get("parent") and _reaches(above, row.get("parent"), row.get("code")):
            check.note(row, "parent", N_("The tree runs in a circle."))


def _reaches(edges: Mapping[str, set[str]], start: str, goal: str) -> bool:
    waiting, seen = [start], set()
    while waiting:
        step = waiting.pop()
        if step == goal:
            return True
        if step not in seen:
            seen.add(step)
            waiting += edges.get(step, ())
    return False


def _check_people(check: Check, book: Book) -> None:
    names: dict[str, str] = {}
    for row in check.rows["people"]:
        code = row.get("staff_no")
        if code in book.units:
            check.note(row, "staff_no", N_("A unit has this code."))
        name = row.get("username")
        if name is not None and code is not None and names.setdefault(name.casefold(), code) != code:
            check.note(row, "username", N_("The sign-in name “%(name)s” is taken.", name=name))


def _check_links(check: Check, book: Book) -> None:
    for sheet in ("postings", "oversight", "roles"):
        for row in check.rows[sheet]:
            _reference(check, row, "staff_no", book.people, NO_PERSON)
            _reference(check, row, "unit", book.units, NO_UNIT)
    for row in check.rows["oversight"]:
        _reference(check, row, "indicator", book.indicators, NO_INDICATOR)
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


def scheme_days(values: Mapping[str, Any]) -> tuple[date, date]:
    """The days a scheme is in force; blank is the whole year."""
    year = values.get("year") or date.min.year
    first = values.get("in_force_from") or date(year, 1, 1)
    last = values.get("in_force_to") or date(year, 12, 31)
    return first, last


def _check_schemes(check: Check, _book: Book) -> None:
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


def _check_indicators(check: Check, book: Book) -> None:
    by_scheme: dict[str, list[Row]] = defaultdict(list)
    for row in check.rows["indicators"]:
        _reference(check, row, "scheme", book.schemes, NO_SCHEME)
        _reference(check, row, "assessor_unit", book.units, NO_UNIT)
        if row.get("scheme") is not None and row.get("code") is not None:
            by_scheme[row.get("scheme")].append(row)
        check.attempt(row, "code", check_code)
        check.attempt(row, "applies_to", read_applies_to)
        _check_node(check, book, row)
    for code, rows in book.schemes.items():
        if code not in by_scheme:
            check.note(rows[0], "code", N_("The scheme has no indicators."))
    for rows in by_scheme.values():
        _check_tree(check, rows)


def _check_node(check: Check, book: Book, row: Row) -> None:
    method = row.get("method")
    if method is None:
        return
    is_parent = (row.get("scheme"), row.get("code")) in book.parents
    if method in METHODS_TO_COME or method in BRANCHES_TO_COME:
        check.note(row, "method", NOT_YET)
        return
    if method in METHODS and is_parent:
        check.note(row, "method", N_("An indicator with others below it needs a combining method."))
    if row.get("not_applicable") is not None:
        check.note(row, "not_applicable", NOT_YET)
    if (row.get("places") or 0) > MOST_PLACES:
        check.note(row, "places", N_("At most %(places)s decimals are kept.", places=MOST_PLACES))
    for column in ("full", "base"):
        if method in METHODS and column in METHODS[method].needs and row.get(column) is None:
            check.note(row, column, N_("The method needs this."))
    if row.get("full") is not None and row.get("full") < 0:
        check.note(row, "full", N_("“%(text)s” must not be negative.", text=row.get("full")))
    try:
        check._params[id(row)] = node_params(row)
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
        elif _reaches(above, parent, row.get("code")):
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
        for name, value in check._params.get(id(row), {}).items():
            if name in CODE_PARAMS:
                depends[row.get("code")].add(value)
    for row in rows:
        for name, value in check._params.get(id(row), {}).items():
            if name not in CODE_PARAMS:
                continue
            if value not in codes:
                check.note(row, "params", NO_INDICATOR)
            elif _reaches(depends, value, row.get("code")):
                check.note(row, "params", N_("The references run in a circle."))


def _check_clauses(check: Check, book: Book) -> None:
    for row in check.rows["clauses"]:
        _reference(check, row, "document", book.documents, NO_DOCUMENT)
        if row.get("replaces") is not None and row.get("replaces") not in book.clauses:
            check.note(row, "replaces", NO_CLAUSE)
        check.attempt(row, "multipliers", read_multipliers)
        check.attempt(row, "cap", read_clause_cap)
        _check_shares(check, row)
        if row.get("veto") is not None:
            check.note(row, "veto", NOT_YET)
        _check_pricing(check, row)
        _check_effect(check, book, row)


def _check_shares(check: Check, row: Row) -> None:
    pairs = check.attempt(row, "shares", read_pairs)
    if pairs and pairs != {"self": "100"}:
        check.note(row, "shares", NOT_YET)


def _check_pricing(check: Check, row: Row) -> None:
    pricing, effect = row.get("pricing"), row.get("effect")
    if pricing in PRICINGS_TO_COME:
        check.note(row, "pricing", NOT_YET)
    if pricing is not None and effect is not None and (effect == "measure") != (pricing == "measure"):
        check.note(row, "pricing", N_("A measure is priced as measured, and nothing else is."))
    needed = {"fixed": ("price",), "range": ("min", "max")}.get(pricing or "", ())
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
    unknown = any(node.get("method") in METHODS_TO_COME or node.get("method") is None for node in nodes)
    if not leaves:
        if not unknown:
            check.note(row, "indicator", N_("The indicator is a branch and takes no clauses."))
        return
    allowed = [
        allowed_effects(node.get("method"), check._params[id(node)]) for node in leaves if id(node) in check._params
    ]
    if allowed and not any(allowed):
        check.note(row, "indicator", N_("The indicator takes its value from another and has no clauses."))
    elif row.get("effect") is not None and any(Effect(row.get("effect")) not in it for it in allowed if it):
        check.note(row, "effect", N_("The indicator's method does not allow this effect."))


def _check_facts(check: Check, book: Book) -> None:
    for sheet in ("targets", "external_results"):
        for row in check.rows[sheet]:
            _reference(check, row, "indicator", book.indicators, NO_INDICATOR)
            if row.get("subject") is not None and not book.subject(row.get("subject")):
                check.note(row, "subject", NO_SUBJECT)
            _reference(check, row, "document", book.documents, NO_DOCUMENT)
    for row in check.rows["entries"]:
        _check_entry(check, book, row)


def _check_entry(check: Check, book: Book, row: Row) -> None:
    on, subject = row.get("occurred_on"), row.get("subject")
    if subject is not None:
        rows = book.subject(subject)
        if not rows:
            check.note(row, "subject", NO_SUBJECT)
        elif on is not None and not any(_start(it) <= on <= _end(it) for it in rows):
            check.note(row, "subject", N_("The subject does not exist on that day."))
    if row.get("quantity") is not None and row.get("quantity") <= 0:
        check.note(row, "quantity", N_("The quantity must be greater than 0."))
    check.attempt(row, "attrs", read_pairs)
    check.attempt(row, "parties", read_parties)
    if row.get("clause") is None:
        return
    clauses = book.clauses.get(row.get("clause"))
    if not clauses:
        check.note(row, "clause", NO_CLAUSE)
        return
    _check_amount(check, row, clauses[0])


def read_parties(text: str) -> dict[str, tuple[str, ...]]:
    """Read `leader=1003;handler=1021|1022`. Source: docs/scoring.md section 3, step 5."""
    pairs = read_pairs(text)
    for name in pairs:
        if name not in ("unit", "leader", "responsible", "handler", "assist"):
            raise RuleViolation(N_("“%(name)s” is no party.", name=name))
    return {name: split_list(value, "|") for name, value in pairs.items()}


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


def _check_grade_rules(check: Check, book: Book) -> None:
    for row in check.rows["grade_rules"]:
        _reference(check, row, "scheme", book.schemes, NO_SCHEME)
        check.note(row, "kind", NOT_YET)
