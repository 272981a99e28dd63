"""How a bulletin moves from draft to publication, and what it says of a group besides its scores.

Source: mission C5 and D4; the published state has no way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from app.errors import N_, Conflict
from app.rules.numbers import plain, round_half_up
from app.rules.reminders import ReminderEvent


class BulletinState(StrEnum):
    """Where a bulletin is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    SIGNED = "signed"
    PUBLISHED = "published"


class BulletinVerb(StrEnum):
    """What may be done with it."""

    SUBMIT = "submit"
    SIGN = "sign"
    RETURN = "return"
    PUBLISH = "publish"


TRANSITIONS: Mapping[tuple[BulletinState, BulletinVerb], BulletinState] = {
    (BulletinState.DRAFT, BulletinVerb.SUBMIT): BulletinState.SUBMITTED,
    (BulletinState.SUBMITTED, BulletinVerb.SIGN): BulletinState.SIGNED,
    (BulletinState.SUBMITTED, BulletinVerb.RETURN): BulletinState.DRAFT,
    (BulletinState.SIGNED, BulletinVerb.RETURN): BulletinState.DRAFT,
    (BulletinState.SIGNED, BulletinVerb.PUBLISH): BulletinState.PUBLISHED,
}


def next_state(state: BulletinState, verb: BulletinVerb) -> BulletinState:
    """The state a verb leads to; refused where the table has no arrow."""
    if (state, verb) not in TRANSITIONS:
        raise Conflict(N_("The bulletin is in another state meanwhile; open it again."))
    return TRANSITIONS[state, verb]


@dataclass(frozen=True, slots=True)
class Moved:
    """A subject whose total, rank or grade a correction moved; None where it had or has none."""

    subject: str
    group: str
    score_before: str | None
    score_after: str | None
    rank_before: int | None
    rank_after: int | None
    grade_before: str | None = None
    grade_after: str | None = None


def moved(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Moved]:
    """Everybody whose total, rank or grade differs between two versions of results, by group and new rank.

    Rows are those of `Bulletin.results`; only totals are compared. Scores come with the decimals of the scheme.
    """
    old, new = ({row["subject"]: row for row in rows if not row["indicator"]} for rows in (before, after))
    found = []
    for code in old.keys() | new.keys():
        was, now = old.get(code), new.get(code)
        if was is not None and now is not None and all(was[name] == now[name] for name in ("score", "rank", "grade")):
            continue
        known = now if now is not None else was
        assert known is not None
        found.append(
            Moved(
                code, known["group_name"], _printed(was), _printed(now),
                *(None if row is None else row["rank"] for row in (was, now)),
                *(None if row is None else row["grade"] for row in (was, now)),
            )
        )  # fmt: skip
    return sorted(found, key=lambda it: (it.group, it.rank_after is None, it.rank_after or 0, it.subject))


def _printed(row: Mapping[str, Any] | None) -> str | None:
    return None if row is None else plain(Decimal(row["score"]), row["places"])


def mean(scores: Sequence[Decimal], places: int = 2) -> Fraction | None:
    """The mean of totals, rounded for print; None of none."""
    return round_half_up(Fraction(sum(scores)) / len(scores), places) if scores else None


def change(now: Decimal | Fraction | None, before: Decimal | Fraction | None) -> Fraction | None:
    """How much a value rose (positive) or fell; None where one side is missing."""
    return None if now is None or before is None else Fraction(now) - Fraction(before)


def rank_move(now: int, before: int | None) -> int | None:
    """By how many ranks somebody rose (positive) or fell; None where there was no rank before."""
    return None if before is None else before - now


REMINDERS: Mapping[str, ReminderEvent] = {
    "bulletin.publish": ReminderEvent(
        "bulletin", N_("A bulletin waits to be submitted or published"), "1;3", counts_from_due=False, has_leader=False
    ),
    "bulletin.sign": ReminderEvent(
        "bulletin", N_("A bulletin waits for a signature"), "1;3", counts_from_due=False, has_leader=False
    ),
    "bulletin.unread": ReminderEvent(
        "bulletin", N_("A published bulletin has not been opened"), "3", counts_from_due=False, has_leader=False
    ),
}  # fmt: skip
