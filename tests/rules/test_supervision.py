"""How a task moves, when it is late, which slip that calls for; the flow chart of the manual is the table."""

from __future__ import annotations

from datetime import date

import pytest

import config
from app.errors import Conflict
from app.rules.supervision import (
    FINAL,
    TRANSITIONS,
    TaskState,
    TaskVerb,
    late_days,
    may_extend,
    next_slip,
    next_state,
    read_ladder,
)
from app.rules.workdays import WorkCalendar

# Written by hand from mission B3: from where a verb leads where; every other pair is refused.
WAY = {
    "draft": {"change": "draft", "assign": "assigned", "cancel": "cancelled"},
    "assigned": {"recall": "draft", "sign_for": "under_way", "urge": "assigned", "cancel": "cancelled"},
    "under_way": {
        "name_handlers": "under_way", "split": "under_way", "finish_part": "under_way", "report": "under_way", "ask_extension": "under_way",
        "decide_extension": "under_way", "urge": "under_way", "complete": "reported", "rate_above": "under_way",
        "cancel": "cancelled",
    },
    "sent_back": {
        "name_handlers": "sent_back", "split": "sent_back", "finish_part": "sent_back", "report": "sent_back", "ask_extension": "sent_back",
        "decide_extension": "sent_back", "urge": "sent_back", "complete": "reported", "rate_above": "sent_back",
        "cancel": "cancelled",
    },
    "reported": {
        "take_back": "under_way", "accept": "accepted", "send_back": "sent_back", "urge": "reported",
        "rate_above": "reported", "cancel": "cancelled",
    },
    "accepted": {"rate": "rated", "rate_above": "accepted", "cancel": "cancelled"},
    "rated": {"rate": "rated", "close": "closed", "rate_above": "rated", "cancel": "cancelled"},
    "closed": {"rate_above": "closed"},
    "cancelled": {},
}  # fmt: skip
LADDER = read_ladder("1:blue;2:yellow;5:red")
PLAIN = WorkCalendar()


@pytest.mark.parametrize("state", list(TaskState))
@pytest.mark.parametrize("verb", list(TaskVerb))
def test_every_verb_from_every_state(state: TaskState, verb: TaskVerb) -> None:
    expected = WAY[state].get(verb)
    if expected is not None:
        assert next_state(state, verb) == expected
        return
    with pytest.raises(Conflict):
        next_state(state, verb)


def test_every_state_is_reached_and_only_the_last_two_are_ends() -> None:
    assert set(TRANSITIONS.values()) | {TaskState.DRAFT} == set(TaskState)
    moves = {state for (state, _verb), target in TRANSITIONS.items() if target != state}
    assert set(TaskState) - moves == set(FINAL)


@pytest.mark.parametrize(
    ("due", "through", "found"),
    [
        ("2026-11-06", "2026-11-06", []),
        ("2026-11-06", "2026-11-08", []),
        ("2026-11-06", "2026-11-09", [(1, "2026-11-09", "blue")]),
        ("2026-11-06", "2026-11-10", [(1, "2026-11-09", "blue"), (2, "2026-11-10", "yellow")]),
        ("2026-11-06", "2026-11-14", [(1, "2026-11-09", "blue"), (2, "2026-11-10", "yellow"), (3, "2026-11-11", None),
                                      (4, "2026-11-12", None), (5, "2026-11-13", "red")]),
    ],
)  # fmt: skip
def test_late_days_and_their_slips(due: str, through: str, found: list[tuple[int, str, str | None]]) -> None:
    days = late_days(date.fromisoformat(due), date.fromisoformat(through), lambda _day: LADDER, PLAIN)

    assert [(it.number, it.day.isoformat(), it.colour) for it in days] == found


def test_the_ladder_of_the_day_holds() -> None:
    stricter = read_ladder("1:red")
    change = date(2026, 11, 11)

    days = late_days(date(2026, 11, 9), date(2026, 11, 11), lambda day: stricter if day < change else LADDER, PLAIN)

    assert [it.colour for it in days] == ["red", "yellow"]


def test_the_next_slip_and_the_right_to_more_time() -> None:
    assert [None if it is None else it.colour for it in (next_slip(late, LADDER) for late in (0, 1, 2, 4, 5))] == [
        "blue", "yellow", "red", "red", None
    ]  # fmt: skip
    due = date(2026, 11, 6)
    assert may_extend(0, 1, due, due)
    assert not may_extend(1, 1, due, due)
    assert not may_extend(0, 1, due, date(2026, 11, 7))
    assert not may_extend(0, 0, due, due)


def flow_chart() -> str:
    """The table of transitions as a mermaid chart; verbs that leave the state are not drawn."""
    lines = ["stateDiagram-v2", "    [*] --> draft"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, verb), target in TRANSITIONS.items():
        if target != state and verb != TaskVerb.CANCEL:
            arrows.setdefault((state, target), []).append(verb)
    lines += [f"    {one} --> {other}: {', '.join(verbs)}" for (one, other), verbs in arrows.items()]
    return "\n".join([*lines, "    closed --> [*]"])


def test_the_flow_chart_of_the_manual_is_the_table() -> None:
    manual = (config.PROJECT / "docs" / "supervision.md").read_text(encoding="utf-8")

    assert f"```mermaid\n{flow_chart()}\n```" in manual
