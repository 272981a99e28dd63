"""Keeping the timetable: other times, rests, runs outside their time; what a wrong clock does, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app import running
from app.errors import NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bulletin, Bureau, Heartbeat, Outbox, RunEvent, RunLedger, ScheduleRule, TraceEntry
from app.policies.actor import SYSTEM, Actor
from app.rules.timetable import JOBS
from app.security import sessions
from app.services.desk import daily_figures
from app.services.jobs import heartbeats, runs, timetable
from app.services.jobs.heartbeats import Clock
from app.services.messages import notices
from tests.conftest import NOW, SMALL

OFFICE = Actor(name="office", roles=frozenset({"assessment_office"}), bureau_id=1)
HEAD = Actor(name="head", roles=frozenset({"unit_head"}), bureau_id=1)
ADMIN = Actor(name="admin", roles=frozenset({"system_admin"}))


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> Bureau:
    load(SMALL)
    monkeypatch.setattr(running, "database_clock", lambda _: None)
    return db.session.scalars(select(Bureau)).one()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr(sessions, "now", lambda: moment)

    return set_clock


def rule_of(job: str) -> ScheduleRule:
    db.session.rollback()
    return db.session.scalars(select(ScheduleRule).where(ScheduleRule.job == job)).one()


def wait_for(job: str, period: str) -> None:
    with transaction() as work:
        work.scalars(select(ScheduleRule).where(ScheduleRule.job == job)).one().next_period = period


def ring(moment: datetime, database_now: datetime | None = None) -> int:
    with transaction() as work:
        return timetable.raise_due(work, now=moment, database_now=database_now)


def periods(job: str) -> list[str]:
    db.session.rollback()
    query = select(RunLedger.period).where(RunLedger.job == job).order_by(RunLedger.id)
    return list(db.session.scalars(query))


def act(verb: Callable[..., object], job: str, actor: Actor = OFFICE, now: datetime = NOW, **facts: object) -> object:
    with transaction() as work:
        rule = work.scalars(select(ScheduleRule).where(ScheduleRule.job == job)).one()
        return verb(work, rule, actor=actor, now=now, **facts)


def test_every_bureau_has_every_job_once(bureau: Bureau) -> None:
    with transaction() as work:
        work.delete(work.scalars(select(ScheduleRule).where(ScheduleRule.job == "quarter_end")).one())

    assert ring(NOW) == 0
    found = db.session.execute(select(ScheduleRule.job, ScheduleRule.next_period)).all()
    assert dict(found) == {
        "lateness": "2026-11-24", "nightly": "2026-11-24", "month_end": "2026-11", "quarter_end": "2026Q4",
        "year_end": "2026", "statistics": "2026-11-23", "verify": "2026-11-24", "reminders": "2026-11-24",
    }  # fmt: skip
    assert len(found) == len(JOBS)


def test_beat_down_over_three_month_ends_each_is_caught_up_once(bureau: Bureau) -> None:
    wait_for("month_end", "2026-08")
    wait_for("quarter_end", "2026Q3")
    wait_for("statistics", "2026-11-20")
    wait_for("nightly", "2026-08-15")
    for _ in range(3):
        ring(NOW)

    assert periods("month_end") == ["2026-08", "2026-09", "2026-10"]
    assert periods("quarter_end") == ["2026Q3"]
    assert periods("statistics") == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert periods("nightly") == ["2026-11-23"]


def test_a_clock_a_day_ahead_and_back_runs_every_period_once(bureau: Bureau) -> None:
    ahead = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
    ring(ahead)
    early = {it.job: it.id for it in db.session.scalars(select(RunLedger))}
    with transaction() as work:
        work.execute(update(RunLedger.__table__).values(status="done", finished_at=ahead))
    ring(ahead - timedelta(days=1))
    ring(ahead - timedelta(days=1))
    assert rule_of("month_end").next_period == "2026-11"
    assert len(list(said("back:"))) == 1
    assert db.session.get_one(RunLedger, early["month_end"]).status == "done"
    for moment in (ahead, ahead, ahead + timedelta(days=1)):
        ring(moment)

    again = db.session.get_one(RunLedger, early["month_end"], populate_existing=True)
    assert (again.status, again.is_premature) == ("pending", False), "run too early, it is run when its time comes"
    assert periods("month_end") == ["2026-11"]
    assert periods("nightly") == ["2026-12-01", "2026-12-02"]
    assert rule_of("month_end").next_period == "2026-12"
    assert db.session.scalar(select(func.count(RunLedger.id))) == len(
        set(db.session.execute(select(RunLedger.job, RunLedger.period)).all())
    )


def test_what_is_beyond_belief_waits_for_a_word_and_is_said_once(bureau: Bureau) -> None:
    wait_for("month_end", "2026-06")
    for _ in range(2):
        ring(NOW)

    assert periods("month_end") == []
    rule = rule_of("month_end")
    assert (rule.held_reason, rule.held_since, rule.next_period) == ("beyond", NOW, "2026-06")
    told = db.session.scalars(select(Outbox.account_id).where(Outbox.dedup_key.startswith("held:"))).all()
    assert sorted(told) == sorted(notices.keepers(db.session, bureau.id, on=NOW.date()))
    assert told

    with pytest.raises(NotPermitted):
        act(timetable.confirm_rule, "month_end", HEAD)
    assert act(timetable.confirm_rule, "month_end", ADMIN) == 5
    assert periods("month_end") == ["2026-06", "2026-07", "2026-08", "2026-09", "2026-10"]
    assert rule_of("month_end").held_since is None
    with pytest.raises(RuleViolation):
        act(timetable.confirm_rule, "month_end")


def test_a_rule_goes_on_by_itself_when_the_clock_comes_back(bureau: Bureau) -> None:
    ring(datetime(2030, 1, 1, tzinfo=UTC))
    assert rule_of("month_end").held_reason == "beyond"

    ring(NOW)

    assert rule_of("month_end").held_reason == ""
    assert periods("month_end") == []


def test_a_period_that_has_not_come_by_the_clock_of_the_database_waits(bureau: Bureau) -> None:
    december = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
    ring(december, database_now=december - timedelta(days=1))
    assert (rule_of("month_end").held_reason, periods("month_end")) == ("clock", [])

    ring(december, database_now=december - timedelta(minutes=2))

    assert (rule_of("month_end").held_reason, periods("month_end")) == ("", ["2026-11"])


def test_two_machines_of_which_one_is_ahead_do_not_undo_each_other(bureau: Bureau) -> None:
    december = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
    for _ in range(3):
        ring(december, database_now=december)
        ring(december - timedelta(days=1), database_now=december)

    assert periods("month_end") == ["2026-11"]
    assert rule_of("month_end").next_period == "2026-12"
    assert not db.session.scalars(select(RunLedger.id).where(RunLedger.is_premature)).all()


def test_another_time_and_another_day(bureau: Bureau) -> None:
    act(timetable.keep_rule, "month_end", day=5, at=time(9, 15))
    act(timetable.keep_rule, "nightly", day=7, at=time(23, 0))

    month_end, nightly = rule_of("month_end"), rule_of("nightly")
    assert (month_end.day, month_end.hour, month_end.minute, month_end.next_period) == (5, 9, 15, "2026-11")
    assert (nightly.day, nightly.hour) == (None, 23)
    assert ring(datetime(2026, 12, 5, 1, 14, tzinfo=UTC)) and periods("month_end") == []
    ring(datetime(2026, 12, 5, 1, 15, tzinfo=UTC))
    assert periods("month_end") == ["2026-11"]
    assert db.session.scalar(select(func.count(TraceEntry.seq)).where(TraceEntry.verb == "keep_rule")) == 2


@pytest.mark.parametrize(
    ("facts", "field"), [({"day": 29, "at": time(1)}, "day"), ({"day": None, "at": time(1)}, "day"), ({"day": 1, "at": None}, "at")]
)  # fmt: skip
def test_odd_times_are_refused_at_their_field(bureau: Bureau, facts: dict[str, object], field: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        act(timetable.keep_rule, "month_end", **facts)
    assert refusal.value.field_name == field
    with pytest.raises(NotPermitted):
        act(timetable.keep_rule, "month_end", HEAD, day=1, at=time(1))


def test_a_job_that_rests_is_caught_up_when_it_goes_on(bureau: Bureau) -> None:
    wait_for("month_end", "2026-09")
    act(timetable.switch_rule, "month_end", on=False)
    ring(NOW)
    assert periods("month_end") == []

    act(timetable.switch_rule, "month_end", on=True)
    ring(NOW)

    assert periods("month_end") == ["2026-09", "2026-10"]
    with pytest.raises(NotPermitted):
        act(timetable.switch_rule, "month_end", HEAD, on=False)


def test_run_now_runs_what_ended_last_and_the_timetable_does_not_run_it_again(
    bureau: Bureau, at: Callable[[datetime], None]
) -> None:
    night = datetime(2026, 11, 30, 16, 10, tzinfo=UTC)  # ten past midnight in the bureau
    at(night)
    number = act(timetable.run_now, "month_end", now=night)
    assert isinstance(number, int)
    running.carry_out(number)
    ring(night + timedelta(hours=3))

    assert periods("month_end") == ["2026-11"]
    assert db.session.get_one(RunLedger, number).status == "done"
    assert db.session.scalars(select(Bulletin.period)).all() == ["2026-11"]
    assert act(timetable.run_now, "lateness", now=night) and periods("lateness") == ["2026-12-01"]


@pytest.mark.parametrize("period", ["2026-11", "2026Q3", "2026", "2026-11-01", "later", ""])
def test_what_is_no_period_of_the_job_or_not_over_is_not_run(bureau: Bureau, period: str) -> None:
    if period == "":
        with pytest.raises(NotPermitted):
            act(timetable.run_now, "month_end", HEAD)
        return
    with pytest.raises(RuleViolation):
        act(timetable.run_now, "month_end", period=period)


def test_the_newest_run_stands_in_the_timetable(bureau: Bureau) -> None:
    wait_for("month_end", "2026-09")
    ring(NOW)

    found = {it.rule.job: it for it in timetable.scheduled(db.session())}

    assert list(found) == list(JOBS)
    assert (found["month_end"].last.period, found["month_end"].state) == ("2026-10", "pending")
    assert found["year_end"].state == ""
    assert found["month_end"].due_at == datetime(2026, 12, 1, 2, 30)


def test_a_run_keeps_its_log_and_a_failed_one_is_asked_for_again_once(
    bureau: Bureau, at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    at(NOW)
    number = act(timetable.run_now, "statistics")
    with monkeypatch.context() as broken:
        broken.setattr(daily_figures, "record_day", lambda *_: 1 // 0)
        running.carry_out(number)
    assert db.session.get_one(RunLedger, number).status == "failed"
    with pytest.raises(NotPermitted), transaction() as work:
        runs.retry(work, work.get_one(RunLedger, number), actor=HEAD, now=NOW)
    for _ in range(2):
        with transaction() as work:
            runs.retry(work, work.get_one(RunLedger, number), actor=OFFICE, now=NOW)
    running.carry_out(number)

    db.session.rollback()
    assert db.session.get_one(RunLedger, number).status == "done"
    log = " ".join(db.session.scalars(select(RunEvent.text).where(RunEvent.run_id == number).order_by(RunEvent.id)))
    for words in ("Asked for by", "Taken by", "Failed", "Done", "figures kept"):
        assert words in log, log
    assert log.count("Asked for by") == 2
    assert db.session.scalar(select(func.count(TraceEntry.seq)).where(TraceEntry.verb == "retry")) == 1


def test_a_stamp_of_a_wrong_clock_does_not_hold_a_run_for_a_day(bureau: Bureau) -> None:
    lease = timedelta(seconds=60)
    with transaction() as work:
        number = runs.request_run(work, bureau, job="verify", period="2026-11-23", actor=SYSTEM, now=NOW)
        tomorrow = NOW + timedelta(days=1)
        assert runs.due(work, now=tomorrow, again_after=lease) == [number]
        assert runs.claim(work, number, lease=lease, now=tomorrow)
    with transaction() as work:
        assert runs.due(work, now=NOW, again_after=lease) == [number]
        assert runs.claim(work, number, lease=lease, now=NOW)


# signs of life -------------------------------------------------------------------------------------------------


def listen(moment: datetime, *, ahead: int | None = None, boot: str = "b") -> None:
    clock = None if ahead is None else Clock("here", boot, ahead)
    with transaction() as work:
        heartbeats.listen(work, clock=clock, silent_after=timedelta(minutes=2), now=moment)


def said(prefix: str) -> Iterator[str]:
    db.session.rollback()
    query = select(Outbox.dedup_key).where(Outbox.dedup_key.startswith(prefix)).distinct()
    return iter(db.session.scalars(query).all())


def test_a_long_silence_is_said_once(bureau: Bureau) -> None:
    listen(NOW)
    listen(NOW + timedelta(minutes=29))
    assert list(said("silence:")) == []

    listen(NOW + timedelta(hours=2))
    listen(NOW + timedelta(hours=2, seconds=30))

    assert len(list(said("silence:"))) == 1


def test_a_clock_that_was_moved_is_recorded_once_and_said(bureau: Bureau) -> None:
    for ahead, boot in ((1000, "b"), (1060, "b"), (87_400, "b"), (87_400, "b"), (1000, "b"), (5, "c")):
        listen(NOW, ahead=ahead, boot=boot)

    moved = db.session.scalars(select(TraceEntry.after).where(TraceEntry.verb == "clock_moved")).all()
    assert [it for it in moved if it] == ['{"seconds": 86400}', '{"seconds": -86400}']
    assert len(list(said("clock:"))) == 2


def test_a_worker_that_fell_silent_is_said_and_one_that_left_is_not(bureau: Bureau) -> None:
    with transaction() as work:
        for name in ("celery@a", "celery@b"):
            heartbeats.beat(work, name, "worker", now=NOW, is_new=True)
        heartbeats.leave(work, "celery@b")
    for minutes in (4, 6, 7):
        listen(NOW + timedelta(minutes=minutes))

    assert list(said("silent:")) == [f"silent:celery@a:{NOW.isoformat()}"]
    now = NOW + timedelta(minutes=7)
    signs = heartbeats.signs(db.session(), now=now, silent_after=timedelta(minutes=2))
    assert [(it.name, it.is_alive) for it in signs] == [("ring", True), ("celery@a", False)]
    assert heartbeats.stands_still(signs)
    with transaction() as work:
        for name, kind in (("celery@a", "worker"), ("beat@a", "beat")):
            heartbeats.beat(work, name, kind, now=now, is_new=True)
    assert not heartbeats.stands_still(heartbeats.signs(db.session(), now=now, silent_after=timedelta(minutes=2)))
    later = NOW + timedelta(minutes=30)
    with transaction() as work:
        for name, kind in (("celery@a", "worker"), ("beat@a", "beat")):
            heartbeats.beat(work, name, kind, now=later)
    deaf = heartbeats.signs(db.session(), now=later, silent_after=timedelta(minutes=2))
    assert heartbeats.stands_still(deaf), "all live, and nobody hears the bell"
    listen(NOW + timedelta(days=8))
    assert db.session.scalar(select(func.count()).select_from(Heartbeat).where(Heartbeat.kind == "worker")) == 0
