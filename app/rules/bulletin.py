"""How a bulletin moves from draft to publication, and what it says of a group besides its scores.

Source: mission C5 and D4; the published state has no way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from app.errors import N_, Conflict
from app.rules.numbers import round_half_up


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


def mean(scores: Sequence[Decimal], places: int = 2) -> Fraction | None:
    """The mean of totals, rounded for print; None of none."""
    return round_half_up(Fraction(sum(scores)) / len(scores), places) if scores else None


def change(now: Decimal | Fraction | None, before: Decimal | Fraction | None) -> Fraction | None:
    """How much a value rose (positive) or fell; None where one side is missing."""
    return None if now is None or before is None else Fraction(now) - Fraction(before)


def rank_move(now: int, before: int | None) -> int | None:
    """By how many ranks somebody rose (positive) or fell; None where there was no rank before."""
    return None if before is None else before - now
