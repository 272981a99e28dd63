"""The shared extensions and the one transaction of the house.

SQLite: readers begin deferred, writers `BEGIN IMMEDIATE`; a transaction that has read is never upgraded.
`transaction()` therefore drops the reading transaction and begins a writing one; what was loaded before is
loaded again when touched.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask_appbuilder.models.sqla import Model
from flask_appbuilder.models.sqla.base import SQLA
from flask_babel import Babel
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import postgresql  # noqa: F401 - connections that never wait for ever
from app.models import types  # noqa: F401 - names constraints before FAB's models are imported

if TYPE_CHECKING:
    from sqlalchemy import Connection

db = SQLA(model_class=Model)
migrate = Migrate()
csrf = CSRFProtect()
babel = Babel()

log = logging.getLogger(__name__)
_writing: ContextVar[bool] = ContextVar("writing", default=False)
BUSY_TIMEOUT_MS = 15_000
ASIDE_TIMEOUT_MS = 1_000
_patience: ContextVar[int] = ContextVar("patience", default=BUSY_TIMEOUT_MS)
OLDEST_SQLITE = (3, 35)
BEFORE_WRITING = "before_writing"


@contextmanager
def transaction(session: Session | None = None) -> Iterator[Session]:
    """Run one unit of work: begin writing, commit at the end, roll back on any error.

    Inside another transaction it joins that one. What stands under `BEFORE_WRITING` in the session's info is done
    first, and once: when it was committed.
    """
    work = session if session is not None else db.session()
    if _writing.get():
        yield work
        return
    work.rollback()
    token = _writing.set(True)
    try:
        before = work.info.get(BEFORE_WRITING)
        if before is not None:
            before(work)
        yield work
        work.commit()
        work.info.pop(BEFORE_WRITING, None)
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


def _info_beside() -> dict[Any, Any]:
    """Whose work it is, but not what the request's own transaction begins with."""
    return {name: value for name, value in db.session().info.items() if name != BEFORE_WRITING}


@contextmanager
def short_transaction() -> Iterator[Session]:
    """A short write on a connection of its own, beside the reading transaction of a request."""
    token = _writing.set(False)
    try:
        with Session(db.engine, info=_info_beside()) as session, transaction(session):
            yield session
    finally:
        _writing.reset(token)


def write_aside(act: Callable[[Session], object], what: str) -> bool:
    """A small write of a page that only reads; it may fail, the page may not. Answers whether it was written.

    A full disk or a lock held by somebody else costs a second at most. What must be recorded before something
    is shown (who read or exported it) does not come this way. Source: trust demand RE-07.
    """
    token = _patience.set(ASIDE_TIMEOUT_MS)
    try:
        with short_transaction() as work:
            act(work)
    except OperationalError as fault:
        log.warning("%s was not written: %s", what, fault.orig)
        return False
    finally:
        _patience.reset(token)
    return True


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


def _wait_at_most(connection: Connection, patience: int) -> None:
    """Tell SQLite how long to wait for the lock; kept with the connection, so that it is told when it changes only."""
    kept = connection.connection.info
    if kept.get("patience", BUSY_TIMEOUT_MS) != patience:
        connection.connection.execute(f"PRAGMA busy_timeout={patience}").close()  # type: ignore[attr-defined]
        kept["patience"] = patience


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    patience = _patience.get()
    if connection.dialect.name == "sqlite":
        _wait_at_most(connection, patience)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() else "BEGIN DEFERRED")
    elif patience != BUSY_TIMEOUT_MS:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout={patience}")


def is_writing() -> bool:
    """Whether the running code is inside `transaction()`."""
    return _writing.get()
