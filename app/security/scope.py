"""The row scope of a request: the session adds each model's criterion to every ORM statement, and nothing goes past it.

A model without a policy shows nothing. FAB's own tables are named exceptions; jobs and commands act as `SYSTEM`, said
explicitly. A criterion reaches a table only where the statement names its *entity*: a count of a column under `and_`,
a bare table in a subquery or a text would come back unscoped. So each statement is looked through first, on the
session and on its bare connection, and one that names a table of ours past its entity is refused, unless it is
marked (`policies.scoping`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from flask_appbuilder.models.sqla import Model
from sqlalchemy import Connection, Engine, Table, TextClause, event, false
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.elements import ClauseElement, ColumnClause
from sqlalchemy.sql.selectable import Select, TableClause
from sqlalchemy.sql.visitors import HasTraverseInternals

from app.policies import VISIBLE
from app.policies.actor import NOBODY, Actor
from app.policies.scoping import MARK

FAB_MODULES = "flask_appbuilder."
ACTOR, OPTIONS, SCOPED = "actor", "scope_options", "house_scoped"
# Whether the code that runs acts for a person: statements of the bare connection cannot ask their session.
_is_request: ContextVar[bool] = ContextVar("is_request", default=False)


class UnscopedStatement(RuntimeError):
    """A statement would have read rows of ours without their criterion: a fault of the program, never shown rows."""


def act_as(session: Session, actor: Actor) -> None:
    """Say for whom the session reads and writes from now on."""
    session.info[ACTOR] = actor
    session.info.pop(OPTIONS, None)
    _is_request.set(not actor.is_system)


def actor_of(session: Session) -> Actor:
    """For whom the session acts; nobody unless said."""
    found = session.info.get(ACTOR, NOBODY)
    assert isinstance(found, Actor)
    return found


def scope_options(actor: Actor) -> list[Any]:
    """One criterion per mapped class of ours; `false()` where no policy is written."""
    options = []
    for mapper in Model.registry.mappers:
        model = mapper.class_
        if model.__module__.startswith(FAB_MODULES):
            continue
        visible = VISIBLE.get(model)
        criterion = false() if visible is None else visible(actor)
        options.append(with_loader_criteria(model, criterion, include_aliases=True))
    return options


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
    """What an element is made of; for a select, what was written down and not what follows from it."""
    if isinstance(element, Select):
        return iter(HasTraverseInternals.get_children(element, omit_attrs=("_correlate", "_correlate_except")))
    return iter(element.get_children())


def unscoped_tables(statement: Any, *, by_session: bool = True) -> set[str]:
    """The tables of ours that a statement names where no criterion reaches them: a walk over its elements.

    In a select that a session carries out for the ORM, an entity is reached, and with it every column of its table;
    a table that is named without its entity is not. On the bare connection nothing is reached.
    """
    found: set[str] = set()
    selects: list[Any] = [statement]
    seen: set[int] = set()
    while selects:
        part = selects.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        is_orm = by_session and isinstance(part, ClauseElement) and _is_orm(part)
        named = _tables_of(part, selects)
        found |= named.apart | (named.columns - named.entities if is_orm else named.columns | named.entities)
    return found & guarded_tables()


@dataclass(slots=True)
class _Named:
    """The tables one select names: by their entity, by a bare column, or apart from both (a bare table, a text)."""

    entities: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)


def _tables_of(statement: Any, inner: list[Any]) -> _Named:
    """What one select names by itself; the selects inside it go to `inner`."""
    named = _Named()
    seen: set[int] = set()
    stack = [statement]
    while stack:
        element = stack.pop()
        if id(element) in seen or hasattr(element, MARK):
            continue
        seen.add(id(element))
        entity = getattr(element, "_annotations", {}).get("parententity")
        if isinstance(element, TextClause):
            named.apart.update(name.lower() for name in _words().findall(element.text))
        elif entity is not None and (isinstance(element, (Table, ColumnClause)) or hasattr(element, "element")):
            named.entities.update(table.name for table in entity.mapper.tables)
        elif isinstance(element, TableClause):
            named.apart.add(element.name)
        elif isinstance(element, ColumnClause):
            if element.is_literal:
                named.apart.update(name.lower() for name in _words().findall(element.name))
            elif isinstance(element.table, TableClause):
                named.columns.add(element.table.name)
            elif element.table is not None:
                stack.append(element.table)  # a column of an alias, a subquery, a CTE: what that is made of
        else:
            for part in _parts(element):
                (inner if isinstance(part, (Select, Update, Delete)) else stack).append(part)
    return named


def _refuse(statement: Any, *, by_session: bool) -> None:
    found = unscoped_tables(statement, by_session=by_session)
    if found:
        raise UnscopedStatement(f"{sorted(found)} would be read without their criterion: {str(statement)[:300]}")


def _apply(state: ORMExecuteState) -> None:
    if state.execution_options.get(MARK) or state.is_column_load:
        state.update_execution_options(**{SCOPED: True})
        return
    info = state.session.info
    actor = info.get(ACTOR, NOBODY)
    if actor.is_system:
        return
    if not state.is_relationship_load and not isinstance(state.statement, Insert):
        _refuse(state.statement, by_session=True)
    if OPTIONS not in info:
        info[OPTIONS] = scope_options(actor)
    state.statement = state.statement.options(*info[OPTIONS]) if _has_options(state.statement) else state.statement
    state.update_execution_options(**{SCOPED: True})


def _has_options(statement: Any) -> bool:
    return hasattr(statement, "options") and not isinstance(statement, Insert)


def _watch(_connection: Connection, statement: Any, _many: Any, _one: Any, options: Any) -> None:
    """Refuse what reads past the session; rows are written by services alone, so plain writes pass."""
    if not _is_request.get() or options.get(MARK) or options.get(SCOPED):
        return
    is_plain_write = isinstance(statement, (Insert, Update, Delete)) and not statement._returning
    if isinstance(statement, ClauseElement) and not is_plain_write:
        _refuse(statement, by_session=False)


def install() -> None:
    """Listen once for every session of the process."""
    if not event.contains(Session, "do_orm_execute", _apply):
        event.listen(Session, "do_orm_execute", _apply)
        event.listen(Engine, "before_execute", _watch)
