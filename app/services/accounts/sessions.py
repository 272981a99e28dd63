"""Sessions: what a browser that has signed in holds, how long it lives, and what ends it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models.accounts import Account, UserSession
from app.policies.actor import Actor
from app.policies.scoping import UNSCOPED
from app.services import trace

ABSOLUTE_LIFE = timedelta(hours=12)


STAMP_EVERY = timedelta(seconds=60)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(session: Session, account: Account, *, browser: str, actor: Actor, now: datetime) -> str:
    """Open a server-side session and return the token of its cookie."""
    token = secrets.token_urlsafe(32)
    session.add(
        UserSession(
            account_id=account.id,
            token_hash=token_hash(token),
            started_at=now,
            seen_at=now,
            address=actor.address,
            browser=browser[:200],
        )
    )
    session.flush()
    return token


def live_session(
    session: Session, token: str, *, idle: timedelta, now: datetime, unwritten: Mapping[int, datetime] | None = None
) -> UserSession | None:
    """The session of a token if it has neither ended nor run out.

    `unwritten` are stamps that could not be stored (a full disk, a lock): who reads on is not put out for that.
    """
    row: UserSession | None = session.scalar(
        select(UserSession).where(UserSession.token_hash == token_hash(token)), execution_options=UNSCOPED
    )
    if row is None or row.ended_at is not None:
        return None
    seen_at = max(row.seen_at, (unwritten or {}).get(row.id, row.seen_at))
    if now - seen_at > idle or now - row.started_at > ABSOLUTE_LIFE:
        return None
    return row


def stamp_session(session: Session, session_id: int, *, now: datetime) -> None:
    """Note that a session was used; called in a short transaction of its own."""
    session.execute(
        update(UserSession).where(UserSession.id == session_id).values(seen_at=now),
        execution_options={**UNSCOPED, "synchronize_session": False},
    )


def end_sessions(session: Session, account: Account, *, now: datetime, keep: int | None = None) -> None:
    """End every session of an account but `keep`."""
    session.execute(
        update(UserSession)
        .where(
            UserSession.account_id == account.id,
            UserSession.ended_at.is_(None),
            UserSession.id != (-1 if keep is None else keep),
        )
        .values(ended_at=now),
        execution_options={**UNSCOPED, "synchronize_session": False},
    )


def sign_out(session: Session, account: Account, session_id: int, *, actor: Actor, now: datetime) -> None:
    """End one session on the server."""
    session.execute(
        update(UserSession).where(UserSession.id == session_id).values(ended_at=now),
        execution_options={**UNSCOPED, "synchronize_session": False},
    )
    trace.record(session, verb="sign_out", target=account, actor=actor, now=now)
