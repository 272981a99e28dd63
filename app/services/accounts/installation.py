"""The first accounts of an installation: three administrators with single-use passwords."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Account, Bureau, FolderKey, RoleGrant, UserSession
from app.models.accounts import ADMINISTRATOR_ROLES
from app.policies.actor import SYSTEM
from app.policies.scoping import UNSCOPED, unscoped
from app.services import trace
from app.services.accounts import accounts, grants, passwords

WHOLE = "who administers which bureau is asked by whoever has the server"
Printed = tuple[str, str, str]


def first_administrators(session: Session, *, hash_method: str, now: datetime) -> list[Printed]:
    """Make one account for each administrator, with a single-use password; nothing if there are accounts."""
    if session.scalar(select(func.count(Account.id)).select_from(Account), execution_options=UNSCOPED):
        return []
    printed = _administrators(session, None, hash_method=hash_method, now=now)
    trace.record(session, verb="install", target="installation", actor=SYSTEM, now=now)
    return printed


def administrators_of(session: Session, bureau: Bureau, *, hash_method: str, now: datetime) -> list[Printed]:
    """Make the three administrators of a further bureau; refused where it has one already."""
    grant, account = RoleGrant.__table__.c, Account.__table__.c
    query = (
        select(account.username)
        .join(RoleGrant.__table__, grant.account_id == account.id)
        .where(account.bureau_id == bureau.id, grant.role.in_(ADMINISTRATOR_ROLES), grant.approved_at.is_not(None))
    )  # fmt: skip
    known = unscoped(session, WHOLE).execute(query.limit(1)).scalar()
    if known is not None:
        raise RuleViolation(N_("Bureau %(code)s has an administrator already: %(name)s.", code=bureau.code, name=known))
    printed = _administrators(session, bureau, hash_method=hash_method, now=now)
    trace.record(session, verb="install", target=bureau, actor=SYSTEM, now=now)
    return printed


def administrators(session: Session) -> list[Printed]:
    """Who administers which bureau: user name, role, code of the bureau (blank: the installation)."""
    grant, account, bureau = RoleGrant.__table__.c, Account.__table__.c, Bureau.__table__.c
    query = (
        select(account.username, grant.role, func.coalesce(bureau.code, ""))
        .select_from(RoleGrant.__table__.join(Account.__table__, grant.account_id == account.id))
        .outerjoin(Bureau.__table__, bureau.id == account.bureau_id)
        .where(grant.role.in_(ADMINISTRATOR_ROLES), grant.approved_at.is_not(None), account.active.is_(True))
        .order_by(bureau.code, grant.role, account.username)
    )  # fmt: skip
    return [(row[0], row[1], row[2]) for row in unscoped(session, WHOLE).execute(query)]


def duties(session: Session, *, bureau_id: int | None) -> dict[str, dict[str, list[str]]]:
    """By bureau code (blank: the installation) who holds each of the three roles; of one bureau, or of all for None.

    A role nobody holds stands with an empty list: the bureau lacks that administrator.
    """
    query = select(Bureau.code) if bureau_id is None else select(Bureau.code).where(Bureau.id == bureau_id)
    codes = sorted(unscoped(session, WHOLE).execute(query).scalars())
    found: dict[str, dict[str, list[str]]] = {code: {role: [] for role in ADMINISTRATOR_ROLES} for code in ["", *codes]}
    for username, role, code in administrators(session):
        if code in found:
            found[code][role].append(username)
    return found


def _administrators(session: Session, bureau: Bureau | None, *, hash_method: str, now: datetime) -> list[Printed]:
    printed = []
    for role in ADMINISTRATOR_ROLES:
        username = role if bureau is None else f"{bureau.code}-{role}"
        account = accounts.make_account(
            session, username=username, name=role, bureau_id=None if bureau is None else bureau.id, subject_id=None
        )
        grants.approve_grant(
            session,
            grants.ask_grant(
                session, account, role=role, unit_id=None, valid_from=None, valid_to=None, batch_id=None,
                actor=SYSTEM, now=now,
            ),
            actor=SYSTEM,
            now=now,
        )  # fmt: skip
        new = passwords.prepare_single_use(account, hash_method=hash_method)
        passwords.issue_password(session, account, new, actor=SYSTEM, now=now)
        printed.append((account.username, role, new.password))
    return printed


def keep_keys(session: Session, keys: Mapping[str, str], *, accept: bool, now: datetime) -> None:
    """Note the keys of the data folder by their fingerprints, or refuse another machine's.

    Cookies signed by one machine would be nobody's on the other, and sealed secrets would not open. `accept` is said
    by who has lost a key and knows that everybody signs in again.
    """
    table = FolderKey.__table__
    rows = unscoped(session, "keys belong to no bureau")
    known = {row.name: row.fingerprint for row in rows.execute(select(table.c.name, table.c.fingerprint))}
    for name, key in keys.items():
        fingerprint = hashlib.sha256(key.encode()).hexdigest()
        if known.get(name) == fingerprint:
            continue
        if name in known and not accept:
            raise RuleViolation(
                N_(
                    "The key %(name)s of this data folder is not the one the installation was made with. Machines of "
                    "one installation share the folder or its keys; after a loss: flask init --new-keys",
                    name=name,
                )
            )
        rows.execute(delete(table).where(table.c.name == name))
        rows.execute(insert(table).values(name=name, fingerprint=fingerprint, kept_at=now))


def never_used(session: Session) -> list[Account]:
    """Accounts of administrators whose single-use password nobody has used: it may be lost, run out or void."""
    granted = select(RoleGrant.account_id).where(RoleGrant.role.in_(ADMINISTRATOR_ROLES))
    signed_in = select(UserSession.account_id)
    query = select(Account).where(Account.id.in_(granted), Account.id.not_in(signed_in)).order_by(Account.username)
    return list(session.scalars(query.execution_options(**UNSCOPED)))
