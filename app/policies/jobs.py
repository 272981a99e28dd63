"""Who sees runs and the timetable, and who may ask for a run."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, select, true

from app.models import DailyFigure, RunEvent, RunLedger, RunStatus, ScheduleRule
from app.policies.actor import Actor


def _of_bureau(actor: Actor, column: object) -> ColumnElement[bool]:
    """The own bureau's, to who sees it whole; the system administrator sees that it runs, and no score."""
    if actor.is_system:
        return true()
    if actor.has("system_admin") and actor.bureau_id is None:
        return true()
    if actor.sees_bureau or actor.has("system_admin"):
        return column == actor.bureau_id  # type: ignore[return-value]
    return false()


def visible_runs(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, RunLedger.bureau_id)


def visible_rules(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, ScheduleRule.bureau_id)


def visible_events(actor: Actor) -> ColumnElement[bool]:
    """The log of a run is read with it."""
    if actor.is_system:
        return true()
    return RunEvent.run_id.in_(select(RunLedger.id).where(visible_runs(actor)))


def visible_figures(actor: Actor) -> ColumnElement[bool]:
    """Figures of a day: of the own units, or of the bureau to who sees it whole."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = DailyFigure.bureau_id == actor.bureau_id
    if actor.sees_bureau or actor.has("supervision_office"):
        return mine
    return mine & DailyFigure.unit_id.in_(actor.own_units | actor.posted_units | actor.charge_units)


def sees_signs(actor: Actor) -> bool:
    """Who looks after what runs by itself: the office, and the system administrator."""
    return actor.has("assessment_office", "system_admin")


def visible_heartbeats(actor: Actor) -> ColumnElement[bool]:
    return true() if sees_signs(actor) else false()


def may_keep_timetable(actor: Actor) -> bool:
    return actor.has("assessment_office")


def may_confirm_clock(actor: Actor) -> bool:
    """Whether the clock is right, whoever keeps the timetable or the machine may say."""
    return actor.has("assessment_office", "system_admin")


def may_run(actor: Actor) -> bool:
    """The office asks for settlements; the timetable does so by itself."""
    return actor.has("assessment_office")


def may_retry(actor: Actor, run: RunLedger) -> bool:
    return may_run(actor) and run.status == RunStatus.FAILED
