"""Which periods' results are published: what several policies ask before they show a result."""

from __future__ import annotations

from sqlalchemy import Select, select

from app.models import Bulletin
from app.policies.actor import Actor
from app.rules.bulletin import BulletinState


def published_periods(actor: Actor) -> Select[tuple[str]]:
    """The periods of the actor's bureau whose results are published."""
    bulletin = Bulletin.__table__.alias().c
    return select(bulletin.period).where(
        bulletin.bureau_id == actor.bureau_id, bulletin.state == BulletinState.PUBLISHED
    )
