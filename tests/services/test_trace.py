"""The trace: in the same transaction, without gap, refusing change, found when tampered with."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.extensions import db, transaction
from app.models import TraceEntry
from app.policies.actor import SYSTEM, Actor
from app.security.scope import act_as
from app.services import trace
from app.services.publication import verification
from tests.conftest import NOW, let_go, make_app


def act(label: str) -> None:
    with transaction() as work:
        trace.record(work, verb="change", target="bureau", label=label, actor=SYSTEM, now=NOW)


def begun() -> int:
    """How many records `flask init` has left."""
    return int(db.session.scalar(select(func.max(TraceEntry.seq))) or 0)


def whole() -> bool:
    return verification.differences(db.session(), []) == []


def test_acts_are_linked_in_order_without_a_gap(any_app: Flask) -> None:
    before = begun()
    for label in "abc":
        act(label)

    rows = db.session.scalars(select(TraceEntry).where(TraceEntry.seq > before).order_by(TraceEntry.seq)).all()

    assert [(row.seq - before, row.target_label) for row in rows] == [(1, "a"), (2, "b"), (3, "c")]
    assert rows[1].previous_hash == rows[0].hash
    assert whole()


def test_what_is_rolled_back_leaves_no_trace(any_app: Flask) -> None:
    before = begun()
    with pytest.raises(ZeroDivisionError), transaction() as work:
        trace.record(work, verb="change", target="bureau", actor=SYSTEM, now=NOW)
        raise ZeroDivisionError

    act("after")

    assert db.session.scalar(select(func.count(TraceEntry.seq))) == before + 1
    assert whole()


def one_fact_and_its_trace() -> None:
    act("a")
    with transaction() as work:
        work.execute(text("INSERT INTO bureau (id, code) VALUES (1, 'x')"))
        work.execute(text("INSERT INTO subject (id, bureau_id, kind, code) VALUES (1, 1, 'unit', 'x')"))
        work.execute(
            text(
                "INSERT INTO clause (id, bureau_id, indicator_code, code, text, basis, effect, pricing, ladder, every_n, multipliers, duplicates, shares, cap, evidence_required, veto, replaces) "
                "VALUES (1, 1, 'I', 'c', '', '', 'award', 'fixed', '', '', '', '', '', '', false, '', '')"
            )
        )
        work.execute(
            text(
                "INSERT INTO score_entry (bureau_id, no, revision, kind, occurred_on, month, clause_id, subject_id, quantity, work_key, attrs, parties, remark, share_percent, share_divisor, reason, source, registered_by, registered_at) "
                "VALUES (1, 'n', 0, 'fact', '2026-03-01', '2026-03', 1, 1, 10000, '', '', '', '', 100000, 1, '', 'x', '', '2026-03-01')"
            )
        )


@pytest.mark.parametrize("statement", ["UPDATE {} SET reason = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["trace_entry", "score_entry"])
def test_the_database_refuses_to_change_what_is_appended(any_app: Flask, statement: str, table: str) -> None:
    one_fact_and_its_trace()

    with pytest.raises(DBAPIError, match="append-only"), transaction() as work:
        work.execute(text(statement.format(table)))


@pytest.mark.parametrize("table", ["score_entry", "trace_entry"])
def test_no_row_is_replaced_on_sqlite(app: Flask, table: str) -> None:
    one_fact_and_its_trace()
    columns = ", ".join(row[1] for row in db.session.execute(text(f"PRAGMA table_info({table})")))
    key = columns.split(",", maxsplit=1)[0]

    with pytest.raises(DBAPIError, match="never replaced"), transaction() as work:
        work.execute(
            text(f"INSERT OR REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table} ORDER BY {key} LIMIT 1")
        )


TAMPERINGS = {
    "changed": ("UPDATE trace_entry SET target_label = 'X' WHERE seq = {0} + 3", 3),
    "one byte": ("UPDATE trace_entry SET after = after || ' ' WHERE seq = {0} + 2", 2),
    "deleted": ("DELETE FROM trace_entry WHERE seq = {0} + 4", 4),
    "tail cut": ("DELETE FROM trace_entry WHERE seq = {0} + 6", 6),
    "swapped": ("UPDATE trace_entry SET seq = CASE seq WHEN {0} + 2 THEN {0} + 3 ELSE {0} + 2 END + 1000 WHERE seq IN ({0} + 2, {0} + 3); UPDATE trace_entry SET seq = seq - 1000 WHERE seq > 1000", 2),
    "inserted": ("INSERT INTO trace_entry SELECT {0} + 7, at, bureau_id, actor_id, actor_name, actor_role, address, session_ref, request_id, verb, target_type, target_id, target_label, result, reason, before, after, previous_hash, hash FROM trace_entry WHERE seq = {0} + 6", 7),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_in_a_copy_is_named_at_its_place(app: Flask, home: Path, tmp_path: Path, kind: str) -> None:
    before = begun()
    for label in "abcdef":
        act(label)
    db.session.remove()
    db.engine.dispose()
    shutil.copytree(home, tmp_path / "copy")
    statements, place = TAMPERINGS[kind]
    copy = sqlite3.connect(tmp_path / "copy" / "kaoji.db", isolation_level=None)
    for trigger in ("trace_entry_no_update", "trace_entry_no_delete"):
        copy.execute(f"DROP TRIGGER {trigger}")
    copy.executescript(statements.format(before))
    copy.close()

    moved = make_app(tmp_path / "copy")
    with moved.app_context():
        done = moved.test_cli_runner().invoke(args=["verify"])
        let_go(moved)

    assert done.exit_code == 1
    assert f" {before + place} " in done.stderr


def test_fifty_acts_at_once_give_fifty_links(any_app: Flask) -> None:
    before = begun()

    def work_in_a_thread(label: str) -> None:
        with any_app.app_context():
            act_as(db.session(), SYSTEM)
            act(label)
            db.session.remove()

    threads = [threading.Thread(target=work_in_a_thread, args=(str(index),)) for index in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    db.session.rollback()
    assert db.session.scalar(select(func.max(TraceEntry.seq))) == before + 50
    assert whole()


def test_secrets_and_unchanged_fields_stay_out(app: Flask) -> None:
    before = begun()
    with transaction() as work:
        trace.record(
            work, verb="change", target="bureau", before={"a": 1, "b": 2}, after={"a": 1, "b": 3},
            actor=Actor(name="甲", roles=frozenset({"staff"}), address="127.0.0.1"), now=NOW,
        )  # fmt: skip

    row = db.session.scalars(select(TraceEntry).where(TraceEntry.seq > before)).one()

    assert (row.before, row.after) == ('{"b": 2}', '{"b": 3}')
    assert (row.actor_name, row.actor_role, row.address) == ("甲", "staff", "127.0.0.1")
