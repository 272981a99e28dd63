"""Accounts: found by name, made, switched on and off, unlocked."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Conflict
from app.models import Account, Person
from app.policies import accounts as policy
from app.policies.actor import Actor, require
from app.policies.scoping import UNSCOPED, unscoped
from app.rules.passwords import canonical_username
from app.rules.timetable import local_time
from app.services import trace
from app.services.accounts.actors import roles_held
from app.services.accounts.sessions import end_sessions

GONE = "who has left has no scope any more; that he has is asked before anybody is signed in"
MEASURES = ("password", "disable", "enable")


def account_named(session: Session, username: str, *, held: bool = False) -> Account | None:
    """Find an account by its sign-in name, folded as AU-01 asks; held, nobody else counts its failures meanwhile."""
    query = select(Account).where(Account.username == canonical_username(username))
    if held:
        query = query.with_for_update(of=Account).execution_options(populate_existing=True)
    found: Account | None = session.scalar(query, execution_options=UNSCOPED)
    return found


def has_left(session: Session, account: Account, *, on: date) -> bool:
    """Whether the person of an account is in the register of people, but no longer on a day."""
    if account.subject_id is None:
        return False
    rows = unscoped(session, GONE).execute(
        select(Person.valid_from, Person.valid_to).where(Person.subject_id == account.subject_id)
    ).all()  # fmt: skip
    return bool(rows) and all(last is not None and last < on for _first, last in rows)


def held_by(session: Session, account: Account, now: datetime) -> frozenset[str]:
    """The roles an account holds or will hold."""
    return roles_held(session, [account.id], on=local_time(now).date())[account.id]


def ask_measure(session: Session, account: Account, measure: str, *, actor: Actor, now: datetime) -> None:
    """Ask for a password for somebody with a role, or to disable or enable the account; another releases it."""
    require(policy.may_keep_account(actor, account) and measure in MEASURES)
    if account.asked_measure:
        raise Conflict(N_("Something has been asked for this account already; it waits to be released."))
    account.asked_measure, account.asked_by_id, account.asked_by = measure, actor.account_id, actor.name
    trace.record(session, verb="ask_measure", target=account, after={"measure": measure}, actor=actor, now=now)


def decline_measure(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Do not release what was asked for an account."""
    require(policy.may_release(actor, account, held_by(session, account, now)))
    trace.record(
        session, verb="decline_measure", target=account, before={"measure": account.asked_measure}, actor=actor, now=now
    )
    close_measure(account)


def close_measure(account: Account) -> None:
    """What was asked for an account is done or declined."""
    account.asked_measure, account.asked_by_id, account.asked_by = "", None, ""


def set_active(session: Session, account: Account, *, is_active: bool, actor: Actor, now: datetime) -> None:
    """Enable or disable an account; disabling ends its sessions at once."""
    measure = "enable" if is_active else "disable"
    require(policy.may_carry_out(actor, account, measure, held_by(session, account, now)))
    close_measure(account)
    before = {"active": bool(account.active)}
    account.active = is_active
    if not is_active:
        end_sessions(session, account, now=now)
    trace.record(
        session, verb=measure, target=account, before=before,
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
