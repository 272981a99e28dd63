"""Printed tables of real bureaus on our own pages: distributions recomputed, printed results kept as printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Account, Bureau
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.services.sample import bureau as sample
from app.services.scoring import comparison, results, settlement
from tests.cases.books import Book, read_case
from tests.conftest import FAST_HASH, NOW

Load = Callable[..., object]


def office(app: Flask, book: Book, load: Load) -> FlaskClient:
    """The book loaded, and somebody of its assessment office signed in."""
    book.add("people", staff_no="9001", name="考核员", username="clerk-of-office", category="staff")
    book.add("postings", staff_no="9001", unit="0000", duty="member", **{"from": "2000-01-01"})
    book.add("roles", staff_no="9001", role="assessment_office")
    load(book.rows)
    with transaction() as work:
        account = work.scalars(select(Account).where(Account.username == "clerk-of-office")).one()
        password = sample.trial_password(work, account, hash_method=FAST_HASH, now=NOW)
    client = app.test_client()
    client.post("/login/", data={"username": "clerk-of-office", "password": password})
    return client


def words(page: str) -> str:
    """A page as text, one blank between its words."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.parametrize(("name", "period"), [("round_2020_3", "2020Q3"), ("round_2021_1", "2021Q1")])
def test_c03_the_distribution_of_grades_is_that_of_the_printed_table(
    app: Flask, load: Load, name: str, period: str
) -> None:
    """113 villages of five towns; their grades come of a mark each, the distribution of the ranking page."""
    case = read_case("c03")
    book, expected = Book(), case["expected"][name]
    groups = [row["group"] for row in case["inputs"][name]]
    book.scheme(*groups, year=int(period[:4]))
    book.node("T", None, "given", span="quarter")
    book.clause("mark", "T", "measure", "measure")
    for grade, least in (("优秀", 90), ("良好", 80), ("合格", 60), ("不合格", 0)):
        book.add("grade_rules", scheme="S", grade=grade, kind="band_quarter", condition=f"total>={least}")
    for row in case["inputs"][name]:
        marks = [95] * row["excellent"] + [85] * row["good"] + [70] * row["pass"] + [50] * row["fail"]
        assert len(marks) == row["units"]
        for index, mark in enumerate(marks):
            code = f"{row['group']}{index:02d}"
            book.unit(code, code, group=row["group"])
            book.entry(f"{period[:4]}-{'07' if period.endswith('3') else '01'}-15", "mark", code, value=mark)
    client = office(app, book, load)
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        found = Period.parse(period)
        assert found is not None
        settlement.settle_period(work, bureau, found, on=date(2022, 1, 1), actor=SYSTEM, now=NOW)

    table = results.grade_table(db.session(), results.tables(db.session(), found, kind="unit"))
    page = words(client.get(f"/scores/?period={period}").get_data(as_text=True))

    assert table is not None
    assert (table.size, table.total) == (
        expected["units"], {"优秀": expected["excellent"], "良好": expected["good"]},
    )  # fmt: skip
    assert table.percent == {
        "优秀": Decimal(str(expected["excellent_pct"])), "良好": Decimal(str(expected["good_pct"])),
    }  # fmt: skip
    assert f"合计 {expected['units']} {expected['excellent']} {expected['good']}" in page
    assert f"{expected['excellent_pct']}% {expected['good_pct']}%" in page
    for row in case["inputs"][name]:
        assert f"{row['group']} {row['units']} {row['excellent']} {row['good']}" in page


def test_c08_a_table_nobody_can_recompute_is_kept_as_printed_and_not_doubted_without_reason(
    app: Flask, load: Load
) -> None:
    case = read_case("c08")
    ranks = {row["unit"]: row["rank"] for row in case["expected"]}
    book = Book()
    for index, row in enumerate(case["inputs"], start=1):
        book.unit(f"{index:02d}", row["unit"], group="县")
        book.add(
            "external_results", period="2010", subject=f"{index:02d}", score=row["score"], rank=ranks[row["unit"]],
            issuer="达州市人民政府办公室",
        )  # fmt: skip
    client = office(app, book, load)

    (table,) = comparison.printed_beside_own(db.session(), Period(2010, 1, 12))
    page = words(client.get("/externalresultview/compare?period=2010").get_data(as_text=True))

    printed = {row.subject.code: (row.score, row.rank, row.own_score) for row in table.rows}
    for index, row in enumerate(case["inputs"], start=1):
        assert printed[f"{index:02d}"] == (Decimal(row["score"]), ranks[row["unit"]], None)
        assert f"{row['unit']} — {row['score']} — — {ranks[row['unit']]}" in page
    assert all(not row.notes for row in table.rows)
    assert "按所印得分" not in page


def test_of_one_printed_rank_the_units_stand_in_their_order(app: Flask, load: Load) -> None:
    book = Book()
    for code in ("03", "01", "02"):
        book.unit(code, f"单位{code}")
        book.add("external_results", period="2026-03", subject=code, score=90, rank=1, issuer="市局")
    office(app, book, load)

    (table,) = comparison.printed_beside_own(db.session(), Period(2026, 3, 1))

    assert [row.subject.code for row in table.rows] == ["03", "01", "02"]


def test_a_printed_rank_that_does_not_follow_is_flagged_and_left_alone(app: Flask, load: Load) -> None:
    book = Book()
    for code, score, rank in (("01", 90, 1), ("02", 95, 2), ("03", 80, 3)):
        book.unit(code, f"单位{code}")
        book.add("external_results", period="2026-03", subject=code, score=score, rank=rank, issuer="市局")
    client = office(app, book, load)

    page = words(client.get("/externalresultview/compare?period=2026-03").get_data(as_text=True))

    assert page.count("按所印得分，名次应为") == 2
    assert "90 — — 1" in page
