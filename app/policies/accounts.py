"""Who keeps accounts and grants: the three administrators, each only the own part.

Source: trust demands AC-01 and AC-02.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, false, or_, true

from app.models import Account, RoleGrant, TraceEntry, UserSession
from app.policies.actor import Actor


def _bureau(actor: Actor, column: Any) -> ColumnElement[bool]:
    return true() if actor.bureau_id is None else column == actor.bureau_id


def visible_accounts(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if actor.has("system_admin", "security_admin"):
        return _bureau(actor, Account.bureau_id)
    if actor.has("audit_admin"):
        return or_(Account.id == actor.account_id, _bureau(actor, Account.bureau_id) & (Account.asked_measure != ""))
    return Account.id == actor.account_id if actor.account_id is not None else false()


def visible_grants(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if actor.has("security_admin", "system_admin"):
        return _bureau(actor, RoleGrant.bureau_id)
    return RoleGrant.account_id == actor.account_id if actor.account_id is not None else false()


def visible_sessions(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system or actor.has("security_admin"):
        return true()
    return UserSession.account_id == actor.account_id if actor.account_id is not None else false()


def visible_trace(actor: Actor) -> ColumnElement[bool]:
    """Only the audit administrator reads the whole trace; others see what they did themselves."""
    if actor.is_system:
        return true()
    if actor.has("audit_admin"):
        return or_(TraceEntry.bureau_id.is_(None), _bureau(actor, TraceEntry.bureau_id))
    return TraceEntry.actor_id == actor.account_id if actor.account_id is not None else false()


def may_keep_account(actor: Actor, account: Account) -> bool:
    """The system administrator issues passwords, disables and enables, or asks for it; never about himself."""
    return actor.has("system_admin") and account.id != actor.account_id


def is_guarded(held: Collection[str]) -> bool:
    """Whether who holds these roles is somebody an administrator could gain from becoming."""
    return not frozenset(held) <= {"staff"}


def may_carry_out(actor: Actor, account: Account, measure: str, held: Collection[str]) -> bool:
    """Whether the actor does to an account what is to be done: `password`, `disable` or `enable`.

    Alone the system administrator does it to plain staff only. For everybody else he asks and another releases: the
    security administrator, and for a security administrator the audit administrator. `held`: the account's roles.
    """
    if actor.is_system:
        return True
    return (may_keep_account(actor, account) and not is_guarded(held)) or (
        account.asked_measure == measure and may_release(actor, account, held)
    )


def releaser(held: Collection[str]) -> str:
    """The role that releases what is asked for an account."""
    return "audit_admin" if "security_admin" in held else "security_admin"


def may_release(actor: Actor, account: Account, held: Collection[str]) -> bool:
    """Whether what was asked for an account is this actor's to release: never the account's own, nor who asked."""
    is_another = actor.account_id not in (account.id, account.asked_by_id)
    return account.asked_measure != "" and actor.has(releaser(held)) and is_another


def may_unlock(actor: Actor, account: Account) -> bool:
    return actor.has("security_admin") and account.id != actor.account_id


def may_approve(actor: Actor, grant: RoleGrant) -> bool:
    """The security administrator approves grants of others; nobody approves his own."""
    return actor.has("security_admin") and grant.account_id != actor.account_id and grant.approved_at is None


def may_end(actor: Actor, grant: RoleGrant) -> bool:
    return actor.has("security_admin") and grant.account_id != actor.account_id
