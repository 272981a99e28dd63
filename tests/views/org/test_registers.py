"""Keeping registers in the portal: services write, refusals land on the field, everything is traced."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import func, select, text

from app.extensions import db, transaction
from app.models import Account, Bureau, ImportBatch, Indicator, Scheme, ScoreEntry, Subject, Target, TraceEntry, Unit
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.workbook import imports
from tests.conftest import NOW, workbook

SignIn = Callable[[str], FlaskClient]


def one(model: Any, *where: Any) -> Any:
    act_as(db.session(), SYSTEM)
    db.session.rollback()
    return db.session.scalars(select(model).where(*where)).unique().one()


def count(model: Any, *where: Any) -> int:
    act_as(db.session(), SYSTEM)
    db.session.rollback()
    return db.session.scalar(select(func.count(model.id)).where(*where)) or 0


def last_act() -> TraceEntry:
    act_as(db.session(), SYSTEM)
    db.session.rollback()
    found = db.session.scalars(select(TraceEntry).order_by(TraceEntry.seq.desc()).limit(1)).one()
    assert isinstance(found, TraceEntry)
    return found


UNIT = {"code": "06", "name": "法规科", "kind": "department", "group_name": "机关", "position": "6", "parent": "__None"}


def test_a_unit_is_added_changed_and_deleted_with_a_trace(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    assert client.post("/unitview/add", data=UNIT).status_code == 302
    unit = one(Unit, Unit.name == "法规科")
    assert unit.subject.code == "06"
    subject_id = unit.subject_id
    assert (last_act().verb, last_act().actor_name) == ("add", "王晓岚")

    client.post(
        f"/unitview/edit/{unit.id}",
        data={**UNIT, "name": "法规科（改）", "seen": client.seen(f"/unitview/edit/{unit.id}")},
    )
    assert one(Unit, Unit.id == unit.id).name == "法规科（改）"
    assert '"name": "法规科"' in last_act().before
    pk = unit.id
    page = client.get(f"/unitview/show/{pk}").get_data(as_text=True)
    assert "法规科 → 法规科（改）" in page

    client.post(f"/unitview/delete/{pk}")
    assert last_act().verb == "remove"
    assert count(Unit, Unit.subject_id == subject_id) == 0


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"name": ""}, "k-err"),
        ({"code": "03"}, "起止日与前面的行重叠"),
        ({"code": "1001"}, "已被单位或人员占用"),
        ({"valid_from": "2026-05-01", "valid_to": "2026-04-01"}, "截止日早于起始日"),
        ({"valid_from": "2026-02-30"}, "k-err"),
        ({"kind": "castle"}, "k-err"),
        ({"parent": "999"}, "k-err"),
    ],
)
def test_a_refusal_lands_on_its_field_and_keeps_what_was_typed(
    app: Flask, sign_in: SignIn, data: dict[str, str], fault: str
) -> None:
    client = sign_in("assessment_office")
    before = last_act().seq

    answer = client.post("/unitview/add", data={**UNIT, **data})

    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert fault in page
    assert "没有保存" in page
    if "name" not in data:
        assert 'value="法规科"' in page
    assert last_act().seq == before


def test_fields_that_are_not_asked_for_are_ignored(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")

    client.post("/unitview/add", data={**UNIT, "bureau_id": "77", "batch_id": "1", "id": "500"})

    unit = one(Unit, Unit.name == "法规科")
    assert (unit.bureau_id, unit.batch_id) == (1, None)
    assert unit.id != 500


def test_a_person_added_gets_an_account_without_a_password(app: Flask, sign_in: SignIn) -> None:
    sign_in("system_admin").post("/personview/add", data={"code": "3001", "name": "新人", "category": "staff"})

    account = one(Account, Account.username == "3306-3001")
    assert (account.password, account.subject.code) == ("", "3001")


def test_an_administrator_of_the_installation_keeps_the_only_bureau(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("system_admin")
    with transaction() as work:
        work.execute(text("UPDATE ab_user SET bureau_id = NULL, subject_id = NULL WHERE username = 'sysadmin'"))

    assert client.post("/unitview/add", data=UNIT).status_code == 302

    assert one(Unit, Unit.name == "法规科").bureau_id == 1


def test_a_scheme_in_force_cannot_be_edited_by_any_door(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    scheme = one(Scheme, Scheme.code == "2026-U")
    node = one(Indicator, Indicator.code == "F1")
    head = {"code": "2026-U", "title": "改", "year": "2026", "version": "1", "subject_kind": "unit", "groups": "机关", "places": "2",
            "rank_on": "rounded", "in_force_from": "2026-01-01", "in_force_to": "2026-12-31"}  # fmt: skip

    assert "在用方案不能修改" in client.post(
        f"/schemeview/edit/{scheme.id}", data={**head, "seen": client.seen(f"/schemeview/edit/{scheme.id}")}
    ).get_data(as_text=True)
    client.post(f"/schemeview/delete/{scheme.id}")
    client.post(
        f"/indicatorview/edit/{node.id}",
        data={
            "code": "F1",
            "title": "改",
            "method": "deduct",
            "full": "1",
            "position": "1",
            "seen": client.seen(f"/indicatorview/edit/{node.id}"),
        },
    )
    client.post(f"/indicatorview/delete/{node.id}")

    assert one(Scheme, Scheme.id == scheme.id).title == "单位月度考核方案"
    assert one(Indicator, Indicator.id == node.id).full == 60


def test_a_draft_is_drawn_up_by_the_office_and_put_in_force_by_a_leader(app: Flask, sign_in: SignIn) -> None:
    office, leader = sign_in("assessment_office"), sign_in("bureau_leader")
    head = {"code": "2027-U", "title": "新方案", "year": "2027", "version": "1", "subject_kind": "unit", "groups": "机关", "places": "2",
            "rank_on": "rounded", "in_force_from": "2027-01-01", "in_force_to": "2027-12-31"}  # fmt: skip
    office.post("/schemeview/add", data=head)
    scheme = one(Scheme, Scheme.code == "2027-U")
    node = {
        "scheme": str(scheme.id),
        "code": "T",
        "title": "总",
        "method": "weighted",
        "position": "0",
        "assessor_unit": "__None",
    }

    approval = f"/approval/{scheme.id}"
    submit, approve = f"/approval/submit/{scheme.id}", f"/approval/approve/{scheme.id}"
    assert office.post("/indicatorview/add", data=node).status_code == 302
    bad = office.post("/indicatorview/add", data={**node, "code": "D", "parent_code": "T", "method": "deduct"})
    assert "该方法要求填写此栏" in bad.get_data(as_text=True)
    leaf = {**node, "parent_code": "T", "method": "deduct", "full": "100"}
    office.post("/indicatorview/add", data={**leaf, "code": "D", "weight": "60"})
    office.post("/indicatorview/add", data={**leaf, "code": "E", "weight": "35"})

    assert leader.post(approve).status_code == 403, "nobody has submitted it"
    assert "95" in leader.get(approval).text.split('role="alert"', 1)[1][:400]
    office.post(submit)
    assert one(Scheme, Scheme.id == scheme.id).submitted_at is None, "95 % is not submitted"
    second = one(Indicator, Indicator.code == "E")
    edit = f"/indicatorview/edit/{second.id}"
    fields = {**leaf, "code": "E", "weight": "40"}
    assert office.post(edit, data={**fields, "seen": office.seen(edit)}).status_code == 302
    assert 'role="alert"' not in leader.get(approval).text
    office.post(submit)
    assert one(Scheme, Scheme.id == scheme.id).submitted_by != ""
    assert "等待审定" in leader.get("/").text
    frozen = office.post(edit, data={**fields, "title": "改", "seen": office.seen(edit)})
    assert frozen.status_code == 200
    assert one(Indicator, Indicator.code == "E").title != "改"
    assert office.post(approve).status_code == 403
    empty = leader.post(f"/approval/send_back/{scheme.id}", data={"reason": " "})
    assert "请填写理由" in empty.text
    leader.post(f"/approval/send_back/{scheme.id}", data={"reason": "权重请再议"})
    assert "权重请再议" in office.get(approval).text
    office.post(submit)
    leader.post(approve, data={"seen": "0" * 16})
    assert one(Scheme, Scheme.id == scheme.id).state == "draft", "not what was seen"
    leader.post(approve, data={"seen": leader.seen(approval)})

    assert one(Scheme, Scheme.id == scheme.id).state == "in_force"


def test_a_target_is_kept_by_the_office(app: Flask, sign_in: SignIn) -> None:
    subject = one(Subject, Subject.code == "01")
    client = sign_in("assessment_office")

    client.post(
        "/targetview/add",
        data={"indicator_code": "I", "subject": str(subject.id), "period": "2027-01", "value": "12.5"},
    )
    bad = client.post(
        "/targetview/add", data={"indicator_code": "I", "subject": str(subject.id), "period": "x", "value": "1.23456"}
    )

    assert one(Target, Target.period == "2027-01").value == 12.5
    assert "最多 4 位小数" in bad.get_data(as_text=True)


def test_an_entry_is_reversed_once_with_a_reason(app: Flask, sign_in: SignIn) -> None:
    entry = one(ScoreEntry, ScoreEntry.no == "KH-202603-0001")
    client = sign_in("assessment_office")

    assert "请填写理由" in client.post(f"/scoreentryview/reverse/{entry.id}", data={"reason": " "}).get_data(
        as_text=True
    )
    assert client.post(f"/scoreentryview/reverse/{entry.id}", data={"reason": "重复"}).status_code == 302
    again = client.post(f"/scoreentryview/reverse/{entry.id}", data={"reason": "重复"})

    assert "只能冲正尚未冲正的事实" in again.get_data(as_text=True)
    assert "已冲正" in client.get(f"/scoreentryview/show/{entry.id}").get_data(as_text=True)


def test_a_workbook_comes_in_by_the_page_and_is_recalled(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    rows = {
        "entries": [
            {"no": "N1", "occurred_on": "2026-03-30", "clause": "F1.1", "subject": "B1"},
            {"no": "N2", "occurred_on": "2026-03-31", "clause": "nosuch", "subject": "B1"},
        ]
    }

    def upload(content: bytes) -> str:
        answer = client.post("/import/upload", data={"file": (BytesIO(content), "三月.xlsx")})
        return str(answer.headers["Location"])

    refused = upload(workbook(rows))
    page = client.get(refused).get_data(as_text=True)
    assert "没有这条细则" in page
    assert "nosuch" in page
    assert client.get(f"{refused}/errors.xlsx").status_code == 200
    client.post(f"{refused}/commit")
    assert count(ScoreEntry, ScoreEntry.no.in_(["N1", "N2"])) == 0

    rows["entries"][1]["clause"] = "F1.1"
    good = upload(workbook(rows))
    assert one(ImportBatch, ImportBatch.id == int(good.rsplit("/", 1)[1])).state == "checked"
    client.post(f"{good}/commit")
    client.post(f"{good}/commit")
    assert count(ScoreEntry, ScoreEntry.no.in_(["N1", "N2"])) == 2

    assert "请填写理由" in client.post(f"{good}/recall", data={"reason": ""}).get_data(as_text=True)
    client.post(f"{good}/recall", data={"reason": "发错了"})
    assert one(ImportBatch, ImportBatch.id == int(good.rsplit("/", 1)[1])).state == "recalled"
    assert last_act().verb == "recall_import"


def test_role_rows_of_the_page_wait_for_the_security_administrator(app: Flask, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")
    where = office.post(
        "/import/upload",
        data={"file": (BytesIO(workbook({"roles": [{"staff_no": "1302", "role": "clerk"}]})), "r.xlsx")},
    ).headers["Location"]
    office.post(f"{where}/commit")
    security = sign_in("security_admin")

    page = security.get("/rolegrantview/list/?state=waiting").get_data(as_text=True)

    assert "shouxiaodong" in page
    grant = page.split("/rolegrantview/approve/")[1].split('"')[0]
    security.post(f"/rolegrantview/approve/{grant}")
    assert "shouxiaodong" not in security.get("/rolegrantview/list/?state=waiting").get_data(as_text=True)


def test_an_issued_password_opens_only_the_page_that_changes_it(app: Flask, sign_in: SignIn) -> None:
    import re

    account = one(Account, Account.username == "majun")
    page = sign_in("system_admin").post(f"/accountview/issue/{account.id}").get_data(as_text=True)
    password = re.search(r'k-mono k-b">([^<]+)<', page)
    assert password is not None
    from html import unescape

    issued = unescape(password[1])
    client = app.test_client()
    client.post("/login/", data={"username": "majun", "password": issued})

    assert client.get("/scoreentryview/list/").headers["Location"] == "/password/"
    client.post("/password/", data={"current": issued, "password": "Wo-de-mima7", "repeated": "Wo-de-mima7"})
    assert client.get("/scoreentryview/list/").status_code == 200


def test_a_blank_order_stands_after_every_number_and_stays_blank(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    client.post("/unitview/add", data={**UNIT, "code": "61", "name": "无序科", "position": ""})
    client.post("/unitview/add", data={**UNIT, "code": "62", "name": "有序科", "position": "999"})

    page = client.get("/unitview/list/?size=100").text
    assert page.index("有序科") < page.index("无序科")
    unit = one(Unit, Unit.name == "无序科")
    form = client.get(f"/unitview/edit/{unit.id}").text
    assert 'value="2147483647"' not in form
    with app.app_context():
        act_as(db.session(), SYSTEM)
        with transaction() as work:
            bureau = work.scalars(select(Bureau)).one()
            content = imports.export_bureau(work, bureau, actor=SYSTEM, now=NOW)
    cells = {cell.value for sheet in load_workbook(BytesIO(content)) for row in sheet.iter_rows() for cell in row}
    assert "无序科" in cells
    assert 2147483647 not in cells
