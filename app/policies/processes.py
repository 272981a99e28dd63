"""The list of processes, and what follows from it: who sets whose rules, who sees which files."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, and_, false, or_, true

from app.models import Attachment
from app.policies import supervision
from app.policies.actor import Actor
from app.policies.process import Access

# By the name of the record's table, under which files, opinions and the trace name it.
ACCESS: Mapping[str, Access] = {"supervised_task": supervision.ACCESS}
KEEPERS: Mapping[str, tuple[str, ...]] = {
    "supervision": supervision.ACCESS.keepers,
    **dict.fromkeys(("reminders", "opinions", "bulletin", "corrections", "grades"), ("assessment_office",)),
}


def may_set_rule(actor: Actor, process: str) -> bool:
    return actor.has(*KEEPERS[process])


def visible_attachments(actor: Actor) -> ColumnElement[bool]:
    """A file is seen with the record it hangs on; what was removed is nobody's any more."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    doors = [
        and_(Attachment.item_type == item_type, Attachment.item_id.in_(access.seen(actor)))
        for item_type, access in ACCESS.items()
    ]
    return and_(Attachment.removed_at.is_(None), or_(false(), *doors))
