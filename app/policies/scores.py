"""Who sees scores and the errors of settlement.

The office and the leaders see all of the bureau. Everybody else sees results once they are published: the own
ones and those of the own unit; heads and clerks also those of the people of their unit.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, true

from app.models import PeriodScore, ScoreError
from app.policies.actor import Actor
from app.policies.published import published_periods


def visible_scores(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = PeriodScore.bureau_id == actor.bureau_id
    if actor.sees_bureau:
        return mine
    reach = actor.posted_units | actor.own_units | actor.own_people | ({actor.subject_id} - {None})
    return and_(mine, PeriodScore.subject_id.in_(reach), PeriodScore.period.in_(published_periods(actor)))


def visible_errors(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ScoreError.bureau_id == actor.bureau_id if actor.sees_bureau else false()
