"""Passwords: prepared outside the transaction, set inside it, lost and given anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from app.errors import N_, Conflict, RuleViolation
from app.models.accounts import Account
from app.policies import accounts as policy
from app.policies.actor import Actor, require
from app.rules.passwords import fault_of, new_password
from app.services import trace
from app.services.accounts.sessions import end_sessions

INITIAL_LIFE = timedelta(hours=72)


_COMMON = Path(__file__).parents[2] / "data" / "common_passwords.txt"


@cache
def common_passwords() -> frozenset[str]:
    return frozenset(_COMMON.read_text(encoding="utf-8").split())


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that meets the policy and its hash; `replaces` is the stored hash it was asked against.

    Made before the writing transaction that stores it: hashing takes half a second on purpose.
    """

    password: str
    hashed: str
    replaces: str


def prepare_password(account: Account, password: str, *, hash_method: str) -> NewPassword:
    """Hash a password for an account; refuses one that does not meet the policy."""
    fault = fault_of(password, username=account.username, common=common_passwords())
    if fault is not None:
        raise RuleViolation(fault, field_name="password")
    return NewPassword(password, generate_password_hash(password, hash_method), account.password or "")


def prepare_single_use(account: Account, *, hash_method: str) -> NewPassword:
    """Make up a single-use password for an account."""
    return prepare_password(account, new_password(), hash_method=hash_method)


def prepare_change(account: Account, *, current: str, password: str, hash_method: str) -> NewPassword:
    """Check the current password of an account and hash the one that is to replace it."""
    if not check_password_hash(account.password, current[:1000]):
        raise RuleViolation(N_("The current password is wrong."), field_name="current")
    if check_password_hash(account.password, password[:1000]):
        raise RuleViolation(N_("The new password must differ from the current one."), field_name="password")
    return prepare_password(account, password, hash_method=hash_method)


def set_password(account: Account, new: NewPassword, *, now: datetime) -> None:
    """Store a password that was prepared."""
    account.password = new.hashed
    account.password_changed_at = now
    account.password_expires_at = None
    account.must_change_password = False


def change_own_password(
    session: Session,
    account: Account,
    new: NewPassword,
    *,
    session_id: int,
    actor: Actor,
    now: datetime,
) -> None:
    """Change the own password by `prepare_change`, which asked for the current one; all other sessions end."""
    require(account.id == actor.account_id)
    if account.password != new.replaces:
        raise Conflict(N_("The password was changed meanwhile."))
    set_password(account, new, now=now)
    end_sessions(session, account, now=now, keep=session_id)
    trace.record(session, verb="change_password", target=account, actor=actor, now=now)


def issue_password(session: Session, account: Account, new: NewPassword, *, actor: Actor, now: datetime) -> None:
    """Issue a single-use password, shown once: it must be changed at first sign-in, within 72 hours."""
    require(policy.may_issue_password(actor, account))
    set_password(account, new, now=now)
    account.must_change_password = True
    account.password_expires_at = now + INITIAL_LIFE
    account.locked_until = None
    end_sessions(session, account, now=now)
    trace.record(session, verb="issue_password", target=account, actor=actor, now=now)


def void_password(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Take back a single-use password that nobody could be told; until another is issued nobody signs in with it."""
    require(policy.may_issue_password(actor, account))
    account.password = ""
    trace.record(session, verb="void_password", target=account, actor=actor, now=now)
