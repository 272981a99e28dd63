"""The first accounts of an installation: three administrators with single-use passwords."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Account
from app.models.accounts import ADMINISTRATOR_ROLES
from app.policies.actor import SYSTEM
from app.services import accounts, trace

Printed = tuple[str, str, str]


def first_administrators(session: Session, *, hash_method: str, now: datetime) -> list[Printed]:
    """Make one account for each administrator, with a single-use password; nothing if there are accounts."""
    if session.scalar(select(func.count(Account.id)), execution_options=accounts.UNSCOPED):
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
        password = accounts.issue_password(session, account, hash_method=hash_method, actor=SYSTEM, now=now)
        printed.append((account.username, role, password))
    trace.record(session, verb="install", target="installation", actor=SYSTEM, now=now)
    return printed
