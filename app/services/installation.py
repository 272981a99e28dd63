"""The first accounts of an installation: three administrators, or the sample bureau to try things on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.documents.layout import layout
from app.documents.workbook_writer import write_workbook
from app.models import Account, RoleGrant
from app.models.accounts import ADMINISTRATOR_ROLES, ROLES
from app.policies.actor import SYSTEM
from app.rules.passwords import new_password
from app.services import accounts, imports, trace

Printed = tuple[str, str, str]
_SAMPLE = Path(__file__).parent.parent / "data" / "sample.toml"


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


def trial_password(session: Session, account: Account, *, hash_method: str, now: datetime) -> str:
    """Give a sample account a random password that needs no change at first sign-in."""
    password = new_password()
    accounts.set_password(account, password, hash_method=hash_method, now=now)
    trace.record(session, verb="issue_password", target=account, actor=SYSTEM, now=now)
    return password


def sample_rows() -> dict[str, list[dict[str, Any]]]:
    """The sample bureau as rows of the workbook."""
    data = tomllib.loads(_SAMPLE.read_text(encoding="utf-8"))
    return {
        sheet: [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]] for sheet, table in data.items()
    }


def _one_for_each_role(session: Session) -> Iterator[tuple[str, Account]]:
    """A different person for each role: who holds it with the fewest others."""
    held: dict[Account, set[str]] = {}
    for grant in session.scalars(select(RoleGrant).order_by(RoleGrant.id)):
        held.setdefault(grant.account, set()).add(grant.role)
    taken: set[int] = set()
    for role in ROLES:
        fitting = [account for account, roles in held.items() if role in roles and account.id not in taken]
        chosen = min(fitting, key=lambda account: (len(held[account]), account.id))
        taken.add(chosen.id)
        yield role, chosen


def load_sample(session: Session, *, hash_method: str, now: datetime) -> list[Printed]:
    """Load the sample bureau by the same import as any bureau's; one account per role gets a password.

    Idempotent: where there are accounts, nothing is loaded and nothing printed.
    """
    if session.scalar(select(func.count(Account.id)), execution_options=accounts.UNSCOPED):
        return []
    content = write_workbook(layout(), sample_rows())
    plan, batch = imports.load_workbook(
        session, content, file_name="sample.xlsx", bureau_code=None, actor=SYSTEM, now=now
    )
    if batch is None:
        raise RuntimeError(f"the sample bureau has faults: {[str(it.reason) for it in plan.problems]}")
    printed = []
    for role, account in _one_for_each_role(session):
        password = trial_password(session, account, hash_method=hash_method, now=now)
        printed.append((account.username, role, password))
    return printed
