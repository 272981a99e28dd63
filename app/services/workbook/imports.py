"""A workbook comes in: checked, previewed, stored whole or not at all, and taken back as a batch."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.documents.layout import layout
from app.documents.workbook_reader import RawRow, read_workbook
from app.documents.workbook_writer import write_workbook
from app.errors import N_, Conflict, Message, RuleViolation
from app.models import (
    Account,
    BatchState,
    Bureau,
    ImportBatch,
    Scheme,
    SchemeState,
    Subject,
)
from app.policies import imports as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.closing import DATED, WITH_PERIOD, Permit, admitting, touched_by_days
from app.rules.passwords import canonical_username
from app.services import trace
from app.services.bureau.closing import acts_in_closed, closed_periods, hold_bureau, note_use, open_permits
from app.services.jobs import runs, timetable
from app.services.ledger.posting import clause_is_used
from app.services.workbook.check import check_rows
from app.services.workbook.check_rules import scheme_days
from app.services.workbook.rows import Problem, Row, parse_rows
from app.services.workbook.store import (
    STORES,
    Codes,
    add_accounts,
    add_subjects,
    codes_of,
    default_username,
    insert_rows,
    stored_entries,
    stored_rows,
    update_row,
)

WHY = "a workbook is checked against the whole bureau"
LONGEST_SIGN_IN_NAME = 64
IN_FORCE = N_("A scheme in force is never edited; a new version is a new code.")


@dataclass(slots=True)
class Plan:
    """What a workbook would do: new, unchanged and changed rows per sheet, or the problems that stop it."""

    bureau_code: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    new: dict[str, list[Row]] = field(default_factory=dict)
    changed: dict[str, list[tuple[Row, Row]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    permits: list[Permit] = field(default_factory=list)
    is_stored: bool = False

    @property
    def is_ok(self) -> bool:
        return not self.problems

    def summary(self) -> dict[str, Any]:
        """The plan as JSON: per sheet rows, new, changed, unchanged, wrong; and the problems."""
        wrong = Counter(problem.sheet for problem in self.problems)
        sheets = {
            sheet: {
                "rows": count,
                "new": len(self.new.get(sheet, ())),
                "changed": len(self.changed.get(sheet, ())),
                "unchanged": count - len(self.new.get(sheet, ())) - len(self.changed.get(sheet, ())),
                "wrong": wrong[sheet],
            }
            for sheet, count in self.counts.items()
        }
        errors = [
            {
                "sheet": it.sheet, "row": it.row, "column": it.column, "msgid": it.reason.msgid,
                "params": {name: str(value) for name, value in it.reason.params.items()}, "value": it.value,
            }
            for it in self.problems
        ]  # fmt: skip
        return {"bureau": self.bureau_code, "sheets": sheets, "errors": errors}


def problems_of(summary: Mapping[str, Any]) -> list[Problem]:
    """The problems back out of a stored summary."""
    return [
        Problem(it["sheet"], it["row"], it["column"], Message(it["msgid"], it["params"]), it["value"])
        for it in summary["errors"]
    ]


Raw = Mapping[str, list[RawRow]]


def read_file(content: bytes) -> Raw:
    """The rows of a workbook; done before a transaction that writes, because opening a file may take half a minute."""
    return read_workbook(content, layout())


def plan_import(
    session: Session, content: bytes, *, bureau_code: str | None, now: datetime, raw: Raw | None = None
) -> Plan:
    """Read and check a workbook against itself and the database; nothing is stored. `raw`: read already.

    Without `bureau_code` the bureau is the one the sheet `units` names.
    """
    rows, problems = parse_rows(read_file(content) if raw is None else raw, layout())
    plan = Plan(counts={sheet: len(found) for sheet, found in rows.items()}, problems=problems)
    named = next((row.get("code") for row in rows["units"] if row.get("kind") == "bureau"), None)
    plan.bureau_code = bureau_code or named or ""
    if not plan.bureau_code:
        plan.problems.append(Problem("units", None, None, N_("The file has no bureau; name one that is there.")))
        return plan
    bureau = session.scalar(select(Bureau).where(Bureau.code == plan.bureau_code))
    if bureau is None and bureau_code is not None and named is None:
        raise RuleViolation(N_("There is no bureau “%(code)s”.", code=bureau_code))
    if named is not None and bureau_code is not None and named != bureau_code:
        plan.problems.append(
            Problem("units", None, "kind", N_("The file is of bureau “%(code)s”, not of this one.", code=named))
        )
        return plan
    merged = rows
    codes: Codes | None = None
    if bureau is not None:
        codes = codes_of(session, bureau.id)
        stored = stored_rows(session, codes, without=frozenset({"entries"}))
        numbers = [row.get("no") for row in rows["entries"] if row.get("no") is not None]
        stored["entries"] = list(stored_entries(session, codes, numbers).values())
        merged = _merge(plan, rows, stored)
    else:
        plan.new = {sheet: list(found) for sheet, found in rows.items()}
    faults = {(it.sheet, it.row, it.column) for it in plan.problems}
    plan.problems += [it for it in check_rows(merged) if (it.sheet, it.row, it.column) not in faults]
    if bureau is not None and codes is not None:
        plan.problems += _forbidden_changes(session, plan, codes)
        plan.problems += _closed_touched(session, plan, bureau.id, now=now)
    plan.problems += _taken_names(session, plan)
    order = {sheet: index for index, sheet in enumerate(rows)}
    plan.problems.sort(key=lambda it: (order[it.sheet], it.row or 0, it.column or ""))
    return plan


def _merge(plan: Plan, rows: Mapping[str, list[Row]], stored: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Put file rows beside the stored ones; a file row takes the place of the stored row with its key."""
    merged: dict[str, list[Row]] = {}
    for sheet, found in rows.items():
        by_key = {row.key: row for row in stored[sheet]}
        replaced: set[tuple[object, ...]] = set()
        plan.new[sheet], plan.changed[sheet] = [], []
        for row in found:
            old = by_key.get(row.key)
            if old is None:
                plan.new[sheet].append(row)
            elif row.key not in replaced:
                if sheet == "people" and "username" not in row.values and "username" in old.values:
                    row.values["username"] = old.values["username"]
                if row.values != old.values:
                    plan.changed[sheet].append((row, old))
                replaced.add(row.key)
        merged[sheet] = [row for row in stored[sheet] if row.key not in replaced] + found
    return merged


def _difference(row: Row, old: Row) -> str:
    names = [
        name for name in {**STORES[row.sheet].plain, **STORES[row.sheet].references} if row.get(name) != old.get(name)
    ]
    return names[0] if names else "code"


def _closed_touched(session: Session, plan: Plan, bureau_id: int, *, now: datetime) -> Iterable[Problem]:
    """Rows that would act in a period whose results are published, and that no permit names."""
    closed = closed_periods(session, bureau_id)
    if not closed:
        return
    permits = open_permits(session, bureau_id, now=now)
    for sheet in (*sorted(DATED), *sorted(WITH_PERIOD)):
        column = "from" if sheet in DATED else "period"
        pairs: list[tuple[Row | None, Row]] = [(None, row) for row in plan.new.get(sheet, ())]
        pairs += [(old, row) for row, old in plan.changed.get(sheet, ())]
        for old, row in pairs:
            before = None if old is None else old.values
            touched, permit = admitting(permits, sheet, before, row.values, closed)
            if touched is not None:
                yield Problem(sheet, row.number, column, acts_in_closed(touched))
            elif permit is not None:
                plan.permits.append(permit)
    for row in plan.new.get("schemes", ()):
        touched = touched_by_days([scheme_days(row.values)], closed)
        if touched is not None:
            yield Problem("schemes", row.number, "in_force_from", acts_in_closed(touched))


def _forbidden_changes(session: Session, plan: Plan, codes: Codes) -> Iterable[Problem]:
    """What may not change any more: entries, schemes in force, clauses once used."""
    for row, old in plan.changed.get("entries", ()):
        yield Problem(
            "entries",
            row.number,
            _difference(row, old),
            N_("An entry is never changed; reverse it and register a new one."),
        )
    in_force = set(
        session.scalars(
            select(Scheme.code).where(Scheme.bureau_id == codes.bureau_id, Scheme.state == SchemeState.IN_FORCE)
        )
    )
    for row, old in plan.changed.get("schemes", ()):
        if row.get("code") in in_force:
            yield Problem("schemes", row.number, _difference(row, old), IN_FORCE)
    for sheet in ("indicators", "grade_rules"):
        for row, old in plan.changed.get(sheet, ()):
            if row.get("scheme") in in_force:
                yield Problem(sheet, row.number, _difference(row, old), IN_FORCE)
        for row in plan.new.get(sheet, ()):
            if row.get("scheme") in in_force:
                yield Problem(sheet, row.number, "scheme", IN_FORCE)
    for row, old in plan.changed.get("clauses", ()):
        if old.id is not None and clause_is_used(session, old.id, codes.bureau_id):
            yield Problem(
                "clauses",
                row.number,
                _difference(row, old),
                N_("A clause that was used is not edited; a new price is a new code."),
            )


def _taken_names(session: Session, plan: Plan) -> list[Problem]:
    """Sign-in names are unique in the installation, whatever the bureau."""
    wanted = {
        canonical_username(row.get("username") or default_username(plan.bureau_code, row.get("staff_no"))): row
        for row in plan.new.get("people", ())
        if row.get("staff_no") is not None
    }
    if not wanted:
        return []
    account, subject, bureau = Account.__table__, Subject.__table__, Bureau.__table__
    taken = unscoped(session, WHY).execute(
        select(account.c.username, subject.c.code, bureau.c.code)
        .select_from(account)
        .outerjoin(subject, subject.c.id == account.c.subject_id)
        .outerjoin(bureau, bureau.c.id == account.c.bureau_id)
    )
    owners = {name: (code, of) for name, code, of in taken}
    problems = []
    for name, row in wanted.items():
        if len(name) > LONGEST_SIGN_IN_NAME:
            problems.append(
                Problem(
                    "people",
                    row.number,
                    "username",
                    N_("The text is longer than %(limit)s characters.", limit=LONGEST_SIGN_IN_NAME),
                )
            )
        elif name in owners and owners[name] != (row.get("staff_no"), plan.bureau_code):
            problems.append(
                Problem("people", row.number, "username", N_("The sign-in name “%(name)s” is taken.", name=name))
            )
    return problems


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
    plan = plan_import(session, batch.content, bureau_code=bureau.code, now=now, raw=raw)
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
        "schemes": {"state": SchemeState.IN_FORCE},
        "entries": {"registered_by": actor.name},
    }
    for sheet in STORES:
        if sheet == "roles":
            add_accounts(session, codes, bureau.code, plan.new.get("people", []), now=now)
        insert_rows(session, sheet, plan.new.get(sheet, []), codes, now=now, **common, **extras.get(sheet, {}))
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
    return write_workbook(layout(), {sheet: [row.values for row in found] for sheet, found in rows.items()})


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
