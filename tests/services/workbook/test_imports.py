"""docs/scoring.md section 7: a workbook in and out, every fault at its cell, all or nothing, recall."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from openpyxl import Workbook, load_workbook
from sqlalchemy import func, select

from app.documents.layout import layout
from app.documents.workbook_writer import with_errors
from app.errors import Conflict, RuleViolation
from app.extensions import db, transaction
from app.models import Account, ImportBatch, Posting, RoleGrant, Scheme, ScoreEntry, Unit
from app.policies.actor import SYSTEM
from app.services.scoring import choice, results, settlement
from app.services.workbook import imports, recall
from app.services.workbook import plan as imports_plan
from app.services.workbook.rows import Problem
from tests.conftest import NOW, SMALL, TODAY, Rows, workbook

BASE: Rows = {
    "units": [
        {"code": "00", "name": "测试局", "kind": "局"},
        {"code": "01", "name": "一科", "parent": "00", "kind": "department", "group": "机关", "tags": "large; market"},
    ],
    "people": [{"staff_no": "1001", "name": "张三", "category": "staff", "from": date(2026, 1, 1)}],
    "postings": [{"staff_no": "1001", "unit": "01", "duty": "成员", "from": "2026-01-01"}],
    "roles": [{"staff_no": "1001", "role": "staff"}],
    "documents": [{"code": "D", "title": "办法", "year": 2026}],
    "schemes": [{"code": "S", "title": "方案", "year": 2026, "version": "1", "subject_kind": "unit", "groups": "机关"}],
    "indicators": [
        {"scheme": "S", "code": "T", "title": "总分", "method": "sum"},
        {"scheme": "S", "code": "D", "parent": "T", "title": "扣分", "method": "扣分制", "full": 100},
        {"scheme": "S", "code": "G", "parent": "T", "title": "评分", "method": "given", "params": "of=mean"},
        {"scheme": "S", "code": "R", "parent": "T", "title": "比例", "method": "ratio", "full": 10},
    ],
    "clauses": [
        {"indicator": "D", "code": "D1", "text": "迟报", "effect": "扣分", "pricing": "fixed", "price": 0.5},
        {"indicator": "D", "code": "D2", "text": "幅度", "effect": "deduction", "pricing": "range", "min": 1, "max": 3},
        {"indicator": "G", "code": "G1", "text": "评分", "effect": "measure", "pricing": "measure"},
        {"indicator": "R", "code": "R1", "text": "采用", "effect": "award", "pricing": "fixed", "price": 2},
    ],
    "targets": [{"indicator": "R", "subject": "01", "period": "2026-03", "value": 4}],
    "entries": [
        {"no": "E1", "occurred_on": date(2026, 3, 5), "clause": "D1", "subject": "01", "quantity": 2},
        {"no": "E2", "occurred_on": "2026-03-06", "clause": "D2", "subject": "01", "points": "2.5"},
        {"no": "E3", "occurred_on": "2026-03-07", "clause": "G1", "subject": "01", "value": 94.91},
    ],
}  # fmt: skip


def plan(rows: Rows, bureau: str | None = None) -> imports_plan.Plan:
    return imports_plan.plan_import(db.session(), workbook(rows), bureau_code=bureau, now=NOW)


def faults(rows: Rows, bureau: str | None = None) -> list[tuple[str, int | None, str | None]]:
    return [(it.sheet, it.row, it.column) for it in plan(rows, bureau).problems]


def changed(sheet: str, index: int, **values: Any) -> Rows:
    rows = deepcopy(BASE)
    if index == len(rows.setdefault(sheet, [])):
        rows[sheet].append({})
    rows[sheet][index] = {**rows[sheet][index], **values}
    return rows


def test_the_base_is_sound(app: Flask) -> None:
    assert faults(BASE) == []


@pytest.mark.parametrize(
    ("sheet", "index", "values", "at"),
    [
        ("units", 1, {"name": None}, (4, "name")),
        ("units", 1, {"parent": "99"}, (4, "parent")),
        ("units", 1, {"parent": "01"}, (4, "parent")),
        ("units", 1, {"kind": "bureau"}, (4, "kind")),
        ("units", 1, {"kind": "所"}, (4, "kind")),
        ("units", 1, {"from": "2026-02-30"}, (4, "from")),
        ("units", 1, {"from": "2026-05-01", "to": "2026-04-01"}, (4, "to")),
        ("units", 2, {"code": "01", "name": "新一科", "kind": "department", "from": "2026-05-01"}, (5, "from")),
        ("people", 0, {"staff_no": "01"}, (3, "staff_no")),
        ("people", 0, {"category": "boss"}, (3, "category")),
        ("postings", 0, {"unit": "77"}, (3, "unit")),
        ("postings", 0, {"staff_no": "77"}, (3, "staff_no")),
        ("postings", 1, {"staff_no": "1001", "unit": "01", "duty": "member", "from": "2026-06-01"}, (4, "from")),
        ("oversight", 0, {"staff_no": "1001", "from": "2026-01-01"}, (3, "unit")),
        ("oversight", 0, {"staff_no": "1001", "indicator": "X", "from": "2026-01-01"}, (3, "indicator")),
        ("roles", 0, {"role": "king"}, (3, "role")),
        ("roles", 1, {"staff_no": "1001", "role": "system_admin"}, (4, "role")),
        ("schemes", 0, {"year": "x"}, (3, "year")),
        ("schemes", 0, {"places": 9}, (3, "places")),
        ("schemes", 0, {"in_force_from": "2026-06-01", "in_force_to": "2026-05-01"}, (3, "in_force_to")),
        ("indicators", 0, {"method": "magic"}, (3, "method")),
        ("indicators", 0, {"places": 2}, (3, "places")),
        ("indicators", 1, {"parent": None}, (4, "parent")),
        ("indicators", 1, {"parent": "Z"}, (4, "parent")),
        ("indicators", 1, {"full": None}, (4, "full")),
        ("indicators", 1, {"full": "1.2345"}, (4, "full")),
        ("indicators", 1, {"code": "T"}, (4, "code")),
        ("indicators", 2, {"params": "of=best"}, (5, "params")),
        ("indicators", 2, {"params": "step=1"}, (5, "params")),
        ("indicators", 2, {"applies_to": "colour=red"}, (5, "applies_to")),
        ("indicators", 3, {"params": "value_of=R"}, (6, "params")),
        ("indicators", 3, {"params": "target_of=NONE"}, (6, "params")),
        ("indicators", 0, {"method": "weighted_mean"}, (4, "weight")),
        ("indicators", 0, {"method": "scale", "params": "from=100"}, (3, "params")),
        ("indicators", 1, {"method": "linked"}, (4, "params")),
        ("indicators", 1, {"method": "linked", "params": "source=post"}, (4, "params")),
        ("indicators", 1, {"method": "linked", "params": "source=group"}, (4, "params")),
        ("indicators", 1, {"method": "votes"}, (4, "params")),
        ("indicators", 2, {"not_applicable": "shared"}, (5, "not_applicable")),
        ("indicators", 1, {"params": "gate=NONE>=80"}, (4, "params")),
        ("indicators", 1, {"params": "gate=high"}, (4, "params")),
        ("indicators", 1, {"params": "gate=T>=80"}, (4, "params")),
        ("indicators", 3, {"method": "bands", "params": "rows=value>=90"}, (6, "params")),
        ("indicators", 3, {"method": "bands", "params": "rows=NONE>=90:1"}, (6, "params")),
        ("indicators", 3, {"method": "gap", "full": 5}, (6, "params")),
        ("clauses", 0, {"indicator": "X"}, (3, "indicator")),
        ("clauses", 0, {"indicator": "T"}, (3, "indicator")),
        ("clauses", 0, {"effect": "award"}, (3, "effect")),
        ("clauses", 0, {"price": None}, (3, "price")),
        ("clauses", 0, {"price": -1}, (3, "price")),
        ("clauses", 0, {"document": "Z"}, (3, "document")),
        ("clauses", 0, {"cap": "1/year"}, (3, "cap")),
        ("clauses", 0, {"multipliers": "joint=yes"}, (3, "multipliers")),
        ("clauses", 0, {"pricing": "measure"}, (3, "pricing")),
        ("clauses", 0, {"pricing": "ladder"}, (3, "ladder")),
        ("clauses", 0, {"pricing": "ladder", "ladder": "1;2"}, (3, "ladder")),
        ("clauses", 0, {"pricing": "every_n", "every_n": "0/year"}, (3, "every_n")),
        ("clauses", 0, {"multipliers": "count_all>=8/year:2"}, (3, "multipliers")),
        ("clauses", 0, {"multipliers": "count_past>8/week:2"}, (3, "multipliers")),
        ("clauses", 0, {"shares": "king=100"}, (3, "shares")),
        ("clauses", 0, {"shares": "assist=10/m"}, (3, "shares")),
        ("entries", 0, {"parties": "assist=99"}, (3, "parties")),
        ("clauses", 0, {"veto": "不称职"}, (3, "veto")),
        ("clauses", 1, {"min": 5}, (4, "max")),
        ("clauses", 1, {"code": "D1"}, (4, "code")),
        ("targets", 0, {"indicator": "X"}, (3, "indicator")),
        ("targets", 0, {"subject": "X"}, (3, "subject")),
        ("targets", 0, {"period": "2026.3"}, (3, "period")),
        ("targets", 0, {"value": "许多"}, (3, "value")),
        ("entries", 0, {"no": None}, (3, "no")),
        ("entries", 1, {"no": "E1"}, (4, "no")),
        ("entries", 0, {"clause": "X"}, (3, "clause")),
        ("entries", 0, {"subject": "X"}, (3, "subject")),
        ("entries", 0, {"subject": "1001", "occurred_on": "2025-12-31"}, (3, "subject")),
        ("entries", 0, {"quantity": 0}, (3, "quantity")),
        ("entries", 0, {"points": 1}, (3, "points")),
        ("entries", 1, {"points": None}, (4, "points")),
        ("entries", 1, {"points": 4}, (4, "points")),
        ("entries", 2, {"value": None}, (5, "value")),
        ("entries", 2, {"value": "1.23456"}, (5, "value")),
        ("entries", 2, {"value": "NaN"}, (5, "value")),
        ("entries", 0, {"attrs": "joint"}, (3, "attrs")),
        ("entries", 0, {"parties": "king=01"}, (3, "parties")),
        ("grade_rules", 0, {"scheme": "Z", "grade": "优秀", "kind": "band", "condition": "total>=90"}, (3, "scheme")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band", "condition": "total"}, (3, "condition")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band", "condition": "ZZ>=1"}, (3, "condition")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band", "condition": "count(ZZ)>=1"}, (3, "condition")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band", "condition": "grades(好)>=1"}, (3, "condition")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band"}, (3, "condition")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band", "condition": "total>1", "value": "2"}, (3, "value")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "cap", "condition": "total>=90"}, (3, "grade")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "quota", "value": "20"}, (3, "value")),
        ("grade_rules", 0, {"scheme": "S", "grade": "a=b", "kind": "band", "condition": "total>=90"}, (3, "grade")),
        ("calendar", 0, {"day": "2026-01-01", "kind": "party"}, (3, "kind")),
    ],
)  # fmt: skip
def test_each_fault_is_reported_at_its_cell(
    app: Flask, sheet: str, index: int, values: dict[str, Any], at: tuple[int, str]
) -> None:
    assert (sheet, *at) in faults(changed(sheet, index, **values))


def test_two_schemes_may_not_hold_for_one_group_on_one_day(app: Flask) -> None:
    rows = deepcopy(BASE)
    rows["schemes"].append({**rows["schemes"][0], "code": "S2", "in_force_from": "2026-06-01"})
    rows["indicators"].append({"scheme": "S2", "code": "T2", "title": "总分", "method": "award"})

    assert faults(rows) == [("schemes", 4, "groups")]


def test_a_circle_of_references_is_reported_at_params(app: Flask) -> None:
    rows = changed("indicators", 3, params="value_of=T")
    rows["clauses"] = rows["clauses"][:3]

    assert ("indicators", 6, "params") in faults(rows)


def test_numbers_and_dates_are_read_as_people_write_them(app: Flask, load: Callable[..., ImportBatch]) -> None:
    rows = changed("entries", 1, points=" ２.5 ", occurred_on="2026-03-06 ")
    rows["schemes"][0]["year"] = "2026"
    load(rows)

    stored = {it.no: it for it in db.session.scalars(select(ScoreEntry))}

    assert stored["E3"].value == Decimal("94.91")
    assert stored["E2"].points == Decimal("2.5")


def test_loading_twice_is_recognised_and_a_changed_file_updates_only_what_may_change(
    app: Flask, load: Callable[..., ImportBatch]
) -> None:
    first = load(BASE)
    assert load(BASE).id == first.id

    again = deepcopy(BASE)
    again["targets"][0]["value"] = 5
    again["units"][1]["name"] = "一科（改）"
    found = plan(again)
    assert found.problems == []
    assert {sheet: len(rows) for sheet, rows in found.changed.items() if rows} == {"units": 1, "targets": 1}
    assert not any(found.new.values())

    frozen = deepcopy(BASE)
    frozen["entries"][0]["quantity"] = 3
    frozen["indicators"][1]["full"] = 90
    frozen["clauses"][0]["price"] = 1
    frozen["indicators"].append({"scheme": "S", "code": "N", "parent": "T", "title": "新", "method": "award"})
    assert {(it.sheet, it.row) for it in plan(frozen).problems} == {
        ("entries", 3), ("indicators", 4), ("clauses", 3), ("indicators", 7),
    }  # fmt: skip


def test_a_file_without_units_goes_on_in_a_bureau_that_is_there(app: Flask, load: Callable[..., ImportBatch]) -> None:
    load(BASE)
    more: Rows = {"entries": [{"no": "E9", "occurred_on": "2026-03-09", "clause": "D1", "subject": "01"}]}

    assert faults(more) == [("units", None, None)]
    assert faults(more, "00") == []
    assert load(more, "00").rows == 1
    with pytest.raises(RuleViolation):
        plan(more, "77")


def test_what_is_exported_loads_into_the_same_bureau(any_app: Flask, load: Callable[..., ImportBatch]) -> None:
    load(SMALL)
    bureau = choice.bureaus(db.session(), None)[0]
    with transaction() as work:
        content = imports.export_bureau(work, bureau, actor=SYSTEM, now=NOW)

    again = imports_plan.plan_import(db.session(), content, bureau_code=None, now=NOW)

    assert again.problems == []
    assert not any(again.new.values())
    assert not any(again.changed.values())
    assert again.counts["entries"] == len(SMALL["entries"])


def test_a_batch_is_recalled_its_entries_reversed_and_the_corrected_file_comes_in(
    any_app: Flask, load: Callable[..., ImportBatch]
) -> None:
    office = SYSTEM
    batch = load(BASE)
    with transaction() as work:
        done = recall.recall_batch(work, batch, reason="写错了", actor=office, now=NOW)

    assert done["reversed"] == 3
    assert db.session.scalar(select(func.count(ScoreEntry.id))) == 6
    assert db.session.scalar(select(func.count(Scheme.id))) == 0
    assert db.session.scalar(select(func.count(Posting.id))) == 0

    corrected = deepcopy(BASE)
    corrected["clauses"][0]["price"] = 1
    corrected["indicators"][1]["full"] = 90
    load(corrected)
    with transaction() as work:
        bureau = choice.bureaus(work, None)[0]
        march = choice.parse_period("2026-03", on=TODAY)
        settled = settlement.settle_period(work, bureau, march, on=TODAY, actor=office, now=NOW)
    assert settled.errors == []
    rows = {row["indicator_code"]: row["score"] for row in results.scores_of(db.session(), bureau, march)}
    assert rows["D"] == Decimal("85.5")


def test_a_recall_without_reason_is_refused(app: Flask, load: Callable[..., ImportBatch]) -> None:
    batch = load(BASE)

    with pytest.raises(RuleViolation), transaction() as work:
        recall.recall_batch(work, batch, reason=" ", actor=SYSTEM, now=NOW)

    assert db.session.scalar(select(func.count(ScoreEntry.id))) == 3


def test_one_bad_row_stores_nothing(app: Flask) -> None:
    with transaction() as work:
        found, batch = imports.load_workbook(
            work,
            workbook(changed("entries", 2, value="x")),
            file_name="a.xlsx",
            bureau_code=None,
            actor=SYSTEM,
            now=NOW,
        )

    assert batch is None
    assert [(it.sheet, it.row) for it in found.problems] == [("entries", 5)]
    for model in (Unit, ScoreEntry, ImportBatch):
        assert db.session.scalar(select(func.count()).select_from(model)) == 0
    for model in (Account, RoleGrant):
        assert db.session.scalar(select(func.count()).select_from(model)) == 3, "the administrators"


def test_people_come_in_with_an_account_and_no_password(app: Flask, load: Callable[..., ImportBatch]) -> None:
    load(BASE)
    (account,) = db.session.scalars(select(Account).where(Account.bureau_id.is_not(None)))

    assert (account.username, account.password, account.get_full_name()) == ("00-1001", "", "张三")


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 100, b"PK\x03\x04" + b"\0" * 60])
def test_what_is_no_workbook_is_refused_by_name(app: Flask, content: bytes) -> None:
    with pytest.raises(RuleViolation):
        imports_plan.plan_import(db.session(), content, bureau_code=None, now=NOW)


@pytest.mark.parametrize(
    ("sheet", "index", "values", "at"),
    [
        ("schemes", 0, {"groups": "机关;无此组"}, (3, "groups")),
        ("schemes", 1, {"code": "P", "title": "人员方案", "year": 2026, "version": "1", "subject_kind": "person",
                        "groups": "机关"}, (4, "groups")),
        ("indicators", 1, {"applies_to": "group=无此组"}, (4, "applies_to")),
        ("indicators", 1, {"applies_to": "!tag=小"}, (4, "applies_to")),
        ("indicators", 1, {"applies_to": "category=unit_head"}, (4, "applies_to")),
        ("indicators", 1, {"applies_to": "subject=77"}, (4, "applies_to")),
        ("indicators", 3, {"method": "linked", "params": "source=group;groups=无此组", "full": None}, (6, "params")),
        ("clauses", 0, {"multipliers": "group=无此组:2"}, (3, "multipliers")),
        ("clauses", 0, {"multipliers": "joint=yes&tag=小:2"}, (3, "multipliers")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band", "condition": "group=无此组"}, (3, "condition")),
        ("grade_rules", 0, {"scheme": "S", "grade": "优秀", "kind": "band", "condition": "total>=1&tag=小"}, (3, "condition")),
    ],
)  # fmt: skip
def test_a_name_nobody_bears_is_a_fault_at_its_cell(
    app: Flask, sheet: str, index: int, values: dict[str, Any], at: tuple[int, str]
) -> None:
    assert (sheet, *at) in faults(changed(sheet, index, **values))


@pytest.mark.parametrize("text", ["group=机关；!tag=small", "group＝机关", "category=staff", "subject=01;tag=large"])
def test_a_name_somebody_bears_is_none(app: Flask, text: str) -> None:
    rows = changed("units", 2, code="02", name="二科", parent="00", kind="department", group="分局", tags="small")
    rows["indicators"][1]["applies_to"] = text

    assert faults(rows) == []


BALLOTS: Rows = {
    **BASE,
    "indicators": [
        *BASE["indicators"],
        {"scheme": "S", "code": "V", "parent": "T", "title": "测评", "method": "votes",
         "params": "grade_points=好:100|差:0;voters=leader:50|staff:50"},
    ],
    "clauses": [*BASE["clauses"],
                {"indicator": "V", "code": "V1", "text": "票", "effect": "measure", "pricing": "measure"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("attrs", "is_known"),
    [("voter=staff;grade=好", True), ("voter＝staff；grade=差", True), ("voter=staffs;grade=好", False),
     ("voter=staff;grade=很好", False), ("grade=好", False), ("voter=staff", False)],
)  # fmt: skip
def test_a_ballot_with_an_unknown_word_does_not_drop_out_unseen(app: Flask, attrs: str, is_known: bool) -> None:
    entry = {"no": "E9", "occurred_on": "2026-03-07", "clause": "V1", "subject": "01", "value": 3, "attrs": attrs}
    rows = {**BALLOTS, "entries": [*BASE["entries"], entry]}

    assert faults(rows) == ([] if is_known else [("entries", 6, "attrs")])


def hints(rows: Rows) -> list[tuple[str, int | None, str | None]]:
    found = plan(rows)
    assert found.is_ok
    return [(hint.sheet, hint.row, hint.column) for hint in found.hints]


@pytest.mark.parametrize(
    ("weights", "is_told"), [((60, 40), False), ((60, 50), True), ((60, None), True), ((None, None), True)]
)
def test_weights_that_do_not_add_up_are_hinted_at(app: Flask, weights: tuple[Any, Any], is_told: bool) -> None:
    rows = changed("indicators", 0, method="weighted")
    rows["indicators"] = [
        rows["indicators"][0],
        {**rows["indicators"][1], "weight": weights[0]},
        {**rows["indicators"][2], "weight": weights[1]},
    ]
    rows["clauses"], rows["targets"] = rows["clauses"][:3], []

    assert hints(rows) == ([("indicators", 3, "method")] if is_told else [])


@pytest.mark.parametrize(("source", "is_told"), [("G", True), ("D", False)])
def test_a_shortage_nobody_need_report_is_hinted_at(app: Flask, source: str, is_told: bool) -> None:
    rows = changed("indicators", 3, method="gap", params=f"price=1;value_of={source}")
    rows["clauses"] = rows["clauses"][:3]

    assert hints(rows) == ([("indicators", 6, "params")] if is_told else [])


def test_works_that_nearly_agree_are_hinted_at(app: Flask) -> None:
    rows = deepcopy(BASE)
    for number, work in enumerate(("〈简报〉第１期", "<简报>第1期", "<简报> 第1期", "简报第2期")):
        rows["entries"].append(
            {"no": f"W{number}", "occurred_on": "2026-03-08", "clause": "R1", "subject": "01", "work_key": work}
        )

    assert hints(rows) == [("entries", 7, "work_key"), ("entries", 8, "work_key")]


@pytest.mark.parametrize("again", [False, True])
def test_what_would_change_nothing_is_not_committed(app: Flask, again: bool) -> None:
    from app.models import Bureau

    with transaction() as work:
        imports.load_workbook(work, workbook(BASE), file_name="a.xlsx", bureau_code=None, actor=SYSTEM, now=NOW)
    content = workbook(BASE if again else {}) + b" "
    raw = imports_plan.read_file(workbook(BASE if again else {}))
    found = imports_plan.plan_import(db.session(), content, bureau_code="00", now=NOW, raw=raw)
    assert found.is_ok

    with pytest.raises(Conflict), transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        batch = imports.receive(work, content, file_name="b.xlsx", bureau=bureau, actor=SYSTEM, now=NOW, plan=found)
        imports.commit_batch(work, batch, raw, actor=SYSTEM, now=NOW)


def test_sheets_and_columns_are_known_by_name_or_key_and_others_are_told(app: Flask) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = "units"
    for row in (
        ("随便", "名称", "别的", "类"),
        ("code", "name", "nothing", "kind"),
        ("00", "=局", 5, "局"),
        (None,) * 4,
    ):
        page.append(row)
    page["B3"].data_type = "s"
    book.create_sheet("随便")["A1"] = "x"
    out = io.BytesIO()
    book.save(out)

    found = imports_plan.plan_import(db.session(), out.getvalue(), bureau_code=None, now=NOW)

    assert found.problems == []
    assert found.counts["units"] == 1
    assert found.new["units"][0].values["name"] == "=局"
    assert [(place.sheet, place.column, place.cells) for place in found.unread] == [
        ("随便", "", 0),
        ("单位", "nothing", 1),
    ]


def test_formulas_in_names_are_written_as_text(app: Flask) -> None:
    book = load_workbook(io.BytesIO(workbook(changed("units", 1, name='=HYPERLINK("http://x")'))))

    cell = book["单位"]["B4"]

    assert (cell.data_type, cell.value) == ("s", '=HYPERLINK("http://x")')


def test_the_same_file_comes_back_with_its_errors(app: Flask) -> None:
    content = workbook(changed("entries", 2, value="x"))
    problems: list[Problem] = plan(changed("entries", 2, value="x")).problems

    back = load_workbook(
        io.BytesIO(with_errors(content, layout(), [(it.sheet, it.row, it.column, "错") for it in problems]))
    )

    page = back["台账"]
    assert page.cell(1, page.max_column).value == "错误信息"
    assert "错" in str(page.cell(5, page.max_column).value)
    assert page.cell(4, page.max_column).value is None
