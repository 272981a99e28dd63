"""What runs by itself, in the browser: a job outside its time, a rule of reminding tried, a digest read, a channel tested."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.rules.timetable import local_time
from app.security import sessions
from app.services.bureau.calendar import _shipped
from tests.journeys.conftest import Portal
from tests.journeys.pictures import picture
from tests.storm import Hook

pytestmark = pytest.mark.browser
OpenAs = Callable[[str], Page]


def is_workday() -> bool:
    """Whether reminders go out today: the shipped arrangements, else the weekday."""
    today = local_time(sessions.now()).date()
    arranged = {row["day"]: row["kind"] == "workday" for row in _shipped()}
    return arranged.get(today, today.weekday() < 5)


def row_of(page: Page, job: str) -> object:
    return page.locator("tr", has=page.get_by_role("rowheader", name=job, exact=True))


def test_a_job_is_run_and_followed_and_its_time_changed(portal: Portal, open_as: OpenAs) -> None:
    office = open_as("assessment_office")
    office.goto(f"{portal.address}/runview/list/")
    row_of(office, "每日统计").get_by_role("button", name="立即运行").click()
    expect(office.get_by_text("已安排运行")).to_be_visible()
    expect(office.get_by_text("正常").first).to_be_visible()
    row = row_of(office, "月末结账")
    row.get_by_label("次月几日").fill("3")
    row.get_by_label("时间").fill("06:15")
    row.get_by_role("button", name="保存").click()
    expect(row_of(office, "月末结账").get_by_text(re.compile(r"-03 06:15"))).to_be_visible()
    picture(office, "timetable")
    office.locator("tbody a", has_text="每日统计").first.click()
    expect(office.get_by_text("任务已完成。")).to_be_visible(timeout=60_000)
    expect(office.get_by_text("个数字")).to_be_visible()
    picture(office, "run-log")


def test_a_rule_is_tried_a_digest_is_read_and_counted_down(portal: Portal, open_as: OpenAs) -> None:
    office, head = open_as("assessment_office"), open_as("unit_head")
    head.goto(f"{portal.address}/")
    left = re.search(r"督办〔.*?(剩|超期) (\d+) 个工作日", head.locator("#todo").inner_text(), re.DOTALL)
    assert left, "the sample has a task of this unit with a deadline"
    days = int(left[2]) if left[1] == "超期" else -int(left[2])
    office.goto(f"{portal.address}/reminders/")
    row = office.locator("#supervision\\.due")
    row.get_by_label("第一次").fill(str(days))
    row.get_by_label("第二次").fill("")
    row.get_by_label("分管领导").fill("")
    row.get_by_role("button", name="试算").click()
    expect(office.get_by_text(re.compile("按此规则，.* 会向 .* 人发出"))).to_be_visible()
    picture(office, "reminder-rehearsed")
    office.get_by_role("button", name="自今日起执行").click()
    expect(office.get_by_text(re.compile("已保存，自 .* 起执行"))).to_be_visible()
    if not is_workday():
        office.goto(f"{portal.address}/reminders/day")
        expect(office.get_by_text("当天不提醒任何人")).to_be_visible()
        return
    office.goto(f"{portal.address}/runview/list/")
    row_of(office, "提醒").get_by_role("button", name="立即运行").click()
    office.locator("tbody a", has_text="提醒").first.click()
    expect(office.get_by_text("任务已完成。")).to_be_visible(timeout=60_000)

    head.goto(f"{portal.address}/notificationview/list/?category=digest")
    unread = head.locator(".k-top a[aria-label$='条未读消息'] .k-count")
    before = int(unread.inner_text())
    head.locator("tbody a").first.click()
    expect(head.get_by_role("heading", name="每日摘要")).to_be_visible()
    lines = head.locator("main table tbody tr")
    assert lines.count() >= 1
    assert int(unread.inner_text()) == before - 1
    picture(head, "digest")
    matter = lines.first.get_by_role("link", name="打开")
    matter.click()
    expect(head.locator("h1")).to_be_visible()
    assert "notificationview/list" not in head.url


def test_a_channel_is_listed_kept_tested_and_chosen(portal: Portal, open_as: OpenAs) -> None:
    hook = Hook()
    try:
        admin = open_as("system_admin")
        admin.goto(f"{portal.address}/channels/")
        admin.get_by_label("名称").fill("回调")
        admin.get_by_label("类型").select_option("webhook")
        admin.get_by_label("地址").fill(f"http://127.0.0.1:{hook.port}/hook")
        admin.get_by_label("签名密钥").fill("secret-1")
        admin.get_by_role("button", name="保存").click()
        expect(admin.get_by_text(f"许可主机名单中没有 127.0.0.1:{hook.port}")).to_be_visible()
        admin.get_by_label("主机", exact=True).fill("127.0.0.1")
        admin.get_by_label("端口", exact=True).fill(str(hook.port))
        admin.get_by_role("button", name="加入名单").click()
        admin.get_by_label("名称").fill("回调")
        admin.get_by_label("类型").select_option("webhook")
        admin.get_by_label("地址").fill(f"http://127.0.0.1:{hook.port}/hook")
        admin.get_by_label("签名密钥").fill("secret-1")
        admin.get_by_role("button", name="保存").click()
        expect(admin.get_by_text("渠道已保存")).to_be_visible()
        admin.get_by_role("button", name="发送测试").click()
        expect(admin.get_by_text("测试已发出并被接收")).to_be_visible()
        picture(admin, "channels")
        staff = open_as("staff")
        staff.goto(f"{portal.address}/mychannels/")
        staff.get_by_label("回调").select_option("all")
        staff.get_by_role("button", name="保存").click()
        expect(staff.get_by_text("您的选择已保存")).to_be_visible()
        admin.once("dialog", lambda dialog: dialog.accept())
        admin.get_by_role("button", name="移除").click()
        expect(admin.get_by_text("已移出名单")).to_be_visible()
    finally:
        hook.close()
