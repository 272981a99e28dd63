"""The score sheet says of every entry whether it counts and why not, and of a total how it came about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Bureau, Indicator, Subject
from app.rules.periods import Period
from app.services.registration.preview import preview_entry
from app.services.scoring import explanation
from app.services.workbook.store import codes_of
from tests.cases.books import Book
from tests.conftest import NOW

ON = date(2026, 12, 31)


def told(period: str, subject: str) -> dict[str, Any]:
    bureau, found = db.session.scalars(select(Bureau)).one(), Period.parse(period)
    assert found is not None
    return explanation.explain(db.session(), bureau, found, subject, indicator=None, on=ON, say=str)


def lines(node: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every line of a tree by its number."""
    found = {line["no"]: {**line, "node": node["indicator"]} for line in node["lines"]}
    for child in node["children"]:
        found |= lines(child)
    return found


def small(*units: str) -> Book:
    book = Book()
    for code in units or ("U1",):
        book.unit(code, code)
    book.scheme(year=2026)
    return book


def test_a_veto_stands_in_the_formula_of_the_total(app: Flask, load: Callable[..., Any]) -> None:
    book = small()
    book.node("T", None, "deduct", full=100)
    book.clause("V", "T", "deduction", "fixed", price=1, veto="59")
    book.entry("2026-03-05", "V", "U1")
    load(book.rows)

    found = told("2026-03", "U1")

    assert (found["score"], found["node"]["score"]) == ("59.00", "59.00")
    assert "set to 59 by veto, clause V" in found["node"]["formula"]
    assert "99" in found["node"]["formula"]


def test_what_an_external_result_supersedes_is_not_counted_and_says_so(app: Flask, load: Callable[..., Any]) -> None:
    book = small()
    book.node("T", None, "sum")
    book.node("A", "T", "given")
    book.node("P", "T", "place", full=10, params="step=1;by=registered")
    for code in "AP":
        book.clause(f"{code}1", code, "measure", "measure")
        book.entry("2026-03-05", f"{code}1", "U1", value=4)
        book.add("external_results", period="2026-03", subject="U1", indicator=code, score=77, rank=2)
    load(book.rows)

    found = told("2026-03", "U1")

    assert found["score"] == "86.00"
    assert [(it["counted"], it["points"]) for it in lines(found["node"]).values()] == [(False, "0")] * 2
    assert all("external result" in it["reason"] for it in lines(found["node"]).values())


def test_a_ballot_that_is_not_valid_is_not_counted(app: Flask, load: Callable[..., Any]) -> None:
    book = small()
    book.node("T", None, "votes", params="grade_points=good:100|poor:0|odd:1; voters=staff:50|guest:50")
    book.clause("B", "T", "measure", "measure")
    book.entry("2026-03-05", "B", "U1", value=3, attrs="voter=staff;grade=good")
    book.entry("2026-03-05", "B", "U1", value=9, attrs="voter=guest;grade=poor")
    book.entry("2026-03-05", "B", "U1", value=9, attrs="voter=staff;grade=odd")
    load(book.rows)
    with transaction() as work:  # as stored before such words were refused
        node = work.scalars(select(Indicator)).one()
        node.params = "grade_points=good:100|poor:0; voters=staff:100"

    found = told("2026-03", "U1")

    assert found["score"] == "100.00"
    assert [it["counted"] for it in lines(found["node"]).values()] == [True, False, False]


def test_the_sheet_of_a_year_shows_every_entry_of_it_whatever_scheme_held(app: Flask, load: Callable[..., Any]) -> None:
    """From July another version holds: A is gone, Z is new, and Z's entry of May was no leaf then."""
    book = Book()
    book.unit("U1", "U1")
    book.scheme(year=2026, code="S1", in_force_to="2026-06-30")
    book.scheme(year=2026, code="S2", in_force_from="2026-07-01")
    for scheme, leaf in (("S1", "A"), ("S2", "Z")):
        book.node("T", None, "sum", scheme=scheme)
        book.node(leaf, "T", "award", scheme=scheme, rollup="sum")
        book.clause(f"{leaf}1", leaf, "award", "fixed", price=2)
    book.entry("2026-05-05", "A1", "U1")
    book.entry("2026-05-06", "Z1", "U1")
    book.entry("2026-08-06", "Z1", "U1")
    load(book.rows)

    found = lines(told("2026", "U1")["node"])

    assert {no: (it["node"], it["counted"]) for no, it in found.items()} == {
        "E0001": ("T", False), "E0002": ("T", False), "E0003": ("Z", True),
    }  # fmt: skip
    assert "present scheme" in found["E0001"]["reason"]
    assert "no leaf" in found["E0002"]["reason"]


@pytest.mark.parametrize(("span", "period"), [("quarter", "2026Q1"), ("year", "2026")])
def test_the_preview_of_a_longer_leaf_looks_at_its_whole_span(
    app: Flask, load: Callable[..., Any], span: str, period: str
) -> None:
    """A cap used up in February is seen from March, in the quarter or year in which the leaf is computed."""
    book = small()
    book.node("T", None, "award", span=span)
    book.clause("A1", "T", "award", "fixed", price=2, cap="2")
    book.entry("2026-02-05", "A1", "U1")
    load(book.rows)
    bureau = db.session.scalars(select(Bureau)).one()
    codes = codes_of(db.session(), bureau.id)
    record = {
        "bureau_id": bureau.id, "no": "NEW", "occurred_on": date(2026, 3, 5), "clause_id": codes.clauses["A1"],
        "subject_id": db.session.scalars(select(Subject.id).where(Subject.code == "U1")).one(), "quantity": 1,
        "points": None, "value": None, "work_key": "", "attrs": "", "parties": "", "remark": "x",
    }  # fmt: skip

    found = preview_entry(db.session(), bureau.id, record, on=ON, now=NOW)

    (effect,) = found.effects
    assert (str(found.period), found.month) == (period, "2026-03")
    assert effect.line is not None
    assert effect.line.points == 0
    assert (effect.leaf_before.score, effect.leaf_after.score) == (2, 2)
    assert any("cap" in str(it) for it in found.notes)
