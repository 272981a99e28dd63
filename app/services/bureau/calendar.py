"""The work calendar of a bureau: its own days over the national arrangement, which comes once a year."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import delete, extract, false, insert, select, true, union_all
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import CalendarDay, NationalDay
from app.policies import org as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.workdays import WorkCalendar, read_arrangement
from app.services import trace
from app.services.upsert import insert_once

WHY = "days off are the same for everybody"
FILE = Path(__file__).parents[2] / "data" / "national_days.csv"
WORDS = FILE.parent / "process.toml"
FIRST_YEAR, LAST_YEAR = 2004, 2100
_NATIONAL, _OWN = NationalDay.__table__, CalendarDay.__table__


@cache
def words() -> dict[str, bool]:
    """The words of an arrangement as people paste it: whether a day is worked."""
    known = tomllib.loads(WORDS.read_text(encoding="utf-8"))["arrangement"]
    return {word: kind == "workday" for kind, found in known.items() for word in found}


def work_calendar(session: Session, bureau_id: int) -> WorkCalendar:
    """Read the calendar of a bureau: one statement, some hundred rows."""
    national = select(_NATIONAL.c.day, _NATIONAL.c.kind, _NATIONAL.c.is_official, false().label("is_own"))
    own = select(_OWN.c.day, _OWN.c.kind, false(), true()).where(_OWN.c.bureau_id == bureau_id)
    arranged: dict[date, bool] = {}
    own_word: dict[date, bool] = {}
    official = set()
    for day, kind, is_official, is_own in unscoped(session, WHY).execute(union_all(national, own)):
        (own_word if is_own else arranged)[day] = kind == "workday"
        if is_official:
            official.add(day.year)
    return WorkCalendar(arranged | own_word, frozenset(official))


def seed_national(session: Session) -> int:
    """Bring the shipped arrangements in: years that have come officially, statutory dates of others. Idempotent.

    A year somebody has imported stays; the statutory dates of a year give way to its arrangement.
    """
    shipped = list(_shipped())
    known = official_years(session)
    new = {row["day"].year for row in shipped if row["is_official"]} - known
    _forget_statutory(session, new)
    rows = [row for row in shipped if row["day"].year not in known]
    return insert_once(session, NationalDay, rows, ("day",))


def _shipped() -> Iterator[dict[str, Any]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {
                "day": date.fromisoformat(row["day"]), "kind": row["kind"], "name": row["name"],
                "is_official": row["is_official"] == "yes",
            }  # fmt: skip


def official_years(session: Session) -> set[int]:
    """The years whose arrangement has come."""
    year = extract("year", _NATIONAL.c.day)
    found = unscoped(session, WHY).execute(select(year).where(_NATIONAL.c.is_official).distinct())
    return {int(it) for it in found.scalars()}


def _forget_statutory(session: Session, years: set[int]) -> None:
    for year in years:
        unscoped(session, WHY).execute(
            delete(_NATIONAL).where(
                _NATIONAL.c.day >= date(year, 1, 1), _NATIONAL.c.day <= date(year, 12, 31),
                _NATIONAL.c.is_official.is_(False),
            )
        )  # fmt: skip


def import_year(session: Session, year: int, text: str, *, actor: Actor, now: datetime) -> int:
    """Bring in the arrangement of a year, as printed: its days off and make-up workdays; answers how many.

    An arrangement that is there already is replaced. Deadlines counted in working days follow by themselves: the
    caller asks the processes to look at theirs.
    """
    require(policy.may_keep_calendar(actor))
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise RuleViolation(
            N_("The year lies between %(first)s and %(last)s.", first=FIRST_YEAR, last=LAST_YEAR), field_name="year"
        )
    days = read_arrangement(text, year, words())
    rows = unscoped(session, WHY)
    of_year = (_NATIONAL.c.day >= date(year, 1, 1)) & (_NATIONAL.c.day <= date(year, 12, 31))
    before = len(rows.execute(select(_NATIONAL.c.day).where(of_year, _NATIONAL.c.is_official)).all())
    rows.execute(delete(_NATIONAL).where(of_year))
    rows.execute(
        insert(_NATIONAL),
        [
            {"day": day.day, "kind": "workday" if day.is_workday else "holiday", "name": day.name, "is_official": True}
            for day in days
        ],
    )
    trace.record(
        session, verb="import_year", target="national_day", label=str(year), before={"days": before},
        after={"days": len(days)}, actor=actor, now=now,
    )  # fmt: skip
    return len(days)
