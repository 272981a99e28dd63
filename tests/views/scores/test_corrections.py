"""Pages of registration, corrections, readiness, grades and rehearsals: forms keep what was typed, refusals are words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import (
    Bulletin,
    Bureau,
    CorrectionVoucher,
    Notification,
    ReopenPermit,
    ScoreEntry,
    Target,
)
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.security import sessions
from app.security.scope import act_as
from app.services.messages import notices
from app.services.publication import bulletin, drafts
from app.services.scoring import settlement
from tests.conftest import NOW

SignIn = Callable[[str], FlaskClient]
FEBRUARY = Period(2026, 2, 1)
FACT = {
    "occurred_on": "2026-03-10",
    "clause": "F1.1",
    "subject": "B1 柯桥分局",
    "remark": "无巡查记录",
    "quantity": "2",
}


@pytest.fixture
def closed(app: Flask, sample: object) -> Bureau:
    """The sample bureau with its February published."""
    bureau = db.session.scalars(select(Bureau)).one()
    with transaction() as work:
        settlement.settle_period(work, bureau, FEBRUARY, on=date(2026, 3, 1), actor=SYSTEM, now=NOW)
        it = drafts.draft_bulletin(work, bureau, FEBRUARY, say=str, actor=SYSTEM, on=date(2026, 3, 1), now=NOW)
        bulletin.submit_bulletin(work, it, actor=SYSTEM, now=NOW)
        bulletin.sign_bulletin(work, it, opinion="", actor=SYSTEM, now=NOW)
        bulletin.publish_bulletin(work, it, on=date(2026, 3, 8), actor=SYSTEM, now=NOW)
    return bureau


def fresh() -> None:
    db.session.rollback()
    act_as(db.session(), SYSTEM)


def page(client: FlaskClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.status_code)
    return answer.get_data(as_text=True)


def post(client: FlaskClient, address: str, **form: str) -> str:
    answer = client.post(address, data=form, follow_redirects=True)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.get_data(as_text=True)


def seen(text: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', text)
    assert found is not None
    return found[1]


def test_the_preview_is_a_part_of_the_page_and_stores_nothing(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    before = db.session.query(ScoreEntry).count()

    part = " ".join(post(client, "/registration/preview", **FACT).split())

    assert "−1.00" in part
    assert "2 × 0.5 × 100%" in part
    assert "柯桥分局" in part
    fresh()
    assert db.session.query(ScoreEntry).count() == before


def test_a_fact_is_registered_after_the_preview_was_checked(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    text = post(client, "/registration/", act="save", **FACT)
    assert "请核对预览" in text
    assert "无巡查记录" in text, "what was typed is kept"
    number = seen(text)

    done = post(client, "/registration/", act="save", checked="1", seen=number, **FACT)
    assert "已登记，编号" in done
    again = post(client, "/registration/", act="save", checked="1", seen=number, **FACT)
    assert "其间已登记台账" in again

    fresh()
    query = select(ScoreEntry).where(ScoreEntry.source == "page", ScoreEntry.kind == "fact")
    assert len(db.session.scalars(query).all()) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"quantity": "很多"}, "quantity-err"),
        ({"occurred_on": "昨天"}, "occurred_on-err"),
        ({"subject": "没有"}, "subject-err"),
        ({"remark": ""}, "remark-err"),
        ({"clause": ""}, "clause-err"),
        ({"responsible": "9999 无此人"}, "parties-err"),
    ],
)
def test_each_fault_of_the_form_stands_at_its_field(
    app: Flask, sign_in: SignIn, changed: dict[str, str], words: str
) -> None:
    text = post(
        sign_in("assessment_office"), "/registration/", act="save", checked="1", seen="0", **{**FACT, **changed}
    )

    assert f'id="{words}"' in text


def test_too_long_or_hostile_input_is_a_bad_request(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    for value in ("x" * 3000, "a\0b"):
        for address in ("/registration/", "/registration/preview", "/permitview/ask"):
            assert client.post(address, data={"remark": value, "reason": value}).status_code == 400
    for text in ("<script>alert(1)</script>", "'; DROP TABLE unit; --"):
        shown = post(client, "/registration/preview", **{**FACT, "remark": text, "subject": text})
        assert "<script>alert" not in shown


def test_a_department_without_lines_is_told_so(app: Flask, sign_in: SignIn) -> None:
    assert "没有您主管指标的评分细则" in page(sign_in("unit_head"), "/registration/")
    assert sign_in("staff").get("/registration/").status_code in (302, 403)


def test_a_voucher_goes_from_the_entry_to_the_leader(closed: Bureau, sign_in: SignIn) -> None:
    office, leader = sign_in("assessment_office"), sign_in("bureau_leader")
    entry = next(
        it for it in db.session.scalars(select(ScoreEntry).where(ScoreEntry.month == "2026-02"))
        if it.clause.code == "F1.1" and it.subject.code != "02"  # the unit its head answers for
    )  # fmt: skip
    number, code = entry.id, entry.subject.code
    shown = page(office, f"/scoreentryview/show/{number}")
    assert f"/voucherview/ask/{number}" in shown
    assert "/reverse/" not in shown
    form = {"clause": "F1.1", "subject": code, "quantity": "9", "remark": "复核", "way": "replace"}
    missing = post(office, f"/voucherview/ask/{number}", **form)
    assert "理由" in missing or "原因" in missing
    assert 'value="9"' in missing

    made = post(office, f"/voucherview/ask/{number}", reason="登记有误", **form)
    assert "GZ-2026-0001" in made
    fresh()
    voucher = db.session.scalars(select(CorrectionVoucher)).one()
    assert office.post(f"/voucherview/approve/{voucher.id}").status_code in (302, 403)
    fresh()
    assert db.session.scalars(select(CorrectionVoucher.state)).one() == "asked"
    assert "更正单 GZ-2026-0001" in page(leader, "/")
    done = post(leader, f"/voucherview/approve/{voucher.id}", opinion="同意")
    assert "已批准" in done
    fresh()
    assert db.session.scalars(select(CorrectionVoucher.state)).one() == "approved"


def test_a_permit_is_asked_for_granted_and_closed(closed: Bureau, sign_in: SignIn) -> None:
    office, leader = sign_in("assessment_office"), sign_in("bureau_leader")
    assert "2026年2月" in page(office, "/permitview/ask")
    bad = post(office, "/permitview/ask", period="2026-02", subjects="B1", last_day="", reason="补报")
    assert "截止日" in bad
    assert "补报" in bad
    post(
        office, "/permitview/ask", period="2026-02", subjects="B1", last_day=sessions.today().isoformat(), reason="补报"
    )
    fresh()
    number = db.session.scalars(select(ReopenPermit.id)).one()
    for client in (office, sign_in("unit_head"), sign_in("staff")):
        assert client.post(f"/permitview/grant/{number}").status_code in (302, 403, 404)
    assert "重开中" in post(leader, f"/permitview/grant/{number}", opinion="")
    assert "已结束" in post(office, f"/permitview/close/{number}")
    fresh()
    assert db.session.scalars(select(ReopenPermit.state)).one() == "closed"


def test_the_readiness_board_names_what_is_missing_and_urges(closed: Bureau, sign_in: SignIn) -> None:
    with transaction() as work:
        target = work.scalars(select(Target).where(Target.period == "2026-03")).first()
        work.delete(target)
    office = sign_in("assessment_office")

    text = page(office, "/readiness/?period=2026-03")
    assert "未就绪 1" in text
    assert "未设目标" in text
    assert "已催办" in post(office, "/readiness/urge", period="2026-03", unit="")
    assert "已经没有未结事项" in post(office, "/readiness/urge", period="2026-03", unit="nobody")
    with transaction() as work:
        notices.deliver(work, now=NOW)
    fresh()
    assert db.session.scalars(select(Notification).where(Notification.category == "closing")).all()
    assert page(sign_in("bureau_leader"), "/readiness/?period=2026-03").count("/readiness/urge") == 0
    for period in ("nonsense", "2030-01"):
        page(office, f"/readiness/?period={period}", 400)


def test_a_published_version_stays_readable_beside_the_next(closed: Bureau, sign_in: SignIn) -> None:
    """The verbs of the first version are gone; its files are the stored bytes."""
    fresh()
    it = db.session.scalars(select(Bulletin)).one()
    staff = sign_in("staff")

    assert staff.get(f"/bulletinview/file/{it.id}/json").get_data(as_text=True) == it.content
    assert json.loads(it.content).get("erratum") is None
    assert sign_in("assessment_office").post(f"/bulletinview/publish/{it.id}").status_code in (302, 403)
    fresh()
    assert [one.version for one in db.session.scalars(select(Bulletin))] == [1]


@pytest.mark.parametrize(
    "address",
    ["/readiness/", "/permitview/list/", "/voucherview/list/", "/grades/", "/rehearsalview/list/", "/permitview/ask"],
)
@pytest.mark.parametrize("role", ["staff", "clerk", "system_admin", "security_admin", "audit_admin"])
def test_the_offices_pages_are_closed_to_others(app: Flask, sign_in: SignIn, role: str, address: str) -> None:
    assert sign_in(role).get(address).status_code in (302, 403, 404)


def test_versions_of_a_scheme_stand_side_by_side(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("staff")
    numbers = re.findall(r"/schemeview/tree/(\d+)", page(client, "/schemeview/list/"))

    text = page(client, f"/schemeview/compare/{numbers[0]}")

    assert "版本对照" in text
    page(client, "/schemeview/compare/99999", 404)
