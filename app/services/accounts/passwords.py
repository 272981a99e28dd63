"""Passwords: prepared outside the transaction, set inside it, lost and given anew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from app.errors import N_, Conflict, RuleViolation, WrongPassword
from app.models import Account, Unit
from app.policies import accounts as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.passwords import bureau_words, fault_of, new_password
from app.services import trace
from app.services.accounts.accounts import close_measure, held_by
from app.services.accounts.sessions import end_sessions

WORDS = "the names of the own bureau, compared with a password and shown to nobody"
INITIAL_LIFE = timedelta(hours=72)


_COMMON = Path(__file__).parents[2] / "data" / "common_passwords.txt"


@cache
def common_passwords() -> frozenset[str]:
    return frozenset(_COMMON.read_text(encoding="utf-8").split())


def words_of_bureau(session: Session, account: Account, *, on: date) -> frozenset[str]:
    """What everybody who knows the bureau would guess: its code, its names and their short forms, the year."""
    names = unscoped(session, WORDS).execute(
        select(Unit.name).where(Unit.bureau_id == account.bureau_id, Unit.kind == "bureau")
    ).scalars()  # fmt: skip
    code = "" if account.bureau is None else account.bureau.code
    return bureau_words(code, tuple(names), on.year)


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that meets the policy and its hash; `replaces` is the stored hash it was asked against.

    Made before the writing transaction that stores it: hashing takes half a second on purpose.
    """

    password: str
    hashed: str
    replaces: str


def prepare_password(account: Account, password: str, *, hash_method: str, words: Collection[str] = ()) -> NewPassword:
    """Hash a password; refuses one that does not meet the policy or holds one of the bureau's `words`."""
    fault = fault_of(password, username=account.username, common=common_passwords(), words=words)
    if fault is not None:
        raise RuleViolation(fault, field_name="password")
    return NewPassword(password, generate_password_hash(password, hash_method), account.password or "")


def prepare_single_use(account: Account, *, hash_method: str) -> NewPassword:
    """Make up a single-use password for an account."""
    password = new_password()
    while fault_of(password, username=account.username, common=common_passwords()) is not None:
        password = new_password()  # one in many thousands holds a sequence by chance
    return prepare_password(account, password, hash_method=hash_method)


def prepare_change(
    account: Account, *, current: str, password: str, hash_method: str, words: Collection[str], now: datetime
) -> NewPassword:
    """Check the current password of an account and hash the one that is to replace it.

    Raises:
        WrongPassword: the current one is wrong; to be counted by `sign_in.note_wrong_password`.
        RuleViolation: the account is locked after too many of these, or the new one does not meet the policy.
    """
    if account.locked_until is not None and account.locked_until > now:
        raise RuleViolation(
            N_("After too many wrong passwords nothing is checked for ten minutes. Try again later."),
            field_name="current",
        )
    if not check_password_hash(account.password, current[:1000]):
        raise WrongPassword(N_("The current password is wrong."), field_name="current")
    if check_password_hash(account.password, password[:1000]):
        raise RuleViolation(N_("The new password must differ from the current one."), field_name="password")
    return prepare_password(account, password, hash_method=hash_method, words=words)


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
    require(policy.may_carry_out(actor, account, "password", held_by(session, account, now)))
    close_measure(account)
    set_password(account, new, now=now)
    account.must_change_password = True
    account.password_expires_at = now + INITIAL_LIFE
    account.locked_until = None
    end_sessions(session, account, now=now)
    trace.record(session, verb="issue_password", target=account, actor=actor, now=now)


def void_password(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Take back a single-use password that nobody could be told; until another is issued nobody signs in with it."""
    require(actor.is_system)
    account.password = ""
    trace.record(session, verb="void_password", target=account, actor=actor, now=now)
