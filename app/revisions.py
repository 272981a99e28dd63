"""Whether the database is of the code that speaks to it, and what happens before it is brought forward."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import upgrade
from sqlalchemy import text

import config
from app.errors import N_, RuleViolation
from app.extensions import db

log = logging.getLogger(__name__)
KEPT = "before-update"
# Names are put in order by the database; one of another order would show other lists than every other installation.
ORDERS = ("C", "POSIX", "C.UTF-8", "C.utf8")


@cache
def _folder() -> ScriptDirectory:
    return ScriptDirectory(str(config.PROJECT / "app" / "migrations"))


@cache
def newest() -> str:
    """The revision the code was written for."""
    return str(_folder().get_current_head())


def stored() -> str | None:
    """The revision of the database; None where nothing is prepared."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current() -> None:
    """Refuse to work on a database of another revision, in words of its own."""
    found = stored()
    if found is None:
        raise RuleViolation(N_("The installation is not prepared; run flask init first."))
    _refuse_newer(found)
    if found != newest():
        raise RuleViolation(
            N_("The database is of an older version (%(found)s); run flask init to bring it up to date.", found=found)
        )


def _refuse_newer(found: str) -> None:
    known = {script.revision for script in _folder().walk_revisions()}
    if found not in known:
        raise RuleViolation(
            N_(
                "The database is of a newer version (%(found)s) than this program: "
                "install that version, or restore a copy from before the update.",
                found=found,
            )
        )


def prepare(now: datetime) -> Path | None:
    """Bring the database to the revision of the code; answers the copy that was kept of what was there before.

    SQLite is copied into the data folder first; a PostgreSQL database is backed up by who keeps it.
    """
    _refuse_other_order()
    found = stored()
    kept = None
    if found is not None:
        _refuse_newer(found)
        if found != newest() and db.engine.dialect.name == "sqlite":
            kept = _copy(found, now)
    if found != newest():
        with _quiet_alembic():
            upgrade()
    return kept


def _copy(found: str, now: datetime) -> Path:
    folder = config.home() / KEPT
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"kaoji-{found}-{now:%Y%m%dT%H%M%S}.db"
    with closing(sqlite3.connect(str(db.engine.url.database))) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


def _refuse_other_order() -> None:
    if db.engine.dialect.name != "postgresql":
        return
    query = text(
        "SELECT coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate) FROM pg_database d "
        "WHERE datname = current_database()"
    )
    with db.engine.connect() as connection:
        order = str(connection.execute(query).scalar())
    if order not in ORDERS:
        raise RuleViolation(
            N_(
                "The database puts text in the order of “%(order)s”; "
                "make it with the locale C.UTF-8 (docs/operations.md).",
                order=order,
            )
        )


@contextmanager
def _quiet_alembic() -> Iterator[None]:
    """Alembic's own log lines are no matter of who starts a portal."""
    logger = logging.getLogger("alembic")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
