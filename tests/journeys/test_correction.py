"""Registering with a preview and seeing the scores follow; an entry of a published month corrected by voucher."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from app.rules.periods import Period
from app.rules.timetable import local_time
from tests.journeys.conftest import Portal
from tests.journeys.pictures import picture
from tests.waiting import until

pytestmark = pytest.mark.browser
TODAY = local_time(datetime.now(UTC)).date()
RUNNING = Period.month_of(TODAY)
CLOSED = RUNNING.shifted(-2)


def total(portal: Portal, period: Period, subject: str) -> str:
    rows = json.loads(portal.flask("scores", str(period), "--kind", "unit").stdout)
    return next(row["score"] for row in rows if row["subject"] == subject and row["indicator"] is None)


def test_a_department_registers_and_the_running_month_follows_within_seconds(
    portal: Portal, open_as: Callable[[str], Page]
) -> None:
    page, head = open_as("assessor"), open_as("unit_head")
    before = total(portal, RUNNING, "B1")
    page.goto(f"{portal.address}/scoreentryview/list/")
    page.get_by_role("link", name="登记台账").first.click()
    page.get_by_text("网格逾期7日未巡查").click()
    page.get_by_label("被考核单位或人员").fill("B1 柯桥分局")
    page.get_by_label("责任人").fill("2103")
    page.get_by_label("事由").fill("第四网格无巡查记录")
    page.get_by_label("数量").fill("2")
    page.get_by_label("数量").press("Tab")
    preview = page.locator("aside.k-sticky")
    expect(preview).to_contain_text("−1.00")
    expect(preview).to_contain_text("2 × 0.5 × 100%")
    promised = preview.locator("tr", has_text="总分").first.locator("td").last.inner_text()
    picture(page, "registration", whole=True)
    page.get_by_role("button", name="登记", exact=True).click()
    expect(page.locator(".k-err, .k-note--red").first).to_contain_text("核对")
    page.get_by_label("已核对预览").check()
    page.get_by_role("button", name="登记", exact=True).click()
    expect(page.get_by_text("已登记，编号")).to_be_visible()

    until(lambda: total(portal, RUNNING, "B1") != before)
    assert total(portal, RUNNING, "B1") == promised
    head.goto(f"{portal.address}/notificationview/list/")
    expect(head.get_by_text("网格逾期7日未巡查").first).to_be_visible()
    head.goto(f"{portal.address}/registration/")
    expect(head.get_by_text("没有您主管指标的评分细则")).to_be_visible()


def test_an_entry_of_a_published_month_is_corrected_by_voucher(portal: Portal, open_as: Callable[[str], Page]) -> None:
    office, leader, staff = open_as("assessment_office"), open_as("bureau_leader"), open_as("staff")
    for page in (office, leader):
        page.on("dialog", lambda dialog: dialog.accept())
    office.goto(f"{portal.address}/bulletinview/list/?period={CLOSED}")
    first = office.locator("tbody tr").last.get_by_role("link").first.get_attribute("href")
    assert first is not None
    data = f"{portal.address}/bulletinview/file/{first.rsplit('/', 1)[1]}/json"
    before = staff.request.get(data).body()

    office.goto(f"{portal.address}/scoreentryview/list/?month={CLOSED}&indicator=F1")
    office.locator("tbody tr").first.get_by_role("link", name="查看").click()
    expect(office.get_by_role("link", name="冲正")).to_have_count(0)
    subject = office.locator("dt", has_text="考核对象").locator("xpath=following-sibling::dd[1]").inner_text()
    office.get_by_role("link", name="更正").click()
    quantity = float(office.get_by_label("数量").input_value() or "1")
    office.get_by_label("数量").fill(f"{quantity + 3:g}")
    office.get_by_label("事由").fill("现场复核")
    office.get_by_label("相关方").fill("responsible=2103")
    office.get_by_role("button", name="提交更正单").click()
    expect(office.locator(".k-err").first).to_be_visible()  # the reason is missing, what was typed is kept
    expect(office.get_by_label("数量")).to_have_value(f"{quantity + 3:g}")
    office.get_by_label("更正原因").fill("户数登记有误")
    picture(office, "voucher", whole=True)
    office.get_by_role("button", name="提交更正单").click()
    expect(office.get_by_text("更正单已提交")).to_be_visible()
    expect(office.get_by_role("button", name="批准", exact=True)).to_have_count(0)
    address = office.url

    leader.goto(portal.address)
    leader.locator("#todo").get_by_role("link", name=re.compile("更正单")).first.click()
    leader.get_by_label("意见").fill("同意")
    leader.get_by_role("button", name="批准", exact=True).click()
    expect(leader.get_by_text("已批准：台账已更正")).to_be_visible()

    def drafted() -> bool:
        office.goto(address)
        return office.get_by_role("link", name="第2版").count() > 0

    until(drafted)
    picture(office, "voucher-approved", whole=True)
    moved = office.locator("section", has_text="更正说明").locator("tbody tr").all_inner_texts()
    assert any(subject in row for row in moved)
    office.get_by_role("link", name="第2版").click()
    office.get_by_role("button", name="送签").click()
    leader.goto(office.url)
    leader.get_by_role("button", name="签发").click()
    expect(leader.get_by_text("已签发。")).to_be_visible()
    office.reload()
    office.get_by_role("button", name="发布").click()
    expect(office.get_by_text("本期结果已固定")).to_be_visible()
    picture(office, "erratum", whole=True)

    staff.goto(office.url)
    expect(staff.locator("article")).to_contain_text("更正说明")
    expect(staff.locator("article table").first).to_contain_text(subject)
    assert staff.request.get(data).body() == before
    staff.goto(f"{portal.address}{first}")
    expect(staff.get_by_text("本版已被更正，原样保留。")).to_be_visible()
    until(lambda: portal.flask("verify").returncode == 0)
    refused = staff.request.get(f"{portal.address}/voucherview/list/", max_redirects=0)
    assert refused.status in (302, 403, 404)
