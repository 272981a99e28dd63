"""Who sees scores, runs and errors of settlement."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from app.models import PeriodScore, RunLedger, ScoreError
from app.policies.actor import Actor


def visible_scores(actor: Actor) -> ColumnElement[bool]:
    """Until results are published, only the office and the leaders see them."""
    if actor.is_system:
        return true()
    return PeriodScore.bureau_id == actor.bureau_id if actor.sees_bureau else false()


def visible_errors(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ScoreError.bureau_id == actor.bureau_id if actor.sees_bureau else false()


def visible_runs(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return RunLedger.bureau_id == actor.bureau_id if actor.sees_bureau else false()
