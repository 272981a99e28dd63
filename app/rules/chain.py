"""How links of the trace are hashed and where a broken chain is named.

Source: trust demand AT-04; SHA-256 over canonical JSON (sorted keys, no blanks, UTF-8) of all fields and
the hash before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GENESIS = "0" * 64


def link_hash(fields: Mapping[str, object], previous: str) -> str:
    """Hash one record: every field but the hashes, and the hash of the record before it."""
    text = json.dumps({**fields, "previous_hash": previous}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """A stored record of the trace: its number, what it says, and the hashes it carries."""

    seq: int
    fields: Mapping[str, object]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain is broken and how: `missing`, `changed`, `unlinked` or `tail`."""

    seq: int
    kind: str


def first_break(links: Iterable[Link], *, head_seq: int, head_hash: str) -> Break | None:
    """Walk the links in order of their numbers and name the first that does not hold; None: whole."""
    expected, previous = 1, GENESIS
    for link in links:
        if link.seq != expected:
            return Break(expected, "missing")
        if link_hash(link.fields, link.previous) != link.digest:
            return Break(link.seq, "changed")
        if link.previous != previous:
            return Break(link.seq, "unlinked")
        expected, previous = link.seq + 1, link.digest
    if (expected - 1, previous) != (head_seq, head_hash):
        return Break(expected, "tail")
    return None
