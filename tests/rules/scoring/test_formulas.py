"""docs/scoring.md section 6: how a score came about, in words with the numbers put in."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction as F
from typing import Any

import pytest

from app.errors import N_, RuleViolation
from app.rules.scoring.combine import Child, Shift, combine, finish
from app.rules.scoring.facts import External, Facts, Leaf
from app.rules.scoring.lines import Ballots, Tally
from app.rules.scoring.methods import outcome_of


def marks(*values: str) -> Tally:
    return Tally(sum((F(value) for value in values), F(0)), len(values), tuple((F(value), F(1)) for value in values))


def leaf(full: str = "0", base: str = "0", **params: str) -> Leaf:
    return Leaf(full=F(full), base=F(base), params=params)


@pytest.mark.parametrize(
    ("method", "of", "facts", "sentence"),
    [
        ("deduct", leaf("100"), Facts(Tally(F(-25), 2)), "Full marks 100 − deductions 25 = 75"),
        ("award", leaf(), Facts(Tally(F(7, 2), 2)), "Awards − deductions = 7/2"),
        ("balance", leaf(base="60"), Facts(Tally(F(-5), 1)), "Base 60 + awards and deductions -5 = 55"),
        ("given", leaf(), Facts(marks("80", "90")), "Registered marks: 2 → 90"),
        ("given", leaf(), Facts(marks("80"), external=External(F(93))), "External result 93"),
        ("given", leaf(), Facts(), "No counted entry in the period: not assessed"),
        ("ratio", leaf("100"), Facts(value=F(44), target=F(55)), "Value 44 ÷ target 55 × 100 = 80"),
        ("ratio", leaf("100"), Facts(), "No counted entry in the period: not assessed"),
        ("bands", leaf(rows="value>=90:20|else:0"), Facts(value=F(91)), "Value 91: value >= 90 gives 20"),
        ("bands", leaf(rows="LOW<33:16"), Facts(value=F(9), named={"LOW": F(5)}), "Value 9: LOW < 33 gives 16"),
        ("bands", leaf(rows="value>=90:20|else:3"), Facts(value=F(89)), "Value 89: otherwise 3"),
        ("bands", leaf(rows="value>=90:20"), Facts(value=F(89)), "Value 89: no row holds, not assessed"),
        ("bands", leaf(rows="else:3", by="percent"), Facts(value=F(4), target=F(5)), "Value 80: otherwise 3"),
        ("bands", leaf(rows="else:3"), Facts(), "No counted entry in the period: not assessed"),
        ("gap", leaf("20", price="2"), Facts(value=F(8), target=F(11)), "Full marks 20 − 2 × 3 (value 8, target 11) = 14"),
        ("gap", leaf("20", price="2"), Facts(), "No counted entry in the period: not assessed"),
        ("linked", leaf(source="post"), Facts(linked=((F(93), 20), (F(90), 10))), "Linked units: 93 (20), 90 (10) → 92"),
        ("linked", leaf(source="charge"), Facts(linked=((F(93), 20), (F(90), 10))), "Linked units: 93, 90 → 183/2"),
        ("linked", leaf(source="charge"), Facts(), "No linked unit has a score: not assessed"),
        ("best_share", leaf("20"), Facts(value=F(30), peers=(F(30), F(40))), "Value 30 ÷ best of the group 40 × 20 = 15"),
        ("best_share", leaf("20"), Facts(), "No counted entry in the period: not assessed"),
        ("place", leaf("30", step="2"), Facts(value=F(5), peers=(F(9), F(5))), "Full marks 30 − 2 × (place 2 − 1) = 28"),
        ("place", leaf("30", step_pct="5", by="registered"), Facts(marks("1", "3")), "Full marks 30 − 3/2 × (place 1, 3 − 1) = 57/2"),
        ("place", leaf("30", step="2"), Facts(), "No counted entry in the period: not assessed"),
        ("votes", leaf(grade_points="A:100|B:80"), Facts(Tally(ballots=(Ballots("", "", "A", F(3)), Ballots("", "", "B", F(1))))), "4 valid ballots, weighted mean = 95"),
        ("votes", leaf(grade_points="A:100"), Facts(), "No counted entry in the period: not assessed"),
    ],
)  # fmt: skip
def test_the_formula_of_a_leaf(method: str, of: Leaf, facts: Facts, sentence: str) -> None:
    assert str(outcome_of(method, of, facts).formula) == sentence


@pytest.mark.parametrize(
    ("method", "of", "target", "sentence"),
    [
        ("ratio", leaf("9"), None, "The target is missing."),
        ("ratio", leaf("9"), F(0), "The target is 0."),
        ("bands", leaf(rows="else:1", by="percent"), None, "The target is missing."),
        ("bands", leaf(rows="else:1", by="percent"), F(0), "The target is 0."),
        ("gap", leaf(price="1"), None, "The target is missing."),
    ],
)
def test_a_target_that_cannot_be_used_is_named(method: str, of: Leaf, target: F | None, sentence: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        outcome_of(method, of, Facts(value=F(1), target=target))

    assert str(refusal.value.message) == sentence


TAKEN = Shift(frozenset({"0"}), F(5, 3), F(5, 4))
PLAIN = Shift()


@pytest.mark.parametrize(
    ("method", "parts", "params", "shift", "sentence"),
    [
        ("sum", ["18", "20.5"], {}, PLAIN, "18 + 20.5 = 77/2"),
        ("weighted", ["95@40", "60@60", "2"], {}, PLAIN, "40% × 95 + 60% × 60 + 2 = 76"),
        ("weighted_mean", ["90@1", "60@2"], {}, PLAIN, "(1 × 90 + 2 × 60) ÷ 3 = 70"),
        ("mean", ["90", "60", "30"], {}, PLAIN, "(90 + 60 + 30) ÷ 3 = 60"),
        ("min", ["18", "20"], {}, PLAIN, "Lowest of 18, 20 = 18"),
        ("max", ["18", "20"], {}, PLAIN, "Highest of 18, 20 = 20"),
        ("scale", ["90", "5"], {"from": "100", "to": "5"}, PLAIN, "95 × 5 ÷ 100 = 19/4"),
        ("sum", [], {}, PLAIN, "No item below has a score: not assessed"),
        # a sum holds the spread in its children already, a weighted sum has it in its own factor
        ("sum", ["40@60", "2"], {}, TAKEN, "40 + 2, items that apply × 5/4 because others do not = 52"),
        ("weighted", ["40@60", "2"], {}, TAKEN, "60% × 40 + 2, items that apply × 25/12 because others do not = 52"),
    ],
)  # fmt: skip
def test_the_formula_of_a_branch(
    method: str, parts: list[str], params: Mapping[str, str], shift: Shift, sentence: str
) -> None:
    pairs = [part.partition("@") for part in parts]
    children = [Child(str(at), F(score), F(weight) if weight else None) for at, (score, _, weight) in enumerate(pairs)]

    assert str(combine(method, children, params, shift).formula) == sentence


@pytest.mark.parametrize(
    ("value", "more", "notes"),
    [
        ("50", {}, []),
        ("100", {"cap": F(100), "floor": F(100)}, []),
        ("120", {"cap": F(100)}, ["at most 100"]),
        ("-20", {"floor": F(0)}, ["at least 0"]),
        ("50", {"gate": N_("shut")}, ["shut"]),
        ("50", {"spread": F(5, 3)}, ["× 5/3 for items that do not apply"]),
        (
            "120",
            {"cap": F(100), "floor": F(110), "gate": N_("shut"), "spread": F(2)},
            ["at most 100", "at least 110", "shut", "× 2 for items that do not apply"],
        ),
    ],
)
def test_each_step_of_finishing_that_did_something_is_told(value: str, more: dict[str, Any], notes: list[str]) -> None:
    done = finish(F(value), **{"cap": None, "floor": None, "places": None, **more})

    assert [str(note) for note in done.notes] == notes
