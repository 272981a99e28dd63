"""What a workbook would do: its rows checked against the bureau, what is new, what differs, what may not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.documents.layout import layout
from app.documents.workbook_reader import Contents, Unread, read_workbook
from app.errors import N_, Message, RuleViolation
from app.models import (
    Account,
    Bureau,
    Scheme,
    SchemeState,
    Subject,
)
from app.policies.actor import SYSTEM, Actor
from app.policies.scoping import unscoped
from app.rules.closing import DATED, WITH_PERIOD, Permit, admitting, touched_by_days
from app.rules.passwords import canonical_username
from app.rules.timetable import local_time
from app.services.bureau.closing import acts_in_closed, closed_periods, open_permits
from app.services.ledger.posting import clause_is_used
from app.services.workbook.check import check_rows
from app.services.workbook.check_rules import scheme_days
from app.services.workbook.own import own_matters
from app.services.workbook.rows import Problem, Row, parse_rows
from app.services.workbook.store import Codes, codes_of, default_username, stored_entries, stored_rows
from app.services.workbook.tables import STORES

WHY = "a workbook is checked against the whole bureau"
Raw = Contents
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
    hints: list[Problem] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    is_stored: bool = False

    @property
    def is_ok(self) -> bool:
        return not self.problems

    @property
    def does_something(self) -> bool:
        """Whether storing it would change anything."""
        return any(self.new.values()) or any(self.changed.values())

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
        return {
            "bureau": self.bureau_code, "sheets": sheets,
            "errors": _dumped(self.problems), "hints": _dumped(self.hints),
            "unread": [asdict(place) for place in self.unread], "does_something": self.does_something,
        }  # fmt: skip


def _dumped(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [
        {
            "sheet": problem.sheet, "row": problem.row, "column": problem.column, "msgid": problem.reason.msgid,
            "params": {name: str(value) for name, value in problem.reason.params.items()}, "value": problem.value,
        }
        for problem in problems
    ]  # fmt: skip


def problems_of(summary: Mapping[str, Any], kind: str = "errors") -> list[Problem]:
    """The problems, or the `hints`, back out of a stored summary."""
    return [
        Problem(line["sheet"], line["row"], line["column"], Message(line["msgid"], line["params"]), line["value"])
        for line in summary.get(kind, ())
    ]


def read_file(content: bytes) -> Raw:
    """The rows of a workbook; done before a transaction that writes, because opening a file may take half a minute."""
    return read_workbook(content, layout())


def plan_import(
    session: Session,
    content: bytes,
    *,
    bureau_code: str | None,
    now: datetime,
    raw: Raw | None = None,
    actor: Actor = SYSTEM,
) -> Plan:
    """Read and check a workbook against itself and the database; nothing is stored. `raw`: read already.

    Without `bureau_code` the bureau is the one the sheet `units` names.
    """
    raw = read_file(content) if raw is None else raw
    rows, problems = parse_rows(raw.rows, layout())
    problems += [Problem(fault.sheet, fault.row, fault.column, fault.reason) for fault in raw.faults]
    plan = Plan(counts={sheet: len(found) for sheet, found in rows.items()}, problems=problems, unread=raw.unread)
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
    faults = {(problem.sheet, problem.row, problem.column) for problem in plan.problems}
    plan.problems += [
        problem
        for problem in check_rows(merged, plan.hints)
        if (problem.sheet, problem.row, problem.column) not in faults
    ]
    if bureau is not None and codes is not None:
        plan.problems += _forbidden_changes(session, plan, codes)
        plan.problems += own_matters(plan.new, plan.changed, codes, actor, local_time(now).date())
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
            select(Scheme.code).where(
                Scheme.bureau_id == codes.bureau_id,
                or_(Scheme.state == SchemeState.IN_FORCE, Scheme.submitted_at.is_not(None)),
            )
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
