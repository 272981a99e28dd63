"""How a supervised task moves, when it is late, and which slip that calls for.

The table of transitions is data: buttons, verbs, tests and the flow chart of the manual come from it. *Overdue* is
no state: it is a fact of two dates. Source: mission B3, domain notes 1.3.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.errors import N_, Conflict, RuleViolation
from app.rules.reminders import ReminderEvent
from app.rules.settings import ProcessRuleKind, read_code, read_codes, read_count, small_whole
from app.rules.workdays import WorkCalendar


class TaskState(StrEnum):
    """Where a task is."""

    DRAFT = "draft"
    ASSIGNED = "assigned"
    UNDER_WAY = "under_way"
    REPORTED = "reported"
    SENT_BACK = "sent_back"
    ACCEPTED = "accepted"
    RATED = "rated"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class TaskVerb(StrEnum):
    """What may be done with it."""

    CHANGE = "change"
    ASSIGN = "assign"
    RECALL = "recall"
    SIGN_FOR = "sign_for"
    NAME_HANDLERS = "name_handlers"
    SPLIT = "split"
    FINISH_PART = "finish_part"
    REPORT = "report"
    ASK_EXTENSION = "ask_extension"
    DECIDE_EXTENSION = "decide_extension"
    URGE = "urge"
    COMPLETE = "complete"
    TAKE_BACK = "take_back"
    ACCEPT = "accept"
    SEND_BACK = "send_back"
    RATE = "rate"
    RATE_ABOVE = "rate_above"
    CLOSE = "close"
    CANCEL = "cancel"


S, V = TaskState, TaskVerb
AT_WORK = (S.UNDER_WAY, S.SENT_BACK)
RUNNING = (S.ASSIGNED, *AT_WORK, S.REPORTED)
OPEN = (*RUNNING, S.ACCEPTED, S.RATED)
FINAL = (S.CLOSED, S.CANCELLED)
TRANSITIONS: Mapping[tuple[TaskState, TaskVerb], TaskState] = {
    (S.DRAFT, V.CHANGE): S.DRAFT,
    (S.DRAFT, V.ASSIGN): S.ASSIGNED,
    (S.ASSIGNED, V.RECALL): S.DRAFT,
    (S.ASSIGNED, V.SIGN_FOR): S.UNDER_WAY,
    **{(it, V.URGE): it for it in RUNNING},
    **{(it, verb): it for it in AT_WORK for verb in (V.NAME_HANDLERS, V.SPLIT, V.FINISH_PART, V.REPORT)},
    **{(it, verb): it for it in AT_WORK for verb in (V.ASK_EXTENSION, V.DECIDE_EXTENSION)},
    **{(it, V.COMPLETE): S.REPORTED for it in AT_WORK},
    (S.REPORTED, V.TAKE_BACK): S.UNDER_WAY,
    (S.REPORTED, V.ACCEPT): S.ACCEPTED,
    (S.REPORTED, V.SEND_BACK): S.SENT_BACK,
    (S.ACCEPTED, V.RATE): S.RATED,
    (S.RATED, V.RATE): S.RATED,
    (S.RATED, V.CLOSE): S.CLOSED,
    **{(it, V.RATE_ABOVE): it for it in (*AT_WORK, S.REPORTED, S.ACCEPTED, S.RATED, S.CLOSED)},
    **{(it, V.CANCEL): S.CANCELLED for it in (S.DRAFT, *OPEN)},
}


def next_state(state: TaskState, verb: TaskVerb) -> TaskState:
    """The state a verb leads to; refused where the table has no arrow."""
    if (state, verb) not in TRANSITIONS:
        raise Conflict(N_("The task is in another state meanwhile; open it again."))
    return TRANSITIONS[state, verb]


COLOURS = ("blue", "yellow", "red")


@dataclass(frozen=True, slots=True)
class Rung:
    """From how many working days late a slip of a colour is issued."""

    days: int
    colour: str


@dataclass(frozen=True, slots=True)
class LateDay:
    """One working day on which a stage was late: the how manieth, and the slip it calls for, if any."""

    number: int
    day: date
    colour: str | None


def late_days(
    due_on: date, through: date, ladder_on: Callable[[date], Sequence[Rung]], calendar: WorkCalendar
) -> Iterator[LateDay]:
    """Every working day late from the first one up to and with `through`, with the slips that fall on them.

    `ladder_on` gives the ladder that holds on a day. Source: docs/supervision.md; a day off is never a day late.
    """
    for number, day in enumerate(calendar.within(due_on, through), 1):
        colour = next((it.colour for it in ladder_on(day) if it.days == number), None)
        yield LateDay(number, day, colour)


def next_slip(late: int, ladder: Sequence[Rung]) -> Rung | None:
    """The next rung above a number of days late; None at the top."""
    return next((it for it in ladder if it.days > late), None)


def may_extend(extensions: int, most: int, due_on: date, today: date) -> bool:
    """Whether a stage may still be extended: not too often, and asked before it is late."""
    return extensions < most and today <= due_on


REMINDERS: Mapping[str, ReminderEvent] = {
    "supervision.due": ReminderEvent("supervision", N_("A stage of a task is due"), "-3;0;leader:1"),
    "supervision.part": ReminderEvent("supervision", N_("A part of a task is due"), "-1;0;leader:1"),
    "supervision.sign_for": ReminderEvent(
        "supervision", N_("A task that was handed over is not signed for"), "1;leader:3", counts_from_due=False
    ),
    "supervision.returned": ReminderEvent(
        "supervision", N_("A task that was sent back has not been opened"), "1;3;leader:5", counts_from_due=False,
        only_unread=True,
    ),
    "supervision.decide": ReminderEvent(
        "supervision", N_("A task waits to be accepted, rated, closed off, or given more time"), "2;5",
        counts_from_due=False, has_leader=False
    ),
}  # fmt: skip


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


SETTINGS: Mapping[str, ProcessRuleKind] = {
    "supervision.extensions": ProcessRuleKind("supervision", N_("Extensions of one stage, at most"), "1", read_count),
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
}
