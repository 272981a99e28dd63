"""Random entries, targets, results from outside and grade rules for the schemes of a workbook."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.oracle.chance import Chance, text
from tests.oracle.periods import inside
from tests.oracle.trees import GRADES, QUESTIONS, VOTE_GRADES, VOTERS, WorkLine

Rows = dict[str, list[dict[str, Any]]]
Row = dict[str, Any]
QUARTER_GRADES = ("好", "较好", "一般", "较差")


def add_facts(chance: Chance, rows: Rows, lines: list[WorkLine], last: date) -> None:
    rows["entries"] = []
    families = {it.code: it.family for it in lines}
    people = "person" in {it["subject_kind"] for it in rows["schemes"]}
    for clause in rows["clauses"]:
        family = families[clause["indicator"]]
        busy = chance.whole(4, 26)
        key_odds = chance.one((0.0, 0.5, 0.9))
        for _ in range(busy):
            subject = _subject(chance, rows, people)
            day = chance.day(last=last)
            if chance(0.5):
                day = day.replace(month=min(chance.one((3, 5)), last.month), day=min(day.day, 28))
            if day > last or not _in_force(subject, day):
                continue
            rows["entries"].append(_entry(chance, rows, clause, family, subject, day, key_odds))
    chance.random.shuffle(rows["entries"])
    for index, entry in enumerate(rows["entries"]):
        entry["no"] = f"E{index + 1}"


def _subject(chance: Chance, rows: Rows, people: bool) -> Row:
    if people and chance(0.4):
        return chance.one(rows["people"])
    return chance.one(rows["units"][1:] if chance(0.95) else rows["units"])


def code_of(row: Row) -> str:
    return str(row.get("code") or row["staff_no"])


def _in_force(row: Row, day: date) -> bool:
    begin, end = row.get("from"), row.get("to")
    return (begin is None or begin <= day) and (end is None or day <= end)


def _entry(chance: Chance, rows: Rows, clause: Row, family: str, subject: Row, day: date, key_odds: float) -> Row:
    entry: Row = {"no": "", "occurred_on": day, "clause": clause["code"], "subject": code_of(subject)}
    if clause["pricing"] == "range":
        entry["points"] = chance.number(float(clause["min"]), float(clause["max"]), 3)
        entry["points"] = min(max(entry["points"], clause["min"]), clause["max"])
    if clause["pricing"] == "given":
        entry["points"] = chance.number(0, 9, 3)
    if clause["pricing"] == "measure":
        entry["value"] = _value(chance, family)
    if family == "votes":
        entry["attrs"] = f"voter={chance.one(VOTERS)};question={chance.one(QUESTIONS)};grade={chance.one(VOTE_GRADES)}"
    if chance(0.25 if family != "votes" else 0.1):
        entry["quantity"] = chance.number(0.5, 4, 4)
    if chance(key_odds):
        entry["work_key"] = chance.one(("W1", "W2", "W3"))
    if family != "votes" and chance(0.3):
        entry["attrs"] = f"joint={chance.one(('yes', 'no'))}"
    named = _parties(chance, rows, clause, day)
    if named:
        entry["parties"] = named
    return entry


def _value(chance: Chance, family: str) -> Any:
    if family == "votes":
        return chance.whole(1, 9)
    if family == "mark":
        return chance.number(1, 7, 1)
    return chance.number(-8, 60, 4) if chance(0.8) else chance.whole(1, 10)


def _parties(chance: Chance, rows: Rows, clause: Row, day: date) -> str:
    found = []
    for part in (clause.get("shares") or "").split(";"):
        name = part.partition("=")[0]
        if name in ("responsible", "handler", "assist") or (name in ("leader", "unit") and chance(0.15)):
            units = name == "unit" or (name == "assist" and chance(0.6))
            known = rows["units"] if units else rows["people"]
            there = sorted({code_of(it) for it in known if _in_force(it, day)})
            named = chance.few(there, 0 if name != "unit" else 1, 1 if name == "unit" else 3)
            if named:
                found.append(f"{name}={'|'.join(named)}")
    return ";".join(found)


def add_outside(chance: Chance, rows: Rows, lines: list[WorkLine]) -> None:
    """Targets and external results."""
    rows["targets"], rows["external_results"] = [], []
    spans: dict[str, set[str]] = {}
    methods: dict[str, set[str]] = {}
    for node in rows["indicators"]:
        spans.setdefault(node["code"], set()).add(node.get("span") or "month")
        methods.setdefault(node["code"], set()).add(node["method"])
    subjects = {code_of(it): it for it in [*rows["people"], *rows["units"][1:]]}
    missing = chance.one((0.0, 0.0, 0.01, 0.08))
    for code in sorted(methods):
        periods = sorted(it for kind in spans[code] for it in inside(str(chance.year), kind, date.max))
        for subject in sorted(subjects):
            for period in periods:
                if methods[code] & {"ratio", "gap", "bands"} and not chance(missing):
                    value = 0 if chance(0.1 if methods[code] == {"gap"} else missing / 3) else chance.number(1, 60, 4)
                    rows["targets"].append({"indicator": code, "subject": subject, "period": period, "value": value})
                if methods[code] & {"given", "place"} and chance(0.12):
                    rows["external_results"].append(_external(chance, code, subject, period))
    for subject in chance.some(sorted(subjects), 0.2):
        rows["external_results"].append(_external(chance, None, subject, f"{chance.year}-02"))


def _external(chance: Chance, code: str | None, subject: str, period: str) -> Row:
    row: Row = {"period": period, "subject": subject, "indicator": code}
    what = chance.random.random()
    if what < 0.8:
        row["score"] = chance.number(0, 100)
    if what > 0.6:
        row["rank"] = chance.whole(1, 6)
    return row


def add_rules(chance: Chance, rows: Rows) -> None:
    rows["grade_rules"] = []
    for scheme in rows["schemes"]:
        if chance(0.8):
            codes = [it["code"] for it in rows["indicators"] if it["scheme"] == scheme["code"]]
            rows["grade_rules"] += _rules(chance, scheme, codes, [it["code"] for it in rows["clauses"]])
    graded = {it["grade"] for it in rows["grade_rules"] if it["kind"] == "band"}
    for clause in rows["clauses"]:
        if clause.get("veto") in GRADES and clause["veto"] not in graded:
            del clause["veto"]


def _rules(chance: Chance, scheme: Row, codes: list[str], clauses: list[str]) -> list[Row]:
    found: list[Row] = []

    def add(grade: str, kind: str, condition: str | None, value: str | None = None) -> None:
        row = {"scheme": scheme["code"], "grade": grade, "kind": kind, "condition": condition, "value": value}
        if row not in found:
            found.append(row)

    limit = chance.number(20, 80)
    grades = GRADES[: chance.whole(3, 4)]
    quarterly = QUARTER_GRADES[: chance.whole(2, 4)]
    for index, grade in enumerate(grades):
        lowest = index == len(GRADES) - 1
        add(grade, "band", "total>=-1000" if lowest else f"total>={text(limit - 15 * index)}")
        if chance(0.2):
            add(grade, "band", _condition(chance, codes, clauses, quarterly))
    for index, grade in enumerate(quarterly):
        add(grade, "band_quarter", f"total>={text(chance.number(0, 60) - 10 * index)}")
    if chance(0.4):
        add(quarterly[-1], "band_quarter", _condition(chance, codes, clauses, quarterly[:0]))
    for kind, some, odds in (("eligibility", grades[:-1], 0.4), ("cap", grades[1:], 0.4)):
        for grade in some:
            while chance(odds):
                add(grade, kind, _condition(chance, codes, clauses, quarterly))
    for grade in grades[:-1]:
        if chance(0.4):
            order = chance.one((None, "grades(好)", "total", chance.one(codes), f"count({chance.one(clauses)})"))
            rounding = chance.one(("floor", "round", "ceil"))
            add(grade, "quota", order, f"{text(chance.number(10, 70))}/{rounding}")
    return found


def _condition(chance: Chance, codes: list[str], clauses: list[str], quarterly: tuple[str, ...]) -> str:
    terms = []
    for _ in range(chance.whole(1, 2)):
        op = chance.one((">=", ">", "<=", "<", "="))
        graded = [f"grades({chance.one(quarterly)}){op}{chance.whole(0, 3)}"] if quarterly else []
        terms.append(
            chance.one(
                (
                    *graded,
                    f"total{op}{text(chance.number(0, 90))}",
                    f"{chance.one(codes)}{op}{text(chance.number(0, 60))}",
                    f"count({chance.one(clauses)}){op}{chance.whole(0, 4)}",
                    f"quantity({chance.one(clauses)}){op}{text(chance.number(0, 6))}",
                    f"group={chance.one(('机关', '分局', '负责人'))}",
                    f"tag={chance.one(('large', 'market'))}",
                )
            )
        )
    return "&".join(terms)
