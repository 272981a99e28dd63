"""Where the trace stood each day, written outside the database: who rewrites the whole chain does not reach it.

A line a day, appended: when, number of the newest record, its hash, and a mac under a key of the data folder. Where
the file lies on another disk or machine, who has the database has not the file; who has the file has not the key.
Source: trust demand AT-05.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import TraceEntry
from app.policies.scoping import unscoped
from app.rules.numbers import read_whole

WHY = "the chain is one, whosever its records are"
FILE = "trace_anchors"
FIELDS = 4
SLICE = 500


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the trace stood: the newest record's number and hash, and on which line that is said."""

    line: int
    said_at: str
    seq: int
    digest: str


def _mac(key: str, said_at: str, seq: int, digest: str) -> str:
    return hmac.new(key.encode(), f"{said_at} {seq} {digest}".encode(), hashlib.sha256).hexdigest()


def append(path: Path, key: str, *, seq: int, digest: str, now: datetime) -> None:
    """Write where the trace stands, durably. Raises OSError where the file cannot be written."""
    said_at = now.isoformat(timespec="seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        file.write(f"{said_at} {seq} {digest} {_mac(key, said_at, seq, digest)}\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, key: str) -> tuple[list[Anchor], list[Message]]:
    """The anchors of a file, and the lines that are none of this installation's."""
    found, faults = [], []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        seq = read_whole(parts[1]) if len(parts) == FIELDS else None
        if seq is None or not hmac.compare_digest(_mac(key, parts[0], seq, parts[2]).encode(), parts[3].encode()):
            faults.append(N_("Line %(line)s of the anchors of the trace was changed.", line=number))
        else:
            found.append(Anchor(number, parts[0], seq, parts[2]))
    return found, faults


def differences(session: Session, anchors: Sequence[Anchor]) -> Iterator[Message]:
    """The first anchor the stored chain does not hold: cut before it, or written anew."""
    table = TraceEntry.__table__.c
    for start in range(0, len(anchors), SLICE):
        part = anchors[start : start + SLICE]
        query = select(table.seq, table.hash).where(table.seq.in_([anchor.seq for anchor in part]))
        stored: dict[int, str] = dict(unscoped(session, WHY).execute(query).all())
        for anchor in part:
            if anchor.seq not in stored:
                yield N_("The trace was cut: on %(day)s it had %(seq)s records.", day=anchor.said_at, seq=anchor.seq)
                return
            if stored[anchor.seq] != anchor.digest:
                yield N_(
                    "The trace was written anew: record %(seq)s is not the one of %(day)s.",
                    seq=anchor.seq, day=anchor.said_at,
                )  # fmt: skip
                return
