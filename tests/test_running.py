"""Killing what runs: whatever dies and whenever, a run ends by itself, once, with the scores it would have had."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.rules.periods import Period
from app.rules.timetable import local_time
from tests.journeys.conftest import Portal, start_sample
from tests.test_run import tree_of
from tests.waiting import pause

MOMENTS, LEAST_INSIDE = 12, 6
LONGEST = 300.0
TARGETS = ("worker", "worker", "broker", "worker", "web")
MARKS = {"worker": "worker", "broker": "-server", "web": "gunicorn"}


@pytest.fixture(scope="module")
def portal(
    tmp_path_factory: pytest.TempPathFactory, sample_template: tuple[Path, dict[str, tuple[str, str]]]
) -> Iterator[Portal]:
    """A portal of its own, whose leases are short so that a take-over need not be waited for long."""
    home = tmp_path_factory.mktemp("crash") / "home"
    running = start_sample(home, sample_template, KAOJI_LEASE_SECONDS="3", KAOJI_TICK_SECONDS="1")
    yield running
    running.stop()


def query(portal: Portal, sql: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(portal.home / "kaoji.db", timeout=15, isolation_level=None)) as connection:
        return connection.execute(sql, values).fetchall()


def ask(portal: Portal, period: str) -> None:
    """What the timetable does at month end, or again."""
    query(
        portal,
        "INSERT INTO run_ledger (job, period, scope, bureau_id, status, fence, subjects, entries, entry_watermark,"
        " error) SELECT 'month_end', ?, code, id, 'pending', 0, 0, 0, 0, '' FROM bureau WHERE true"
        " ON CONFLICT (job, period, scope) DO UPDATE SET status = 'pending', attempts = 0, queued_at = NULL",
        period,
    )


def status(portal: Portal, period: str) -> str:
    rows = query(portal, "SELECT status FROM run_ledger WHERE job = 'month_end' AND period = ?", period)
    return str(rows[0][0]) if rows else ""


def wait_for(portal: Portal, period: str, wanted: set[str], seconds: float, each: float = 0.05) -> bool:
    deadline = time.monotonic() + seconds
    while status(portal, period) not in wanted:
        if time.monotonic() > deadline:
            return False
        pause(each, "the portal is another process; its database is all there is to look at")
    return True


def kill(portal: Portal, name: str) -> None:
    """Kill every process of one kind, all at once."""
    for pid in tree_of(portal.home):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        except OSError:
            continue
        is_meant = MARKS[name] in command and "run.py" not in command
        if is_meant:
            os.kill(pid, signal.SIGKILL)


def outcome(portal: Portal, period: str) -> str:
    done = portal.flask("scores", period)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kills_change_nothing(portal: Portal) -> None:
    chance = random.Random(20261123)
    newest = Period.month_of(local_time(datetime.now(UTC)).date()).shifted(-1)
    periods = [str(newest.shifted(-back)) for back in (0, 7, 8, 9)]
    undisturbed = {}
    for period in periods:
        ask(portal, period)
        assert wait_for(portal, period, {"done"}, 60), portal.lines[-40:]
        undisturbed[period] = outcome(portal, period)
    inside = 0
    slowest = 0.0
    for moment, period, target in zip(range(MOMENTS), itertools.cycle(periods), itertools.cycle(TARGETS), strict=False):
        ask(portal, period)
        if moment % 4 == 3:
            pause(chance.uniform(0, 1.5), "any moment, before, inside or after the run")
        else:
            assert wait_for(portal, period, {"running"}, 60, each=0.002), (moment, portal.lines[-40:])
            pause(chance.uniform(0, 0.05), "somewhere inside")
        kill(portal, target)
        inside += status(portal, period) == "running"
        killed = time.monotonic()
        assert wait_for(portal, period, {"done", "failed"}, LONGEST), (moment, target, portal.lines[-40:])
        slowest = max(slowest, time.monotonic() - killed)
        assert status(portal, period) == "done", (moment, target)

    assert inside >= LEAST_INSIDE, f"only {inside} kills fell inside a run"
    assert slowest < LONGEST
    for period in periods:
        assert outcome(portal, period) == undisturbed[period]
        assert query(portal, "SELECT count(*) FROM bulletin WHERE period = ?", period) == [(1,)]
    deadline = time.monotonic() + 30
    while query(portal, "SELECT 1 FROM outbox WHERE sent_at IS NULL") and time.monotonic() < deadline:
        pause(0.2, "the next ring delivers what the last kill held up")
    said = query(
        portal, "SELECT item, account_id, count(*) FROM notification WHERE dedup_key LIKE 'month-end:%' GROUP BY 1, 2"
    )
    told = {str(item).removeprefix("bulletin:") for item, _, _ in said}
    assert set(periods) <= told
    assert all(count == 1 for _, _, count in said)
    offices = {account for item, account, _ in said if item == f"bulletin:{periods[0]}"}
    assert all({a for item, a, _ in said if item == f"bulletin:{it}"} == offices for it in periods)
    assert portal.flask("verify").returncode == 0


def test_a_flushed_broker_loses_nothing(portal: Portal) -> None:
    period = str(Period.month_of(local_time(datetime.now(UTC)).date()).shifted(-1))
    ask(portal, period)
    for file in (portal.home / "broker").rglob("*.aof*"):
        file.unlink(missing_ok=True)
    kill(portal, "broker")

    assert wait_for(portal, period, {"done"}, LONGEST), portal.lines[-40:]
