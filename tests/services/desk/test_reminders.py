"""Whom a day reminds: the assignees twice at most, then their leader once; substitutes; one digest; what is open alone."""

from __future__ import annotations

import copy
import itertools
from bisect import bisect_right
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, update

from app import running
from app.errors import NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import (
    Account,
    Bureau,
    Notification,
    Outbox,
    ReminderSent,
    ReopenPermit,
    RunEvent,
    RunLedger,
    Subject,
    SupervisedTask,
    TaskParty,
    TaskStage,
)
from app.policies.actor import SYSTEM, Actor
from app.rules.periods import Period
from app.rules.processes import REMINDER
from app.rules.timetable import instant_of
from app.security import sessions
from app.security.scope import act_as
from app.services.accounts import acting
from app.services.accounts.actors import actor_of, actors_of_bureau
from app.services.bureau import rules as process_rules
from app.services.bureau.calendar import work_calendar
from app.services.desk import readiness, reminders
from app.services.desk.todo import OF_UNITS, REMINDED, open_matters, todo
from app.services.jobs import runs
from app.services.messages import notices
from app.services.process import opinions
from app.services.process.waiting import Readers, Todo
from app.services.publication import bulletin, permits
from app.services.supervision import extensions, office
from app.services.supervision import work as supervision_work
from tests.conftest import NOW, SMALL, account_of
from tests.services.publication.test_bulletin import do as move
from tests.services.publication.test_bulletin import draft, settle
from tests.supervised import (
    ASSESSMENT,
    CLERK,
    HANDLER,
    HEAD,
    LEADER,
    OFFICE,
    OTHER_LEADER,
    STRANGER,
    actor,
    at,
    do,
    handed_over,
    registered,
    supervised_rows,
    under_way,
)

MONDAY, DUE = date(2026, 11, 2), date(2026, 11, 16)


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(supervised_rows())
    return db.session.scalars(select(Bureau)).one()


def morning(day: date) -> datetime:
    return instant_of(datetime.combine(day, time(8, 30)))


def remind(day: date, **rules: str) -> int:
    """Give the reminders of a day as the job does; answers how many digests were new."""
    db.session.rollback()
    act_as(db.session(), SYSTEM)
    bureau_id = db.session.scalars(select(Bureau.id)).one()
    found = reminders.day_of(db.session(), bureau_id, day)
    if found is None:
        return 0
    of_day = reminders.rules_on(db.session(), bureau_id, day)
    lines = reminders.still_to_give(
        db.session(), bureau_id, reminders.reminders_of(db.session(), bureau_id, found, of_day), before=day
    )
    with transaction() as work:
        return reminders.send(work, bureau_id, found, lines, now=morning(day)).digests


def sent(day: date, event: str | None = None) -> dict[str, list[int]]:
    """(days) by user name of what was given on a day; a leader's line is 100 and its days."""
    db.session.rollback()
    query = (
        select(Account.username, ReminderSent.days, ReminderSent.is_list)
        .join(Account, Account.id == ReminderSent.account_id)
        .where(ReminderSent.sent_on == day)
    )
    found: dict[str, list[int]] = {}
    for username, days, is_list in db.session.execute(
        query if event is None else query.where(ReminderSent.event == event)
    ):
        found.setdefault(username, []).append(days + 100 * is_list)
    return found


def through(first: date, last: date) -> list[date]:
    return [first + timedelta(days=it) for it in range((last - first).days + 1)]


def test_the_assignees_hear_twice_then_the_leader_once_and_then_nobody(bureau: Bureau) -> None:
    under_way(MONDAY, stages=[], due=DUE.isoformat())
    days = {day: sent(day) for day in through(MONDAY, date(2026, 12, 4)) if remind(day)}

    people = {HEAD, CLERK, HANDLER}
    assert days == {
        date(2026, 11, 11): {it: [-3] for it in people},
        DUE: {it: [0] for it in people},
        date(2026, 11, 17): {OTHER_LEADER: [101]},
    }


def test_a_digest_is_one_message_with_a_line_for_each_matter(bureau: Bureau) -> None:
    for matter in ("第一件", "第二件"):
        under_way(MONDAY, stages=[], due=DUE.isoformat(), matter=matter)
    assert remind(DUE) == 3
    assert remind(DUE) == 0, "the second run of a day says nothing again"
    with transaction() as work:
        notices.deliver(work, now=morning(DUE))

    mine = db.session.scalars(
        select(Notification).where(Notification.account_id == account_of(HEAD).id, Notification.category == "digest")
    ).all()
    assert [it.dedup_key for it in mine] == ["digest:2026-11-16"]
    lines = notices.undump_lines(mine[0].lines)
    assert [it.due_on for it in lines] == [DUE, DUE]
    assert "2" in str(mine[0].text)
    assert {it.item.partition(":")[0] for it in lines} == {"task"}


def test_what_is_done_or_given_up_is_not_reminded_of(bureau: Bureau) -> None:
    done, cancelled = (under_way(MONDAY, stages=[], due=DUE.isoformat()) for _ in range(2))
    do(supervision_work.complete_task, done, HEAD, date(2026, 11, 10), content="已完成")
    do(office.cancel_task, cancelled, OFFICE, date(2026, 11, 10), reason="不再需要")

    assert remind(DUE) == 0


def test_a_task_nobody_signs_for_reaches_unit_then_leader(bureau: Bureau) -> None:
    handed_over(MONDAY, due="2026-12-31")
    for day in through(MONDAY, date(2026, 11, 13)):
        remind(day)

    assert sent(date(2026, 11, 3), "supervision.sign_for") == {HEAD: [1], CLERK: [1]}
    assert sent(date(2026, 11, 5), "supervision.sign_for") == {OTHER_LEADER: [103]}


def test_a_return_is_reminded_of_while_it_is_unread(bureau: Bureau) -> None:
    task = under_way(MONDAY, stages=[], due="2026-12-31")
    do(supervision_work.complete_task, task, HEAD, date(2026, 11, 3), content="已完成")
    with transaction() as work:
        it = work.get_one(SupervisedTask, task.id)
        office.send_back_task(
            work, it, reason="补充照片", due_on=date(2026, 12, 31), seen=it.lock_version,
            actor=actor(OFFICE, date(2026, 11, 4)), now=at(date(2026, 11, 4)),
        )  # fmt: skip
        notices.deliver(work, now=at(date(2026, 11, 4)))
    with transaction() as work:
        notices.mark_read(work, actor=actor(CLERK), now=NOW, item=f"task:{task.id}")
    remind(date(2026, 11, 5))

    assert sent(date(2026, 11, 5)) == {HEAD: [1], HANDLER: [1]}
    read = db.session.scalars(select(Notification.read_by).where(Notification.read_at.is_not(None))).all()
    assert set(read) == {actor(CLERK).name}


def test_a_colleague_who_acts_hears_as_well(bureau: Bureau) -> None:
    under_way(MONDAY, stages=[], due=DUE.isoformat())
    with transaction() as work:
        acting.set_acting(
            work, absent=account_of(HEAD), substitute=account_of(STRANGER), valid_from=MONDAY, valid_to=DUE,
            reason="出差", actor=actor(HEAD), now=at(MONDAY),
        )  # fmt: skip
    remind(DUE)

    assert sent(DUE)[STRANGER] == [0]
    line = db.session.scalar(
        select(Outbox.lines).where(Outbox.account_id == account_of(STRANGER).id, Outbox.dedup_key.startswith("digest"))
    )
    assert actor(HEAD).name in line
    remind(date(2026, 11, 17))
    assert STRANGER not in sent(date(2026, 11, 17)), "the days of the grant are over"


def test_nobody_is_reminded_on_days_off_and_make_up_days_count(bureau: Bureau) -> None:
    under_way(date(2026, 9, 14), stages=[], due="2026-10-03")
    found = {day for day in through(date(2026, 9, 24), date(2026, 10, 12)) if remind(day)}

    calendar = work_calendar(db.session(), bureau.id)
    assert all(calendar.is_workday(it) for it in found)
    assert date(2026, 9, 30) in found, "due on a holiday: the last working day before it is the day"
    assert {it for it in found if calendar.is_workday(it) and it.weekday() > 4} <= {
        date(2026, 9, 20),
        date(2026, 10, 10),
    }


def test_days_nobody_was_reminded_on_are_made_up_for_by_the_job(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way(MONDAY, stages=[], due=DUE.isoformat())

    def run(day: date) -> RunLedger:
        monkeypatch.setattr(sessions, "now", lambda: morning(day))
        with transaction() as work:
            owner = work.get_one(Bureau, bureau.id)
            number = runs.request_run(
                work, owner, job="reminders", period=day.isoformat(), actor=SYSTEM, now=morning(day)
            )
        running.carry_out(number)
        db.session.rollback()
        return db.session.get_one(RunLedger, number)

    assert run(date(2026, 11, 10)).status == "done"
    assert sent(date(2026, 11, 10)) == {}
    late = run(date(2026, 11, 12))
    assert (late.status, late.settled_on) == ("done", date(2026, 11, 12))
    assert sent(date(2026, 11, 12)) == {it: [-3] for it in (HEAD, CLERK, HANDLER)}
    assert run(date(2026, 11, 14)).settled_on is None, "a Saturday"
    log = db.session.scalars(select(RunEvent.text).where(RunEvent.run_id == late.id)).all()
    assert any('"count": 3' in it for it in log), log


def test_a_rule_is_tried_before_it_holds_and_then_holds(bureau: Bureau) -> None:
    under_way(MONDAY, stages=[], due=DUE.isoformat())
    on = reminders.day_before(db.session(), bureau.id, today=date(2026, 11, 14))
    found = reminders.rehearse(db.session(), bureau.id, "supervision.due", "-5;-1", on=on)

    assert on == date(2026, 11, 13)
    handed_over(date(2026, 11, 16), stages=[], due="2026-11-16", matter="当天才交办")
    assert reminders.rehearse(db.session(), bureau.id, "supervision.due", "-5;-1", on=on) == found, (
        "it was not there yet"
    )
    assert {(it.actor.username, it.days) for it in found} == {(HEAD, -1), (CLERK, -1), (HANDLER, -1)}
    assert not db.session.scalars(select(ReminderSent.id)).all()
    with pytest.raises(RuleViolation):
        reminders.rehearse(db.session(), bureau.id, "supervision.due", "1;2;3", on=DUE)

    def keep(who: Actor, text: str) -> None:
        with transaction() as work:
            owner = work.get_one(Bureau, bureau.id)
            process_rules.set_rule(
                work, owner, f"{REMINDER}supervision.due", text, valid_from=MONDAY, actor=who, now=at(MONDAY)
            )

    with pytest.raises(NotPermitted):
        keep(actor(HEAD), "-1")
    keep(actor(OFFICE), "-1")
    assert remind(date(2026, 11, 11)) == 0
    assert remind(date(2026, 11, 13)) == 3
    keep(actor(ASSESSMENT), "")
    assert remind(DUE) == 0


def test_a_preview_says_what_the_day_then_sends(bureau: Bureau) -> None:
    under_way(MONDAY, stages=[], due=DUE.isoformat())
    before = reminders.preview(db.session(), bureau.id, on=DUE)

    remind(DUE)

    assert {(it.actor.username, it.days) for it in before} == {(who, days[0]) for who, days in sent(DUE).items()}
    assert reminders.preview(db.session(), bureau.id, on=date(2026, 11, 15)) == []


def test_no_more_than_two_about_one_matter_whatever_the_events(bureau: Bureau) -> None:
    handed_over(MONDAY, stages=[], due="2026-11-05")
    for day in through(MONDAY, date(2026, 11, 30)):
        remind(day)

    counts = db.session.execute(
        select(ReminderSent.account_id, ReminderSent.mark, func.count(ReminderSent.id))
        .where(ReminderSent.is_list.is_(False))
        .group_by(ReminderSent.account_id, ReminderSent.mark)
    ).all()
    assert counts
    assert max(count for *_, count in counts) == 2


def both_ways_agree(bureau_id: int, on: date) -> list[Todo]:
    """For everybody, the workbench shows what the layer of all says is his; answers everything that is open."""
    db.session.rollback()
    db.session.expire_all()
    act_as(db.session(), SYSTEM)
    everything = open_matters(db.session(), bureau_id, calendar=work_calendar(db.session(), bureau_id), on=on)
    people = actors_of_bureau(db.session(), bureau_id, on=on)
    index, calendar = Readers(people), work_calendar(db.session(), bureau_id)
    assert len(people) > 10
    seen = 0
    for person in people:
        own = actor_of(db.session(), account_of(person.username), on=on, origin=acting.Origin())
        assert own == person
        act_as(db.session(), own)
        shown = {(it.kind, it.mark) for it in todo(db.session(), actor=own, calendar=calendar, on=on) if it.mark}
        act_as(db.session(), SYSTEM)
        mine = {(it.kind, it.mark) for it in everything if person in index.readers(it)}
        assert shown == mine, person.username
        seen += len(mine)
    assert seen >= len(everything) > 0
    reminded = open_matters(db.session(), bureau_id, calendar=calendar, on=on, sources=REMINDED)
    assert [it.mark for it in reminded] == [it.mark for it in everything if it.mark in {it.mark for it in reminded}]
    assert all(it.mark in {it.mark for it in reminded} for it in everything if it.events)
    of_units = open_matters(db.session(), bureau_id, calendar=calendar, on=on, sources=OF_UNITS)
    assert all(it.mark in {it.mark for it in of_units} for it in everything if it.unit_id is not None)
    return everything


def test_bulletins_permits_and_urges_stand_in_the_layer_too(bureau: Bureau) -> None:
    on = NOW.date()
    task = under_way(MONDAY, due="2026-12-31")
    with transaction() as work:
        place = opinions.find_place(work, "supervised_task", str(task.id))
        assert place is not None
        opinions.urge(work, place, "请抓紧", actor=actor(LEADER), now=at(MONDAY))
    settle(bureau)
    draft(bureau)
    assert "review" in {it.kind for it in both_ways_agree(bureau.id, on)}
    move(bulletin.edit_bulletin, "zhouyaqin", number="7", remarks="")
    move(bulletin.submit_bulletin, "zhouyaqin")
    assert {"sign", "answer"} <= {it.kind for it in both_ways_agree(bureau.id, on)}
    move(bulletin.sign_bulletin, LEADER, opinion="同意")
    assert "publish" in {it.kind for it in both_ways_agree(bureau.id, on)}
    move(bulletin.publish_bulletin, "zhouyaqin", on=on)
    with transaction() as work:
        notices.deliver(work, now=NOW)
        permits.ask_permit(
            work, work.get_one(Bureau, bureau.id), period="2026-02", subjects="", indicators="", reason="补登",
            last_day=date(2026, 11, 25), actor=actor("zhouyaqin", on), now=NOW,
        )  # fmt: skip
    found = both_ways_agree(bureau.id, on)
    assert {"read", "decide"} <= {it.kind for it in found}
    with transaction() as work:
        notices.mark_read(work, actor=actor(CLERK), item="bulletin:2026-02", now=NOW)
        permits.grant_permit(
            work, work.scalars(select(ReopenPermit)).one(), opinion="同意", actor=actor(LEADER, on), now=NOW
        )
    found = both_ways_agree(bureau.id, on)
    (unread,) = (it for it in found if it.kind == "read")
    assert account_of(CLERK).id not in unread.waits.accounts
    assert len(unread.waits.accounts) > 10
    (permit,) = (it for it in found if it.kind == "permit")
    assert (permit.due_on, permit.days_left) == (date(2026, 11, 25), 2)
    remind(date(2026, 11, 24))
    assert sent(date(2026, 11, 24), "corrections.permit_ends") == {"zhouyaqin": [-1], "wangxiaolan": [-1]}
    remind(date(2026, 11, 26))
    act_as(db.session(), SYSTEM)
    readers = Readers(actors_of_bureau(db.session(), bureau.id, on=on)).readers(unread)
    assert set(sent(date(2026, 11, 26), "bulletin.unread")) == {it.username for it in readers}


def test_workbench_digest_and_board_ask_the_same_layer(bureau: Bureau) -> None:
    handed_over(MONDAY, due="2026-12-01")
    reported = under_way(MONDAY, stages=[], due=DUE.isoformat())
    do(supervision_work.complete_task, reported, HEAD, date(2026, 11, 9), content="已完成")
    waiting = under_way(MONDAY, due="2026-12-02")
    registered(MONDAY, matter="草稿")
    with transaction() as work:
        it = work.get_one(SupervisedTask, waiting.id)
        stage = it.stages[0]
        extensions.ask_extension(
            work, it, stage, days=2, reason="等设备", actor=actor(HEAD, date(2026, 11, 4)),
            now=at(date(2026, 11, 4)),
        )  # fmt: skip
    on = date(2026, 11, 10)
    everything = both_ways_agree(bureau.id, on)
    assert {it.kind for it in everything} >= {"sign_for", "accept", "report", "extension", "assign"}
    board = readiness.readiness(db.session(), bureau, Period(2026, 11, 1), on=on)
    found = [it for row in board.rows for it in row.missing.get("processes", [])]
    assert len(found) == sum(
        1 for it in everything if it.unit_id is not None and (it.due_on or on) <= date(2026, 11, 30)
    )
    assert all(it.waits_for for it in found)


# a year of 500 people ------------------------------------------------------------------------------------------

UNITS, EACH = 50, 10
YEAR = 2026


def rows_of_five_hundred() -> dict[str, list[dict[str, Any]]]:
    rows = copy.deepcopy(SMALL)
    for unit in range(1, UNITS + 1):
        code = f"Y{unit:02d}"
        rows["units"].append({"code": code, "name": f"第{unit}所", "parent": "3306", "kind": "branch", "group": "分局",
                              "order": 100 + unit, "from": "2026-01-01"})  # fmt: skip
        rows["oversight"].append({"staff_no": f"100{1 + unit % 2}", "unit": code, "from": "2026-01-01"})
        for number in range(EACH):
            staff = f"9{unit:02d}{number}"
            head = number == 0
            rows["people"].append({"staff_no": staff, "name": f"人员{unit}-{number}", "username": f"y{unit}n{number}",
                                   "category": "unit_head" if head else "staff", "group": "", "from": "2026-01-01"})  # fmt: skip
            duty = ("head", "clerk")[number] if number < 2 else "member"
            rows["postings"].append({"staff_no": staff, "unit": code, "duty": duty, "from": "2026-01-01"})
            role = ("unit_head", "clerk")[number] if number < 2 else "staff"
            rows["roles"].append({"staff_no": staff, "role": role, "unit": code if number < 2 else None})
    return rows


def test_a_year_of_five_hundred_people(app: Flask, load: Callable[..., object]) -> None:
    """One digest a person and working day at most; everybody whose matter has its day gets it; nothing on days off.

    What is to be expected is worked out here from the tasks alone: by counting working days, not by the rules.
    """
    load(rows_of_five_hundred())
    bureau_id = db.session.scalars(select(Bureau.id)).one()
    ids = dict(db.session.execute(select(Subject.code, Subject.id)).all())
    people = dict(db.session.execute(select(Account.username, Account.id)).all())
    leaders = {f"Y{unit:02d}": f"100{1 + unit % 2}" for unit in range(1, UNITS + 1)}
    by_staff = {
        row["staff_no"]: people[row["username"]] for row in rows_of_five_hundred()["people"] if row.get("username")
    }
    days = through(date(YEAR, 1, 5), date(YEAR + 1, 1, 4))
    calendar = work_calendar(db.session(), bureau_id)
    workdays = [it for it in through(date(YEAR - 1, 12, 1), date(YEAR + 1, 3, 1)) if calendar.is_workday(it)]
    numbers = itertools.count(1)
    open_tasks: dict[int, tuple[str, date, str, date]] = {}
    digests = 0
    task, stage, party = SupervisedTask.__table__, TaskStage.__table__, TaskParty.__table__
    for day in days:
        with transaction() as work:
            rows = work.connection()
            for step in range(5):
                pk = next(numbers)
                unit = f"Y{1 + (pk * 7) % UNITS:02d}"
                due = day + timedelta(days=1 + (pk * 3 + step) % 17)
                handler = f"9{unit[1:]}{2 + pk % (EACH - 2)}"
                ends = due + timedelta(days=(pk % 9) - 4)
                rows.execute(insert(task).values(
                    id=pk, bureau_id=bureau_id, batch_no="", year=YEAR, serial=pk, no=f"督办{pk}", source="meeting",
                    source_text="", matter="事项", demand="", lead_unit_id=ids[unit], state="under_way",
                    assigned_on=day, due_on=due, first_due_on=due, late_clause="", rating_clauses="",
                    created_by="x", created_at=morning(day), assigned_by="x", signed_by="x", reported_by="",
                    accepted_by="", rated_by="", rating_opinion="", closed_by="", reason="", lock_version=1,
                ))  # fmt: skip
                rows.execute(insert(stage).values(
                    id=pk, task_id=pk, position=1, title="办结报告", due_on=due, late_days=0, extensions=0, round=0
                ))  # fmt: skip
                rows.execute(insert(party).values(task_id=pk, role="handler", subject_id=ids[handler]))
                open_tasks[pk] = (unit, due, handler, ends)
            over = [pk for pk, it in open_tasks.items() if it[3] <= day]
            if over:
                rows.execute(update(task).where(task.c.id.in_(over)).values(state="cancelled", reason="不再需要"))
            for pk in over:
                del open_tasks[pk]
        expected = set()
        if calendar.is_workday(day):
            for pk, (unit, due, handler, _) in open_tasks.items():
                apart = bisect_right(workdays, day) - bisect_right(workdays, due)
                mark = f"stage:{pk}:0:{due}"
                if apart in (-3, 0):
                    expected |= {(by_staff[it], mark) for it in (f"9{unit[1:]}0", f"9{unit[1:]}1", handler)}
                if apart == 1:
                    expected.add((by_staff[leaders[unit]], mark))
        digests += remind(day)
        found = db.session.execute(
            select(ReminderSent.account_id, ReminderSent.mark).where(ReminderSent.sent_on == day)
        ).all()
        assert {tuple(it) for it in found} == expected, day
        assert len(found) == len(expected), day

    assert len(people) >= UNITS * EACH
    per_day = db.session.execute(
        select(Outbox.account_id, Outbox.dedup_key, func.count(Outbox.id))
        .where(Outbox.category == "digest")
        .group_by(Outbox.account_id, Outbox.dedup_key)
    ).all()
    assert len(per_day) == digests > 2000
    assert {count for *_, count in per_day} == {1}
    reminded = {date.fromisoformat(key.removeprefix("digest:")) for _, key, _ in per_day}
    assert not [it for it in reminded if not calendar.is_workday(it)]
    assert [it for it in reminded if it.weekday() > 4], "make-up workdays count"


def test_what_came_after_the_digest_is_in_the_next_one(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run now at seven, a task due today at eight: whoever had the digest hears of it the next day, not never."""

    def run(day: date) -> None:
        monkeypatch.setattr(sessions, "now", lambda: morning(day))
        with transaction() as work:
            owner = work.get_one(Bureau, bureau.id)
            number = runs.request_run(work, owner, job="reminders", period=str(day), actor=SYSTEM, now=morning(day))
        running.carry_out(number)

    first = under_way(MONDAY, stages=[], due=DUE.isoformat(), matter="一")
    run(DUE)
    second = under_way(date(2026, 11, 13), stages=[], due=DUE.isoformat(), matter="二")
    run(DUE)
    run(date(2026, 11, 17))

    db.session.rollback()
    given = db.session.execute(
        select(ReminderSent.mark, ReminderSent.sent_on, ReminderSent.is_list).where(ReminderSent.days == 0)
    ).all()
    marks = {it.id: f"stage:{it.stages[0].id}:0:{DUE}" for it in (first, second)}
    assert {(mark, on) for mark, on, _ in given} == {(marks[first.id], DUE), (marks[second.id], date(2026, 11, 17))}
    assert len(given) == 6


def test_an_urge_nobody_answers_reaches_the_leader_in_charge(bureau: Bureau) -> None:
    task = under_way(MONDAY, due="2026-12-31")
    with transaction() as work:
        place = opinions.find_place(work, "supervised_task", str(task.id))
        assert place is not None
        opinions.urge(work, place, "请抓紧", actor=actor(LEADER), now=at(MONDAY))
    for day in through(MONDAY, date(2026, 11, 10)):
        remind(day)

    assert sent(date(2026, 11, 9), "opinions.answer") == {OTHER_LEADER: [105]}


def test_bureaus_of_one_installation_know_nothing_of_each_other(bureau: Bureau, load: Callable[..., object]) -> None:
    under_way(MONDAY, stages=[], due=DUE.isoformat())
    rows = supervised_rows()
    rows["units"] = [
        {**it, "code": "9901" if it["code"] == "3306" else it["code"],
         "parent": "9901" if it.get("parent") == "3306" else it.get("parent")}
        for it in rows["units"]
    ]  # fmt: skip
    for table in ("postings", "roles", "oversight"):
        rows[table] = [{**it, "unit": "9901" if it.get("unit") == "3306" else it.get("unit")} for it in rows[table]]
    rows["people"] = [{**it, "username": f"b{it['username']}" if it.get("username") else None} for it in rows["people"]]
    load(rows)
    other = db.session.scalars(select(Bureau.id).where(Bureau.code == "9901")).one()

    calendar = work_calendar(db.session(), bureau.id)
    assert open_matters(db.session(), bureau.id, calendar=calendar, on=DUE)
    assert open_matters(db.session(), other, calendar=calendar, on=DUE) == []
    assert reminders.preview(db.session(), other, on=DUE) == []
    assert len(reminders.preview(db.session(), bureau.id, on=DUE)) == 3
    with transaction() as work:
        act_as(work, SYSTEM)
        day = reminders.day_of(work, bureau.id, DUE)
        assert day is not None
        found = reminders.reminders_of(work, bureau.id, day, reminders.rules_on(work, bureau.id, DUE))
        reminders.send(work, bureau.id, day, found, now=morning(DUE))
    assert set(db.session.scalars(select(Outbox.bureau_id).where(Outbox.category == "digest"))) == {bureau.id}
