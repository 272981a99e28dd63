"""The list of processes for their rules: what each reminds of, and what a bureau may settle for it."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import N_
from app.rules import bulletin, closing, opinions, supervision
from app.rules.reminders import ReminderEvent, read_quiet
from app.rules.scoring import grading
from app.rules.settings import ProcessRuleKind

# What the processes remind of; a new process adds its table.
EVENTS: Mapping[str, ReminderEvent] = {
    **supervision.REMINDERS, **opinions.REMINDERS, **bulletin.REMINDERS, **closing.REMINDERS, **grading.REMINDERS,
}  # fmt: skip
REMINDER = "remind."
QUIET = "reminders.quiet"
PROCESS_RULES: Mapping[str, ProcessRuleKind] = {
    **supervision.SETTINGS,
    QUIET: ProcessRuleKind("reminders", N_("Quiet hours: nothing leaves the portal"), "18:00-08:00", read_quiet),
    **{
        f"{REMINDER}{name}": ProcessRuleKind(event.process, event.title, event.default, event.read)
        for name, event in EVENTS.items()
    },
}  # fmt: skip
