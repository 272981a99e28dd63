"""Who sees runs and the timetable, and who may ask for a run."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, true

from app.models import RunLedger, RunStatus, ScheduleRule
from app.policies.actor import Actor


def visible_runs(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return RunLedger.bureau_id == actor.bureau_id if actor.sees_bureau else false()


def visible_rules(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ScheduleRule.bureau_id == actor.bureau_id if actor.sees_bureau else false()


def may_run(actor: Actor) -> bool:
    """The office asks for settlements; the timetable does so by itself."""
    return actor.has("assessment_office")


def may_retry(actor: Actor, run: RunLedger) -> bool:
    return may_run(actor) and run.status == RunStatus.FAILED
