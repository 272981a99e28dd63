"""Posting facts to the ledger: the month each counts in, which attempt it is, and the parts of those who share.

Every door to the ledger ends here: workbook, registration page, voucher, and the processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import exists, func, insert, select
from sqlalchemy.orm import Session, aliased

from app.errors import N_, NotPermitted, RuleViolation
from app.models import Clause, EntryKind, ScoreEntry, Subject
from app.policies.actor import Actor
from app.policies.free import free
from app.policies.scoping import unscoped
from app.rules.closing import Permit
from app.rules.periods import counting_month
from app.rules.scoring.apportionment import Part
from app.rules.timetable import local_time
from app.services.bureau.closing import closed_periods, open_permits
from app.services.ledger.apportioning import ids_of, post_parts, share_out

WHY = "numbers, months and occasions are the ledger's own"
SLICE = 500
_ENTRY = ScoreEntry.__table__


TO_COME = N_("This day has not come yet: a fact is registered when it has happened.")


def post_facts(
    session: Session,
    bureau_id: int,
    records: list[dict[str, Any]],
    *,
    source: str,
    source_id: int | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    """Store facts with their parts. `records` hold the columns of the fact; a `month` that stands there is kept.

    A fact of a closed month counts in the next open one, unless a permit names it. One that is about the actor, or of
    which a part would be his, is refused whatever door it came by.
    """
    if not records:
        return
    place_in_months(session, bureau_id, records, now=now)
    revisions = _revisions(session, bureau_id, [record["no"] for record in records])
    for record in records:
        record |= {
            "kind": EntryKind.FACT, "registered_at": now, "revision": revisions.get(record["no"], 0),
            "occasion": record.get("occasion", ""),
            "share_percent": Decimal(100), "share_divisor": 1, "reason": "", "source": source,
            "source_id": record.get("source_id", source_id),
        }  # fmt: skip
    parts = share_out(session, bureau_id, records)
    _refuse_own(session, bureau_id, records, parts, actor)
    if not actor.is_system and any(record["occurred_on"] > local_time(now).date() for record in records):
        raise RuleViolation(TO_COME, field_name="occurred_on")
    unscoped(session, WHY).execute(insert(_ENTRY), records)
    post_parts(session, bureau_id, parts)


def _refuse_own(
    session: Session,
    bureau_id: int,
    records: Sequence[Mapping[str, Any]],
    parts: Mapping[str, Sequence[Part]],
    actor: Actor,
) -> None:
    ids = {} if actor.is_system or not parts else ids_of(session, bureau_id)
    for record in records:
        others = {ids[part.subject] for part in parts.get(record["no"], ()) if part.subject in ids}
        if not free(actor, {record["subject_id"], *others}):
            raise NotPermitted(N_("Entry %(no)s is about yourself, or about a unit you answer for.", no=record["no"]))


def parties_in(session: Session, bureau_id: int, record: Mapping[str, Any]) -> set[int]:
    """Whom a fact that is about to be stored is about: its subject, and everybody with a part in it."""
    parts = share_out(session, bureau_id, [dict(record)]).get(record["no"], [])
    ids = ids_of(session, bureau_id) if parts else {}
    return {record["subject_id"], *(ids[part.subject] for part in parts if part.subject in ids)}


def place_in_months(session: Session, bureau_id: int, records: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Give each fact the month it counts in, and the permit by which that month is open."""
    closed = closed_periods(session, bureau_id)
    permits = open_permits(session, bureau_id, now=now) if closed else []
    scopes = _scopes(session, bureau_id) if permits else None
    for record in records:
        permit = None
        if scopes is not None:
            subject, line = scopes[0][record["subject_id"]], scopes[1][record["clause_id"]]
            permit = next((permit for permit in permits if _opens(permit, record, closed, subject, line)), None)
        rest = closed if permit is None else closed - permit.opens(closed, longer=False)
        record.setdefault("month", str(counting_month(record["occurred_on"], rest)))
        record["permit_id"] = None if permit is None else permit.id


def _opens(permit: Permit, record: dict[str, Any], closed: frozenset[str], subject: str, line: str) -> bool:
    month = str(counting_month(record["occurred_on"], ()))
    return month in permit.opens(closed, longer=False) and permit.admits({subject}, line)


def _scopes(session: Session, bureau_id: int) -> tuple[dict[int, str], dict[int, str]]:
    """Subject codes and lines of clauses by id, by which permits are asked."""
    subject, clause = Subject.__table__.c, Clause.__table__.c
    rows = unscoped(session, WHY)
    subjects = rows.execute(select(subject.id, subject.code).where(subject.bureau_id == bureau_id))
    lines = rows.execute(select(clause.id, clause.indicator_code).where(clause.bureau_id == bureau_id))
    return dict(subjects.all()), dict(lines.all())


def _revisions(session: Session, bureau_id: int, numbers: list[str]) -> dict[str, int]:
    """For numbers that were used and reversed: the next revision."""
    found: dict[str, int] = {}
    for start in range(0, len(numbers), SLICE):
        rows = unscoped(session, WHY).execute(
            select(_ENTRY.c.no, _ENTRY.c.revision).where(
                _ENTRY.c.bureau_id == bureau_id,
                _ENTRY.c.kind == EntryKind.FACT,
                _ENTRY.c.no.in_(numbers[start : start + SLICE]),
            )
        )
        for number, revision in rows:
            found[number] = max(found.get(number, 0), revision + 1)
    return found


# How many numbers are looked at for the greatest before all are.
LOOKED_AT = 50


def next_number(session: Session, bureau_id: int, prefix: str) -> str:
    """The next running number under a prefix, `PREFIX-0001`; drawn while the bureau is held."""
    query = select(_ENTRY.c.no).where(
        _ENTRY.c.bureau_id == bureau_id, _ENTRY.c.no.like(f"{prefix}-____%"), _ENTRY.c.kind == EntryKind.FACT
    )
    longest_first = query.order_by(func.length(_ENTRY.c.no).desc(), _ENTRY.c.no.desc())
    # The greatest is among the first, but where somebody imported many numbers that are none.
    for statement in (longest_first.limit(LOOKED_AT), longest_first):
        numbers = [number.removeprefix(f"{prefix}-") for number in unscoped(session, WHY).execute(statement).scalars()]
        last = next((int(text) for text in numbers if text.isascii() and text.isdigit()), 0)
        if last or len(numbers) < LOOKED_AT:
            break
    return f"{prefix}-{last + 1:04d}"


def live_facts() -> tuple[Any, ...]:
    """Conditions for facts that are neither reversals nor reversed nor derived."""
    again = aliased(_ENTRY)
    reversed_ids = select(again.c.reverses_id).where(again.c.reverses_id.is_not(None))
    return (_ENTRY.c.kind == "fact", _ENTRY.c.id.not_in(reversed_ids))


def clause_is_used(session: Session, clause_id: int, bureau_id: int) -> bool:
    """Whether a fact counts under a clause, or one did in a published period: reversed since, it counted there."""
    entry = _ENTRY.c
    counts = select(exists().where(entry.clause_id == clause_id, *live_facts()))
    months = closed_periods(session, bureau_id)
    counted = select(exists().where(entry.clause_id == clause_id, entry.month.in_(months)))
    rows = unscoped(session, WHY)
    return bool(rows.scalar(counts)) or bool(rows.scalar(counted))
