"""How a supervised task moves, when it is late, and which slip that calls for.

The table of transitions is data: buttons, verbs, tests and the flow chart of the manual come from it. *Overdue* is
no state: it is a fact of two dates. Source: mission B3, domain notes 1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.errors import N_, Conflict
from app.rules.reminders import ReminderEvent
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
