"""The first accounts of an installation: three administrators with single-use passwords."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Account, RoleGrant, UserSession
from app.models.accounts import ADMINISTRATOR_ROLES
from app.policies.actor import SYSTEM
from app.policies.scoping import UNSCOPED
from app.services import accounts, trace

Printed = tuple[str, str, str]


def first_administrators(session: Session, *, hash_method: str, now: datetime) -> list[Printed]:
    """Make one account for each administrator, with a single-use password; nothing if there are accounts."""
    if session.scalar(select(func.count(Account.id)).select_from(Account), execution_options=UNSCOPED):
        return []
    printed = []
    for role in ADMINISTRATOR_ROLES:
        account = accounts.make_account(session, username=role, name=role, bureau_id=None, subject_id=None)
        accounts.approve_grant(
            session,
            accounts.ask_grant(
                session, account, role=role, unit_id=None, valid_from=None, valid_to=None, batch_id=None,
                actor=SYSTEM, now=now,
            ),
            actor=SYSTEM,
            now=now,
        )  # fmt: skip
        new = accounts.prepare_single_use(account, hash_method=hash_method)
        accounts.issue_password(session, account, new, actor=SYSTEM, now=now)
        printed.append((account.username, role, new.password))
    trace.record(session, verb="install", target="installation", actor=SYSTEM, now=now)
    return printed


def never_used(session: Session) -> list[Account]:
    """Accounts of administrators whose single-use password nobody has used: it may be lost, run out or void."""
    granted = select(RoleGrant.account_id).where(RoleGrant.role.in_(ADMINISTRATOR_ROLES))
    signed_in = select(UserSession.account_id)
    query = select(Account).where(Account.id.in_(granted), Account.id.not_in(signed_in)).order_by(Account.username)
    return list(session.scalars(query.execution_options(**UNSCOPED)))
