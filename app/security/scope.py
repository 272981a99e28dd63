"""The row scope of a request: the session adds each model's criterion to every ORM statement.

A model without a policy shows nothing. FAB's own tables are named exceptions; jobs and commands act as
`SYSTEM`, said explicitly. Core statements are not touched: only services write them, on purpose.
"""

from __future__ import annotations

from typing import Any

from flask_appbuilder.models.sqla import Model
from sqlalchemy import event, false
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from app.policies import VISIBLE
from app.policies.actor import NOBODY, Actor

FAB_MODULES = "flask_appbuilder."
ACTOR, OPTIONS = "actor", "scope_options"


def act_as(session: Session, actor: Actor) -> None:
    """Say for whom the session reads and writes from now on."""
    session.info[ACTOR] = actor
    session.info.pop(OPTIONS, None)


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


def _apply(state: ORMExecuteState) -> None:
    if state.execution_options.get("house_unscoped") or state.is_column_load:
        return
    info = state.session.info
    actor = info.get(ACTOR, NOBODY)
    if actor.is_system:
        return
    if OPTIONS not in info:
        info[OPTIONS] = scope_options(actor)
    state.statement = state.statement.options(*info[OPTIONS])  # type: ignore[attr-defined]


def install() -> None:
    """Listen once for every session of the process."""
    if not event.contains(Session, "do_orm_execute", _apply):
        event.listen(Session, "do_orm_execute", _apply)
