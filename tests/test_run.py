"""The launcher: one tree, one data folder, accounts once, an ordered stop that leaves no process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from celery import Celery

import config
from tests.journeys.conftest import start


def tree_of(home: Path) -> list[int]:
    """The processes whose environment names the data folder, or that work in it: the broker overwrites its own."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes()
            works_in = (folder / "cwd").readlink()
        except OSError:
            continue
        if f"KAOJI_HOME={home}".encode() in environment.split(b"\0") or works_in.is_relative_to(home):
            found.append(int(folder.name))
    return found


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def gone(home: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while tree_of(home) and time.monotonic() < deadline:
        time.sleep(0.1)  # waiting for processes to end
    return not tree_of(home)


def test_it_starts_says_its_accounts_once_restarts_what_dies_and_stops_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    portal = start(home)
    assert len(portal.accounts) == 10
    with urllib.request.urlopen(f"{portal.address}/login/") as answer:
        assert answer.status == 200
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in tree_of(home)}
    for name in ("gunicorn", "worker", "beat"):
        assert any(name in command for command in commands.values()), commands
    broker = json.loads((home / "run.json").read_text())["broker_port"]
    assert answers(broker)

    settings = (home / "broker" / "broker.conf").read_text()
    password = next(line.split()[1] for line in settings.splitlines() if line.startswith("requirepass"))
    worker = Celery(broker=f"redis://:{password}@127.0.0.1:{broker}/0").control.ping(timeout=20, limit=1)
    assert [answer for reply in worker for answer in reply.values()] == [{"ok": "pong"}]

    second = subprocess.run(
        [sys.executable, "run.py"], cwd=config.PROJECT, text=True, capture_output=True, check=False,
        env={**os.environ, "KAOJI_HOME": str(home)},
    )  # fmt: skip
    assert second.returncode == 1
    assert "already running" in second.stderr

    beat = next(pid for pid, command in commands.items() if "\0beat\0" in command)
    os.kill(beat, signal.SIGKILL)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and not any("starting again" in line for line in portal.lines):
        time.sleep(0.1)  # waiting for the launcher to notice
    assert any("beat" in line and "starting again" in line for line in portal.lines)

    assert portal.stop() == 0
    assert gone(home, 5)
    assert not answers(broker)

    moved = tmp_path / "elsewhere"
    shutil.move(home, moved)
    again = start(moved)
    assert again.accounts == {}
    assert again.stop() == 0
    assert str(home) not in (moved / "kaoji.db").read_bytes().decode("latin-1")


def test_a_worker_that_gives_no_sign_of_life_is_killed_and_started_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    portal = start(home, KAOJI_MODE="production", KAOJI_TICK_SECONDS="1", KAOJI_WATCH_SECONDS="1")

    def ready() -> dict[str, str]:
        try:
            with urllib.request.urlopen(f"{portal.address}/health/ready") as answer:
                return json.loads(answer.read())["checks"]
        except urllib.error.HTTPError as refusal:
            return json.loads(refusal.read())["checks"]

    def wait_until(wanted: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while ready()["workers"] != wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)  # the portal is other processes; its health is all there is to look at
        return True

    assert wait_until("ok", 60)
    assert set(ready().values()) == {"ok"}
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in tree_of(home)}
    workers = {pid for pid, command in commands.items() if b"\0worker\0" in command}
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in workers}
    (main,) = (pid for pid, parent in parents.items() if parent not in workers)
    os.kill(main, signal.SIGSTOP)

    assert wait_until("silent", 60)
    assert wait_until("ok", 90)
    assert any("gives no sign of life" in line for line in portal.lines)
    assert portal.stop() == 0


def test_children_end_when_the_launcher_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    portal = start(home, KAOJI_MODE="production")
    assert sorted(portal.accounts) == ["audit_admin", "security_admin", "system_admin"]

    portal.process.kill()
    portal.close()

    assert gone(home, 40)
    assert not answers(json.loads((home / "run.json").read_text())["broker_port"])


@pytest.mark.parametrize("key", ["short", ""])
def test_a_short_key_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret_key").write_text(key)

    done = subprocess.run(
        [sys.executable, "-m", "flask", "init"], cwd=config.PROJECT, text=True, capture_output=True, check=False,
        env={**os.environ, "KAOJI_HOME": str(tmp_path)},
    )  # fmt: skip

    assert done.returncode != 0
    assert "refusing to start" in done.stderr
