"""Keeping the registers: organisation, rules and targets, each row added, changed and removed with a trace.

What is dated changes by a new row. A scheme in force and a clause once used are never edited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, RuleViolation
from app.models import (
    Bureau,
    CalendarDay,
    Clause,
    Document,
    ExternalResult,
    Indicator,
    Oversight,
    Person,
    Posting,
    Relation,
    Scheme,
    SchemeState,
    Subject,
    Target,
    Unit,
)
from app.policies import org, scheme
from app.policies.actor import Actor, require
from app.rules.closing import WITH_PERIOD, admitting
from app.services import trace
from app.services.accounts.accounts import make_account
from app.services.bureau.closing import acts_in_closed, closed_periods, hold_bureau, note_use, open_permits
from app.services.jobs import runs
from app.services.registers.keeping import refuse_foreign, refuse_frozen, refuse_moving
from app.services.registers.typing import as_read
from app.services.workbook.check import check_rows
from app.services.workbook.rows import DEFAULTS, Row
from app.services.workbook.store import codes_of, default_username, stored_rows
from app.services.workbook.tables import STORES

SHEETS: Mapping[type, str] = {
    Unit: "units", Person: "people", Posting: "postings", Oversight: "oversight", Document: "documents",
    Scheme: "schemes", Indicator: "indicators", Clause: "clauses", Target: "targets",
    ExternalResult: "external_results", CalendarDay: "calendar",
}  # fmt: skip
MAY_KEEP: Mapping[type, Callable[[Actor], bool]] = {
    **dict.fromkeys((Unit, Person, Posting, Oversight), org.may_keep_organisation),
    CalendarDay: org.may_keep_calendar,
    Relation: org.may_keep_relations,
    **dict.fromkeys((Document, ExternalResult), scheme.may_keep_rules),
    **dict.fromkeys((Clause, Target), scheme.may_keep_lines),
    **dict.fromkeys((Scheme, Indicator), scheme.may_draft_schemes),
}
FORM_FIELDS: Mapping[str, str] = {
    "group": "group_name", "order": "position", "from": "valid_from", "to": "valid_to", "min": "price_min",
    "max": "price_max", "parent": "parent_code", "indicator": "indicator_code", "staff_no": "person",
}  # fmt: skip


def add(session: Session, record: Any, *, before: Mapping[str, Any], actor: Actor, now: datetime) -> None:  # noqa: ARG001
    """Add a row; a unit or person named for the first time becomes a subject, a person gets an account."""
    require(MAY_KEEP[type(record)](actor))
    record.bureau_id = _bureau_of(session, actor)
    hold_bureau(session, record.bureau_id)
    as_read(record, SHEETS.get(type(record)))
    if isinstance(record, Unit | Person):
        _name_subject(session, record)
    refuse_foreign(session, record, actor)
    if isinstance(record, Scheme):
        record.state = SchemeState.DRAFT
    refuse_frozen(session, record)
    with session.no_autoflush:
        _check(session, record, now=now)
    session.add(record)
    _flush(session)
    _refresh(session, record, record.bureau_id, now=now)
    trace.record(session, verb="add", target=record, after=trace.facts_of(record), actor=actor, now=now)


def _bureau_of(session: Session, actor: Actor) -> int:
    """The actor's bureau; an administrator of the installation keeps the only one there is."""
    if actor.bureau_id is not None:
        return actor.bureau_id
    found = session.scalars(select(Bureau.id)).all()
    if len(found) != 1:
        raise RuleViolation(N_("Your account belongs to no bureau."))
    return found[0]


def change(session: Session, record: Any, *, before: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Change a row that may still change; `before` are its facts as they were."""
    with session.no_autoflush:  # the stored row must still be there to be held against the new one
        require(MAY_KEEP[type(record)](actor) and actor.bureau_id in (None, record.bureau_id))
        hold_bureau(session, record.bureau_id)
        refuse_foreign(session, record, actor, before)
        refuse_moving(session, record, before, actor)
        as_read(record, SHEETS.get(type(record)))
        refuse_frozen(session, record)
        _check(session, record, now=now)
    _flush(session)
    _refresh(session, record, record.bureau_id, now=now)
    trace.record(
        session, verb="change", target=record, before=before, after=trace.facts_of(record), actor=actor, now=now
    )


def remove(session: Session, record: Any, *, actor: Actor, now: datetime) -> None:
    """Remove a row that nothing else names."""
    require(MAY_KEEP[type(record)](actor) and actor.bureau_id in (None, record.bureau_id))
    hold_bureau(session, record.bureau_id)
    refuse_foreign(session, record, actor)
    refuse_frozen(session, record)
    if type(record) in SHEETS:
        _refuse_closed(session, record, row_of(record, SHEETS[type(record)]), None, now=now)
    if isinstance(record, Scheme):
        for node in session.scalars(select(Indicator).where(Indicator.scheme_id == record.id)):
            session.delete(node)
        session.flush()
    facts = trace.facts_of(record)
    trace.record(session, verb="remove", target=record, before=facts, actor=actor, now=now)
    session.delete(record)
    try:
        session.flush()
    except IntegrityError:
        raise RuleViolation(N_("Other records name this one; it cannot be deleted.")) from None
    _refresh(session, record, facts["bureau_id"], now=now)


def draft_codes(session: Session, bureau_id: int) -> set[str]:
    return set(
        session.scalars(select(Scheme.code).where(Scheme.bureau_id == bureau_id, Scheme.state == SchemeState.DRAFT))
    )


def _name_subject(session: Session, record: Unit | Person) -> None:
    kind = "unit" if isinstance(record, Unit) else "person"
    code = str(getattr(record, "code", "")).strip()
    if not code:
        raise RuleViolation(N_("This must be filled."), field_name="code")
    found = session.scalar(select(Subject).where(Subject.bureau_id == record.bureau_id, Subject.code == code))
    if found is not None and found.kind != kind:
        raise RuleViolation(N_("A unit or person of the other kind has this code."), field_name="code")
    if found is None:
        found = Subject(bureau_id=record.bureau_id, kind=kind, code=code)
        session.add(found)
        session.flush()
        if kind == "person":
            bureau = session.get(Bureau, record.bureau_id)
            assert bureau is not None
            make_account(
                session, username=default_username(bureau.code, code), name=record.name,
                bureau_id=record.bureau_id, subject_id=found.id,
            )  # fmt: skip
    record.subject_id = found.id
    record.subject = found


def _refresh(session: Session, record: Any, bureau_id: int, *, now: datetime) -> None:
    """Have the open periods settled anew where the row may move a score."""
    if not isinstance(record, Document | CalendarDay | Relation):
        runs.refresh_open(session, bureau_id, now=now)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(N_("Such a row is there already, or a value does not fit.")) from None


def _check(session: Session, record: Any, *, now: datetime) -> None:
    """Hold the row against the whole bureau by the check of the workbook; a draft tree may be unfinished."""
    if isinstance(record, Relation):
        return  # its two people and days are the form's and the database's to check
    sheet = SHEETS[type(record)]
    codes = codes_of(session, record.bureau_id)
    rows = stored_rows(session, codes, without=frozenset({"entries", "grade_rules"}))
    if isinstance(record, Scheme | Indicator):
        keep = record.code if isinstance(record, Scheme) else record.scheme.code
        drafts = draft_codes(session, record.bureau_id) - {keep}
        rows["schemes"] = [row for row in rows["schemes"] if row.get("code") not in drafts]
        rows["indicators"] = [row for row in rows["indicators"] if row.get("scheme") not in drafts]
    new = row_of(record, sheet)
    old = next((row for row in rows[sheet] if row.id == record.id and row.id), None)
    _refuse_closed(session, record, old, new, now=now)
    rows[sheet] = [row for row in rows[sheet] if row.id != record.id or record.id is None]
    rows[sheet].append(new)
    for problem in check_rows(rows):
        # A draft has no tree yet, and may stand beside the version it will take over from.
        if (
            problem.sheet == "schemes"
            and problem.column in ("code", "groups")
            and isinstance(record, Scheme | Indicator)
        ):
            continue
        raise RuleViolation(problem.reason, field_name=_field(record, problem.column))


def _refuse_closed(session: Session, record: Any, old: Row | None, new: Row | None, *, now: datetime) -> None:
    """Refuse what would act in a period whose results are published, unless a permit names it."""
    closed = closed_periods(session, record.bureau_id)
    sheet = SHEETS[type(record)]
    permits = open_permits(session, record.bureau_id, now=now) if closed else []
    before, after = (None if row is None else row.values for row in (old, new))
    touched, permit = admitting(permits, sheet, before, after, closed)
    if touched is not None:
        field = None if new is None else "period" if sheet in WITH_PERIOD else "valid_from"
        raise RuleViolation(acts_in_closed(touched), field_name=field)
    if permit is not None:
        note_use(session, permit)


def row_of(record: Any, sheet: str) -> Row:
    """A record that is not yet stored, as a row of the workbook."""
    store = STORES[sheet]
    values: dict[str, Any] = dict(DEFAULTS.get(sheet, {}))
    for key, column in store.plain.items():
        value = getattr(record, column)
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if value is not None and value != "":
            values[key] = value
    for key, (column, _) in store.references.items():
        named = getattr(record, column.removesuffix("_id"))
        if named is not None:
            values[key] = named.code
    return Row(sheet, values, 1, record.id)


def _field(record: Any, column: str | None) -> str | None:
    if column is None:
        return None
    if isinstance(record, Unit | Person) and column in ("code", "staff_no"):
        return "code"
    if isinstance(record, Oversight) and column == "staff_no":
        return "leader"
    if isinstance(record, Unit) and column == "parent":
        return "parent"
    return FORM_FIELDS.get(column, column)
