"""The way of a bulletin, and the small sums it prints."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction

import pytest

from app.errors import Conflict
from app.rules.bulletin import TRANSITIONS, BulletinState, BulletinVerb, change, mean, next_state, rank_move
from app.rules.lights import Light, light_of

D, S, G, P = BulletinState
ALLOWED = {
    (D, BulletinVerb.SUBMIT): S,
    (S, BulletinVerb.SIGN): G,
    (S, BulletinVerb.RETURN): D,
    (G, BulletinVerb.RETURN): D,
    (G, BulletinVerb.PUBLISH): P,
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(BulletinState, BulletinVerb)))
def test_only_the_arrows_of_the_table_lead_on(state: BulletinState, verb: BulletinVerb) -> None:
    if (state, verb) in ALLOWED:
        assert next_state(state, verb) is ALLOWED[state, verb]
    else:
        with pytest.raises(Conflict):
            next_state(state, verb)


def test_nothing_leads_out_of_publication() -> None:
    assert not [verb for state, verb in TRANSITIONS if state is BulletinState.PUBLISHED]


def test_means_changes_and_ranks() -> None:
    assert mean([Decimal("90.00"), Decimal("90.01")]) == Fraction("90.01")
    assert mean([]) is None
    assert change(Decimal("92.22"), Decimal("93.80")) == Fraction("-1.58")
    assert change(Decimal(0), Decimal("1.5")) == Fraction("-1.5")
    assert change(None, Decimal(1)) is None
    assert rank_move(2, 3) == 1
    assert rank_move(3, 1) == -2
    assert rank_move(3, None) is None


@pytest.mark.parametrize(
    ("total", "light"), [("90", Light.MET), ("89.99", Light.WATCH), ("85", Light.WATCH), ("84.99", Light.WARN)]
)
def test_lights(total: str, light: Light) -> None:
    assert light_of(Decimal(total)) is light
