"""Rows that are written once: inserted unless a row with the same key is there, on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.policies.scoping import unscoped

WHY = "whether a row is there is asked of its key"
SLICE = 100


def insert_once(session: Session, model: Any, rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> int:
    """Insert the rows whose key is new; answers how many were."""
    if not rows:
        return 0
    table: Table = model.__table__
    connection = unscoped(session, WHY)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # What was inserted is asked for: a count of rows means nothing where a conflict is passed over.
    statement = dialect.insert(table).on_conflict_do_nothing(index_elements=list(key)).returning(table.c[key[0]])
    slices = (rows[first : first + SLICE] for first in range(0, len(rows), SLICE))
    return sum(len(connection.execute(statement.values([dict(row) for row in part])).all()) for part in slices)
