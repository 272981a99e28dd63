"""Acting for a colleague on leave: set from day to day, taken up by the substitute, both names on every act."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Message, RuleViolation
from app.models import Account, ActingGrant, RoleGrant, UserSession
from app.policies import process as policy
from app.policies.actor import ADMINISTRATOR_ROLES, Actor, Origin, require
from app.policies.scoping import UNSCOPED, unscoped
from app.rules.timetable import local_time
from app.services import trace
from app.services.accounts.actors import actor_of
from app.services.messages import notices

WHY = "sessions that acted under a grant are ended, whoever's they are"
LONGEST_DAYS = 180
FILE = Path(__file__).parents[2] / "data" / "process.toml"


def set_acting(
    session: Session, *, absent: Account, substitute: Account, valid_from: date | None, valid_to: date | None,
    reason: str, actor: Actor, now: datetime,
) -> ActingGrant:  # fmt: skip
    """Let a colleague act for somebody from day to day."""
    require(policy.may_set_acting(actor, absent.id))
    today = local_time(now).date()
    if actor.account_id != absent.id and substitute.id == actor.account_id:
        raise RuleViolation(N_("Nobody names himself for somebody else."), field_name="substitute")
    if actor.account_id != absent.id and _holds(session, absent, {"bureau_leader"}, on=today):
        raise RuleViolation(N_("A leader names his substitute himself."), field_name="absent")
    if substitute.id == absent.id:
        raise RuleViolation(N_("Nobody acts for himself."), field_name="substitute")
    if substitute.bureau_id != absent.bureau_id or absent.bureau_id != actor.bureau_id:
        raise RuleViolation(N_("Both are of the own bureau."), field_name="substitute")
    for account, name in ((absent, "absent"), (substitute, "substitute")):
        if _holds(session, account, ADMINISTRATOR_ROLES, on=today):
            raise RuleViolation(N_("Administrators act for nobody, and nobody for them."), field_name=name)
    if valid_from is None or valid_to is None or not today <= valid_from <= valid_to:
        raise RuleViolation(N_("The days begin today or later and end after they begin."), field_name="valid_to")
    if (valid_to - valid_from).days > LONGEST_DAYS:
        raise RuleViolation(N_("At most %(count)s days.", count=LONGEST_DAYS), field_name="valid_to")
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    assert absent.bureau_id is not None
    grant = ActingGrant(
        bureau_id=absent.bureau_id, absent_id=absent.id, substitute_id=substitute.id,
        absent_name=absent.get_full_name(), substitute_name=substitute.get_full_name(), valid_from=valid_from,
        valid_to=valid_to, reason=reason.strip()[:300], set_by=actor.name, set_at=now,
    )  # fmt: skip
    session.add(grant)
    session.flush()
    trace.record(session, verb="set_acting", target=grant, reason=grant.reason, after=trace.facts_of(grant),
                 actor=actor, now=now)  # fmt: skip
    text = N_(
        "You act for %(name)s from %(first)s to %(last)s.", name=absent.get_full_name(), first=valid_from.isoformat(),
        last=valid_to.isoformat(),
    )  # fmt: skip
    _tell(session, grant, substitute.id, text, now)
    return grant


def _holds(session: Session, account: Account, roles: Collection[str], *, on: date) -> bool:
    query = select(RoleGrant.id).where(
        RoleGrant.account_id == account.id, RoleGrant.role.in_(roles),
        RoleGrant.valid_to.is_(None) | (RoleGrant.valid_to >= on),
    )  # fmt: skip
    return session.scalar(query.limit(1), execution_options=UNSCOPED) is not None


def end_acting(session: Session, grant: ActingGrant, *, actor: Actor, now: datetime) -> None:
    """End it before its day; whoever acts under it is himself again with the next request."""
    require(policy.may_end_acting(actor, grant))
    grant.ended_at = now
    session.flush()
    _put_down(session, grant)
    trace.record(session, verb="end_acting", target=grant, actor=actor, now=now)
    _tell(
        session,
        grant,
        grant.substitute_id,
        N_("You no longer act for %(name)s.", name=grant.absent_name),
        now,
    )


def _put_down(session: Session, grant: ActingGrant) -> None:
    table = UserSession.__table__
    unscoped(session, WHY).execute(
        update(table).where(table.c.acting_grant_id == grant.id).values(acting_grant_id=None)
    )


def open_grants(session: Session, *, actor: Actor, on: date) -> Sequence[ActingGrant]:
    """The colleagues somebody may act for today."""
    query = select(ActingGrant).where(
        ActingGrant.substitute_id == actor.account_id, ActingGrant.ended_at.is_(None), ActingGrant.valid_from <= on,
        ActingGrant.valid_to >= on,
    )  # fmt: skip
    return session.scalars(query.order_by(ActingGrant.id)).unique().all()


def take_up(session: Session, grant: ActingGrant | None, *, session_id: int, actor: Actor, now: datetime) -> None:
    """Begin to act for a colleague in this session, or (None) be oneself again."""
    if grant is not None:
        if actor.substitute_id is not None:
            raise Conflict(N_("First be yourself again: nobody acts for two."))
        is_mine = grant.substitute_id == actor.account_id and grant in open_grants(
            session, actor=actor, on=local_time(now).date()
        )
        require(is_mine)
    row = session.get_one(UserSession, session_id, execution_options=UNSCOPED)
    row.acting_grant_id = None if grant is None else grant.id
    session.flush()
    verb = "act_for" if grant is not None else "act_as_oneself"
    trace.record(session, verb=verb, target=row if grant is None else grant, actor=actor, now=now)


@cache
def _both_names() -> str:
    """How both names stand on every act of a substitute, the same in every language."""
    return str(tomllib.loads(FILE.read_text(encoding="utf-8"))["acting"])


def acting_actor(session: Session, own: Actor, grant_id: int, *, on: date, origin: Origin) -> Actor | None:
    """The colleague as whom somebody acts: the colleague's roles and units, the own account, both names.

    None where the grant does not hold any more.
    """
    grant = session.get(ActingGrant, grant_id, execution_options=UNSCOPED)
    if grant is None or grant.ended_at is not None or not grant.valid_from <= on <= grant.valid_to:
        return None
    if grant.substitute_id != own.account_id or own.is_administrator or not own.is_member:
        return None
    account = session.get_one(Account, grant.absent_id, execution_options=UNSCOPED)
    absent = actor_of(session, account, on=on, origin=origin)
    if not account.active or absent.is_administrator or not absent.is_member:
        return None
    return replace(
        absent, account_id=own.account_id, username=own.username, substitute_id=own.subject_id, is_acting=True,
        relations=absent.relations | own.relations,
        own_people=absent.own_people - {absent.subject_id}, substitute_units=own.posted_units | own.own_units,
        name=_both_names().format(absent=absent.name, substitute=own.name),
    )  # fmt: skip


def _tell(session: Session, grant: ActingGrant, account: int, text: Message, now: datetime) -> None:
    notices.say(
        session, [account], category="opinion", key=f"acting:{grant.id}:{grant.ended_at is None}", text=text,
        item="acting:", bureau_id=grant.bureau_id, now=now,
    )  # fmt: skip
