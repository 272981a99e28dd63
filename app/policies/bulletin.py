"""Who sees bulletins and who may move them: the office drafts and publishes, a bureau leader signs.

What is published is read by everybody of the bureau; what is not, by the office and the leaders alone.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, false, select, true

from app.models import Bulletin, BulletinFile
from app.policies.actor import Actor
from app.rules.bulletin import TRANSITIONS, BulletinState, BulletinVerb


def visible_bulletins(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = Bulletin.bureau_id == actor.bureau_id
    return mine if actor.sees_bureau else mine & (Bulletin.state == BulletinState.PUBLISHED)


def visible_files(actor: Actor) -> ColumnElement[bool]:
    """Files exist only of what was published; they go with their bulletin."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    bulletin = Bulletin.__table__.alias().c
    return exists(
        select(bulletin.id).where(bulletin.id == BulletinFile.bulletin_id, bulletin.bureau_id == actor.bureau_id)
    )


def _is_next(bulletin: Bulletin, verb: BulletinVerb) -> bool:
    return (BulletinState(bulletin.state), verb) in TRANSITIONS


def may_draft(actor: Actor) -> bool:
    return actor.has("assessment_office")


def may_edit(actor: Actor, bulletin: Bulletin) -> bool:
    return may_draft(actor) and bulletin.state == BulletinState.DRAFT


def may_submit(actor: Actor, bulletin: Bulletin) -> bool:
    return may_draft(actor) and _is_next(bulletin, BulletinVerb.SUBMIT)


def may_sign(actor: Actor, bulletin: Bulletin) -> bool:
    """A leader, and never who submitted it: two people answer for what is published."""
    is_other = actor.is_system or bulletin.submitted_by_id != actor.account_id
    return actor.has("bureau_leader") and is_other and _is_next(bulletin, BulletinVerb.SIGN)


def may_return(actor: Actor, bulletin: Bulletin) -> bool:
    """The leader sends back; the office takes back what is not yet published."""
    return actor.has("bureau_leader", "assessment_office") and _is_next(bulletin, BulletinVerb.RETURN)


def may_publish(actor: Actor, bulletin: Bulletin) -> bool:
    return may_draft(actor) and _is_next(bulletin, BulletinVerb.PUBLISH)
