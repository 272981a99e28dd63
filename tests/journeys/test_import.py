"""The first whole path in the browser: a workbook with one bad row, the corrected one, and who sees what."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Rows, workbook
from tests.journeys.conftest import ARTIFACTS, Portal

pytestmark = pytest.mark.browser

ROWS: Rows = {
    "units": [
        {
            "code": "07",
            "name": "质量科",
            "parent": "3306",
            "kind": "department",
            "group": "机关",
            "order": 20,
            "from": "2026-01-01",
        }
    ],
    "entries": [
        {"no": "Q1", "occurred_on": "2026-03-30", "clause": "F1.1", "subject": "07", "quantity": 2},
        {"no": "Q2", "occurred_on": "2026-03-31", "clause": "F1.2", "subject": "B2", "points": "9"},
    ],
}


def upload(page: Page, portal: Portal, file: Path) -> None:
    page.goto(f"{portal.address}/import/")
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="上传并校验").click()
    page.wait_for_selector(".k-steps [aria-current], .k-steps .k-done")


def shot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")


def test_the_office_imports_and_each_sees_the_own_part(
    portal: Portal, open_as: Callable[[str], Page], tmp_path: Path
) -> None:
    office = open_as("assessment_office")
    bad, good = tmp_path / "坏.xlsx", tmp_path / "好.xlsx"
    bad.write_bytes(workbook(ROWS))
    ROWS["entries"][1]["points"] = "1.5"
    good.write_bytes(workbook(ROWS))

    upload(office, portal, bad)
    expect(office.get_by_text("超出细则幅度 1–3")).to_be_visible()
    expect(office.get_by_role("button", name="确认导入")).to_have_count(0)
    fault = office.locator("table").nth(1).locator("tbody tr").first
    expect(fault).to_contain_text("台账")
    expect(fault).to_contain_text("4")
    shot(office, "import-refused")
    with office.expect_download() as download:
        office.get_by_role("link", name="下载带“错误信息”列的文件").click()
    assert download.value.suggested_filename.endswith(".xlsx")
    office.goto(f"{portal.address}/unitview/list/?name=质量科")
    expect(office.get_by_text("没有符合条件的数据")).to_be_visible()

    upload(office, portal, good)
    office.get_by_role("button", name="确认导入").click()
    expect(office.get_by_text("已导入，批次")).to_be_visible()
    shot(office, "import-stored")
    office.goto(f"{portal.address}/unitview/list/?name=质量科")
    expect(office.get_by_role("link", name="07")).to_be_visible()
    office.goto(f"{portal.address}/personview/list/?name=马骏")
    expect(office.locator("tbody tr")).to_have_count(1)
    office.get_by_text("考核规则", exact=True).first.click()
    office.get_by_role("link", name="方案与细则").click()
    office.get_by_role("link", name="2026-U").click()
    office.get_by_role("link", name=re.compile("网格巡查")).click()
    expect(office.get_by_text("巡查记录与事实不符，每次")).to_be_visible()
    shot(office, "scheme")
    office.goto(f"{portal.address}/scoreentryview/list/?month=2026-03&no=Q")
    expect(office.locator("tbody tr")).to_have_count(2)
    hidden = office.locator("tbody tr", has_text="Q2").get_by_role("link", name="查看").get_attribute("href")
    assert hidden is not None
    number = hidden.rsplit("/", 1)[1]
    shot(office, "ledger")

    clerk = open_as("clerk")
    clerk.goto(f"{portal.address}/scoreentryview/list/?all=1&size=100")
    names = set(clerk.locator("tbody tr td:nth-child(3)").all_inner_texts())
    assert names
    assert "钱清所" not in names
    for verb in ("show", "edit", "delete", "reverse", "action/reverse"):
        answer = clerk.request.get(f"{portal.address}/scoreentryview/{verb}/{number}", max_redirects=0)
        assert answer.status in (403, 404, 405), verb
    assert clerk.request.get(f"{portal.address}/api/v1/scoreentry/{number}").status == 404
    assert b"Q2" not in clerk.request.get(f"{portal.address}/scoreentryview/export/?all=1").body()

    done = portal.flask("settle", "2026-03")
    assert done.returncode == 0, done.stderr
    assert portal.flask("verify").returncode == 0
