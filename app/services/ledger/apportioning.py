"""Posting the parts of shared facts: who the parties were on the day, and one derived entry for each.

Source: docs/scoring.md section 3, step 5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.models import Clause, EntryKind, Indicator, Oversight, Posting, ScoreEntry, Subject
from app.models.types import FOREVER
from app.policies.scoping import unscoped
from app.rules.scoring.apportionment import Part, Share, apportion, read_parties, read_shares

WHY = "the parties of a fact are found by the day, whoever registers it"
_ENTRY = ScoreEntry.__table__
SLICE = 500
Dated = tuple[date, date]


@dataclass(slots=True)
class Parties:
    """Who was where and in charge of what, of one bureau; codes throughout."""

    units_of: dict[str, list[tuple[Dated, str]]] = field(default_factory=lambda: defaultdict(list))
    leaders_of: list[tuple[Dated, str, str, str]] = field(default_factory=list)
    above: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    people: set[str] = field(default_factory=set)
    ids: dict[str, int] = field(default_factory=dict)

    def unit_of(self, person: str, on: date) -> str | None:
        """The unit of a person on a day: of several postings the earliest, then by code."""
        found = sorted((first, unit) for (first, last), unit in self.units_of.get(person, ()) if first <= on <= last)
        return found[0][1] if found else None

    def leaders(self, unit: str, line: str, on: date) -> tuple[str, ...]:
        """Who is in charge of a unit in a line: rows with both, else with the line only, else with the unit only."""
        lines = self._with_above(line)
        now = [(leader, of, code) for (first, last), leader, of, code in self.leaders_of if first <= on <= last]
        both = [leader for leader, of, code in now if of == unit and code in lines]
        by_line = [leader for leader, of, code in now if of == "" and code in lines]
        by_unit = [leader for leader, of, code in now if of == unit and code == ""]
        return tuple(sorted(set(both or by_line or by_unit)))

    def _with_above(self, line: str) -> set[str]:
        found: set[str] = set()
        waiting = {line}
        while waiting:
            step = waiting.pop()
            found.add(step)
            waiting |= self.above.get(step, set()) - found
        return found - {""}

    def of(self, subject: str, line: str, on: date, named: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """The parties of a fact; those the entry names win over those that would be found."""
        unit = self.unit_of(subject, on) if subject in self.people else subject
        found: dict[str, tuple[str, ...]] = {}
        if unit is not None:
            if subject in self.people:
                found["unit"] = (unit,)
            found["leader"] = self.leaders(unit, line, on)
        return {**found, **named}


def read_parties_of(session: Session, bureau_id: int) -> Parties:
    """Read postings, divisions of work and the lines of all schemes: four statements."""
    rows = unscoped(session, WHY)
    subject, posting, oversight, indicator = (
        it.__table__.c for it in (Subject, Posting, Oversight, Indicator)
    )  # fmt: skip
    found = Parties()
    codes = {}
    query = select(subject.id, subject.code, subject.kind).where(subject.bureau_id == bureau_id)
    for pk, code, kind in rows.execute(query):
        codes[pk] = code
        found.ids[code] = pk
        if kind == "person":
            found.people.add(code)
    for row in rows.execute(select(Posting.__table__).where(posting.bureau_id == bureau_id)).mappings():
        found.units_of[codes[row["person_id"]]].append((_days(row), codes[row["unit_id"]]))
    for row in rows.execute(select(Oversight.__table__).where(oversight.bureau_id == bureau_id)).mappings():
        unit = "" if row["unit_id"] is None else codes[row["unit_id"]]
        found.leaders_of.append((_days(row), codes[row["leader_id"]], unit, row["indicator_code"]))
    for code, parent in rows.execute(
        select(indicator.code, indicator.parent_code).where(indicator.bureau_id == bureau_id)
    ):
        found.above[code].add(parent)
    return found


def _days(row: Mapping[Any, Any]) -> Dated:
    return row["valid_from"] or date.min, row["valid_to"] or FOREVER


def share_out(session: Session, bureau_id: int, records: list[dict[str, Any]]) -> dict[str, list[Part]]:
    """Give facts that are about to be stored their own share; answers the parts of the others by number.

    `records` are rows of `score_entry` without ids; those under a clause without shares are left as they are.
    """
    clauses = _shared_clauses(session, bureau_id)
    shared = [record for record in records if record["clause_id"] in clauses]
    if not shared:
        return {}
    parties = read_parties_of(session, bureau_id)
    codes = {pk: code for code, pk in ids_of(session, bureau_id).items()}
    found = {}
    for record in shared:
        shares, line = clauses[record["clause_id"]]
        code = codes[record["subject_id"]]
        named = parties.of(code, line, record["occurred_on"], read_parties(record["parties"]))
        mine, others = apportion(shares, code, named)
        record["share_percent"], record["share_divisor"] = mine.percent, mine.divisor
        if others:
            found[record["no"]] = others
    return found


def post_parts(session: Session, bureau_id: int, parts: Mapping[str, list[Part]]) -> None:
    """Post one derived entry for each part of the facts that were just stored, linked to its fact."""
    if not parts:
        return
    ids = ids_of(session, bureau_id)
    derived = [
        part_of(fact, part, ids[part.subject])
        for fact in _facts(session, bureau_id, list(parts))
        for part in parts[fact["no"]]
        if part.subject in ids
    ]
    if derived:
        unscoped(session, WHY).execute(insert(_ENTRY), derived)


def ids_of(session: Session, bureau_id: int) -> dict[str, int]:
    """The subjects of a bureau by code."""
    subject = Subject.__table__.c
    query = select(subject.code, subject.id).where(subject.bureau_id == bureau_id)
    return dict(unscoped(session, WHY).execute(query).all())


def part_of(fact: Mapping[Any, Any], part: Part, subject_id: int) -> dict[str, Any]:
    """The derived entry of one party: the same fact, its share, pointing to it."""
    kept = {name: value for name, value in fact.items() if name not in ("id", "reverses_id")}
    return {
        **kept, "kind": EntryKind.DERIVED, "subject_id": subject_id, "fact_id": fact["id"],
        "share_percent": part.percent, "share_divisor": part.divisor,
    }  # fmt: skip


def _shared_clauses(session: Session, bureau_id: int) -> dict[int, tuple[tuple[Share, ...], str]]:
    clause = Clause.__table__.c
    query = select(clause.id, clause.shares, clause.indicator_code).where(
        clause.bureau_id == bureau_id, clause.shares != ""
    )
    return {pk: (read_shares(text), line) for pk, text, line in unscoped(session, WHY).execute(query)}


def _facts(session: Session, bureau_id: int, numbers: list[str]) -> list[dict[str, Any]]:
    """The newest facts with these numbers; asked in slices."""
    newest: dict[str, dict[str, Any]] = {}
    for start in range(0, len(numbers), SLICE):
        query = select(_ENTRY).where(
            _ENTRY.c.bureau_id == bureau_id, _ENTRY.c.kind == "fact", _ENTRY.c.no.in_(numbers[start : start + SLICE])
        )
        for row in unscoped(session, WHY).execute(query.order_by(_ENTRY.c.id)).mappings():
            newest[row["no"]] = dict(row)
    return list(newest.values())
