"""People's scores follow the units: those a leader is in charge of, those somebody was posted to, by days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Bureau
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.services.scoring import results, settlement
from app.services.workbook import plan as imports_plan
from tests.conftest import NOW, Rows

ROWS: Rows = {
    "units": [
        {"code": "00", "name": "局", "kind": "bureau"},
        {"code": "01", "name": "一科", "parent": "00", "kind": "department", "group": "机关", "order": 1},
        {"code": "02", "name": "二科", "parent": "00", "kind": "department", "group": "机关", "order": 2},
        {"code": "03", "name": "三科", "parent": "00", "kind": "department", "group": "机关", "order": 3},
    ],
    "people": [
        {"staff_no": "1001", "name": "甲", "category": "bureau_leader", "group": "领导"},
        {"staff_no": "1002", "name": "乙", "category": "staff", "group": "干部"},
        {"staff_no": "1003", "name": "丙", "category": "staff", "group": "干部"},
    ],
    "postings": [
        {"staff_no": "1002", "unit": "01", "duty": "member", "from": "2026-01-01", "to": "2026-03-10"},
        {"staff_no": "1002", "unit": "02", "duty": "member", "from": "2026-03-11"},
        # two duties in one unit are the unit once; the third unit has no score
        {"staff_no": "1003", "unit": "01", "duty": "member", "from": "2026-01-01"},
        {"staff_no": "1003", "unit": "01", "duty": "clerk", "from": "2026-03-15"},
        {"staff_no": "1003", "unit": "03", "duty": "member", "from": "2026-03-01"},
    ],
    "oversight": [
        {"staff_no": "1001", "unit": "01", "from": "2026-01-01", "to": "2026-03-05"},
        {"staff_no": "1001", "unit": "02", "from": "2026-01-01"},
        {"staff_no": "1001", "indicator": "U", "from": "2026-01-01"},
    ],
    "schemes": [
        {"code": "SU", "title": "单位", "year": 2026, "version": "1", "subject_kind": "unit", "groups": "机关"},
        {"code": "SL", "title": "领导", "year": 2026, "version": "1", "subject_kind": "person", "groups": "领导"},
        {"code": "SP", "title": "干部", "year": 2026, "version": "1", "subject_kind": "person", "groups": "干部"},
    ],
    "indicators": [
        {"scheme": "SU", "code": "U", "title": "总分", "method": "given"},
        {"scheme": "SL", "code": "L", "title": "总分", "method": "sum"},
        {"scheme": "SL", "code": "L1", "parent": "L", "title": "联动", "method": "linked", "params": "source=charge;what=U"},
        {"scheme": "SP", "code": "P", "title": "联动", "method": "linked", "params": "source=post"},
    ],
    "clauses": [{"indicator": "U", "code": "mark", "text": "评分", "effect": "measure", "pricing": "measure"}],
    "entries": [
        {"no": "E1", "occurred_on": "2026-03-20", "clause": "mark", "subject": "01", "value": 90},
        {"no": "E2", "occurred_on": "2026-03-20", "clause": "mark", "subject": "02", "value": 80},
    ],
}  # fmt: skip


@pytest.fixture
def scores(any_app: Flask, load: Callable[..., object]) -> dict[str, Decimal]:
    load(ROWS)
    bureau, march = db.session.scalars(select(Bureau)).one(), Period(2026, 3, 1)
    with transaction() as work:
        settlement.settle_period(work, bureau, march, on=date(2026, 4, 1), actor=SYSTEM, now=NOW)
    rows = results.scores_of(db.session, bureau, march)
    return {row["subject"]: row["score"] for row in rows if not row["indicator_code"]}


def test_a_leader_has_the_mean_of_the_units_in_charge_on_any_day_of_the_month(scores: dict[str, Decimal]) -> None:
    assert scores["1001"] == Decimal(85)


def test_who_moved_has_each_units_part_by_the_days_posted(scores: dict[str, Decimal]) -> None:
    assert scores["1002"] == Decimal("83.23")  # (90 x 10 + 80 x 21) / 31
    assert scores["1003"] == Decimal(90)


@pytest.mark.parametrize(
    ("scheme", "params", "is_right"),
    [
        ("SU", "source=post", False),
        ("SU", "source=group;groups=机关", False),
        ("SU", "source=group;groups=分局", True),
        ("SL", "source=group;groups=机关", True),
        ("SL", "source=charge;what=nothing", False),
    ],
)
def test_what_may_be_linked(any_app: Flask, scheme: str, params: str, is_right: bool) -> None:
    from tests.conftest import workbook

    bygone = {"code": "09", "name": "旧分局", "parent": "00", "kind": "branch", "group": "分局",
              "from": "1990-01-01", "to": "1990-12-31"}  # fmt: skip
    rows = {**ROWS, "entries": [], "clauses": [], "units": [*ROWS["units"], bygone]}
    rows["indicators"] = [it for it in ROWS["indicators"] if it["scheme"] != scheme] + [
        {"scheme": scheme, "code": "X", "title": "联动", "method": "linked", "params": params}
    ]
    if scheme == "SU":
        rows["indicators"] = [
            {**it, "params": "source=charge"} if it["code"] == "L1" else it for it in rows["indicators"]
        ]
        rows["oversight"] = ROWS["oversight"][:2]

    plan = imports_plan.plan_import(db.session(), workbook(rows), bureau_code=None, now=NOW)

    assert ([(it.sheet, it.column) for it in plan.problems] == []) is is_right
    if not is_right:
        assert {(it.sheet, it.column) for it in plan.problems} == {("indicators", "params")}
