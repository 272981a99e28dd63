"""docs/scoring.md section 3, step 5: one fact, one act, a part for each party."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.errors import RuleViolation
from app.rules.scoring.apportionment import Part, Share, apportion, lacks_person, read_parties, read_shares


def parts(shares: str, subject: str = "01", **parties: str) -> dict[str, str]:
    named = {name: tuple(codes.split()) for name, codes in parties.items()}
    mine, others = apportion(read_shares(shares), subject, named)
    return {it.subject: str(it.size) for it in (mine, *others)}


@pytest.mark.parametrize(
    ("shares", "parties", "expected"),
    [
        ("", {}, {"01": "100"}),
        ("self=60;assist=40", {"assist": "02"}, {"01": "60", "02": "40"}),
        # not listed: 100
        ("unit=100;leader=50", {"unit": "10", "leader": "9"}, {"01": "100", "10": "100", "9": "50"}),
        # several under a name: each, or divided among them
        ("handler=30", {"handler": "1 2"}, {"01": "100", "1": "30", "2": "30"}),
        ("assist=40/n", {"assist": "1 2 3"}, {"01": "100", "1": "40/3", "2": "40/3", "3": "40/3"}),
        # nobody there: nothing
        ("leader=50;handler=30", {}, {"01": "100"}),
        # named twice: one part, the larger
        ("leader=50;handler=30", {"leader": "7", "handler": "7"}, {"01": "100", "7": "50"}),
        ("handler=30;leader=50", {"leader": "7", "handler": "7"}, {"01": "100", "7": "50"}),
        ("self=20;leader=50", {"leader": "01"}, {"01": "50"}),
        ("self=0;unit=100", {"unit": "10"}, {"01": "0", "10": "100"}),
        ("assist=40/n", {"assist": "1 1"}, {"01": "100", "1": "40"}),
    ],
)
def test_who_gets_what(shares: str, parties: dict[str, str], expected: dict[str, str]) -> None:
    assert parts(shares, **parties) == expected


@pytest.mark.parametrize("text", ["king=1", "self", "self=x", "self=-1", "self=10/n", "self=1;self=2", "assist=40/m"])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(RuleViolation):
        read_shares(text)


def test_parties_are_read_and_unknown_ones_refused() -> None:
    assert read_parties("leader=1003;handler=1021|1022") == {"leader": ("1003",), "handler": ("1021", "1022")}
    with pytest.raises(RuleViolation):
        read_parties("self=1")


@pytest.mark.parametrize(
    ("shares", "is_deduction", "is_unit", "named", "lacks"),
    [
        ("self=60;responsible=40", True, True, (), True),
        ("handler=40", True, True, (), True),
        # one person named answers for it, whichever of the two the clause speaks of
        ("responsible=40;handler=30", True, True, ("handler",), False),
        ("handler=40", True, True, ("leader", "assist"), True),
        ("handler=40", True, True, ("responsible",), True),
        # an award, a person's own entry, a clause that gives no person anything
        ("handler=40", False, True, (), False),
        ("handler=40", True, False, (), False),
        ("self=60;leader=50;unit=100", True, True, (), False),
        ("", True, True, (), False),
    ],
)
def test_a_deduction_from_a_unit_names_who_answers_for_it(
    shares: str, is_deduction: bool, is_unit: bool, named: tuple[str, ...], lacks: bool
) -> None:
    found = lacks_person(
        read_shares(shares), is_deduction=is_deduction, is_unit=is_unit, named=dict.fromkeys(named, ("7",))
    )

    assert found is lacks


def test_shares_are_read_with_their_numbers_and_the_others_come_by_code() -> None:
    assert read_shares("self=60; assist = 40 / n ") == (
        Share("self", Decimal(60)), Share("assist", Decimal(40), is_divided=True),
    )  # fmt: skip
    mine, others = apportion(read_shares("assist=40/n;leader=50"), "5", {"assist": ("9", "2", "9"), "leader": ("4",)})
    assert mine == Part("5", Decimal(100))
    assert others == [Part("2", Decimal(40), 2), Part("4", Decimal(50)), Part("9", Decimal(40), 2)]
