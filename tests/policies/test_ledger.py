"""Who sees which entries: the list criterion and the verbs agree, role by role, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.models import Account, ImportBatch, Posting, ScoreEntry, Subject, Target, UserSession
from app.policies import VISIBLE, ledger
from app.policies.actor import NOBODY, SYSTEM, Actor, Origin
from app.security.scope import act_as
from app.services.accounts.actors import actor_of
from tests.conftest import SMALL, TODAY, account_of


@pytest.fixture
def loaded(any_app: Flask, load: Callable[..., Any]) -> Flask:
    load(SMALL)
    return any_app


def actor(username: str, on: date = TODAY) -> Actor:
    act_as(db.session(), SYSTEM)
    return actor_of(db.session(), account_of(username), on=on, origin=Origin())


def seen(username: str) -> set[str]:
    act_as(db.session(), actor(username))
    rows = db.session.scalars(select(ScoreEntry)).unique().all()
    assert db.session.scalar(select(func.count(ScoreEntry.id))) == len(rows)
    codes = {row.subject.code for row in rows}
    act_as(db.session(), SYSTEM)
    return codes


@pytest.mark.parametrize(
    ("username", "subjects"),
    [
        ("shouxiaodong", {"1302"}),
        ("majun", {"2103"}),
        ("lichunxia", {"B1", "2103", "2104"}),
        ("fuweidong", {"B1", "2103", "2104"}),
        ("xuzhigang", {"B2", "2201"}),
        ("sysadmin", set()),
        ("secadmin", set()),
        ("auditor", set()),
    ],
)
def test_each_role_sees_its_scope_and_nothing_else(loaded: Flask, username: str, subjects: set[str]) -> None:
    assert seen(username) == subjects


def test_the_office_and_the_leaders_see_all(loaded: Flask) -> None:
    everybody = set(db.session.scalars(select(Subject.code).join(ScoreEntry, ScoreEntry.subject_id == Subject.id)))

    assert seen("zhouyaqin") == seen("yujianping") == everybody


def test_an_assessing_department_sees_its_lines_in_every_unit(loaded: Flask) -> None:
    act_as(db.session(), actor("qiuwen"))
    rows = db.session.scalars(select(ScoreEntry)).unique().all()
    act_as(db.session(), SYSTEM)

    others = {row.clause.indicator_code for row in rows if row.subject.code not in ("05", "1501", "1502")}

    assert others == {"I"}


def test_a_head_no_longer_sees_somebody_who_has_left_but_keeps_what_was(loaded: Flask) -> None:
    posting = db.session.scalars(select(Posting).join(Posting.person).where(Subject.code == "2103")).one()
    posting.valid_to = date(2026, 1, 31)
    db.session.flush()

    act_as(db.session(), actor("fuweidong"))
    months = set(db.session.scalars(select(ScoreEntry.month).join(ScoreEntry.subject).where(Subject.code == "2103")))

    assert months == {"2026-01"}


def test_nobody_sees_anything_and_a_model_without_policy_is_refused(loaded: Flask) -> None:
    act_as(db.session(), NOBODY)

    for model in VISIBLE:
        assert db.session.scalars(select(model)).unique().all() == []


def test_targets_follow_their_unit(loaded: Flask) -> None:
    act_as(db.session(), actor("lichunxia"))

    assert {it.subject.code for it in db.session.scalars(select(Target)).unique()} == {"B1"}


def test_administrators_keep_apart(loaded: Flask) -> None:
    for username, model, sees in (
        ("sysadmin", Account, True), ("secadmin", Account, True), ("auditor", Account, False), ("sysadmin", ImportBatch, False),
        ("auditor", UserSession, False),
    ):  # fmt: skip
        act_as(db.session(), actor(username))
        assert (len(db.session.scalars(select(model)).unique().all()) > 1) is sees, (username, model)


def test_only_the_office_reverses_and_never_an_entry_about_oneself(loaded: Flask) -> None:
    entry = db.session.scalars(select(ScoreEntry).limit(1)).unique().one()

    assert ledger.may_reverse(actor("zhouyaqin"), entry)
    for username in ("fuweidong", "yujianping", "majun", "sysadmin", "hewenbin"):
        assert not ledger.may_reverse(actor(username), entry)
    assert not ledger.may_reverse(Actor(subject_id=entry.subject_id, roles=frozenset({"assessment_office"})), entry)
