"""Whether a row that is added, changed or removed would act in a period whose results are published.

What a published period rests on stays as it was; names, which nothing is computed from, may be corrected.
Source: docs/scoring.md section 1; house rule on dated rows, targets and external results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

from app.rules.periods import Period

Values = Mapping[str, Any]
WITH_PERIOD = frozenset({"targets", "external_results"})
DATED = frozenset({"units", "people", "postings", "oversight"})
NOT_COMPUTED_FROM = frozenset({"name", "email", "username", "parent", "order", "issuer", "document"})
EVER, NEVER = date.min, date.max


def touched_period(sheet: str, before: Values | None, after: Values | None, closed: Collection[str]) -> str | None:
    """The first closed period a row acts in before or after; None if it may come, change or go.

    `before` is None for a new row, `after` for one that is removed; both are values by the keys of the workbook.
    """
    if before is not None and after is not None and not _differ(before, after):
        return None
    if sheet in WITH_PERIOD:
        named = {str(values.get("period")) for values in (before, after) if values is not None}
        return min(named & set(closed), default=None)
    if sheet not in DATED:
        return None
    return touched_by_days(list(_days(before, after)), closed)


def touched_by_days(spans: Collection[tuple[date, date]], closed: Collection[str]) -> str | None:
    """The first closed month, or else longer period, that shares a day with one of the spans."""
    known = [it for it in map(Period.parse, closed) if it is not None]
    periods = sorted(known, key=lambda it: (it.months, it))
    for period in periods:
        if any(first <= period.last_day and last >= period.first_day for first, last in spans):
            return str(period)
    return None


def _differ(before: Values, after: Values) -> bool:
    names = (before.keys() | after.keys()) - NOT_COMPUTED_FROM
    return any(before.get(name) != after.get(name) for name in names)


def _days(before: Values | None, after: Values | None) -> Iterator[tuple[date, date]]:
    """The days on which the two differ; where only the end moved, the days between the two ends."""
    if before is not None and after is not None and not _differ({**before, "to": None}, {**after, "to": None}):
        ends = sorted((values.get("to") or NEVER) for values in (before, after))
        yield date.fromordinal(min(ends[0].toordinal() + 1, NEVER.toordinal())), ends[1]
        return
    for values in (before, after):
        if values is not None:
            yield values.get("from") or EVER, values.get("to") or NEVER
