"""Who sees results: before publication the office and the leaders, after it everybody the own ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Bulletin, Bureau, PeriodScore, Posting, Subject
from app.policies.actor import SYSTEM, Origin
from app.rules.periods import Period
from app.security.scope import act_as
from app.services.accounts.actors import actor_of
from app.services.publication import bulletin, drafts
from app.services.sample.bureau import at
from app.services.scoring import settlement
from tests.conftest import NOW, SMALL, account_of

FEBRUARY = Period(2026, 2, 1)


def says(message: object) -> str:
    return str(message)


@pytest.fixture
def settled(any_app: Flask, load: Callable[..., object]) -> Bureau:
    load(SMALL)
    bureau = db.session.scalars(select(Bureau)).one()
    with transaction() as work:
        settlement.settle_period(work, bureau, FEBRUARY, on=date(2026, 3, 1), actor=SYSTEM, now=NOW)
        drafts.draft_bulletin(work, bureau, FEBRUARY, say=says, actor=SYSTEM, on=date(2026, 3, 1), now=NOW)
    return bureau


def publish() -> None:
    with transaction() as work:
        found = work.scalars(select(Bulletin)).one()
        bulletin.submit_bulletin(work, found, actor=SYSTEM, now=NOW)
        bulletin.sign_bulletin(work, found, opinion="", actor=SYSTEM, now=NOW)
        bulletin.publish_bulletin(work, found, on=date(2026, 3, 8), actor=SYSTEM, now=at(date(2026, 3, 8), 10))


def seen_by(username: str) -> set[str]:
    who = actor_of(db.session, account_of(username), on=date(2026, 3, 9), origin=Origin())
    act_as(db.session(), who)
    found = set(db.session.scalars(select(Subject.code).join(PeriodScore, PeriodScore.subject_id == Subject.id)))
    bulletins = db.session.scalars(select(Bulletin)).all()
    act_as(db.session(), SYSTEM)
    return found | {it.period for it in bulletins}


@pytest.mark.parametrize(
    ("username", "before", "after"),
    [
        ("majun", set(), {"2103", "B1", "2026-02"}),
        ("lichunxia", set(), {"2101", "2102", "2103", "2104", "B1", "2026-02"}),
        ("fuweidong", set(), {"2101", "2102", "2103", "2104", "B1", "2026-02"}),
        ("sysadmin", set(), set()),
        ("auditor", set(), set()),
    ],
)
def test_results_are_seen_when_they_are_published(
    settled: Bureau, username: str, before: set[str], after: set[str]
) -> None:
    assert seen_by(username) == before

    publish()

    assert seen_by(username) == after


@pytest.mark.parametrize("username", ["zhouyaqin", "yujianping"])
def test_the_office_and_the_leaders_see_all_at_once(settled: Bureau, username: str) -> None:
    assert {"2026-02", "B1", "B4", "2103"} <= seen_by(username)


def test_who_left_the_unit_takes_the_later_results_along(settled: Bureau) -> None:
    with transaction() as work:
        moved = work.scalars(
            select(Posting).join(Subject, Subject.id == Posting.person_id).where(Subject.code == "2103")
        ).one()
        moved.valid_to = date(2026, 2, 15)
    publish()

    assert "2103" not in seen_by("fuweidong")
    assert "2104" in seen_by("fuweidong")
    assert "2103" in seen_by("majun")
