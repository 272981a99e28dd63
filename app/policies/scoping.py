"""The one way around the row scope: said with its reason, seen by a test, and never open by forgetting.

A request's statements carry each model's criterion (`security.scope`). Some must not: a settlement counts a whole
bureau, an account is looked up before anybody is signed in. They go through `unscoped`, whose places a house test
lists; any other statement that names a table of ours past the scope is refused before the database hears it.
"""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection, Executable
from sqlalchemy.orm import Session

MARK = "house_unscoped"
UNSCOPED = {MARK: True}  # for statements of the session: `execution_options=UNSCOPED`


class _Marked:
    """A connection whose statements carry the mark; everything else is the connection's own."""

    def __init__(self, connection: Connection, why: str) -> None:
        self._connection, self._options = connection, {MARK: why}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.execute(statement, parameters, execution_options=self._options)

    def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.scalar(statement, parameters, execution_options=self._options)

    def scalars(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.scalars(statement, parameters, execution_options=self._options)


def apart(model: type, why: str) -> Any:
    """An alias of a model's bare table, for a subquery inside a scoped statement; `why` says what chooses its rows.

    What hangs on a record is often seen with it: asking its own criterion again would ask the record's twice.
    """
    table: Any = model.__table__.alias()  # type: ignore[attr-defined]
    setattr(table, MARK, why)
    return table


def unscoped(session: Session, why: str) -> Connection:
    """The bare connection of a session, for statements that choose their rows themselves.

    `why` says to whoever reads the place what chooses the rows instead.
    """
    return cast("Connection", _Marked(session.connection(), why))
