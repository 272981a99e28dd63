"""Who sees scores and the errors of settlement.

The office and the leaders see all of the bureau. Everybody else sees results once they are published: the own
ones and those of the own unit; heads and clerks also those of who was in their unit on the period's last day.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, true

from app.models import PeriodScore, ScoreError
from app.policies.actor import Actor
from app.policies.postings import was_posted
from app.policies.published import published_periods


def visible_scores(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = PeriodScore.bureau_id == actor.bureau_id
    if actor.sees_bureau:
        return mine
    reach = actor.posted_units | actor.own_units | ({actor.own_person} - {None})
    was_here = was_posted(PeriodScore.subject_id, actor.own_units, PeriodScore.ended_on)
    is_own = PeriodScore.subject_id.in_(reach) | (PeriodScore.subject_id.in_(actor.own_people) & was_here)
    return and_(mine, is_own, PeriodScore.period.in_(published_periods(actor)))


def visible_errors(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ScoreError.bureau_id == actor.bureau_id if actor.sees_bureau else false()
