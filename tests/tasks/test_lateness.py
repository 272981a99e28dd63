"""The night of supervised tasks as a job: twenty units, three of them late over a holiday, the worker killed inside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

import config
from app import running
from app.extensions import db, transaction
from app.models import Bureau, RunLedger, ScoreEntry, SupervisedTask, TaskSlip
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as
from app.services.jobs import runs
from app.services.supervision import office as supervision
from app.services.supervision import work as supervision_work
from app.services.supervision.form import known_of, read_task
from tests.supervised import OFFICE, RULES, actor, at, set_rules, supervised_rows

HANDED_OVER, DUE, NIGHT = date(2026, 9, 21), "2026-09-30", date(2026, 10, 10)
LATE = ("K01", "K08", "K15")
WORKER = """
import sys, time
from datetime import datetime
from app import create_app, running
from app.extensions import db
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as
from tests.waiting import pause
from app.services.supervision import night
sessions.now = lambda: datetime.fromisoformat(sys.argv[3])
real = night.record_lateness
def slow(session, *args, **more):
    done = real(session, *args, **more)
    session.flush()
    print("posted", done.entries, done.slips, flush=True)
    pause(600, "killed while it holds the transaction open")
night.record_lateness = slow
app = create_app({"SQLALCHEMY_DATABASE_URI": sys.argv[1]})
with app.app_context():
    act_as(db.session(), SYSTEM)
    running.carry_out(int(sys.argv[2]))
"""


def rows_of_twenty() -> dict[str, list[dict[str, Any]]]:
    """The small bureau with twenty more branches, each with a head."""
    rows = supervised_rows()
    for number in range(1, 21):
        code, person = f"K{number:02d}", f"3{number:03d}"
        rows["units"].append({"code": code, "name": f"第{number}所", "parent": "3306", "kind": "branch", "group": "分局",
                              "order": 20 + number, "from": "2026-01-01"})  # fmt: skip
        rows["people"].append({"staff_no": person, "name": f"所长{number}", "username": f"head{number}",
                               "category": "unit_head", "group": "负责人", "from": "2026-01-01"})  # fmt: skip
        rows["postings"].append({"staff_no": person, "unit": code, "duty": "head", "from": "2026-01-01"})
        rows["roles"].append({"staff_no": person, "role": "unit_head", "unit": code})
    return rows


def hand_over_to_twenty() -> None:
    """One act to twenty units; all but three report in time."""
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        known = known_of(work, bureau.id, on=HANDED_OVER)
        texts = {
            "source": "document", "matter": "节前检查", "leads": ";".join(f"K{it:02d}" for it in range(1, 21)),
            "due": DUE, "last_stage": "办结报告",
        }  # fmt: skip
        typed = read_task(texts, [], known=known, today=HANDED_OVER)
        assert typed.is_sound, typed.faults
        office = actor(OFFICE, HANDED_OVER)
        made = supervision.register_tasks(work, typed, known, bureau_id=bureau.id, actor=office, now=at(HANDED_OVER))
        count = supervision.assign_task(work, made[0], seen=made[0].lock_version, actor=office, now=at(HANDED_OVER))
        assert count == 20
        for number, task in enumerate(made, 1):
            head = actor(f"head{number}", HANDED_OVER)
            supervision_work.sign_for_task(
                work, task, handlers=[f"3{number:03d}"], seen=task.lock_version, actor=head, now=at(HANDED_OVER, 10)
            )
            if task.lead_unit.code not in LATE:
                supervision_work.complete_task(
                    work, task, content="已完成", seen=task.lock_version, actor=head, now=at(date(2026, 9, 29))
                )


def found() -> tuple[list[tuple[str, str, int]], list[tuple[str, str, date]]]:
    """(unit, clause, count) of the facts, and (unit, colour, day) of the slips."""
    db.session.rollback()
    facts = db.session.scalars(select(ScoreEntry).where(ScoreEntry.source == "supervision", ScoreEntry.kind == "fact"))
    counts: dict[tuple[str, str], int] = {}
    for it in facts.unique():
        key = (it.subject.code, it.clause.code)
        counts[key] = counts.get(key, 0) + 1
    slips = db.session.scalars(select(TaskSlip).order_by(TaskSlip.id)).all()
    units = {it.id: it.lead_unit.code for it in db.session.scalars(select(SupervisedTask)).unique()}
    return (
        sorted((*key, count) for key, count in counts.items()),
        sorted((units[it.task_id], it.colour, it.issued_on) for it in slips),
    )


def test_a_night_that_is_killed_and_repeated_posts_everything_once(
    any_app: Flask, home: Path, load: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    load(rows_of_twenty())
    set_rules(RULES)
    hand_over_to_twenty()
    night = at(NIGHT, 9)
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        run = runs.request_run(work, bureau, job=runs.LATENESS, period=NIGHT.isoformat(), actor=SYSTEM, now=night)
    address = any_app.config["SQLALCHEMY_DATABASE_URI"]
    db.session.remove()
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, address, str(run), night.isoformat()], cwd=config.PROJECT, text=True,
        stdout=subprocess.PIPE, env={**os.environ, "KAOJI_HOME": str(home)},
    )  # fmt: skip
    assert worker.stdout is not None
    # late on the 8th, the 9th and Saturday the 10th, which is worked: three days, a blue and a yellow slip each
    assert worker.stdout.readline() == "posted 12 6\n"
    worker.send_signal(signal.SIGKILL)
    worker.wait(30)
    worker.stdout.close()

    act_as(db.session(), SYSTEM)
    assert found() == ([], []), "nothing of the killed worker is left"
    carry_out_again(run, night, monkeypatch)
    expected = (
        sorted((unit, clause, count) for unit in LATE for clause, count in (("S.5", 3), ("S.6", 1))),
        sorted(
            (unit, colour, day)
            for unit in LATE
            for colour, day in (("blue", date(2026, 10, 8)), ("yellow", date(2026, 10, 9)))
        ),
    )
    assert found() == expected
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        runs.ask_again(work, bureau, job=runs.LATENESS, period=NIGHT.isoformat(), now=night)
    carry_out_again(run, night, monkeypatch)
    assert found() == expected
    people = db.session.scalar(
        select(func.count(ScoreEntry.id)).where(ScoreEntry.source == "supervision", ScoreEntry.kind == "derived")
    )
    assert people == len(LATE) * (3 + 1), (
        "the handler shares each day and the yellow slip; nobody is in charge of the unit"
    )


def carry_out_again(run: int, night: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next ring after the lease has run out."""
    with transaction() as work:
        table = RunLedger.__table__
        work.connection().execute(update(table).where(table.c.id == run).values(lease_until=night - timedelta(hours=1)))
    monkeypatch.setattr(sessions, "now", lambda: night)
    running.carry_out(run)
    db.session.rollback()
    act_as(db.session(), SYSTEM)
    assert db.session.scalar(select(RunLedger.status).where(RunLedger.id == run)) == "done"
