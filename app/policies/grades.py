"""Who proposes, confirms and reads decided grades, and who signs for the notice of one."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from app.models import GradeDecision, ResultNotice
from app.policies.actor import Actor


def visible_decisions(actor: Actor) -> ColumnElement[bool]:
    """The office and the leaders see all; others what is confirmed, of themselves and of the own unit."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = GradeDecision.bureau_id == actor.bureau_id
    if actor.sees_bureau:
        return mine
    reach = actor.posted_units | ({actor.own_person} - {None})
    return mine & (GradeDecision.state == "confirmed") & GradeDecision.subject_id.in_(reach)


def visible_notices(actor: Actor) -> ColumnElement[bool]:
    """A notice is for its subject: the person, or heads and clerks of the unit; the office follows its way."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = ResultNotice.bureau_id == actor.bureau_id
    if actor.sees_bureau:
        return mine
    return mine & ResultNotice.subject_id.in_(actor.own_units | ({actor.own_person} - {None}))


def may_propose(actor: Actor) -> bool:
    return actor.has("assessment_office")


def may_confirm(actor: Actor, decision: GradeDecision) -> bool:
    """A bureau leader, never who proposed it, and not about himself."""
    return (
        actor.has("bureau_leader")
        and decision.state == "proposed"
        and decision.proposed_by_id != actor.account_id
        and decision.subject_id not in actor.selves
    )


def may_receive(actor: Actor, notice: ResultNotice) -> bool:
    """The person himself; for a unit its head or clerk."""
    is_own = notice.subject_id == actor.own_person or notice.subject_id in actor.own_units
    return is_own and notice.received_at is None
