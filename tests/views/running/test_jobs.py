"""The pages of what runs by itself: timetable, log, reminders, messages, channels, health; for their roles, in Chinese."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import health, sending
from app.errors import N_
from app.extensions import db, transaction
from app.models import (
    AllowedHost,
    Bureau,
    Channel,
    ChannelChoice,
    Notification,
    Outbox,
    ProcessRule,
    RunLedger,
    ScheduleRule,
)
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as
from app.services.jobs import heartbeats, runs
from app.services.messages import notices
from tests.conftest import account_of

SignIn = Callable[[str], FlaskClient]
Accounts = dict[str, tuple[str, str]]


def fresh() -> None:
    db.session.rollback()
    db.session.expire_all()
    act_as(db.session(), SYSTEM)


def bureau_id() -> int:
    fresh()
    return db.session.scalars(select(Bureau.id)).one()


def rule_of(job: str) -> ScheduleRule:
    fresh()
    return db.session.scalars(select(ScheduleRule).where(ScheduleRule.job == job)).one()


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address, follow_redirects=True)
    assert answer.status_code == 200, answer.status_code
    return unescape(answer.get_data(as_text=True))


def send(client: FlaskClient, address: str, status: int = 302, /, **form: str) -> str:
    answer = client.post(address, data=form)
    assert answer.status_code == status, answer.get_data(as_text=True)[:500]
    return unescape(answer.get_data(as_text=True))


def test_the_office_keeps_the_timetable(app: Flask, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")
    page = text_of(office, "/runview/list/")
    for word in ("每晚超期登记", "月末", "季末结算", "年末结算", "每日统计", "提醒", "立即运行", "暂停"):
        assert word in page, word
    pk = rule_of("month_end").id
    seen = office.seen("/runview/list/", f"/timetable/save/{pk}")
    send(office, f"/timetable/save/{pk}", day="5", at="09:15", seen=seen)
    send(office, f"/timetable/save/{pk}", day="6", at="09:15", seen=seen)
    assert "有人抢先一步" in text_of(office, "/runview/list/")
    assert rule_of("month_end").day == 5
    assert (rule_of("month_end").day, rule_of("month_end").hour) == (5, 9)
    seen = office.seen("/runview/list/", f"/timetable/save/{pk}")
    send(office, f"/timetable/save/{pk}", day="31", at="09:15", seen=seen)
    assert "1 至 28" in text_of(office, "/runview/list/")
    send(office, f"/timetable/switch/{pk}", on="0")
    assert not rule_of("month_end").is_enabled
    assert "已暂停" in text_of(office, "/runview/list/")
    send(office, f"/timetable/switch/{pk}", on="1")
    assert rule_of("month_end").is_enabled

    send(office, f"/timetable/run/{rule_of('verify').id}")
    fresh()
    run = db.session.scalars(select(RunLedger).where(RunLedger.job == "verify")).one()
    assert run.status == "pending"
    assert "要求运行" in text_of(office, f"/runview/show/{run.id}")
    send(office, f"/timetable/run/{10**12}", 404)
    send(office, f"/timetable/confirm/{pk}")
    assert "无需确认" in text_of(office, "/runview/list/")


def test_a_held_rule_is_confirmed_by_the_administrator_too(app: Flask, sign_in: SignIn) -> None:
    with transaction() as work:
        rule = work.scalars(select(ScheduleRule).where(ScheduleRule.job == "month_end")).one()
        rule.next_period, rule.held_since, rule.held_reason = "2026-01", sessions.now(), "beyond"
    admin = sign_in("system_admin")
    page = text_of(admin, "/runview/list/")
    assert "待确认" in page
    assert "时钟无误" in page
    assert "立即运行" not in page
    send(admin, f"/timetable/switch/{rule_of('month_end').id}", 403, on="0")
    assert rule_of("month_end").is_enabled, "the administrator keeps no timetable"
    send(admin, f"/timetable/confirm/{rule_of('month_end').id}")
    assert rule_of("month_end").held_since is None
    assert db.session.scalar(select(func.count(RunLedger.id)).where(RunLedger.job == "month_end")) >= 10


@pytest.mark.parametrize("role", ["staff", "unit_head", "bureau_leader", "audit_admin"])
def test_others_keep_no_timetable(app: Flask, sign_in: SignIn, role: str) -> None:
    client, pk = sign_in(role), rule_of("nightly").id
    for address in (f"save/{pk}", f"switch/{pk}", f"run/{pk}", f"confirm/{pk}"):
        client.post(f"/timetable/{address}", data={"day": "3", "at": "01:01", "on": "0"})
    assert (rule_of("nightly").hour, rule_of("nightly").is_enabled) == (2, True)
    assert not db.session.scalars(select(RunLedger.id)).all()


def test_a_rule_of_reminding_is_rehearsed_then_saved(app: Flask, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")
    page = text_of(office, "/reminders/")
    assert "督办事项阶段到期" in page
    assert "提前 3 个工作日" in page
    page = send(office, "/reminders/rehearse", 200, event="supervision.due", first="-5", second="", leader="2")
    assert "会向 0 人发出 0 条提醒" in page
    assert "自今日起执行" in page
    assert not db.session.scalars(select(ProcessRule.id)).all()
    page = send(office, "/reminders/rehearse", 200, event="supervision.due", first="5", second="1", leader="")
    assert "天数须递增" in page
    seen = office.seen("/reminders/", "#bulletin.sign")
    page = send(office, "/reminders/save", 200, seen=seen, event="bulletin.sign", first="0", second="", leader="")
    assert "须为 1 或更大" in page
    seen = office.seen("/reminders/", "#supervision.due")
    send(office, "/reminders/save", seen=seen, event="supervision.due", first="-5", second="", leader="2")
    assert "提前 5 个工作日" in text_of(office, "/reminders/")
    send(office, "/reminders/rehearse", 400, event="no.such", first="1")
    seen = office.seen("/reminders/", "/reminders/quiet")
    send(office, "/reminders/quiet", seen=seen, value="20:00-07:30")
    send(office, "/reminders/quiet", seen=seen, value="21:00-07:30")
    assert "有人抢先一步" in text_of(office, "/reminders/")
    assert "20:00-07:30" in text_of(office, "/reminders/")
    send(office, "/reminders/quiet", seen=office.seen("/reminders/", "/reminders/quiet"), value="never")
    assert "免打扰时段请写成" in text_of(office, "/reminders/")
    assert office.get("/reminders/day?day=2026-13-01").status_code == 400
    assert office.get(f"/reminders/day?day={sessions.today() + timedelta(days=2)}").status_code == 200
    fresh()
    kept = db.session.scalars(select(ProcessRule.key)).all()
    assert sorted(kept) == ["remind.supervision.due", "reminders.quiet"]


def test_the_supervision_office_keeps_its_own_events_only(app: Flask, sign_in: SignIn) -> None:
    office = sign_in("supervision_office")
    seen = office.seen("/reminders/", "#supervision.due")
    send(office, "/reminders/save", seen=seen, event="supervision.due", first="-2", second="", leader="")
    send(office, "/reminders/save", 403, event="bulletin.sign", first="2", second="", leader="")
    assert sign_in("staff").get("/reminders/").status_code in (302, 403)


def say(username: str, key: str, *, category: str = "digest", item: str = "digest:") -> None:
    with transaction() as work:
        notices.say(
            work, [account_of(username).id], category=category, key=key, text=N_("The run is done."), item=item,
            bureau_id=bureau_id(), now=sessions.now(), lines=[notices.Line(N_("Done."), "task:999", date(2026, 1, 5))],
        )  # fmt: skip
        notices.deliver(work, now=sessions.now())


def test_the_message_centre(app: Flask, sign_in: SignIn, sample: Accounts) -> None:
    staff = sign_in("staff")
    name = sample["staff"][0]
    say(name, "digest:2026-01-06")
    say(name, "other", category="supervision", item="task:999")
    page = text_of(staff, "/notificationview/list/")
    assert page.count("未读") >= 2
    assert "每日摘要" in page
    digest, other = messages_of(name)
    page = text_of(staff, f"/notificationview/open/{digest}")
    assert "2026-01-05" in page
    fresh()
    read = db.session.get_one(Notification, digest)
    assert read.read_at is not None
    assert read.read_by
    assert read.read_by in text_of(staff, "/notificationview/list/")
    send(staff, f"/notificationview/read/{other}")
    fresh()
    assert db.session.get_one(Notification, other).read_at is not None
    stranger = sign_in("clerk")
    assert stranger.get(f"/notificationview/show/{digest}").status_code == 404
    assert stranger.post(f"/notificationview/read/{other}").status_code == 404


def messages_of(username: str) -> list[int]:
    fresh()
    query = select(Notification.id).where(Notification.account_id == account_of(username).id).order_by(Notification.id)
    return list(db.session.scalars(query))


def test_the_administrator_keeps_channels_and_everybody_chooses(
    app: Flask, sign_in: SignIn, sample: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = sign_in("system_admin")
    assert "名单为空" in text_of(admin, "/channels/")
    facts = {"kind": "wecom", "name": "考核群", "address": "http://robot.bureau.cn/send", "token": "K-1",
             "bureau": str(bureau_id()), "security": "none"}  # fmt: skip
    page = send(admin, "/channels/save", 200, **facts)
    assert "许可主机名单中没有 robot.bureau.cn:80" in page
    assert "考核群" in page, "what was typed is kept"
    assert "K-1" not in page
    assert "不是有效的主机名" in send(admin, "/channels/allow", 200, host="127.1", port="80", note="")
    send(admin, "/channels/allow", host="robot.bureau.cn", port="80", note="群")
    assert "已在名单中" in send(admin, "/channels/allow", 200, host="ROBOT.bureau.cn", port="80", note="")
    send(admin, "/channels/save", **facts)
    fresh()
    channel = db.session.scalars(select(Channel)).one()
    tried: list[str] = []
    monkeypatch.setattr(sending, "transmit", lambda it, *_: tried.append(it.name) or sending.UNREACHABLE)
    send(admin, f"/channels/test/{channel.id}")
    assert "测试未成功：无法连接" in text_of(admin, "/channels/")
    assert tried == ["考核群"]
    send(admin, f"/channels/switch/{channel.id}", on="0")
    fresh()
    assert not db.session.get_one(Channel, channel.id).is_enabled
    send(admin, f"/channels/switch/{channel.id}", on="1")
    page = text_of(admin, f"/channels/?channel={channel.id}")
    assert "修改渠道“考核群”" in page
    assert "K-1" not in page
    assert admin.get("/channels/?channel=99").status_code == 404

    staff = sign_in("staff")
    assert "考核群" in text_of(staff, "/mychannels/")
    send(staff, "/mychannels/save", **{f"wants-{channel.id}": "all"})
    fresh()
    assert db.session.scalars(select(ChannelChoice.wants)).all() == ["all"]
    send(staff, "/mychannels/save", **{f"wants-{channel.id}": "everything"})
    send(staff, "/mychannels/save", **{"wants-999": "all"})
    fresh()
    assert db.session.scalars(select(ChannelChoice.wants)).all() == ["all"]
    say(sample["staff"][0], "z", category="supervision", item="task:1")
    assert "待发" in text_of(admin, "/channels/")
    fresh()
    with transaction() as work:
        it = work.scalars(select(Outbox).where(Outbox.channel_id.is_not(None))).one()
        it.given_up_at = sessions.now()
        number = it.id
    assert "已放弃" in text_of(admin, "/channels/")
    send(admin, f"/channels/again/{number}")
    fresh()
    assert db.session.get_one(Outbox, number).given_up_at is None
    host = db.session.scalars(select(AllowedHost)).one()
    send(admin, f"/channels/disallow/{host.id}")
    fresh()
    assert not db.session.scalars(select(AllowedHost.id)).all()


@pytest.mark.parametrize("role", ["assessment_office", "bureau_leader", "staff", "security_admin"])
def test_channels_are_nobody_elses(app: Flask, sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    client.post("/channels/allow", data={"host": "a.cn", "port": "25", "note": ""})
    assert client.get("/channels/").status_code in (302, 403)
    fresh()
    assert not db.session.scalars(select(AllowedHost.id)).all()


def test_health_says_which_part_is_not_as_it_should_be(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    client = app.test_client()
    assert client.get("/health/live").json == {"status": "alive"}
    answer = client.get("/health/ready")
    checks = answer.json["checks"]
    assert answer.status_code == 503
    assert {name: checks[name] for name in ("database", "migration", "bell", "workers", "rings", "job_lag", "chain_check")} == {
        "database": "ok", "migration": "ok", "bell": "silent", "workers": "silent", "rings": "ok", "job_lag": "ok", "chain_check": "ok",
    }  # fmt: skip
    with transaction() as work:
        heartbeats.beat(work, "beat@a", "beat", now=sessions.now())
        heartbeats.beat(work, "celery@a", "worker", now=sessions.now())
    monkeypatch.setitem(health.CHECKS, "broker", lambda: "ok")
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")
    assert str(app.config["SECRET_KEY"]) not in answer.get_data(as_text=True)


def test_what_waits_too_long_and_what_was_not_checked_turn_it_red(app: Flask, sample: object) -> None:
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        old = sessions.now() - timedelta(hours=3)
        runs.request_run(work, bureau, job="nightly", period="2026-11-01", actor=SYSTEM, now=old)
        number = runs.request_run(work, bureau, job="verify", period="2026-11-01", actor=SYSTEM, now=old)
        run = work.get_one(RunLedger, number)
        run.status, run.finished_at = "done", sessions.now() - timedelta(hours=51)
    checks = app.test_client().get("/health/ready").json["checks"]

    assert (checks["job_lag"], checks["chain_check"]) == ("behind", "too long ago")


def test_who_looks_after_it_is_told_on_every_page_that_nothing_runs(app: Flask, sign_in: SignIn) -> None:
    with transaction() as work:
        heartbeats.beat(work, "beat", "beat", now=sessions.now() - timedelta(minutes=10))
    app.extensions.pop("kaoji_still", None)

    assert "后台任务已停止" in text_of(sign_in("assessment_office"), "/unitview/list/")
    assert "后台任务已停止" in text_of(sign_in("system_admin"), "/")
    assert "后台任务已停止" not in text_of(sign_in("staff"), "/")
