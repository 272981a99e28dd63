"""Writing many rows at once by the driver, already in the form in which they are stored.

What SQLAlchemy makes of each value again costs more than the writing where a settlement replaces thousands of scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Table, insert


def write_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of integers, texts, days and blanks in the order of some columns; COPY on PostgreSQL."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        names = ", ".join(columns)
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(columns))
    places = [columns.index(name) for name in compiled.positiontup or ()]
    plain = [tuple(_plain(row[place]) for place in places) for row in rows]
    connection.exec_driver_sql(str(compiled), plain)


def _plain(value: Any) -> Any:
    """A value as SQLite holds it: days as text."""
    return value.isoformat() if isinstance(value, date) else value
