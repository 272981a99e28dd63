"""A supervised task from registration to closing: each verb changes, scores, traces and tells; refusals leave nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.errors import Conflict, HouseError, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import (
    Bureau,
    Notification,
    RunLedger,
    ScoreEntry,
    SupervisedTask,
    TaskExtension,
    TaskPart,
    TaskSlip,
    TraceEntry,
)
from app.policies import supervision as policy
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.rules.supervision import TaskVerb
from app.services.ledger.reversal import reverse_entry
from app.services.messages import notices
from app.services.scoring import explanation, settlement
from app.services.supervision import extensions, rating
from app.services.supervision import office as supervision
from app.services.supervision import work as supervision_work
from app.services.supervision.night import record_lateness
from app.services.supervision.work import Feedback
from tests.supervised import (
    ASSESSMENT,
    ASSISTING,
    CLERK,
    HANDLER,
    HEAD,
    LEADER,
    MONDAY,
    OFFICE,
    OTHER_LEADER,
    RULES,
    STRANGER,
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

TUESDAY, FRIDAY = date(2026, 11, 3), date(2026, 11, 6)
OTHER_HANDLER = "huxiaofeng"


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(supervised_rows())
    set_rules(RULES)
    return db.session.scalars(select(Bureau)).one()


def night(on: date) -> Any:
    with transaction() as work:
        pk = work.scalars(select(Bureau.id)).one()
        return record_lateness(work, pk, on=on, actor=SYSTEM, now=at(on, 8))


def entries(kind: str | None = None) -> list[tuple[str, str, Decimal]]:
    """(clause, subject, share) of what tasks posted, in order."""
    query = select(ScoreEntry).where(ScoreEntry.source == "supervision", ScoreEntry.kind != "reversal")
    if kind is not None:
        query = query.where(ScoreEntry.kind == kind)
    found = db.session.scalars(query.order_by(ScoreEntry.occurred_on, ScoreEntry.no, ScoreEntry.id)).unique()
    return [(it.clause.code, it.subject.code, it.share_percent) for it in found]


def state_of(task: SupervisedTask) -> str:
    return task_now(task.id).state


def rows() -> dict[str, int]:
    """How many rows every table has; the trace and what hangs on it left out of nothing."""
    db.session.rollback()
    names = list(SupervisedTask.metadata.tables)
    return {it: db.session.connection().exec_driver_sql(f"SELECT count(*) FROM {it}").scalar() or 0 for it in names}


def verbs_of(task: SupervisedTask) -> list[str]:
    query = select(TraceEntry.verb).where(
        TraceEntry.target_type == "supervised_task", TraceEntry.target_id == str(task.id)
    )
    return list(db.session.scalars(query.order_by(TraceEntry.seq)))


def test_the_whole_way_of_a_task(bureau: Bureau) -> None:
    (task,) = registered()
    assert (task.no, task.state, [it.subject.code for it in task.parties]) == ("", "draft", ["1002", "2103", "04"])

    do(supervision.assign_task, task, OFFICE, MONDAY)
    task = task_now(task.id)
    assert (task.no, task.state, task.assigned_on) == ("督办〔2026〕1号", "assigned", MONDAY)
    assert [it.due_on for it in task.stages] == [date(2026, 11, 5), date(2026, 11, 12), date(2026, 11, 30)]

    do(supervision_work.sign_for_task, task, HEAD, TUESDAY, handlers=["2103", "2104"])
    task = task_now(task.id)
    assert (task.state, {it.subject.code for it in task.parties if it.role == "handler"}) == (
        "under_way",
        {"2103", "2104"},
    )

    part = do(supervision_work.split_task, task, HEAD, TUESDAY, handler="2104", matter="查三家", due_on=FRIDAY)
    first = task.stages[0]
    do(
        supervision_work.report_stage,
        task,
        HANDLER,
        date(2026, 11, 5),
        stage=first,
        said=Feedback("做完", "done", 6, 6),
    )
    do(supervision_work.report_stage, task, ASSISTING, FRIDAY, stage=None, said=Feedback("提供清单"))
    with pytest.raises(RuleViolation, match="parts"):
        do(supervision_work.complete_task, task_now(task.id), HANDLER, FRIDAY, content="全部完成")
    with transaction() as work:
        found = work.get_one(TaskPart, part.id)
        supervision_work.finish_part(work, found, result="三家已查", actor=actor(OTHER_HANDLER), now=at(FRIDAY))
    do(supervision_work.complete_task, task_now(task.id), HANDLER, FRIDAY, content="全部完成")
    assert state_of(task) == "reported"

    do(supervision_work.take_back_report, task_now(task.id), HANDLER, FRIDAY)
    do(supervision_work.complete_task, task_now(task.id), HEAD, FRIDAY, content="全部完成，附照片")
    do(supervision.accept_task, task_now(task.id), OFFICE, FRIDAY, opinion="属实")
    worth = {"S.8": {"points": "3"}, "S.2": {"quantity": ""}}
    assert do(rating.rate_task, task_now(task.id), OFFICE, FRIDAY, worth=worth, opinion="尚可") is None
    assert entries() == []
    assert do(rating.close_task, task_now(task.id), OFFICE, FRIDAY) == 1

    task = task_now(task.id)
    assert (task.state, task.closed_on, task.rated_by) == ("closed", FRIDAY, "孙立军")
    assert entries() == [
        ("S.8", "B1", Decimal(60)), ("S.8", "04", Decimal(40)), ("S.8", "1002", Decimal(10)),
        ("S.8", "2103", Decimal(30)), ("S.8", "2104", Decimal(30)),
    ]  # fmt: skip
    assert verbs_of(task) == [
        "task_register", "task_assign", "task_sign_for", "task_split", "task_report", "task_report", "task_finish_part",
        "task_complete", "task_take_back", "task_complete", "task_accept", "task_rate", "task_close",
    ]  # fmt: skip


def test_the_rating_reaches_the_explanations_of_unit_leader_and_handler(bureau: Bureau) -> None:
    task = under_way(stages=[])
    do(supervision_work.complete_task, task, HANDLER, FRIDAY, content="完成")
    do(supervision.accept_task, task_now(task.id), OFFICE, FRIDAY, opinion="")
    do(rating.rate_task, task_now(task.id), OFFICE, FRIDAY, worth={"S.8": {"points": "3"}}, opinion="一般")
    do(rating.close_task, task_now(task.id), OFFICE, FRIDAY)
    period = Period(2026, 11, 1)
    with transaction() as work:
        settlement.settle_period(
            work, work.scalars(select(Bureau)).one(), period, on=FRIDAY, actor=SYSTEM, now=at(FRIDAY)
        )

    def points(code: str) -> list[str]:
        told = explanation.explain(db.session(), bureau, period, code, indicator="S", on=FRIDAY, say=str)
        return [line["points"] for line in told["node"]["lines"]]

    assert (points("B1"), points("04"), points("1002"), points("2103")) == (["-1.8"], ["-1.2"], ["-0.3"], ["-0.9"])


def test_lateness_by_working_days_over_a_holiday_with_make_up_days_once(bureau: Bureau) -> None:
    """Due on 30 September; the days off are 1 to 7 October, Saturday the 10th is worked: five days late on the 13th."""
    task = under_way(date(2026, 9, 21), stages=[], due="2026-09-30")
    for day in range(1, 14):
        night(date(2026, 10, day))
        night(date(2026, 10, day))

    late = [it for it in entries("fact") if it[0] == "S.5"]
    assert len(late) == 5
    slips = [(it.colour, it.issued_on, it.no) for it in db.session.scalars(select(TaskSlip).order_by(TaskSlip.id))]
    assert slips == [
        ("blue", date(2026, 10, 8), "蓝单〔2026〕1号"), ("yellow", date(2026, 10, 9), "黄单〔2026〕1号"),
        ("red", date(2026, 10, 13), "红单〔2026〕1号"),
    ]  # fmt: skip
    assert [it for it in entries("fact") if it[0] != "S.5"] == [
        ("S.6", "B1", Decimal(100)),
        ("S.7", "B1", Decimal(100)),
    ]
    assert verbs_of(task).count("task_slip") == 3


def test_missed_nights_end_in_the_same_rows_as_every_night(bureau: Bureau) -> None:
    under_way(date(2026, 9, 21), stages=[("第一步", "2026-09-25")], due="2026-09-30")

    night(date(2026, 10, 13))

    late = [it for it in entries("fact") if it[0] == "S.5"]
    days = db.session.scalars(
        select(ScoreEntry.occurred_on)
        .where(ScoreEntry.no.like("%-1L%"), ScoreEntry.kind == "fact")
        .order_by(ScoreEntry.id)
    ).all()
    # the first stage was due on Friday the 25th, a day off; the make-up Sunday is the 20th
    assert days[:3] == [date(2026, 9, 28), date(2026, 9, 29), date(2026, 9, 30)]
    assert len(late) == 8 + 5
    assert db.session.scalar(select(func.count(TaskSlip.id))) == 6


def test_what_was_reversed_is_not_posted_again(bureau: Bureau) -> None:
    under_way(date(2026, 10, 12), stages=[], due="2026-10-14")
    night(date(2026, 10, 15))
    entry = db.session.scalars(
        select(ScoreEntry).where(ScoreEntry.source == "supervision", ScoreEntry.kind == "fact")
    ).first()
    with transaction() as work:
        found = work.get_one(ScoreEntry, entry.id)
        reverse_entry(work, found, reason="有客观原因", actor=actor(ASSESSMENT), now=at(date(2026, 10, 15)))

    night(date(2026, 10, 15))

    live = list(
        db.session.scalars(select(ScoreEntry).where(ScoreEntry.source == "supervision", ScoreEntry.kind == "fact"))
    )
    assert [it.is_reversed for it in live] == [True]


def test_lateness_is_posted_when_the_stage_is_reported_even_if_no_night_ran(bureau: Bureau) -> None:
    task = under_way(date(2026, 10, 12), stages=[], due="2026-10-14")

    do(supervision_work.complete_task, task, HANDLER, date(2026, 10, 16), content="迟了两天")

    assert len([it for it in entries("fact") if it[0] == "S.5"]) == 2
    assert task_now(task.id).stages[-1].late_days == 2
    night(date(2026, 10, 20))
    assert len([it for it in entries("fact") if it[0] == "S.5"]) == 2


def test_sent_back_the_last_stage_is_open_again_and_late_anew(bureau: Bureau) -> None:
    task = under_way(date(2026, 10, 12), stages=[], due="2026-10-14")
    do(supervision_work.complete_task, task, HANDLER, date(2026, 10, 15), content="迟一天")
    with pytest.raises(RuleViolation):
        do(
            supervision.send_back_task,
            task_now(task.id),
            OFFICE,
            date(2026, 10, 15),
            reason="照片不全",
            due_on=date(2026, 10, 16),
        )
    do(
        supervision.send_back_task,
        task_now(task.id),
        OFFICE,
        date(2026, 10, 15),
        reason="照片不全",
        due_on=date(2026, 10, 21),
    )
    again = task_now(task.id)
    assert (again.state, again.due_on, again.stages[-1].done_on, again.stages[-1].round) == (
        "sent_back", date(2026, 10, 21), None, 1,
    )  # fmt: skip

    night(date(2026, 10, 22))

    numbers = db.session.scalars(
        select(ScoreEntry.no).where(ScoreEntry.source == "supervision", ScoreEntry.kind == "fact")
    ).all()
    assert sorted(it for it in numbers if "L" in it) == ["DB-2026-001-1.1L1", "DB-2026-001-1L1"]


def test_an_extension_needs_a_second_person_moves_the_deadline_and_is_limited(bureau: Bureau) -> None:
    task = under_way()
    stage = task.stages[0]
    with pytest.raises(RuleViolation, match="Between 1 and 10"):
        do(extensions.ask_extension, task, HANDLER, TUESDAY, stage=stage, days=11, reason="推迟")
    with pytest.raises(RuleViolation, match="next stage ends"):
        do(extensions.ask_extension, task, HANDLER, TUESDAY, stage=stage, days=9, reason="推迟")
    asked = do(extensions.ask_extension, task, HANDLER, TUESDAY, stage=stage, days=2, reason="设备推迟")
    with pytest.raises(Conflict):
        do(extensions.ask_extension, task, HEAD, TUESDAY, stage=stage, days=1, reason="再推")
    for who in (HANDLER, HEAD, STRANGER, OTHER_LEADER):
        with pytest.raises(NotPermitted), transaction() as work:
            found = work.get_one(TaskExtension, asked.id)
            extensions.decide_extension(work, found, is_granted=True, opinion="", actor=actor(who), now=at(TUESDAY))
    with transaction() as work:
        found = work.get_one(TaskExtension, asked.id)
        extensions.decide_extension(
            work, found, is_granted=True, opinion="仅此一次", actor=actor(OFFICE), now=at(TUESDAY)
        )

    stage = task_now(task.id).stages[0]
    assert (stage.due_on, stage.extensions) == (date(2026, 11, 9), 1)
    with pytest.raises(RuleViolation, match="more is not allowed"):
        do(extensions.ask_extension, task, HANDLER, TUESDAY, stage=stage, days=1, reason="再推")


def test_more_time_is_asked_before_a_stage_is_late(bureau: Bureau) -> None:
    task = under_way()

    with pytest.raises(RuleViolation, match="before a stage is late"):
        do(extensions.ask_extension, task, HANDLER, FRIDAY, stage=task.stages[0], days=1, reason="推迟")


def test_one_act_hands_over_to_many_units_and_each_may_be_recalled_until_signed_for(bureau: Bureau) -> None:
    tasks = registered(leads="B1;B2;03", assists="", handlers="2103")
    assert do(supervision.assign_task, tasks[1], OFFICE, MONDAY) == 3
    found = [task_now(it.id) for it in tasks]
    assert [(it.no, it.state) for it in found] == [
        ("督办〔2026〕2号" if i == 1 else f"督办〔2026〕{i + 1}号", "assigned") for i in range(3)
    ]
    assert [[p.subject.code for p in it.parties if p.role == "handler"] for it in found] == [["2103"], [], []]

    do(supervision.recall_task, found[0], OFFICE, MONDAY)
    assert (state_of(tasks[0]), task_now(tasks[0].id).assigned_on) == ("draft", None)
    do(supervision_work.sign_for_task, found[1], STRANGER, MONDAY, handlers=["2202"])
    with pytest.raises(Conflict):
        do(supervision.recall_task, task_now(tasks[1].id), OFFICE, MONDAY)
    do(supervision.assign_task, task_now(tasks[0].id), OFFICE, TUESDAY)
    assert task_now(tasks[0].id).no == "督办〔2026〕1号"


def test_signing_needs_somebody_of_the_unit_who_handles_it(bureau: Bureau) -> None:
    task = handed_over(handlers="")
    before = rows()
    for handlers, field in (((), "handlers"), (["2202"], "handlers"), (["nobody"], "handlers")):
        with pytest.raises(RuleViolation) as refused:
            do(supervision_work.sign_for_task, task, CLERK, MONDAY, handlers=handlers)
        assert refused.value.field_name == field
    assert rows() == before


def test_a_bureau_above_has_its_say_and_it_posts_at_once(bureau: Bureau) -> None:
    task = under_way()
    facts = {"issuer": "市局", "document": "绍市监督〔2026〕8号", "opinion": "推进缓慢"}
    judged = do(rating.rate_above, task, OFFICE, FRIDAY, clause="S.8", worth={"points": "9"}, **facts)
    assert list(judged.faults) == ["S.8.points"]
    assert entries() == []

    assert do(rating.rate_above, task, OFFICE, FRIDAY, clause="S.8", worth={"points": "2"}, **facts) is None
    do(rating.rate_above, task_now(task.id), OFFICE, FRIDAY, clause="", worth={}, **facts)

    assert [it for it in entries() if it[1] in ("B1", "1002")] == [
        ("S.8", "B1", Decimal(60)),
        ("S.8", "1002", Decimal(10)),
    ]
    assert len(rating.ratings_of(db.session(), task_now(task.id))) == 2


def test_a_rating_with_a_fault_keeps_nothing(bureau: Bureau) -> None:
    task = under_way()
    do(supervision_work.complete_task, task, HANDLER, FRIDAY, content="完成")
    do(supervision.accept_task, task_now(task.id), OFFICE, FRIDAY, opinion="")
    before = rows()
    for worth in ({"S.8": {"points": "9"}}, {"S.8": {"points": "many"}}, {"S.2": {"quantity": "0"}}):
        with transaction() as work:
            it = work.get_one(SupervisedTask, task.id)
            judged = rating.rate_task(
                work, it, worth, opinion="x", seen=it.lock_version, actor=actor(OFFICE), now=at(FRIDAY)
            )
            assert judged is not None
            assert judged.faults
            work.rollback()
    assert rows() == before


def test_nobody_decides_about_a_task_he_or_his_unit_has_a_part_in(bureau: Bureau) -> None:
    """The office's own unit leads: a leader who is not in charge of it decides; the one in charge does not either."""
    task = under_way(leads="01", assists="", handlers="1102")
    do(supervision_work.complete_task, task, "chenyue", FRIDAY, content="完成")
    for who in (OFFICE, LEADER):
        with pytest.raises(NotPermitted):
            do(supervision.accept_task, task_now(task.id), who, FRIDAY, opinion="")

    do(supervision.accept_task, task_now(task.id), OTHER_LEADER, FRIDAY, opinion="属实")

    assert state_of(task) == "accepted"


def test_a_stale_form_is_refused_and_a_changed_one_is_not_lost(bureau: Bureau) -> None:
    (task,) = registered()
    typed, known = typed_task(MONDAY, matter="改过的事项")
    do(supervision.change_task, task, OFFICE, MONDAY, typed=typed, known=known, seen=task.lock_version)

    with pytest.raises(Conflict):
        do(supervision.assign_task, task, OFFICE, MONDAY, seen=1)
    assert (state_of(task), task_now(task.id).matter) == ("draft", "改过的事项")


@pytest.mark.parametrize(
    ("texts", "stages", "field"),
    [
        ({"matter": " "}, None, "matter"),
        ({"source": "gossip"}, None, "source"),
        ({"leads": ""}, None, "leads"),
        ({"leads": "3306"}, None, "leads"),
        ({"leads": "nobody"}, None, "leads"),
        ({"leads": "2103"}, None, "leads"),
        ({"leads": "B1;B1"}, None, "leads"),
        ({"assists": "B1"}, None, "assists"),
        ({"handlers": "B2"}, None, "handlers"),
        ({"leaders": "1002", "handlers": "1002"}, None, "handlers"),
        ({"due": ""}, None, "due"),
        ({"due": "soon"}, None, "due"),
        ({"due": "2020-01-01"}, None, "due"),
        ({"due": "0"}, None, "due"),
        ({}, [("", "3")], "stages"),
        ({}, [("a", "9"), ("b", "3")], "stages"),
        ({}, [("a", "30")], "stages"),
        ({"late_clause": "S.8"}, None, "late_clause"),
        ({"late_clause": "none"}, None, "late_clause"),
        ({"rating_clauses": "S.2;none"}, None, "rating_clauses"),
        ({"matter": "x" * 301}, None, "matter"),
    ],
)
def test_each_fault_stands_at_its_field(bureau: Bureau, texts: dict[str, str], stages: Any, field: str) -> None:
    typed, _ = typed_task(MONDAY, stages=stages, **texts)

    assert field in typed.faults


def test_those_concerned_are_told_and_who_acts_is_not(bureau: Bureau) -> None:
    handed_over()
    with transaction() as work:
        notices.deliver(work, now=at(MONDAY))

    told = {
        it.account_id for it in db.session.scalars(select(Notification).where(Notification.category == "supervision"))
    }
    names = {HEAD, CLERK, HANDLER, ASSISTING, OTHER_LEADER}
    assert {actor(it).account_id for it in names} <= told
    assert actor(OFFICE).account_id not in told


def test_an_open_period_is_asked_for_anew_after_lateness(bureau: Bureau) -> None:
    period = Period(2026, 10, 1)
    with transaction() as work:
        settlement.settle_period(
            work, work.scalars(select(Bureau)).one(), period, on=FRIDAY, actor=SYSTEM, now=at(FRIDAY)
        )
    under_way(date(2026, 10, 12), stages=[], due="2026-10-14")

    night(date(2026, 10, 15))

    status = db.session.scalars(
        select(RunLedger.status).where(RunLedger.job == "settle", RunLedger.period == "2026-10")
    ).one()
    assert status == "pending"


def test_a_clause_that_is_gone_stops_its_task_only_and_is_said(bureau: Bureau) -> None:
    bad = under_way(date(2026, 10, 12), stages=[], due="2026-10-14")
    under_way(date(2026, 10, 12), stages=[], due="2026-10-14", leads="B2", assists="", handlers="2202")
    with transaction() as work:
        work.get_one(SupervisedTask, bad.id).late_clause = "gone"

    done = night(date(2026, 10, 15))

    assert [it[0] for it in done.faults] == [bad.no]
    assert {subject for code, subject, _ in entries("fact") if code == "S.5"} == {"B2"}


def test_a_refusal_leaves_no_row_behind(bureau: Bureau) -> None:
    task = under_way()
    before = rows()

    with pytest.raises(HouseError):
        do(supervision_work.complete_task, task, STRANGER, FRIDAY, content="假的")
    with pytest.raises(HouseError):
        do(supervision_work.report_stage, task, HANDLER, FRIDAY, stage=task.stages[-1], said=Feedback("跳过"))
    with pytest.raises(HouseError):
        do(rating.close_task, task, OFFICE, FRIDAY)

    assert rows() == before
    assert (
        json.loads(db.session.scalars(select(TraceEntry.after).order_by(TraceEntry.seq.desc())).first() or "{}") != {}
    )


def test_other_handlers_are_named_and_get_what_is_posted_from_then_on(bureau: Bureau) -> None:
    task = under_way(stages=[], due="2026-11-03")
    night(date(2026, 11, 4))
    do(supervision_work.name_handlers, task_now(task.id), HEAD, date(2026, 11, 4), handlers=["2104"])
    night(date(2026, 11, 5))

    late = db.session.scalars(select(ScoreEntry).where(ScoreEntry.source_id == task.id, ScoreEntry.kind == "derived"))
    handled = sorted(
        (it.occurred_on.day, it.subject.code)
        for it in late.unique()
        if it.clause.code == "S.5" and it.subject.kind == "person" and it.subject.code != "1002"
    )
    assert handled == [(4, "2103"), (5, "2104")]
    for codes in ([], ["2201"]):
        with pytest.raises(RuleViolation):
            do(supervision_work.name_handlers, task_now(task.id), HEAD, date(2026, 11, 5), handlers=codes)
    assert [it.subject.code for it in task_now(task.id).parties if it.role == "handler"] == ["2104"]


def test_a_stage_waits_for_a_decision_that_was_asked_for_in_time(bureau: Bureau) -> None:
    granted, refused = under_way(stages=[], due="2026-11-05"), under_way(stages=[], due="2026-11-05")
    for task in (granted, refused):
        do(extensions.ask_extension, task, HANDLER, date(2026, 11, 5), stage=task.stages[-1], days=2, reason="迟")
    assert night(date(2026, 11, 9)).entries == 0
    for task, is_granted in ((granted, True), (refused, False)):
        request = db.session.scalars(select(TaskExtension).where(TaskExtension.task_id == task.id)).one()
        with transaction() as work:
            extensions.decide_extension(
                work, work.get_one(TaskExtension, request.id), is_granted=is_granted, opinion="按期",
                actor=actor(OFFICE), now=at(date(2026, 11, 9)),
            )  # fmt: skip
    night(date(2026, 11, 10))

    found = db.session.scalars(select(ScoreEntry).where(ScoreEntry.kind == "fact", ScoreEntry.source == "supervision"))
    late = sorted((it.source_id, it.occurred_on.isoformat()) for it in found.unique() if it.clause.code == "S.5")
    days = ("2026-11-06", "2026-11-09", "2026-11-10")
    expected = [(granted.id, "2026-11-10"), *((refused.id, day) for day in days)]
    assert late == sorted(expected), "granted until the 9th, nothing before the 10th was late"


def test_what_was_late_is_cancelled_not_recalled(bureau: Bureau) -> None:
    task = handed_over(stages=[], due="2026-11-03")
    night(date(2026, 11, 4))

    with pytest.raises(RuleViolation, match="late already"):
        do(supervision.recall_task, task_now(task.id), OFFICE, date(2026, 11, 4))
    assert state_of(task) == "assigned"


def test_taking_a_report_back_opens_the_stages_it_ended_and_no_other(bureau: Bureau) -> None:
    task = under_way(stages=[("一", "2026-11-03"), ("二", "2026-11-05")], due="2026-11-20")
    do(supervision_work.report_stage, task, HANDLER, date(2026, 11, 3), stage=task.stages[0],
       said=supervision_work.Feedback("完成"))  # fmt: skip
    do(supervision_work.complete_task, task_now(task.id), HANDLER, date(2026, 11, 6), content="空报")
    do(supervision_work.take_back_report, task_now(task.id), HANDLER, date(2026, 11, 6))

    assert [it.done_on is None for it in task_now(task.id).stages] == [False, True, True]
    night(date(2026, 11, 9))
    found = db.session.scalars(select(ScoreEntry).where(ScoreEntry.kind == "fact", ScoreEntry.source_id == task.id))
    late = [it.occurred_on.isoformat() for it in found.unique() if it.clause.code == "S.5"]
    assert sorted(late) == ["2026-11-06", "2026-11-09"]


def test_who_reported_does_not_accept_and_nobody_through_somebody_else(bureau: Bureau) -> None:
    task = under_way(stages=[])
    do(supervision_work.complete_task, task, HANDLER, date(2026, 11, 3), content="好")
    task = task_now(task.id)
    office, head = actor(OFFICE), actor(HEAD)
    assert policy.may(TaskVerb.ACCEPT, office, task)
    moved = replace(office, account_id=task.reported_by_id)
    assert not policy.may(TaskVerb.ACCEPT, moved, task)
    acting = replace(office, account_id=head.account_id, substitute_id=head.subject_id, substitute_units=head.own_units)
    assert not policy.may(TaskVerb.ACCEPT, acting, task)


@pytest.mark.parametrize("name", ["late_clause", "rating_clauses"])
def test_a_task_posts_under_no_other_line(bureau: Bureau, name: str) -> None:
    typed, _known = typed_task(date(2026, 11, 2), **{name: "F1.1"})
    assert set(typed.faults) == {name}
    task = under_way(stages=[])
    with pytest.raises(RuleViolation, match="no clause of supervision"):
        do(rating.rate_above, task, OFFICE, date(2026, 11, 3), issuer="县府办", document="",
           clause="F1.1", worth={}, opinion="差")  # fmt: skip
    assert entries() == []
