"""Who sees and changes the organisation: units, people, postings, divisions of work, calendar."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, or_, true

from app.models import Bureau, CalendarDay, Oversight, Person, Posting, Relation, Subject, Unit
from app.policies.actor import Actor


def _of_bureau(actor: Actor, column: object) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if actor.is_member or actor.has("system_admin", "security_admin"):
        if actor.bureau_id is None:
            return true() if actor.is_administrator else false()
        return column == actor.bureau_id  # type: ignore[return-value]
    return false()


def visible_bureaus(actor: Actor) -> ColumnElement[bool]:
    """The own bureau; an administrator of the installation sees all."""
    return _of_bureau(actor, Bureau.id)


def visible_subjects(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Subject.bureau_id)


def visible_units(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Unit.bureau_id)


def visible_people(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Person.bureau_id)


def visible_postings(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Posting.bureau_id)


def visible_oversight(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Oversight.bureau_id)


def visible_days(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, CalendarDay.bureau_id)


def may_keep_organisation(actor: Actor) -> bool:
    """Units, people, postings and divisions of work are kept by the office and the system administrator."""
    return actor.has("assessment_office", "system_admin")


def may_keep_calendar(actor: Actor) -> bool:
    return actor.has("assessment_office", "system_admin")


def visible_relations(actor: Actor) -> ColumnElement[bool]:
    """A declared relation is for the assessment office and the two people."""
    if actor.is_system:
        return true()
    if actor.has("assessment_office"):
        return Relation.bureau_id == actor.bureau_id
    own = [] if actor.own_person is None else [actor.own_person]
    return or_(Relation.person_id.in_(own), Relation.other_id.in_(own))


def may_keep_relations(actor: Actor) -> bool:
    return actor.has("assessment_office")
