"""Settling: idempotent, exact, the time-saving path equal to the row-by-row one, verify finds what was changed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.errors import RuleViolation
from app.extensions import db, transaction
from app.models import Bureau, ScoreEntry
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.rules.scoring.lines import tally_lines
from app.services.ledger import reversal
from app.services.publication import verification
from app.services.scoring import choice, results, settlement
from app.services.scoring.ledger_lines import read_lines
from app.services.scoring.sources import read_sources
from tests.conftest import NOW, SMALL, TODAY


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., Any]) -> Bureau:
    load(SMALL)
    return choice.bureaus(db.session(), None)[0]


def settle(bureau: Bureau, period: str) -> settlement.Settled:
    with transaction() as work:
        return settlement.settle_period(
            work, bureau, choice.parse_period(period, on=TODAY), on=TODAY, actor=SYSTEM, now=NOW
        )


def totals(bureau: Bureau, period: str) -> dict[str, Decimal]:
    found = Period.parse(period)
    assert found is not None
    rows = results.scores_of(db.session(), bureau, found)
    return {row["subject"]: row["score"] for row in rows if not row["indicator_code"]}


def test_settling_again_takes_the_same_run_and_gives_the_same_scores(bureau: Bureau) -> None:
    first, before = settle(bureau, "2026-03"), totals(bureau, "2026-03")
    again, after = settle(bureau, "2026-03"), totals(bureau, "2026-03")

    assert (first.run, first.subjects, first.entries) == (again.run, again.subjects, again.entries)
    assert before == after
    assert first.errors == []


@pytest.mark.parametrize("period", ["2026-02", "2026Q1", "2026"])
def test_the_sums_of_the_database_equal_the_lines_counted_one_by_one(bureau: Bureau, period: str) -> None:
    found = Period.parse(period)
    assert found is not None
    sources = read_sources(db.session(), bureau.id, found)
    months = [f"{found.year}-{month:02d}" for month in range(found.first_month, found.first_month + found.months)]
    codes = {info.rule.indicator for info in sources.clauses.values()}
    lines = read_lines(db.session(), sources, months, codes)

    by_rows = {key: tally_lines(found) for key, found in lines.items()}

    assert sources.leaves_needing_rows() != codes
    assert {key: (it.total, it.count) for key, it in sources.tallies.items()} == {
        key: (it.total, it.count) for key, it in by_rows.items()
    }


def test_a_reversed_entry_and_its_reversal_are_left_out(bureau: Bureau) -> None:
    settle(bureau, "2026-02")
    before = totals(bureau, "2026-02")
    entry = db.session.query(ScoreEntry).filter_by(month="2026-02").join(ScoreEntry.clause).filter_by(code="F1.2").one()
    unit = entry.subject.code
    with transaction() as work:
        reversal.reverse_entry(work, entry, reason="重复登记", actor=SYSTEM, now=NOW)
    settle(bureau, "2026-02")

    after = totals(bureau, "2026-02")

    assert after[unit] == before[unit] + Decimal("2.5") * Decimal("0.4")
    assert {code: it for code, it in after.items() if code != unit} == {
        code: it for code, it in before.items() if code != unit
    }
    with pytest.raises(Exception, match="not reversed"), transaction() as work:
        reversal.reverse_entry(work, work.merge(entry), reason="再来", actor=SYSTEM, now=NOW)


def test_a_missing_target_is_listed_and_the_rest_is_settled(bureau: Bureau) -> None:
    with transaction() as work:
        work.execute(
            text(
                "DELETE FROM target WHERE period = '2026-03' AND subject_id = (SELECT id FROM subject WHERE code = 'B1')"
            )
        )

    done = settle(bureau, "2026-03")

    assert [(subject, error.indicator) for subject, error in done.errors] == [("B1", "I")]
    assert "B1" not in totals(bureau, "2026-03")
    assert "B2" in totals(bureau, "2026-03")


@pytest.mark.parametrize("period", ["2026-12", "2027", "2026-13", "x"])
def test_a_period_that_has_not_begun_is_refused(any_app: Flask, period: str) -> None:
    with pytest.raises(RuleViolation):
        choice.parse_period(period, on=TODAY)


def test_verify_names_a_changed_score(bureau: Bureau) -> None:
    settle(bureau, "2026-03")
    assert verification.differences(db.session(), [bureau]) == []
    with transaction() as work:
        work.execute(
            text(
                "UPDATE period_score SET score = score + 10000 WHERE indicator_code = 'F1' AND subject_id = (SELECT id FROM subject WHERE code = 'B1')"
            )
        )

    (difference,) = verification.differences(db.session(), [bureau])

    assert (difference.params["subject"], difference.params["indicator"], difference.params["name"]) == (
        "B1",
        "F1",
        "score",
    )


def test_an_entry_registered_after_settling_is_no_difference(bureau: Bureau, load: Callable[..., Any]) -> None:
    settle(bureau, "2026-03")

    load({"entries": [{"no": "LATE", "occurred_on": "2026-03-30", "clause": "F1.1", "subject": "B1"}]}, bureau.code)

    assert verification.differences(db.session(), [bureau]) == []
