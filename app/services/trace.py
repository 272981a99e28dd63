"""What leaves a trace and how: facts are noted during a unit of work and linked just before its commit.

The chain's head is locked last, so that a long job does not hold it. Source: trust demands AT-01 to AT-04.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import event, insert, select, update
from sqlalchemy.orm import Session

from app.models import TraceEntry, TraceHead
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.chain import GENESIS, Link, link_hash

WHY = "the chain is one for everybody"
PENDING = "trace_pending"
HARMLESS = frozenset({"sign_in", "sign_out", "informed", "read", "export", "download"})
HIDDEN = frozenset({"password", "content", "result", "token_hash"})
_ROWS = TraceEntry.__table__
_HEAD = TraceHead.__table__
_HASHED = tuple(column.name for column in _ROWS.columns if column.name not in {"previous_hash", "hash"})


def facts_of(record: object) -> dict[str, Any]:
    """The columns of a record as plain JSON values; secrets and file contents left out."""
    table = record.__table__  # type: ignore[attr-defined]
    unloaded = set(getattr(record, "_sa_instance_state").unloaded)  # noqa: B009 - SQLAlchemy's name
    names = [column.name for column in table.columns if column.name not in HIDDEN | unloaded]
    return {name: plain_value(getattr(record, name)) for name in names if hasattr(record, name)}


def authors(session: Session, target_type: str, ids: Iterable[int]) -> set[int | None]:
    """The accounts that added, changed or imported some records of a table."""
    entry = TraceEntry.__table__.c
    query = select(entry.actor_id).where(
        entry.target_type == target_type, entry.target_id.in_([str(key) for key in ids]),
        entry.verb.in_(("add", "change", "draft_version", "import")),
    )  # fmt: skip
    return set(unscoped(session, WHY).execute(query.distinct()).scalars())


def has_moved(session: Session, seq: int) -> bool:
    """Whether anything was done since the record `seq` that may have changed a row: not only come, gone, or read."""
    entry = TraceEntry.__table__.c
    query = select(entry.seq).where(
        entry.seq > seq, entry.result == "success", entry.verb.not_in(HARMLESS)
    )  # fmt: skip
    return unscoped(session, WHY).execute(query.limit(1)).first() is not None


def plain_value(value: object) -> object:
    """A value as JSON holds it: numbers and days as text."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def record(
    session: Session,
    *,
    verb: str,
    target: Any,
    actor: Actor,
    now: datetime,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    label: str = "",
    reason: str = "",
    result: str = "success",
) -> None:
    """Note one act; it is written with the unit of work or not at all.

    `target` is a record with its key already flushed, or a bare word for what has no record.
    """
    session.connection()  # a transaction has begun, so that its rollback forgets what was noted
    is_record = not isinstance(target, str)
    changed = _changed(before, after)
    session.info.setdefault(PENDING, []).append(
        {
            "at": now,
            "bureau_id": getattr(target, "bureau_id", None) if is_record else actor.bureau_id,
            "actor_id": actor.account_id,
            "actor_name": actor.name,
            "actor_role": ",".join(sorted(actor.roles)),
            "address": actor.address,
            "session_ref": actor.session_ref,
            "request_id": actor.request_id,
            "verb": verb,
            "target_type": target.__tablename__ if is_record else target,  # type: ignore[attr-defined]
            "target_id": str(getattr(target, "id", "")) if is_record else "",
            "target_label": (label or (repr(target) if is_record else ""))[:300],
            "result": result,
            "reason": reason,
            "before": _dump(changed[0]),
            "after": _dump(changed[1]),
        }
    )


def _changed(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[Mapping[str, object] | None, Mapping[str, object] | None]:
    """Where both sides are known, keep the fields that differ."""
    if before is None or after is None:
        return before, after
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def _dump(facts: Mapping[str, object] | None) -> str:
    if not facts:
        return ""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, default=str)


def _canonical(row: Mapping[str, Any]) -> dict[str, object]:
    fields = {name: row[name] for name in _HASHED}
    fields["at"] = row["at"].isoformat(timespec="microseconds").replace("+00:00", "Z")
    return fields


def _link(session: Session) -> None:
    """Link what the unit of work noted to the chain: the last thing before its commit."""
    pending = session.info.get(PENDING)
    if not pending:
        return
    session.flush()
    session.info[PENDING] = []
    connection = unscoped(session, WHY)
    head = connection.execute(select(_HEAD.c.seq, _HEAD.c.hash).with_for_update()).one()
    seq, digest = head.seq, head.hash
    rows = []
    for noted in pending:
        seq += 1
        row = {**noted, "seq": seq, "previous_hash": digest}
        digest = link_hash(_canonical(_in_utc(row)), digest)
        rows.append({**row, "hash": digest})
    connection.execute(insert(_ROWS), rows)
    connection.execute(update(_HEAD).values(seq=seq, hash=digest))


def _in_utc(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {**row, "at": row["at"].astimezone(UTC)}


def _forget(session: Session, *_rest: object) -> None:
    session.info.pop(PENDING, None)


event.listen(Session, "before_commit", _link)
event.listen(Session, "after_rollback", _forget)


def links(session: Session) -> Iterator[Link]:
    """The stored chain in order of its numbers, read in slices."""
    found = unscoped(session, WHY).execute(select(_ROWS).order_by(_ROWS.c.seq).execution_options(yield_per=2000))
    for row in found.mappings():
        yield Link(row["seq"], _canonical(_in_utc(row)), row["previous_hash"], row["hash"])


def head(session: Session) -> tuple[int, str]:
    """The newest number and hash; the genesis if the row is gone."""
    row = unscoped(session, WHY).execute(select(_HEAD.c.seq, _HEAD.c.hash)).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def timeline(session: Session, record: object, *, limit: int = 50) -> list[dict[str, Any]]:
    """The acts on one record and on the import that brought it, newest first.

    The caller has checked that the record may be seen.
    """
    table = record.__tablename__  # type: ignore[attr-defined]
    if table == _ROWS.name:
        return []
    mine = (_ROWS.c.target_type == table) & (_ROWS.c.target_id == str(record.id))  # type: ignore[attr-defined]
    batch = getattr(record, "batch_id", None)
    if batch is not None:
        came = (_ROWS.c.target_type == "import_batch") & (_ROWS.c.target_id == str(batch))
        mine |= came & _ROWS.c.verb.in_(("import", "recall_import"))
    rows = unscoped(session, WHY).execute(select(_ROWS).where(mine).order_by(_ROWS.c.seq.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]
