"""What every process shares: who sets its rules, and who sees its rules, files and saved searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import ColumnElement, and_, false, or_, select, true

from app.models import (
    ActingGrant,
    Attachment,
    ProcessRule,
    SavedFilter,
    SupervisedTask,
)
from app.policies.actor import Actor
from app.policies.supervision import visible_tasks

KEEPERS: Mapping[str, tuple[str, ...]] = {
    "supervision": ("supervision_office", "assessment_office"),
    **dict.fromkeys(("reminders", "opinions", "bulletin", "corrections", "grades"), ("assessment_office",)),
}
# What a file may hang on: the records of a type that the actor sees. A process adds its own row.
HOLDERS: Mapping[str, Callable[[Actor], ColumnElement[int]]] = {
    "supervised_task": lambda actor: select(SupervisedTask.id).where(visible_tasks(actor)).correlate(None),  # type: ignore[dict-item, return-value]
}


def visible_rules(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ProcessRule.bureau_id == actor.bureau_id if actor.is_member else false()


def may_set_rule(actor: Actor, process: str) -> bool:
    return actor.has(*KEEPERS[process])


def visible_national_days(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.is_system or actor.is_member or actor.has("system_admin") else false()


def visible_submissions(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.is_system else false()


def visible_filters(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return SavedFilter.account_id == actor.account_id if actor.account_id is not None else false()


def visible_attachments(actor: Actor) -> ColumnElement[bool]:
    """A file is seen with the record it hangs on; what was removed is nobody's any more."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    doors = [
        and_(Attachment.item_type == kind, Attachment.item_id.in_(seen(actor)))  # type: ignore[arg-type]
        for kind, seen in HOLDERS.items()
    ]
    return and_(Attachment.removed_at.is_(None), or_(false(), *doors))


def visible_acting(actor: Actor) -> ColumnElement[bool]:
    """Grants of the own person on either side; the offices see all of the bureau."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = ActingGrant.bureau_id == actor.bureau_id
    if actor.has("assessment_office", "bureau_leader"):
        return mine
    return mine & or_(ActingGrant.absent_id == actor.account_id, ActingGrant.substitute_id == actor.account_id)


def may_set_acting(actor: Actor, absent_id: int) -> bool:
    """The colleague himself, or the assessment office; nobody while acting for somebody."""
    if actor.substitute_id is not None:
        return False
    return actor.is_member and (actor.account_id == absent_id or actor.has("assessment_office"))


def may_end_acting(actor: Actor, grant: ActingGrant) -> bool:
    return grant.ended_at is None and may_set_acting(actor, grant.absent_id)
