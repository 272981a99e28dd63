"""Signing in and out, passwords, sessions and grants of roles."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from app.errors import N_, Conflict, NotPermitted, RuleViolation
from app.models import Account, RoleGrant, TraceEntry, UserSession
from app.models.accounts import ADMINISTRATOR_ROLES, BUREAU_ROLES, ROLES
from app.policies import accounts as policy
from app.policies.actor import Actor, require
from app.policies.scoping import UNSCOPED
from app.rules.passwords import canonical_username, fault_of, new_password
from app.services import trace

MOST_FAILURES = 5
LOCK = timedelta(minutes=10)
INITIAL_LIFE = timedelta(hours=72)
ABSOLUTE_LIFE = timedelta(hours=12)
STAMP_EVERY = timedelta(seconds=60)
SPRAY_WINDOW = timedelta(minutes=5)
SPRAY_LIMIT = 40
_COMMON = Path(__file__).parents[2] / "data" / "common_passwords.txt"


@cache
def common_passwords() -> frozenset[str]:
    return frozenset(_COMMON.read_text(encoding="utf-8").split())


@cache
def _dummy_hash(method: str) -> str:
    """A hash nobody knows the password of, equal in cost to the real ones."""
    return generate_password_hash(secrets.token_urlsafe(16), method)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A successful sign-in: the account and the token that goes into the cookie."""

    account_id: int
    token: str


def account_named(session: Session, username: str) -> Account | None:
    """Find an account by its sign-in name, folded as AU-01 asks."""
    found: Account | None = session.scalar(
        select(Account).where(Account.username == canonical_username(username)),
        execution_options=UNSCOPED,
    )
    return found


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

    Five failures in a row lock the account; many failures from one address throttle that address.
    """
    account = account_named(session, username)
    is_locked = account is not None and account.locked_until is not None and account.locked_until > now
    if (
        account is None
        or not verified
        or account.password != verified
        or is_locked
        or not account.active
        or (account.password_expires_at is not None and account.password_expires_at < now)
        or _is_spraying(session, actor.address, now)
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


def is_throttled(session: Session, address: str, *, now: datetime) -> bool:
    """Whether so many sign-ins from an address have failed that no more are looked at for a while."""
    return _is_spraying(session, address, now)


def _is_spraying(session: Session, address: str, now: datetime) -> bool:
    if not address:
        return False
    failures = session.scalar(
        select(func.count(TraceEntry.seq))
        .select_from(TraceEntry)
        .where(
            TraceEntry.at > now - SPRAY_WINDOW,
            TraceEntry.verb == "sign_in",
            TraceEntry.result == "refused",
            TraceEntry.address == address,
        ),
        execution_options=UNSCOPED,
    )
    return (failures or 0) >= SPRAY_LIMIT


def _note_failure(
    session: Session, account: Account | None, *, username: str, is_locked: bool, actor: Actor, now: datetime
) -> None:
    label = canonical_username(username)[:64]
    trace.record(
        session, verb="sign_in", target=account or "account", label=label, result="refused", actor=actor, now=now
    )
    if account is None or is_locked:
        return
    account.failed_sign_ins = (account.failed_sign_ins or 0) + 1
    if account.failed_sign_ins >= MOST_FAILURES:
        account.failed_sign_ins = 0
        account.locked_until = now + LOCK
        trace.record(session, verb="lock", target=account, label=label, actor=actor, now=now)


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


def in_force(grants: Iterable[RoleGrant], on: date) -> frozenset[str]:
    """The roles that approved grants give on a day; days inclusive."""
    return frozenset(
        grant.role
        for grant in grants
        if grant.approved_at is not None
        and (grant.valid_from is None or grant.valid_from <= on)
        and (grant.valid_to is None or on <= grant.valid_to)
    )


def check_separation(roles: Iterable[str]) -> None:
    """Refuse two administrator roles, or one of them beside a role of the bureau's own work.

    Source: trust demand AC-01.
    """
    held = set(roles)
    administrators = held.intersection(ADMINISTRATOR_ROLES)
    if len(administrators) > 1 or (administrators and held.intersection(BUREAU_ROLES)):
        raise RuleViolation(N_("Nobody holds two administrator roles, nor one beside another role."), field_name="role")


def ask_grant(
    session: Session,
    account: Account,
    *,
    role: str,
    unit_id: int | None,
    valid_from: date | None,
    valid_to: date | None,
    batch_id: int | None,
    actor: Actor,
    now: datetime,
) -> RoleGrant:
    """Ask for a role; it waits for the security administrator and gives nothing before."""
    if role not in ROLES:
        raise RuleViolation(N_("“%(role)s” is no role.", role=role), field_name="role")
    held = session.scalars(
        select(RoleGrant.role).where(
            RoleGrant.account_id == account.id,
            or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= (valid_from or date.min)),
            and_(or_(RoleGrant.valid_from.is_(None), RoleGrant.valid_from <= (valid_to or date.max))),
        ),
        execution_options=UNSCOPED,
    )
    check_separation([*held, role])
    grant = RoleGrant(
        bureau_id=account.bureau_id, account_id=account.id, role=role, unit_id=unit_id,
        valid_from=valid_from, valid_to=valid_to, asked_by=actor.name, batch_id=batch_id,
    )  # fmt: skip
    session.add(grant)
    session.flush()
    trace.record(
        session, verb="ask_grant", target=grant, label=f"{account.username} {role}",
        after=trace.facts_of(grant), actor=actor, now=now,
    )  # fmt: skip
    return grant


def approve_grant(session: Session, grant: RoleGrant, *, actor: Actor, now: datetime) -> None:
    """Approve a waiting grant; the account's sessions end, so that the new rights begin cleanly."""
    require(
        actor.is_system or policy.may_approve(actor, grant),
        N_("You cannot approve a grant to yourself or one that is approved already."),
    )
    grant.approved_by = actor.name
    grant.approved_at = now
    end_sessions(session, grant.account, now=now)
    trace.record(
        session, verb="approve_grant", target=grant, label=f"{grant.account.username} {grant.role}",
        actor=actor, now=now,
    )  # fmt: skip


def end_grant(session: Session, grant: RoleGrant, *, on: date, actor: Actor, now: datetime) -> None:
    """End a grant: its last day is the day before `on`; the account's sessions end."""
    require(policy.may_end(actor, grant))
    if grant.valid_to is not None and grant.valid_to < on:
        raise NotPermitted(N_("The grant has ended already."))
    before = trace.facts_of(grant)
    last = on - timedelta(days=1)
    if grant.valid_from is not None and grant.valid_from > last:
        grant.valid_from = last
    grant.valid_to = last
    end_sessions(session, grant.account, now=now)
    trace.record(
        session, verb="end_grant", target=grant, label=f"{grant.account.username} {grant.role}",
        before=before, after=trace.facts_of(grant), actor=actor, now=now,
    )  # fmt: skip
