"""Anchors of the trace outside the database, and files held against their records: trust demands AT-04, AT-05."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db, transaction
from app.models import Attachment, Bureau
from app.policies.actor import SYSTEM
from app.services import trace
from app.services.process import attachments
from app.services.publication import anchors
from tests.conftest import NOW

KEY = "k" * 43


def act(label: str) -> None:
    with transaction() as work:
        trace.record(work, verb="change", target="bureau", label=label, actor=SYSTEM, now=NOW)


def anchored(path: Path) -> list[str]:
    found, faults = anchors.read(path, KEY)
    return [str(it) for it in (*faults, *anchors.differences(db.session(), found))]


@pytest.fixture
def path(app: Flask, tmp_path: Path) -> Path:
    file = tmp_path / "elsewhere" / anchors.FILE
    for day in range(3):
        act(f"day {day}")
        seq, digest = trace.head(db.session())
        anchors.append(file, KEY, seq=seq, digest=digest, now=NOW + timedelta(days=day))
    return file


def unguarded(*statements: str) -> None:
    """What somebody does who has the database: the triggers go first."""
    with transaction() as work:
        for name in ("trace_entry_no_update", "trace_entry_no_delete"):
            work.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        for statement in statements:
            work.execute(text(statement))


def test_a_chain_that_only_grew_holds(path: Path) -> None:
    act("later")

    assert anchored(path) == []


def test_a_tail_that_was_cut_with_its_head_is_found(path: Path) -> None:
    seq, _ = trace.head(db.session())
    unguarded(
        f"DELETE FROM trace_entry WHERE seq = {seq}",
        f"UPDATE trace_head SET seq = {seq - 1}, hash = (SELECT hash FROM trace_entry WHERE seq = {seq - 1})",
    )

    assert "cut" in anchored(path)[0]


def test_a_chain_computed_anew_is_found(path: Path) -> None:
    unguarded("UPDATE trace_entry SET hash = substr(hash, 2) || 'f'")

    assert "anew" in anchored(path)[0]


@pytest.mark.parametrize(
    "change", [lambda line: line.replace(" ", " 9", 1), lambda _: "x", lambda line: line[:-1] + "g"]
)
def test_a_line_of_the_file_that_was_changed_is_named(path: Path, change: object) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], change(lines[1]), lines[2]]))  # type: ignore[operator]

    assert anchored(path) == ["Line 2 of the anchors of the trace was changed."]


def test_files_that_are_gone_changed_or_owned_by_nobody_are_named(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    with transaction() as work:
        bureau = Bureau(code="x")
        work.add(bureau)
        work.flush()
        for name in ("whole", "changed", "gone"):
            work.add(_attachment(bureau, name, folder))
    attachments.path_of(folder, "changed").write_bytes(b"other")
    attachments.path_of(folder, "gone").unlink()
    stray, fresh = folder / "zz" / "zz-old", folder / "zz" / "zz-new"
    stray.parent.mkdir()
    for file in (stray, fresh):
        file.write_bytes(b"?")
    os.utime(stray, (time.time() - 7200, time.time() - 7200))

    found = [str(it) for it in attachments.differences(db.session(), folder, now=datetime.now(UTC))]

    assert [it.rsplit(" ", 1)[-1] for it in found] == ["changed.", "gone.", "record."]
    assert "zz-old" in found[2]


def _attachment(bureau: Bureau, name: str, folder: Path) -> Attachment:
    path = attachments.path_of(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    return Attachment(
        bureau_id=bureau.id, item_type="supervised_task", item_id=1, name=f"{name}.txt", stored_name=name,
        media_type="text/plain", size=len(name), checksum=hashlib.sha256(name.encode()).hexdigest(),
        uploaded_by="x", uploaded_at=NOW,
    )  # fmt: skip
