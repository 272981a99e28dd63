"""Rows that are written once: inserted unless a row with the same key is there, on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert_once(session: Session, model: Any, rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> int:
    """Insert the rows whose key is new; answers how many were."""
    if not rows:
        return 0
    table: Table = model.__table__
    connection = session.connection()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # What was inserted is asked for: a count of rows means nothing where a conflict is passed over.
    statement = dialect.insert(table).on_conflict_do_nothing(index_elements=list(key)).returning(table.c[key[0]])
    return sum(connection.execute(statement.values(dict(row))).first() is not None for row in rows)
