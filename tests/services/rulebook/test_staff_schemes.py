"""Schemes by which units assess their own staff: drafted by the head, approved by the office, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import HouseError, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bureau, Clause, Indicator, PeriodScore, Scheme, ScoreEntry
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.services.registers import rows
from app.services.registration import facts as registration
from app.services.rulebook import approval
from app.services.scoring import settlement
from tests.conftest import NOW, SMALL
from tests.services.publication.test_bulletin import actor

HEAD, OTHER_HEAD, OFFICE, LEADER = "fuweidong", "zhenglijun", "zhouyaqin", "yujianping"
MARCH = Period(2026, 3, 1)


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    people = [
        {**row, "group": "柯桥分局人员"} if row["staff_no"] in ("2103", "2104") else row for row in SMALL["people"]
    ]
    load({**SMALL, "people": people})
    return db.session.scalars(select(Bureau)).one()


def keep(record: Any, who: str) -> Any:
    with transaction() as work:
        rows.add(work, record, before={}, actor=actor(who), now=NOW)
        return record


def scheme(who: str = HEAD, **changed: Any) -> Scheme:
    facts = {
        "code": "B1-P", "title": "own staff", "year": 2026, "version": "1", "subject_kind": "person",
        "groups": "柯桥分局人员", "in_force_from": date(2026, 1, 1), "in_force_to": date(2026, 12, 31), "places": 2,
        "rank_on": "rounded",
    }  # fmt: skip
    return keep(Scheme(**{**facts, **changed}), who)


def leaf(who: str = HEAD, code: str = "B1W") -> Indicator:
    owner = db.session.scalars(select(Scheme).where(Scheme.code == "B1-P")).one()
    facts = {"parent_code": "", "cap": "", "floor": "", "span": "", "rollup": "", "params": "", "applies_to": ""}
    return keep(
        Indicator(scheme=owner, code=code, title="own work", method="deduct", full=Decimal(100), position=0,
                  not_applicable="", **facts),
        who,
    )  # fmt: skip


def clause(who: str = HEAD, line: str = "B1W") -> Clause:
    blank = dict.fromkeys(("basis", "ladder", "every_n", "multipliers", "shares", "cap", "veto", "replaces"), "")
    return keep(
        Clause(indicator_code=line, code=f"{line}.1", text="late report", effect="deduction", pricing="fixed",
               price=Decimal(2), duplicates="accumulate", evidence_required=False, **blank),
        who,
    )  # fmt: skip


def put_in_force(who: str, *, submitter: str = "") -> None:
    with transaction() as work:
        it = work.scalars(select(Scheme).where(Scheme.code == "B1-P")).one()
        if submitter:
            approval.submit(work, it, actor=actor(submitter), now=NOW)
        approval.put_in_force(work, it, actor=actor(who), now=NOW)


def whole() -> None:
    scheme()
    leaf()
    clause()


def test_the_head_drafts_the_office_approves_and_the_unit_assesses_its_staff(bureau: Bureau) -> None:
    whole()
    owner = db.session.scalars(select(Scheme).where(Scheme.code == "B1-P")).one()
    assert owner.owner_unit.code == "B1"
    for who in (HEAD, LEADER, OTHER_HEAD):
        with pytest.raises(NotPermitted):
            put_in_force(who)
    put_in_force(OFFICE, submitter=HEAD)

    with transaction() as work:
        texts = {"occurred_on": "2026-03-10", "clause": "B1W.1", "subject": "2103", "remark": "two days late"}
        done = registration.register_entry(
            work, texts, bureau_id=bureau.id, seen=settlement.newest_entry(work, bureau.id), actor=actor(HEAD), now=NOW
        )
        assert isinstance(done, ScoreEntry)
        settlement.settle_period(work, bureau, MARCH, on=date(2026, 4, 1), actor=SYSTEM, now=NOW)

    db.session.expire_all()
    query = select(PeriodScore).where(PeriodScore.period == "2026-03", PeriodScore.scheme_code == "B1-P")
    totals = {it.subject.code: it.score for it in db.session.scalars(query) if not it.indicator_code}
    assert totals == {"2103": Decimal(98), "2104": Decimal(100)}


@pytest.mark.parametrize("who", ["majun", "chenyue", "lichunxia", "sysadmin"])
def test_nobody_else_drafts(bureau: Bureau, who: str) -> None:
    with pytest.raises(NotPermitted):
        scheme(who)


def test_a_unit_drafts_for_its_staff_only(bureau: Bureau) -> None:
    with pytest.raises(RuleViolation) as refused:
        scheme(subject_kind="unit", groups="分局")

    assert refused.value.field_name == "subject_kind"


def test_another_unit_and_the_bureaus_own_rules_are_out_of_reach(bureau: Bureau) -> None:
    whole()
    with pytest.raises(NotPermitted):
        leaf(OTHER_HEAD, "B1X")
    with pytest.raises(HouseError):
        clause(HEAD, "F1")
    with pytest.raises(NotPermitted):
        clause(OTHER_HEAD)
    with transaction() as work:
        old = work.scalars(select(Clause).where(Clause.code == "F1.1")).one()
    with pytest.raises(NotPermitted), transaction() as work:
        rows.remove(work, work.get_one(Clause, old.id), actor=actor(HEAD), now=NOW)


def test_the_head_registers_about_own_staff_only(bureau: Bureau) -> None:
    whole()
    put_in_force(OFFICE, submitter=HEAD)
    for subject, code in (("2202", "B1W.1"), ("2103", "PD.2"), ("2101", "B1W.1")):
        texts = {"occurred_on": "2026-03-10", "clause": code, "subject": subject, "remark": "r"}
        found = registration.read_fact(db.session(), texts, bureau_id=bureau.id, actor=actor(HEAD), today=NOW.date())
        assert {"clause", "subject"} & set(found.faults), (subject, code)
