"""The ledger of runs: asked for once, held by one, ended by the holder alone; and what is said is said once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import running
from app.errors import Conflict, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bulletin, Bureau, Notification, Outbox, PeriodScore, RunLedger, ScheduleRule
from app.policies.actor import SYSTEM, Actor
from app.rules.periods import Period
from app.rules.timetable import JOBS
from app.security import sessions
from app.services.jobs import runs, timetable
from app.services.messages import notices
from app.services.scoring import choice, results, settlement
from tests.conftest import NOW, SMALL

LEASE = timedelta(seconds=60)


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(SMALL)
    return db.session.scalars(select(Bureau)).one()


def request(bureau: Bureau, job: str = runs.SETTLE, period: str = "2026-02") -> int:
    with transaction() as work:
        return runs.request_run(work, bureau, job=job, period=period, actor=SYSTEM, now=NOW)


def claim(number: int, now: datetime = NOW) -> runs.Claim | None:
    with transaction() as work:
        return runs.claim(work, number, lease=LEASE, now=now)


def run_of(number: int) -> RunLedger:
    db.session.expire_all()
    return db.session.get_one(RunLedger, number)


def test_a_run_is_one_row_however_often_it_is_asked_for(bureau: Bureau) -> None:
    first, second = request(bureau), request(bureau)

    assert first == second
    assert db.session.scalar(select(func.count(RunLedger.id))) == 1


def test_only_one_holds_it_until_the_lease_runs_out(bureau: Bureau) -> None:
    number = request(bureau)
    held = claim(number)

    assert held is not None
    assert claim(number, NOW + LEASE) is None
    later = claim(number, NOW + LEASE + timedelta(seconds=1))
    assert later is not None
    assert later.fence == held.fence + 1


def test_a_former_holder_neither_renews_nor_finishes(bureau: Bureau) -> None:
    number = request(bureau)
    old = claim(number)
    new = claim(number, NOW + 2 * LEASE)
    assert old is not None
    assert new is not None

    with transaction() as work:
        assert not runs.renew(work, old, lease=LEASE, steps=(1, 2), now=NOW)
        assert runs.renew(work, new, lease=LEASE, steps=(1, 2), now=NOW)
    with pytest.raises(Conflict), transaction() as work:
        runs.finish(work, old, now=NOW)
    with transaction() as work:
        runs.fail(work, old, running.FAULT, now=NOW)
    assert run_of(number).status == "running"
    with transaction() as work:
        runs.finish(work, new, now=NOW)
    assert run_of(number).status == "done"


def test_asking_while_it_runs_begins_anew_because_it_may_have_read_before(bureau: Bureau) -> None:
    number = request(bureau)
    held = claim(number)
    assert held is not None

    request(bureau)

    assert run_of(number).status == "pending"
    with pytest.raises(Conflict), transaction() as work:
        runs.finish(work, held, now=NOW)
    again = claim(number)
    assert again is not None
    with transaction() as work:
        runs.finish(work, again, now=NOW)
    request(bureau)
    assert run_of(number).status == "pending"


def test_a_night_does_not_swallow_a_settlement_that_was_asked_for(bureau: Bureau) -> None:
    with transaction() as work:
        number = runs.request_run(
            work, bureau, job=runs.SETTLE, period="2026-02", actor=Actor(name="office", roles=frozenset({"assessment_office"})),
            now=NOW,
        )  # fmt: skip
        settlement.settle_period(work, bureau, Period(2026, 2, 1), on=date(2026, 3, 1), actor=SYSTEM, now=NOW)

    assert run_of(number).status == "pending"
    assert run_of(number).settled_on == date(2026, 3, 1)
    running.carry_out(number)
    assert run_of(number).status == "done"


def test_a_run_that_has_just_ended_is_not_given_up(bureau: Bureau) -> None:
    number = request(bureau)
    held = claim(number)
    assert held is not None
    with transaction() as work:
        runs.finish(work, held, now=NOW)

    with transaction() as work:
        runs.fail(work, held, running.FAULT, now=NOW)

    assert run_of(number).status == "done"
    assert not db.session.scalars(select(Outbox.id)).all()


def test_the_bell_hands_out_what_waits_and_what_was_dropped(bureau: Bureau) -> None:
    number = request(bureau)

    def ring(now: datetime) -> list[int]:
        with transaction() as work:
            return runs.due(work, now=now, again_after=timedelta(seconds=30))

    assert ring(NOW) == [number]
    assert ring(NOW + timedelta(seconds=29)) == []
    assert ring(NOW + timedelta(seconds=30)) == [number]
    claim(number, NOW + timedelta(seconds=31))
    assert ring(NOW + timedelta(seconds=80)) == []
    assert ring(NOW + timedelta(seconds=92)) == [number]


def test_what_always_dies_is_given_up_and_said(bureau: Bureau) -> None:
    number = request(bureau)
    now = NOW
    for _ in range(runs.MOST_ATTEMPTS):
        assert claim(number, now) is not None
        now += 2 * LEASE

    with transaction() as work:
        assert runs.due(work, now=now, again_after=LEASE) == []

    assert run_of(number).status == "failed"
    office = notices.holders(db.session, bureau.id, "assessment_office", on=NOW.date())
    assert office
    assert db.session.scalars(select(Outbox.account_id).order_by(Outbox.account_id)).all() == office
    request(bureau)
    assert run_of(number).status == "pending"
    assert run_of(number).attempts == 0


def test_a_run_is_carried_out_and_a_refusal_ends_it_with_its_reason(bureau: Bureau) -> None:
    number = request(bureau)
    running.carry_out(number)

    assert run_of(number).status == "done"
    assert run_of(number).subjects > 0
    assert db.session.scalar(select(func.count(PeriodScore.score)).where(PeriodScore.period == "2026-02"))

    running.carry_out(number)
    assert run_of(number).fence == 1


def test_a_fault_of_the_program_ends_as_failed_and_the_next_run_is_not_blocked(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    poisoned, sound = request(bureau, period="2026-01"), request(bureau, period="2026-02")
    with monkeypatch.context() as patched:
        patched.setattr(settlement, "store", broken)
        running.carry_out(poisoned)
    running.carry_out(sound)

    assert run_of(poisoned).status == "failed"
    assert "fault of the program" in run_of(poisoned).error
    assert run_of(sound).status == "done"
    assert not db.session.scalar(select(func.count(PeriodScore.score)).where(PeriodScore.period == "2026-01"))


def test_only_the_office_asks_for_runs(bureau: Bureau) -> None:
    with pytest.raises(NotPermitted):
        runs.request_run(
            db.session, bureau, job=runs.SETTLE, period="2026-02", actor=Actor(roles=frozenset({"staff"})), now=NOW
        )


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(sessions, "now", lambda: moment)


def ring_at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> list[tuple[str, str]]:
    """Ring at a moment and do all that is handed out; answers jobs and periods."""
    at(monkeypatch, moment)
    found = running.ring(now=moment)
    for number in found:
        running.carry_out(number)
    return [(run_of(number).job, run_of(number).period) for number in found]


def test_missed_month_ends_are_caught_up_each_once(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction() as work:
        rule = work.scalars(select(ScheduleRule).where(ScheduleRule.job == runs.MONTH_END)).one()
        rule.next_period = "2026-01"
        work.scalars(select(ScheduleRule).where(ScheduleRule.job == runs.QUARTER_END)).one().next_period = "2026Q1"
    moment = datetime(2026, 4, 5, 1, 0, tzinfo=UTC)

    assert [it for it in ring_at(monkeypatch, moment) if it[0] == runs.MONTH_END] == [
        (runs.MONTH_END, f"2026-0{month}") for month in (1, 2, 3)
    ]
    assert ring_at(monkeypatch, moment + timedelta(hours=1)) == []

    drafts = db.session.scalars(select(Bulletin.period).order_by(Bulletin.period)).all()
    assert drafts == ["2026-01", "2026-02", "2026-03", "2026Q1"]
    with transaction() as work:
        notices.deliver(work, now=moment)
    office = notices.holders(db.session, bureau.id, "assessment_office", on=date(2026, 4, 5))
    told = select(func.count(Notification.id)).where(Notification.dedup_key.startswith("month-end:"))
    assert db.session.scalar(told) == 4 * len(office)


def test_a_night_settles_the_running_periods(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction() as work:
        rule = work.scalars(select(ScheduleRule).where(ScheduleRule.job == runs.NIGHTLY)).one()
        rule.next_period = "2026-03-10"
        month_end = work.scalars(select(ScheduleRule).where(ScheduleRule.job == runs.MONTH_END)).one()
        month_end.next_period = "2026-03"

    assert ring_at(monkeypatch, datetime(2026, 3, 16, 18, 5, tzinfo=UTC)) == [(runs.NIGHTLY, "2026-03-17")]

    settled = db.session.scalars(select(RunLedger.period).where(RunLedger.job == runs.SETTLE)).all()
    assert sorted(settled) == ["2026", "2026-03", "2026Q1"]
    assert not db.session.scalars(select(Bulletin)).all()


def test_month_end_and_the_command_give_the_same_scores(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, datetime(2026, 4, 5, 1, 0, tzinfo=UTC))
    period = Period.parse("2026-03")
    assert period is not None
    running.settle_here(bureau, period)
    before = results.scores_of(db.session, db.session.scalars(select(Bureau)).one(), period)

    running.carry_out(request(bureau, runs.MONTH_END, "2026-03"))
    running.carry_out(request(bureau, runs.MONTH_END, "2026-03"))

    assert results.scores_of(db.session, db.session.scalars(select(Bureau)).one(), period) == before
    assert len(db.session.scalars(select(Bulletin).where(Bulletin.period == "2026-03")).all()) == 1


def test_a_message_is_delivered_once_and_read_by_its_reader(bureau: Bureau) -> None:
    office = notices.holders(db.session, bureau.id, "assessment_office", on=NOW.date())
    for _ in range(2):
        with transaction() as work:
            notices.say(
                work, office, category="job", key="k", text=running.FAULT, item="run:1", bureau_id=bureau.id, now=NOW
            )
            notices.deliver(work, now=NOW)
    with transaction() as work:
        assert notices.deliver(work, now=NOW) == 0

    assert db.session.scalar(select(func.count(Notification.id))) == len(office)
    reader = Actor(account_id=office[0], roles=frozenset({"assessment_office"}))
    with transaction() as work:
        notices.mark_read(work, actor=reader, now=NOW, item="run:2")
        notices.mark_read(work, actor=reader, now=NOW, item="run:1")
    read = db.session.scalars(select(Notification.account_id).where(Notification.read_at.is_not(None))).all()
    assert read == office[:1]


def test_a_period_that_has_not_begun_is_refused() -> None:
    with pytest.raises(RuleViolation):
        choice.parse_period("2027-01", on=date(2026, 11, 23))


def test_rules_of_a_bureau_are_made_once(bureau: Bureau) -> None:
    with transaction() as work:
        timetable.ensure_rules(work, bureau.id, now=NOW)

    assert db.session.scalar(select(func.count(ScheduleRule.id))) == len(JOBS)
