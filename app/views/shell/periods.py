"""Periods on pages: their words, the one an address names, and the switch in the top bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask import abort, g, request

from app.extensions import db
from app.rules.days import read_period
from app.rules.periods import Period, Span
from app.rules.workdays import WorkCalendar
from app.services.bureau.calendar import work_calendar
from app.wording import say


def calendar_now() -> WorkCalendar:
    """The work calendar of the actor's bureau; read once a request."""
    if "work_calendar" not in g:
        g.work_calendar = work_calendar(db.session(), g.actor.bureau_id)
    found: WorkCalendar = g.work_calendar
    return found


SPANS = (Span.MONTH, Span.QUARTER, Span.YEAR)


def period_word(period: Period | str | None) -> str:
    """A period as it is spoken."""
    found = read_period(period) if isinstance(period, str) else period
    return str(period or "") if found is None else say(found.spoken)


def period_argument(known: Sequence[Period], *, on: date) -> Period | None:
    """The period of the address; without one the newest month that is over, or the newest of those known."""
    given = request.args.get("period", "")
    if given:
        found = read_period(given)
        if found is None:
            abort(400)
        return found
    months = [known_one for known_one in known if known_one.span is Span.MONTH]
    over = [month for month in months if month.has_ended(on)]
    return next(iter(over or months or known), None)


def switch(period: Period, known: Sequence[Period], address: Callable[[Period], str]) -> dict[str, Any]:
    """What the top bar shows: the three lengths, and the periods before and after that are known."""
    same = sorted(known_one for known_one in known if known_one.span is period.span)
    before = [it for it in same if it < period]
    after = [it for it in same if it > period]
    lengths = []
    for span in SPANS:
        wanted = period.of_span(span) if span is not Span.MONTH or period.span is Span.MONTH else None
        fitting = [known_one for known_one in known if known_one.span is span]
        if wanted not in fitting:
            inside = [it for it in fitting if it.first_day >= period.first_day and it.last_day <= period.last_day]
            wanted = max(inside or fitting, default=None)
        lengths.append(
            {"span": span.value, "url": address(wanted) if wanted else "", "is_current": span is period.span}
        )
    return {
        "lengths": lengths,
        "word": period_word(period),
        "before": address(before[-1]) if before else "",
        "after": address(after[0]) if after else "",
    }
