"""The timetable: which rules a bureau has, and the runs that are due by them, each exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.models import Bureau, ScheduleRule
from app.rules.periods import Period
from app.rules.timetable import local_time, monthly_due, nightly_due
from app.services import jobs
from app.services.upsert import insert_once

_RULE, _BUREAU = ScheduleRule.__table__, Bureau.__table__
LATE: Mapping[str, object] = {"job": jobs.LATENESS, "day": None, "hour": 1, "minute": 0}
NIGHT: Mapping[str, object] = {"job": jobs.NIGHTLY, "day": None, "hour": 2, "minute": 0}
CHECK: Mapping[str, object] = {"job": jobs.VERIFY, "day": None, "hour": 4, "minute": 0}
MONTH_END: Mapping[str, object] = {"job": jobs.MONTH_END, "day": 1, "hour": 2, "minute": 30}


def ensure_rules(session: Session, bureau_id: int, *, now: datetime) -> None:
    """Give a bureau its rules from now on: the next night, and the month that runs. Idempotent."""
    local = local_time(now)
    today = local.date().isoformat()
    rows: list[dict[str, object]] = [
        {**LATE, "next_period": nightly_due(today, time(1), local).next_period},
        {**NIGHT, "next_period": nightly_due(today, time(2), local).next_period},
        {**CHECK, "next_period": nightly_due(today, time(4), local).next_period},
        {**MONTH_END, "next_period": str(Period.month_of(local.date()))},
    ]
    insert_once(
        session,
        ScheduleRule,
        [{**row, "bureau_id": bureau_id, "is_enabled": True} for row in rows],
        ("bureau_id", "job"),
    )


def raise_due(session: Session, *, now: datetime) -> int:
    """Write the runs that are due, one per missed period, and move the rules on; answers how many were new.

    Two at once come to the same: the row of a run is unique, and a rule moves only from where it was read.
    """
    rows, local = session.connection(), local_time(now)
    without = select(_BUREAU.c.id).where(
        _BUREAU.c.id.not_in(select(_RULE.c.bureau_id).where(_RULE.c.job == jobs.LATENESS))
    )
    for bureau_id in rows.execute(without).scalars().all():
        ensure_rules(session, bureau_id, now=now)
    query = select(_RULE, _BUREAU.c.code).join(_BUREAU, _BUREAU.c.id == _RULE.c.bureau_id).where(_RULE.c.is_enabled)
    raised = 0
    for rule in rows.execute(query.order_by(_RULE.c.id).with_for_update(of=_RULE)).all():
        at = time(rule.hour, rule.minute)
        due = (
            nightly_due(rule.next_period, at, local)
            if rule.day is None
            else monthly_due(rule.next_period, rule.day, at, local)
        )
        for period in due.periods:
            raised += jobs.raise_run(
                session, bureau_id=rule.bureau_id, scope=rule.code, job=rule.job, period=period, now=now
            )
        if due.periods:
            rows.execute(update(_RULE).where(_RULE.c.id == rule.id).values(next_period=due.next_period))
    return raised
