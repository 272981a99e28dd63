"""The commands as scripts call them: real processes, exit codes, Chinese on stderr, both formats."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook

import config
from app.rules.periods import Period
from app.rules.timetable import JOBS, local_time
from tests.conftest import workbook

MONTH = str(Period.month_of(local_time(datetime.now(UTC)).date()).shifted(-1))


@pytest.fixture
def flask(tmp_path: Path):
    def run(*args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "flask", *args], cwd=config.PROJECT, capture_output=True, check=False,
            env={**os.environ, "KAOJI_HOME": str(tmp_path / "home"), **environment},
        )  # fmt: skip

    return run


def test_a_whole_life_by_commands(flask, tmp_path: Path) -> None:
    early = flask("scores", MONTH)
    assert early.returncode == 1
    assert "请先运行 flask init" in early.stderr.decode()

    first, again = flask("init"), flask("init")
    assert [line.split(b"\t")[1] for line in first.stdout.splitlines()] == [
        b"system_admin",
        b"security_admin",
        b"audit_admin",
    ]
    assert (again.returncode, again.stdout) == (0, b"")
    assert "还没有局" in flask("settle", MONTH).stderr.decode()

    sample = tmp_path / "样例.xlsx"
    assert flask("workbook", "template", str(sample), "--sample").returncode == 0
    checked = flask("workbook", "check", str(sample))
    assert json.loads(checked.stdout)["ok"] is True
    assert json.loads(checked.stdout)["counts"]["units"] == 22
    loaded = flask("workbook", "load", str(sample))
    assert (loaded.returncode, "批次" in loaded.stdout.decode()) == (0, True)
    assert "没有重复写入" in flask("workbook", "load", str(sample)).stdout.decode()

    assert flask("settle", MONTH).returncode == 0
    plain = flask("scores", MONTH, "--format", "json").stdout
    rows = json.loads(plain)
    assert list(rows[0]) == [
        "period",
        "bureau",
        "group",
        "subject_kind",
        "subject",
        "name",
        "indicator",
        "score",
        "exact",
        "rank",
        "group_size",
        "grade",
    ]
    assert next(row["indicator"] for row in rows if row["subject"] == "04") is None
    assert rows == sorted(
        rows,
        key=lambda it: (
            it["group"],
            next(r["rank"] for r in rows if r["subject"] == it["subject"] and r["indicator"] is None),
            it["subject"],
            it["indicator"] or "",
        ),
    )
    table = list(
        csv.DictReader(io.StringIO(flask("scores", MONTH, "--format", "csv", "--kind", "unit").stdout.decode()))
    )
    assert {row["subject_kind"] for row in table} == {"unit"}
    sheet = load_workbook(io.BytesIO(flask("scores", MONTH, "--format", "xlsx").stdout)).active
    assert sheet is not None
    assert sheet["H2"].data_type == "n"

    told = json.loads(flask("explain", MONTH, "B1", "--format", "json").stdout)
    assert told["score"] == next(row["score"] for row in rows if row["subject"] == "B1" and row["indicator"] is None)
    leaf = json.loads(flask("explain", MONTH, "B1", "--indicator", "I", "--format", "json").stdout)["node"]
    assert list(leaf["lines"][0]) == [
        "no",
        "occurred_on",
        "clause",
        "text",
        "basis",
        "effect",
        "price",
        "quantity",
        "factor",
        "share",
        "points",
        "counted",
        "reason",
    ]
    assert "柯桥分局" in flask("explain", MONTH, "B1").stdout.decode()
    assert flask("verify").returncode == 0

    exported = tmp_path / "出.xlsx"
    assert flask("workbook", "export", str(exported), "--bureau", "3306").returncode == 0
    assert json.loads(flask("workbook", "check", str(exported)).stdout)["ok"] is True


def test_refusals_have_their_codes(flask, tmp_path: Path) -> None:
    flask("init")
    bad, broken = tmp_path / "坏.xlsx", tmp_path / "破.xlsx"
    bad.write_bytes(
        workbook({"units": [{"code": "00", "name": "局", "kind": "局"}, {"code": "01", "kind": "department"}]})
    )
    broken.write_bytes(b"nothing")

    checked = flask("workbook", "check", str(bad))
    assert checked.returncode == 1
    assert json.loads(checked.stdout)["errors"] == [
        {"sheet": "units", "row": 4, "column": "name", "reason": "此栏必填。"}
    ]
    loaded = flask("workbook", "load", str(bad))
    assert loaded.returncode == 1
    assert "单位 第 4 行 单位名称：此栏必填。" in loaded.stderr.decode()
    assert json.loads(flask("workbook", "check", str(broken)).stdout)["ok"] is False
    assert flask("workbook", "load", str(broken)).returncode == 1
    for args in (
        ["settle", "2099-01"],
        ["settle", "x"],
        ["explain", "2026-03", "nobody"],
        ["scores", "2026-03", "--bureau", "zz"],
    ):
        done = flask(*args)
        assert done.returncode == 1, args
        assert done.stderr.decode().strip(), args
        assert b"Traceback" not in done.stderr, args
    for args in (["settle"], ["scores", "2026-03", "--format", "pdf"], ["workbook", "load", str(tmp_path / "no.xlsx")]):
        assert flask(*args).returncode == 2, args


def test_what_runs_by_itself_by_commands(flask, tmp_path: Path) -> None:
    """Each prints a list of objects of one shape, times with their zone; what cannot be done is said in Chinese."""
    assert flask("init").returncode == 0
    sample = tmp_path / "样例.xlsx"
    flask("workbook", "template", str(sample), "--sample")
    flask("workbook", "load", str(sample))

    listed = json.loads(flask("jobs", "list", "--format", "json").stdout)
    assert {it["job"] for it in listed} == set(JOBS)
    assert all(list(it) == ["job", "bureau", "enabled", "next_period", "next_run_at", "last_status"] for it in listed)
    assert all(datetime.fromisoformat(it["next_run_at"]).utcoffset() == timedelta(hours=8) for it in listed)
    assert {it["last_status"] for it in listed} == {None}

    (run,) = json.loads(flask("jobs", "run", "month_end", "--format", "json").stdout)
    assert (run["job"], run["last_status"]) == ("month_end", "done")
    again = flask("jobs", "run", "month_end", MONTH)
    assert (again.returncode, json.loads(again.stdout)[0]["last_status"]) == (0, "done")
    early = flask("jobs", "run", "month_end", str(Period.parse(MONTH).shifted(1)))
    assert (early.returncode, "尚未结束" in early.stderr.decode()) == (1, True)
    assert flask("jobs", "run", "nosuch").returncode == 2
    assert "不是该任务的期间" in flask("jobs", "run", "verify", MONTH).stderr.decode()

    with closing(sqlite3.connect(tmp_path / "home" / "kaoji.db")) as connection, connection:
        connection.execute("UPDATE run_ledger SET status = 'failed', error = '' WHERE job = 'month_end'")
    connection.close()
    failed = {it["job"]: it["last_status"] for it in json.loads(flask("jobs", "list").stdout)}
    assert failed["month_end"] == "failed"
    retried = flask("jobs", "retry", "--format", "json")
    assert retried.returncode == 0
    assert {it["job"]: it["last_status"] for it in json.loads(retried.stdout)}["month_end"] == "done"
    assert flask("jobs", "retry", "month_end").returncode == 0

    today = local_time(datetime.now(UTC)).date()
    found = []
    while not found:  # the next working day: what was drafted today waits for one then
        today += timedelta(days=1)
        found = json.loads(flask("reminders", "preview", str(today), "--format", "json").stdout)
    assert all(list(it) == ["to", "channel", "subject", "item", "due_on", "rule"] for it in found)
    drafted = [it for it in found if it["item"] == f"bulletin:{MONTH}"]
    assert {(it["to"], it["channel"], it["rule"]) for it in drafted} >= {("wangxiaolan", "portal", "bulletin.publish")}
    assert json.loads(flask("reminders", "preview", "2026-10-03").stdout) == []
    assert "请写成" in flask("reminders", "preview", "someday").stderr.decode()

    messages = json.loads(flask("messages", "list", "wangxiaolan", "--format", "json").stdout)
    assert [list(it) for it in messages] == [["at", "category", "subject", "item", "is_read"]] * len(messages)
    told = next(it for it in messages if it["category"] == "bulletin")
    assert (told["item"], told["is_read"]) == (f"bulletin:{MONTH}", False)
    assert datetime.fromisoformat(told["at"]).utcoffset() == timedelta(hours=8)
    nobody = flask("messages", "list", "nobody")
    assert (nobody.returncode, "没有用户" in nobody.stderr.decode()) == (1, True)
