"""The shared extensions and the one transaction of the house.

SQLite: readers begin deferred, writers `BEGIN IMMEDIATE`; a transaction that has read is never upgraded.
`transaction()` therefore drops the reading transaction and begins a writing one; what was loaded before is
loaded again when touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask_appbuilder.models.sqla import Model
from flask_appbuilder.models.sqla.base import SQLA
from flask_babel import Babel
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from app.models import types  # noqa: F401 - names constraints before FAB's models are imported

if TYPE_CHECKING:
    from sqlalchemy import Connection

db = SQLA(model_class=Model)
migrate = Migrate()
csrf = CSRFProtect()
babel = Babel()

_writing: ContextVar[bool] = ContextVar("writing", default=False)
BUSY_TIMEOUT_MS = 15_000
OLDEST_SQLITE = (3, 35)


@contextmanager
def transaction(session: Session | None = None) -> Iterator[Session]:
    """Run one unit of work: begin writing, commit at the end, roll back on any error.

    Inside another transaction it joins that one.
    """
    work = session if session is not None else db.session()
    if _writing.get():
        yield work
        return
    work.rollback()
    token = _writing.set(True)
    try:
        yield work
        work.commit()
    except BaseException:
        work.rollback()
        raise
    finally:
        _writing.reset(token)


@contextmanager
def reading() -> Iterator[Session]:
    """A reading transaction of its own: begun afresh, and ended so that no lock or snapshot stays behind."""
    session = db.session()
    session.rollback()
    try:
        yield session
    finally:
        session.rollback()


@contextmanager
def short_transaction() -> Iterator[Session]:
    """A short write on a connection of its own, beside the reading transaction of a request."""
    token = _writing.set(False)
    try:
        with Session(db.engine, info=dict(db.session().info)) as session, transaction(session):
            yield session
    finally:
        _writing.reset(token)


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "cache_size=-65536",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() else "BEGIN DEFERRED")


def is_writing() -> bool:
    """Whether the running code is inside `transaction()`."""
    return _writing.get()
