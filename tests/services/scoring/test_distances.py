"""What somebody is told of his neighbours who may not see them."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.scoring.explanation import distances

NEAR = [{"subject": "a", "score": "97.5", "rank": 1}, {"subject": "b", "score": "95", "rank": 3}]


@pytest.mark.parametrize(
    ("size", "score", "told"),
    [
        (4, "96.25", []),
        (5, None, []),
        (5, "96.25", [(1, "1.25"), (3, "-1.25")]),
        (40, "95", [(1, "2.5"), (3, "0")]),
    ],
)
def test_no_name_and_no_score_only_how_far(size: int, score: str | None, told: list[tuple[int, str]]) -> None:
    found: list[dict[str, Any]] = distances({"group_size": size, "score": score, "neighbours": NEAR})

    assert [(it["rank"], it["distance"]) for it in found] == told
    assert all(it["subject"] == "" and it["score"] == "" for it in found)
