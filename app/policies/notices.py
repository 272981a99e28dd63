"""Who reads notifications: only those they were said to. The outbox is nobody's page."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from app.models import Notification
from app.policies.actor import Actor


def visible_to(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return Notification.account_id == actor.account_id if actor.account_id is not None else false()


def visible_outbox(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.is_system else false()
