"""Registering by hand: what is typed is checked as a workbook is, shown before it is posted, and posted with its parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.errors import Conflict, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bureau, Notification, PeriodScore, RunLedger, ScoreEntry
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.services.ledger import reversal
from app.services.ledger.posting import next_number, post_facts
from app.services.messages import notices
from app.services.registration import facts, preview
from app.services.registration.facts import Typed
from app.services.scoring import settlement
from app.services.workbook.store import codes_of
from tests.conftest import NOW, SMALL
from tests.services.publication.test_bulletin import actor

MARCH = Period(2026, 3, 1)
SHARED = {"indicator": "F1", "code": "F1.S", "text": "shared fault", "effect": "deduction", "pricing": "fixed",
          "price": 1, "shares": "responsible=100;leader=20", "evidence_required": "yes"}  # fmt: skip
FACT = {"occurred_on": "2026-03-10", "clause": "F1.S", "subject": "B1", "parties": "responsible=2103",
        "remark": "seen on site", "evidence": "photo, file 7"}  # fmt: skip


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load({**SMALL, "clauses": [*SMALL["clauses"], SHARED]})
    found = db.session.scalars(select(Bureau)).one()
    with transaction() as work:
        settlement.settle_period(work, found, MARCH, on=date(2026, 4, 1), actor=SYSTEM, now=NOW)
    return found


def register(bureau: Bureau, who: str = "zhouyaqin", seen: int | None = None, **changed: str) -> ScoreEntry | Typed:
    with transaction() as work:
        known = settlement.newest_entry(work, bureau.id) if seen is None else seen
        texts = {**FACT, **changed}
        return facts.register_entry(
            work, texts, bureau_id=bureau.id, seen=known, actor=actor(who), now=NOW
        )  # fmt: skip


def posted() -> int:
    return db.session.scalar(select(func.count(ScoreEntry.id))) or 0


def test_one_fact_is_posted_with_the_part_of_everybody_and_those_concerned_are_told(bureau: Bureau) -> None:
    entry = register(bureau)

    assert isinstance(entry, ScoreEntry)
    assert (entry.no[:10], entry.source, entry.evidence) == ("KH-202603-", "page", "photo, file 7")
    parts = db.session.scalars(select(ScoreEntry).where(ScoreEntry.fact_id == entry.id)).all()
    assert {(it.subject.code, it.share_percent) for it in parts} == {("2103", Decimal(100)), ("1002", Decimal(20))}
    with transaction() as work:
        notices.deliver(work, now=NOW)
    told = db.session.scalars(select(Notification.account_id).where(Notification.category == "ledger")).all()
    assert len(told) == len(set(told)) == 4  # head and clerk of the unit, the person, the leader
    status = db.session.scalars(select(RunLedger.status).where(RunLedger.period == "2026-03")).one()
    assert status == "pending", "the open period is refreshed by a job"


def test_its_reversal_takes_all_parts_with_it(bureau: Bureau) -> None:
    entry = register(bureau)
    with transaction() as work:
        reversal.reverse_entry(
            work, work.get_one(ScoreEntry, entry.id), reason="not so", actor=actor("zhouyaqin"), now=NOW
        )

    live = db.session.scalars(select(ScoreEntry).where(ScoreEntry.no == entry.no, ScoreEntry.kind != "reversal"))
    assert all(it.is_reversed for it in live)


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"occurred_on": "10.3.2026"}, "occurred_on"),
        ({"occurred_on": ""}, "occurred_on"),
        ({"clause": "nothing"}, "clause"),
        ({"clause": ""}, "clause"),
        ({"subject": "nobody"}, "subject"),
        ({"subject": ""}, "subject"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "many"}, "quantity"),
        ({"points": "1"}, "points"),
        ({"value": "1"}, "value"),
        ({"parties": "responsible=nobody"}, "parties"),
        ({"parties": "cousin=2103"}, "parties"),
        ({"parties": ""}, "responsible"),
        ({"evidence": " "}, "evidence"),
        ({"remark": ""}, "remark"),
        ({"attrs": "joint"}, "attrs"),
    ],
)
def test_each_fault_stands_at_its_field_and_nothing_is_posted(
    bureau: Bureau, changed: dict[str, str], column: str
) -> None:
    before = posted()

    found = register(bureau, **changed)

    assert isinstance(found, Typed)
    assert column in found.faults
    assert posted() == before


def test_a_department_registers_under_its_own_lines_and_not_about_itself(bureau: Bureau) -> None:
    assert isinstance(register(bureau, "hewenbin"), ScoreEntry)  # his department assesses F1
    for who, changed in (("hewenbin", {"subject": "03"}), ("hewenbin", {"clause": "D1.1"}), ("dingyulan", {})):
        found = register(bureau, who, **changed)
        assert isinstance(found, Typed)
        assert {"clause", "subject"} & set(found.faults)
    for who in ("majun", "fuweidong", "yujianping", "chenyue"):
        with pytest.raises(NotPermitted):
            register(bureau, who)


def test_a_day_that_has_not_come_is_refused_by_the_page_and_by_the_door_of_the_ledger(bureau: Bureau) -> None:
    tomorrow = (NOW.date() + timedelta(days=1)).isoformat()
    before = posted()

    found = facts.read_fact(
        db.session(), {**FACT, "occurred_on": tomorrow}, bureau_id=bureau.id, actor=actor("zhouyaqin"), today=NOW.date()
    )

    assert "occurred_on" in found.faults
    record = facts.record_to_post(
        facts.read_texts(db.session(), {**FACT, "occurred_on": tomorrow}, bureau_id=bureau.id),
        codes_of(db.session(), bureau.id), number="X-1", actor=actor("zhouyaqin"),
    )  # fmt: skip
    with pytest.raises(RuleViolation, match="not come"), transaction() as work:
        post_facts(work, bureau.id, [record], source="registration", actor=actor("zhouyaqin"), now=NOW)
    assert posted() == before


def test_a_second_click_registers_nothing(bureau: Bureau) -> None:
    seen = settlement.newest_entry(db.session(), bureau.id)
    register(bureau, seen=seen)
    before = posted()

    with pytest.raises(Conflict):
        register(bureau, seen=seen)

    assert posted() == before


@pytest.mark.parametrize(
    ("numbers", "following"),
    [
        ([], "Z-0001"),
        (["Z-0001", "Z-0009"], "Z-0010"),
        (["Z-9999", "Z-10000", "Z-0002"], "Z-10001"),
        (["Z-0007", *(f"Z-9{number:03d}甲" for number in range(60))], "Z-0008"),
        ([f"Z-9{number:03d}甲" for number in range(60)], "Z-0001"),
        (["Z-0007", "Z-ABCDEF", "ZZ-0100", "Y-0200"], "Z-0008"),
    ],
)
def test_the_number_after_the_greatest(
    bureau: Bureau, load: Callable[..., object], numbers: list[str], following: str
) -> None:
    if numbers:
        fact = {"occurred_on": "2026-03-10", "clause": "F1.1", "subject": "B1"}
        load({"entries": [{"no": number, **fact} for number in numbers]}, bureau="3306")

    assert next_number(db.session(), bureau.id, "Z") == following


def outlook(bureau: Bureau, **changed: str) -> preview.Preview:
    session = db.session()
    found = facts.read_fact(
        session, {**FACT, **changed}, bureau_id=bureau.id, actor=actor("zhouyaqin"), today=NOW.date()
    )
    assert found.is_sound, found.faults
    number = next_number(session, bureau.id, "KH-202603")
    record = facts.record_to_post(found, codes_of(session, bureau.id), number=number, actor=SYSTEM)
    return preview.preview_entry(session, bureau.id, record, on=date(2026, 4, 1), now=NOW)


def test_the_preview_says_what_the_settlement_will_give(bureau: Bureau) -> None:
    said = outlook(bureau)
    before = posted()
    assert [(it.subject, it.party) for it in said.effects] == [
        ("B1", "self"),
        ("1002", "leader"),
        ("2103", "responsible"),
    ]
    own = said.effects[0]
    assert own.line is not None
    assert own.line.points == Fraction(-1)
    assert posted() == before

    register(bureau)
    with transaction() as work:
        settlement.settle_period(work, bureau, MARCH, on=date(2026, 4, 1), actor=SYSTEM, now=NOW)
    stored = {
        (it.subject.code, it.indicator_code): it
        for it in db.session.scalars(select(PeriodScore).where(PeriodScore.period == "2026-03"))
    }
    assert own.total_after.score == Fraction(stored["B1", ""].score)
    assert own.leaf_after.score == Fraction(stored["B1", "F1"].score)
    assert own.rank_after == stored["B1", ""].rank


def test_the_preview_warns_of_entries_that_may_be_the_same(bureau: Bureau) -> None:
    first = register(bureau)
    found = facts.read_fact(db.session(), FACT, bureau_id=bureau.id, actor=actor("zhouyaqin"), today=NOW.date())

    same = facts.similar_entries(db.session(), found, bureau_id=bureau.id)

    assert [it["no"] for it in same] == [first.no]


def test_the_preview_says_where_an_entry_counts_nowhere(bureau: Bureau) -> None:
    said = outlook(bureau, subject="2104", parties="")

    assert any("no leaf" in str(it) for it in said.notes)
