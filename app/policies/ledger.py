"""Who sees entries, and who may reverse one.

Staff see their own, heads and clerks those of their unit and of its people on the day of the fact,
assessing departments those of their lines, the supervision office what its tasks have posted, the office and the
leaders all of the bureau.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from app.models import Clause, ScoreEntry
from app.policies.actor import Actor
from app.policies.free import free
from app.policies.postings import was_posted


def visible_entries(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = ScoreEntry.bureau_id == actor.bureau_id
    if actor.sees_bureau:
        return mine
    doors: list[ColumnElement[bool]] = []
    if actor.own_person is not None:
        doors.append(ScoreEntry.subject_id == actor.own_person)
    if actor.own_units:
        was_here = was_posted(ScoreEntry.subject_id, actor.own_units, ScoreEntry.occurred_on)
        # The people ever posted here are named, so that an index finds the rows before the days are looked at.
        doors += [
            ScoreEntry.subject_id.in_(actor.own_units),
            ScoreEntry.subject_id.in_(actor.own_people) & was_here,
        ]
    if actor.has("supervision_office"):
        doors.append(ScoreEntry.source == "supervision")
    if actor.lines:
        clause = Clause.__table__.alias().c
        lines = select(clause.id).where(clause.bureau_id == actor.bureau_id, clause.indicator_code.in_(actor.lines))
        doors.append(ScoreEntry.clause_id.in_(lines))
    return and_(mine, or_(false(), *doors))


def may_register_any(actor: Actor) -> bool:
    """Whether the registration page has anything for the actor: the office, and who assesses a line.

    Lines are assessed by departments, and by the head of a unit under the unit's own scheme.
    """
    return actor.has("assessment_office") or (actor.has("assessor", "unit_head") and bool(actor.lines))


def may_register(actor: Actor, *, indicator: str, subject_id: int, is_of_unit: bool) -> bool:
    """The office registers under every line, an assessing department under its own.

    Nobody registers about himself, and no department about its own unit: the office does that. The head of a
    unit registers under the unit's own scheme about who was posted to it on the day of the fact (`is_of_unit`).
    """
    if not free(actor, {subject_id}):
        return False
    if actor.has("assessment_office"):
        return True
    if indicator not in actor.lines:
        return False
    return actor.has("assessor") or (actor.has("unit_head") and is_of_unit)


def may_reverse(actor: Actor, entry: ScoreEntry) -> bool:
    """The office reverses a wrong fact; never one about oneself."""
    return (
        actor.has("assessment_office")
        and entry.kind == "fact"
        and not entry.is_reversed
        and free(actor, {entry.subject_id})
    )
