"""Two versions of a scheme side by side: indicators new, gone or changed, and the clauses that take over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Clause, GradeRule, Indicator, Scheme, SchemeState
from app.policies import scheme as policy
from app.policies.actor import Actor, require
from app.rules.periods import Period
from app.rules.timetable import local_time
from app.services import trace
from app.services.trace import plain_value

COMPARED = (
    "parent_code", "title", "method", "full", "weight", "base", "cap", "floor", "places", "span", "rollup",
    "not_applicable", "applies_to", "assessor_unit", "params",
)  # fmt: skip
HEADS = ("title", "year", "groups", "in_force_from", "in_force_to", "places", "rank_on")


MARK = "-v"
LONGEST_CODE = 64


@dataclass(frozen=True, slots=True)
class Difference:
    """One indicator that differs: `kind` is new, gone or changed; what changed as (column, before, after)."""

    kind: str
    code: str
    title: str
    fields: Sequence[tuple[str, object, object]] = ()


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """A grade rule that only one of two schemes has: `kind` is new or gone."""

    kind: str
    rule: GradeRule


@dataclass(frozen=True, slots=True)
class Replaced:
    """A clause that stands for another in rehearsals: the old and the new side by side."""

    old: Clause
    new: Clause


def compare_heads(old: Scheme, new: Scheme) -> list[tuple[str, object, object]]:
    """What differs in the heads of two schemes: (column, before, after)."""
    return [
        (name, _plain(getattr(old, name)), _plain(getattr(new, name)))
        for name in HEADS
        if getattr(old, name) != getattr(new, name)
    ]


def compare_grade_rules(session: Session, old: Scheme, new: Scheme) -> list[RuleDifference]:
    """The grade rules only one of two schemes has, new ones first, each in its order."""

    def rules(scheme: Scheme) -> list[GradeRule]:
        query = select(GradeRule).where(GradeRule.scheme_id == scheme.id)
        return list(session.scalars(query.order_by(GradeRule.position, GradeRule.id)))

    def key(rule: GradeRule) -> tuple[str, ...]:
        return rule.grade, rule.kind, rule.condition, rule.value

    before, after = rules(old), rules(new)
    known, wanted = {key(it) for it in before}, {key(it) for it in after}
    return [
        *(RuleDifference("new", it) for it in after if key(it) not in known),
        *(RuleDifference("gone", it) for it in before if key(it) not in wanted),
    ]


def compare_schemes(session: Session, old: Scheme, new: Scheme) -> list[Difference]:
    """The indicators in which two schemes differ, in the order of the new tree, those that are gone last."""
    before, after = _nodes(session, old), _nodes(session, new)
    found = []
    for code, node in after.items():
        was = before.get(code)
        if was is None:
            found.append(Difference("new", code, node.title))
            continue
        fields = [
            (name, _plain(_of(was, name)), _plain(_of(node, name)))
            for name in COMPARED
            if _of(was, name) != _of(node, name)
        ]
        if fields:
            found.append(Difference("changed", code, node.title, fields))
    gone = [Difference("gone", code, node.title) for code, node in before.items() if code not in after]
    return [*found, *gone]


def _nodes(session: Session, scheme: Scheme) -> dict[str, Indicator]:
    query = select(Indicator).where(Indicator.scheme_id == scheme.id).order_by(Indicator.position, Indicator.code)
    return {node.code: node for node in session.scalars(query)}


def _of(node: Indicator, name: str) -> Any:
    """A column of an indicator; the assessing department by its code."""
    if name != "assessor_unit":
        return getattr(node, name)
    return None if node.assessor_unit is None else node.assessor_unit.code


def _plain(value: Any) -> object:
    return plain_value(value) if value not in (None, "") else None


def replaced_clauses(session: Session, scheme: Scheme) -> list[Replaced]:
    """The clauses of the scheme's lines that stand for older ones."""
    lines = select(Indicator.code).where(Indicator.scheme_id == scheme.id)
    new = session.scalars(
        select(Clause).where(Clause.replaces != "", Clause.indicator_code.in_(lines)).order_by(Clause.code)
    ).all()
    old = {
        clause.code: clause
        for clause in session.scalars(select(Clause).where(Clause.code.in_([it.replaces for it in new])))
    }
    return [Replaced(old[it.replaces], it) for it in new if it.replaces in old]


def draft_version(session: Session, old: Scheme, *, actor: Actor, now: datetime) -> Scheme:
    """Begin the next version of a scheme: a draft with the same tree and grade rules, from the next month on."""
    require(policy.may_draft_version(actor, old))
    month = Period.month_of(local_time(now).date()).shifted(1)
    first = month.first_day if old.in_force_from < month.first_day <= old.in_force_to else old.in_force_from
    base, _, serial = old.code.rpartition(MARK)
    number = int(serial) + 1 if base and serial.isascii() and serial.isdigit() else 2
    taken = set(session.scalars(select(Scheme.code).where(Scheme.bureau_id == old.bureau_id)))
    stem = (base if number > 2 else old.code)[: LONGEST_CODE - 8]
    while f"{stem}{MARK}{number}" in taken:
        number += 1
    kept = ("bureau_id", "title", "year", "subject_kind", "groups", "in_force_to", "places", "rank_on", "owner_unit_id")
    new = Scheme(
        code=f"{stem}{MARK}{number}", version=str(number), in_force_from=first, state=SchemeState.DRAFT,
        **{name: getattr(old, name) for name in kept},
    )  # fmt: skip
    session.add(new)
    session.flush()
    for model in (Indicator, GradeRule):
        names = [
            column.name for column in model.__table__.columns if column.name not in ("id", "scheme_id", "batch_id")
        ]
        for row in session.scalars(select(model).where(model.scheme_id == old.id)).all():
            session.add(model(scheme_id=new.id, **{name: getattr(row, name) for name in names}))
    session.flush()
    trace.record(session, verb="draft_version", target=new, label=old.code, actor=actor, now=now)
    return new


def others_like(session: Session, scheme: Scheme) -> list[Scheme]:
    """The other schemes of the same kind, newest first, to compare with."""
    query = select(Scheme).where(Scheme.subject_kind == scheme.subject_kind, Scheme.id != scheme.id)
    return list(session.scalars(query.order_by(Scheme.year.desc(), Scheme.in_force_from.desc(), Scheme.code)))
