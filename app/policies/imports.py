"""Who imports workbooks and sees what came in."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from app.models import BatchState, ImportBatch
from app.policies.actor import Actor


def visible_to(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ImportBatch.bureau_id == actor.bureau_id if may_import(actor) else false()


def may_import(actor: Actor) -> bool:
    return actor.has("assessment_office")


def may_recall(actor: Actor, batch: ImportBatch) -> bool:
    return may_import(actor) and batch.state == BatchState.STORED
