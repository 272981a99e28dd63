"""Who sees and moves permits and vouchers: the office asks, a second person decides."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from app.models import CorrectionVoucher, ReopenPermit
from app.policies.actor import Actor


def visible_permits(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ReopenPermit.bureau_id == actor.bureau_id if actor.sees_bureau else false()


def visible_vouchers(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return CorrectionVoucher.bureau_id == actor.bureau_id if actor.sees_bureau else false()


def may_ask(actor: Actor) -> bool:
    """Permits and vouchers are asked for by the assessment office."""
    return actor.has("assessment_office")


def may_decide(actor: Actor, record: ReopenPermit | CorrectionVoucher) -> bool:
    """A bureau leader decides, and never who asked: two people answer for what reaches back into the past."""
    return actor.has("bureau_leader") and record.state == "asked" and record.asked_by_id != actor.account_id


def may_withdraw(actor: Actor, record: ReopenPermit | CorrectionVoucher) -> bool:
    return may_ask(actor) and record.state == "asked"


def may_close(actor: Actor, permit: ReopenPermit) -> bool:
    """The office closes a permit before its end; at its end it closes by itself."""
    return may_ask(actor) and permit.state == "granted"
