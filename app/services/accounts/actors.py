"""Who an account is today: its roles from the grants in force, its units from postings and oversight.

One account or all of a bureau are read by the same statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, literal, or_, select, union_all
from sqlalchemy.orm import Session

from app.models import Account, Indicator, Oversight, Posting, Relation, RoleGrant, Scheme, SchemeState, Unit
from app.policies.actor import Actor, Origin
from app.policies.postings import leavers
from app.policies.scoping import UNSCOPED, unscoped

HELD = "whom a single administrator may not become hangs on the roles of the account, whoever looks"
WHY = "who somebody is must be known before a scope can be"
HEADING = ("unit_head", "clerk")
Sets = Mapping[int, set[Any]]


def actor_of(session: Session, account: Account, *, on: date, origin: Origin) -> Actor:
    """Build the actor in at most eight statements, whatever the size of the bureau."""
    return _actors(session, [account], on=on, origin=origin)[0]


def actors_of_bureau(session: Session, bureau_id: int, *, on: date) -> list[Actor]:
    """Everybody of a bureau whose account may sign in, as the actors they are on a day; in the order of their ids.

    Whoever asks: it serves to find whom a matter waits for, and shows nothing of anybody but the name.
    """
    query = select(Account).where(Account.bureau_id == bureau_id, Account.active.is_(True)).order_by(Account.id)
    accounts = session.scalars(query, execution_options=UNSCOPED).unique().all()
    return _actors(session, accounts, on=on, origin=Origin())


def _actors(session: Session, accounts: Sequence[Account], *, on: date, origin: Origin) -> list[Actor]:
    grants = _grants(session, [account.id for account in accounts], on)
    people = [account.subject_id for account in accounts if account.subject_id is not None and grants[account.id]]
    posted = _postings(session, people, on)
    charge, related = _ties(session, people, on)
    headed = {account.id: _headed(grants[account.id], posted[account.subject_id or 0]) for account in accounts}
    assessing = {account.id: _assessing(grants[account.id], posted[account.subject_id or 0]) for account in accounts}
    lines = _lines(session, _all(assessing))
    below = _below(session, on) if any(headed.values()) else {}
    own = {pk: frozenset(_with_below(units, below)) for pk, units in headed.items()}
    heads = {
        account.id: own[account.id]
        for account in accounts
        if any(role == "unit_head" for role, _ in grants[account.id])
    }
    own_lines = _own_lines(session, heads)
    ever = _ever_posted(session, _all(own))

    def lines_of(pk: int) -> frozenset[str]:
        return frozenset(line for unit in assessing[pk] for line in lines[unit]) | own_lines.get(pk, frozenset())

    return [
        Actor(
            account_id=account.id, name=account.get_full_name(), username=account.username, bureau_id=account.bureau_id,
            subject_id=account.subject_id, roles=frozenset(role for role, _ in grants[account.id]),
            posted_units=frozenset(posted[account.subject_id or 0]), own_units=own[account.id],
            own_people=frozenset(person for unit in own[account.id] for person in ever[unit]),
            relations=frozenset(related[account.subject_id or 0]),
            charge_units=frozenset(charge[account.subject_id or 0]),
            lines=lines_of(account.id), address=origin.address, session_ref=origin.session_ref,
            request_id=origin.request_id,
        )
        for account in accounts
    ]  # fmt: skip


def _all(found: Mapping[int, Collection[int]]) -> set[int]:
    return {unit for units in found.values() for unit in units}


def _gather(session: Session, query: Any) -> Sets:
    """Rows of two columns as sets of the second by the first."""
    found: dict[int, set[Any]] = defaultdict(set)
    for key, *rest in unscoped(session, WHY).execute(query):
        found[key].add(rest[0] if len(rest) == 1 else tuple(rest))
    return found


def _grants(session: Session, accounts: Collection[int], on: date) -> Sets:
    """Role and unit of every grant in force, by account."""
    grant = RoleGrant.__table__.c
    return _gather(session, select(grant.account_id, grant.role, grant.unit_id).where(
        grant.account_id.in_(accounts), grant.approved_at.is_not(None), _covers(grant.valid_from, grant.valid_to, on),
        grant.account_id.not_in(leavers(on)),
    ))  # fmt: skip


def roles_held(session: Session, accounts: Collection[int], *, on: date) -> dict[int, frozenset[str]]:
    """The roles each account holds or will hold: approved and not yet ended."""
    grant = RoleGrant.__table__.c
    rows = unscoped(session, HELD).execute(
        select(grant.account_id, grant.role).where(
            grant.account_id.in_(accounts), grant.approved_at.is_not(None),
            or_(grant.valid_to.is_(None), grant.valid_to >= on),
        )
    )  # fmt: skip
    found: dict[int, set[str]] = {pk: set() for pk in accounts}
    for pk, role in rows:
        found[pk].add(role)
    return {pk: frozenset(roles) for pk, roles in found.items()}


def _postings(session: Session, people: Collection[int], on: date) -> Sets:
    posting = Posting.__table__.c
    if not people:
        return defaultdict(set)
    return _gather(session, select(posting.person_id, posting.unit_id).where(
        posting.person_id.in_(people), _covers(posting.valid_from, posting.valid_to, on)
    ))  # fmt: skip


def _ties(session: Session, people: Collection[int], on: date) -> tuple[Sets, Sets]:
    """The units each person is in charge of, and who stands in a declared relation to him."""
    charge: dict[int, set[int]] = defaultdict(set)
    related: dict[int, set[int]] = defaultdict(set)
    if not people:
        return charge, related
    oversight, relation = Oversight.__table__.c, Relation.__table__.c
    holds = _covers(relation.valid_from, relation.valid_to, on)
    rows = unscoped(session, WHY).execute(
        union_all(
            select(oversight.leader_id, oversight.unit_id, literal("charge")).where(
                oversight.leader_id.in_(people), oversight.unit_id.is_not(None),
                _covers(oversight.valid_from, oversight.valid_to, on),
            ),
            select(relation.person_id, relation.other_id, literal("relation")).where(
                relation.person_id.in_(people), holds
            ),
            select(relation.other_id, relation.person_id, literal("relation")).where(
                relation.other_id.in_(people), holds
            ),
        )
    )  # fmt: skip
    for person, other, tie in rows:
        (charge if tie == "charge" else related)[person].add(other)
    return charge, related


def _headed(grants: Iterable[tuple[str, int | None]], posted: set[int]) -> set[int]:
    """The units headed or clerked: those the grants name, and those of the posting where a grant names none."""
    found = {unit for role, unit in grants if unit is not None and role in HEADING}
    return found | posted if any(unit is None and role in HEADING for role, unit in grants) else found


def _assessing(grants: Collection[tuple[str, int | None]], posted: set[int]) -> set[int]:
    """The departments whose lines an assessor assesses."""
    named = {unit for role, unit in grants if role == "assessor" and unit is not None}
    if named:
        return named
    return posted if any(role == "assessor" for role, _ in grants) else set()


def _lines(session: Session, units: Collection[int]) -> Sets:
    indicator = Indicator.__table__.c
    if not units:
        return defaultdict(set)
    return _gather(
        session, select(indicator.assessor_unit_id, indicator.code).where(indicator.assessor_unit_id.in_(units))
    )


def _own_lines(session: Session, heads: Mapping[int, frozenset[int]]) -> dict[int, frozenset[str]]:
    """The lines of the schemes in force by which units assess their own staff, those of nobody else's schemes."""
    units = _all(heads)
    if not units:
        return {}
    indicator, scheme = Indicator.__table__.c, Scheme.__table__.c
    query = select(scheme.owner_unit_id, indicator.code).join(Scheme.__table__, scheme.id == indicator.scheme_id)
    in_force = scheme.state == SchemeState.IN_FORCE
    mine = _gather(session, query.where(scheme.owner_unit_id.in_(units), in_force))
    if not mine:
        return {}
    codes = {code for found in mine.values() for code in found}
    owners: dict[str, set[int | None]] = defaultdict(set)
    for owner, code in unscoped(session, WHY).execute(query.where(in_force, indicator.code.in_(codes))):
        owners[code].add(owner)
    return {
        pk: frozenset(code for unit in own for code in mine.get(unit, ()) if owners[code] <= own)
        for pk, own in heads.items()
    }


def _ever_posted(session: Session, units: Collection[int]) -> Sets:
    posting = Posting.__table__.c
    if not units:
        return defaultdict(set)
    return _gather(session, select(posting.unit_id, posting.person_id).where(posting.unit_id.in_(units)))


def _covers(start: ColumnElement[date], end: ColumnElement[date], on: date) -> ColumnElement[bool]:
    return or_(start.is_(None), start <= on) & or_(end.is_(None), end >= on)


def _below(session: Session, on: date) -> Sets:
    """The units right below each unit."""
    unit = Unit.__table__.c
    return _gather(session, select(unit.parent_id, unit.subject_id).where(_covers(unit.valid_from, unit.valid_to, on)))


def _with_below(units: Iterable[int], below: Sets) -> set[int]:
    found: set[int] = set()
    waiting = list(units)
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting += below.get(step, ())
    return found
