"""Pages of scores, bulletins, jobs and messages: who sees what, what bad input gets, and that figures are doors."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select, update

from app import extensions, running
from app.bell import Bell
from app.extensions import db, transaction
from app.models import Bulletin, Bureau, Notification, Person, RunLedger, TraceEntry, Unit
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.services.jobs import runs
from app.services.messages import notices
from app.services.publication import bulletin, drafts
from app.services.scoring import settlement
from app.services.workbook import imports
from tests.conftest import NOW, workbook

SignIn = Callable[[str], FlaskClient]
FEBRUARY = Period(2026, 2, 1)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often the bell was rung."""
    heard: list[str] = []
    monkeypatch.setattr(Bell, "ring", lambda *_: heard.append("ring"))
    return heard


@pytest.fixture
def settled(app: Flask, sample: object) -> Bureau:
    bureau = db.session.scalars(select(Bureau)).one()
    with transaction() as work:
        settlement.settle_period(work, bureau, FEBRUARY, on=date(2026, 3, 1), actor=SYSTEM, now=NOW)
        drafts.draft_bulletin(work, bureau, FEBRUARY, say=str, actor=SYSTEM, on=date(2026, 3, 1), now=NOW)
    return bureau


def the_bulletin() -> Bulletin:
    """As it is now: the test's own reading transaction is ended first."""
    db.session.rollback()
    return db.session.scalars(select(Bulletin)).one()


def publish(bureau: Bureau) -> Bulletin:
    with transaction() as work:
        it = work.scalars(select(Bulletin)).one()
        bulletin.submit_bulletin(work, it, actor=SYSTEM, now=NOW)
        bulletin.sign_bulletin(work, it, opinion="", actor=SYSTEM, now=NOW)
        bulletin.publish_bulletin(work, it, on=date(2026, 3, 8), actor=SYSTEM, now=NOW)
    return the_bulletin()


def text_of(client: FlaskClient, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, url
    return answer.get_data(as_text=True)


def test_the_ranking_opens_the_sheet_and_the_sheet_the_entries(settled: Bureau, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")

    page = text_of(office, "/scores/?period=2026-02")
    assert "2026年2月" in page
    assert "已结账" in page
    sheet = text_of(office, "/scores/2026-02/B1")
    assert "已由台账复算，与得分一致。" in sheet
    links = re.findall(r'href="(/scoreentryview/show/\d+)"', sheet)
    assert links
    entry = text_of(office, links[0])
    assert re.search(r'href="/clauseview/show/\d+"', entry)
    assert re.search(r'href="/documentview/show/\d+"', entry)


def test_each_figure_of_the_ranking_opens_the_entries_of_that_very_subject(settled: Bureau, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")
    page = text_of(office, "/scores/?period=2026-02")

    url = re.search(r'href="(/scoreentryview/list/\?month=2026-02&amp;subject=01)"', page)

    assert url is not None
    listed = text_of(office, url[1].replace("&amp;", "&"))
    assert "办公室（督查室）" in listed
    assert "何文斌" not in listed, "01 is the unit, not everybody whose number holds 01"


@pytest.mark.parametrize("role", ["staff", "clerk", "unit_head", "assessor", "supervision_office"])
def test_nothing_is_seen_before_publication(settled: Bureau, sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    number = the_bulletin().id

    assert "还没有结果" in text_of(client, "/scores/")
    text_of(client, "/scores/2026-02/B1", 404)
    text_of(client, f"/bulletinview/show/{number}", 404)
    text_of(client, f"/bulletinview/file/{number}/xlsx", 404)
    assert client.get("/scores/export?period=2026-02").status_code == 200
    content = client.get("/scores/export?period=2026-02").data
    assert len(list(load_workbook(io.BytesIO(content)).active.iter_rows())) == 1
    assert client.get("/runview/list/").status_code in (302, 403)


def test_after_publication_staff_see_the_own_part_and_the_bulletin(settled: Bureau, sign_in: SignIn) -> None:
    it = publish(settled)
    staff = sign_in("staff")

    people = text_of(staff, "/scores/?period=2026-02&kind=person")
    own = re.findall(r'href="/scores/2026-02/(\w+)"', people)
    assert len(set(own)) == 1
    text_of(staff, f"/scores/2026-02/{own[0]}")
    units = set(re.findall(r'href="/scores/2026-02/(\w+)"', text_of(staff, "/scores/?period=2026-02")))
    assert len(units) == 1
    for other in {"B1", "B2", "B3", "01", "02"} - units:
        text_of(staff, f"/scores/2026-02/{other}", 404)
    page = text_of(staff, f"/bulletinview/show/{it.id}")
    assert it.checksum in page
    assert "钱清所" in page
    served = staff.get(f"/bulletinview/file/{it.id}/html")
    assert served.data == next(file.content for file in the_bulletin().files if file.kind == "html")
    assert staff.get(f"/bulletinview/file/{it.id}/json").status_code == 200
    assert staff.get(f"/bulletinview/file/{it.id}/exe").status_code == 404
    for verb in ("submit", "sign", "give_back", "publish", "edit"):
        assert staff.post(f"/bulletinview/{verb}/{it.id}").status_code in (302, 403, 404), verb
    assert the_bulletin().state == "published"


@pytest.mark.parametrize("role", ["system_admin", "security_admin", "audit_admin"])
def test_administrators_see_no_results(settled: Bureau, sign_in: SignIn, role: str) -> None:
    it = publish(settled)
    with transaction() as work:
        run = work.scalars(select(RunLedger)).first()
        assert run is not None
        run.status, run.error, run.finished_at = "failed", '["B1: 93.127", {}]', NOW
        number = run.id
    client = sign_in(role)

    for url in (
        "/scores/",
        "/scores/2026-02/B1",
        "/bulletinview/list/",
        f"/bulletinview/show/{it.id}",
        f"/runview/show/{number}",
        f"/runview/progress/{number}",
        "/runview/export/",
    ):
        assert client.get(url).status_code in (302, 403), url
    runs = client.get("/runview/list/")
    assert "93.127" not in runs.get_data(as_text=True), "that it failed, and not why: the reason may quote a score"
    if role == "system_admin":
        assert "不在您的范围内" in runs.get_data(as_text=True)
        assert "/runview/show/" not in runs.get_data(as_text=True)
    else:
        assert runs.status_code in (302, 403)


@pytest.mark.parametrize(
    "url",
    [
        "/scores/?period=2026-13", "/scores/?period=x", "/scores/?kind=cat", "/scores/export?period=9",
        "/scores/export?kind=cat", "/scores/2026-02/%00", "/scores/export?period=2026-02&group=%00",
    ],
)  # fmt: skip
def test_a_bad_address_is_a_bad_request(settled: Bureau, sign_in: SignIn, url: str) -> None:
    assert sign_in("assessment_office").get(url).status_code == 400


@pytest.mark.parametrize("url", ["/scores/2026-02/nobody", "/scores/2026-99/B1", "/scores/2099-01/B1", "/scores/x/B1"])
def test_what_is_not_there_is_404(settled: Bureau, sign_in: SignIn, url: str) -> None:
    assert sign_in("assessment_office").get(url).status_code == 404


def test_the_export_holds_what_the_page_shows_and_is_traced(settled: Bureau, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")

    book = load_workbook(io.BytesIO(office.get("/scores/export?period=2026-02").data))

    rows = list(book.active.iter_rows(values_only=True))
    assert rows[0][:4] == ("考核组", "名次", "编码", "名称")
    assert len(rows) == 10
    assert db.session.scalars(select(TraceEntry).where(TraceEntry.target_type == "period_score")).one().verb == "export"


def test_settle_now_asks_for_a_run_and_follows_it(settled: Bureau, sign_in: SignIn, rung: list[str]) -> None:
    office = sign_in("assessment_office")

    answer = office.post("/scores/settle", data={"period": "2026-03"})

    run = db.session.scalars(select(RunLedger).where(RunLedger.period == "2026-03")).one()
    assert run.status == "pending"
    assert run.requested_by
    assert answer.headers["Location"].endswith(f"/runview/show/{run.id}")
    assert rung == ["ring"]
    page = text_of(office, f"/runview/show/{run.id}")
    assert f"/runview/progress/{run.id}" in page
    assert office.get(f"/runview/progress/{run.id}").json == {
        "is_open": True, "percent": 0, "status": "pending", "word": "等待工作进程",
    }  # fmt: skip


@pytest.mark.parametrize("period", ["", "2026-13", "2099-01", "x" * 50])
def test_a_period_that_cannot_be_settled_is_said(settled: Bureau, sign_in: SignIn, period: str) -> None:
    office = sign_in("assessment_office")

    office.post("/scores/settle", data={"period": period})

    assert "alert-danger" in text_of(office, "/scores/")
    assert db.session.scalars(select(RunLedger.period)).all() == ["2026-02"]


def test_a_closed_period_is_not_settled_again(settled: Bureau, sign_in: SignIn, rung: list[str]) -> None:
    publish(settled)
    office = sign_in("assessment_office")

    office.post("/scores/settle", data={"period": "2026-02"})

    page = text_of(office, "/scores/?period=2026-02")
    assert "已关账：结果已发布" in page
    assert "立即结算" not in page
    assert db.session.scalars(select(RunLedger.status)).one() == "done"
    assert rung == []


@pytest.mark.parametrize("role", ["staff", "bureau_leader", "unit_head"])
def test_only_the_office_settles(settled: Bureau, sign_in: SignIn, role: str) -> None:
    assert sign_in(role).post("/scores/settle", data={"period": "2026-03"}).status_code in (302, 403)
    assert db.session.scalars(select(RunLedger.period)).all() == ["2026-02"]


def test_a_failed_run_says_why_and_is_retried(settled: Bureau, sign_in: SignIn, rung: list[str]) -> None:
    with transaction() as work:
        number = runs.request_run(work, settled, job=runs.SETTLE, period="2026-03", actor=SYSTEM, now=NOW)
        runs.give_up(work, number, runs.GAVE_UP, now=NOW)
    office = sign_in("assessment_office")

    assert "均未完成，已放弃" in text_of(office, f"/runview/show/{number}")
    assert "2026年3月任务失败" in text_of(office, "/")
    office.post(f"/runview/again/{number}")

    db.session.rollback()
    assert db.session.get_one(RunLedger, number).status == "pending"
    assert rung == ["ring"]


def test_the_bureau_is_not_held_while_a_page_evaluates(
    settled: Bureau, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, leader = sign_in("assessment_office"), sign_in("bureau_leader")
    number, evaluated = the_bulletin().id, []
    read_sources = settlement.read_sources

    def watched(*args: Any, **kwargs: Any) -> Any:
        evaluated.append(extensions._writing.get())
        return read_sources(*args, **kwargs)

    monkeypatch.setattr(settlement, "read_sources", watched)
    office.post("/bulletinview/draft", data={"period": "2026-02"})
    assert evaluated == [False]
    office.post(f"/bulletinview/submit/{number}")
    assert evaluated == [False, False]
    leader.post(f"/bulletinview/sign/{number}", data={"opinion": "同意"})
    office.post(f"/bulletinview/publish/{number}")
    assert the_bulletin().state == "published"
    assert evaluated == [False, False, False]


def test_the_way_of_a_bulletin_through_the_pages(settled: Bureau, sign_in: SignIn) -> None:
    office, leader = sign_in("assessment_office"), sign_in("bureau_leader")
    number = the_bulletin().id
    assert "核对" in text_of(office, "/")

    office.post(f"/bulletinview/edit/{number}", data={"number": "稽市监考〔2026〕2号", "remarks": "补充一句"})
    assert "补充一句" in text_of(office, f"/bulletinview/show/{number}")
    assert leader.post(f"/bulletinview/sign/{number}").status_code == 403, "not submitted yet"
    office.post(f"/bulletinview/submit/{number}")
    assert "待您签发" in text_of(leader, "/")
    leader.post(f"/bulletinview/give_back/{number}", data={"reason": ""})
    assert the_bulletin().state == "submitted", "a reason must be given"
    leader.post(f"/bulletinview/give_back/{number}", data={"reason": "请核对第三项"})
    assert "请核对第三项" in text_of(office, f"/bulletinview/show/{number}")
    db.session.rollback()
    for run in db.session.scalars(select(RunLedger.id).where(RunLedger.status == "pending")).all():
        running.carry_out(run)  # what came in while it lay before the leader counts now
    office.post("/bulletinview/draft", data={"period": "2026-02"})
    office.post(f"/bulletinview/submit/{number}")
    leader.post(f"/bulletinview/sign/{number}", data={"opinion": "同意"})
    assert "签发后可发布" not in text_of(office, f"/bulletinview/show/{number}")
    office.post(f"/bulletinview/publish/{number}")

    it = the_bulletin()
    assert it.state == "published"
    page = text_of(office, f"/bulletinview/show/{number}")
    assert it.checksum in page
    assert "同意" in page
    assert "稽市监考〔2026〕2号" in page
    verbs_done = set(db.session.scalars(select(TraceEntry.verb).where(TraceEntry.target_type == "bulletin")))
    assert {"draft_bulletin", "change", "submit", "return", "sign", "publish"} <= verbs_done


def test_a_published_page_is_the_same_after_a_rename(settled: Bureau, sign_in: SignIn) -> None:
    it = publish(settled)
    office = sign_in("assessment_office")

    def article() -> str:
        page = text_of(office, f"/bulletinview/show/{it.id}")
        return page[page.index("<article") : page.index("</article>")]

    before = article(), office.get(f"/bulletinview/file/{it.id}/xlsx").data
    with transaction() as work:
        work.execute(update(Unit).values(name="renamed"))
        work.execute(update(Person).values(name="renamed"))

    assert (article(), office.get(f"/bulletinview/file/{it.id}/xlsx").data) == before


def test_messages_are_read_by_opening_what_they_are_about(settled: Bureau, sign_in: SignIn) -> None:
    it = publish(settled)
    with transaction() as work:
        notices.deliver(work, now=NOW)
    staff = sign_in("staff")
    page = text_of(staff, "/notificationview/list/")
    assert "考核通报已发布" in page
    assert 'aria-label="1 条未读消息"' in page

    opened = staff.get(re.search(r"/notificationview/open/\d+", page)[0])  # type: ignore[index]
    assert opened.headers["Location"].endswith(f"/bulletinview/show/{it.id}")
    text_of(staff, opened.headers["Location"])

    assert 'aria-label="0 条未读消息"' in text_of(staff, "/notificationview/list/")
    other = db.session.scalars(select(Notification.id).where(Notification.read_at.is_(None))).first()
    assert staff.get(f"/notificationview/open/{other}").status_code == 404


def test_all_messages_are_read_at_once(settled: Bureau, sign_in: SignIn) -> None:
    publish(settled)
    with transaction() as work:
        notices.deliver(work, now=NOW)
    clerk = sign_in("clerk")

    clerk.post("/notificationview/read_all")

    assert 'aria-label="0 条未读消息"' in text_of(clerk, "/")


def test_the_workbench_shows_how_unit_and_person_stand(settled: Bureau, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    assert "算分说明单" not in text_of(clerk, "/")
    publish(settled)

    page = text_of(clerk, "/")

    assert page.count("算分说明单") == 2
    assert "已发布" in page


def test_a_page_that_is_out_of_date_moves_nothing(settled: Bureau, sign_in: SignIn) -> None:
    office, leader = sign_in("assessment_office"), sign_in("bureau_leader")
    number = the_bulletin().id
    office.post(f"/bulletinview/submit/{number}")
    seen = re.search(r'name="seen" value="(\d+)"', text_of(leader, f"/bulletinview/show/{number}"))
    assert seen is not None
    office.post(f"/bulletinview/give_back/{number}", data={"reason": "once more"})
    office.post(f"/bulletinview/edit/{number}", data={"number": "", "remarks": "other words"})
    office.post(f"/bulletinview/submit/{number}")

    leader.post(f"/bulletinview/sign/{number}", data={"opinion": "", "seen": seen[1]})

    assert the_bulletin().state == "submitted"
    assert "请先重新阅读" in text_of(leader, f"/bulletinview/show/{number}")


def test_a_period_nobody_settled_says_so(settled: Bureau, sign_in: SignIn) -> None:
    assert "未结账" in text_of(sign_in("assessment_office"), "/scores/?period=2020-01")


def test_a_shared_entry_says_its_share_and_a_clause_its_ladder(app: Flask, sample: object, sign_in: SignIn) -> None:
    batch = {
        "clauses": [
            {
                "indicator": "PD", "code": "PD.S", "text": "共同扣分", "effect": "deduction", "pricing": "ladder",
                "ladder": "1;3/month", "shares": "leader=50", "basis": "第一条",
            }
        ],
        "entries": [{"no": "L1", "occurred_on": "2026-02-10", "clause": "PD.S", "subject": "2103"}],
    }  # fmt: skip
    with transaction() as work:
        plan, stored = imports.load_workbook(
            work, workbook(batch), file_name="x.xlsx", bureau_code="3306", actor=SYSTEM, now=NOW
        )
    assert stored is not None, plan.problems
    office = sign_in("assessment_office")

    page = text_of(office, "/scoreentryview/list/?no=L1")
    links = sorted(set(re.findall(r"/scoreentryview/show/\d+", page)))
    assert len(links) == 2, "the fact, and the part of the leader in charge"
    shown = [text_of(office, link) for link in links]
    assert any("50%" in it for it in shown)
    assert any("100%" in it for it in shown)
    clause = re.search(r"/clauseview/show/\d+", shown[0])
    assert clause is not None
    assert "1;3/month" in text_of(office, clause[0])
    assert "leader=50" in text_of(office, clause[0])


def test_a_search_finds_either_width(settled: Bureau, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")
    for term in ("B1", "ｂ１", "Ｂ１"):
        assert "柯桥分局" in text_of(office, f"/unitview/list/?name={term}"), term
    assert "柯桥分局" not in text_of(office, "/unitview/list/?name=%25"), "a percent sign means itself"
