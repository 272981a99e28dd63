"""The bounded storm: kill -9 of everything under load on both stacks; no score and no message of the portal is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storm import HEAD, KINDS, Hook, weather

SECONDS = 20.0
_numbers = itertools.count(1)


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


@pytest.mark.parametrize("stack", ["sqlite", "postgresql"])
def test_a_storm_loses_nothing_and_doubles_nothing(
    stack: str, home: Path, hook: Hook, request: pytest.FixtureRequest
) -> None:
    url = None
    if stack == "postgresql":
        url = request.getfixturevalue("postgres_url")

    found = weather(home, url, seconds=SECONDS, hook=hook)

    print(f"\n{HEAD}\n{found.row()}")
    assert found.scores == (0, 0, 0)
    assert found.portal == (0, 0)
    assert found.hook[0] == 0, "at least once; a second copy only after a crash between sending and marking"
    assert sum(found.kills.values()) >= 12, found.kills
    assert set(found.kills) == set(KINDS), found.kills
    assert found.calm_after < 300
