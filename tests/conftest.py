"""What tests share: a migrated template of each database, applications over copies of it, signed-in clients.

Every test that touches a database gets a database of its own, copied from the template, and commits for real.
"""

from __future__ import annotations

import contextvars
import itertools
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

import config
from app import create_app
from app.documents.layout import layout
from app.documents.workbook_writer import write_workbook
from app.extensions import db, transaction
from app.models import Account
from app.policies.actor import SYSTEM
from app.security import manager
from app.security.scope import act_as
from app.services import accounts, calendar, imports
from app.services import sample as sample_bureau
from tests.servers import postgresql

FAST_HASH = "pbkdf2:sha256:1"
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
SMALL = sample_bureau.read_rows(Path(__file__).parent / "small_bureau.toml")
_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def compiled_translations() -> None:
    """Compile the Chinese catalogue as `make install` does."""
    folder = config.PROJECT / "translations" / "zh" / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as source, (folder / "messages.mo").open("wb") as target:
        write_mo(target, read_po(source, locale="zh"))


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
def postgres_url() -> Iterator[str]:
    with postgresql() as url:
        yield url


class Client(FlaskClient):
    """A client whose requests see nothing of the test's own application context."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return contextvars.Context().run(super().open, *args, **kwargs)


def make_app(home: Path, **overrides: object) -> Flask:
    os.environ["KAOJI_HOME"] = str(home)
    app = create_app({"FAB_PASSWORD_HASH_METHOD": FAST_HASH, "WTF_CSRF_ENABLED": False, "TESTING": True, **overrides})
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.test_client_class = Client
    return app


def _prepare(app: Flask) -> None:
    from flask_migrate import upgrade

    with app.app_context():
        act_as(db.session(), SYSTEM)
        upgrade()
        with transaction() as work:
            manager.synchronise(work, app.appbuilder.baseviews)
            calendar.seed_national(work)
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    _prepare(make_app(home))
    with sa.create_engine(f"sqlite:///{home / 'kaoji.db'}").connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return home


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    _create(postgres_url, "template_kaoji")
    home = tmp_path_factory.mktemp("template-pg")
    _prepare(make_app(home, SQLALCHEMY_DATABASE_URI=postgres_url + "template_kaoji"))
    return "template_kaoji"


def _create(url: str, name: str, template: str = "template1") -> None:
    engine = sa.create_engine(url + "postgres", isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _sqlite_app(template: Path, home: Path) -> Flask:
    shutil.copytree(template, home, dirs_exist_ok=True)
    return make_app(home)


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with an empty, migrated SQLite database."""
    shutil.copytree(sqlite_template, tmp_path / "home")
    monkeypatch.setenv("KAOJI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def app(home: Path) -> Iterator[Flask]:
    """An application over a SQLite database of its own."""
    yield from _with_context(make_app(home))


@pytest.fixture(params=["sqlite", "postgresql"])
def any_app(request: pytest.FixtureRequest, home: Path) -> Iterator[Flask]:
    """An application over each of the two databases."""
    if request.param == "sqlite":
        yield from _with_context(make_app(home))
        return
    url = request.getfixturevalue("postgres_url")
    name = f"kaoji_{next(_numbers)}"
    _create(url, name, request.getfixturevalue("postgres_template"))
    yield from _with_context(make_app(home, SQLALCHEMY_DATABASE_URI=url + name))


def _with_context(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        act_as(db.session(), SYSTEM)
        yield app
        db.session.remove()
        db.engine.dispose()


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
def sample(app: Flask) -> dict[str, tuple[str, str]]:
    """A small bureau; user name and password by role."""
    with transaction() as work:
        printed = sample_bureau.load_bureau(work, SMALL, hash_method=FAST_HASH, now=NOW)
    return {role: (username, password) for username, role, password in printed}


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
