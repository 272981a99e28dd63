"""The launcher: one tree, one data folder, accounts once, an ordered stop that leaves no process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from celery import Celery

import config
from tests.journeys.conftest import start
from tests.servers import free_port
from tests.waiting import pause


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
        pause(0.1, "waiting for processes to end")
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
    celery, deadline = Celery(broker=f"redis://:{password}@127.0.0.1:{broker}/0"), time.monotonic() + 60
    while not (worker := celery.control.ping(timeout=2, limit=1)):
        assert time.monotonic() < deadline, (
            "the portal is ready before its worker listens, and a call nobody hears is lost"
        )
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
        pause(0.1, "waiting for the launcher to notice")
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
            pause(0.2, "the portal is other processes; its health is all there is to look at")
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


def launch(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The launcher where it is to end by itself."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "BROKER_URL")}
    return subprocess.run(
        [sys.executable, "run.py"], cwd=config.PROJECT, text=True, capture_output=True, check=False, timeout=120,
        env={**kept, "KAOJI_HOME": str(home), "KAOJI_MODE": "production", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999999", "300.1.1.1:80"])
def test_a_bad_address_stops_it_before_anything_is_made(tmp_path: Path, address: str) -> None:
    done = launch(tmp_path / "home", KAOJI_BIND=address)

    assert done.returncode != 0
    assert "KAOJI_BIND" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists(), "no password can be lost"


def flask(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments], cwd=config.PROJECT, text=True, capture_output=True, check=False,
        env={**os.environ, "KAOJI_HOME": str(home), "KAOJI_MODE": "production"},
    )  # fmt: skip


def test_stopped_while_it_prepares_it_has_said_what_it_stored(tmp_path: Path) -> None:
    """Stopped at any moment of the first start: either the accounts were said, or there are none yet."""
    for number, seconds in enumerate((1.5, 3.0, 5.0)):
        home = tmp_path / str(number)
        process = subprocess.Popen(
            [sys.executable, "run.py"], cwd=config.PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "KAOJI_HOME": str(home), "KAOJI_MODE": "production",
                 "KAOJI_BIND": f"127.0.0.1:{free_port()}"},
        )  # fmt: skip
        pause(seconds, "somewhere in the first start")
        process.terminate()
        said = process.communicate(timeout=60)[0].count("\t")
        assert gone(home, 20)
        again = flask(home, "init")
        assert again.returncode == 0, again.stderr
        assert (said, again.stdout.count("\t")) in ((6, 0), (0, 6)), (seconds, said, again.stdout)
        if said:
            assert "尚未登录过的账号" in again.stderr
            assert "flask account issue-password" in again.stderr


def test_passwords_nobody_could_be_told_are_void(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "flask", "init"], cwd=config.PROJECT, check=False, stdout=writer, stderr=subprocess.PIPE,
        env={**os.environ, "KAOJI_HOME": str(tmp_path), "KAOJI_MODE": "production"},
    )  # fmt: skip
    os.close(writer)
    assert done.returncode != 0

    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tmp_path / "kaoji.db")) as database:
        assert {row[0] for row in database.execute("SELECT password FROM ab_user")} == {""}
        assert database.execute("SELECT count(*) FROM trace_entry WHERE verb = 'void_password'").fetchone() == (3,)
    again = flask(tmp_path, "init")
    assert "system_admin" in again.stderr
    issued = flask(tmp_path, "account", "issue-password", "system_admin")
    assert issued.stdout.startswith("system_admin\t")
    assert flask(tmp_path, "account", "unlock", "system_admin").returncode == 0
    assert flask(tmp_path, "account", "issue-password", "nobody").returncode == 1
    with closing(sqlite3.connect(tmp_path / "kaoji.db")) as database:
        verbs = {
            row[0] for row in database.execute("SELECT verb FROM trace_entry WHERE target_label LIKE '%system_admin%'")
        }
    assert {"issue_password", "unlock"} <= verbs


def test_there_is_no_untraced_way_to_an_account(tmp_path: Path) -> None:
    answers = (
        "--username",
        "x",
        "--password",
        "Xin-mi.ma88",
        "--firstname",
        "x",
        "--lastname",
        "x",
        "--email",
        "x@x.lan",
    )
    done = flask(tmp_path, "fab", "create-admin", *answers)

    assert done.returncode != 0
    assert "flask account" in done.stderr
    assert "fab" not in flask(tmp_path, "--help").stdout


def fifty_slow_strangers_stop_nobody(address: str) -> None:
    """Bodies of strangers that hardly come, straight at gunicorn: others are answered, and they are given up."""
    host, port = address.removeprefix("http://").split(":")
    strangers = []
    for number in range(50):
        connection = socket.create_connection((host, int(port)), timeout=60)
        length = 70_000 if number % 5 == 0 else 500  # some say at once that they bring too much
        head = f"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nu"
        connection.sendall(head.encode())
        strangers.append(connection)
    begun = time.monotonic()
    for _ in range(5):
        started = time.monotonic()
        with urllib.request.urlopen(f"{address}/login/", timeout=30) as answer:
            assert answer.status == 200
        assert time.monotonic() - started < 6.0, "three times two seconds"
        for connection in strangers:
            with contextlib.suppress(OSError):
                connection.send(b"x")  # a byte now and then must not begin the clock anew
        pause(0.5, "bytes trickle in")
    for connection in strangers:
        with connection:
            assert connection.recv(12)[9:] in (b"503", b"408", b"413")
    assert time.monotonic() - begun < 3 * 10.0


def heads_that_do_not_end_are_hung_up(address: str) -> None:
    """Forty heads without an end: after ten seconds the portal answers again."""
    host, port = address.removeprefix("http://").split(":")
    heads = [socket.create_connection((host, int(port)), timeout=60) for _ in range(40)]
    for connection in heads:
        connection.sendall(b"GET /login/ HTTP/1.1\r\nX-Slow: ")
    deadline = time.monotonic() + 3 * 30.0
    while True:
        try:
            with urllib.request.urlopen(f"{address}/health/live", timeout=10) as answer:
                assert answer.status == 200
                break
        except OSError:
            assert time.monotonic() < deadline
    for connection in heads:
        connection.close()


def test_everything_it_writes_is_its_owners_alone_and_lines_have_their_time(tmp_path: Path) -> None:
    home = tmp_path / "home"
    portal = start(home, KAOJI_MODE="production")
    with urllib.request.urlopen(f"{portal.address}/login/") as answer:
        assert answer.status == 200
    fifty_slow_strangers_stop_nobody(portal.address)
    heads_that_do_not_end_are_hung_up(portal.address)
    assert portal.stop() == 0

    for path in [home, *home.rglob("*")]:
        assert not path.stat().st_mode & 0o077, path
    line = next(it for it in portal.lines if "Kaoji is ready" in it)
    assert line[:4].isdigit() and line[10] == " " and line[13] == ":"
    assert "Kaoji is ready" in (home / "log" / "portal.log").read_text()
    assert "GET /login/" in (home / "log" / "access.log").read_text()
    assert not any("GET /login/" in it for it in portal.lines)


def test_a_killed_master_leaves_nobody_on_its_port(tmp_path: Path) -> None:
    home = tmp_path / "home"
    portal = start(home, KAOJI_MODE="production")
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in tree_of(home)}
    web = {pid for pid, command in commands.items() if b"gunicorn" in command}
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in web}
    (master,) = (pid for pid, parent in parents.items() if parent not in web)
    os.kill(master, signal.SIGKILL)

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{portal.address}/health/live", timeout=5) as answer:
                if answer.status == 200 and not web & set(tree_of(home)):
                    break
        except OSError:
            pause(0.2, "it is being started again")
    assert not web & set(tree_of(home)), "none of the old ones is left"
    assert not any("Address already in use" in line for line in portal.lines)
    assert portal.stop() == 0


def _without_0010(database: sqlite3.Connection) -> None:
    """What the newest migration adds, taken away again."""
    for table in ("score_entry", "trace_entry", "bulletin", "bulletin_file"):
        database.execute(f"DROP TRIGGER {table}_no_replace")
    database.execute("DROP TABLE relation")
    made = ("uq_correction_voucher_waiting", "ix_score_entry_sums", "ix_score_entry_newest", "ix_score_entry_reversed")
    for index in made:
        database.execute(f"DROP INDEX {index}")
    database.execute("CREATE INDEX ix_score_entry_month ON score_entry (bureau_id, month, clause_id, subject_id)")
    for table, columns in (
        ("ab_user", ("asked_measure", "asked_by_id", "asked_by", "informed_at")),
        ("scheme", ("submitted_by", "submitted_at", "opinion", "lock_version")),
        ("task_stage", ("lock_version",)),
        ("task_part", ("lock_version",)),
        ("task_extension", ("lock_version",)),
    ):
        for column in columns:
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def test_a_database_of_another_version_is_named(tmp_path: Path) -> None:
    assert flask(tmp_path, "init").returncode == 0
    for found, words in (("9999", "新"), ("0008", "flask init")):
        with closing(sqlite3.connect(tmp_path / "kaoji.db")) as database:
            if found == "0008":
                database.execute("DROP TABLE folder_key")
                database.execute("DROP INDEX ix_score_entry_source")
                _without_0010(database)
            database.execute("UPDATE alembic_version SET version_num = ?", (found,))
            database.commit()
        done = flask(tmp_path, "verify")
        assert done.returncode == 1
        assert found in done.stderr and words in done.stderr
        assert "Traceback" not in done.stderr
    updated = flask(tmp_path, "init")
    assert updated.returncode == 0
    kept = list((tmp_path / "before-update").iterdir())
    assert len(kept) == 1 and str(kept[0]) in updated.stderr
    assert flask(tmp_path, "verify").returncode == 0


def test_two_machines_have_one_key(tmp_path: Path) -> None:
    assert flask(tmp_path, "init").returncode == 0
    (tmp_path / "secret_key").write_text("y" * 60)

    other = flask(tmp_path, "init")

    assert other.returncode == 1
    assert "secret_key" in other.stderr
    assert flask(tmp_path, "init", "--new-keys").returncode == 0
    assert flask(tmp_path, "init").returncode == 0


GARBAGE = [
    b"", b"garbage", b"{}", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"body": 1}', b'{"body": "", "properties": {}}',
    (b'{"body": "!", "content-type": "application/json", "content-encoding": "utf-8", "headers": {},'
    b' "properties": {"delivery_info": {}, "delivery_tag": "x", "body_encoding": "base64"}}'),
    (b'{"body": "e30=", "content-type": "application/x-python-serialize", "content-encoding": "binary", "headers":'
    b' {"task": "tick", "id": "1"}, "properties": {"delivery_info": {"routing_key": "celery"}, "delivery_tag": "y",'
    b' "body_encoding": "base64"}}'),
    (b'{"body": "W10=", "content-type": "application/json", "content-encoding": "utf-8", "headers": {"task": "os.system",'
    b' "id": "2"}, "properties": {"delivery_info": {"routing_key": "celery"}, "delivery_tag": "z", "body_encoding": "base64"}}'),
]  # fmt: skip


def signs_of(kind: str, home: Path) -> str:
    """When the newest sign of a kind was written."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(home / "kaoji.db")) as database:
        return str(database.execute("SELECT max(seen_at) FROM heartbeat WHERE kind = ?", (kind,)).fetchone()[0])


def test_garbage_in_the_queue_ends_no_worker(tmp_path: Path) -> None:
    """Whatever lies in the queue is thrown away; the worker is the same one, and hears the next ring."""
    import redis

    home = tmp_path / "home"
    portal = start(home, KAOJI_MODE="production", KAOJI_TICK_SECONDS="1")
    broker = json.loads((home / "run.json").read_text())["broker_port"]
    client = redis.Redis(port=broker, password=(home / "broker_password").read_text())

    def ready() -> dict[str, str]:
        try:
            with urllib.request.urlopen(f"{portal.address}/health/ready") as answer:
                return dict(json.loads(answer.read())["checks"])
        except urllib.error.HTTPError as refusal:
            return dict(json.loads(refusal.read())["checks"])

    def wait_for(name: str) -> None:
        deadline = time.monotonic() + 60
        while ready()[name] != "ok":
            assert time.monotonic() < deadline, ready()
            pause(0.2, "the portal is other processes; its health is all there is to look at")

    wait_for("workers")
    workers = {pid for pid in tree_of(home) if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()}
    nameless = json.dumps(
        {"body": "W10=", "content-type": "application/json", "content-encoding": "utf-8", "headers": {"task": "tick"},
         "properties": {"delivery_info": {"routing_key": "celery"}, "delivery_tag": "v", "body_encoding": "base64"}}
    ).encode()  # fmt: skip
    for piece in [*GARBAGE, *[nameless.replace(b'"v"', f'"v{number}"'.encode()) for number in range(6)]]:
        client.lpush("celery", piece)
    deadline = time.monotonic() + 30
    while client.llen("celery") and time.monotonic() < deadline:
        pause(0.1, "the worker reads the queue; its length is all there is to look at")
    wait_for("rings")
    heard = signs_of("ring", home)
    deadline = time.monotonic() + 30
    while signs_of("ring", home) == heard:
        assert time.monotonic() < deadline, "the worker hears nothing any more"
        pause(0.2, "the next ring is a second away")
    assert client.zcard("unacked_index") <= 2, "nothing that was thrown away keeps a place"
    client.close()

    assert {pid for pid in tree_of(home) if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()} == workers
    assert any("thrown away" in line for line in portal.lines)
    assert not any("starting again" in line for line in portal.lines)
    assert portal.stop() == 0
