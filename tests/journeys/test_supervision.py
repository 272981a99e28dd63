"""The whole life of a supervised task in the browser: from a leader's instruction to the line in three explanations."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from app.rules.periods import Period
from app.rules.timetable import local_time
from tests.journeys.conftest import Portal
from tests.journeys.pictures import picture
from tests.journeys.test_correction import until

pytestmark = pytest.mark.browser
TODAY = local_time(datetime.now(UTC)).date()
RUNNING = Period.month_of(TODAY)
MATTER = "群众反映柯桥农贸市场短斤缺两，限期整治并反馈。"


def send(page: Page, verb: str, button: str, **texts: str) -> None:
    """Fill the form of a verb on the task page and send it."""
    form = page.locator(f"#v-{verb}")
    for name, text in texts.items():
        form.locator(f'[name="{name}"]').fill(text)
    form.get_by_role("button", name=button, exact=True).click()


def explained(portal: Portal, subject: str) -> str:
    return portal.flask("explain", str(RUNNING), subject).stdout


def test_from_an_instruction_to_the_scores_of_unit_leader_and_handler(
    portal: Portal, open_as: Callable[[str], Page]
) -> None:
    leader, office, head = open_as("bureau_leader"), open_as("supervision_office"), open_as("unit_head")

    # the leader instructs on the unit's score
    leader.goto(f"{portal.address}/opinionview/on/?item=score:{RUNNING.shifted(-1)}/B1")
    leader.locator("summary", has_text="批示").click()
    leader.locator("#content-instruction").fill(MATTER)
    leader.locator("#lead-instruction").fill("B1 柯桥分局")
    leader.locator("details[open]").get_by_role("button", name="发出").click()
    expect(leader.get_by_text("已发出，并已通知相关人员")).to_be_visible()
    picture(leader, "instruction", whole=True)

    # the office finds it on its workbench, sees where it came from, and hands it over
    office.goto(portal.address)
    office.get_by_role("link", name=re.compile("短斤缺两")).first.click()
    expect(office.get_by_role("link", name="来源批示")).to_be_visible()
    send(office, "assign", "交办")
    expect(office.get_by_text("已交办，并已通知各单位")).to_be_visible()
    number = re.search(r"督办〔\d{4}〕\d+号", office.locator("h1").inner_text())
    assert number is not None
    no = number[0]
    address = office.url

    # the unit signs for it, reports, and reports completion
    head.goto(portal.address)
    head.get_by_role("link", name=re.compile(no)).first.click()
    head.locator("#v-sign_for").get_by_label(re.compile("马骏")).check()
    send(head, "sign_for", "签收")
    expect(head.get_by_text("已签收").first).to_be_visible()
    head.locator("#v-report select[name=progress]").select_option("partly")
    send(head, "report", "提交", content="已检查计量器具36台。", done_count="36", of_count="60")
    expect(head.get_by_text("已检查计量器具36台。")).to_be_visible()
    picture(head, "task_of_the_unit", whole=True)
    send(head, "complete", "报送办结", content="60台全部校准，问题商户立案2起。")
    expect(head.get_by_text("60台全部校准").first).to_be_visible()
    expect(head.locator("#v-accept")).to_have_count(0)

    # the leader urges nothing more: the office accepts, rates, closes
    office.goto(address)
    send(office, "accept", "验收通过", opinion="属实")
    send(office, "rate", "评价", **{"S.6.points": "9", "opinion": "整改较慢"})
    expect(office.locator("#v-rate .k-err").first).to_be_visible()
    expect(office.locator('[name="S.6.points"]')).to_have_value("9")
    send(office, "rate", "评价", **{"S.6.points": "2", "opinion": "整改较慢"})
    expect(head.locator("body")).not_to_contain_text("整改较慢")
    send(office, "close", "销号")
    expect(office.get_by_text("已销号").first).to_be_visible()
    picture(office, "task_closed", whole=True)

    # one fact, three shares: −1.20 for the unit, −0.60 for the handler, −0.20 for the leader in charge
    until(lambda: all(no_of(portal, subject) for subject in ("B1", "2103", "1002")), 90)
    leader.goto(address)
    for share in ("−1.20", "−0.60", "−0.20"):
        expect(leader.locator("body")).to_contain_text(share)
    head.goto(address)
    expect(head.locator("body")).not_to_contain_text("−0.20")  # what the leader lost is not the unit's to read
    head.goto(f"{portal.address}/taskview/paper/{address.rsplit('/', 1)[1]}")
    expect(head.get_by_text("整改较慢").first).to_be_visible()
    picture(head, "task_sheet", whole=True)
    head.goto(f"{portal.address}/taskview/board")
    expect(head.get_by_role("rowheader", name=re.compile("柯桥分局"))).to_be_visible()
    picture(head, "task_board", whole=True)


def no_of(portal: Portal, subject: str) -> bool:
    """Whether the explanation of a subject has a line with the rating of a task of today."""
    return any(f"DB-{TODAY.year}-" in line and str(TODAY) in line for line in explained(portal, subject).splitlines())
