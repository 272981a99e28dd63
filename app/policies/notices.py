"""Who reads notifications: only those they were said to; who keeps the ways out of the portal: its administrator."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, true

from app.models import AllowedHost, Channel, ChannelChoice, Notification, Outbox
from app.policies.actor import Actor


def visible_to(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return Notification.account_id == actor.account_id if actor.account_id is not None else false()


def visible_outbox(actor: Actor) -> ColumnElement[bool]:
    """What went out, or did not, is looked after by the system administrator; what the portal said is nobody's page."""
    if actor.is_system:
        return true()
    if not actor.has("system_admin"):
        return false()
    outside = Outbox.channel_id.is_not(None)
    return outside if actor.bureau_id is None else and_(outside, Outbox.bureau_id == actor.bureau_id)


def visible_hosts(actor: Actor) -> ColumnElement[bool]:
    """The list of the installation and that of the own bureau."""
    if actor.is_system or (actor.has("system_admin") and actor.bureau_id is None):
        return true()
    if not actor.has("system_admin"):
        return false()
    return or_(AllowedHost.bureau_id.is_(None), AllowedHost.bureau_id == actor.bureau_id)


def visible_channels(actor: Actor) -> ColumnElement[bool]:
    """The ways out of the own bureau; everybody chooses among them."""
    if actor.is_system or (actor.has("system_admin") and actor.bureau_id is None):
        return true()
    if actor.is_member or actor.has("system_admin"):
        return Channel.bureau_id == actor.bureau_id
    return false()


def visible_choices(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ChannelChoice.account_id == actor.account_id if actor.account_id is not None else false()


def visible_reminders(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.is_system else false()


def may_disallow(actor: Actor, host: AllowedHost) -> bool:
    """Who put it on his list, or who looks after the installation."""
    return may_keep_channels(actor) and actor.bureau_id in (None, host.bureau_id)


def may_keep_channels(actor: Actor) -> bool:
    """Where the portal may speak to is settled by its administrator alone."""
    return actor.has("system_admin")
