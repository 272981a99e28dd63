"""The bulletin: drafted from what was settled, signed, published; then nothing changes it, and its month is closed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from app import running
from app.errors import Conflict, HouseError, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import (
    Bulletin,
    BulletinFile,
    Bureau,
    Document,
    ImportBatch,
    Indicator,
    PeriodScore,
    Person,
    ScoreEntry,
    Target,
    Unit,
)
from app.policies.actor import SYSTEM, Actor, Origin
from app.rules.numbers import plain
from app.rules.periods import Period
from app.services import trace
from app.services.accounts.actors import actor_of
from app.services.jobs import runs
from app.services.ledger import reversal
from app.services.publication import bulletin, drafts, verification
from app.services.registers import rows as registers
from app.services.scoring import results, settlement
from app.services.workbook import plan as imports_plan
from app.services.workbook import recall
from tests.conftest import NOW, SMALL, account_of, workbook

FEBRUARY = Period(2026, 2, 1)
AFTER = date(2026, 3, 1)


def says(message: object) -> str:
    return str(message)


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(SMALL)
    return db.session.scalars(select(Bureau)).one()


def actor(username: str) -> Actor:
    return actor_of(db.session, account_of(username), on=AFTER, origin=Origin())


def settle(bureau: Bureau, on: date = AFTER) -> None:
    with transaction() as work:
        settlement.settle_period(work, bureau, FEBRUARY, on=on, actor=SYSTEM, now=NOW)


def draft(bureau: Bureau, who: str = "zhouyaqin") -> Bulletin:
    with transaction() as work:
        return drafts.draft_bulletin(work, bureau, FEBRUARY, say=says, actor=actor(who), on=AFTER, now=NOW)


def do(verb: Callable[..., object], who: str, **facts: object) -> None:
    with transaction() as work:
        verb(work, work.scalars(select(Bulletin)).one(), actor=actor(who), now=NOW, **facts)


def publish_all(bureau: Bureau) -> Bulletin:
    settle(bureau)
    draft(bureau)
    do(bulletin.edit_bulletin, "zhouyaqin", number="7", remarks="first\nsecond")
    do(bulletin.submit_bulletin, "zhouyaqin")
    do(bulletin.sign_bulletin, "yujianping", opinion="agreed")
    do(bulletin.publish_bulletin, "zhouyaqin", on=date(2026, 3, 8))
    db.session.expire_all()
    return db.session.scalars(select(Bulletin)).one()


def test_every_number_is_that_of_the_scores(bureau: Bureau) -> None:
    content = json.loads(publish_all(bureau).content)

    scores = {(row["subject"], row["indicator_code"]): row for row in results.scores_of(db.session, bureau, FEBRUARY)}
    printed = [row for group in content["groups"] for row in group["rows"]]
    assert {row["subject"] for row in printed} == {code for code, node in scores if not node and code[0] in "0B"}
    for row in printed:
        total = scores[row["subject"], ""]
        assert row["score"] == plain(total["score"], total["places"])
        assert row["rank"] == total["rank"]
        for code, shown in row["items"].items():
            stored = scores[row["subject"], code]
            assert shown == plain(stored["score"], 2 if stored["places"] is None else stored["places"])
    assert content["entries"] == content["counted"] + len(content["left_out"])
    assert content["counted"] == len(content["ledger"])
    assert content["signed_by"]
    assert content["number"] == "7"


def test_only_a_settled_month_that_is_over_is_drafted(bureau: Bureau) -> None:
    with pytest.raises(RuleViolation):
        draft(bureau)
    settle(bureau, on=date(2026, 2, 20))
    with pytest.raises(RuleViolation):
        draft(bureau)
    settle(bureau)
    with pytest.raises(NotPermitted):
        draft(bureau, "yujianping")
    with pytest.raises(NotPermitted):
        draft(bureau, "fuweidong")
    assert draft(bureau).state == "draft"


@pytest.mark.parametrize(
    ("verb", "who", "facts"),
    [
        (bulletin.submit_bulletin, "yujianping", {}),
        (bulletin.sign_bulletin, "zhouyaqin", {"opinion": ""}),
        (bulletin.sign_bulletin, "yujianping", {"opinion": ""}),
        (bulletin.publish_bulletin, "zhouyaqin", {"on": AFTER}),
        (bulletin.return_bulletin, "yujianping", {"reason": "why"}),
        (bulletin.edit_bulletin, "majun", {"number": "", "remarks": ""}),
    ],
)
def test_a_draft_goes_nowhere_but_to_signature(
    bureau: Bureau, verb: Callable[..., object], who: str, facts: dict[str, object]
) -> None:
    settle(bureau)
    draft(bureau)

    with pytest.raises(HouseError):
        do(verb, who, **facts)

    db.session.expire_all()
    assert db.session.scalars(select(Bulletin.state)).one() == "draft"


def test_results_that_changed_since_the_draft_stop_it(bureau: Bureau, load: Callable[..., object]) -> None:
    settle(bureau)
    draft(bureau)
    do(bulletin.submit_bulletin, "zhouyaqin")
    load({"entries": [{"no": "N1", "occurred_on": "2026-02-10", "clause": "F1.1", "subject": "B1"}]}, bureau="3306")
    settle(bureau)

    with pytest.raises(Conflict):
        do(bulletin.sign_bulletin, "yujianping", opinion="")
    do(bulletin.return_bulletin, "yujianping", reason="settled anew")
    draft(bureau)
    do(bulletin.submit_bulletin, "zhouyaqin")
    do(bulletin.sign_bulletin, "yujianping", opinion="")


def frozen() -> tuple[object, ...]:
    db.session.expire_all()
    it = db.session.scalars(select(Bulletin)).one()
    files = db.session.scalars(select(BulletinFile).order_by(BulletinFile.kind)).all()
    return it.content, it.checksum, it.results, [(file.kind, file.content, file.checksum) for file in files]


def test_what_is_published_stays_to_the_byte(bureau: Bureau, load: Callable[..., object]) -> None:
    it = publish_all(bureau)
    before = frozen()
    page = db.session.scalars(select(BulletinFile).where(BulletinFile.kind == "html")).one().content.decode()
    assert it.checksum in page
    assert drafts.checksum(it.content) == it.checksum

    with transaction() as work:
        work.execute(update(Unit).values(name="renamed"))
        work.execute(update(Person).values(name="renamed"))
        work.execute(update(Document).values(title="renamed"))
    load({"entries": [{"no": "N1", "occurred_on": "2026-02-10", "clause": "F1.1", "subject": "B1"}]}, bureau="3306")
    with pytest.raises(RuleViolation):
        settle(bureau)
    with pytest.raises(RuleViolation):
        running.settle_here(bureau, FEBRUARY)
    with pytest.raises(HouseError):
        draft(bureau)

    assert frozen() == before
    assert verification.differences(db.session, [bureau]) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bulletin SET content = '{}'",
        "UPDATE bulletin SET state = 'draft'",
        "DELETE FROM bulletin",
        "UPDATE bulletin_file SET content = ''",
        "DELETE FROM bulletin_file",
    ],
)
def test_the_database_itself_refuses_to_change_it(bureau: Bureau, statement: str) -> None:
    publish_all(bureau)

    with pytest.raises(DBAPIError), transaction() as work:
        work.execute(text(statement))


def loosen(work: Session) -> None:
    """What a person with the whole database could do: take the guards away."""
    if work.get_bind().dialect.name == "postgresql":
        for table in ("bulletin", "bulletin_file"):
            work.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    else:
        for table in ("bulletin", "bulletin_file"):
            work.execute(text(f"DROP TRIGGER {table}_no_update"))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE bulletin SET content = replace(content, 'units', 'unitz')", "checksum"),
        ("UPDATE bulletin SET results = replace(results, 'rank', 'rang')", "results behind it"),
        ("UPDATE bulletin_file SET content = CAST('x' AS {blob}) WHERE kind = 'html'", "file html"),
        ("UPDATE period_score SET score = score + 10000 WHERE rank = 1", "stored scores"),
    ],
)
def test_verify_finds_what_was_changed_behind_its_back(bureau: Bureau, statement: str, said: str) -> None:
    publish_all(bureau)
    with transaction() as work:
        loosen(work)
        blob = "bytea" if work.get_bind().dialect.name == "postgresql" else "BLOB"
        assert work.execute(text(statement.format(blob=blob))).rowcount

    found = [str(it) for it in verification.differences(db.session, [bureau])]

    assert any(said in it for it in found), found


def test_a_late_fact_counts_in_the_next_open_month(bureau: Bureau, load: Callable[..., object]) -> None:
    publish_all(bureau)

    load({"entries": [{"no": "N1", "occurred_on": "2026-02-10", "clause": "F1.1", "subject": "B1"}]}, bureau="3306")

    assert db.session.scalars(select(ScoreEntry.month).where(ScoreEntry.no == "N1")).one() == "2026-03"


def test_entries_of_a_closed_month_are_not_reversed_nor_recalled(bureau: Bureau) -> None:
    publish_all(bureau)
    entry = db.session.scalars(select(ScoreEntry).where(ScoreEntry.month == "2026-02").limit(1)).one()
    batch = db.session.scalars(select(ImportBatch)).one()
    kept = len(db.session.scalars(select(PeriodScore.score)).all())

    with pytest.raises(RuleViolation), transaction() as work:
        reversal.reverse_entry(work, entry, reason="wrong", actor=actor("zhouyaqin"), now=NOW)
    with pytest.raises(RuleViolation), transaction() as work:
        recall.recall_batch(work, batch, reason="wrong", actor=actor("zhouyaqin"), now=NOW)

    assert len(db.session.scalars(select(PeriodScore.score)).all()) == kept


def test_each_step_tells_who_has_the_next_one_and_all_at_the_end(bureau: Bureau) -> None:
    publish_all(bureau)

    rows = db.session.execute(text("SELECT account_id, text FROM outbox ORDER BY id")).all()
    leaders = [account for account, said in rows if "waits for your signature" in said]
    everybody = [account for account, said in rows if "is published" in said]
    assert leaders == [account_of("yujianping").id, account_of("shenguohua").id]
    assert len(everybody) == len(set(everybody)) == 25


def test_nobody_signs_what_he_submitted(bureau: Bureau) -> None:
    settle(bureau)
    draft(bureau)
    both = replace(actor("yujianping"), roles=frozenset({"assessment_office", "bureau_leader"}))
    with transaction() as work:
        bulletin.submit_bulletin(work, work.scalars(select(Bulletin)).one(), actor=both, now=NOW)

    with pytest.raises(NotPermitted), transaction() as work:
        bulletin.sign_bulletin(work, work.scalars(select(Bulletin)).one(), opinion="", actor=both, now=NOW)
    do(bulletin.sign_bulletin, "shenguohua", opinion="")


def test_a_period_that_is_being_settled_is_not_published(bureau: Bureau) -> None:
    settle(bureau)
    draft(bureau)
    do(bulletin.submit_bulletin, "zhouyaqin")
    do(bulletin.sign_bulletin, "yujianping", opinion="")
    with transaction() as work:
        number = runs.request_run(work, bureau, job=runs.SETTLE, period="2026-02", actor=SYSTEM, now=NOW)

    with pytest.raises(Conflict):
        do(bulletin.publish_bulletin, "zhouyaqin", on=AFTER)
    running.carry_out(number)
    do(bulletin.publish_bulletin, "zhouyaqin", on=AFTER)


def test_a_quarter_is_published_after_its_months(bureau: Bureau) -> None:
    quarter = Period(2026, 1, 3)
    for period in (FEBRUARY, quarter):
        with transaction() as work:
            settlement.settle_period(work, bureau, period, on=date(2026, 4, 1), actor=SYSTEM, now=NOW)
            it = drafts.draft_bulletin(work, bureau, period, say=says, actor=SYSTEM, on=date(2026, 4, 1), now=NOW)
            bulletin.submit_bulletin(work, it, actor=SYSTEM, now=NOW)
            bulletin.sign_bulletin(work, it, opinion="", actor=SYSTEM, now=NOW)
    month, whole = db.session.scalars(select(Bulletin).order_by(Bulletin.id)).all()

    with pytest.raises(RuleViolation), transaction() as work:
        bulletin.publish_bulletin(work, whole, on=date(2026, 4, 8), actor=SYSTEM, now=NOW)
    for it in (month, whole):
        with transaction() as work:
            bulletin.publish_bulletin(work, it, on=date(2026, 4, 8), actor=SYSTEM, now=NOW)
    assert verification.differences(db.session, [bureau]) == []


def test_an_item_of_a_longer_span_is_not_said_to_count_in_the_month(bureau: Bureau) -> None:
    with transaction() as work:
        work.execute(update(Indicator).where(Indicator.code == "I").values(span="quarter"))
    settle(bureau)

    content = json.loads(draft(bureau).content)

    ratio = [line for line in content["left_out"] if line["clause"].startswith("I.")]
    assert ratio
    assert all(line["reason"] for line in ratio)
    assert not [line for line in content["ledger"] if line["clause"].startswith("I.")]
    assert all("I" not in row["items"] for group in content["groups"] for row in group["rows"])
    assert all("信息调研" not in group["formula"] for group in content["groups"])


def test_what_was_still_open_is_no_part_of_what_is_published(bureau: Bureau) -> None:
    settle(bureau)
    with transaction() as work:
        number = runs.request_run(work, bureau, job=runs.SETTLE, period="2026-01", actor=SYSTEM, now=NOW)
        runs.give_up(work, number, runs.GAVE_UP, now=NOW)
    assert json.loads(draft(bureau).content)["open"]
    do(bulletin.submit_bulletin, "zhouyaqin")
    do(bulletin.sign_bulletin, "yujianping", opinion="")
    do(bulletin.publish_bulletin, "zhouyaqin", on=AFTER)

    db.session.expire_all()
    assert json.loads(db.session.scalars(select(Bulletin.content)).one())["open"] == []


def test_a_rename_since_the_settlement_asks_for_another_settlement(bureau: Bureau) -> None:
    settle(bureau)
    with transaction() as work:
        work.execute(update(Unit).values(name="renamed"))

    with pytest.raises(RuleViolation, match="settle it again"):
        draft(bureau)
    settle(bureau)
    draft(bureau)


def test_what_a_closed_month_rests_on_stays(bureau: Bureau, load: Callable[..., object]) -> None:
    publish_all(bureau)

    def faults(rows: dict[str, list[dict[str, object]]]) -> list[tuple[str, str | None]]:
        plan = imports_plan.plan_import(db.session(), workbook(rows), bureau_code="3306", now=NOW)
        return [(it.sheet, it.column) for it in plan.problems]

    late = {"code": "07", "name": "n", "parent": "3306", "kind": "department", "group": "机关"}
    assert faults({"units": [{**late, "from": "2026-02-15"}]}) == [("units", "from")]
    assert faults({"units": [{**late, "from": "2026-03-01"}]}) == []
    assert faults({"targets": [{"indicator": "I", "subject": "01", "period": "2026-02", "value": 99}]}) == [
        ("targets", "period")
    ]
    assert faults({"targets": [{"indicator": "I", "subject": "01", "period": "2026-03", "value": 99}]}) == []
    office = actor("zhouyaqin")
    target = db.session.scalars(select(Target).where(Target.period == "2026-02").limit(1)).one()
    with pytest.raises(RuleViolation), transaction() as work, work.no_autoflush:
        target.value = Decimal(99)
        registers.change(work, target, before={}, actor=office, now=NOW)
    with pytest.raises(RuleViolation), transaction() as work:
        registers.remove(work, target, actor=office, now=NOW)
    unit = db.session.scalars(select(Unit).where(Unit.kind == "branch").limit(1)).one()
    with transaction() as work:
        unit.name = "corrected"
        registers.change(work, unit, before={}, actor=office, now=NOW)
    with pytest.raises(RuleViolation), transaction() as work, work.no_autoflush:
        unit.group_name = "机关"
        registers.change(work, unit, before={}, actor=office, now=NOW)
    assert verification.differences(db.session, [bureau]) == []


def test_what_was_looked_at_before_counts_until_something_is_done(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(bureau)
    draft(bureau)
    evaluated: list[object] = []
    follows = bulletin._follows

    def counted(*args: Any) -> bool:
        evaluated.append(args)
        return follows(*args)

    monkeypatch.setattr(bulletin, "_follows", counted)
    seen = bulletin.look(db.session, db.session.scalars(select(Bulletin)).one())
    do(bulletin.submit_bulletin, "zhouyaqin", looked=seen)
    assert len(evaluated) == 1, "evaluated before the transaction, not in it"
    do(bulletin.sign_bulletin, "yujianping", opinion="agreed")

    seen = bulletin.look(db.session, db.session.scalars(select(Bulletin)).one())
    with transaction() as work:
        target = work.scalars(select(Target).where(Target.period == "2026-02").order_by(Target.id)).first()
        assert target is not None
        before, target.value = trace.facts_of(target), target.value * 2
        registers.change(work, target, before=before, actor=SYSTEM, now=NOW)
    with pytest.raises(Conflict, match="has changed"):
        do(bulletin.publish_bulletin, "zhouyaqin", on=date(2026, 3, 8), looked=seen)
    assert seen.is_same, "it followed when it was looked at"
    assert len(evaluated) == 3, "and was evaluated again, because something was done since"


@pytest.mark.parametrize("table", ["bulletin", "bulletin_file"])
def test_a_published_bulletin_is_not_replaced_on_sqlite(app: Flask, load: Callable[..., object], table: str) -> None:
    load(SMALL)
    publish_all(db.session.scalars(select(Bureau)).one())
    before = db.session.execute(text(f"SELECT * FROM {table}")).all()

    with pytest.raises(IntegrityError, match="never replaced"):
        db.session.execute(text(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"))

    db.session.rollback()
    assert db.session.execute(text(f"SELECT * FROM {table}")).all() == before
