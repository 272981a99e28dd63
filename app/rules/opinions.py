"""What people said on a record and wait for an answer to: when they are reminded of it. Source: mission B11."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import N_
from app.rules.reminders import ReminderEvent

REMINDERS: Mapping[str, ReminderEvent] = {
    "opinions.answer": ReminderEvent(
        "opinions", N_("A request or an urge waits for its answer"), "1;3;leader:5", counts_from_due=False
    ),
}  # fmt: skip
