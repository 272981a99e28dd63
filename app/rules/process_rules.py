"""What a bureau may settle for its processes beyond its schemes: the closed list of such rules, with their defaults.

A rule is a short text with a reader of its own; rows are dated, and the one in force on the day of the fact holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import N_, Message, RuleViolation
from app.rules import bulletin, closing, grading, opinions, supervision
from app.rules.reminders import ReminderEvent, read_quiet
from app.rules.supervision import COLOURS, Rung

# What is worth something without a word of whoever registers: the night posts under such clauses only.
PRICED = ("fixed", "ladder", "every_n")


@dataclass(frozen=True, slots=True)
class ProcessRuleKind:
    """One thing that may be settled: its process, its words, what holds without a row, and how its text is read."""

    process: str
    title: Message
    default: str
    read: Callable[[str], Any]
    is_clause: bool = False
    is_priced: bool = False


def small_whole(text: str) -> int | None:
    """A whole number of at most four digits; None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None


def read_count(text: str) -> int:
    """A whole number from 0 to 366."""
    found = small_whole(text)
    if found is None or found > 366:
        raise RuleViolation(N_("This is a whole number from 0 to 366."), field_name="value")
    return found


def read_ladder(text: str) -> tuple[Rung, ...]:
    """Read `1:blue;2:yellow;5:red`: from how many working days late which slip is issued, in rising order."""
    found: list[Rung] = []
    for part in text.split(";"):
        days, _, colour = (it.strip() for it in part.partition(":"))
        late = small_whole(days) or 0
        if colour not in COLOURS or not 1 <= late <= 366:
            raise RuleViolation(N_("A ladder is written as 1:blue;2:yellow;5:red."), field_name="value")
        found.append(Rung(late, colour))
    rises = all(
        one.days < other.days and COLOURS.index(one.colour) < COLOURS.index(other.colour)
        for one, other in itertools.pairwise(found)
    )
    if not rises:
        raise RuleViolation(N_("Days and colours of a ladder rise together: blue, yellow, red."), field_name="value")
    return tuple(found)


def read_codes(text: str) -> tuple[str, ...]:
    """Codes of clauses, separated by `;`; none where it is blank."""
    return tuple(it.strip() for it in text.split(";") if it.strip())


def read_code(text: str) -> str:
    """One code of a clause, or nothing."""
    found = read_codes(text)
    if len(found) > 1:
        raise RuleViolation(N_("Only one clause can stand here."), field_name="value")
    return found[0] if found else ""


# What the processes remind of; a new process adds its table.
EVENTS: Mapping[str, ReminderEvent] = {
    **supervision.REMINDERS, **opinions.REMINDERS, **bulletin.REMINDERS, **closing.REMINDERS, **grading.REMINDERS,
}  # fmt: skip
REMINDER = "remind."
QUIET = "reminders.quiet"
PROCESS_RULES: Mapping[str, ProcessRuleKind] = {
    "supervision.extensions": ProcessRuleKind(
        "supervision", N_("Extensions of one stage, at most"), "1", read_count
    ),
    "supervision.extension_days": ProcessRuleKind(
        "supervision", N_("Working days of one extension, at most"), "10", read_count
    ),
    "supervision.redo_days": ProcessRuleKind(
        "supervision", N_("Working days to redo what was sent back, at least"), "3", read_count
    ),
    "supervision.ladder": ProcessRuleKind(
        "supervision", N_("Slips by working days late"), "1:blue;2:yellow;5:red", read_ladder
    ),
    "supervision.late_clause": ProcessRuleKind(
        "supervision", N_("Clause for each working day late"), "", read_code, is_clause=True, is_priced=True
    ),
    "supervision.blue_clause": ProcessRuleKind(
        "supervision", N_("Clause for a blue slip"), "", read_code, is_clause=True, is_priced=True
    ),
    "supervision.yellow_clause": ProcessRuleKind(
        "supervision", N_("Clause for a yellow slip"), "", read_code, is_clause=True, is_priced=True
    ),
    "supervision.red_clause": ProcessRuleKind(
        "supervision", N_("Clause for a red slip"), "", read_code, is_clause=True, is_priced=True
    ),
    "supervision.rating_clauses": ProcessRuleKind(
        "supervision", N_("Clauses a task is rated under"), "", read_codes, is_clause=True
    ),
    QUIET: ProcessRuleKind("reminders", N_("Quiet hours: nothing leaves the portal"), "18:00-08:00", read_quiet),
    **{
        f"{REMINDER}{name}": ProcessRuleKind(event.process, event.title, event.default, event.read)
        for name, event in EVENTS.items()
    },
}  # fmt: skip
