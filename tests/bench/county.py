"""A county bureau in full size: 60 units, 500 people, 150,000 entries a year, as rows put in in bulk."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import insert, select

from app.extensions import db, transaction
from app.models import Bureau, Clause, ScoreEntry, Subject
from app.policies.actor import SYSTEM
from app.services.workbook import imports
from tests.conftest import Rows, workbook

UNITS, PEOPLE, ENTRIES = 60, 500, 150_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rules(bureau: str = "C0") -> Rows:
    """Two groups of units, one scheme for units and one for people; three kinds of leaf need their rows."""
    rows: Rows = {
        "units": [{"code": bureau, "name": "大局", "kind": "bureau"}],
        "people": [], "postings": [], "roles": [], "targets": [],
        "schemes": [
            {"code": "U", "title": "单位", "year": 2025, "version": "1", "subject_kind": "unit", "groups": "机关;分局"},
            {"code": "P", "title": "个人", "year": 2025, "version": "1", "subject_kind": "person", "groups": "人员"},
        ],
        "indicators": [
            {"scheme": "U", "code": "T", "title": "总", "method": "weighted"},
            *({"scheme": "U", "code": f"D{i}", "parent": "T", "title": "扣", "method": "deduct", "full": 100, "weight": 10} for i in range(4)),
            {"scheme": "U", "code": "R", "parent": "T", "title": "比", "method": "ratio", "full": 100, "weight": 20},
            {"scheme": "U", "code": "B", "parent": "T", "title": "优", "method": "best_share", "full": 100, "weight": 20},
            {"scheme": "U", "code": "G", "parent": "T", "title": "评", "method": "given", "weight": 20, "params": "of=mean"},
            {"scheme": "P", "code": "PT", "title": "总", "method": "sum"},
            {"scheme": "P", "code": "PD", "parent": "PT", "title": "扣", "method": "deduct", "full": 100},
            {"scheme": "P", "code": "PA", "parent": "PT", "title": "加", "method": "award", "cap": "20"},
        ],
        "clauses": [
            *({"indicator": f"D{i}", "code": f"D{i}.1", "text": "扣", "effect": "deduction", "pricing": "fixed", "price": "0.1"} for i in range(4)),
            {"indicator": "R", "code": "R.1", "text": "采用", "effect": "award", "pricing": "given"},
            {"indicator": "B", "code": "B.1", "text": "采用", "effect": "award", "pricing": "fixed", "price": 1},
            {"indicator": "G", "code": "G.1", "text": "评分", "effect": "measure", "pricing": "measure"},
            {"indicator": "PD", "code": "PD.1", "text": "扣", "effect": "deduction", "pricing": "fixed", "price": "0.1"},
            {"indicator": "PA", "code": "PA.1", "text": "加", "effect": "award", "pricing": "given"},
        ],
    }  # fmt: skip
    for index in range(UNITS):
        code = f"U{index:03d}"
        rows["units"].append(
            {
                "code": code,
                "name": f"单位{index}",
                "parent": bureau,
                "kind": "branch" if index % 3 else "department",
                "group": "分局" if index % 3 else "机关",
            }
        )
        rows["targets"] += [
            {"indicator": "R", "subject": code, "period": f"2025-{m:02d}", "value": 100} for m in range(1, 13)
        ]
    for index in range(PEOPLE):
        code = f"P{index:04d}"
        rows["people"].append(
            {
                "staff_no": code,
                "name": f"员{index}",
                "category": "staff",
                "group": "人员",
                **({"username": f"bench{index}"} if bureau == "C0" else {}),
            }
        )
        rows["postings"].append(
            {
                "staff_no": code,
                "unit": f"U{index % UNITS:03d}",
                "duty": "clerk" if index < UNITS else "member",
                "from": "2025-01-01",
            }
        )
        rows["roles"].append({"staff_no": code, "role": "clerk" if index < UNITS else "staff"})
    return rows


def fill(entries: int = ENTRIES, seed: int = 1, code: str = "C0") -> Bureau:
    """Load the rules and put the entries in."""
    with transaction() as work:
        plan, batch = imports.load_workbook(
            work, workbook(rules(code)), file_name=f"{code}.xlsx", bureau_code=None, actor=SYSTEM, now=NOW
        )
        assert batch is not None, plan.problems[:3]
    bureau = db.session.scalars(select(Bureau).where(Bureau.code == code)).one()
    mine = Subject.bureau_id == bureau.id
    subjects = dict(db.session.execute(select(Subject.code, Subject.id).where(mine)).all())
    clauses = dict(
        db.session.execute(select(Clause.code, Clause.id).where(Clause.bureau_id == bureau.id)).all()
    )  # fmt: skip
    unit_clauses = [code for code in clauses if not code.startswith("P")]
    draw = random.Random(seed)
    first = date(2025, 1, 1)
    records = []
    for index in range(entries):
        is_person = draw.random() < 0.5
        clause = draw.choice(("PD.1", "PA.1")) if is_person else draw.choice(unit_clauses)
        subject = f"P{draw.randrange(PEOPLE):04d}" if is_person else f"U{draw.randrange(UNITS):03d}"
        day = first + timedelta(days=draw.randrange(365))
        records.append({
            "bureau_id": bureau.id, "no": f"N{index:07d}", "revision": 0, "kind": "fact", "occurred_on": day,
            "month": f"{day:%Y-%m}", "clause_id": clauses[clause], "subject_id": subjects[subject], "quantity": Decimal(1),
            "points": Decimal(draw.randrange(1, 3000)).scaleb(-3) if clause in ("R.1", "PA.1") else None,
            "value": Decimal(draw.randrange(700000, 1000000)).scaleb(-4) if clause == "G.1" else None, "work_key": "", "attrs": "",
            "parties": "", "remark": "", "share_percent": Decimal(100), "share_divisor": 1, "reason": "", "source": "bench",
            "registered_by": "", "registered_at": NOW,
        })  # fmt: skip
    with transaction() as work:
        for start in range(0, len(records), 20_000):
            work.connection().execute(insert(ScoreEntry.__table__), records[start : start + 20_000])
    return bureau
