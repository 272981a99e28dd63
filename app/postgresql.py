"""How the portal waits for PostgreSQL: never for ever, also when the server is frozen and cannot say so itself.

`statement_timeout` is kept by the server. A server that is stopped, or a machine that hangs, keeps nothing; so the
client gives up a little later and drops the connection. Source: trust demand RE-08.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg import errors
from sqlalchemy import Engine, event

Result = TypeVar("Result")
GRACE = 1.0  # seconds after the server's own limit


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits for `patience` seconds at most, then is closed."""

    patience: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except errors._WaitTimeout as fault:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the database did not answer within {self.patience} s") from fault


def _connect(dialect: Any, _record: Any, arguments: tuple[Any, ...], parameters: dict[str, Any]) -> Any:
    """Open connections of psycopg as patient ones."""
    if dialect.driver != "psycopg":
        return None
    patience = parameters.pop("patience", None)
    connection = PatientConnection.connect(*arguments, **parameters)
    connection.patience = None if patience is None else patience + GRACE
    return connection


event.listen(Engine, "do_connect", _connect)
