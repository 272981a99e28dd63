"""Trust demand AC-08: nobody acts on what is his own matter."""

from __future__ import annotations

from typing import Any

import pytest

from app.policies.actor import SYSTEM, Actor
from app.policies.free import free

ME, ABSENT, OTHER, MINE, POSTED = 1, 2, 3, 10, 11
OFFICE, ASSESSOR = frozenset({"assessment_office"}), frozenset({"assessor"})


@pytest.mark.parametrize(
    ("actor", "parties", "is_free"),
    [
        ({"roles": OFFICE}, {ME}, False),
        ({"roles": OFFICE}, {OTHER}, True),
        ({"roles": OFFICE}, {OTHER, ME}, False),
        ({"roles": OFFICE, "posted_units": frozenset({POSTED})}, {POSTED}, True),
        ({"roles": OFFICE, "own_units": frozenset({MINE})}, {MINE}, False),
        ({"roles": OFFICE, "substitute_id": ABSENT}, {ABSENT}, False),
        ({"roles": OFFICE, "subject_id": ABSENT, "substitute_id": ME}, {ME}, False),
        ({"roles": ASSESSOR, "posted_units": frozenset({POSTED})}, {POSTED}, False),
        ({"roles": ASSESSOR, "substitute_units": frozenset({POSTED})}, {POSTED}, False),
        ({"roles": ASSESSOR}, {OTHER}, True),
        ({"roles": ASSESSOR}, set(), True),
    ],
)
def test_who_is_free(actor: dict[str, Any], parties: set[int], is_free: bool) -> None:
    assert free(Actor(**{"subject_id": ME, **actor}), parties) is is_free


def test_the_system_has_no_matters_of_its_own() -> None:
    assert free(SYSTEM, {ME})
