"""What a form was drawn from: who saved meanwhile is not overwritten, whatever the record."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import Flask, request
from flask_appbuilder.models.sqla import Model

from app.errors import N_, Conflict
from app.services import trace

FIELD = "seen"


def mark_of(*shown: Any) -> str:
    """A short mark of records or plain values as they stand: another one as soon as any of them has changed."""
    facts = [_facts(it) if isinstance(it, Model) else it for it in shown]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _facts(record: Any) -> dict[str, Any]:
    for column in record.__table__.columns:
        getattr(record, column.key)  # what a rollback let go of is read again
    return trace.facts_of(record)


def refuse_changed(*shown: Any) -> None:
    """Inside the transaction of a form: refuse it where what it was drawn from has changed since.

    Raises:
        Conflict: somebody else has saved meanwhile, or the form says not what it was drawn from.
    """
    if request.form.get(FIELD, "") != mark_of(*shown):
        raise Conflict(N_("Somebody was faster: the record has changed meanwhile. Open it again."))


def install(app: Flask) -> None:
    app.jinja_env.globals["mark_of"] = mark_of
