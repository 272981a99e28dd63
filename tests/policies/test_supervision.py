"""Who may do what on a supervised task, in which state: a table written by hand from what supervision is to be.

Every verb is tried from every state by everybody: allowed where the table says so, else refused with no row left
behind. The list everybody sees is held against a second table.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import HouseError
from app.extensions import db, transaction
from app.models import SupervisedTask, TaskExtension
from app.policies import supervision as policy
from app.policies.actor import SYSTEM, Actor
from app.rules.supervision import TaskVerb
from app.security.scope import act_as
from app.services.supervision import extensions, office, rating
from app.services.supervision import work as supervision_work
from app.services.supervision.work import Feedback
from tests.supervised import (
    RULES,
    actor,
    at,
    do,
    handed_over,
    registered,
    set_rules,
    supervised_rows,
    task_now,
    typed_task,
    under_way,
)

DAY, NEXT = date(2026, 11, 2), date(2026, 11, 3)
# Everybody, by what he is to a task of unit B1 handled by 2103 with a part of 2104, assisted by 04, led by 1002.
WHO = {
    "office": "sunlijun", "leader": "yujianping", "leader in charge": "shenguohua", "head": "fuweidong",
    "clerk": "lichunxia", "handler": "majun", "part": "huxiaofeng", "assisting head": "dingyulan",
    "assisting clerk": "qianhaiying", "other head": "zhenglijun", "other staff": "shouxiaodong",
    "assessment": "zhouyaqin", "assessor": "hewenbin", "system": "sysadmin", "security": "secadmin", "audit": "auditor",
}  # fmt: skip
STATES = ("draft", "assigned", "under_way", "reported", "sent_back", "accepted", "rated", "closed", "cancelled")
AT_WORK = ("under_way", "sent_back")
UNIT, WORKERS = ("head", "clerk"), ("head", "clerk", "handler")
JUDGES = ("office", "leader")
ALLOWED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "change": (("draft",), ("office",)),
    "assign": (("draft",), ("office",)),
    "recall": (("assigned",), ("office",)),
    "sign_for": (("assigned",), UNIT),
    "name_handlers": (AT_WORK, UNIT),
    "split": (AT_WORK, UNIT),
    "finish_part": (AT_WORK, ("head", "clerk", "part")),
    "report": (AT_WORK, WORKERS),
    "help": (AT_WORK, ("assisting head", "assisting clerk")),
    "ask_extension": (AT_WORK, WORKERS),
    "decide_extension": (AT_WORK, JUDGES),
    "complete": (AT_WORK, WORKERS),
    "take_back": (("reported",), WORKERS),
    "accept": (("reported",), JUDGES),
    "send_back": (("reported",), JUDGES),
    "rate": (("accepted", "rated"), JUDGES),
    "close": (("rated",), JUDGES),
    "rate_above": (("under_way", "sent_back", "reported", "accepted", "rated", "closed"), JUDGES),
    "cancel": (("assigned", "under_way", "sent_back", "reported", "accepted", "rated"), JUDGES),
    "cancel draft": (("draft",), ("office",)),
}
SEES_DRAFTS = ("office",)
SEES = ("office", "leader", "leader in charge", "head", "clerk", "handler", "part", "assisting head", "assisting clerk",
        "assessment")  # fmt: skip
SEES_BEFORE_PARTS = tuple(it for it in SEES if it != "part")


class _Undo(Exception):
    """Ends a transaction that went well, so that the next one finds the same state."""


def with_part(task: SupervisedTask) -> SupervisedTask:
    do(supervision_work.split_task, task, WHO["head"], DAY, handler="2104", matter="一半", due_on=NEXT)
    return task_now(task.id)


def finish_part(task: SupervisedTask) -> None:
    with transaction() as work:
        part = work.get_one(SupervisedTask, task.id).parts[0]
        supervision_work.finish_part(work, part, result="好", actor=actor(WHO["part"]), now=at(DAY))


def completed(**more: Any) -> SupervisedTask:
    task = under_way(DAY, stages=[], **more)
    do(supervision_work.complete_task, task, WHO["handler"], DAY, content="好")
    return task_now(task.id)


def accepted() -> SupervisedTask:
    task = completed()
    do(office.accept_task, task, WHO["office"], DAY, opinion="")
    return task_now(task.id)


def rated() -> SupervisedTask:
    task = accepted()
    do(rating.rate_task, task, WHO["office"], DAY, worth={"S.8": {"points": "2"}}, opinion="可")
    return task_now(task.id)


def in_state(state: str) -> SupervisedTask:
    """A task that reached a state by its verbs."""
    if state == "draft":
        return registered(DAY, stages=[])[0]
    if state == "assigned":
        return handed_over(DAY, stages=[])
    if state == "under_way":
        return with_part(under_way(DAY, stages=[("一", "3")]))
    if state == "sent_back":
        task = completed()
        do(office.send_back_task, task, WHO["office"], DAY, reason="不全", due_on=None)
        return with_part(task_now(task.id))
    made = {"reported": completed, "accepted": accepted, "rated": rated}
    if state in made:
        return made[state]()
    task = rated()
    if state == "closed":
        do(rating.close_task, task, WHO["office"], DAY)
    else:
        do(office.cancel_task, task, WHO["office"], DAY, reason="另行安排")
    return task_now(task.id)


def attempt(verb: str, work: Any, task: SupervisedTask, who: Actor) -> object:
    """One verb with facts that are sound; what is asked for first is there."""
    facts: dict[str, Any] = {"actor": who, "now": at(DAY, 15)}
    seen = {"seen": task.lock_version, **facts}
    stage = task.stages[-1]
    part = task.parts[0] if task.parts else None
    if verb == "change":
        return office.change_task(work, task, *typed_task(DAY, stages=[]), **seen)
    if verb in ("report", "help"):
        first = None if verb == "help" else task.stages[0]
        return supervision_work.report_stage(work, task, first, Feedback("进展", "partly"), **facts)
    if verb == "finish_part":
        if part is None:
            raise HouseError.__new__(HouseError)
        return supervision_work.finish_part(work, part, result="好", **facts)
    if verb == "decide_extension":
        asked = TaskExtension(task_id=task.id, stage_id=stage.id, days=1, reason="x", old_due_on=stage.due_on,
                              new_due_on=stage.due_on, state="asked", asked_by="x", asked_at=at(DAY))  # fmt: skip
        work.add(asked)
        work.flush()
        return extensions.decide_extension(work, asked, is_granted=True, opinion="", **facts)
    if verb == "complete" and part is not None:
        part.done_on, part.done_by = DAY, "x"
        work.flush()
    calls: dict[str, Callable[[], object]] = {
        "assign": lambda: office.assign_task(work, task, **seen),
        "recall": lambda: office.recall_task(work, task, **seen),
        "sign_for": lambda: supervision_work.sign_for_task(work, task, handlers=["2103"], **seen),
        "name_handlers": lambda: supervision_work.name_handlers(work, task, handlers=["2104"], **seen),
        "split": lambda: supervision_work.split_task(work, task, handler="2104", matter="二", due_on=NEXT, **seen),
        "ask_extension": lambda: extensions.ask_extension(work, task, stage, days=1, reason="迟", **facts),
        "complete": lambda: supervision_work.complete_task(work, task, content="完", **seen),
        "take_back": lambda: supervision_work.take_back_report(work, task, **seen),
        "accept": lambda: office.accept_task(work, task, opinion="", **seen),
        "send_back": lambda: office.send_back_task(work, task, reason="缺", due_on=None, **seen),
        "rate": lambda: rating.rate_task(work, task, {}, opinion="可", **seen),
        "rate_above": lambda: rating.rate_above(
            work, task, issuer="市局", document="", clause="", worth={}, opinion="可", **facts),
        "close": lambda: rating.close_task(work, task, **seen),
        "cancel": lambda: office.cancel_task(work, task, reason="不办了", **seen),
    }  # fmt: skip
    return calls[verb.removesuffix(" draft")]()


@pytest.fixture
def tasks(app: Flask, load: Callable[..., object]) -> dict[str, int]:
    load(supervised_rows())
    set_rules(RULES)
    return {state: in_state(state).id for state in STATES}


def rows() -> dict[str, int]:
    db.session.rollback()
    names = list(SupervisedTask.metadata.tables)
    return {it: db.session.connection().exec_driver_sql(f"SELECT count(*) FROM {it}").scalar() or 0 for it in names}


def test_every_verb_from_every_state_by_everybody(tasks: dict[str, int]) -> None:
    actors = {relation: actor(name, DAY) for relation, name in WHO.items()}
    before, wrong = rows(), []
    for verb, (states, allowed) in ALLOWED.items():
        for state in STATES:
            if (verb == "cancel" and state == "draft") or (verb == "cancel draft" and state != "draft"):
                continue
            for relation, who in actors.items():
                expected = state in states and relation in allowed
                try:
                    with transaction() as work:
                        attempt(verb, work, work.get_one(SupervisedTask, tasks[state]), who)
                        raise _Undo
                except _Undo:
                    done = True
                except HouseError:
                    done = False
                if done is not expected:
                    wrong.append((verb, state, relation, done))
    assert wrong == []
    assert rows() == before
    assert {pk: task_now(pk).state for pk in tasks.values()} == {pk: state for state, pk in tasks.items()}


def test_the_buttons_are_the_verbs(tasks: dict[str, int]) -> None:
    """What the page offers is what would be carried out: the same table once more, without the acts."""
    actors = {relation: actor(name, DAY) for relation, name in WHO.items()}
    for state, pk in tasks.items():
        task = task_now(pk)
        for relation, who in actors.items():
            expected = {
                verb.removesuffix(" draft").replace("help", "report")
                for verb, (states, allowed) in ALLOWED.items()
                if state in states and relation in allowed and not (verb == "cancel" and state == "draft")
            }
            found = policy.open_verbs(who, task) - {TaskVerb.URGE}
            if not task.parts:
                expected.discard("finish_part")
            assert {str(it) for it in found} == expected, (state, relation)


def test_the_list_and_the_rights_agree(tasks: dict[str, int]) -> None:
    for relation, name in WHO.items():
        act_as(db.session(), actor(name, DAY))
        seen = set(db.session.scalars(select(SupervisedTask.id)))
        act_as(db.session(), SYSTEM)
        expected = {
            pk
            for state, pk in tasks.items()
            if (state == "draft" and relation in SEES_DRAFTS)
            or (state in AT_WORK and relation in SEES)
            or (state not in ("draft", *AT_WORK) and relation in SEES_BEFORE_PARTS)
        }
        assert seen == expected, relation
