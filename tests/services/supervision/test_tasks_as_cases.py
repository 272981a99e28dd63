"""The published rules of supervision run as tasks: the same numbers as the same rules give to plain entries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Bureau, ScoreEntry, SupervisedTask
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.supervision import office
from app.services.supervision import rating as supervision_rating
from app.services.supervision import work as supervision_work
from app.services.supervision.form import known_of, read_task
from app.services.supervision.night import record_lateness
from tests.cases import test_cases as commands
from tests.cases.books import Book, c18, read_case
from tests.conftest import workbook
from tests.supervised import at, set_rules

BEGIN = date(2016, 11, 1)


def with_people(book: Book) -> Book:
    """Somebody in every unit who can handle a task; entries are left out, tasks will post them."""
    book.rows.pop("entries", None)
    for number, unit in enumerate(book.rows["units"][1:], 1):
        book.add("people", staff_no=f"9{number:03d}", name=f"人员{number}", category="staff", **{"from": "2016-01-01"})
        book.add("postings", staff_no=f"9{number:03d}", unit=unit["code"], duty="head", **{"from": "2016-01-01"})
    return book


def task_for(
    unit: str, number: int, *, due: str = "2016-12-30", rating: str = "", stages: Sequence[tuple[str, str]] = ()
) -> int:
    """A task handed to a unit and signed for on 1 November."""
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        known = known_of(work, bureau.id, on=BEGIN)
        texts = {"source": "other", "matter": f"督查事项{number}", "leads": unit, "due": due, "last_stage": "办结",
                 "rating_clauses": rating}  # fmt: skip
        typed = read_task(texts, stages, known=known, today=BEGIN)
        assert typed.is_sound, typed.faults
        (task,) = office.register_tasks(work, typed, known, bureau_id=bureau.id, actor=SYSTEM, now=at(BEGIN))
        office.assign_task(work, task, seen=task.lock_version, actor=SYSTEM, now=at(BEGIN))
        supervision_work.sign_for_task(
            work, task, handlers=[f"9{number:03d}"], seen=task.lock_version, actor=SYSTEM, now=at(BEGIN, 10)
        )
        return task.id


def rate_and_close(pk: int, worth: dict[str, dict[str, str]], on: date) -> None:
    with transaction() as work:
        task = work.get_one(SupervisedTask, pk)
        now = at(on, 15)
        supervision_work.complete_task(work, task, content="完成", seen=task.lock_version, actor=SYSTEM, now=now)
        office.accept_task(work, task, opinion="", seen=task.lock_version, actor=SYSTEM, now=now)
        judged = supervision_rating.rate_task(
            work, task, worth, opinion="评价", seen=task.lock_version, actor=SYSTEM, now=now
        )
        assert judged is None, judged and judged.faults
        supervision_rating.close_task(work, task, seen=task.lock_version, actor=SYSTEM, now=now)


def test_case_18_as_ratings_of_tasks(any_app: Flask, tmp_path: Path) -> None:
    """Every deduction of the case is the rating of a task of its unit; those with only listed matters pay double."""
    case = read_case("c18")
    book, expected = c18(case)
    commands.load(any_app, with_people(book), tmp_path, "c18")
    act_as(db.session(), SYSTEM)
    named = {it["name"]: it["code"] for it in book.rows["units"]}
    for number, row in enumerate(case["inputs"], 1):
        events = row["events"]
        pk = task_for(named[row["unit"]], number, rating=";".join(case["rules"]["deductions"]))
        rate_and_close(pk, {code: {"quantity": str(count)} for code, count in events.items()}, date(2016, 11, 10))
    db.session.remove()

    printed = commands.settle_and_read(any_app, expected)

    for it in expected:
        commands.check(it, json.loads(printed[it.period]))


@pytest.mark.parametrize(
    ("reported", "yellow", "red", "score"),
    [
        # due on 4 November: late from Monday the 7th; yellow on the second day, red on the fifth
        ("2016-11-04", 0, 0, "100"), ("2016-11-07", 0, 0, "100"), ("2016-11-08", 1, 0, "100"),
        ("2016-11-10", 1, 0, "100"), ("2016-11-11", 1, 1, "98"), ("2016-11-21", 1, 1, "98"),
    ],
)  # fmt: skip
def test_the_ladder_of_yellow_and_red(
    app: Flask, tmp_path: Path, reported: str, yellow: int, red: int, score: str
) -> None:
    """Yellow twice on one task −1, red −2: as slips of a task, and as plain entries of the same clauses."""
    book = Book()
    book.scheme(year=2016)
    book.node("D", None, "deduct", full=100, floor="0")
    book.clause("Y", "D", "deduction", "every_n", price=1, every_n="2/year")
    book.clause("R", "D", "deduction", "fixed", price=2)
    book.unit("01", "甲所")
    book.unit("02", "乙所")
    commands.load(app, with_people(book), tmp_path, "ladder")
    act_as(db.session(), SYSTEM)
    set_rules({"supervision.yellow_clause": "Y", "supervision.red_clause": "R"}, since=date(2016, 1, 1))
    pk = task_for("01", 1, due="2016-11-04")
    day = date.fromisoformat(reported)
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        record_lateness(work, bureau.id, on=day, actor=SYSTEM, now=at(day, 8))
    rate_and_close(pk, {}, day)
    posted = [it.clause.code for it in db.session.scalars(select(ScoreEntry).where(ScoreEntry.source_id == pk))]
    assert (posted.count("Y"), posted.count("R")) == (yellow, red)
    db.session.remove()

    plain = Book(rows={"entries": []})
    for code, count in (("Y", yellow), ("R", red)):
        for _ in range(count):
            plain.entry(reported, code, "02")
    if plain.rows["entries"]:
        file = tmp_path / "plain.xlsx"
        file.write_bytes(workbook(plain.rows))
        commands.run(app, "workbook", "load", str(file), "--bureau", "0000")
    commands.run(app, "settle", "2016-11")
    rows = json.loads(commands.run(app, "scores", "2016-11", "--format", "json"))
    totals = {it["subject"]: Decimal(it["score"]) for it in rows if it["indicator"] is None}
    assert totals == {"01": Decimal(score), "02": Decimal(score)}


@pytest.mark.parametrize(("is_one_task", "score"), [(True, "99.00"), (False, "100.00")])
def test_two_yellow_slips_on_one_task_cost_a_point(app: Flask, tmp_path: Path, is_one_task: bool, score: str) -> None:
    """Yellow on two stages of one task; on two tasks it is each once."""
    book = Book()
    book.scheme(year=2016)
    book.node("D", None, "deduct", full=100, floor="0")
    book.clause("Y", "D", "deduction", "every_n", price=1, every_n="2/year")
    book.unit("01", "甲所")
    commands.load(app, with_people(book), tmp_path, "two")
    act_as(db.session(), SYSTEM)
    set_rules({"supervision.yellow_clause": "Y"}, since=date(2016, 1, 1))
    if is_one_task:
        task_for("01", 1, due="2016-11-10", stages=[("摸底", "2016-11-04")])
    else:
        for due in ("2016-11-04", "2016-11-10"):
            task_for("01", 1, due=due)
    on = date(2016, 11, 14)
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        done = record_lateness(work, bureau.id, on=on, actor=SYSTEM, now=at(on, 8))
    assert done.slips == 5, "two blue, two yellow, and red on the first"
    db.session.remove()
    commands.run(app, "settle", "2016-11")
    rows = json.loads(commands.run(app, "scores", "2016-11", "--format", "json"))
    assert [it["score"] for it in rows if it["indicator"] is None] == [score]
