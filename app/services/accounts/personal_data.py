"""Which personal data the portal holds, why, who reads them and how long they stay; and that its people were told.

Source: trust demand PI-05; Personal Information Protection Law of the PRC, articles 6, 7, 17, 35.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session

from app.models import Account
from app.policies.actor import Actor
from app.services import trace

FILE = Path(__file__).parents[2] / "data" / "personal_data.toml"
WORDS = ("label", "why", "readers", "kept")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of personal data in the words of `data/personal_data.toml`, and the columns that hold it by table."""

    label: str
    why: str
    readers: str
    kept: str
    columns: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Notice:
    """What is held, and what is said beside it: what is not collected, on what ground, what people may ask."""

    kinds: tuple[Kind, ...]
    none: str
    basis: str
    rights: str


@cache
def notice() -> Notice:
    """The list as it stands in the file."""
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    kinds = tuple(
        Kind(
            **{name: entry[name] for name in WORDS},
            columns={name: tuple(columns) for name, columns in entry.items() if name not in WORDS},
        )
        for entry in data["item"]
    )
    return Notice(kinds, data["none"], data["basis"], data["rights"])


def note_informed(session: Session, account: Account, *, actor: Actor, now: datetime) -> None:
    """Somebody has read the list at the first sign-in; said once."""
    if account.informed_at is not None:
        return
    account.informed_at = now
    session.flush()
    trace.record(session, verb="informed", target=account, label=account.username, actor=actor, now=now)
