"""Grades as people decide them: suggested, proposed with a reason, confirmed by another, told with a receipt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import HouseError, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bulletin, Bureau, GradeDecision, Notification, PeriodScore, ResultNotice
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.services.messages import notices
from app.services.publication import bulletin, decisions, drafts
from app.services.scoring import settlement
from tests.conftest import NOW, SMALL
from tests.services.publication.test_bulletin import actor, says

QUARTER = Period(2026, 1, 3)
AFTER = date(2026, 4, 2)
RULES = [
    {"scheme": "2026-P", "grade": grade, "kind": "band_quarter", "condition": condition}
    for grade, condition in (("好", "total>=100"), ("较好", "total>=90"), ("一般", "total>=0"))
]


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load({**SMALL, "grade_rules": RULES})
    found = db.session.scalars(select(Bureau)).one()
    for text in ("2026-01", "2026-02", "2026-03", "2026Q1"):
        period = Period.parse(text)
        assert period is not None
        with transaction() as work:
            settlement.settle_period(work, found, period, on=AFTER, actor=SYSTEM, now=NOW)
    return found


def publish(bureau: Bureau) -> None:
    """All months and the quarter, by the ordinary way."""
    for text in ("2026-01", "2026-02", "2026-03", "2026Q1"):
        period = Period.parse(text)
        steps: list[tuple[Any, str, dict[str, Any]]] = [
            (bulletin.submit_bulletin, "zhouyaqin", {}),
            (bulletin.sign_bulletin, "yujianping", {"opinion": ""}),
            (bulletin.publish_bulletin, "zhouyaqin", {"on": AFTER}),
        ]
        with transaction() as work:
            drafts.draft_bulletin(work, bureau, period, say=says, actor=actor("zhouyaqin"), on=AFTER, now=NOW)
        for verb, who, facts in steps:
            with transaction() as work:
                it = work.scalars(select(Bulletin).where(Bulletin.period == text)).one()
                verb(work, it, actor=actor(who), now=NOW, **facts)


def suggested() -> dict[str, str]:
    db.session.expire_all()
    query = select(PeriodScore).where(PeriodScore.period == "2026Q1", PeriodScore.indicator_code == "")
    return {it.subject.code: it.grade for it in db.session.scalars(query) if it.grade}


def propose(bureau: Bureau, chosen: dict[str, tuple[str, str]], who: str = "zhouyaqin") -> int:
    with transaction() as work:
        return decisions.propose_grades(work, bureau, QUARTER, chosen, actor=actor(who), now=NOW)


def confirm(bureau: Bureau, who: str = "yujianping") -> int:
    with transaction() as work:
        return decisions.confirm_grades(work, bureau, QUARTER, kind="person", actor=actor(who), now=NOW)


def states() -> dict[str, tuple[str, str, int]]:
    db.session.expire_all()
    found = decisions.newest_decisions(db.session(), QUARTER).values()
    return {it.subject.code: (it.grade, it.state, it.revision) for it in found}


def test_what_is_suggested_is_proposed_confirmed_and_told(bureau: Bureau) -> None:
    grades = suggested()
    assert set(grades.values()) >= {"好", "较好"}
    publish(bureau)

    others = {code: (grade, "") for code, grade in grades.items() if code != "1202"}
    with pytest.raises(RuleViolation) as own:
        propose(bureau, {"1202": (grades["1202"], "")})
    assert own.value.field_name == "reason-1202"
    assert propose(bureau, others) == len(others)
    assert propose(bureau, others) == 0
    with transaction() as work:
        colleague = replace(actor("zhouyaqin"), account_id=None, subject_id=None, own_units=frozenset())
        own_grade = {"1202": (grades["1202"], "")}
        assert decisions.propose_grades(work, bureau, QUARTER, own_grade, actor=colleague, now=NOW) == 1
    assert confirm(bureau) == len(grades)

    assert {code: grade for code, (grade, state, _) in states().items() if state == "confirmed"} == grades
    sent = db.session.scalars(select(ResultNotice)).all()
    assert {it.subject.code for it in sent} == set(grades)
    content = json.loads(next(it for it in sent if it.subject.code == "2103").content)
    assert (content["grade"], content["period"], content["reason"]) == (grades["2103"], "2026Q1", "")
    with transaction() as work:
        notices.deliver(work, now=NOW)
    items = set(db.session.scalars(select(Notification.item).where(Notification.category == "grade")))
    assert len({it for it in items if it.startswith("notice:")}) == len(grades)


def test_another_grade_than_the_suggested_one_needs_a_reason(bureau: Bureau) -> None:
    assert suggested()["2103"] != "一般"

    with pytest.raises(RuleViolation) as refused:
        propose(bureau, {"2101": (suggested()["2101"], ""), "2103": ("一般", " ")})
    assert refused.value.field_name == "reason-2103"
    assert states() == {}

    assert propose(bureau, {"2103": ("一般", "on leave for two months")}) == 1
    assert states()["2103"][:2] == ("一般", "proposed")


@pytest.mark.parametrize("chosen", [{"2103": ("极好", "r")}, {"nobody": ("好", "")}, {"B1": ("好", "r")}])
def test_only_grades_of_the_scheme_for_those_assessed(bureau: Bureau, chosen: dict[str, tuple[str, str]]) -> None:
    with pytest.raises(RuleViolation):
        propose(bureau, chosen)

    assert states() == {}


def test_it_is_confirmed_after_publication_by_a_leader(bureau: Bureau) -> None:
    propose(bureau, {"2103": (suggested()["2103"], "")})
    with pytest.raises(RuleViolation):
        confirm(bureau)
    publish(bureau)
    for who in ("zhouyaqin", "fuweidong", "majun"):
        with pytest.raises(NotPermitted):
            confirm(bureau, who)
    for who in ("yujianping", "fuweidong", "majun"):
        with pytest.raises(NotPermitted):
            propose(bureau, {}, who)

    assert confirm(bureau) == 1
    with pytest.raises(RuleViolation):
        confirm(bureau)


def test_a_confirmed_grade_stays_and_another_is_its_next_revision(bureau: Bureau) -> None:
    publish(bureau)
    first = suggested()["2103"]
    propose(bureau, {"2103": (first, "")})
    confirm(bureau)

    propose(bureau, {"2103": ("一般", "decided anew after an objection")})
    confirm(bureau)

    assert states()["2103"] == ("一般", "confirmed", 1)
    query = select(GradeDecision.grade).order_by(GradeDecision.revision)
    assert db.session.scalars(query).all() == [first, "一般"]
    decided = decisions.decided_of(db.session(), QUARTER, db.session.scalars(select(GradeDecision.subject_id)).first())
    assert decided is not None
    assert decided.grade == "一般"


def test_a_notice_is_signed_for_once_by_the_person_himself(bureau: Bureau) -> None:
    publish(bureau)
    propose(bureau, {"2103": (suggested()["2103"], "")})
    confirm(bureau)

    def sign(who: str) -> None:
        with transaction() as work:
            decisions.sign_for_notice(work, work.scalars(select(ResultNotice)).one(), actor=actor(who), now=NOW)

    for who in ("yujianping", "zhouyaqin", "huxiaofeng"):
        with pytest.raises(HouseError):
            sign(who)
    sign("majun")
    with pytest.raises(HouseError):
        sign("majun")

    it = db.session.scalars(select(ResultNotice)).one()
    assert it.received_by == "马骏"
