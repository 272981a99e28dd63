"""A bulletin on paper: the same data give the same page; text of people stays text; the pack holds numbers."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest
from openpyxl import load_workbook

from app.documents import bulletin


def content(**changes: Any) -> dict[str, Any]:
    line = {
        "subject": "B1", "name": "柯桥分局", "indicator": "网格巡查", "no": "N1", "occurred_on": "2026-02-05",
        "clause": "F1.1", "text": "网格逾期未巡查", "basis": "办法 第一条", "effect": "deduction", "price": "0.5",
        "quantity": "2", "factor": "1", "share": "100", "points": "-1", "counted": True, "reason": "",
    }  # fmt: skip
    row = {
        "rank": 1, "subject": "B1", "name": "柯桥分局", "items": {"F": "36.90"}, "score": "92.22", "change": "-1.58",
        "rank_move": -1,
    }  # fmt: skip
    reasons = [{"text": "网格逾期未巡查", "points": "-1", "no": "N1"}]
    of_last = {"subject": "B1", "name": "柯桥分局", "score": "92.22", "reasons": reasons}
    return {
        "format": 1, "bureau": {"code": "3306", "name": "稽山县局"}, "period": "2026-02", "settled_on": "2026-03-01",
        "schemes": [{"code": "2026-U", "title": "方案", "version": "1", "year": 2026, "documents": []}],
        "units": 1, "entries": 2, "counted": 1, "mean": "92.22", "mean_change": "-1.58",
        "groups": [
            {
                "name": "分局", "size": 2, "items": [{"code": "F", "title": "职能工作", "measure": "40%"}],
                "mean": "92.22", "mean_change": "0.00", "rows": [row],
                "unsettled": [{"subject": "B2", "name": "钱清所", "reason": "缺目标值"}], "formula": "总分＝职能工作×40%",
            }
        ],
        "outstanding": [{"group": "分局", "first": [], "last": [of_last], "risen": None}],
        "externals": [], "open": [], "ledger": [line],
        "left_out": [{**line, "no": "N2", "counted": False, "reason": "重复"}],
        "number": "稽市监考〔2026〕2号", "remarks": "", "submitted_by": "王", "signed_by": "俞", "opinion": "",
        "published_on": "2026-03-08", **changes,
    }  # fmt: skip


def test_the_article_says_what_the_data_say() -> None:
    shown = bulletin.article(content(), "abc")

    for words in (
        "关于2026年2月份绩效考核情况的通报", "92.22", "36.90", "↓1", "比上月下降1.58分", "与上月持平", "未评：缺目标值",
        "稽市监考〔2026〕2号", "2026年3月8日", "校验码（SHA-256）", "abc", "网格逾期未巡查−1",
    ):  # fmt: skip
        assert words in shown, words
    assert "None" not in shown


@pytest.mark.parametrize(
    ("period", "title"),
    [("2026Q1", "2026年一季度"), ("2026Q4", "2026年四季度"), ("2026", "2026年度"), ("2026-12", "2026年12月份")],
)
def test_periods_are_written_as_offices_write_them(period: str, title: str) -> None:
    assert f"关于{title}绩效考核情况的通报" in bulletin.article(content(period=period))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "{{ config }}", "%(x)s", "{% for a in b %}"])
def test_what_people_typed_is_text(text: str) -> None:
    shown = bulletin.article(content(remarks=text, number=text))

    assert "<script>" not in shown
    assert text in shown or "&lt;script&gt;" in shown


def test_a_draft_shows_without_number_and_date() -> None:
    draft = content()
    for name in ("number", "remarks", "submitted_by", "signed_by", "opinion", "published_on"):
        del draft[name]

    shown = bulletin.article(draft)

    assert "（文号待编）" in shown
    assert "校验码" not in shown


def test_the_same_data_give_the_same_page_and_the_data_their_checksum() -> None:
    data = content()
    digest = hashlib.sha256(
        json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()

    first, second = bulletin.files(data, digest), bulletin.files(data, digest)

    assert first == second
    assert hashlib.sha256(first["json"]).hexdigest() == digest
    assert digest in first["html"].decode()
    assert bulletin.article_of(first["html"]).startswith("<article")
    assert bulletin.article_of(first["html"]) == bulletin.article(data, digest)
    assert "http" not in first["html"].decode()


def test_the_pack_holds_numbers_and_both_ledgers() -> None:
    book = load_workbook(io.BytesIO(bulletin.pack(content(remarks="=1+1"), "abc")))

    assert book.sheetnames == ["说明", "得分与名次", "分项得分", "计入台账", "未计入台账", "上级结果"]
    totals = list(book["得分与名次"].iter_rows(values_only=True))
    assert totals[1] == ("分局", 1, "B1", "柯桥分局", 92.22, -1.58, -1)
    assert list(book["未计入台账"].iter_rows(values_only=True))[1][-1] == "重复"
    assert ("校验码（SHA-256）", "abc") in list(book["说明"].iter_rows(values_only=True))
