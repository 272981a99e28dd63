"""A month's end in the browser: import, settle, rank, follow a number to its clause, sign, publish, read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from app.rules.periods import Period, Span
from app.rules.timetable import local_time
from tests.conftest import Rows, workbook
from tests.journeys.conftest import Portal
from tests.journeys.pictures import picture
from tests.waiting import until

pytestmark = pytest.mark.browser
MONTH = Period.month_of(local_time(datetime.now(UTC)).date()).shifted(-1)
LAST_DAY = MONTH.last_day.isoformat()


def rows(points: str) -> Rows:
    return {
        "units": [
            {
                "code": "07", "name": "质量科", "parent": "3306", "kind": "department", "group": "机关", "order": 99,
                "from": MONTH.first_day.isoformat(),
            }
        ],
        "entries": [
            {"no": "Q1", "occurred_on": LAST_DAY, "clause": "F1.1", "subject": "07", "quantity": 2},
            {"no": "Q2", "occurred_on": LAST_DAY, "clause": "F1.2", "subject": "B2", "points": points},
        ],
    }  # fmt: skip


def upload(page: Page, portal: Portal, file: Path) -> None:
    page.goto(f"{portal.address}/import/")
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="上传并校验").click()
    page.wait_for_selector(".k-steps [aria-current], .k-steps .k-done")


def refused_and_imported(office: Page, portal: Portal, folder: Path) -> str:
    """One bad row is refused at its row, the corrected file comes in; answers the number of an entry of B2."""
    bad, good = folder / "坏.xlsx", folder / "好.xlsx"
    bad.write_bytes(workbook(rows("9")))
    good.write_bytes(workbook(rows("1.5")))
    upload(office, portal, bad)
    expect(office.get_by_text("超出细则幅度 1–3")).to_be_visible()
    expect(office.get_by_role("button", name="确认导入")).to_have_count(0)
    fault = office.locator("table").nth(1).locator("tbody tr").first
    expect(fault).to_contain_text("台账")
    expect(fault).to_contain_text("4")
    picture(office, "import-refused")
    with office.expect_download() as download:
        office.get_by_role("link", name="下载带“错误信息”列的文件").click()
    assert download.value.suggested_filename.endswith(".xlsx")
    office.goto(f"{portal.address}/unitview/list/?name=质量科")
    expect(office.get_by_text("没有符合条件的数据")).to_be_visible()
    office.goto(portal.address)
    expect(office.locator("#todo")).to_contain_text("坏.xlsx")

    upload(office, portal, good)
    office.get_by_role("button", name="确认导入").click()
    expect(office.get_by_text("已导入，批次")).to_be_visible()
    picture(office, "import-stored")
    office.goto(f"{portal.address}/scoreentryview/list/?month={MONTH}&no=Q")
    expect(office.locator("tbody tr")).to_have_count(2)
    hidden = office.locator("tbody tr", has_text="Q2").get_by_role("link", name="查看").get_attribute("href")
    assert hidden is not None
    picture(office, "ledger")
    return hidden.rsplit("/", 1)[1]


def settled(office: Page, portal: Portal) -> None:
    """The button asks for a run, its page follows it to the end."""
    office.get_by_role("link", name="任务运行").first.click()
    office.get_by_label("考核期").first.fill(str(MONTH))
    office.get_by_role("button", name="立即结算").click()
    expect(office.locator("progress")).to_be_visible()
    picture(office, "run-followed")
    expect(office.get_by_text("任务已完成")).to_be_visible(timeout=60_000)
    expect(office.locator("progress")).to_have_attribute("value", "100")
    picture(office, "run-done")
    office.get_by_role("link", name="结果", exact=True).click()


def followed(office: Page, portal: Portal) -> None:
    """From the ranking to the sheet, from the sheet to an entry, from there to its clause and document."""
    expect(office.locator("h1")).to_have_text("得分排名")
    row = office.locator("tbody tr", has_text="钱清所")
    total = row.locator("a.k-score").inner_text()
    picture(office, "ranking")
    scores = json.loads(portal.flask("scores", str(MONTH)).stdout)
    stored = next(it for it in scores if it["subject"] == "B2" and it["indicator"] is None)
    assert total == stored["score"]
    row.locator("a.k-score").click()
    expect(office.locator(".k-bigscore b")).to_have_text(total)
    expect(office.get_by_text("已由台账复算，与得分一致。")).to_be_visible()
    picture(office, "sheet")
    office.get_by_role("link", name="Q2", exact=True).click()
    office.get_by_role("link", name=re.compile("巡查记录与事实不符")).click()
    expect(office.locator("h1")).to_contain_text("F1.2")
    office.go_back()
    office.get_by_role("link", name="2026年度单位绩效考核办法").click()
    expect(office.locator("main")).to_contain_text("2026年度单位绩效考核办法")


def published(office: Page, leader: Page, portal: Portal) -> str:
    """Submit the renewed draft, sign, publish; answers the address of the bulletin."""
    office.goto(portal.address)
    office.locator("#todo").get_by_role("link", name=re.compile("考核通报")).first.click()
    expect(office.get_by_text("结果已有变化")).to_have_count(0)  # the settlement renewed the draft as well
    office.on("dialog", lambda dialog: dialog.accept())
    office.get_by_label("文号").fill("稽市监考〔2026〕99号")
    office.get_by_role("button", name="保存").click()
    picture(office, "bulletin-draft")
    office.get_by_role("button", name="送签").click()
    expect(office.get_by_text("已送签。")).to_be_visible()
    expect(office.get_by_role("button", name="发布")).to_have_count(0)

    leader.goto(portal.address)
    leader.locator("#todo").get_by_role("link", name=re.compile("考核通报")).first.click()
    leader.get_by_label("意见").fill("同意发布。")
    leader.get_by_role("button", name="签发").click()
    expect(leader.get_by_text("已签发。")).to_be_visible()
    picture(leader, "bulletin-signed")

    office.reload()
    office.get_by_role("button", name="发布").click()
    expect(office.get_by_text("本期结果已固定")).to_be_visible()
    picture(office, "bulletin-published")
    return office.url


def test_the_month_is_settled_signed_and_published(
    portal: Portal, open_as: Callable[[str], Page], tmp_path: Path
) -> None:
    office, leader, staff = open_as("assessment_office"), open_as("bureau_leader"), open_as("staff")
    entry = refused_and_imported(office, portal, tmp_path)
    settled(office, portal)
    followed(office, portal)

    staff.goto(f"{portal.address}/scores/?period={MONTH}")
    expect(staff.get_by_text("这里没有结果")).to_be_visible()
    address = published(office, leader, portal)
    number = address.rsplit("/", 1)[1]

    news = staff.get_by_role("link", name=re.compile(f"{MONTH.year}年{MONTH.first_month}月考核通报已发布"))

    def is_told() -> bool:
        staff.goto(portal.address)
        return news.count() > 0

    until(is_told)
    news.first.click()
    expect(staff.locator("article")).to_contain_text("钱清所")
    expect(staff.locator("article")).to_contain_text("稽市监考〔2026〕99号")
    picture(staff, "bulletin-read")
    page = staff.request.get(f"{portal.address}/bulletinview/file/{number}/html").text()
    checksum = re.search(r"[0-9a-f]{64}", page)
    assert checksum is not None
    expect(staff.locator("article")).to_contain_text(checksum[0])

    staff.goto(f"{portal.address}/scores/?period={MONTH}&kind=person")
    expect(staff.locator("tbody tr")).to_have_count(1)
    staff.locator("a.k-score").click()
    expect(staff.locator("h1").first).to_have_text("算分说明单")
    picture(staff, "own-sheet")
    staff.goto(f"{portal.address}/scores/?period={MONTH}")
    expect(staff.locator("tbody tr")).to_have_count(1)
    nothing_of_another_unit(staff, portal, entry)
    totals = {row["score"] for row in json.loads(portal.flask("scores", str(MONTH), "--kind", "unit").stdout)}
    printed = re.findall(r'<td class="k-num(?: k-b)?">([\d.]+)</td>', page.split("</article>")[0])
    assert len(printed) > 100
    assert set(printed) <= totals
    for other in (MONTH.shifted(1), *(it.of_span(span) for it in (MONTH, MONTH.shifted(1)) for span in Span)):
        portal.flask("settle", str(other))  # the new unit is of these periods too
    checked = portal.flask("verify")
    assert checked.returncode == 0, checked.stderr
    assert portal.flask("settle", str(MONTH)).stdout.strip().endswith("未存入任何内容。")


def cells(page: Page, url: str) -> set[object]:
    """Every value of a downloaded workbook."""
    book = load_workbook(io.BytesIO(page.request.get(url).body()))
    return {value for sheet in book for row in sheet.iter_rows(values_only=True) for value in row}


def nothing_of_another_unit(staff: Page, portal: Portal, entry: str) -> None:
    """Lists, pages, verbs, exports and addresses by id give nothing of B2 to somebody of another unit."""
    address = portal.address
    for verb in ("show", "edit", "delete", "reverse", "action/reverse"):
        answer = staff.request.get(f"{address}/scoreentryview/{verb}/{entry}", max_redirects=0)
        assert answer.status in (403, 404, 405), verb
    for path in (f"scores/{MONTH}/B2", f"scores/{MONTH}/2201", f"api/v1/scoreentry/{entry}", "api/v1/periodscore/1"):
        assert staff.request.get(f"{address}/{path}", max_redirects=0).status == 404, path
    assert "Q2" not in cells(staff, f"{address}/scoreentryview/export/?all=1")
    staff.goto(f"{address}/scoreentryview/list/?all=1&size=100")
    assert "钱清所" not in staff.locator("main").inner_text()
    for path in (f"scores/export?period={MONTH}", f"scores/export?period={MONTH}&kind=person"):
        found = cells(staff, f"{address}/{path}")
        assert found
        assert "钱清所" not in found
