"""The sample bureau: its last month runs whenever it is loaded, and its past is told by the verbs of a real one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from app.documents.layout import layout
from app.documents.workbook_writer import write_workbook
from app.extensions import db, transaction
from app.models import Bulletin, Bureau, Notification, PeriodScore, ScoreEntry
from app.rules.numbers import plain
from app.rules.periods import Period
from app.services import imports, sample, settlement, verification
from tests.conftest import FAST_HASH, NOW


def says(message: object) -> str:
    return str(message)


@pytest.mark.parametrize("today", ["2026-11-24", "2027-01-01", "2027-03-31", "2028-02-29", "2025-06-15"])
def test_it_checks_without_faults_on_any_day_and_its_last_month_runs(app: Flask, today: str) -> None:
    day = date.fromisoformat(today)

    rows = sample.sample_rows(day)

    plan = imports.plan_import(db.session(), write_workbook(layout(), rows), bureau_code=None, now=NOW)
    assert plan.is_ok, [(it.sheet, it.row, it.column, str(it.reason)) for it in plan.problems][:5]
    days = [row["occurred_on"] for row in rows["entries"]]
    assert max(days) <= today
    months = sorted({it[:7] for it in days} | {today[:7]})
    assert len(months) == 8
    assert months[-1] == today[:7]
    assert {row["period"] for row in rows["targets"]} >= set(months)
    assert {row["code"] for row in rows["schemes"]} == {
        f"{year}-{kind}" for year in {it[:4] for it in months} for kind in "UP"
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
        printed = sample.load_sample(work, hash_method=FAST_HASH, say=says, now=now)
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
    assert set(unread) == {"bulletin:2026-10", "bulletin:2026-09"}
    for it in db.session.scalars(select(Bulletin)):
        period = Period.parse(it.period)
        assert period is not None
        scores = {
            row["subject"]: row for row in settlement.scores_of(db.session, bureau, period) if not row["indicator_code"]
        }
        for group in json.loads(it.content)["groups"]:
            for row in group["rows"]:
                assert row["score"] == plain(scores[row["subject"]]["score"], 2)
                assert row["rank"] == scores[row["subject"]]["rank"]
