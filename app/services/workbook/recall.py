"""Taking a workbook back: its entries are reversed, its rows withdrawn where nothing else uses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import (
    Account,
    BatchState,
    Bulletin,
    ImportBatch,
    PeriodScore,
    RoleGrant,
    RunLedger,
    ScoreEntry,
    ScoreError,
    Subject,
)
from app.policies import imports as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.bulletin import BulletinState
from app.services import trace
from app.services.bureau.closing import closed_periods, hold_bureau
from app.services.jobs import runs
from app.services.ledger.posting import live_facts
from app.services.ledger.reversal import reverse_with_parts
from app.services.workbook.tables import STORES

WHY = "a batch is taken back whole"


def recall_batch(session: Session, batch: ImportBatch, *, reason: str, actor: Actor, now: datetime) -> Counter[str]:
    """Take a batch back: its entries are reversed, rows nothing else uses are withdrawn.

    Answers how many rows were withdrawn, kept and reversed. Refused where a period was closed with it.
    """
    require(policy.may_recall(actor, batch))
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    _refuse_if_published(session, batch)
    done: Counter[str] = Counter()
    done["reversed"] = _reverse_entries(session, batch, reason=reason, actor=actor, now=now)
    for sheet in reversed(list(STORES)):
        if sheet != "entries":
            _withdraw(session, STORES[sheet].table, batch, done)
    _withdraw_subjects(session, batch, done)
    assert batch.bureau_id is not None
    runs.refresh_open(session, batch.bureau_id, now=now)
    _forget_scores(session, batch)
    batch.state = BatchState.RECALLED
    batch.recalled_by, batch.recalled_at, batch.recall_reason = actor.name, now, reason
    session.flush()
    session.expire_all()
    trace.record(
        session, verb="recall_import", target=batch, label=batch.file_name, reason=reason,
        after=dict(done), actor=actor, now=now,
    )  # fmt: skip
    return done


def _refuse_if_published(session: Session, batch: ImportBatch) -> None:
    """Refuse a batch that a closed period rests on: its entries, or rules and people it brought before the closing."""
    assert batch.bureau_id is not None
    hold_bureau(session, batch.bureau_id)
    closed = closed_periods(session, batch.bureau_id)
    entry, published = ScoreEntry.__table__.c, Bulletin.__table__.c
    rows = unscoped(session, WHY)
    used = rows.execute(select(entry.month).where(entry.batch_id == batch.id, entry.month.in_(closed)).limit(1)).first()
    later = rows.execute(
        select(published.id).where(
            published.bureau_id == batch.bureau_id,
            published.state == BulletinState.PUBLISHED,
            published.published_at >= batch.stored_at,
        )
    ).first()
    if used is not None or (later is not None and _brought_rules(session, batch)):
        raise RuleViolation(N_("A published period rests on this batch: it can no longer be recalled."))


def _brought_rules(session: Session, batch: ImportBatch) -> bool:
    """Whether the batch brought anything but entries."""
    return any(
        unscoped(session, WHY).execute(select(func.count()).where(_table(sheet).c.batch_id == batch.id)).scalar_one()
        for sheet in STORES
        if sheet != "entries"
    )


def _forget_scores(session: Session, batch: ImportBatch) -> None:
    """Stored scores of open periods are derived from what was taken back: they wait for the next settlement."""
    assert batch.bureau_id is not None
    closed = closed_periods(session, batch.bureau_id)
    for table in (PeriodScore.__table__, ScoreError.__table__):
        mine = (table.c.bureau_id == batch.bureau_id) & table.c.period.not_in(closed)
        unscoped(session, WHY).execute(delete(table).where(mine))
    run = RunLedger.__table__
    open_runs = (run.c.bureau_id == batch.bureau_id) & run.c.period.not_in(closed)
    unscoped(session, WHY).execute(update(run).where(open_runs).values(settled_on=None))


def _reverse_entries(session: Session, batch: ImportBatch, *, reason: str, actor: Actor, now: datetime) -> int:
    table = ScoreEntry.__table__
    facts = select(table).where(table.c.batch_id == batch.id, *live_facts())
    rows = [dict(row) for row in unscoped(session, WHY).execute(facts).mappings()]
    reverse_with_parts(session, rows, reason=reason, actor=actor, now=now)
    return len(rows)


def _table(sheet: str) -> Any:
    return STORES[sheet].table


# What keeps a row of a recalled batch: rows of another batch that name it. Entries stay for ever, so a
# clause that has any stays too, because the reversed ones still show what they were registered under.
USERS: Mapping[str, tuple[tuple[Any, str, str], ...]] = {
    "clause": ((_table("entries"), "clause_id", "id"),),
    "document": (
        (_table("clauses"), "document_id", "id"),
        (_table("external_results"), "document_id", "id"),
    ),
    "scheme": ((_table("indicators"), "scheme_id", "id"), (_table("grade_rules"), "scheme_id", "id")),
    "indicator": (
        (_table("clauses"), "indicator_code", "code"),
        (_table("targets"), "indicator_code", "code"),
        (_table("external_results"), "indicator_code", "code"),
    ),
}


def _withdraw(session: Session, table: Any, batch: ImportBatch, done: Counter[str]) -> None:
    """Delete the batch's rows of one table that no other batch uses."""
    mine = table.c.batch_id == batch.id
    used = []
    for user, column, own in USERS.get(table.name, ()):
        is_other = or_(user.c.batch_id.is_(None), user.c.batch_id != batch.id)
        names_it = (user.c[column] == table.c[own]) & (user.c.bureau_id == table.c.bureau_id)
        used.append(exists().where(names_it if user is _table("entries") else names_it & is_other))
    unused = mine & ~or_(*used) if used else mine
    done["withdrawn"] += unscoped(session, WHY).execute(delete(table).where(unused)).rowcount
    done["kept"] += unscoped(session, WHY).execute(select(func.count()).select_from(table).where(mine)).scalar_one()


def _withdraw_subjects(session: Session, batch: ImportBatch, done: Counter[str]) -> None:
    """Subjects of the batch that nothing names any more go, with accounts that were never used."""
    subject, account = Subject.__table__, Account.__table__
    candidates = set(
        unscoped(session, WHY).execute(select(subject.c.id).where(subject.c.batch_id == batch.id)).scalars()
    )
    if not candidates:
        return
    kept: set[int] = set()
    for table in subject.metadata.tables.values():
        for column in table.columns:
            if any(key.column.table is subject for key in column.foreign_keys) and table is not account:
                kept |= set(unscoped(session, WHY).execute(select(column).where(column.in_(candidates))).scalars())
    used_accounts = set(
        unscoped(session, WHY)
        .execute(
            select(account.c.subject_id).where(
                account.c.subject_id.in_(candidates),
                or_(account.c.password != "", exists().where(RoleGrant.account_id == account.c.id)),
            )
        )
        .scalars()
    )
    gone = candidates - kept - used_accounts
    unscoped(session, WHY).execute(delete(account).where(account.c.subject_id.in_(gone)))
    unscoped(session, WHY).execute(delete(subject).where(subject.c.id.in_(gone)))
    done["withdrawn"] += len(gone)
    done["kept"] += len(candidates) - len(gone)
