"""What a bureau may settle for its processes is read by the reader of its kind, or refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import RuleViolation
from app.rules.processes import PROCESS_RULES, REMINDER
from app.rules.settings import read_code, read_codes, read_count
from app.rules.supervision import Rung, read_ladder


@pytest.mark.parametrize(
    ("reader", "text", "found"),
    [
        (read_count, "0", 0), (read_count, "366", 366), (read_count, "0007", 7),
        (read_ladder, "1:blue;2:yellow;5:red", (Rung(1, "blue"), Rung(2, "yellow"), Rung(5, "red"))),
        (read_ladder, " 3 : red ", (Rung(3, "red"),)),
        (read_codes, " S.1; ;S.2 ", ("S.1", "S.2")), (read_codes, "", ()),
        (read_code, "S.1", "S.1"), (read_code, " ", ""),
    ],
)  # fmt: skip
def test_readings(reader: Any, text: str, found: object) -> None:
    assert reader(text) == found


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (read_count, ""), (read_count, "-1"), (read_count, "367"), (read_count, "1.5"), (read_count, "٣"),
        (read_count, "0000999999999"), (read_ladder, ""), (read_ladder, "blue:1"), (read_ladder, "0:blue"),
        (read_ladder, "1:green"), (read_ladder, "2:blue;1:red"), (read_ladder, "1:red;2:blue"),
        (read_ladder, "1:blue;1:red"), (read_ladder, "00000001:blue"), (read_code, "S.1;S.2"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(reader: Any, text: str) -> None:
    with pytest.raises(RuleViolation):
        reader(text)


def test_what_is_shipped_can_be_read() -> None:
    for key, kind in PROCESS_RULES.items():
        assert key.removeprefix(REMINDER).startswith(f"{kind.process}.")
        kind.read(kind.default)
