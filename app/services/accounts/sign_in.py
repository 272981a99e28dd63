"""Signing in: who is let in, who is locked out for a while, which address tries too often."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from app.models.accounts import Account
from app.models.trace import TraceEntry
from app.policies.actor import Actor
from app.policies.scoping import UNSCOPED
from app.rules.passwords import canonical_username
from app.rules.timetable import local_time
from app.services import trace
from app.services.accounts.accounts import account_named, has_left
from app.services.accounts.sessions import open_session

MOST_FAILURES = 5


LOCK = timedelta(minutes=10)


SPRAY_WINDOW = timedelta(minutes=5)


SPRAY_LIMIT = 40


@cache
def _dummy_hash(method: str) -> str:
    """A hash nobody knows the password of, equal in cost to the real ones."""
    return generate_password_hash(secrets.token_urlsafe(16), method)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A successful sign-in: the account and the token that goes into the cookie."""

    account_id: int
    token: str


def verified_hash(session: Session, *, username: str, password: str, hash_method: str) -> str:
    """The stored hash that the password matches, or blank; as slow for an unknown name as for a known one.

    Done before the writing transaction of `sign_in`: hashing is slow on purpose and must not hold its lock.
    """
    account = account_named(session, username)
    stored = account.password if account is not None and account.password else ""
    matches = check_password_hash(stored or _dummy_hash(hash_method), password[:1000])
    return stored if matches else ""


def sign_in(
    session: Session, *, username: str, verified: str, browser: str, actor: Actor, now: datetime
) -> SignIn | None:
    """Open a session for a name whose password was `verified`; None is the one answer to every failure.

    Five failures in a row lock the account. An address of many failures is told to wait (`is_throttled`), but
    the right password of an account that is not locked is let in from there too: nobody behind the same proxy can
    shut the others out.
    Who has left the bureau is not let in, whatever his account says.
    """
    account = account_named(session, username, held=True)
    is_locked = account is not None and account.locked_until is not None and account.locked_until > now
    if (
        account is None
        or not verified
        or account.password != verified
        or is_locked
        or not account.active
        or (account.password_expires_at is not None and account.password_expires_at < now)
        or has_left(session, account, on=local_time(now).date())
    ):
        _note_failure(session, account, username=username, is_locked=is_locked, actor=actor, now=now)
        return None
    account.failed_sign_ins = 0
    account.locked_until = None
    token = open_session(session, account, browser=browser, actor=actor, now=now)
    trace.record(session, verb="sign_in", target=account, actor=_as(account, actor), now=now)
    return SignIn(account.id, token)


def _as(account: Account, actor: Actor) -> Actor:
    return Actor(
        account_id=account.id,
        name=account.get_full_name(),
        username=account.username,
        bureau_id=account.bureau_id,
        address=actor.address,
        request_id=actor.request_id,
    )


def note_wrong_password(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """The current password of an open session was guessed wrongly: recorded and counted as at the sign-in."""
    held = account_named(session, account.username, held=True)
    is_locked = held is not None and held.locked_until is not None and held.locked_until > now
    _note_failure(
        session, held, username=account.username, is_locked=is_locked, actor=actor, now=now, verb="change_password"
    )


def is_throttled(session: Session, address: str, *, now: datetime) -> bool:
    """Whether so many sign-ins from an address have failed that a further one is told to wait."""
    if not address:
        return False
    failures = session.scalar(
        select(func.count(TraceEntry.seq))
        .select_from(TraceEntry)
        .where(
            TraceEntry.at > now - SPRAY_WINDOW,
            TraceEntry.verb.in_(("sign_in", "change_password")),
            TraceEntry.result == "refused",
            TraceEntry.address == address,
        ),
        execution_options=UNSCOPED,
    )
    return (failures or 0) >= SPRAY_LIMIT


def _note_failure(
    session: Session, account: Account | None, *, username: str, is_locked: bool, actor: Actor, now: datetime,
    verb: str = "sign_in",
) -> None:  # fmt: skip
    label = canonical_username(username)[:64]
    trace.record(session, verb=verb, target=account or "account", label=label, result="refused", actor=actor, now=now)
    if account is None or is_locked:
        return
    account.failed_sign_ins = (account.failed_sign_ins or 0) + 1
    if account.failed_sign_ins >= MOST_FAILURES:
        account.failed_sign_ins = 0
        account.locked_until = now + LOCK
        trace.record(session, verb="lock", target=account, label=label, actor=actor, now=now)
