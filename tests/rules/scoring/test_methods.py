"""docs/scoring.md section 4: one table of worked examples per method."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import pytest

from app.errors import RuleViolation
from app.rules.scoring.facts import External, Facts, Leaf
from app.rules.scoring.formulas import in_order, place_among
from app.rules.scoring.lines import Ballots, Tally
from app.rules.scoring.methods import METHODS, allowed_effects, outcome_of, read_params


def score(method: str, leaf: Leaf, facts: Facts) -> F | None:
    return outcome_of(method, leaf, facts).score


def marks(*values: str, quantities: tuple[str, ...] = ()) -> Tally:
    weights = quantities or ("1",) * len(values)
    pairs = tuple((F(value), F(weight)) for value, weight in zip(values, weights, strict=True))
    return Tally(sum((points for points, _ in pairs), F(0)), len(pairs), pairs)


def total(value: str, count: int = 1) -> Tally:
    return Tally(F(value), count)


@pytest.mark.parametrize(
    ("method", "leaf", "facts", "expected"),
    [
        ("deduct", Leaf(full=F(100)), Facts(), "100"),
        ("deduct", Leaf(full=F(100)), Facts(total("-25")), "75"),
        ("deduct", Leaf(full=F(100)), Facts(total("-120")), "-20"),
        ("award", Leaf(), Facts(), "0"),
        ("award", Leaf(), Facts(total("3.5")), "7/2"),
        ("award", Leaf(), Facts(total("-2")), "-2"),
        ("balance", Leaf(base=F(60)), Facts(), "60"),
        ("balance", Leaf(base=F(60)), Facts(total("-2.5")), "115/2"),
        ("given", Leaf(), Facts(), None),
        ("given", Leaf(), Facts(marks("80", "90")), "90"),
        ("given", Leaf(params={"of": "sum"}), Facts(marks("80", "90")), "170"),
        ("given", Leaf(params={"of": "mean"}), Facts(marks("80", "91")), "171/2"),
        ("given", Leaf(params={"of": "weighted"}), Facts(marks("160", "90", quantities=("2", "1"))), "250/3"),
        ("given", Leaf(), Facts(marks("80"), external=External(F("93.5"))), "187/2"),
        ("given", Leaf(), Facts(marks("80"), external=External(None, 3)), "80"),
        ("ratio", Leaf(full=F(100)), Facts(value=F(44), target=F(55)), "80"),
        ("ratio", Leaf(full=F(100)), Facts(value=F(0), target=F(55)), "0"),
        ("ratio", Leaf(full=F(100)), Facts(value=F(66), target=F(55)), "120"),
        ("ratio", Leaf(full=F(100)), Facts(value=F(8), target=F(15)), "160/3"),
        ("best_share", Leaf(full=F(20)), Facts(value=F(30), peers=(F(30), F(40))), "15"),
        ("best_share", Leaf(full=F(20)), Facts(value=F(-3), peers=(F(-3), F(-5))), "0"),
        ("best_share", Leaf(full=F(20)), Facts(peers=(F(4),)), None),
        ("place", Leaf(full=F(30), params={"step": "2"}), Facts(value=F(5), peers=(F(9), F(5), F(5))), "28"),
        ("place", Leaf(full=F(30), params={"step_pct": "5"}), Facts(value=F(5), peers=(F(9), F(8), F(5))), "27"),
        ("place", Leaf(full=F(30), params={"step": "2", "order": "asc"}), Facts(value=F(5), peers=(F(9), F(5))), "30"),
        ("place", Leaf(full=F(30), params={"step": "2"}), Facts(peers=(F(9),)), None),
        ("place", Leaf(full=F(30), params={"step_pct": "5", "by": "registered"}), Facts(marks("4")), "51/2"),
        (
            "place",
            Leaf(full=F(30), floor=F(0), params={"step": "20", "by": "registered"}),
            Facts(marks("1", "3")),
            "15",
        ),
        (
            "place",
            Leaf(full=F(30), params={"step": "2", "by": "registered"}),
            Facts(marks("4"), external=External(None, 2)),
            "28",
        ),
        ("place", Leaf(full=F(30), params={"step": "2", "by": "registered"}), Facts(), None),
        ("bands", Leaf(params={"rows": "value>=90:20|value>=80:19|else:0"}), Facts(value=F("89.9")), "19"),
        ("bands", Leaf(params={"rows": "value>=90:20|value>=80:19|else:0"}), Facts(value=F(90)), "20"),
        ("bands", Leaf(params={"rows": "value>=90:20|value>=80:19|else:-1.5"}), Facts(value=F(3)), "-3/2"),
        ("bands", Leaf(params={"rows": "value>=90:20"}), Facts(value=F(3)), None),
        ("bands", Leaf(params={"rows": "else:5"}), Facts(), None),
        ("bands", Leaf(params={"rows": "value>=100:20|else:0", "by": "percent"}), Facts(value=F(5), target=F(5)), "20"),
        ("bands", Leaf(params={"rows": "value>=100:20|else:0", "by": "percent"}), Facts(value=F(4), target=F(5)), "0"),
        ("bands", Leaf(params={"rows": "LOW<33.3:160|else:130"}), Facts(value=F(1), named={"LOW": F("33.2")}), "160"),
        ("bands", Leaf(params={"rows": "LOW<33.3:160|else:130"}), Facts(value=F(1), named={"LOW": None}), "130"),
        ("gap", Leaf(full=F(20), params={"price": "2"}), Facts(value=F(8), target=F(10)), "16"),
        ("gap", Leaf(full=F(20), params={"price": "2"}), Facts(value=F(12), target=F(10)), "20"),
        ("gap", Leaf(full=F(20), params={"price": "2", "order": "asc"}), Facts(value=F(12), target=F(10)), "16"),
        ("gap", Leaf(full=F(20), params={"price": "1", "per": "5"}), Facts(value=F(3), target=F(10)), "93/5"),
        (
            "gap",
            Leaf(full=F(20), params={"price": "1", "per": "5", "round": "up"}),
            Facts(value=F(3), target=F(10)),
            "18",
        ),
        (
            "gap",
            Leaf(full=F(20), params={"price": "1", "per": "5", "round": "down"}),
            Facts(value=F(3), target=F(10)),
            "19",
        ),
        ("gap", Leaf(params={"price": "2"}), Facts(value=F(8), target=F(10)), "-4"),
        ("gap", Leaf(full=F(20), params={"price": "2"}), Facts(value=F(8), target=F(0)), "20"),
        ("linked", Leaf(params={"source": "charge"}), Facts(linked=((F(90), 31), (F(80), 10))), "85"),
        ("linked", Leaf(params={"source": "post"}), Facts(linked=((F(90), 20), (F(80), 10))), "260/3"),
        ("linked", Leaf(params={"source": "post", "of": "mean"}), Facts(linked=((F(90), 20), (F(80), 10))), "85"),
        (
            "linked",
            Leaf(params={"source": "group", "groups": "a", "of": "min"}),
            Facts(linked=((F(90), 1), (F(80), 1))),
            "80",
        ),
        ("linked", Leaf(params={"source": "charge"}), Facts(), None),
    ],
)
def test_worked_examples(method: str, leaf: Leaf, facts: Facts, expected: str | None) -> None:
    assert score(method, leaf, facts) == (None if expected is None else F(expected))


@pytest.mark.parametrize("target", [None, F(0)])
def test_a_missing_or_zero_target_is_a_named_error_and_not_zero(target: F | None) -> None:
    with pytest.raises(RuleViolation):
        score("ratio", Leaf(full=F(100)), Facts(value=F(1), target=target))
    with pytest.raises(RuleViolation):
        score("bands", Leaf(params={"rows": "else:1", "by": "percent"}), Facts(value=F(1), target=target))


def test_a_gap_without_a_target_is_a_named_error() -> None:
    with pytest.raises(RuleViolation):
        score("gap", Leaf(full=F(1), params={"price": "1"}), Facts(value=F(1)))


def test_places_share_ties() -> None:
    peers = [F(9), F(7), F(7), F(3)]

    assert [place_among(value, in_order(peers)) for value in peers] == [1, 2, 2, 4]
    assert [place_among(value, in_order(peers), "asc") for value in peers] == [4, 2, 2, 1]


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("given", "of=median"), ("given", "of=last;of=sum"), ("deduct", "of=last"), ("place", ""), ("place", "step=2;step_pct=5"),
        ("place", "step=x"), ("place", "step=-1"), ("place", "by=registered;step=1;value_of=A"), ("ratio", "gate=A"),
        ("linked", ""), ("linked", "source=group"), ("linked", "source=post;groups=a"), ("linked", "source=luck"),
        ("bands", ""), ("bands", "rows="), ("bands", "rows=value>=90"), ("bands", "rows=value~90:1"), ("gap", "per=2"),
        ("gap", "price=1;per=0"), ("gap", "price=1;round=half"), ("votes", ""), ("votes", "grade_points=A"),
        ("votes", "grade_points=A:1|A:2"), ("votes", "grade_points=A:1;voters=x:-1"),
        ("ratio", "value_of"), ("ratio", "__import__=1"), ("place", "step=9**9"), ("given", ";" * 3000),
    ],
)  # fmt: skip
def test_parameters_outside_the_grammar_are_refused(method: str, text: str) -> None:
    with pytest.raises(RuleViolation):
        read_params(method, text, METHODS[method].params)


def test_a_leaf_that_takes_its_value_from_another_has_no_clauses() -> None:
    assert allowed_effects("ratio", {"value_of": "A"}) == frozenset()
    assert {it.value for it in allowed_effects("place", {"by": "registered"})} == {"measure"}


def test_every_method_shows_its_formula() -> None:
    sure: dict[str, Any] = {"value": F(3), "target": F(4), "peers": (F(3),), "linked": ((F(3), 1),)}
    leaf = Leaf(
        full=F(10),
        base=F(5),
        params={"step": "1", "rows": "else:1", "price": "1", "grade_points": "good:100", "source": "post"},
    )

    votes = (Ballots("", "", "good", F(3)),)
    tally = replace(marks("3"), ballots=votes)
    formulas = {key: str(outcome_of(key, leaf, Facts(tally, **sure)).formula) for key, method in METHODS.items()}

    assert all("=" in text or "→" in text or ":" in text for text in formulas.values()), formulas


GRADES = "grade_points=A:100|B:80|C:60|D:40"


def cast(*votes: tuple[str, str, str, int]) -> Facts:
    return Facts(
        Tally(ballots=tuple(Ballots(voter, question, grade, F(number)) for voter, question, grade, number in votes))
    )


@pytest.mark.parametrize(
    ("params", "votes", "expected"),
    [
        ("", [("", "", "A", 3), ("", "", "B", 1)], "95"),
        ("", [("", "", "A", 3), ("", "", "spoilt", 5)], "100"),
        ("", [("", "", "spoilt", 5)], None),
        ("", [], None),
        ("questions=x:30|y:70", [("", "x", "A", 1), ("", "y", "B", 1)], "86"),
        # a question without ballots drops out, the others are taken by their sum
        ("questions=x:30|y:30|z:40", [("", "x", "A", 1), ("", "y", "B", 1)], "90"),
        ("voters=l:20|s:80", [("l", "", "A", 1), ("s", "", "B", 9)], "84"),
        ("voters=l:20|s:80", [("s", "", "B", 9), ("guest", "", "D", 9)], "80"),
        # first the questions of each group, then the groups
        (
            "questions=x:50|y:50;voters=l:20|s:80",
            [("l", "x", "A", 1), ("s", "x", "B", 2), ("s", "y", "D", 2)],
            "68",
        ),
    ],
)
def test_votes(params: str, votes: list[tuple[str, str, str, int]], expected: str | None) -> None:
    text = ";".join(filter(None, (GRADES, params)))
    leaf = Leaf(params=read_params("votes", text, METHODS["votes"].params))

    assert score("votes", leaf, cast(*votes)) == (None if expected is None else F(expected))


@pytest.mark.parametrize(
    ("params", "votes", "expected"),
    [
        # grades may cost points
        ("grade_points=A:100|D:-20", [("", "", "A", 1), ("", "", "D", 1)], "40"),
        # what ballots say beyond what is asked does not matter
        (GRADES, [("staff", "work", "A", 3), ("", "x", "B", 1)], "95"),
        # ballots of a number of 0 or less are none
        (f"{GRADES};voters=l:20|s:80", [("l", "", "A", 0), ("s", "", "B", 9)], "80"),
        (f"{GRADES};voters=l:20|s:80", [("l", "", "A", -3), ("s", "", "B", 9)], "80"),
        # all parts there: the weights as they stand, even where they do not make 100
        (f"{GRADES};voters=l:20|s:30", [("l", "", "A", 1), ("s", "", "B", 1)], "44"),
        # of what is there nothing has weight
        (f"{GRADES};voters=l:0|s:100", [("l", "", "A", 1)], None),
        # several ballots of one group on one question
        (f"{GRADES};questions=x:30|y:70", [("", "x", "A", 1), ("", "x", "D", 3), ("", "y", "B", 1)], "72.5"),
        # a group that answered nothing at all drops out, with its questions
        (f"{GRADES};questions=x:50|y:50;voters=l:20|s:80", [("s", "x", "B", 2), ("s", "y", "D", 2)], "60"),
    ],
)
def test_votes_that_are_odd(params: str, votes: list[tuple[str, str, str, int]], expected: str | None) -> None:
    leaf = Leaf(params=read_params("votes", params, METHODS["votes"].params))

    assert score("votes", leaf, cast(*votes)) == (None if expected is None else F(expected))


@pytest.mark.parametrize(
    ("method", "leaf", "facts", "expected"),
    [
        ("given", Leaf(), Facts(external=External(F(70))), "70"),
        ("given", Leaf(params={"of": "sum"}), Facts(marks("80"), external=External(F(70))), "70"),
        ("given", Leaf(params={"of": "weighted"}), Facts(marks("80"), external=External(F(70))), "70"),
        ("given", Leaf(), Facts(external=External(None, 1)), None),
        ("given", Leaf(params={"of": "weighted"}), Facts(marks("0", quantities=("0",))), None),
        ("given", Leaf(params={"of": "last"}), Facts(marks("1", "2", "3")), "3"),
        # sums of an empty sheet are not asked for; a value below a negative target is over it
        ("gap", Leaf(full=F(20), params={"price": "2"}), Facts(value=F(-3), target=F(-5)), "20"),
        ("gap", Leaf(full=F(20), params={"price": "2"}), Facts(value=F("9.25"), target=F(10)), "18.5"),
        ("gap", Leaf(full=F(20), params={"price": "2", "round": "none"}), Facts(value=F("9.25"), target=F(10)), "18.5"),
        ("gap", Leaf(full=F(20), params={"price": "2", "round": "up"}), Facts(value=F(9), target=F(10)), "18"),
        ("gap", Leaf(full=F(20), params={"price": "2", "round": "up"}), Facts(value=F(9), target=F("10.0000000000001")), "18"),
        ("gap", Leaf(full=F(20), params={"price": "2", "round": "down"}), Facts(value=F(9), target=F("9.9999999999999")), "18"),
        ("gap", Leaf(full=F(20), params={"price": "2", "order": "desc"}), Facts(value=F(12), target=F(10)), "20"),
        ("gap", Leaf(full=F(20), params={"price": "2", "order": "asc"}), Facts(value=F(8), target=F(10)), "20"),
        ("bands", Leaf(params={"rows": "value>=80:1|else:0", "by": "value"}), Facts(value=F(85), target=F(100)), "1"),
        ("bands", Leaf(params={"rows": "value>=80:1|else:0", "by": "percent"}), Facts(value=F(80), target=F(200)), "0"),
        ("bands", Leaf(params={"rows": "LOW>=1:5|value>=1:7"}), Facts(value=F(1), named={}), "7"),
        ("bands", Leaf(params={"rows": "LOW=0:5|else:7"}), Facts(value=F(1), named={"LOW": F(0)}), "5"),
        ("best_share", Leaf(full=F(20)), Facts(value=F(0), peers=(F(0), F(0))), "0"),
        ("best_share", Leaf(full=F(20)), Facts(value=F("0.5"), peers=(F("0.5"), F("0.25"))), "20"),
        ("place", Leaf(full=F(30), params={"step": "2", "by": "value"}), Facts(marks("4"), F(5), peers=(F(5),)), "30"),
        ("place", Leaf(full=F(30), params={"step": "2", "order": "desc"}), Facts(value=F(5), peers=(F(9), F(5))), "28"),
        ("place", Leaf(full=F(30), params={"step": "2", "by": "registered"}), Facts(marks("4"), external=External(F(9))), "24"),
        ("place", Leaf(full=F(30), floor=F(20), params={"step": "20", "by": "registered"}), Facts(marks("1", "3", "2")), "70/3"),
        ("linked", Leaf(params={"source": "group", "of": "weighted"}), Facts(linked=((F(90), 3), (F(80), 1))), "87.5"),
        ("linked", Leaf(params={"source": "group"}), Facts(linked=((F(90), 3), (F(80), 1))), "85"),
    ],
)  # fmt: skip
def test_worked_examples_at_the_edges(method: str, leaf: Leaf, facts: Facts, expected: str | None) -> None:
    assert score(method, leaf, facts) == (None if expected is None else F(expected))


def test_places_are_compared_to_twelve_decimals() -> None:
    peers = [F(9), F(9) + F(1, 10**13), F(9) + F(1, 10**11)]

    assert [place_among(value, in_order(peers)) for value in peers] == [2, 2, 1]
    assert [place_among(value, in_order(peers), "asc") for value in peers] == [1, 1, 3]
