"""The board of tasks by unit and state, and their statistics; every figure opens the list that adds up to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask import abort, request, url_for
from flask_appbuilder import expose, has_access
from flask_babel import gettext
from sqlalchemy import select

from app.extensions import db
from app.models import Subject, SupervisedTask
from app.rules.days import read_period
from app.rules.periods import Period
from app.rules.supervision import OPEN, TaskState
from app.security import sessions
from app.services.desk.daily_figures import days_of
from app.services.supervision.statistics import BY, FIGURES, Line, board, posted_by_unit, statistics
from app.views.shell.labels import WORDS, subject_name
from app.views.shell.periods import calendar_now, period_word

TREND_DAYS = 60
BOARD_STATES = (TaskState.DRAFT, *OPEN, TaskState.CLOSED)
FIGURE_ARGS: Mapping[str, Mapping[str, str]] = {
    "tasks": {}, "open": {"state": "open"}, "overdue": {"late": "overdue"}, "late": {"late": "late"},
    "closed": {"state": "closed"}, "cancelled": {"state": "cancelled"}, "slips": {"slip": "any"},
}  # fmt: skip


class TaskTablesMixin:
    """Two tables over the tasks in scope."""

    render_template: Any

    @expose("/board")
    @has_access
    def board(self) -> str:
        """Tasks by lead unit and state."""
        latest = calendar_now().latest(sessions.today())
        rows = board(db.session(), latest_workday=latest)
        subjects = _subjects({it.unit_id for it in rows})
        rows.sort(key=lambda it: subjects[it.unit_id].code)
        totals = {state: sum(it.states.get(state, 0) for it in rows) for state in BOARD_STATES}
        return str(
            self.render_template(
                "supervision/board.html", title=gettext("Tasks by unit and state"), rows=rows, states=BOARD_STATES,
                totals=totals, overdue=sum(it.overdue for it in rows), codes={pk: it.code for pk, it in subjects.items()},
                names={pk: subject_name(it) for pk, it in subjects.items()},
            )
        )  # fmt: skip

    @expose("/statistics")
    @has_access
    def statistics(self) -> str:
        """Tasks handed over in a span of time, by unit, leader, source or month."""
        by = request.args.get("by", BY[0])
        period = read_period(request.args.get("period", "") or str(sessions.today().year))
        if by not in BY or period is None:
            abort(400)
        latest = calendar_now().latest(sessions.today())
        found = statistics(db.session(), by, first=period.first_day, last=period.last_day, latest_workday=latest)
        lines = _named(found, by, period)
        figures = FIGURES
        return str(
            self.render_template(
                "supervision/statistics.html", title=gettext("Statistics of supervised tasks"), by=by, bys=BY, lines=lines,
                figures=figures, period=str(period), years=_years(), word_of=period_word,
                totals={name: sum(line["line"].figures[name] for line in lines) for name in figures},
                entries=sum(line["entries"] for line in lines), trend=_trend(),
            )
        )  # fmt: skip


def _trend() -> dict[str, Any]:
    """Open and overdue tasks at the end of each of the last days, as they were counted then, in the actor's scope."""
    last = sessions.today()
    first = last - timedelta(days=TREND_DAYS)
    found = {it: days_of(db.session(), it, first=first, last=last) for it in ("tasks_open", "tasks_overdue")}
    late = dict(found["tasks_overdue"])
    found["tasks_overdue"] = [(day, late.get(day, 0)) for day, _ in found["tasks_open"]]
    most = max((value for days in found.values() for _, value in days), default=0) or 1
    lines = {
        it: " ".join(f"{100 * (day - first).days / TREND_DAYS:.1f},{96 - 92 * value / most:.1f}" for day, value in days)
        for it, days in found.items()
    }
    return {"days": found, "lines": lines, "first": first, "last": last, "most": most}


def _list(**args: Any) -> str:
    return url_for("TaskView.list", **args)


def _ledger(unit: str, period: Period) -> str:
    args: dict[str, Any] = {"source": "supervision", "kind": "fact", "subject": unit, "month": str(period)}
    return url_for("ScoreEntryView.list", **args)


def _subjects(ids: set[int]) -> dict[int, Subject]:
    return {subject.id: subject for subject in db.session.scalars(select(Subject).where(Subject.id.in_(ids)))}


def _years() -> list[str]:
    """The years in which tasks were handed over, newest first."""
    first = db.session.scalar(select(SupervisedTask.assigned_on).order_by(SupervisedTask.assigned_on).limit(1))
    since = sessions.today().year if first is None else first.year
    return [str(year) for year in range(sessions.today().year, since - 1, -1)]


def _named(found: list[Line], by: str, period: Period) -> list[dict[str, Any]]:
    """Each line with its name, and the address of the list behind each figure."""
    subjects = _subjects({it.key for it in found}) if by in ("unit", "leader") else {}
    posted = posted_by_unit(db.session(), period.month_keys) if by == "unit" else {}
    lines = []
    for group in found:
        months: dict[str, Any] = {"month": str(period)}
        if by == "month":
            first = date(int(group.key) // 100, int(group.key) % 100, 1)
            name = order = str(Period.month_of(first))
            keys: dict[str, Any] = {"month": name}
        elif by == "source":
            name, order, keys = str(WORDS["task_source"][group.key]), str(group.key), {**months, "source": group.key}
        else:
            subject = subjects[group.key]
            name, order, keys = subject_name(subject), subject.code, {**months, by: subject.code}
        urls = {figure: _list(**keys, **args) for figure, args in FIGURE_ARGS.items()}
        line: dict[str, Any] = {"line": group, "name": name, "order": order, "urls": urls, "entries": 0, "ledger": ""}
        if by == "unit":
            line["entries"] = posted.get(group.key, 0)
            line["ledger"] = _ledger(subjects[group.key].code, period)
        lines.append(line)
    return sorted(lines, key=lambda it: it["order"])
