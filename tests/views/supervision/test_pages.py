"""The pages of supervised tasks: in Chinese, each verb by its form, forged and repeated requests refused and traced."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, insert, select

from app.extensions import db, transaction
from app.models import (
    ActingGrant,
    Attachment,
    Bureau,
    Opinion,
    ProcessRule,
    SavedFilter,
    ScoreEntry,
    SupervisedTask,
    TaskParty,
    TaskReport,
    TaskSlip,
    TaskStage,
    TraceEntry,
    Unit,
)
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.rules.timetable import local_time
from app.security import sessions
from app.services.accounts import passwords
from app.services.scoring import settlement
from app.services.supervision import extensions
from app.services.supervision import office as supervision
from app.services.supervision import work as supervision_work
from app.services.supervision.night import record_lateness
from app.services.supervision.statistics import BY
from tests.conftest import FAST_HASH, NOW, account_of
from tests.supervised import (
    ASSISTING,
    CLERK,
    HANDLER,
    HEAD,
    LEADER,
    OFFICE,
    OTHER_LEADER,
    RULES,
    STRANGER,
    actor,
    at,
    do,
    handed_over,
    registered,
    set_rules,
    supervised_rows,
    task_now,
    under_way,
)

PASSWORD = "Tian-qi-hao9"
TODAY = date(2026, 11, 23)
PDF = b"%PDF-1.7\n1 0 obj\n"
Clients = Callable[[str], FlaskClient]


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "now", lambda: NOW)
    monkeypatch.setattr(sessions, "today", lambda: local_time(NOW).date())


@pytest.fixture
def client(app: Flask, load: Callable[..., object]) -> Clients:
    load(supervised_rows())
    set_rules(RULES)

    def client_of(username: str) -> FlaskClient:
        with transaction() as work:
            passwords.set_password(
                account_of(username),
                passwords.prepare_password(account_of(username), PASSWORD, hash_method=FAST_HASH),
                now=NOW,
            )
            assert work
        found = app.test_client()
        assert found.post("/login/", data={"username": username, "password": PASSWORD}).status_code == 302
        return found

    return client_of


def page_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.get_data(as_text=True)


def once(page: str) -> str:
    found = re.search(r'name="once" value="([\w-]{43})"', page)
    assert found is not None
    return found[1]


def send(client: FlaskClient, task: int, verb: str, **data: Any) -> Any:
    """The form of a verb as the page has it, with what is typed."""
    page = page_of(client, f"/taskview/show/{task}")
    version = re.search(r'name="seen" value="(\d+)"', page)
    seen = version[1] if version else str(task_now(task).lock_version)
    return client.post(
        f"/taskview/{verb}/{task}", data={"once": once(page) if "once" in page else "x" * 43, "seen": seen, **data}
    )


def text_of(answer: Any) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def fresh() -> None:
    """Let go of the snapshot: what a page has written since is to be seen."""
    db.session.rollback()
    db.session.expire_all()


def tasks() -> list[SupervisedTask]:
    fresh()
    return list(db.session.scalars(select(SupervisedTask).order_by(SupervisedTask.id)))


FORM = {
    "source": "meeting", "source_text": "局务会", "matter": "冬季安全检查", "demand": "逐家检查", "leads": ["B1"],
    "assists": ["04"], "handlers": "2103 马骏", "stage_title": ["摸底", ""], "stage_due": ["3", ""], "due": "15",
    "late_clause": "", "rating_clauses": ["S.8"], "act": "assign",
}  # fmt: skip


def test_a_task_is_registered_handed_over_signed_reported_accepted_rated_and_closed(client: Clients) -> None:
    office, head, handler = client(OFFICE), client(HEAD), client(HANDLER)
    form = page_of(office, "/taskview/add")
    assert "主办单位" in form
    assert office.post("/taskview/add", data={**FORM, "once": once(form)}).status_code == 302
    (task,) = tasks()
    assert (task.no, task.state) == ("督办〔2026〕1号", "assigned")
    assert "督办〔2026〕1号" in page_of(head, "/")

    send(head, task.id, "sign_for", handlers=["2103"])
    first = task_now(task.id).stages[0]
    send(
        handler,
        task.id,
        "report",
        stage=str(first.id),
        progress="done",
        done_count="4",
        of_count="6",
        content="查了四家",
    )
    refused = send(handler, task.id, "report", stage=str(task.stages[-1].id), progress="done", content="都完成了")
    assert "报送办结" in text_of(refused)
    assert "都完成了" in text_of(refused), "what was typed is kept"
    send(head, task.id, "complete", content="全部查完")
    send(office, task.id, "accept", opinion="属实")
    wrong = send(office, task.id, "rate", **{"S.8.points": "9", "opinion": "一般"})
    assert wrong.status_code == 200
    assert 'value="9"' in wrong.get_data(as_text=True)
    assert task_now(task.id).state == "accepted"
    send(office, task.id, "rate", **{"S.8.points": "2", "opinion": "一般"})
    send(office, task.id, "close")

    assert task_now(task.id).state == "closed"
    shown = page_of(head, f"/taskview/show/{task.id}")
    assert "−1.20" in shown
    assert "已销号" in shown
    for address in (f"/taskview/paper/{task.id}", "/taskview/list/?state=closed", "/taskview/board"):
        assert "冬季安全检查" in page_of(head, address) or "柯桥分局" in page_of(head, address)
    assert not re.search(r">\s*(None|Draft|Done|Report|State)\s*<", shown)


def test_every_fault_of_the_form_stands_at_its_field_and_what_was_typed_is_kept(client: Clients) -> None:
    office = client(OFFICE)
    for changed, words in (
        ({"matter": ""}, "此栏必填"), ({"leads": []}, "主办单位"), ({"due": "soon"}, "时限请填"),
        ({"assists": ["B1"]}, "不能同时协办"), ({"handlers": "9999"}, "不是本局人员"),
    ):  # fmt: skip
        answer = office.post("/taskview/add", data={**FORM, **changed, "once": once(page_of(office, "/taskview/add"))})
        assert answer.status_code == 200
        assert words in text_of(answer), changed
        assert "逐家检查" in answer.get_data(as_text=True)
    assert tasks() == []


@pytest.mark.parametrize("times", [10])
def test_ten_equal_submits_at_once_make_one_task(app: Flask, client: Clients, times: int) -> None:
    office = client(OFFICE)
    data = {**FORM, "once": once(page_of(office, "/taskview/add"))}
    cookie = office.get_cookie("kaoji")
    assert cookie is not None
    answers: list[int] = []

    def submit() -> None:
        other = app.test_client()
        other.set_cookie("kaoji", cookie.value)
        answers.append(other.post("/taskview/add", data=data).status_code)

    threads = [threading.Thread(target=submit) for _ in range(times)]
    for it in threads:
        it.start()
    for it in threads:
        it.join()

    assert len(tasks()) == 1
    assert set(answers) == {302}


def test_another_units_task_is_not_there_by_any_door_and_the_try_is_traced(client: Clients) -> None:
    task = under_way(stages=[])
    with transaction() as work:
        pk = task.bureau_id
        record_lateness(work, pk, on=date(2026, 12, 8), actor=SYSTEM, now=at(date(2026, 12, 8), 8))
    slip = db.session.scalars(select(TaskSlip.id)).first()
    stranger = client(STRANGER)
    doors = [("GET", f"/taskview/{name}/{task.id}") for name in ("show", "paper", "edit")]
    doors += [("GET", f"/taskview/slip/{slip}"), ("GET", f"/opinionview/on/?item=supervised_task:{task.id}")]
    doors += [
        ("POST", f"/taskview/{verb}/{task.id}")
        for verb in ("assign", "recall", "sign_for", "name_handlers", "split", "finish_part", "report", "ask_extension", "complete",
                     "take_back", "decide_extension", "accept", "send_back", "rate", "rate_above", "close", "cancel")
    ]  # fmt: skip
    before = db.session.scalar(select(func.count(TraceEntry.seq)).where(TraceEntry.result == "refused"))

    for method, address in doors:
        answer = stranger.open(address, method=method, data={"once": "x" * 43, "seen": "1", "content": "x"})
        assert answer.status_code in (403, 404), address
        assert "快检室" not in answer.get_data(as_text=True)
    answer = stranger.post(
        "/opinionview/say", data={"item": f"supervised_task:{task.id}", "kind": "comment", "content": "x"}
    )
    assert answer.status_code == 404

    assert "快检室" not in page_of(stranger, "/taskview/list/?all=1")
    assert "快检室" not in str(stranger.get("/taskview/export/?all=1").data)
    fresh()
    after = db.session.scalar(select(func.count(TraceEntry.seq)).where(TraceEntry.result == "refused"))
    assert after - before >= len(doors) - 2
    assert task_now(task.id).state == "under_way"


def test_forged_forms_are_refused(client: Clients) -> None:
    mine, other = under_way(stages=[]), under_way(stages=[("一", "5")], leads="B2", assists="", handlers="2202")
    handler, office = client(HANDLER), client(OFFICE)
    foreign = other.stages[0].id

    # a stage of another task, a state skipped, a version that is old, a key that was never given out
    send(handler, mine.id, "report", stage=str(foreign), progress="done", content="别人的节点")
    send(office, mine.id, "close")
    stale = handler.post(f"/taskview/complete/{mine.id}", data={"once": "y" * 43, "seen": "1", "content": "旧的"})
    keyless = handler.post(f"/taskview/complete/{mine.id}", data={"once": "", "seen": "4", "content": "无钥匙"})

    assert stale.status_code == 302
    assert keyless.status_code == 200
    assert db.session.scalar(select(func.count(TaskReport.id))) == 0
    assert [it.state for it in tasks()] == ["under_way", "under_way"]
    # fields that the form does not have change nothing
    send(handler, mine.id, "report", stage=str(mine.stages[0].id), progress="partly", content="进展", state="closed",
         lead_unit_id="1", due_on="2030-01-01", id="99", bureau_id="7")  # fmt: skip
    after = task_now(mine.id)
    assert (after.state, after.lead_unit_id, after.due_on) == ("under_way", mine.lead_unit_id, mine.due_on)


def test_two_who_decide_at_once_decide_once(client: Clients) -> None:
    task = under_way(stages=[])
    do(supervision_work.complete_task, task, HANDLER, TODAY, content="好")
    office, leader = client(OFFICE), client(LEADER)
    page = page_of(leader, f"/taskview/show/{task.id}")
    version = str(task_now(task.id).lock_version)
    send(office, task.id, "send_back", reason="不全")

    late = leader.post(f"/taskview/accept/{task.id}", data={"once": once(page), "seen": version, "opinion": "好"})

    assert late.status_code == 302
    assert task_now(task.id).state == "sent_back"
    assert "状态已变化" in page_of(leader, f"/taskview/show/{task.id}")


def upload(client: FlaskClient, task: int, name: str, content: bytes) -> Any:
    page = page_of(client, f"/taskview/show/{task}")
    data = {
        "once": once(page),
        "item_type": "supervised_task",
        "item_id": str(task),
        "file": (io.BytesIO(content), name),
    }
    return client.post("/files/upload", data=data, content_type="multipart/form-data", follow_redirects=True)


def office_file(folder: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr(f"{folder}/document.xml", "<x/>")
    return made.getvalue()


def test_a_file_hangs_on_its_task_under_its_chinese_name(client: Clients) -> None:
    task = under_way(stages=[])
    handler = client(HANDLER)

    assert "附件已保存" in text_of(upload(handler, task.id, "../../排查表（六家）.pdf", PDF))

    fresh()
    (found,) = db.session.scalars(select(Attachment)).all()
    assert found.name == "排查表（六家）.pdf"
    answer = handler.get(f"/files/download/{found.id}")
    assert answer.data == PDF
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client(STRANGER).get(f"/files/download/{found.id}").status_code == 404
    assert client("sysadmin").get(f"/files/download/{found.id}").status_code in (302, 403, 404)
    assert client(HEAD).post(f"/files/remove/{found.id}").status_code == 403
    handler.post(f"/files/remove/{found.id}")
    assert handler.get(f"/files/download/{found.id}").status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("page.jpg", b"<html><script>alert(1)</script>", "不符"),
        ("tool.pdf", b"MZ\x90\x00", "不符"),
        ("sheet.xlsx", office_file("word"), "不符"),
        ("sheet.xlsx", PDF, "不符"),
        ("page.html", b"<html>", "不接受此类文件"),
        ("page.svg", b"<svg/>", "不接受此类文件"),
        ("none", b"text", "不接受此类文件"),
        ("empty.pdf", b"", "空的"),
        ("x.txt", b"<script>", "不符"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(client: Clients, name: str, content: bytes, words: str) -> None:
    task = under_way(stages=[])

    assert words in text_of(upload(client(HANDLER), task.id, name, content))

    assert db.session.scalar(select(func.count(Attachment.id))) == 0


def test_a_leaders_instruction_becomes_a_task_in_one_step_and_the_answer_comes_back(client: Clients) -> None:
    task = under_way(stages=[])
    leader, office, head = client(LEADER), client(OFFICE), client(HEAD)
    item = f"supervised_task:{task.id}"
    page = page_of(leader, f"/taskview/show/{task.id}")
    leader.post("/opinionview/say", data={"item": item, "kind": "instruction", "once": once(page), "lead": "B1 柯桥分局",
                                          "due": "10", "content": "月底前补齐设备"})  # fmt: skip
    made = tasks()[1]
    fresh()
    said = db.session.scalars(select(Opinion)).one()
    assert (made.state, made.source, made.matter, said.task_id) == ("draft", "instruction", "月底前补齐设备", made.id)
    assert "月底前补齐设备" in page_of(office, "/")

    page = page_of(leader, f"/taskview/show/{task.id}")
    leader.post("/opinionview/say", data={"item": item, "kind": "urge", "once": once(page), "content": "本周办结"})
    fresh()
    urge = db.session.scalars(select(Opinion).where(Opinion.kind == "urge")).one()
    assert "本周办结" in page_of(head, "/")
    page = page_of(head, f"/taskview/show/{task.id}")
    head.post(f"/opinionview/answer/{urge.id}", data={"once": once(page), "content": "周五完成"})

    fresh()
    answer = db.session.scalars(select(Opinion).where(Opinion.kind == "answer")).one()
    assert (answer.answers_id, db.session.get_one(Opinion, urge.id).is_answered) == (urge.id, True)
    assert "周五完成" in page_of(leader, f"/taskview/show/{task.id}")
    assert client(STRANGER).post(f"/opinionview/answer/{urge.id}", data={"content": "x"}).status_code == 404


def test_comments_stand_on_scores_entries_and_lines_for_those_who_see_them(client: Clients) -> None:
    leader, head = client(OTHER_LEADER), client(HEAD)
    entry = db.session.scalars(
        select(ScoreEntry.id).where(ScoreEntry.subject_id == actor(HEAD).own_units.__iter__().__next__())
    ).first()
    page = page_of(leader, f"/opinionview/on/?item=score_entry:{entry}")
    leader.post(
        "/opinionview/say",
        data={"item": f"score_entry:{entry}", "kind": "comment", "once": once(page), "content": "注意整改"},
    )

    assert "注意整改" in page_of(head, f"/opinionview/on/?item=score_entry:{entry}")
    assert client(STRANGER).get(f"/opinionview/on/?item=score_entry:{entry}").status_code == 404
    for bad in ("", "x", "score:2026-13/B1", "score:2026-03/none", "bulletin:2026-03/B1", "score_entry:abc", "task:1"):
        assert leader.get(f"/opinionview/on/?item={bad}").status_code == 404


def test_a_unit_asks_its_leader_who_answers(client: Clients) -> None:
    head, leader = client(HEAD), client(OTHER_LEADER)
    page = page_of(head, "/opinionview/ask")
    assert page.index("沈国华") < page.index("俞建平"), "the leader in charge comes first"
    head.post("/opinionview/ask", data={"once": once(page), "kind": "request", "to": "1002", "content": "能否延后验收"})
    asked = db.session.scalars(select(Opinion)).one()
    assert "能否延后验收" in page_of(leader, "/")
    assert "能否延后验收" not in page_of(client(LEADER), "/opinionview/list/?all=1")

    leader.post(
        f"/opinionview/answer/{asked.id}",
        data={"once": once(page_of(leader, f"/opinionview/show/{asked.id}")), "content": "同意"},
    )

    assert "同意" in page_of(head, f"/opinionview/show/{asked.id}")


def test_acting_for_a_colleague_both_names_stand_and_nothing_of_ones_own_is_decided(client: Clients) -> None:
    task = under_way(stages=[])
    do(extensions.ask_extension, task, HANDLER, date(2026, 11, 3), stage=task.stages[-1], days=2, reason="迟")
    office = client("zhouyaqin")
    days = {"valid_from": TODAY.isoformat(), "valid_to": (TODAY + timedelta(days=3)).isoformat(), "reason": "公差"}
    named = {
        "absent": "1101 孙立军",
        "substitute": "2103 马骏",
        "once": once(page_of(office, "/actingview/add")),
        **days,
    }
    for _ in range(2):  # sent twice, named once
        office.post("/actingview/add", data=named)
    fresh()
    grant = db.session.scalars(select(ActingGrant)).one()
    handler = client(HANDLER)
    assert "代他办理" in page_of(handler, "/actingview/list/")
    assert handler.post(f"/actingview/take_up/{grant.id}").status_code == 302

    page = page_of(handler, f"/taskview/show/{task.id}")
    assert "孙立军（马骏代）" in page
    refused = handler.post(
        f"/taskview/decide_extension/{task.id}", data={"once": "z" * 43, "extension": "1", "decision": "grant"}
    )
    assert refused.status_code == 403, "he asked for it himself, and has a part in the task"
    (other,) = registered(leads="B2", assists="", handlers="")
    send(handler, other.id, "assign")
    assert task_now(other.id).assigned_by == "孙立军（马骏代）"
    trace = db.session.scalars(
        select(TraceEntry).where(TraceEntry.verb == "task_assign").order_by(TraceEntry.seq.desc())
    ).first()
    assert (trace.actor_name, trace.actor_id) == ("孙立军（马骏代）", actor(HANDLER).account_id)

    office.post(f"/actingview/end/{grant.id}")
    assert "孙立军（马骏代）" not in page_of(handler, "/")
    for data in (
        {"absent": "9001 系统管理员", "substitute": "2103 马骏"},
        {"absent": "1101 孙立军", "substitute": "1101 孙立军"},
        {"absent": "1101 孙立军", "substitute": "1202 周雅琴"},
        {"absent": "1002 沈国华", "substitute": "2103 马骏"},
    ):
        key = once(page_of(office, "/actingview/add"))
        assert office.post("/actingview/add", data={**data, **days, "once": key}).status_code == 200
    fresh()
    assert db.session.scalar(select(func.count(ActingGrant.id))) == 1


def test_a_search_is_kept_counted_and_forgotten_by_its_owner_only(client: Clients) -> None:
    under_way(stages=[])
    head, other = client(HEAD), client(STRANGER)
    head.post("/saved/save", data={"page": "TaskView", "name": "我的办理中", "query": "state=under_way&nosuch=1"})
    kept = db.session.scalars(select(SavedFilter)).one()

    shown = page_of(head, "/taskview/list/?all=1")
    assert re.search(r"我的办理中 <b>1</b>", shown)
    assert "我的办理中" not in page_of(other, "/taskview/list/?all=1")
    assert other.post(f"/saved/forget/{kept.id}").status_code == 404
    head.post(f"/saved/forget/{kept.id}")
    fresh()
    assert db.session.scalar(select(func.count(SavedFilter.id))) == 0
    assert head.post("/saved/save", data={"page": "AccountView", "name": "x", "query": ""}).status_code == 404


def test_the_rules_page_sets_rules_forward_and_says_what_is_wrong(client: Clients) -> None:
    office = client(OFFICE)
    data = {"key": "supervision.ladder", "valid_from": "2026-12-01"}

    def seen(key: str) -> str:
        page = page_of(office, "/processrules/")
        return re.findall(r'name="seen" value="(\w+)"', page[: page.index(f'name="key" value="{key}"')])[-1]

    data["seen"] = seen("supervision.ladder")
    assert office.post("/processrules/save", data={**data, "value": "1:blue;3:yellow;6:red"}).status_code == 302
    assert "1:blue;3:yellow;6:red" in page_of(office, "/processrules/")
    stale = office.post("/processrules/save", data={**data, "value": "2:blue"})
    assert "有人抢先一步" in text_of(stale)
    data["seen"] = seen("supervision.ladder")
    for value, day, words in (
        ("red", "2026-12-01", "阶梯写作"), ("2:red;3:blue", "2026-12-01", "同时递进"), ("1:blue", "2026-01-01", "不能溯及既往"),
    ):  # fmt: skip
        answer = office.post("/processrules/save", data={**data, "value": value, "valid_from": day})
        assert words in text_of(answer)
    unknown = {"key": "supervision.late_clause", "value": "none", "valid_from": "2026-12-01"}
    unknown["seen"] = seen("supervision.late_clause")

    def seen(key: str) -> str:
        page = page_of(office, "/processrules/")
        return re.findall(r'name="seen" value="(\w+)"', page[: page.index(f'name="key" value="{key}"')])[-1]

    data["seen"] = seen("supervision.ladder")
    assert "“none”不存在" in text_of(office.post("/processrules/save", data=unknown))
    fresh()
    assert db.session.scalars(select(ProcessRule.value).where(ProcessRule.key == unknown["key"])).all() == ["S.5"]
    assert client(HEAD).get("/processrules/").status_code in (302, 403)


def test_a_new_years_arrangement_moves_open_deadlines_and_says_so(client: Clients) -> None:
    task = handed_over(date(2026, 12, 21), stages=[], due="10")
    assert task.due_on == date(2027, 1, 5)
    office = client("zhouyaqin")
    head = client(HEAD)
    assert "放假安排尚未录入" in page_of(head, f"/taskview/show/{task.id}")

    wrong = office.post("/nationaldayview/arrange", data={"year": "2027", "days": "2027-01-02 休息日 元旦"})
    assert "第 1 行" in text_of(wrong)
    days = "2027-01-01..2027-01-05 放假 元旦\n2027-01-09，补班，元旦"
    office.post("/nationaldayview/arrange", data={"year": "2027", "days": days})

    moved = task_now(task.id)
    assert moved.due_on == date(2027, 1, 7)
    assert "工作日历变动" in page_of(head, f"/taskview/show/{task.id}")


def statements_of(client: FlaskClient, address: str) -> int:
    found: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    page_of(client, address)
    event.remove(db.engine, "before_cursor_execute", note)
    return len(found)


def test_counts_equal_the_rows_behind_them_and_queries_do_not_grow(client: Clients) -> None:
    for _ in range(12):
        under_way(date(2026, 11, 2), stages=[("一", "3")], leads="B1", assists="04")
        handed_over(date(2026, 11, 9), leads="B2", assists="", handlers="", stages=[])
    office = client(OFFICE)
    listed = page_of(office, "/taskview/list/?all=1")
    assert "共 24 条" in unescape(listed)
    board = page_of(office, "/taskview/board")
    for address in set(re.findall(r'href="(/taskview/list/\?[^"]+)"[^>]*>(\d+)<', board)):
        rows = re.search(r"共 (\d+) 条", page_of(office, unescape(address[0])))
        assert rows is not None
        assert rows[1] == address[1], address
    for by in BY:
        table = page_of(office, f"/taskview/statistics?by={by}")
        for address in set(re.findall(r'href="(/taskview/list/\?[^"]+)"[^>]*>(\d+)<', table)):
            rows = re.search(r"共 (\d+) 条", page_of(office, unescape(address[0])))
            assert rows is not None
            assert rows[1] == address[1], (by, address)
    assert statements_of(office, "/taskview/list/?all=1&size=100") <= 30
    assert statements_of(office, "/taskview/board") <= 40
    assert statements_of(office, "/taskview/statistics") <= 40
    assert statements_of(office, "/") <= 40


def test_fifty_thousand_tasks_cost_no_more_statements(client: Clients) -> None:
    """What a page asks the database does not depend on how many tasks there are."""
    task = under_way(date(2026, 11, 2), stages=[])
    tables = [SupervisedTask.__table__, TaskStage.__table__, TaskParty.__table__]
    with transaction() as work:
        rows = work.connection()
        own = [dict(rows.execute(select(it)).mappings().first()) for it in tables]
        numbers = range(1000, 51_000)
        units = sorted(db.session.scalars(select(Unit.subject_id).where(Unit.kind != "bureau")))
        states = ("assigned", "under_way", "reported", "accepted")
        rows.execute(insert(tables[0]), [
            {**own[0], "id": it, "serial": it, "no": f"督办〔2026〕{it}号", "lead_unit_id": units[it % len(units)],
             "state": states[it % 4], "due_on": date(2026, 11, 3) + timedelta(days=it % 60)}
            for it in numbers
        ])  # fmt: skip
        rows.execute(insert(tables[1]), [
            {**own[1], "id": it, "task_id": it, "due_on": date(2026, 11, 3) + timedelta(days=it % 60)} for it in numbers
        ])  # fmt: skip
        rows.execute(insert(tables[2]), [{**own[2], "id": it, "task_id": it} for it in numbers])
    office, head = client(OFFICE), client(HEAD)
    assert "共 50,001 条" in unescape(page_of(office, "/taskview/list/?all=1"))
    for who in (office, head):
        for address, most in (
            ("/taskview/list/?all=1&size=100", 30), ("/taskview/list/?late=overdue", 30), ("/taskview/board", 40),
            ("/taskview/statistics", 40), ("/taskview/statistics?by=leader", 40), ("/", 40),
        ):  # fmt: skip
            assert statements_of(who, address) <= most, address
    assert page_of(office, f"/taskview/show/{task.id}")


@pytest.mark.parametrize("query", ["state=x", "late=x", "slip=x", "source=x", "month=zz", "sort=nosuch", "page=abc"])
def test_odd_arguments_are_bad_requests(client: Clients, query: str) -> None:
    assert client(OFFICE).get(f"/taskview/list/?{query}").status_code == 400


def test_what_people_type_is_shown_as_text(client: Clients) -> None:
    evil = "<script>alert(1)</script>"
    task = under_way(stages=[(evil, "3")], matter=evil, demand=evil)
    do(supervision_work.report_stage, task, HANDLER, date(2026, 11, 3), stage=task.stages[0],
       said=supervision_work.Feedback(evil, "partly"))  # fmt: skip
    for who in (OFFICE, HEAD, CLERK, ASSISTING):
        found = client(who)
        for address in (f"/taskview/show/{task.id}", f"/taskview/paper/{task.id}", "/taskview/list/?all=1", "/"):
            assert evil not in page_of(found, address)


def test_assigning_from_the_list_of_drafts_is_the_offices(client: Clients) -> None:
    (task,) = registered()
    assert client(HEAD).get(f"/taskview/show/{task.id}").status_code == 404
    send(client(OFFICE), task.id, "assign")
    assert task_now(task.id).state == "assigned"
    do(supervision.recall_task, task_now(task.id), OFFICE, TODAY)
    assert client(HEAD).get(f"/taskview/show/{task.id}").status_code == 404


def test_every_place_of_an_opinion_has_its_pages(client: Clients) -> None:
    """A score, an entry, the line of a bulletin, a task and a free request: list, record and place open, and export."""
    task = under_way(stages=[])
    bureau = db.session.scalars(select(Bureau)).one()
    with transaction() as work:
        settlement.settle_period(
            work, work.get_one(Bureau, bureau.id), Period(2026, 3, 1), on=TODAY, actor=SYSTEM, now=NOW
        )
    leader, head = client(OTHER_LEADER), client(HEAD)
    entry = db.session.scalars(select(ScoreEntry.id).where(ScoreEntry.subject_id == task.lead_unit_id)).first()
    for item in (f"supervised_task:{task.id}", f"score_entry:{entry}", "score:2026-03/B1"):
        key = once(page_of(leader, f"/taskview/show/{task.id}"))
        said = leader.post(
            "/opinionview/say", data={"item": item, "kind": "comment", "once": key, "content": "注意整改"}
        )
        assert said.status_code == 302, item
    key = once(page_of(head, "/opinionview/ask"))
    head.post("/opinionview/ask", data={"once": key, "kind": "request", "to": "1002", "content": "能否延后"})
    fresh()
    numbers = db.session.scalars(select(Opinion.id)).all()
    assert len(numbers) == 4
    for who in (leader, head):
        for number in numbers:
            assert "沈国华" in page_of(who, f"/opinionview/show/{number}")
        assert "共 4 条" in unescape(page_of(who, "/opinionview/list/?all=1"))
        assert statements_of(who, "/opinionview/list/?all=1") <= 30
        assert who.get("/opinionview/export/?all=1").status_code == 200
    # an instruction answers the request, and the task leads back to it
    shown = page_of(leader, f"/opinionview/show/{numbers[-1]}")
    data = {"item": f"opinion:{numbers[-1]}", "kind": "instruction", "once": once(shown), "lead": "B1", "due": "5",
            "content": "按期办结"}  # fmt: skip
    assert leader.post("/opinionview/say", data=data).status_code == 302
    made = tasks()[-1]
    assert (made.state, made.source) == ("draft", "instruction")
    assert "来源批示" in page_of(client(OFFICE), f"/taskview/show/{made.id}")
    assert "按期办结" in page_of(head, f"/opinionview/show/{numbers[-1]}")


@pytest.mark.parametrize("pk", ["²", "9" * 40, "-1", "x"])
def test_odd_keys_are_not_found(client: Clients, pk: str) -> None:
    office = client(OFFICE)
    for address in (f"/saved/forget/{pk}", f"/files/remove/{pk}", f"/actingview/end/{pk}", f"/opinionview/answer/{pk}"):
        assert office.post(address).status_code == 404, address
