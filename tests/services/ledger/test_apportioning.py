"""Shares in one act: a fact posts the entries of its parties, linked and reversed together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Bureau, ImportBatch, ScoreEntry, Subject
from app.policies.actor import SYSTEM, Actor
from app.rules.periods import Period
from app.services.ledger import reversal
from app.services.publication import verification
from app.services.scoring import explanation, results, settlement
from app.services.workbook import imports, recall
from app.services.workbook import plan as imports_plan
from tests.conftest import NOW, Rows, workbook

MARCH = Period(2026, 3, 1)
ROWS: Rows = {
    "units": [
        {"code": "00", "name": "局", "kind": "bureau"},
        {"code": "01", "name": "一科", "parent": "00", "kind": "department", "group": "机关", "tags": "large"},
        {"code": "02", "name": "二科", "parent": "00", "kind": "department", "group": "机关"},
        {"code": "03", "name": "三科", "parent": "00", "kind": "department", "group": "机关"},
    ],
    "people": [
        {"staff_no": str(number), "name": name, "category": "staff", "group": "人员"}
        for number, name in ((1001, "领导甲"), (1002, "领导乙"), (1003, "职员丙"), (1004, "职员丁"))
    ],
    "postings": [
        {"staff_no": "1003", "unit": "01", "duty": "member", "from": "2026-01-01"},
        {"staff_no": "1004", "unit": "02", "duty": "member", "from": "2026-01-01"},
    ],
    "oversight": [
        {"staff_no": "1001", "unit": "01", "from": "2026-01-01"},
        {"staff_no": "1002", "indicator": "D", "from": "2026-03-16"},
    ],
    "schemes": [
        {"code": "SU", "title": "单位", "year": 2026, "version": "1", "subject_kind": "unit", "groups": "机关"},
        {"code": "SP", "title": "个人", "year": 2026, "version": "1", "subject_kind": "person", "groups": "人员"},
    ],
    "indicators": [
        {"scheme": scheme, "code": code, "parent": parent, "title": code, "method": method, "full": full}
        for scheme, root in (("SU", "T"), ("SP", "P"))
        for code, parent, method, full in (
            (root, None, "sum", None), ("D", root, "deduct", 100), ("A", root, "award", None),
        )
    ],
    "clauses": [
        {"indicator": "D", "code": "late", "text": "迟到", "effect": "deduction", "pricing": "fixed", "price": 2,
         "shares": "unit=100;leader=50"},
        {"indicator": "A", "code": "joint", "text": "合办", "effect": "award", "pricing": "fixed", "price": 12,
         "shares": "self=60;assist=40/n;handler=10", "multipliers": "tag=large:2"},
    ],
    "entries": [
        {"no": "E1", "occurred_on": "2026-03-05", "clause": "late", "subject": "1003"},
        {"no": "E2", "occurred_on": "2026-03-20", "clause": "late", "subject": "1003"},
        {"no": "E3", "occurred_on": "2026-03-10", "clause": "joint", "subject": "01", "parties": "assist=02|03;handler=1003|1004"},
    ],
}  # fmt: skip


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(ROWS)
    return db.session.scalars(select(Bureau)).one()


def scores(bureau: Bureau, leaf: str) -> dict[str, str]:
    with transaction() as work:
        settlement.settle_period(work, bureau, MARCH, on=date(2026, 4, 1), actor=SYSTEM, now=NOW)
    rows = results.scores_of(db.session, bureau, MARCH)
    return {row["subject"]: str(row["score"].normalize()) for row in rows if row["indicator_code"] == leaf}


def derived() -> list[tuple[str, str, str]]:
    rows = db.session.execute(
        select(ScoreEntry.no, Subject.code, ScoreEntry.share_percent)
        .join(Subject, Subject.id == ScoreEntry.subject_id)
        .where(ScoreEntry.kind == "derived")
        .order_by(ScoreEntry.no, Subject.code)
    )
    return [(no, code, str(percent.normalize())) for no, code, percent in rows]


def test_each_party_has_an_entry_of_its_own(bureau: Bureau) -> None:
    assert derived() == [
        ("E1", "01", "1E+2"), ("E1", "1001", "5E+1"),
        # from the 16th on somebody is in charge of the line
        ("E2", "01", "1E+2"), ("E2", "1002", "5E+1"),
        ("E3", "02", "4E+1"), ("E3", "03", "4E+1"), ("E3", "1003", "1E+1"), ("E3", "1004", "1E+1"),
    ]  # fmt: skip


def test_one_finding_counts_for_the_person_the_unit_and_the_leader(bureau: Bureau) -> None:
    found = scores(bureau, "D")

    assert {code: found[code] for code in ("1003", "01", "1001", "1002", "02")} == {
        "1003": "96", "01": "96", "1001": "99", "1002": "99", "02": "1E+2",
    }  # fmt: skip
    assert verification.differences(db.session, [bureau]) == []


def test_the_amount_is_that_of_the_fact_and_shares_are_divided(bureau: Bureau) -> None:
    found = scores(bureau, "A")

    # 12 doubled because the lead is large: 24; of it 60, 20 and 20, 10 percent each
    assert {code: found[code] for code in ("01", "02", "03", "1003", "1004")} == {
        "01": "14.4", "02": "4.8", "03": "4.8", "1003": "2.4", "1004": "2.4",
    }  # fmt: skip
    told = explanation.explain(db.session, bureau, MARCH, "02", indicator="A", on=date(2026, 4, 1), say=str)
    (line,) = told["node"]["lines"]
    assert (line["no"], line["share"], line["factor"], line["points"]) == ("E3", "20", "2", "4.8")


def test_a_reversal_takes_every_part_along(bureau: Bureau) -> None:
    office = Actor(roles=frozenset({"assessment_office"}), bureau_id=bureau.id, name="office")
    fact = db.session.scalars(select(ScoreEntry).where(ScoreEntry.no == "E1", ScoreEntry.kind == "fact")).one()

    with transaction() as work:
        reversal.reverse_entry(work, fact, reason="wrong", actor=office, now=NOW)

    assert {scores(bureau, "D")[code] for code in ("1003", "01", "1001")} == {"98", "1E+2"}
    batch = db.session.scalars(select(ImportBatch)).one()
    with transaction() as work:
        recall.recall_batch(work, batch, reason="all", actor=office, now=NOW)
    assert all(it.is_reversed for it in db.session.scalars(select(ScoreEntry).where(ScoreEntry.kind != "reversal")))


def test_a_bureau_comes_out_with_its_facts_only_and_goes_in_again(bureau: Bureau, load: Callable[..., object]) -> None:
    with transaction() as work:
        content = imports.export_bureau(work, bureau, actor=SYSTEM, now=NOW)

    plan = imports_plan.plan_import(db.session(), content, bureau_code="00", now=NOW)

    assert plan.problems == []
    assert plan.new["entries"] == []
    assert len(derived()) == 8


def test_who_is_named_must_be_there(any_app: Flask) -> None:
    rows = {**ROWS, "entries": [{**ROWS["entries"][2], "parties": "assist=09"}]}

    plan = imports_plan.plan_import(db.session(), workbook(rows), bureau_code=None, now=NOW)

    assert [(it.sheet, it.column) for it in plan.problems] == [("entries", "parties")]
