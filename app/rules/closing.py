"""Whether a row that is added, changed or removed would act in a period whose results are published.

What a published period rests on stays as it was; names, which nothing is computed from, may be corrected. A
reopen permit opens the period for what it names. Source: docs/scoring.md section 1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.errors import N_
from app.rules.periods import Period
from app.rules.reminders import ReminderEvent

Values = Mapping[str, Any]
WITH_PERIOD = frozenset({"targets", "external_results"})
DATED = frozenset({"units", "people", "postings", "oversight"})
NOT_COMPUTED_FROM = frozenset({"name", "email", "username", "parent", "order", "issuer", "document"})
EVER, NEVER = date.min, date.max
SUBJECT_COLUMNS = ("subject", "staff_no", "code", "unit")


@dataclass(frozen=True, slots=True)
class Permit:
    """A closed period open again for the subjects and indicators it names; none named means all."""

    id: int
    period: Period
    subjects: frozenset[str] = frozenset()
    indicators: frozenset[str] = frozenset()

    def admits(self, subjects: Collection[str], indicator: str | None) -> bool:
        """Whether something about these subjects and this line lies within the permit."""
        is_about = not self.subjects or not self.subjects.isdisjoint(subjects)
        return is_about and (not self.indicators or indicator in self.indicators)

    def opens(self, closed: Collection[str], *, longer: bool) -> frozenset[str]:
        """The closed periods it opens: those inside its own; with `longer` also those around it."""
        mine = self.period
        found = set()
        for text in closed:
            other = Period.parse(text)
            if other is None:
                continue
            is_inside = mine.first_day <= other.first_day and other.last_day <= mine.last_day
            is_around = other.first_day <= mine.first_day and mine.last_day <= other.last_day
            if is_inside or (longer and is_around):
                found.add(text)
        return frozenset(found)


def admitting(
    permits: Sequence[Permit], sheet: str, before: Values | None, after: Values | None, closed: Collection[str]
) -> tuple[str | None, Permit | None]:
    """The closed period a row may not act in, or the permit under which it may; neither where none is touched."""
    touched = touched_period(sheet, before, after, closed)
    if touched is None:
        return None, None
    sides = [values for values in (before, after) if values is not None]
    for permit in permits:
        rest = set(closed) - permit.opens(closed, longer=sheet in DATED)
        is_within = all(permit.admits(_named(values), values.get("indicator")) for values in sides)
        if is_within and touched_period(sheet, before, after, rest) is None:
            return None, permit
    return touched, None


def _named(values: Values) -> set[str]:
    """The subjects a row is about."""
    return {str(values[column]) for column in SUBJECT_COLUMNS if values.get(column) is not None}


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


REMINDERS: Mapping[str, ReminderEvent] = {
    "corrections.decide": ReminderEvent(
        "corrections", N_("A voucher or permit waits for a decision"), "1;3", counts_from_due=False, has_leader=False
    ),
    "corrections.permit_ends": ReminderEvent("corrections", N_("A reopen permit ends"), "-1;0", has_leader=False),
}  # fmt: skip
