"""The sample bureau: its last month runs whenever it is loaded, and its past is told by the verbs of a real one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.documents.layout import layout
from app.documents.workbook_writer import write_workbook
from app.extensions import db, transaction
from app.models import (
    Attachment,
    Bulletin,
    Bureau,
    Notification,
    Opinion,
    PeriodScore,
    ScoreEntry,
    SupervisedTask,
    TaskSlip,
    TaskStage,
)
from app.rules.numbers import plain
from app.rules.periods import Period
from app.rules.supervision import COLOURS, RUNNING, TaskState
from app.services.bureau import calendar
from app.services.bureau.calendar import work_calendar
from app.services.publication import verification
from app.services.sample import bureau as sample
from app.services.scoring import results
from app.services.supervision.statistics import FIGURES, board, statistics
from app.services.workbook import plan as imports_plan
from tests.conftest import FAST_HASH, NOW


def says(message: object) -> str:
    return str(message)


@pytest.mark.parametrize("today", ["2026-11-24", "2027-01-01", "2027-03-31", "2028-02-29", "2025-06-15"])
def test_it_checks_without_faults_on_any_day_and_its_last_month_runs(app: Flask, today: str) -> None:
    day = date.fromisoformat(today)

    rows = sample.sample_rows(day)

    plan = imports_plan.plan_import(db.session(), write_workbook(layout(), rows), bureau_code=None, now=NOW)
    assert plan.is_ok, [(it.sheet, it.row, it.column, str(it.reason)) for it in plan.problems][:5]
    days = [row["occurred_on"] for row in rows["entries"]]
    assert max(days) <= today
    months = sorted({it[:7] for it in days} | {today[:7]})
    assert len(months) == 8
    assert months[-1] == today[:7]
    assert {row["period"] for row in rows["targets"]} >= set(months)
    assert {row["code"] for row in rows["schemes"]} == {
        f"{year}-{kind}" for year in {it[:4] for it in months} for kind in "ULP"
    }


@pytest.mark.parametrize(
    ("day", "steps", "expected"),
    [
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-08-31", 1, "2026-09-30"),
        ("2026-06-30", 1, "2026-07-31"),
        ("2026-07-01", -1, "2026-06-01"),
        ("2026-07-16", 5, "2026-12-16"),
        ("2026-10-30", 4, "2027-02-28"),
    ],
)
def test_days_move_by_whole_months(day: str, steps: int, expected: str) -> None:
    assert sample.moved_day(date.fromisoformat(day), steps).isoformat() == expected


def test_it_has_a_running_a_settled_and_published_months(app: Flask) -> None:
    now = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    with transaction() as work:
        printed = sample.make_sample(work, hash_method=FAST_HASH, say=says, now=now)
        assert sample.load_sample(work, hash_method=FAST_HASH, say=says, now=now) == []
    bureau = db.session.scalars(select(Bureau)).one()

    assert len({role for _, role, _ in printed}) == 10
    states = dict(db.session.execute(select(Bulletin.period, Bulletin.state)).all())
    assert states["2026-10"] == "draft"
    assert {period for period, state in states.items() if state == "published"} == {
        "2026-04", "2026-05", "2026-06", "2026-07", "2026-08", "2026-09", "2026Q2", "2026Q3",
    }  # fmt: skip
    settled = set(db.session.scalars(select(PeriodScore.period).distinct()))
    assert {"2026-11", "2026-10", "2026"} <= settled
    assert verification.differences(db.session, [bureau]) == []
    assert db.session.scalars(
        select(ScoreEntry.occurred_on).order_by(ScoreEntry.occurred_on.desc()).limit(1)
    ).one() <= date(2026, 11, 24)
    unread = db.session.scalars(select(Notification.item).where(Notification.read_at.is_(None)).distinct()).all()
    assert {it for it in unread if it.startswith("bulletin:")} == {"bulletin:2026-10", "bulletin:2026-09"}
    assert {it.partition(":")[0] for it in unread} <= {"bulletin", "task", "opinion"}
    for it in db.session.scalars(select(Bulletin)):
        period = Period.parse(it.period)
        assert period is not None
        scores = {
            row["subject"]: row for row in results.scores_of(db.session, bureau, period) if not row["indicator_code"]
        }
        for group in json.loads(it.content)["groups"]:
            for row in group["rows"]:
                assert row["score"] == plain(scores[row["subject"]]["score"], 2)
                assert row["rank"] == scores[row["subject"]]["rank"]


@pytest.mark.parametrize("today", ["2026-11-24", "2027-01-01", "2027-03-01"])
def test_its_tasks_live_in_every_state_on_any_day_and_agree_with_its_ledger(
    app: Flask, tmp_path: Path, today: str
) -> None:
    now = datetime.fromisoformat(f"{today}T02:00:00+00:00")
    with transaction() as work:
        calendar.seed_national(work)
        sample.make_sample(work, hash_method=FAST_HASH, say=says, now=now, folder=tmp_path / "files")
    tasks = db.session.scalars(select(SupervisedTask)).unique().all()
    assert {it.state for it in tasks} == set(TaskState)
    slips = db.session.execute(select(TaskSlip.colour, func.count(TaskSlip.id)).group_by(TaskSlip.colour)).all()
    assert {colour for colour, _ in slips} == set(COLOURS)
    assert len({it.assigned_on.strftime("%Y-%m") for it in tasks if it.assigned_on}) == (
        8 if today == "2026-11-24" else 7
    ), "seven months and the running one, if it has a working day yet"
    kinds = set(db.session.scalars(select(Opinion.kind).distinct()))
    assert {"urge", "request", "answer"} <= kinds
    assert db.session.scalar(select(func.count(Attachment.id))) == len(list((tmp_path / "files").glob("*/*")))
    assert list((tmp_path / "files").glob("*/*"))

    latest = work_calendar(db.session(), tasks[0].bureau_id).latest(date.fromisoformat(today))
    rows = board(db.session(), latest_workday=latest)
    assert sum(it.total for it in rows) == sum(it.state != "cancelled" for it in tasks)
    running = {it.id for it in tasks if it.state in RUNNING}
    stages = db.session.scalars(select(TaskStage)).unique().all()
    overdue = {it.task_id for it in stages if it.task_id in running and it.done_on is None and it.due_on < latest}
    assert sum(it.overdue for it in rows) == len(overdue) > 0
    first = min(it.assigned_on for it in tasks if it.assigned_on)
    lines = statistics(db.session(), "unit", first=first, last=date.fromisoformat(today), latest_workday=latest)
    for figure in FIGURES:
        assert sum(it.figures[figure] for it in lines) > 0, figure
    facts = (
        db.session.scalars(select(ScoreEntry).where(ScoreEntry.source == "supervision", ScoreEntry.kind == "fact"))
        .unique()
        .all()
    )
    late = [it for it in facts if it.occasion.startswith("late:")]
    by_stage = {it.id: it for it in stages}
    counted: dict[int, int] = {}
    for it in late:
        counted[int(it.occasion.split(":")[1])] = counted.get(int(it.occasion.split(":")[1]), 0) + 1
    for pk, count in counted.items():
        if by_stage[pk].done_on is not None and by_stage[pk].round == 0:
            assert by_stage[pk].late_days == count
