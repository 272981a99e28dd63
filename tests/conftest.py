"""What tests share: templates made as an installation is made, applications over copies of them, signed-in clients.

Every test that touches a database gets a database of its own, copied from a template, and commits for real. Where
this differs from the road of a user, CONTRIBUTING says why.
"""

from __future__ import annotations

import contextvars
import itertools
import os
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jinja2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from xdist.scheduler import LoadScopeScheduling

import config
from app import create_app
from app.documents.layout import layout
from app.documents.workbook_writer import write_workbook
from app.extensions import db, transaction
from app.models import Account
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.accounts import accounts
from app.services.sample import bureau as sample_bureau
from app.services.workbook import imports
from tests import machine
from tests.servers import Server, postgresql

FAST_HASH = "pbkdf2:sha256:1"
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
SMALL = sample_bureau.read_rows(Path(__file__).parent / "small_bureau.toml")
# No test rings somebody's own broker: those that need one start it.
NOBODY_LISTENS = "redis://127.0.0.1:9/0"
_numbers = itertools.count(1)
LONG = 20.0  # seconds a test may take without being named


def pytest_configure(config: pytest.Config) -> None:
    """What is done once, before workers start: words compiled as `make install` does, the browser looked for."""
    os.environ["BROKER_URL"] = NOBODY_LISTENS
    for name in ("DATABASE_URL", "KAOJI_HOME", "KAOJI_MODE", "KAOJI_SECRET_KEY"):
        os.environ.pop(name, None)
    if hasattr(config, "workerinput"):
        return
    subprocess.run(
        ["make", "--no-print-directory", "catalogue", f"BIN={Path(sys.executable).parent}"],
        cwd=Path(__file__).parent.parent, check=True,
    )  # fmt: skip
    os.environ[machine.FOUND] = machine.browser() or ""


class ByGroup(LoadScopeScheduling):
    """Two workers, and each group of `tests/machine.py` on one of them, one test after another."""

    def _split_scope(self, nodeid: str) -> str:
        return machine.group_of(nodeid) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup:
    return ByGroup(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a browser everything else runs; the end says what was left out, and is not green."""
    items.sort(key=lambda item: machine.turn_of(item.nodeid))
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "browser" in fixtures:
            item.add_marker("browser")
        called = getattr(item, "callspec", None)
        if "postgres_url" in fixtures or (called is not None and "postgresql" in called.params.values()):
            item.add_marker("postgresql")
        if machine.is_slow(item.nodeid):
            item.add_marker("slow")
    left = [item for item in items if any(item.get_closest_marker(mark) for mark in missing())]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not hasattr(session.config, "workerinput") and is_incomplete(session.config) and exitstatus == 0:
        session.exitstatus = 1


def missing() -> dict[str, str]:
    """What this machine lacks, by the mark of the tests that need it."""
    lacks = {} if os.environ[machine.FOUND] else {"browser": "Chromium and a Chinese font: chromium fonts-noto-cjk"}
    return lacks if machine.NGINX else {**lacks, "nginx": "nginx: nginx-light"}


def is_incomplete(config: pytest.Config) -> bool:
    """Whether tests were wanted that this machine cannot run; a choice of tests (`-m`, `-k`, a path) is no complaint."""
    return bool(missing()) and not config.option.markexpr and not config.option.keyword


def reports_of(terminalreporter: Any) -> Iterator[pytest.TestReport]:
    for reports in terminalreporter.stats.values():
        yield from (it for it in reports if isinstance(it, pytest.TestReport))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Where the time went, by folder; and what was left out."""
    spent: dict[str, float] = {}
    for report in reports_of(terminalreporter):
        folder = "/".join(report.nodeid.split("::")[0].split("/")[:2])
        spent[folder] = spent.get(folder, 0.0) + report.duration
    long = [
        f"{report.nodeid} {report.duration:.0f}" for report in reports_of(terminalreporter)
        if report.duration > LONG and not machine.group_of(report.nodeid) and report.nodeid.split("[")[0] not in machine.LONG
    ]  # fmt: skip
    for line in long:
        terminalreporter.write_line(f"longer than {LONG} s and not named in tests/machine.py: {line}", yellow=True)
    terminalreporter.write_line("seconds: " + ", ".join(f"{name} {took:.0f}" for name, took in sorted(spent.items())))
    if is_incomplete(config):
        for mark, needed in missing().items():
            terminalreporter.write_line(f"LEFT OUT: every test marked {mark}; it needs {needed}", red=True)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches beyond this machine."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test wants to reach {address}")
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with postgresql() as server:
        yield server


class Client(FlaskClient):
    """A browser's side: requests see nothing of the test's own context, and a form brings its page's token."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("method") == "POST" and self.sends_tokens:
            kwargs = self._with_token(kwargs)
        try:
            return contextvars.Context().run(super().open, *args, **kwargs)
        finally:
            if args and str(args[0]).startswith(("/login", "/logout")):
                self._token = ""  # another session begins

    sends_tokens = True
    _token = ""

    def _with_token(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The token any page of this session would carry, in the place a script puts it."""
        headers = dict(kwargs.get("headers") or {})
        if "X-CSRFToken" not in headers:
            headers["X-CSRFToken"] = self.token()
        return {**kwargs, "headers": headers, "data": self._keyed(kwargs.get("data"))}

    @staticmethod
    def _keyed(data: Any) -> Any:
        """A form with the key every form of a page carries; what is no form (raw bytes, pairs) stays."""
        if data is None or isinstance(data, dict):
            return {"once": secrets.token_urlsafe(32), **(data or {})}
        return data

    def seen(self, address: str, near: str = "") -> str:
        """What the form of a page says it was drawn from: the first one, or the first after some text."""
        page = self.get(address).get_data(as_text=True)
        assert near in page, (address, near)
        found = re.search(r'name="seen" value="(\w+)"', page[page.index(near) :])
        assert found is not None, (address, near)
        return found[1]

    def token(self) -> str:
        """The token of this session, read from a page as a browser does."""
        if self._token:
            return self._token
        page = contextvars.Context().run(super().open, "/password/", method="GET", follow_redirects=True)
        found = page.get_data(as_text=True).partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
        assert found, page.get_data(as_text=True)[:500]
        self._token = found
        return found


def make_app(home: Path, **overrides: object) -> Flask:
    os.environ["KAOJI_HOME"] = str(home)
    app = create_app({"FAB_PASSWORD_HASH_METHOD": FAST_HASH, "TESTING": True, **overrides})
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.test_client_class = Client
    return app


def initialise(home: Path, database: str = "") -> None:
    """What every installation begins with: `flask init`, in a process of its own."""
    environment = {**os.environ, "KAOJI_HOME": str(home), "KAOJI_MODE": "production"}
    if database:
        environment["DATABASE_URL"] = database
    subprocess.run(
        [sys.executable, "-m", "flask", "init"], env=environment, cwd=config.PROJECT, check=True, capture_output=True
    )
    if not database:
        with closing(sqlite3.connect(home / "kaoji.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as `flask init` leaves it."""
    home = tmp_path_factory.mktemp("template")
    initialise(home)
    return home


@pytest.fixture(scope="session")
def small_template(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, tuple[str, str]]]:
    """A data folder with the small bureau; user name and password by role."""
    home = tmp_path_factory.mktemp("small") / "home"
    shutil.copytree(sqlite_template, home)
    app = make_app(home)
    with app.app_context():
        act_as(db.session(), SYSTEM)
        with transaction() as work:
            printed = sample_bureau.load_bureau(work, SMALL, hash_method=FAST_HASH, now=NOW)
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        let_go(app)
    return home, {role: (username, password) for username, role, password in printed}


@pytest.fixture(scope="session")
def sample_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[str, str]]]:
    """A data folder as the first `make run` leaves it; user name and password by role, as they were printed."""
    home = tmp_path_factory.mktemp("sample") / "home"
    done = subprocess.run(
        [sys.executable, "-m", "flask", "init", "--sample"],
        env={**os.environ, "KAOJI_HOME": str(home), "KAOJI_MODE": "trial"},
        cwd=config.PROJECT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    with closing(sqlite3.connect(home / "kaoji.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return home, {role: (username, password) for username, role, password in rows}


@pytest.fixture(scope="session")
def postgres_template(postgres: Server, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database as `flask init` leaves it, made with the keys every data folder of the tests has."""
    folder = tmp_path_factory.mktemp("template-pg")
    for key in ("secret_key", "channel_key"):
        shutil.copy(sqlite_template / key, folder / key)
    initialise(folder, postgres.create("template_kaoji"))
    return "template_kaoji"


@pytest.fixture
def postgres_url(postgres: Server, postgres_template: str) -> Iterator[str]:
    """A database of its own on PostgreSQL, as `flask init` leaves it; gone after the test."""
    name = f"kaoji_{next(_numbers)}"
    yield postgres.create(name, postgres_template)
    postgres.drop(name)


class Shared:
    """One application for each kind of database, over a data folder whose content each test gets anew.

    Making an application and compiling its statements costs more than most tests do; what a test changes in its
    settings is put back.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self._apps: dict[str, Flask] = {}
        self._settings: dict[str, dict[str, Any]] = {}

    def fill(self, template: Path) -> None:
        for app in self._apps.values():
            with app.app_context():
                db.engine.dispose()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(template, self.home)

    def app(self, kind: str, **overrides: object) -> Flask:
        if kind not in self._apps:
            self._apps[kind] = make_app(self.home, **overrides)
            self._settings[kind] = dict(self._apps[kind].config)
        os.environ["KAOJI_HOME"] = str(self.home)
        return self._apps[kind]

    def put_back(self, kind: str) -> None:
        app = self._apps[kind]
        app.config.clear()
        app.config.update(self._settings[kind])
        app.extensions.pop("kaoji_still", None)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    return Shared(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def home(request: pytest.FixtureRequest, shared: Shared, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a SQLite database as `flask init` leaves it, or with the small bureau where that is asked."""
    has_sample = "sample" in request.fixturenames
    template = (
        request.getfixturevalue("small_template")[0] if has_sample else request.getfixturevalue("sqlite_template")
    )
    shared.fill(template)
    monkeypatch.setenv("KAOJI_HOME", str(shared.home))
    return shared.home


@pytest.fixture
def app(home: Path, shared: Shared) -> Iterator[Flask]:
    """The application over a SQLite database of the test's own."""
    yield from _with_context(shared, "sqlite")


POSTGRES_NAME = "kaoji_test"


@pytest.fixture(params=["sqlite", "postgresql"])
def any_app(request: pytest.FixtureRequest, home: Path, shared: Shared) -> Iterator[Flask]:
    """The application over each of the two databases."""
    if request.param == "sqlite":
        yield from _with_context(shared, "sqlite")
        return
    server: Server = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    server.drop(POSTGRES_NAME)
    url = server.create(POSTGRES_NAME, template)
    yield from _with_context(shared, "postgresql", SQLALCHEMY_DATABASE_URI=url)


def let_go(app: Flask) -> None:
    """End what an application holds: its session, its connections, a ring under way."""
    db.session.remove()
    db.engine.dispose()
    app.extensions["bell"].wait(5)


def _with_context(shared: Shared, kind: str, **overrides: object) -> Iterator[Flask]:
    app = shared.app(kind, **overrides)
    with app.app_context():
        act_as(db.session(), SYSTEM)
        yield app
        let_go(app)
    shared.put_back(kind)


Rows = dict[str, list[dict[str, Any]]]


def workbook(rows: Rows) -> bytes:
    return write_workbook(layout(), rows)


@pytest.fixture
def load() -> Callable[..., imports.ImportBatch]:
    """Load rows as a workbook, as the command line does."""

    def load_rows(rows: Rows, bureau: str | None = None) -> imports.ImportBatch:
        with transaction() as work:
            plan, batch = imports.load_workbook(
                work, workbook(rows), file_name="test.xlsx", bureau_code=bureau, actor=SYSTEM, now=NOW
            )
            assert batch is not None, [(it.sheet, it.row, it.column, str(it.reason)) for it in plan.problems]
            number = batch.id
        found = db.session.get(imports.ImportBatch, number)
        assert found is not None
        return found

    return load_rows


@pytest.fixture
def sample(app: Flask, small_template: tuple[Path, dict[str, tuple[str, str]]]) -> dict[str, tuple[str, str]]:
    """A small bureau; user name and password by role."""
    return dict(small_template[1])


@pytest.fixture
def sign_in(app: Flask, sample: dict[str, tuple[str, str]]) -> Callable[[str], FlaskClient]:
    """A client signed in as a role of the sample bureau."""

    def client_of(role: str) -> FlaskClient:
        client = app.test_client()
        username, password = sample[role]
        answer = client.post("/login/", data={"username": username, "password": password})
        assert answer.status_code == 302, answer.get_data(as_text=True)
        assert "login" not in answer.headers["Location"]
        return client

    return client_of


def account_of(username: str) -> Account:
    found = accounts.account_named(db.session(), username)
    assert found is not None
    return found
