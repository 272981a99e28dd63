"""Who an account is today: its roles from the grants in force, its units from postings and oversight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.models import Account, Indicator, Oversight, Posting, RoleGrant, Scheme, SchemeState, Unit
from app.policies.actor import Actor, Origin


def actor_of(session: Session, account: Account, *, on: date, origin: Origin) -> Actor:
    """Build the actor in at most seven statements, whatever the size of the bureau."""
    rows = session.connection()
    grant = RoleGrant.__table__.c
    grants = rows.execute(
        select(grant.role, grant.unit_id).where(
            grant.account_id == account.id,
            grant.approved_at.is_not(None),
            _covers(grant.valid_from, grant.valid_to, on),
        )
    ).all()
    roles = frozenset(role for role, _ in grants)
    posted: set[int] = set()
    headed: set[int] = set()
    charge: set[int] = set()
    if account.subject_id is not None and roles:
        posting = Posting.__table__.c
        here = _covers(posting.valid_from, posting.valid_to, on)
        posted = set(
            rows.execute(select(posting.unit_id).where(posting.person_id == account.subject_id, here)).scalars()
        )
        headed = {unit for role, unit in grants if unit is not None and role in ("unit_head", "clerk")}
        if any(unit is None and role in ("unit_head", "clerk") for role, unit in grants):
            headed |= posted
        oversight = Oversight.__table__.c
        charge = set(
            rows.execute(
                select(oversight.unit_id).where(
                    oversight.leader_id == account.subject_id,
                    oversight.unit_id.is_not(None),
                    _covers(oversight.valid_from, oversight.valid_to, on),
                )
            ).scalars()
        )
    assessing = {unit for role, unit in grants if role == "assessor" and unit is not None} or (
        posted if "assessor" in roles else set()
    )
    lines: frozenset[str] = frozenset()
    if assessing:
        indicator = Indicator.__table__.c
        lines = frozenset(
            rows.execute(select(indicator.code).where(indicator.assessor_unit_id.in_(assessing))).scalars()
        )
    own = frozenset(_with_below(session, headed, on)) if headed else frozenset()
    if own and "unit_head" in roles:
        lines |= _own_lines(session, own)
    return Actor(
        account_id=account.id,
        name=account.get_full_name(),
        username=account.username,
        bureau_id=account.bureau_id,
        subject_id=account.subject_id,
        roles=roles,
        posted_units=frozenset(posted),
        own_units=own,
        own_people=_ever_posted(session, own) if own else frozenset(),
        charge_units=frozenset(charge),
        lines=lines,
        address=origin.address,
        session_ref=origin.session_ref,
        request_id=origin.request_id,
    )


def _own_lines(session: Session, units: Iterable[int]) -> frozenset[str]:
    """The lines of the schemes in force by which units assess their own staff, those of nobody else's schemes."""
    indicator, scheme = Indicator.__table__.c, Scheme.__table__.c
    query = select(indicator.code).join(Scheme.__table__, scheme.id == indicator.scheme_id)
    in_force = scheme.state == SchemeState.IN_FORCE
    mine = set(session.connection().execute(query.where(scheme.owner_unit_id.in_(units), in_force)).scalars())
    if not mine:
        return frozenset()
    elsewhere = or_(scheme.owner_unit_id.is_(None), scheme.owner_unit_id.not_in(units))
    others = session.connection().execute(query.where(elsewhere, indicator.code.in_(mine))).scalars()
    return frozenset(mine - set(others))


def _ever_posted(session: Session, units: Iterable[int]) -> frozenset[int]:
    posting = Posting.__table__.c
    found = session.connection().execute(select(posting.person_id).where(posting.unit_id.in_(units)))
    return frozenset(found.scalars())


def _covers(start: ColumnElement[date], end: ColumnElement[date], on: date) -> ColumnElement[bool]:
    return or_(start.is_(None), start <= on) & or_(end.is_(None), end >= on)


def _with_below(session: Session, units: Iterable[int], on: date) -> set[int]:
    unit = Unit.__table__.c
    below = defaultdict(list)
    for child, parent in session.connection().execute(
        select(unit.subject_id, unit.parent_id).where(_covers(unit.valid_from, unit.valid_to, on))
    ):
        below[parent].append(child)
    found: set[int] = set()
    waiting = list(units)
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting += below[step]
    return found
