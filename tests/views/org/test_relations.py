"""Declared relations: the office enters them, the two see them, and neither acts in the other's matters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Account, Relation, Subject
from app.policies.actor import SYSTEM, Origin
from app.policies.free import free
from app.security.scope import act_as
from app.services.accounts.actors import actor_of

SignIn = Callable[[str], FlaskClient]
Accounts = dict[str, tuple[str, str]]


def subject(code: str) -> Subject:
    act_as(db.session(), SYSTEM)
    db.session.rollback()
    return db.session.scalars(select(Subject).where(Subject.code == code)).one()


def enter(office: FlaskClient, one: str, other: str, **changed: str) -> int:
    form = {"person": str(subject(one).id), "other": str(subject(other).id), "kind": "spouse",
            "valid_from": "2026-01-01", "valid_to": ""}  # fmt: skip
    return office.post("/relationview/add", data={**form, **changed}).status_code


def test_the_office_enters_and_only_the_two_see_it(app: Flask, sign_in: SignIn, sample: Accounts) -> None:
    act_as(db.session(), SYSTEM)
    own = {
        role: db.session.scalars(select(Account).where(Account.username == sample[role][0])).unique().one().subject.code
        for role in ("staff", "clerk", "unit_head")
    }
    office = sign_in("assessment_office")
    assert enter(office, own["staff"], own["staff"]) == 200, "two people"
    assert enter(office, own["staff"], own["clerk"]) == 302
    assert sign_in("system_admin").get("/relationview/list/").status_code in (302, 403)
    for role in ("staff", "clerk"):
        assert "配偶" in sign_in(role).get("/relationview/list/").get_data(as_text=True)
    head = sign_in("unit_head")
    assert "配偶" not in head.get("/relationview/list/").get_data(as_text=True)
    act_as(db.session(), SYSTEM)
    db.session.rollback()
    number = db.session.scalars(select(Relation.id)).one()
    assert head.get(f"/relationview/show/{number}").status_code == 404
    assert sign_in("staff").post(f"/relationview/delete/{number}").status_code in (302, 403)
    act_as(db.session(), SYSTEM)
    assert db.session.scalars(select(Relation.id)).all() == [number]


def test_neither_is_free_in_the_others_matters_while_it_holds(app: Flask, sign_in: SignIn, sample: Accounts) -> None:
    other = subject("2103")
    enter(sign_in("assessment_office"), "1201", "2103", valid_to="2026-06-30")
    act_as(db.session(), SYSTEM)
    db.session.rollback()
    query = select(Account).where(Account.username == sample["assessment_office"][0])
    account = db.session.scalars(query).unique().one()
    within, after = (
        actor_of(db.session(), account, on=day, origin=Origin()) for day in (date(2026, 6, 30), date(2026, 7, 1))
    )

    assert not free(within, {other.id})
    assert free(after, {other.id})
