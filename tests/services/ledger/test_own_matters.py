"""The office tries to raise its own score by every door of the ledger: each is shut, and nothing is stored."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.errors import NotPermitted
from app.extensions import db, transaction
from app.models import Account, Bureau, ImportBatch, ScoreEntry, Subject, Target
from app.policies.actor import SYSTEM, Actor
from app.services.ledger.reversal import reverse_entry
from app.services.registers import rows as registers
from app.services.registration.facts import Typed, register_entry
from app.services.workbook import imports, plan, recall
from tests.conftest import NOW, Rows, workbook
from tests.services.workbook.test_imports import BASE

OWN_FACT = {"no": "X1", "occurred_on": "2026-03-09", "clause": "R1", "subject": "01", "parties": "handler=1001"}


@pytest.fixture
def book() -> Rows:
    rows = deepcopy(BASE)
    rows["clauses"][3]["shares"] = "self=100;handler=50"
    rows["people"].append({"staff_no": "1002", "name": "李四", "category": "staff", "from": "2026-01-01"})
    rows["entries"].append(OWN_FACT)
    return rows


@pytest.fixture
def office(app: Flask, book: Rows) -> Actor:
    """The only member of the office, 1001; the ledger holds a fact of which a part is his."""
    with transaction() as work:
        imports.load_workbook(work, workbook(book), file_name="a.xlsx", bureau_code=None, actor=SYSTEM, now=NOW)
    return actor_of("1001")


def actor_of(code: str) -> Actor:
    subject = db.session.scalars(select(Subject).where(Subject.code == code)).one()
    account = db.session.scalars(select(Account).where(Account.subject_id == subject.id)).one()
    return Actor(
        account_id=account.id, name=code, username=account.username, bureau_id=subject.bureau_id,
        subject_id=subject.id, roles=frozenset({"assessment_office"}),
    )  # fmt: skip


def count() -> int:
    return db.session.scalars(select(func.count(ScoreEntry.id))).one()


@pytest.mark.parametrize(
    "typed",
    [{"subject": "1001"}, {"subject": "01", "parties": "handler=1001"}],
)
def test_the_page(office: Actor, typed: dict[str, str]) -> None:
    before = count()
    texts = {"occurred_on": "2026-03-10", "clause": "R1", "remark": "x", **typed}

    with transaction() as work:
        answer = register_entry(work, texts, bureau_id=office.bureau_id or 0, seen=0, actor=office, now=NOW)

    assert isinstance(answer, Typed)
    assert not answer.is_sound
    assert count() == before


@pytest.mark.parametrize(
    ("sheet", "row"),
    [
        ("entries", {"no": "Y1", "occurred_on": "2026-03-10", "clause": "R1", "subject": "1001"}),
        ("targets", {"indicator": "R", "subject": "1001", "period": "2026-03", "value": 1}),
        ("external_results", {"period": "2026-03", "subject": "1001", "indicator": "R", "score": 9}),
    ],
)
def test_the_workbook_says_it_at_the_cell(office: Actor, sheet: str, row: dict[str, Any]) -> None:
    content = workbook({sheet: [row]})

    found = plan.plan_import(db.session(), content, bureau_code="00", now=NOW, actor=office)

    assert [(problem.sheet, problem.row, problem.column) for problem in found.problems] == [(sheet, 3, "subject")]
    other = plan.plan_import(db.session(), content, bureau_code="00", now=NOW, actor=actor_of("1002"))
    assert other.problems == []


def test_a_part_by_workbook_is_refused_at_the_door(office: Actor) -> None:
    content, before = workbook({"entries": [{**OWN_FACT, "no": "Y2"}]}), count()
    found = plan.plan_import(db.session(), content, bureau_code="00", now=NOW, actor=office)

    with pytest.raises(NotPermitted), transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        batch = imports.receive(work, content, file_name="b.xlsx", bureau=bureau, actor=office, now=NOW, plan=found)
        imports.commit_batch(work, batch, plan.read_file(content), actor=office, now=NOW)

    assert count() == before


def test_reversal_of_a_fact_with_an_own_part(office: Actor) -> None:
    before = count()

    with pytest.raises(NotPermitted), transaction() as work:
        entry = work.scalars(select(ScoreEntry).where(ScoreEntry.no == "X1", ScoreEntry.kind == "fact")).one()
        reverse_entry(work, entry, reason="x", actor=office, now=NOW)

    assert count() == before
    with transaction() as work:
        entry = work.scalars(select(ScoreEntry).where(ScoreEntry.no == "X1", ScoreEntry.kind == "fact")).one()
        reverse_entry(work, entry, reason="x", actor=actor_of("1002"), now=NOW)
    assert count() == before + 2


def test_recall_of_a_batch_with_an_own_part(office: Actor) -> None:
    before = count()

    with pytest.raises(NotPermitted), transaction() as work:
        batch = work.scalars(select(ImportBatch)).one()
        recall.recall_batch(work, batch, reason="x", actor=office, now=NOW)

    assert count() == before


def test_targets(office: Actor) -> None:
    with pytest.raises(NotPermitted), transaction() as work:
        record = Target(indicator_code="R", subject_id=office.subject_id, period="2026-04", value=1)
        registers.add(work, record, before={}, actor=office, now=NOW)

    assert db.session.scalars(select(func.count(Target.id))).one() == 1
