"""The stage on which the tasks of the sample bureau are played, day by day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from app.models import Bureau
from app.policies.actor import SYSTEM
from app.rules.workdays import WorkCalendar
from app.services.supervision.night import record_lateness

Step = Callable[[], object]


@dataclass(slots=True)
class Stage:
    """The tasks on their way: what is still to be done, in the order of days."""

    session: Session
    bureau: Bureau
    calendar: WorkCalendar
    steps: list[tuple[date, int, int, Step]] = field(default_factory=list)
    nights: date = date.min
    folder: Path | None = None

    def at(self, day: date, hour: int, step: Step) -> None:
        self.steps.append((day, hour, len(self.steps), step))

    def play(self, until: date) -> None:
        """Do everything up to and with a day, with the night before each working day."""
        self.steps.sort(key=lambda it: it[:3])
        while self.steps and self.steps[0][0] <= until:
            day, _hour, _index, step = self.steps.pop(0)
            self._nights(day)
            step()
        self._nights(until)

    def _nights(self, through: date) -> None:
        day = self.nights
        while day < through:
            day += timedelta(days=1)
            if self.calendar.is_workday(day):
                record_lateness(self.session, self.bureau.id, on=day, actor=SYSTEM, now=instant(day, 8))
        self.nights = max(self.nights, through)


def instant(day: date, hour: int) -> datetime:
    """An instant of the bureau's working day."""
    return datetime.combine(day, time(hour - 8), UTC)
