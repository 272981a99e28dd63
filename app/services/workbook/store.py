"""A bureau as rows of the workbook: how the tables are read into rows and rows written into tables.

One declaration per sheet says which column of the workbook is which column of the table; reading, comparing,
storing and exporting all follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.models import (
    Account,
    Bureau,
    Clause,
    Document,
    Scheme,
    ScoreEntry,
    Subject,
)
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.passwords import canonical_username
from app.services.ledger.posting import live_facts, post_facts
from app.services.workbook.check_rules import scheme_days
from app.services.workbook.rows import DEFAULTS, Row
from app.services.workbook.tables import STORES

WHY = "a workbook carries a whole bureau"
SLICE = 500


@dataclass(slots=True)
class Codes:
    """The ids of a bureau's rows by their codes."""

    bureau_id: int
    subjects: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    schemes: dict[str, int] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    clauses: dict[str, int] = field(default_factory=dict)

    def reload(self, session: Session) -> None:
        """Read the ids anew; five small statements."""
        rows = unscoped(session, WHY)
        for name, table in (
            ("subjects", Subject.__table__), ("schemes", Scheme.__table__),
            ("documents", Document.__table__), ("clauses", Clause.__table__),
        ):  # fmt: skip
            found = rows.execute(select(table.c.code, table.c.id).where(table.c.bureau_id == self.bureau_id))
            setattr(self, name, dict(found.all()))
        account = Account.__table__
        ids = {pk: code for code, pk in self.subjects.items()}
        found = rows.execute(select(account.c.subject_id, account.c.id).where(account.c.bureau_id == self.bureau_id))
        self.accounts = {ids[subject]: pk for subject, pk in found if subject in ids}


def codes_of(session: Session, bureau_id: int) -> Codes:
    codes = Codes(bureau_id)
    codes.reload(session)
    return codes


def stored_rows(session: Session, codes: Codes, *, without: frozenset[str] = frozenset()) -> dict[str, list[Row]]:
    """Everything a bureau has, as rows of the workbook; entries are the live facts, in order."""
    return {sheet: [] if sheet in without else list(_stored_sheet(session, sheet, codes)) for sheet in STORES}


def _stored_sheet(session: Session, sheet: str, codes: Codes) -> Iterator[Row]:
    table = STORES[sheet].table
    query = select(table).where(table.c.bureau_id == codes.bureau_id)
    if sheet == "entries":
        query = query.where(*live_facts()).order_by(table.c.occurred_on, table.c.no)
    elif sheet == "grade_rules":
        query = query.order_by(table.c.scheme_id, table.c.position, table.c.id)
    else:
        query = query.order_by(table.c.id)
    yield from _as_rows(session, sheet, query, codes)


def stored_entries(session: Session, codes: Codes, numbers: Iterable[str]) -> dict[str, Row]:
    """The live facts with these numbers, by number; asked in slices."""
    table = ScoreEntry.__table__
    wanted = list(dict.fromkeys(numbers))
    found: dict[str, Row] = {}
    for start in range(0, len(wanted), SLICE):
        query = select(table).where(
            table.c.bureau_id == codes.bureau_id, table.c.no.in_(wanted[start : start + SLICE]), *live_facts()
        )
        found |= {row.values["no"]: row for row in _as_rows(session, "entries", query, codes)}
    return found


def _as_rows(session: Session, sheet: str, query: Any, codes: Codes) -> Iterator[Row]:
    store = STORES[sheet]
    names = {kind: {pk: code for code, pk in getattr(codes, kind).items()} for _, kind in store.references.values()}
    extra = _usernames(session, codes) if sheet == "people" else {}
    for record in unscoped(session, WHY).execute(query).mappings():
        if any(
            record[column] is not None and record[column] not in names[kind]
            for column, kind in store.references.values()
        ):
            continue  # a grant of an account without a person has no place in a workbook
        values: dict[str, Any] = dict(DEFAULTS.get(sheet, {}))
        for key, column in store.plain.items():
            value = record[column]
            if value is not None and value != "":
                values[key] = _out(value)
        for key, (column, kind) in store.references.items():
            if record[column] is not None:
                values[key] = names[kind][record[column]]
        if sheet == "people" and values["staff_no"] in extra:
            values["username"] = extra[values["staff_no"]]
        if sheet == "schemes" and scheme_days({"year": values["year"]}) == scheme_days(values):
            values.pop("in_force_from"), values.pop("in_force_to")
        yield Row(sheet, values, None, record["id"])


def _out(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return value.normalize() if value else Decimal(0)
    return value


def _usernames(session: Session, codes: Codes) -> dict[str, str]:
    """Sign-in names that were chosen; the one made of bureau code and staff number is left blank."""
    ids = {pk: code for code, pk in codes.subjects.items()}
    account = Account.__table__
    bureau = (
        unscoped(session, WHY)
        .execute(select(Bureau.__table__.c.code).where(Bureau.__table__.c.id == codes.bureau_id))
        .scalar_one()
    )
    found = unscoped(session, WHY).execute(
        select(account.c.subject_id, account.c.username).where(account.c.bureau_id == codes.bureau_id)
    )
    names = {ids[subject]: name for subject, name in found if subject in ids}
    return {code: name for code, name in names.items() if name != default_username(bureau, code)}


def default_username(bureau: str, staff_no: str) -> str:
    """Bureau code, hyphen, staff number."""
    return canonical_username(f"{bureau}-{staff_no}")


def insert_rows(
    session: Session, sheet: str, rows: list[Row], codes: Codes, *, actor: Actor, now: datetime, **common: object
) -> None:
    """Insert rows of one sheet in bulk; `common` goes into every row (batch, names of who asked)."""
    if not rows:
        return
    table = STORES[sheet].table
    records = [{**record_of(row, codes), **common} for row in rows]
    if sheet == "grade_rules":
        for position, record in enumerate(records):
            record["position"] = position
    if sheet == "entries":
        post_facts(session, codes.bureau_id, records, source="import", actor=actor, now=now)
    else:
        unscoped(session, WHY).execute(insert(table), records)


def update_row(session: Session, row: Row, pk: int, codes: Codes) -> None:
    """Bring one stored row to what the file says."""
    table = STORES[row.sheet].table
    unscoped(session, WHY).execute(update(table).where(table.c.id == pk).values(**record_of(row, codes)))


def record_of(row: Row, codes: Codes) -> dict[str, Any]:
    store = STORES[row.sheet]
    record: dict[str, Any] = {"bureau_id": codes.bureau_id}
    for key, column in store.plain.items():
        value = row.values.get(key)
        if column == "evidence_required":
            value = value == "yes"
        if value is None and not store.table.c[column].nullable:
            value = ""
        record[column] = value
    for key, (column, kind) in store.references.items():
        code = row.values.get(key)
        record[column] = None if code is None else getattr(codes, kind)[code]
    if row.sheet == "schemes":
        first, last = scheme_days(row.values)
        record |= {"in_force_from": first, "in_force_to": last}
    return record


def add_subjects(session: Session, codes: Codes, rows: Mapping[str, list[Row]], *, batch_id: int) -> None:
    """Make the subjects that units and people name for the first time."""
    table = Subject.__table__
    new: dict[str, str] = {}
    for kind, sheet, column in (("unit", "units", "code"), ("person", "people", "staff_no")):
        for row in rows[sheet]:
            if row.values[column] not in codes.subjects:
                new.setdefault(row.values[column], kind)
    if new:
        unscoped(session, WHY).execute(
            insert(table),
            [
                {"bureau_id": codes.bureau_id, "kind": kind, "code": code, "batch_id": batch_id}
                for code, kind in new.items()
            ],
        )
        codes.reload(session)


def add_accounts(session: Session, codes: Codes, bureau_code: str, rows: list[Row], *, now: datetime) -> None:
    """Make one account per new person, without a password, in bulk."""
    table = Account.__table__
    latest = sorted(rows, key=lambda row: row.values.get("from") or date.min)
    new = {row.values["staff_no"]: row.values for row in latest if row.values["staff_no"] not in codes.accounts}
    if not new:
        return
    records = []
    for staff_no, values in new.items():
        username = canonical_username(values.get("username") or default_username(bureau_code, staff_no))
        records.append(
            {
                "username": username,
                "first_name": values["name"][1:],
                "last_name": values["name"][:1],
                "email": f"{username}@kaoji.invalid",
                "active": True,
                "password": "",
                "bureau_id": codes.bureau_id,
                "subject_id": codes.subjects[staff_no],
                "must_change_password": False,
                "failed_sign_ins": 0,
                "login_count": 0,
                "fail_login_count": 0,
                "created_on": now.replace(tzinfo=None),
                "changed_on": now.replace(tzinfo=None),
            }
        )
    unscoped(session, WHY).execute(insert(table), records)
    codes.reload(session)
