"""The row scope: what it cannot reach it refuses, on the session, on the bare connection, in a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import and_, exists, func, inspect, literal, select, text, update
from sqlalchemy.orm import Session, aliased

from app.extensions import db
from app.models import SavedFilter, ScoreEntry, Subject, SupervisedTask
from app.policies import VISIBLE
from app.policies.actor import SYSTEM, Actor
from app.policies.scoping import UNSCOPED, unscoped
from app.security.scope import UnscopedStatement, act_as, unscoped_tables
from tests.supervised import RULES, handed_over, set_rules, supervised_rows

Task = SupervisedTask
BARE = SupervisedTask.__table__
Other = aliased(Task)
SpokenFor = Callable[[Session], Any]


def in_a_thread(engine: Any, statement: Any) -> None:
    """Carry a statement out beside the request; what it raises is raised here."""
    with engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        pool.submit(connection.execute, statement).result()


REFUSED: dict[str, SpokenFor] = {
    "a filtered count": lambda s: s.execute(select(func.count(Task.id).filter(and_(Task.id > 0, Task.id < 9)))),
    "a count under and": lambda s: s.execute(select(func.count()).where(and_(Task.id > 0, Task.id < 9))),
    "a bare table": lambda s: s.execute(select(BARE.c.id)),
    "a bare table in a subquery": lambda s: s.execute(select(Subject).where(Subject.id.in_(select(BARE.c.lead_unit_id)))),
    "a bare table in exists": lambda s: s.execute(select(Subject).where(exists(select(1).select_from(BARE)))),
    "a bare table in a scalar": lambda s: s.execute(select(select(func.count(BARE.c.id)).scalar_subquery())),
    "a bare table in a join": lambda s: s.execute(select(Subject).join(BARE, BARE.c.lead_unit_id == Subject.id)),
    "a bare table in a union": lambda s: s.execute(select(Subject.id).union(select(BARE.c.id))),
    "a bare table in a cte": lambda s: s.execute(select(select(BARE.c.id).cte("hidden").c.id)),
    "a bare alias": lambda s: s.execute(select(BARE.alias("other").c.id)),
    "a bare table beside an alias of its entity": lambda s: s.execute(
        select(BARE.c.matter).join(Other, Other.id == BARE.c.id, isouter=True)
    ),
    "an entity over a bare subquery": lambda s: s.execute(select(aliased(Task, select(BARE).subquery()).id)),
    "a bare scalar in an insert": lambda s: s.execute(
        sa.insert(SavedFilter).values(name=select(BARE.c.matter).limit(1).scalar_subquery()).returning(SavedFilter.name)
    ),
    "a bare select in an insert": lambda s: s.connection().execute(
        sa.insert(SavedFilter.__table__).from_select(["name"], select(BARE.c.matter))
    ),
    "a string to the driver": lambda s: s.connection().exec_driver_sql("SELECT count(*) FROM Supervised_Task"),
    "a table in capitals": lambda s: s.execute(select(sa.table("SUPERVISED_TASK", sa.column("id")).c.id)),
    "a thread of its own": lambda s: in_a_thread(s.get_bind(), select(BARE.c.id)),
    "a literal column": lambda s: s.execute(select(sa.literal_column("(SELECT count(*) FROM supervised_task)"))),
    "a table by its name": lambda s: s.execute(select(sa.table("supervised_task", sa.column("id")).c.id)),
    "a table by its name in a count": lambda s: s.execute(select(func.count()).select_from(sa.table("supervised_task"))),
    "an entity from a text": lambda s: s.scalars(select(Task).from_statement(text("SELECT * FROM supervised_task"))),
    "an entity from a bare select": lambda s: s.scalars(select(Task).from_statement(select(BARE))),
    "a bare table lateral": lambda s: s.execute(select(Subject.id, select(BARE.c.id).lateral("l").c.id)),
    "a text": lambda s: s.execute(text("SELECT count(*) FROM supervised_task")),
    "a text inside": lambda s: s.execute(select(Subject.id).where(text("subject.id IN (SELECT lead_unit_id FROM supervised_task)"))),
    "an entity on the connection": lambda s: s.connection().execute(select(Task.id)),
    "a filtered count on the connection": lambda s: s.connection().execute(select(func.count(Task.id).filter(and_(Task.id > 0)))),
    "a text on the connection": lambda s: s.connection().execute(text("SELECT count(*) FROM supervised_task")),
    "a write that gives back rows": lambda s: s.connection().execute(update(BARE).where(BARE.c.id < 0).values(matter="x").returning(BARE.c.id)),
}  # fmt: skip

SCOPED: dict[str, Any] = {
    "entities": select(Task),
    "a count of a column": select(func.count(Task.id)),
    "a filtered count of a named entity": select(func.count(Task.id).filter(and_(Task.id > 0, Task.id < 9))).select_from(Task),
    "an alias": select(Other.id),
    "a subquery": select(select(Task.id).subquery().c.id),
    "a cte": select(select(Task.id).cte("mine").c.id),
    "a union": select(Task.id).union(select(Task.id)),
    "a column under a case": select(func.sum(sa.case((Task.id > 0, 1), else_=0))),
    "where alone": select(literal(1)).where(Task.id > 0),
    "bare columns of a named entity": select(Task).where(BARE.c.id > 0),
}  # fmt: skip


@pytest.fixture
def stranger(app: Flask, load: Callable[..., object]) -> Iterator[Session]:
    """A session that acts for a member with no part in the one task there is."""
    load(supervised_rows())
    set_rules(RULES)
    task = handed_over(matter="液化气瓶专项检查")
    session = db.session()
    act_as(session, Actor(account_id=-1, name="x", bureau_id=task.bureau_id, roles=frozenset({"staff"})))
    yield session
    act_as(session, SYSTEM)


@pytest.mark.parametrize("statement", REFUSED)
def test_what_the_scope_cannot_reach_is_refused(stranger: Session, statement: str) -> None:
    with pytest.raises(UnscopedStatement):
        REFUSED[statement](stranger)


@pytest.mark.parametrize("statement", SCOPED)
def test_what_names_its_entity_is_reached(stranger: Session, statement: str) -> None:
    found = stranger.execute(SCOPED[statement]).all()

    assert not found or all(not value for row in found for value in row), found


def test_what_is_marked_with_its_reason_passes(stranger: Session) -> None:
    assert stranger.scalar(select(func.count(BARE.c.id)), execution_options=UNSCOPED) == 1
    assert unscoped(stranger, "a test counts").scalar(select(func.count(BARE.c.id))) == 1
    assert stranger.execute(text("SELECT 1")).scalar() == 1


def test_the_walk_ends_on_everything_a_statement_can_hold() -> None:
    deep: Any = select(BARE.c.id)
    for _ in range(50):
        deep = select(deep.subquery().c.id)

    assert unscoped_tables(deep) == {"supervised_task"}
    assert unscoped_tables(select(Task).where(Task.id.in_(select(ScoreEntry.source_id)))) == set()


def test_a_write_of_the_orm_is_scoped_too(stranger: Session) -> None:
    found = stranger.execute(update(Task).where(Task.id > 0).values(matter="x"))

    assert found.rowcount == 0  # type: ignore[attr-defined]


def test_what_a_model_computes_is_read_from_its_own_table() -> None:
    """The ORM puts a computed column into a statement that only names its model, where no walk sees it."""
    computed = [
        (mapper, column)
        for mapper in (inspect(model) for model in VISIBLE)
        for attribute in mapper.column_attrs
        for column in attribute.columns
        if not isinstance(column, sa.Column)
    ]

    assert {mapper.class_.__name__ for mapper, _column in computed} == {"ScoreEntry"}
    for mapper, column in computed:
        assert unscoped_tables(select(column), by_session=False) <= {table.name for table in mapper.tables}
