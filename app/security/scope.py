"""The row scope of a request: each ORM statement gets the criteria of what it touches, and nothing goes past them.

A model without a policy shows nothing. FAB's own tables are named exceptions; jobs and commands act as `SYSTEM`, said
explicitly. A criterion reaches a table only where the statement names its *entity*: a count of a column under `and_`,
a bare table in a subquery or a text would come back unscoped. So each statement is looked through first, on the
session and on its bare connection, and one that names a table of ours past its entity is refused, unless it is
marked (`policies.scoping`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

from flask_appbuilder.models.sqla import Model
from sqlalchemy import Connection, Engine, Table, TextClause, event, false, inspect
from sqlalchemy.orm import (
    Load,
    LoaderCriteriaOption,
    ORMExecuteState,
    QueryableAttribute,
    Session,
    with_loader_criteria,
)
from sqlalchemy.orm.strategy_options import _TokenStrategyLoad
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.elements import (
    BinaryExpression,
    BindParameter,
    ClauseElement,
    ClauseList,
    ColumnClause,
    ExpressionClauseList,
)
from sqlalchemy.sql.selectable import Alias, Select, TableClause
from sqlalchemy.sql.visitors import HasTraverseInternals, iterate

from app.policies import VISIBLE
from app.policies.actor import NOBODY, Actor
from app.policies.scoping import MARK

FAB_MODULES = "flask_appbuilder."
ACTOR, CRITERIA, SCOPED = "actor", "scope_criteria", "house_scoped"
# Whether the code that runs acts for a person: statements of the bare connection cannot ask their session. A thread
# nobody has said anything about is nobody's.
_is_request: ContextVar[bool] = ContextVar("is_request", default=True)


class UnscopedStatement(RuntimeError):
    """A statement would have read rows of ours without their criterion: a fault of the program, never shown rows."""


def act_as(session: Session, actor: Actor) -> None:
    """Say for whom the session reads and writes from now on."""
    session.info[ACTOR] = actor
    session.info.pop(CRITERIA, None)
    _is_request.set(not actor.is_system)


def actor_of(session: Session) -> Actor:
    """For whom the session acts; nobody unless said."""
    found = session.info.get(ACTOR, NOBODY)
    assert isinstance(found, Actor)
    return found


class _PlainBind(BindParameter[Any]):
    """A value of a criterion. It is not marked as the ORM marks what it takes from a criterion.

    A marked copy equals its original by a comparison of SQL, which costs 15 µs a value each time a statement is carried
    out: a third of what the row scope costs a page. Nothing asks a value for its mark.
    """

    inherit_cache = True

    def _annotate(self, _values: Any) -> Any:
        return self


def _with_plain_binds(criterion: Any) -> Any:
    """A criterion, fresh from its policy, with plain values."""
    for element in iterate(criterion):
        if type(element) is BindParameter:
            element.__class__ = _PlainBind
    return criterion


class Criteria:
    """The criteria of one actor, each made when a statement first touches its model.

    A criterion is taken as it is written: what it asks of other tables it chooses itself, so nothing in it is scoped
    once more, and models a statement does not touch cost it nothing.
    """

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._of_model: dict[type, Any] = {}
        self._of_tables: dict[tuple[frozenset[str], bool], list[Any]] = {}

    def options(self, tables: frozenset[str], *, eager_only: bool = True) -> list[Any]:
        """One criterion per model that a statement over some tables can touch; `false()` where no policy is written.

        That is: what it names, and what those load with themselves; or, where nobody can tell what its loading options
        load, everything that is related.
        """
        key = (tables, eager_only)
        if key not in self._of_tables:
            touched = {model for table in related(tables, eager_only=eager_only) for model in models_of(table)}
            self._of_tables[key] = [self._criterion(model) for model in sorted(touched, key=lambda it: it.__name__)]
        return self._of_tables[key]

    def _criterion(self, model: type) -> Any:
        if model not in self._of_model:
            visible = VISIBLE.get(model)
            criterion = false() if visible is None else _with_plain_binds(visible(self._actor))
            # It goes on to loaders: a join by which the ORM loads with a record asks for criteria that do, and for no
            # others. What comes to a later load that way is not added to it once more.
            self._of_model[model] = with_loader_criteria(model, criterion, include_aliases=True)
        return self._of_model[model]


@lru_cache(maxsize=256)
def criteria_of(who: Actor) -> Criteria:
    """The criteria of an actor, kept from request to request: they follow from what he holds and from nothing else."""
    return Criteria(who)


def _as_holder(actor: Actor) -> Actor:
    """An actor without what changes from request to request."""
    return replace(actor, name="", username="", address="", session_ref="", request_id="")


@cache
def models_of(table: str) -> tuple[type, ...]:
    """The models of ours that live in a table."""
    return tuple(
        mapper.class_ for mapper in Model.registry.mappers
        if not mapper.class_.__module__.startswith(FAB_MODULES)
        and any(isinstance(it, Table) and it.name == table for it in mapper.tables)
    )  # fmt: skip


@cache
def related(tables: frozenset[str], *, eager_only: bool) -> frozenset[str]:
    """Some tables with those their models load in the same statement, or with all they are related to."""
    found: set[str] = set()
    waiting = set(tables)
    while waiting:
        table = waiting.pop()
        found.add(table)
        for model in models_of(table):
            links: Any = inspect(model).relationships
            for relationship in links:
                if not eager_only or relationship.lazy in ("joined", False):
                    waiting |= {table.name for table in relationship.mapper.tables if isinstance(table, Table)} - found
    return frozenset(found)


@cache
def guarded_tables() -> frozenset[str]:
    """The names of all tables of ours."""
    return frozenset(
        table.name
        for mapper in Model.registry.mappers
        if not mapper.class_.__module__.startswith(FAB_MODULES)
        for table in mapper.tables
        if isinstance(table, Table)
    )


@cache
def _words() -> re.Pattern[str]:
    return re.compile(r"\b(" + "|".join(sorted(guarded_tables())) + r")\b", re.IGNORECASE)


def _is_orm(statement: Any) -> bool:
    return bool(statement._propagate_attrs.get("compile_state_plugin") == "orm")


def _parts(element: Any) -> Iterator[Any]:
    """What an element is made of; for a select, what was written down and not what follows from it.

    The first three are what conditions are mostly made of, and asking them by name is ten times as quick.
    """
    if isinstance(element, BindParameter):
        return iter(())
    if isinstance(element, BinaryExpression):
        return iter((element.left, element.right))
    if isinstance(element, (ClauseList, ExpressionClauseList)):
        return iter(element.clauses)
    if isinstance(element, Select):
        return iter(HasTraverseInternals.get_children(element, omit_attrs=("_correlate", "_correlate_except")))
    return iter(element.get_children())


def unscoped_tables(statement: Any, *, by_session: bool = True) -> set[str]:
    """The tables of ours that a statement names where no criterion reaches them."""
    return _walk(statement, by_session=by_session)[0]


def _walk(statement: Any, *, by_session: bool) -> tuple[set[str], set[str]]:
    """What a statement names past every criterion, and what by its entity: a walk over its elements.

    In a select that a session carries out for the ORM, an entity is reached, and with it every column of its table;
    a table that is named without its entity is not. On the bare connection nothing is reached.
    """
    past: set[str] = set()
    entities: set[str] = set()
    selects: list[Any] = [statement]
    seen: set[int] = set()
    while selects:
        part = selects.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        is_orm = by_session and isinstance(part, ClauseElement) and _is_orm(part)
        named = _tables_of(part, selects)
        unreached = named.columns - named.entities if is_orm else named.columns | named.entities | named.aliases
        past |= named.apart | unreached
        entities |= named.entities | named.aliases
    return past & guarded_tables(), entities & guarded_tables()


@dataclass(slots=True)
class _Named:
    """The tables one select names: by entity or alias of one, by a bare column, or apart (a table, a text)."""

    entities: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)


def _tables_of(statement: Any, inner: list[Any]) -> _Named:
    """What one select names by itself; the selects inside it go to `inner`."""
    named = _Named()
    seen: set[int] = set()
    stack = [statement]
    while stack:
        element = stack.pop()
        if id(element) in seen or (isinstance(element, Alias) and MARK in element.__dict__):
            continue
        seen.add(id(element))
        entity = getattr(element, "_annotations", {}).get("parententity")
        if isinstance(element, Insert):
            stack += _values_of(element)
            continue
        if isinstance(element, TextClause):
            named.apart.update(name.lower() for name in _words().findall(element.text))
        elif entity is not None and (isinstance(element, (Table, ColumnClause)) or hasattr(element, "element")):
            tables = {table.name for table in entity.mapper.tables}
            (named.aliases if entity.is_aliased_class else named.entities).update(tables)
            if entity.is_aliased_class and getattr(entity.selectable, "element", None) not in entity.mapper.tables:
                stack.append(entity.selectable)  # an entity over a subquery of its own: what that is made of
        elif isinstance(element, TableClause):
            named.apart.add(element.name.lower())
        elif isinstance(element, ColumnClause):
            if element.is_literal:
                named.apart.update(name.lower() for name in _words().findall(element.name))
            elif isinstance(element.table, TableClause):
                named.columns.add(element.table.name.lower())
            elif element.table is not None:
                stack.append(element.table)  # a column of an alias, a subquery, a CTE: what that is made of
        else:
            if isinstance(element, Select):
                named.entities |= _joined(element)
            for part in _parts(element):
                (inner if isinstance(part, (Select, Update, Delete)) else stack).append(part)
    return named


def _joined(element: Select[Any]) -> set[str]:
    """The tables a select joins by a relationship alone, `join(Model.relationship)`: the ORM joins their entity."""
    entities = (target.entity for target, *_ in element._setup_joins if isinstance(target, QueryableAttribute))
    return {table.name for entity in entities if not entity.is_aliased_class for table in entity.mapper.tables}


def _values_of(statement: Insert) -> list[Any]:
    """What an insert reads: its values, its select, its CTEs; where it writes is no matter of reading."""
    rows: list[Any] = [statement._values or {}]
    for many in statement._multi_values or ():
        rows += list(many)
    values = [value for row in rows for value in (row.values() if isinstance(row, dict) else row)]
    parts = [*values, statement.select, *getattr(statement, "_independent_ctes", ())]
    return [part for part in parts if isinstance(part, ClauseElement)]


def _loaded_by(options: Sequence[Any]) -> set[str] | None:
    """The tables that loading options bring into a statement; None where that cannot be told, as of a wildcard."""
    found: set[str] = set()
    for option in options:
        if isinstance(option, LoaderCriteriaOption):
            continue
        if not isinstance(option, Load):
            return None
        for element in option.context:
            if isinstance(element, _TokenStrategyLoad):
                return None
            for step in element.path.path:
                mapper = getattr(step, "mapper", None)
                if mapper is not None:
                    found.update(table.name for table in mapper.tables)
    return found


def _refuse(past: set[str], statement: Any) -> None:
    if past:
        raise UnscopedStatement(f"{sorted(past)} would be read without their criterion: {str(statement)[:300]}")


def _apply(state: ORMExecuteState) -> None:
    if state.execution_options.get(MARK) or state.is_column_load:
        state.update_execution_options(**{SCOPED: True})
        return
    info = state.session.info
    actor = info.get(ACTOR, NOBODY)
    if actor.is_system:
        return
    statement: Any = state.statement
    past, entities = _walk(statement, by_session=True)
    if not state.is_relationship_load:
        _refuse(past, statement)
    if not isinstance(statement, Insert):
        if CRITERIA not in info:
            info[CRITERIA] = criteria_of(_as_holder(actor))
        given = getattr(statement, "_with_options", ())
        known = {id(option) for option in given}
        loaded = _loaded_by(given)
        touched = frozenset(entities) if not loaded else frozenset(entities | loaded)
        options = info[CRITERIA].options(touched, eager_only=loaded is not None)
        missing = [option for option in options if id(option) not in known]
        if missing and hasattr(statement, "options"):
            state.statement = statement.options(*missing)
    state.update_execution_options(**{SCOPED: True})


def _watch(_connection: Connection, statement: Any, _many: Any, _one: Any, options: Any) -> None:
    """Refuse what reads past the session; rows are written by services alone, so plain writes pass."""
    if not _is_request.get() or options.get(MARK) or options.get(SCOPED):
        return
    is_plain_write = isinstance(statement, (Update, Delete)) and not statement._returning
    if isinstance(statement, ClauseElement) and not is_plain_write:
        _refuse(unscoped_tables(statement, by_session=False), statement)


def _watch_driver(_connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: Any) -> None:
    """Refuse what goes to the driver as a string; what was compiled from a statement has been looked at."""
    if not _is_request.get() or context is None or context.compiled is not None:
        return
    if not context.execution_options.get(MARK):
        _refuse({name.lower() for name in _words().findall(statement)}, statement)


def install() -> None:
    """Listen once for every session of the process."""
    if not event.contains(Session, "do_orm_execute", _apply):
        event.listen(Session, "do_orm_execute", _apply)
        event.listen(Engine, "before_execute", _watch)
        event.listen(Engine, "before_cursor_execute", _watch_driver)
