"""docs/scoring.md section 4, linked: what a person or unit takes from the scores of units."""

from __future__ import annotations

from fractions import Fraction as F

import pytest

from app.rules.periods import Period
from app.rules.scoring.grades import Watched
from app.rules.scoring.scheme import SchemeTree
from tests.rules.scoring.bureau import GIVEN, Bureau, marks, node, tree, unit


def personal(places: int | None = None, **params: str) -> SchemeTree:
    return tree(
        node("P", None, "sum", children="L"), node("L", "P", "linked", params=params, places=places), code="P", places=4
    )


UNITS = [unit("01", order=3), unit("02", order=1), unit("03", "h", order=2), unit("04")]
SCORES = {
    ("01", "A", "2026-03"): marks("90"), ("01", "B", "2026-03"): marks("4"), ("02", "A", "2026-03"): marks("80"),
    ("03", "A", "2026-03"): marks("60"), ("03", "B", "2026-03"): marks("1"),
}  # fmt: skip
# 01 has 94 (A 90), 02 has 80 (A 80), 03 has 61 (A 60), 04 is not assessed.


@pytest.mark.parametrize(
    ("params", "links", "score", "parts"),
    [
        ({"source": "charge"}, {"01": 31, "02": 10, "03": 1}, "78.3333", "80, 61, 94 → 235/3"),
        ({"source": "charge", "of": "min"}, {"01": 31, "02": 10}, "80", "80, 94 → 80"),
        ({"source": "post"}, {"01": 20, "02": 11}, "89.0323", "80 (11), 94 (20) → 2760/31"),
        ({"source": "post", "of": "mean"}, {"01": 20, "02": 11}, "87", "80, 94 → 87"),
        ({"source": "charge", "of": "weighted"}, {"01": 3, "02": 1}, "90.5", "80 (1), 94 (3) → 181/2"),
        # units without a score are left out, codes that are no unit too
        ({"source": "charge"}, {"04": 31, "02": 10, "1001": 9, "99": 9}, "80", "80 → 80"),
        # any node; the code of the root is the total
        ({"source": "charge", "what": "A"}, {"01": 1, "02": 1}, "85", "80, 90 → 85"),
        ({"source": "charge", "what": "T"}, {"01": 1, "02": 1}, "87", "80, 94 → 87"),
        ({"source": "charge", "what": "total"}, {"01": 1, "02": 1}, "87", "80, 94 → 87"),
        # groups of units, each once and alike, whatever the links say
        ({"source": "group", "groups": "g|h"}, {}, "78.3333", "80, 61, 94 → 235/3"),
        ({"source": "group", "groups": "g"}, {"03": 9}, "87", "80, 94 → 87"),
        ({"source": "group", "groups": "h", "of": "weighted"}, {}, "61", "61 (1) → 61"),
    ],
)
def test_a_person_takes_from_linked_units(
    params: dict[str, str], links: dict[str, int], score: str, parts: str
) -> None:
    who = [unit("1001", "staff", "P", "person"), unit("1002", "g", "P", "person"), *UNITS]
    asked = []

    def linked(source: str, subject: str, at: Period) -> dict[str, int]:
        asked.append((source, subject, str(at)))
        return links

    bureau = Bureau(GIVEN, personal(**params), who=who, tallies=SCORES, links=linked)
    found = bureau.results("2026-03")["1001"]

    assert found.total.score == F(score)
    assert str(found.nodes["L"].formula[0]) == f"Linked units: {parts}"
    assert set(asked) <= {(params["source"], code, "2026-03") for code in ("1001", "1002")}


@pytest.mark.parametrize("links", [{}, {"04": 31}, {"1002": 3}])
def test_a_person_whom_nothing_is_linked_to_is_not_assessed(links: dict[str, int]) -> None:
    who = [unit("1001", "staff", "P", "person"), unit("1002", "staff", "P", "person"), *UNITS]
    bureau = Bureau(GIVEN, personal(source="post"), who=who, tallies=SCORES, links=lambda *_asked: links)

    found = bureau.results("2026-03")["1001"]

    assert (found.total.score, found.rank, found.group_size) == (None, None, 0)
    assert str(found.nodes["L"].formula[0]) == "No linked unit has a score: not assessed"


def test_a_bureau_without_links_links_nobody() -> None:
    bureau = Bureau(GIVEN, personal(source="charge"), who=[unit("1001", "s", "P", "person"), *UNITS], tallies=SCORES)

    assert bureau.results("2026-03")["1001"].total.score is None


def test_a_unit_may_follow_the_other_units_of_a_group_but_not_itself() -> None:
    follower = tree(
        node("F", None, "sum", children="G O"), node("G", "F", "linked", params={"source": "group", "groups": "g"}),
        node("O", "F", "given"), code="F",
    )  # fmt: skip
    who = [unit("a", scheme="F"), unit("b"), unit("c"), unit("d", "h")]
    tallies = {(code, "A", "2026-03"): marks(value) for code, value in {"b": "80", "c": "90", "d": "10"}.items()}

    found = Bureau(GIVEN, follower, who=who, tallies=tallies).results("2026-03")["a"]

    assert found.nodes["G"].score == 85


def test_a_linked_unit_counts_with_its_veto_and_not_with_an_error() -> None:
    scheme = tree(node("T", None, "sum", children="A R"), node("A", "T", "given"), node("R", "T", "ratio", full="10"))
    who = [unit("1001", "s", "P", "person"), unit("01"), unit("02")]
    more = {
        "tallies": {("01", "A", "2026-03"): marks("90"), ("02", "A", "2026-03"): marks("70")},
        "targets": {("01", "R", "2026-03"): F(5)},
        "watched": {("01", "A", "2026-03"): (Watched("2026-03", "V", veto=F(59)),)},
        "links": lambda *_asked: {"01": 1, "02": 1},
    }

    assert Bureau(scheme, personal(source="charge"), who=who, **more).results("2026-03")["1001"].total.score == 59
    assert (
        Bureau(scheme, personal(source="charge", what="A"), who=who, **more).results("2026-03")["1001"].total.score
        == 80
    )
