"""A workbook comes in: received, stored whole or not at all; and a bureau goes out as one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.documents.layout import layout
from app.documents.workbook_writer import write_workbook
from app.errors import N_, Conflict, RuleViolation
from app.models import (
    BatchState,
    Bureau,
    ImportBatch,
    SchemeState,
)
from app.policies import imports as policy
from app.policies.actor import Actor, require
from app.services import trace
from app.services.bureau.closing import hold_bureau, note_use
from app.services.jobs import runs, timetable
from app.services.workbook.plan import Plan, Raw, plan_import
from app.services.workbook.rows import LAST, Row
from app.services.workbook.store import add_accounts, add_subjects, codes_of, insert_rows, stored_rows, update_row
from app.services.workbook.tables import STORES

NOTHING = N_("Nothing in the file is new or changed: there is nothing to import.")


def same_file(session: Session, content: bytes, bureau_id: int | None) -> ImportBatch | None:
    """The stored batch that came from exactly this file, if it was not recalled."""
    digest = hashlib.sha256(content).hexdigest()
    return session.scalar(
        select(ImportBatch).where(
            ImportBatch.file_hash == digest,
            ImportBatch.state == BatchState.STORED,
            ImportBatch.bureau_id == bureau_id,
        )
    )


def receive(
    session: Session, content: bytes, *, file_name: str, bureau: Bureau, actor: Actor, now: datetime, plan: Plan
) -> ImportBatch:
    """Keep an uploaded workbook with what its check said; nothing of it is stored yet."""
    require(policy.may_import(actor))
    batch = _new_batch(session, content, file_name=file_name, bureau_id=bureau.id, plan=plan, actor=actor, now=now)
    trace.record(
        session, verb="check_import", target=batch, label=file_name, actor=actor, now=now,
        result="success" if plan.is_ok else "refused",
    )  # fmt: skip
    return batch


def _new_batch(
    session: Session, content: bytes, *, file_name: str, bureau_id: int | None, plan: Plan, actor: Actor, now: datetime
) -> ImportBatch:
    batch = ImportBatch(
        bureau_id=bureau_id, file_name=file_name[-300:], file_hash=hashlib.sha256(content).hexdigest(),
        file_size=len(content), content=content, result=json.dumps(plan.summary(), ensure_ascii=False),
        rows=sum(plan.counts.values()), state=BatchState.CHECKED if plan.is_ok else BatchState.REFUSED,
        uploaded_by=actor.name, uploaded_at=now,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    return batch


def commit_batch(session: Session, batch: ImportBatch, raw: Raw, *, actor: Actor, now: datetime) -> None:
    """Store a checked workbook, read by `read_file`. It is checked again: the database may have moved meanwhile."""
    require(policy.may_import(actor))
    if batch.state != BatchState.CHECKED:
        raise Conflict(N_("The workbook has been committed or refused already."))
    bureau = session.get(Bureau, batch.bureau_id)
    assert bureau is not None
    hold_bureau(session, bureau.id)
    if same_file(session, batch.content, bureau.id) is not None:
        raise Conflict(N_("This file was imported before."))
    plan = plan_import(session, batch.content, bureau_code=bureau.code, now=now, raw=raw, actor=actor)
    if plan.is_ok and not plan.does_something:
        raise Conflict(NOTHING)
    if not plan.is_ok:
        batch.state = BatchState.REFUSED
        batch.result = json.dumps(plan.summary(), ensure_ascii=False)
        return
    _store(session, plan, batch, bureau, grants_at_once=False, actor=actor, now=now)


def load_workbook(
    session: Session, content: bytes, *, file_name: str, bureau_code: str | None, actor: Actor, now: datetime
) -> tuple[Plan, ImportBatch | None]:
    """Check and store a workbook in one go, from the command line; role rows are granted at once.

    A plan with problems stores nothing. A file that was loaded before is recognised: its batch comes back.
    """
    require(actor.is_system)
    plan = plan_import(session, content, bureau_code=bureau_code, now=now)
    bureau = session.scalar(select(Bureau).where(Bureau.code == plan.bureau_code))
    if bureau is not None:
        before = same_file(session, content, bureau.id)
        if before is not None:
            return plan, before
    if not plan.is_ok:
        return plan, None
    if not sum(plan.counts.values()):
        raise RuleViolation(NOTHING)
    if bureau is None:
        bureau = Bureau(code=plan.bureau_code)
        session.add(bureau)
        session.flush()
        timetable.ensure_rules(session, bureau.id, now=now)
    batch = _new_batch(session, content, file_name=file_name, bureau_id=bureau.id, plan=plan, actor=actor, now=now)
    _store(session, plan, batch, bureau, grants_at_once=True, actor=actor, now=now)
    return plan, batch


def _store(
    session: Session,
    plan: Plan,
    batch: ImportBatch,
    bureau: Bureau,
    *,
    grants_at_once: bool,
    actor: Actor,
    now: datetime,
) -> None:
    hold_bureau(session, bureau.id)
    codes = codes_of(session, bureau.id)
    add_subjects(session, codes, {sheet: plan.new.get(sheet, []) for sheet in ("units", "people")}, batch_id=batch.id)
    common: dict[str, object] = {"batch_id": batch.id}
    granted: dict[str, object] = {"asked_by": actor.name, "approved_by": "", "approved_at": None}
    if grants_at_once:
        granted |= {"approved_by": actor.name, "approved_at": now}
    extras: dict[str, dict[str, object]] = {
        "roles": granted,
        # On the web an imported scheme is a draft like any other; the command line is an installation.
        "schemes": {"state": SchemeState.IN_FORCE if grants_at_once else SchemeState.DRAFT},
        "entries": {"registered_by": actor.name},
    }
    for sheet in STORES:
        if sheet == "roles":
            add_accounts(session, codes, bureau.code, plan.new.get("people", []), now=now)
        insert_rows(
            session, sheet, plan.new.get(sheet, []), codes, actor=actor, now=now, **common, **extras.get(sheet, {})
        )
        if sheet in ("schemes", "documents", "clauses") and plan.new.get(sheet):
            codes.reload(session)
        for row, old in plan.changed.get(sheet, ()):
            assert old.id is not None
            update_row(session, row, old.id, codes)
            _trace_change(session, row, old, bureau.id, actor=actor, now=now)
    for permit in plan.permits:
        note_use(session, permit)
    runs.refresh_open(session, bureau.id, now=now)
    plan.is_stored = True
    batch.state = BatchState.STORED
    batch.stored_at = now
    session.flush()
    session.expire_all()
    changes = {sheet: len(found) for sheet, found in plan.new.items() if found}
    trace.record(
        session, verb="import", target=batch, label=batch.file_name,
        after={"new": changes, "file_hash": batch.file_hash}, actor=actor, now=now,
    )  # fmt: skip


def export_bureau(session: Session, bureau: Bureau, *, actor: Actor, now: datetime) -> bytes:
    """Write a bureau as a workbook: everything it has but what follows from the rest."""
    require(actor.has("assessment_office"))
    rows = stored_rows(session, codes_of(session, bureau.id))
    trace.record(session, verb="export", target=bureau, actor=actor, now=now)
    return write_workbook(layout(), {sheet: [_as_written(row) for row in found] for sheet, found in rows.items()})


def _as_written(row: Row) -> dict[str, Any]:
    """A row as it stands in a file: what has no order is blank there."""
    return {name: value for name, value in row.values.items() if not (name == "order" and value == LAST)}


@dataclass(frozen=True, slots=True)
class _Changed:
    """A row changed in bulk, as the trace wants its target."""

    __tablename__: str
    id: int
    bureau_id: int


def _trace_change(session: Session, row: Row, old: Row, bureau_id: int, *, actor: Actor, now: datetime) -> None:
    target = _Changed(STORES[row.sheet].table.name, old.id or 0, bureau_id)
    trace.record(
        session, verb="change", target=target, label=" ".join(str(part) for part in row.key if part),
        before={name: trace.plain_value(value) for name, value in old.values.items()},
        after={name: trace.plain_value(value) for name, value in row.values.items()},
        actor=actor, now=now,
    )  # fmt: skip
