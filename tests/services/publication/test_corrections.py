"""Coming back to a closed month: vouchers and permits, the corrected version, its erratum, and what stays as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from app import running
from app.errors import Conflict, HouseError, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import (
    Bulletin,
    Bureau,
    Clause,
    CorrectionVoucher,
    PeriodScore,
    Posting,
    ReopenPermit,
    RunLedger,
    Scheme,
    ScoreEntry,
    Subject,
    Target,
    Unit,
)
from app.policies.actor import SYSTEM
from app.rules.timetable import local_time
from app.security import sessions
from app.services import trace
from app.services.jobs import runs
from app.services.publication import bulletin, corrections, permits, verification, vouchers
from app.services.registers import rows as registers
from app.services.registration import facts as registration
from app.services.registration.facts import Typed
from app.services.rulebook import approval
from app.services.rulebook import versions as scheme_versions
from app.services.scoring import settlement
from tests.conftest import NOW, SMALL
from tests.services.publication.test_bulletin import actor, publish_all

TODAY = local_time(NOW).date()
OFFICE, LEADER = "zhouyaqin", "yujianping"


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(SMALL)
    return db.session.scalars(select(Bureau)).one()


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs work on the tests' own day."""
    monkeypatch.setattr(sessions, "now", lambda: NOW)
    monkeypatch.setattr(sessions, "today", lambda: TODAY)


def entry(no: str) -> ScoreEntry:
    query = select(ScoreEntry).where(ScoreEntry.no == no, ScoreEntry.kind == "fact")
    return db.session.scalars(query.order_by(ScoreEntry.id.desc())).first()


def first_fact(**wanted: object) -> ScoreEntry:
    """The first fact of February under a clause that has a price of its own."""
    query = select(ScoreEntry).where(ScoreEntry.month == "2026-02", ScoreEntry.kind == "fact")
    return next(it for it in db.session.scalars(query.order_by(ScoreEntry.id)) if it.clause.code == wanted["clause"])


def ask(it: ScoreEntry, who: str = OFFICE, **changed: str) -> CorrectionVoucher:
    with transaction() as work:
        texts = {**vouchers.texts_of(it), "remark": it.remark or "checked", **changed}
        made = vouchers.ask_voucher(work, it, texts=texts, reason="wrong count", actor=actor(who), now=NOW)
        assert not isinstance(made, Typed), made.faults
        return made


def decide(voucher: CorrectionVoucher, verb: Callable[..., None] = vouchers.approve_voucher, who: str = LEADER) -> None:
    with transaction() as work:
        verb(work, work.get_one(CorrectionVoucher, voucher.id), opinion="so be it", actor=actor(who), now=NOW)


def carry_out_all() -> None:
    """Do every run that waits, as the workers would."""
    for _round in range(3):
        numbers = db.session.scalars(select(RunLedger.id).where(RunLedger.status == "pending")).all()
        for number in numbers:
            running.carry_out(number)
    db.session.rollback()
    failed = db.session.scalars(select(RunLedger).where(RunLedger.status == "failed")).all()
    assert [it.error for it in failed] == []


def versions() -> list[Bulletin]:
    db.session.expire_all()
    return list(db.session.scalars(select(Bulletin).order_by(Bulletin.period, Bulletin.version)))


def publish_version(version: int) -> Bulletin:
    def do_with(verb: Callable[..., object], who: str, **facts: object) -> None:
        with transaction() as work:
            it = work.scalars(select(Bulletin).where(Bulletin.version == version)).one()
            verb(work, it, actor=actor(who), now=NOW + timedelta(hours=version), **facts)

    do_with(bulletin.submit_bulletin, OFFICE)
    do_with(bulletin.sign_bulletin, LEADER, opinion="")
    do_with(bulletin.publish_bulletin, OFFICE, on=TODAY)
    return versions()[version - 1]


def totals() -> dict[str, tuple[Decimal, int]]:
    db.session.expire_all()
    query = select(PeriodScore).where(PeriodScore.period == "2026-02", PeriodScore.indicator_code == "")
    return {it.subject.code: (it.score, it.rank) for it in db.session.scalars(query)}


def moved(before: dict[str, object], after: dict[str, object]) -> set[str]:
    return {code for code in before.keys() | after.keys() if before.get(code) != after.get(code)}


def units() -> set[str]:
    return {it.code for it in db.session.scalars(select(Subject).where(Subject.kind == "unit"))}


def first_version() -> tuple[object, ...]:
    db.session.expire_all()
    it = db.session.scalars(select(Bulletin).where(Bulletin.version == 1)).one()
    return it.content, it.results, it.checksum, it.state, [file.content for file in it.files]


def test_a_voucher_reverses_and_replaces_and_the_erratum_names_exactly_who_moved(bureau: Bureau) -> None:
    publish_all(bureau)
    was, before = totals(), first_version()
    wrong = first_fact(clause="F1.1")
    month, number = wrong.month, wrong.no
    voucher = ask(wrong, quantity="4")
    assert (voucher.state, voucher.no) == ("asked", "GZ-2026-0001")
    assert totals() == was

    decide(voucher)

    new = entry(number)
    assert (new.revision, new.month, new.quantity, new.source) == (1, month, Decimal(4), "voucher")
    assert db.session.get(ScoreEntry, wrong.id).is_reversed
    assert totals() == was, "what is published stays until the corrected version is"
    carry_out_all()
    assert verification.differences(db.session, [bureau]) == []
    draft = versions()[1]
    assert (draft.version, draft.state, draft.corrects_id) == (2, "draft", versions()[0].id)
    published = publish_version(2)
    erratum = json.loads(published.content)["erratum"]
    now = totals()
    assert {row["subject"] for row in erratum["rows"]} == moved(was, now) & units() != set()
    for row in erratum["rows"]:
        assert Decimal(row["score_before"]) == was[row["subject"]][0]
        assert Decimal(row["score_after"]) == now[row["subject"]][0]
        assert (row["rank_before"], row["rank_after"]) == (was[row["subject"]][1], now[row["subject"]][1])
    assert [it["no"] for it in erratum["reasons"]] == ["GZ-2026-0001"]
    assert first_version() == before
    assert verification.differences(db.session, [bureau]) == []


def test_an_entry_may_be_taken_out_without_another_in_its_place(bureau: Bureau) -> None:
    publish_all(bureau)
    wrong = first_fact(clause="F1.1")
    with transaction() as work:
        voucher = vouchers.ask_voucher(work, wrong, texts=None, reason="never happened", actor=actor(OFFICE), now=NOW)

    decide(voucher)
    carry_out_all()

    assert entry(wrong.no).revision == 0
    assert entry(wrong.no).is_reversed
    assert versions()[1].version == 2


def test_only_a_second_person_decides_and_once(bureau: Bureau) -> None:
    publish_all(bureau)
    voucher = ask(first_fact(clause="F1.1"), quantity="4")

    for who in (OFFICE, "fuweidong", "majun"):
        with pytest.raises(NotPermitted):
            decide(voucher, who=who)
    decide(voucher, vouchers.refuse_voucher)
    with pytest.raises(NotPermitted):
        decide(voucher)

    assert versions()[-1].version == 1
    assert not first_fact(clause="F1.1").is_reversed


def test_a_voucher_is_for_closed_months_and_says_what_is_wrong_with_it(bureau: Bureau) -> None:
    wrong = first_fact(clause="F1.1")
    with pytest.raises(RuleViolation):
        ask(wrong, quantity="4")
    publish_all(bureau)
    wrong = first_fact(clause="F1.1")
    with transaction() as work:
        texts = {**vouchers.texts_of(wrong), "quantity": "-1", "clause": "nothing", "remark": ""}
        found = vouchers.ask_voucher(work, wrong, texts=texts, reason="r", actor=actor(OFFICE), now=NOW)
    assert isinstance(found, Typed)
    assert set(found.faults) >= {"quantity", "clause", "remark"}
    with pytest.raises(RuleViolation), transaction() as work:
        vouchers.ask_voucher(work, wrong, texts=None, reason=" ", actor=actor(OFFICE), now=NOW)
    ask(wrong, quantity="2")
    with pytest.raises(Conflict):
        ask(wrong, quantity="3")
    assert db.session.scalars(select(CorrectionVoucher.state)).all() == ["asked"]


def permit(**changed: object) -> ReopenPermit:
    facts = {"period": "2026-02", "subjects": "B1", "indicators": "", "reason": "late proof", "last_day": TODAY}
    with transaction() as work:
        it = work.scalars(select(Bureau)).one()
        made = permits.ask_permit(work, it, **{**facts, **changed}, actor=actor(OFFICE), now=NOW)
        permits.grant_permit(work, made, opinion="", actor=actor(LEADER), now=NOW)
        return made


def register(subject: str, clause: str = "F1.1", on: str = "2026-02-10") -> ScoreEntry:
    with transaction() as work:
        it = work.scalars(select(Bureau)).one()
        texts = {"occurred_on": on, "clause": clause, "subject": subject, "remark": "seen"}
        seen = settlement.newest_entry(work, it.id)
        made = registration.register_entry(work, texts, bureau_id=it.id, seen=seen, actor=actor(OFFICE), now=NOW)
        assert not isinstance(made, Typed), made.faults
        return made


def test_under_a_permit_a_fact_counts_in_its_own_month_and_without_in_the_next_open_one(bureau: Bureau) -> None:
    publish_all(bureau)
    was, before = totals(), first_version()
    granted = permit()

    inside, outside = register("B1"), register("B2")

    assert (inside.month, inside.permit_id) == ("2026-02", granted.id)
    assert (outside.month, outside.permit_id) == ("2026-03", None)
    assert totals() == was
    with transaction() as work:
        permits.close_permit(work, work.get_one(ReopenPermit, granted.id), actor=actor(OFFICE), now=NOW)
    carry_out_all()
    published = publish_version(2)
    rows = json.loads(published.content)["erratum"]["rows"]
    assert {row["subject"] for row in rows} == moved(was, totals()) & units()
    assert "B1" in {row["subject"] for row in rows}
    assert first_version() == before
    assert register("B1").month == "2026-03"
    assert verification.differences(db.session, [bureau]) == []


def test_rows_that_act_in_a_closed_month_change_under_a_permit_and_not_without(bureau: Bureau) -> None:
    publish_all(bureau)
    target = db.session.scalars(select(Target).where(Target.period == "2026-02").order_by(Target.id)).first()
    assert target is not None
    code = db.session.get_one(Subject, target.subject_id).code

    def raise_target() -> None:
        with transaction() as work:
            it = work.get_one(Target, target.id)
            facts = {"value": it.value}
            with work.no_autoflush:
                it.value = it.value * 2
                registers.change(work, it, before=facts, actor=actor(OFFICE), now=NOW)

    with pytest.raises(RuleViolation):
        raise_target()
    granted = permit(subjects=code)
    raise_target()

    db.session.expire_all()
    assert db.session.get_one(ReopenPermit, granted.id).rows_changed == 1
    assert verification.differences(db.session, [bureau]) == []
    with transaction() as work:
        permits.close_permit(work, work.get_one(ReopenPermit, granted.id), actor=actor(OFFICE), now=NOW)
    carry_out_all()
    publish_version(2)
    assert verification.differences(db.session, [bureau]) == []


def test_a_permit_closes_by_itself_after_its_last_day(bureau: Bureau) -> None:
    publish_all(bureau)
    granted = permit()
    register("B1")

    with transaction() as work:
        assert permits.close_expired(work, now=NOW) == 0
        assert permits.close_expired(work, now=NOW + timedelta(days=1)) == 1
        assert permits.close_expired(work, now=NOW + timedelta(days=1)) == 0

    db.session.expire_all()
    it = db.session.get_one(ReopenPermit, granted.id)
    assert (it.state, it.closed_by) == ("closed", SYSTEM.name)
    asked = db.session.scalars(select(RunLedger.period).where(RunLedger.job == runs.CORRECTION)).all()
    assert asked == ["2026-02"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"period": "2026-03"}, "period"),
        ({"period": "nonsense"}, "period"),
        ({"reason": " "}, "reason"),
        ({"last_day": TODAY - timedelta(days=1)}, "last_day"),
        ({"last_day": date(2030, 1, 1)}, "last_day"),
        ({"last_day": None}, "last_day"),
        ({"subjects": "B1;nobody"}, "subjects"),
        ({"indicators": "nothing"}, "indicators"),
    ],
)
def test_a_permit_names_a_closed_period_known_codes_a_reason_and_an_end(
    bureau: Bureau, changed: dict[str, object], field: str
) -> None:
    publish_all(bureau)

    with pytest.raises(RuleViolation) as refused:
        permit(**changed)

    assert refused.value.field_name == field
    assert db.session.scalars(select(ReopenPermit)).all() == []


def test_a_corrected_version_waits_for_open_permits_and_running_corrections(bureau: Bureau) -> None:
    publish_all(bureau)
    decide(ask(first_fact(clause="F1.1"), quantity="4"))
    carry_out_all()
    granted = permit()
    with pytest.raises(HouseError):
        publish_version(2)
    with transaction() as work:
        permits.close_permit(work, work.get_one(ReopenPermit, granted.id), actor=actor(OFFICE), now=NOW)
    with transaction() as work:
        it = work.scalars(select(Bulletin).where(Bulletin.version == 2)).one()
        bulletin.publish_bulletin(work, it, on=TODAY, actor=actor(OFFICE), now=NOW)
    assert versions()[1].state == "published"


def renamed(code: str, name: str, first: date) -> None:
    """A dated row of its own, as the page of units writes it."""
    with transaction() as work:
        old = work.scalars(
            select(Unit).join(Subject, Subject.id == Unit.subject_id).where(Subject.code == code)
        ).one()  # fmt: skip
        before = trace.facts_of(old)
        old.valid_to = first - timedelta(days=1)
        registers.change(work, old, before=before, actor=actor(OFFICE), now=NOW)
        kept = {it: getattr(old, it) for it in ("kind", "parent", "group_name", "tags", "position")}
        new = Unit(name=name, valid_from=first, **kept)
        new.code = code
        registers.add(work, new, before={}, actor=actor(OFFICE), now=NOW)


def moved_to(code: str, unit: str, first: date) -> None:
    with transaction() as work:
        old = work.scalars(
            select(Posting).join(Subject, Subject.id == Posting.person_id).where(Subject.code == code)
        ).one()  # fmt: skip
        before = trace.facts_of(old)
        old.valid_to = first - timedelta(days=1)
        registers.change(work, old, before=before, actor=actor(OFFICE), now=NOW)
        there = work.scalars(select(Subject).where(Subject.code == unit)).one()
        new = Posting(person=old.person, unit=there, duty="member", valid_from=first)
        registers.add(work, new, before={}, actor=actor(OFFICE), now=NOW)


def repriced(old_code: str, new_code: str, price: int) -> None:
    """The next version of the unit scheme, with a clause that stands for an old one at another price."""
    with transaction() as work:
        scheme = work.scalars(select(Scheme).where(Scheme.code == "2026-U")).one()
        version = scheme_versions.draft_version(work, scheme, actor=actor(OFFICE), now=NOW)
        clause = work.scalars(select(Clause).where(Clause.code == old_code)).one()
        kept = {it: getattr(clause, it) for it in ("indicator_code", "effect", "pricing", "duplicates")}
        new = Clause(code=new_code, text="dearer", price=Decimal(price), replaces=old_code, **kept)
        registers.add(work, new, before={}, actor=actor(OFFICE), now=NOW)
        approval.submit(work, version, actor=actor(OFFICE), now=NOW)
        approval.put_in_force(work, version, actor=actor(LEADER), now=NOW)


def test_renamed_moved_repriced_corrected_and_permitted_the_old_bulletin_stays(bureau: Bureau) -> None:
    publish_all(bureau)
    before, was = first_version(), totals()
    renamed("B1", "renamed", date(2026, 4, 1))
    moved_to("2103", "B2", date(2026, 3, 16))
    repriced("F1.1", "F1.1b", 2)
    assert {it.state for it in db.session.scalars(select(Scheme).where(Scheme.code.like("2026-U%")))} == {"in_force"}

    decide(ask(first_fact(clause="F1.1"), quantity="4"))
    granted = permit(subjects="B2")
    register("B2", clause="F1.1b")
    with transaction() as work:
        permits.close_permit(work, work.get_one(ReopenPermit, granted.id), actor=actor(OFFICE), now=NOW)
    carry_out_all()
    published = publish_version(2)

    assert first_version() == before
    assert verification.differences(db.session, [bureau]) == []
    who_moved = moved(was, totals())
    rows = {row["subject"] for row in json.loads(published.content)["erratum"]["rows"]}
    assert rows == who_moved & units()
    first = db.session.scalars(select(Bulletin).where(Bulletin.version == 1)).one()
    assert {it.subject for it in corrections.moves_of(first, published.results)} == who_moved
    assert {one["kind"] for one in json.loads(published.content)["erratum"]["reasons"]} == {"voucher", "permit"}


def test_a_late_fact_does_not_number_the_published_month_anew(bureau: Bureau, load: Callable[..., object]) -> None:
    """A ladder over the year: what counts in March stands behind what February published, whatever its day."""
    ladder = {"indicator": "F1", "code": "LAD", "text": "ladder", "effect": "deduction", "pricing": "ladder",
              "ladder": "1;20/year"}  # fmt: skip
    first = {"no": "L1", "occurred_on": "2026-02-20", "clause": "LAD", "subject": "B1"}
    load({"clauses": [ladder], "entries": [first]}, bureau="3306")
    publish_all(bureau)
    was = totals()

    late = register("B1", clause="LAD", on="2026-02-10")
    decide(ask(first_fact(clause="F1.1"), quantity="4"))
    carry_out_all()

    assert late.month == "2026-03"
    corrected = versions()[1]
    first_one = db.session.scalars(select(Bulletin).where(Bulletin.version == 1)).one()
    changed = {
        it.subject for it in corrections.moves_of(first_one, corrected.results) if it.score_before != it.score_after
    }
    assert changed <= {first_fact(clause="F1.1").subject.code}
    assert totals()["B1"][0] == was["B1"][0]
    assert verification.differences(db.session, [bureau]) == []


def test_a_score_changed_behind_the_back_of_a_published_version_is_named(bureau: Bureau) -> None:
    publish_all(bureau)
    with transaction() as work:
        score = work.scalars(select(PeriodScore).where(PeriodScore.indicator_code == "")).first()
        score.score += 1

    (found,) = verification.differences(db.session, [bureau])
    assert "stored scores" in found.msgid
