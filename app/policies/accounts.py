"""Who keeps accounts and grants: the three administrators, each only the own part.

Source: trust demands AC-01 and AC-02.
"""

from __future__ import annotations

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


def may_issue_password(actor: Actor, account: Account) -> bool:
    """The system administrator issues single-use passwords, never to himself."""
    return actor.has("system_admin") and account.id != actor.account_id


def may_unlock(actor: Actor, account: Account) -> bool:
    return actor.has("security_admin") and account.id != actor.account_id


def may_approve(actor: Actor, grant: RoleGrant) -> bool:
    """The security administrator approves grants of others; nobody approves his own."""
    return actor.has("security_admin") and grant.account_id != actor.account_id and grant.approved_at is None


def may_end(actor: Actor, grant: RoleGrant) -> bool:
    return actor.has("security_admin") and grant.account_id != actor.account_id
