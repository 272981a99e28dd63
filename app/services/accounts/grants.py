"""Roles: asked for by one, approved by another, held from day to day; what may not be held together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.errors import N_, NotPermitted, RuleViolation
from app.models import Account, RoleGrant
from app.models.accounts import ADMINISTRATOR_ROLES, BUREAU_ROLES, ROLES
from app.policies import accounts as policy
from app.policies.actor import Actor, require
from app.policies.scoping import UNSCOPED
from app.services import trace
from app.services.accounts.sessions import end_sessions


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
    require(actor.bureau_id in (None, account.bureau_id))  # None: an administrator of the whole installation
    held = session.execute(
        select(RoleGrant.role, RoleGrant.unit_id).where(
            RoleGrant.account_id == account.id,
            or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= (valid_from or date.min)),
            and_(or_(RoleGrant.valid_from.is_(None), RoleGrant.valid_from <= (valid_to or date.max))),
        ),
        execution_options=UNSCOPED,
    ).all()
    check_separation([*(known for known, _unit in held), role])
    if (role, unit_id) in {(known, unit) for known, unit in held}:
        raise RuleViolation(
            N_("%(name)s holds this role in these days already, or it has been asked for.", name=account.username),
            field_name="role",
        )
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
