"""What a bureau settled for its processes: read for a day, set from a day on, never backwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Bureau, Clause, ProcessRule
from app.policies import processes as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.processes import PROCESS_RULES
from app.rules.settings import PRICED, read_codes
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import hold_bureau

WHY = "rules of a bureau hold for everybody in it"
_RULE = ProcessRule.__table__


@dataclass(frozen=True, slots=True)
class ProcessRules:
    """All dated rules of a bureau; `read` gives the one that holds on a day, or what is shipped."""

    rows: Mapping[str, Sequence[tuple[date, str]]]

    def text(self, key: str, on: date) -> str:
        begun = [value for first, value in self.rows.get(key, ()) if first <= on]
        return begun[-1] if begun else PROCESS_RULES[key].default

    def read(self, key: str, on: date) -> Any:
        return PROCESS_RULES[key].read(self.text(key, on))


def rules_of(session: Session, bureau_id: int) -> ProcessRules:
    """Read the rules of a bureau: one statement."""
    rows: dict[str, list[tuple[date, str]]] = defaultdict(list)
    query = select(_RULE.c.key, _RULE.c.valid_from, _RULE.c.value).where(_RULE.c.bureau_id == bureau_id)
    for key, first, value in unscoped(session, WHY).execute(query.order_by(_RULE.c.valid_from)):
        rows[key].append((first, value))
    return ProcessRules(rows)


def set_rule(
    session: Session, bureau: Bureau, key: str, value: str, *, valid_from: date | None, actor: Actor, now: datetime
) -> ProcessRule:
    """Let a rule hold from a day on, today at the earliest; a row that has not begun yet is written over."""
    require(key in PROCESS_RULES and policy.may_set_rule(actor, PROCESS_RULES[key].process))
    today, kind = local_time(now).date(), PROCESS_RULES[key]
    if valid_from is None or valid_from < today:
        raise RuleViolation(N_("A rule holds from today or a later day, never backwards."), field_name="valid_from")
    text = value.strip()
    kind.read(text)
    hold_bureau(session, bureau.id)
    if kind.is_clause:
        _check_clauses(session, bureau.id, read_codes(text), is_priced=kind.is_priced)
    query = select(ProcessRule).where(
        ProcessRule.bureau_id == bureau.id, ProcessRule.key == key, ProcessRule.valid_from == valid_from
    )
    row = session.scalar(query)
    before = rules_of(session, bureau.id).text(key, valid_from)
    if row is None:
        row = ProcessRule(bureau_id=bureau.id, key=key, valid_from=valid_from)
        session.add(row)
    row.value, row.set_by, row.set_at = text, actor.name, now
    session.flush()
    trace.record(
        session, verb="set_rule", target=row, before={"value": before},
        after={"value": text, "valid_from": valid_from.isoformat()}, actor=actor, now=now,
    )  # fmt: skip
    return row


def _check_clauses(session: Session, bureau_id: int, codes: Sequence[str], *, is_priced: bool) -> None:
    clause = Clause.__table__.c
    query = select(clause.code, clause.pricing).where(clause.bureau_id == bureau_id, clause.code.in_(codes))
    known: dict[str, str] = dict(unscoped(session, WHY).execute(query).all())
    missing = [code for code in codes if code not in known]
    if missing:
        raise RuleViolation(N_("“%(code)s” is not known.", code=missing[0]), field_name="value")
    if is_priced and not set(known.values()) <= set(PRICED):
        raise RuleViolation(N_("A clause that posts by itself has a price of its own."), field_name="value")
