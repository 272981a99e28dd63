"""Two at once on one record: one is done, the other is told; what was read before the lock is read again under it.

Both load the record before either writes, as two pages do that were opened together. On SQLite the transactions follow
one another anyway; on PostgreSQL only the lock of the bureau, taken first, lets the second see what the first did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import HouseError
from app.extensions import db, transaction
from app.models import Bureau, CorrectionVoucher, ScoreEntry, TaskExtension, TaskPart, TaskReport
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.ledger.reversal import reverse_entry
from app.services.publication import vouchers
from app.services.supervision import extensions
from app.services.supervision import office as supervision
from app.services.supervision import work as supervision_work
from app.services.supervision.work import Feedback
from tests.conftest import NOW, SMALL
from tests.services.publication.test_bulletin import actor as holder
from tests.services.publication.test_bulletin import publish_all
from tests.services.supervision.test_office import FRIDAY, TUESDAY
from tests.supervised import (
    HANDLER,
    HEAD,
    OFFICE,
    RULES,
    actor,
    at,
    do,
    handed_over,
    set_rules,
    supervised_rows,
    task_now,
    under_way,
)

Act = Callable[[Session, Any], object]


def at_once(app: Flask, model: type[Any], pk: int, *acts: Act) -> list[str]:
    """Let several act on one record that all of them have loaded before; "done" or the word of the refusal of each."""
    ready, said = threading.Barrier(len(acts)), ["" for _ in acts]

    def run(position: int) -> None:
        with app.app_context():
            act_as(db.session(), SYSTEM)
            if db.engine.dialect.name == "sqlite":
                ready.wait(30)
            try:
                with transaction() as work:
                    record = work.get_one(model, pk)
                    if db.engine.dialect.name != "sqlite":
                        ready.wait(30)
                    acts[position](work, record)
                said[position] = "done"
            except HouseError as refused:
                said[position] = str(refused)
            except Exception as error:  # noqa: BLE001 - told to the test, which would not hear it from a thread
                said[position] = f"not refused but broken: {error!r}"
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(position,)) for position in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    db.session.rollback()
    db.session.expire_all()
    return said


def one_of(said: list[str]) -> None:
    """One is done, everybody else was refused in words."""
    assert said.count("done") == 1, said
    assert not any(word.startswith("not refused") or word == "" for word in said), said


@pytest.fixture
def task_bureau(any_app: Flask, load: Callable[..., object]) -> Flask:
    load(supervised_rows())
    set_rules(RULES)
    return any_app


@pytest.fixture
def month(any_app: Flask, load: Callable[..., object]) -> Flask:
    load(SMALL)
    return any_app


def test_granted_and_refused_at_once_is_decided_once(task_bureau: Flask) -> None:
    task = under_way()
    request = do(extensions.ask_extension, task, HANDLER, TUESDAY, stage=task.stages[0], days=2, reason="设备推迟")
    old = request.old_due_on

    def decide(is_granted: bool) -> Act:
        return lambda work, it: extensions.decide_extension(
            work, it, is_granted=is_granted, opinion="意见", actor=actor(OFFICE), now=at(TUESDAY)
        )

    one_of(at_once(task_bureau, TaskExtension, request.id, decide(True), decide(False)))

    kept = db.session.get_one(TaskExtension, request.id)
    assert (kept.state == "granted") == (task_now(task.id).stages[0].due_on != old)


def test_more_time_is_asked_once(task_bureau: Flask) -> None:
    task = under_way()

    def ask(work: Session, it: Any) -> None:
        extensions.ask_extension(work, it, it.stages[0], days=2, reason="推迟", actor=actor(HANDLER), now=at(TUESDAY))

    one_of(at_once(task_bureau, type(task), task.id, ask, ask))
    assert db.session.scalar(select(func.count(TaskExtension.id))) == 1


def test_a_stage_is_reported_done_once(task_bureau: Flask) -> None:
    task = under_way()

    def report(work: Session, it: Any) -> None:
        supervision_work.report_stage(
            work, it, it.stages[0], Feedback("做完", "done", 6, 6), actor=actor(HANDLER), now=at(TUESDAY)
        )

    one_of(at_once(task_bureau, type(task), task.id, report, report))
    assert db.session.scalar(select(func.count(TaskReport.id))) == 1


def test_a_part_is_finished_once(task_bureau: Flask) -> None:
    task = under_way()
    part = do(supervision_work.split_task, task, HEAD, TUESDAY, handler="2103", matter="查三家", due_on=FRIDAY)

    def finish(work: Session, it: Any) -> None:
        supervision_work.finish_part(work, it, result="已查", actor=actor(HANDLER), now=at(TUESDAY))

    one_of(at_once(task_bureau, TaskPart, part.id, finish, finish))


def test_signed_for_and_recalled_at_once_is_one_of_the_two(task_bureau: Flask) -> None:
    task = handed_over()

    def sign(work: Session, it: Any) -> None:
        supervision_work.sign_for_task(
            work, it, handlers=["2103"], seen=it.lock_version, actor=actor(HEAD), now=at(TUESDAY)
        )

    def recall(work: Session, it: Any) -> None:
        supervision.recall_task(work, it, seen=it.lock_version, actor=actor(OFFICE), now=at(TUESDAY))

    one_of(at_once(task_bureau, type(task), task.id, sign, recall))


def a_fact() -> ScoreEntry:
    query = select(ScoreEntry).where(ScoreEntry.month == "2026-02", ScoreEntry.kind == "fact")
    return db.session.scalars(query.order_by(ScoreEntry.id)).unique().first()


def test_an_entry_is_reversed_once(month: Flask) -> None:
    def reverse(work: Session, it: Any) -> None:
        reverse_entry(work, it, reason="登记有误", actor=SYSTEM, now=NOW)

    one_of(at_once(month, ScoreEntry, a_fact().id, reverse, reverse))


def test_one_voucher_is_asked_and_one_word_given(month: Flask) -> None:
    bureau = db.session.scalars(select(Bureau)).one()
    publish_all(bureau)
    fact = a_fact()

    def ask(work: Session, it: Any) -> None:
        vouchers.ask_voucher(work, it, texts=None, reason="没有发生", actor=holder("zhouyaqin"), now=NOW)

    one_of(at_once(month, ScoreEntry, fact.id, ask, ask))
    voucher = db.session.scalars(select(CorrectionVoucher)).one()

    def approve(work: Session, it: Any) -> None:
        vouchers.approve_voucher(work, it, opinion="", actor=holder("yujianping"), now=NOW)

    def refuse(work: Session, it: Any) -> None:
        vouchers.refuse_voucher(work, it, opinion="不属实", actor=holder("yujianping"), now=NOW)

    one_of(at_once(month, CorrectionVoucher, voucher.id, approve, refuse, approve))
