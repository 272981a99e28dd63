"""A small bureau with rules of supervision, and tasks in it: what the tests of supervised tasks share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Bureau, ProcessRule, SupervisedTask
from app.policies.actor import SYSTEM, Actor, Origin
from app.rules.settings import read_codes
from app.security.scope import act_as
from app.services.accounts.actors import actor_of
from app.services.supervision import office
from app.services.supervision import work as supervision_work
from app.services.supervision.form import TypedTask, known_of, read_task
from tests.conftest import SMALL, account_of

OFFICE, LEADER, OTHER_LEADER = "sunlijun", "yujianping", "shenguohua"
HEAD, CLERK, HANDLER = "fuweidong", "lichunxia", "majun"
ASSISTING, STRANGER, ASSESSMENT = "dingyulan", "zhenglijun", "zhouyaqin"
MONDAY = date(2026, 11, 2)
SHARES = "self=60;assist=40/n;handler=30;leader=10"
RULES = {
    "supervision.late_clause": "S.5",
    "supervision.yellow_clause": "S.6",
    "supervision.red_clause": "S.7",
    "supervision.rating_clauses": "S.2;S.8",
}


def supervised_rows() -> dict[str, list[dict[str, Any]]]:
    """The small bureau with clauses of supervision, and schemes in which handlers and leaders have the line too."""
    rows = copy.deepcopy(SMALL)
    for row in rows["people"]:
        if row["category"] == "bureau_leader":
            row["group"] = "局领导"
    rows["schemes"].append(
        {"code": "2026-L", "title": "局领导考核方案", "year": 2026, "version": "1", "subject_kind": "person",
         "groups": "局领导", "places": 2, "rank_on": "rounded"}
    )  # fmt: skip
    rows["indicators"] += [
        {"scheme": "2026-P", "code": "S", "parent": "PT", "title": "督查督办", "method": "award"},
        {"scheme": "2026-L", "code": "LT", "title": "局领导考核", "method": "sum"},
        {"scheme": "2026-L", "code": "S", "parent": "LT", "title": "督查督办", "method": "award"},
    ]
    clause = {"indicator": "S", "effect": "deduction", "pricing": "fixed"}
    rows["clauses"] += [
        {**clause, "code": "S.5", "text": "督办节点每逾期1个工作日", "price": 0.5, "cap": "2/work", "shares": SHARES},
        {**clause, "code": "S.6", "text": "同一任务两次黄单", "price": 1, "pricing": "every_n", "every_n": "2/year",
         "shares": "handler=100"},
        {**clause, "code": "S.7", "text": "红单", "price": 2, "shares": "handler=100;leader=20"},
        {**clause, "code": "S.8", "text": "办结质量差", "pricing": "range", "min": 1, "max": 5, "shares": SHARES},
    ]  # fmt: skip
    return rows


def at(day: date, hour: int = 9) -> datetime:
    """An instant of the bureau's working day."""
    return datetime.combine(day, time(hour - 8), UTC)


def actor(username: str, on: date = MONDAY) -> Actor:
    return actor_of(db.session(), account_of(username), on=on, origin=Origin())


def set_rules(rules: dict[str, str], since: date = date(2026, 1, 1)) -> None:
    """Rules that hold from a day on, written as rows: the page never writes backwards."""
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        for key, value in rules.items():
            work.add(
                ProcessRule(bureau_id=bureau.id, key=key, value=value, valid_from=since, set_by="x", set_at=at(since))
            )


def typed_task(on: date, *, stages: list[tuple[str, str]] | None = None, **texts: str) -> tuple[TypedTask, Any]:
    """A task as typed, read against the bureau of the session."""
    bureau = db.session.scalars(select(Bureau)).one()
    known = known_of(db.session(), bureau.id, on=on)
    given = {
        "source": "meeting", "source_text": "局长办公会4号", "matter": "快检室全覆盖整改", "demand": "逐家验收",
        "leads": "B1", "assists": "04", "handlers": "2103", "due": "20", "last_stage": "办结报告",
        "rating_clauses": RULES["supervision.rating_clauses"], **texts,
    }  # fmt: skip
    steps = [("摸底排查", "3"), ("设备采购", "8")] if stages is None else stages
    return read_task(given, steps, known=known, today=on), known


def registered(on: date = MONDAY, **more: Any) -> list[SupervisedTask]:
    act_as(db.session(), SYSTEM)
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        typed, known = typed_task(on, **more)
        assert typed.is_sound, typed.faults
        made = office.register_tasks(work, typed, known, bureau_id=bureau.id, actor=actor(OFFICE, on), now=at(on))
        return [work.get_one(SupervisedTask, it.id) for it in made]


def task_now(pk: int) -> SupervisedTask:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(SupervisedTask, pk)


def do(verb: Callable[..., Any], task: SupervisedTask, who: str, on: date, **facts: Any) -> Any:
    """One verb in a transaction of its own; `seen` is the present version where the verb asks for one."""
    if "seen" in verb.__kwdefaults__ if verb.__kwdefaults__ else "seen" in verb.__code__.co_varnames:
        facts.setdefault("seen", task.lock_version)
    with transaction() as work:
        it = work.get_one(SupervisedTask, task.id)
        return verb(work, it, actor=actor(who, on), now=at(on), **facts)


def handed_over(on: date = MONDAY, **more: Any) -> SupervisedTask:
    (task,) = registered(on, **more)
    do(office.assign_task, task, OFFICE, on)
    return task_now(task.id)


def under_way(on: date = MONDAY, **more: Any) -> SupervisedTask:
    task = handed_over(on, **more)
    head = next(it for it in (HEAD, STRANGER, "hewenbin", OFFICE) if task.lead_unit_id in actor(it, on).own_units)
    do(supervision_work.sign_for_task, task, head, on, handlers=())
    return task_now(task.id)


def codes(text: str) -> tuple[str, ...]:
    return read_codes(text)
