"""A form is sent once: each carries a key of its own, and a key is taken once, in the transaction of the act."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, RuleViolation
from app.models import Submission
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.services.upsert import insert_once

WHY = "a key of a form is one of its account's own"
LENGTH = 43
KEPT = timedelta(days=30)


def new_key() -> str:
    """A key for one form."""
    return secrets.token_urlsafe(32)


def take(session: Session, key: str, *, actor: Actor, now: datetime) -> None:
    """Take the key of a form; a second sending is refused, however close behind the first."""
    if len(key) != LENGTH or not key.isascii():
        raise RuleViolation(N_("The form has expired. Open the page again and send it once more."))
    row = {"key": key, "account_id": actor.account_id, "sent_at": now}
    if not insert_once(session, Submission, [row], ("key",)):
        raise Conflict(N_("This form has been sent already; it was carried out once."))


def forget_old(session: Session, *, now: datetime) -> None:
    """Let go of keys that nobody sends any more: a form is not open for a month."""
    table = Submission.__table__
    unscoped(session, WHY).execute(delete(table).where(table.c.sent_at < now - KEPT))
