"""The row scope along every relationship of every model: what one record leads to is what one would see anyway."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import inspect, select
from sqlalchemy.orm import joinedload, lazyload, selectinload

from app.extensions import db
from app.models import Account, RoleGrant
from app.policies import VISIBLE
from app.policies.actor import SYSTEM, Actor, Origin
from app.security import sessions
from app.security.scope import CRITERIA, Criteria, UnscopedStatement, act_as
from app.services.accounts.actors import actor_of
from tests.conftest import let_go, make_app

MOST = 60  # parents looked at, of each relationship
RELATIONSHIPS = [
    (model, relationship.key)
    for model in sorted(VISIBLE, key=lambda it: it.__name__)
    for relationship in inspect(model).relationships
    if relationship.mapper.class_ in VISIBLE and not relationship.viewonly
]


@pytest.fixture(scope="module")
def portal(
    sample_template: tuple[Path, dict[str, tuple[str, str]]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    home = tmp_path_factory.mktemp("relationships") / "home"
    shutil.copytree(sample_template[0], home)
    app = make_app(home)
    with app.app_context():
        yield app
        let_go(app)


@pytest.fixture(scope="module")
def readers(portal: Flask) -> list[Actor]:
    """A stranger who is a member of the bureau and no more, and one holder of each role."""
    session = db.session()
    act_as(session, SYSTEM)
    holders = {}
    for grant in session.scalars(select(RoleGrant).order_by(RoleGrant.id)).unique():
        holders.setdefault(grant.role, grant.account_id)
    found = [
        actor_of(session, session.get_one(Account, pk), on=sessions.today(), origin=Origin()) for pk in holders.values()
    ]
    bureau = next(actor.bureau_id for actor in found if actor.bureau_id is not None)
    return [Actor(account_id=-1, name="stranger", bureau_id=bureau, roles=frozenset({"staff"})), *found]


def key_of(record: Any) -> Any:
    return inspect(record).identity


def led_to(record: Any, name: str) -> set[Any]:
    value = getattr(record, name)
    if value is None:
        return set()
    return {key_of(it) for it in value} if isinstance(value, list) else {key_of(value)}


def keys_of(model: type) -> list[Any]:
    """The attributes of a model that make its key."""
    mapper = inspect(model)
    return [getattr(model, mapper.get_property_by_column(column).key) for column in mapper.primary_key]


def shown(statement: Any) -> set[Any]:
    return {tuple(row) for row in db.session.execute(statement)}


def seen_of(model: type) -> set[Any]:
    """The keys of all rows of a model that the session shows."""
    return shown(select(*keys_of(model)))


@pytest.mark.parametrize(("model", "name"), RELATIONSHIPS, ids=lambda it: it if isinstance(it, str) else it.__name__)
def test_a_relationship_leads_to_nothing_one_does_not_see(readers: list[Actor], model: type, name: str) -> None:
    session, relation = db.session(), getattr(model, name)
    target = inspect(model).relationships[name].mapper.class_
    for reader in readers:
        act_as(session, reader)
        visible, parents = seen_of(target), seen_of(model)

        # Of a parent that came from elsewhere: the lazy load itself is scoped.
        session.expunge_all()
        act_as(session, SYSTEM)
        strangers = session.scalars(select(model).options(lazyload("*")).limit(MOST)).unique().all()
        act_as(session, reader)
        for record in strangers:
            assert led_to(record, name) <= visible, (reader.roles, key_of(record))

        # With its parent, however it is loaded: the parents one sees, each with what one sees of it.
        for load in (joinedload, selectinload):
            session.expunge_all()
            records = session.scalars(select(model).options(load(relation)).limit(MOST)).unique().all()
            assert {key_of(record) for record in records} <= parents
            for record in records:
                assert led_to(record, name) <= visible, (reader.roles, load.__name__, key_of(record))

        # In a join and in a condition, which may be refused: what the scope cannot tell it does not carry out.
        session.expunge_all()
        is_many = inspect(model).relationships[name].uselist
        condition = relation.any() if is_many else relation.has()
        assert shown(select(*keys_of(model)).join(relation)) <= parents
        assert shown(select(*keys_of(target)).select_from(model).join(relation)) <= visible
        with suppress(UnscopedStatement):
            assert shown(select(*keys_of(model)).where(condition)) <= parents
    act_as(session, SYSTEM)


def test_a_statement_carries_the_criteria_of_what_it_touches_alone(readers: list[Actor]) -> None:
    head = next(reader for reader in readers if "unit_head" in reader.roles)
    criteria = Criteria(head)

    assert len(criteria.options(frozenset({"heartbeat"}))) == 1
    assert len(criteria.options(frozenset({"supervised_task"}))) < 8 < len(VISIBLE)


def test_a_model_without_a_policy_shows_nothing(readers: list[Actor], monkeypatch: pytest.MonkeyPatch) -> None:
    reader = next(reader for reader in readers if "security_admin" in reader.roles)
    session = db.session()
    act_as(session, reader)
    assert session.scalars(select(Account.id)).all()

    monkeypatch.delitem(VISIBLE, Account)  # type: ignore[arg-type]
    session.info[CRITERIA] = Criteria(reader)

    assert session.scalars(select(Account.id)).all() == []
    act_as(session, SYSTEM)
