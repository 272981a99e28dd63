"""Random small bureaus whose workbooks together touch every rule of docs/scoring.md."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.chance import Chance, text
from tests.oracle.facts import add_facts, add_outside, add_rules
from tests.oracle.trees import add_clauses, add_schemes, lines_of_bureau

UNIT_GROUPS = ("机关", "分局")
PERSON_GROUPS = ("负责人", "一般人员", "机关")
TAGS = ("large", "market", "remote")
BUREAU = "00"

Rows = dict[str, list[dict[str, Any]]]
DAY = timedelta(days=1)


def random_bureau(seed: int, year: int = 2025, last: date | None = None) -> Rows:
    """A valid workbook of one year; no entry is later than `last`."""
    chance = Chance(seed, year)
    rows: Rows = {}
    add_units(chance, rows)
    add_people(chance, rows)
    lines = lines_of_bureau(chance)
    add_schemes(chance, rows, lines, UNIT_GROUPS, PERSON_GROUPS)
    add_postings(chance, rows)
    add_oversight(chance, rows)
    add_clauses(chance, rows, lines)
    add_facts(chance, rows, lines, last or date(year, 12, 31))
    add_outside(chance, rows, lines)
    add_rules(chance, rows)
    add_bygone(rows)
    return as_typed(chance, rows) if chance(0.2) else rows


def add_units(chance: Chance, rows: Rows) -> None:
    bureau = {"code": BUREAU, "name": "测试局", "kind": "bureau", "order": 0}
    rows["units"] = [bureau | ({"group": chance.one(UNIT_GROUPS)} if chance(0.1) else {})]
    for index in range(chance.whole(3, 6)):
        first = {
            "code": f"U{index + 1}",
            "name": f"单位{index + 1}",
            "parent": BUREAU,
            "kind": chance.one(("department", "branch")),
            "group": chance.one(UNIT_GROUPS),
            "tags": ";".join(chance.some(TAGS, 0.4)),
            "order": 10 - index if chance(0.3) else index + 11,
        }
        changed = {
            "name": f"单位{index + 1}甲",
            "group": chance.one(UNIT_GROUPS),
            "tags": ";".join(chance.some(TAGS, 0.4)),
        }
        rows["units"] += _in_time(chance, first, changed)


def add_people(chance: Chance, rows: Rows) -> None:
    rows["people"] = []
    for index in range(chance.whole(1, 2)):
        leader = {"staff_no": f"9{index + 1}", "name": f"局长{index + 1}", "category": "bureau_leader"}
        rows["people"].append(leader | ({"group": "负责人"} if chance(0.4) else {}))
    for index in range(chance.whole(2, 5)):
        first = {
            "staff_no": f"1{index + 1}",
            "name": f"职工{index + 1}",
            "category": chance.one(("unit_head", "unit_deputy", "staff")),
            "group": chance.one(PERSON_GROUPS[:2]) if chance(0.9) else PERSON_GROUPS[2],
        }
        changed = {"group": chance.one(PERSON_GROUPS[:2]), "category": chance.one(("unit_head", "staff"))}
        rows["people"] += _in_time(chance, first, changed)


def add_bygone(rows: Rows) -> None:
    """Units and people of long ago who bear every name: what a condition asks for must have had a bearer."""
    days = {"from": date(1990, 1, 1), "to": date(1990, 12, 31)}
    for index, group in enumerate(UNIT_GROUPS):
        unit = {"code": f"Z{index}", "name": f"旧单位{index}", "parent": BUREAU, "kind": "department", "group": group}
        rows["units"].append({**unit, "tags": ";".join(TAGS), **days})
    for index, category in enumerate(("unit_head", "unit_deputy", "staff")):
        person = {"staff_no": f"Z1{index}", "name": f"旧职工{index}", "category": category}
        rows["people"].append({**person, "group": PERSON_GROUPS[index], **days})


def _in_time(chance: Chance, first: dict[str, Any], changed: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for the whole year, two with a change between them, or one who comes or leaves."""
    turn = chance.turn()
    what = chance.random.random()
    if what < 0.3:
        return [first | {"to": turn - DAY}, first | changed | {"from": turn}]
    if what < 0.4:
        return [first | {"to": turn}]
    if what < 0.5:
        return [first | {"from": turn}]
    return [first | {"from": date(chance.year, 1, 1)}]


def add_postings(chance: Chance, rows: Rows) -> None:
    units = sorted({it["code"] for it in rows["units"]})
    rows["postings"] = []
    for staff_no in sorted({it["staff_no"] for it in rows["people"]}):
        spans = [it for it in rows["people"] if it["staff_no"] == staff_no]
        begin = spans[0].get("from") or date(chance.year, 1, 1)
        end = spans[-1].get("to")
        here, there = chance.few(units, 2, 2)
        turn = chance.turn()
        if chance(0.4) and begin < turn and (end is None or turn <= end):
            _post(rows, staff_no, here, begin, turn - DAY)
            _post(rows, staff_no, there, turn, end)
        elif chance(0.95):
            _post(rows, staff_no, here, begin, end)
            later = turn if begin < turn and (end is None or turn <= end) else begin
            if chance(0.4):
                _post(rows, staff_no, there, chance.one((begin, later)), end)


def _post(rows: Rows, staff_no: str, unit: str, begin: date, end: date | None) -> None:
    rows["postings"].append({"staff_no": staff_no, "unit": unit, "duty": "member", "from": begin, "to": end})


def add_oversight(chance: Chance, rows: Rows) -> None:
    """Leaders over units, lines of work, or one line in one unit."""
    units = sorted({it["code"] for it in rows["units"]})
    codes = sorted({it["code"] for it in rows["indicators"]})
    rows["oversight"] = []
    leaders = [it["staff_no"] for it in rows["people"] if it["category"] == "bureau_leader"]
    head = next((it["staff_no"] for it in rows["people"] if it["category"] == "unit_head"), leaders[0])
    for staff_no in dict.fromkeys([*leaders, head]):
        for unit in chance.some(units, 0.5):
            _oversee(chance, rows, staff_no, unit, None)
        for code in chance.some(codes, 0.1):
            _oversee(chance, rows, staff_no, chance.one(units) if chance(0.5) else None, code)


def _oversee(chance: Chance, rows: Rows, staff_no: str, unit: str | None, code: str | None) -> None:
    begin = date(chance.year, 1, 1) if chance(0.7) else chance.turn()
    end = chance.day(begin) if chance(0.2) else None
    rows["oversight"].append({"staff_no": staff_no, "unit": unit, "indicator": code, "from": begin, "to": end})


LISTS = {
    "units": ("tags",),
    "schemes": ("groups",),
    "indicators": ("params", "applies_to"),
    "clauses": ("ladder", "multipliers", "shares", "cap"),
    "entries": ("attrs", "parties"),
    "grade_rules": ("condition",),
}
SEPARATORS = re.compile(r"[;|:&]|(?<![<>])=")


def as_typed(chance: Chance, rows: Rows) -> Rows:
    """§7: the same facts with blanks around separators, and dates and numbers as text."""
    return {
        sheet: [
            {key: _typed(chance, value, key in LISTS.get(sheet, ())) for key, value in row.items()} for row in found
        ]
        for sheet, found in rows.items()
    }


def _typed(chance: Chance, value: Any, is_list: bool) -> Any:
    if is_list and value and chance(0.3):
        return SEPARATORS.sub(lambda it: f" {it.group()} ", str(value))
    if isinstance(value, (date, Decimal)) and chance(0.3):
        return text(value)
    return value
