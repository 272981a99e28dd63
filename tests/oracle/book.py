"""The rows of a workbook as typed facts (docs/scoring.md §7), read cell by cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from tests.oracle.numerals import number, optional

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
Row = Mapping[str, Any]
BRANCHES = ("sum", "weighted", "weighted_mean", "mean", "min", "max", "scale")
OPERATORS = re.compile(r"(>=|<=|>|<|=)")


def text(row: Row, key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value).strip()


def day(row: Row, key: str) -> date | None:
    value = row.get(key)
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return date.fromisoformat(str(value).strip()) if text(row, key) else None


def parts(cell: str, separator: str = ";") -> list[str]:
    """§7: a list in a cell; blanks around separators are ignored."""
    return [it.strip() for it in cell.split(separator) if it.strip()]


def pairs(cell: str) -> dict[str, str]:
    """§7: `name=value;…`; the value may hold further operators."""
    found = {}
    for part in parts(cell):
        name, _, value = part.partition("=")
        found[name.strip()] = value.strip()
    return found


def priced(cell: str) -> list[tuple[str, Fraction]]:
    """§4: `name:number|name:number`."""
    found = []
    for part in parts(cell, "|"):
        name, _, value = part.rpartition(":")
        found.append((name.strip(), number(value)))
    return found


def comparison(term: str) -> tuple[str, str, str]:
    """A term `left op right`."""
    left, op, right = OPERATORS.split(term, maxsplit=1)
    return left.strip(), op, right.strip()


@dataclass(frozen=True)
class Term:
    """Somebody's or something's from–to, inclusive, blank = open (§1)."""

    first: date | None
    last: date | None

    def holds(self, on: date) -> bool:
        return (self.first is None or self.first <= on) and (self.last is None or on <= self.last)


def term(row: Row, first: str = "from", last: str = "to") -> Term:
    return Term(day(row, first), day(row, last))


@dataclass(frozen=True)
class Subject:
    """One row of a unit or person."""

    code: str
    kind: str
    name: str
    group: str
    tags: frozenset[str]
    category: str
    order: Fraction
    term: Term


@dataclass(frozen=True)
class Posting:
    staff_no: str
    unit: str
    term: Term


@dataclass(frozen=True)
class Oversight:
    staff_no: str
    unit: str
    line: str
    term: Term


@dataclass(frozen=True)
class Scheme:
    """A scheme with the days it is in force (§1: blank = the whole year)."""

    code: str
    kind: str
    groups: tuple[str, ...]
    term: Term
    places: int
    exact: bool


@dataclass(frozen=True)
class Node:
    """One row of `indicators`."""

    scheme: str
    code: str
    parent: str
    method: str
    full: Fraction | None
    weight: Fraction | None
    base: Fraction | None
    cap: str
    floor: str
    places: int | None
    span: str
    rollup: str
    not_applicable: str
    applies_to: tuple[str, ...]
    params: Mapping[str, str]

    @property
    def is_branch(self) -> bool:
        return self.method in BRANCHES


@dataclass(frozen=True)
class Clause:
    indicator: str
    code: str
    effect: str
    pricing: str
    price: Fraction | None
    ladder: str
    every_n: str
    multipliers: str
    duplicates: str
    shares: str
    cap: str
    veto: str


@dataclass(frozen=True)
class Entry:
    """One row of `entries`: a fact."""

    no: str
    day: date
    clause: Clause
    subject: str
    quantity: Fraction
    points: Fraction | None
    value: Fraction | None
    work_key: str
    attrs: Mapping[str, str]
    parties: Mapping[str, str]


@dataclass(frozen=True)
class External:
    score: Fraction | None
    rank: Fraction | None


@dataclass(frozen=True)
class Rule:
    """One row of `grade_rules`."""

    scheme: str
    grade: str
    kind: str
    condition: str
    value: str


@dataclass(frozen=True)
class Book:
    """A whole bureau."""

    bureau: str
    subjects: tuple[Subject, ...]
    postings: tuple[Posting, ...]
    oversight: tuple[Oversight, ...]
    schemes: tuple[Scheme, ...]
    nodes: tuple[Node, ...]
    entries: tuple[Entry, ...]
    targets: Mapping[tuple[str, str, str], Fraction]
    externals: Mapping[tuple[str, str, str], External]
    rules: tuple[Rule, ...]


def read(rows: Rows) -> Book:
    """The typed facts of a workbook."""
    clauses = {it.code: it for it in (_clause(row) for row in rows.get("clauses", ()))}
    units = [_unit(row) for row in rows.get("units", ())]
    people = [_person(row) for row in rows.get("people", ())]
    return Book(
        bureau=next(text(row, "code") for row in rows["units"] if text(row, "kind") == "bureau"),
        subjects=(*units, *people),
        postings=tuple(
            Posting(text(row, "staff_no"), text(row, "unit"), term(row)) for row in rows.get("postings", ())
        ),
        oversight=tuple(
            Oversight(text(row, "staff_no"), text(row, "unit"), text(row, "indicator"), term(row))
            for row in rows.get("oversight", ())
        ),
        schemes=tuple(_scheme(row) for row in rows.get("schemes", ())),
        nodes=tuple(_node(row) for row in rows.get("indicators", ())),
        entries=tuple(_entry(row, clauses) for row in rows.get("entries", ())),
        targets={
            (text(row, "indicator"), text(row, "subject"), text(row, "period")): number(row["value"])
            for row in rows.get("targets", ())
        },
        externals={
            (text(row, "indicator"), text(row, "subject"), text(row, "period")): External(
                optional(row.get("score")), optional(row.get("rank"))
            )
            for row in rows.get("external_results", ())
        },
        rules=tuple(
            Rule(*(text(row, key) for key in ("scheme", "grade", "kind", "condition", "value")))
            for row in rows.get("grade_rules", ())
        ),
    )


def _unit(row: Row) -> Subject:
    order = optional(row.get("order"))
    return Subject(
        code=text(row, "code"),
        kind="unit",
        name=text(row, "name"),
        group=text(row, "group"),
        tags=frozenset(parts(text(row, "tags"))),
        category="",
        order=Fraction(0) if order is None else order,
        term=term(row),
    )


def _person(row: Row) -> Subject:
    return Subject(
        code=text(row, "staff_no"),
        kind="person",
        name=text(row, "name"),
        group=text(row, "group"),
        tags=frozenset(),
        category=text(row, "category"),
        order=Fraction(0),
        term=term(row),
    )


def _scheme(row: Row) -> Scheme:
    year = int(text(row, "year"))
    return Scheme(
        code=text(row, "code"),
        kind=text(row, "subject_kind"),
        groups=tuple(parts(text(row, "groups"))),
        term=Term(
            day(row, "in_force_from") or date(year, 1, 1),
            day(row, "in_force_to") or date(year, 12, 31),
        ),
        places=int(text(row, "places") or "2"),
        exact=text(row, "rank_on") == "exact",
    )


def _node(row: Row) -> Node:
    places = text(row, "places")
    return Node(
        scheme=text(row, "scheme"),
        code=text(row, "code"),
        parent=text(row, "parent"),
        method=text(row, "method"),
        full=optional(row.get("full")),
        weight=optional(row.get("weight")),
        base=optional(row.get("base")),
        cap=text(row, "cap"),
        floor=text(row, "floor"),
        places=int(places) if places else None,
        span=text(row, "span"),
        rollup=text(row, "rollup"),
        not_applicable=text(row, "not_applicable"),
        applies_to=tuple(parts(text(row, "applies_to"))),
        params=pairs(text(row, "params")),
    )


def _clause(row: Row) -> Clause:
    keys = ("ladder", "every_n", "multipliers", "duplicates", "shares", "cap", "veto")
    return Clause(
        indicator=text(row, "indicator"),
        code=text(row, "code"),
        effect=text(row, "effect"),
        pricing=text(row, "pricing"),
        price=optional(row.get("price")),
        **{key: text(row, key) for key in keys},
    )


def _entry(row: Row, clauses: Mapping[str, Clause]) -> Entry:
    occurred_on = day(row, "occurred_on")
    assert occurred_on is not None
    quantity = optional(row.get("quantity"))
    return Entry(
        no=text(row, "no"),
        day=occurred_on,
        clause=clauses[text(row, "clause")],
        subject=text(row, "subject"),
        quantity=Fraction(1) if quantity is None else quantity,
        points=optional(row.get("points")),
        value=optional(row.get("value")),
        work_key=text(row, "work_key"),
        attrs=pairs(text(row, "attrs")),
        parties=pairs(text(row, "parties")),
    )
