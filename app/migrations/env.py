"""Alembic's environment: the application's own engine and metadata; FAB's tables are ours to migrate."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import TypeDecorator

config = context.config
database = current_app.extensions["migrate"].db
metadata = database.metadata


def render_item(kind, obj, _context):
    """Write our column types as what the database stores: migrations never import app.models."""
    if kind == "type" and isinstance(obj, TypeDecorator) and type(obj).__module__ == "app.models.types":
        return f"sa.{obj.impl!r}"
    return False


def run() -> None:
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_item=render_item,
            compare_server_default=False,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("offline migrations are not supported")
run()
