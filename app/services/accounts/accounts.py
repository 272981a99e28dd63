"""Accounts: found by name, made, switched on and off, unlocked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Conflict
from app.models import Account
from app.policies import accounts as policy
from app.policies.actor import Actor, require
from app.policies.scoping import UNSCOPED
from app.rules.passwords import canonical_username
from app.services import trace
from app.services.accounts.sessions import end_sessions


def account_named(session: Session, username: str) -> Account | None:
    """Find an account by its sign-in name, folded as AU-01 asks."""
    found: Account | None = session.scalar(
        select(Account).where(Account.username == canonical_username(username)),
        execution_options=UNSCOPED,
    )
    return found


def set_active(session: Session, account: Account, *, is_active: bool, actor: Actor, now: datetime) -> None:
    """Enable or disable an account; disabling ends its sessions at once."""
    require(policy.may_issue_password(actor, account))
    before = {"active": bool(account.active)}
    account.active = is_active
    if not is_active:
        end_sessions(session, account, now=now)
    trace.record(
        session, verb="enable" if is_active else "disable", target=account, before=before,
        after={"active": is_active}, actor=actor, now=now,
    )  # fmt: skip


def unlock(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Take the lock of failed sign-ins off an account."""
    require(policy.may_unlock(actor, account))
    account.locked_until = None
    account.failed_sign_ins = 0
    trace.record(session, verb="unlock", target=account, actor=actor, now=now)


def make_account(
    session: Session, *, username: str, name: str, bureau_id: int | None, subject_id: int | None, email: str = ""
) -> Account:
    """Make an account without a password: nobody can sign in until one is issued."""
    folded = canonical_username(username)
    if account_named(session, folded) is not None:
        raise Conflict(N_("The sign-in name “%(name)s” is taken.", name=folded))
    account = Account(
        username=folded, first_name=name[1:], last_name=name[:1], active=True, password="",
        email=email or f"{folded}@kaoji.invalid", bureau_id=bureau_id, subject_id=subject_id,
        must_change_password=False, failed_sign_ins=0,
    )  # fmt: skip
    session.add(account)
    session.flush()
    return account
