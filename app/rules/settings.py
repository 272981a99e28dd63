"""What a bureau may settle for its processes beyond its schemes: the shape of such a rule, and how its text is read.

A rule is a short text with a reader of its own; rows are dated, and the one in force on the day of the fact holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.errors import N_, Message, RuleViolation

# What is worth something without a word of whoever registers: the night posts under such clauses only.
PRICED = ("fixed", "ladder", "every_n")


@dataclass(frozen=True, slots=True)
class ProcessRuleKind:
    """One thing that may be settled: its process, its words, what holds without a row, and how its text is read."""

    process: str
    title: Message
    default: str
    read: Callable[[str], Any]
    is_clause: bool = False
    is_priced: bool = False


def small_whole(text: str) -> int | None:
    """A whole number of at most four digits; None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None


def read_count(text: str) -> int:
    """A whole number from 0 to 366."""
    found = small_whole(text)
    if found is None or found > 366:
        raise RuleViolation(N_("This is a whole number from 0 to 366."), field_name="value")
    return found


def read_codes(text: str) -> tuple[str, ...]:
    """Codes of clauses, separated by `;`; none where it is blank."""
    return tuple(it.strip() for it in text.split(";") if it.strip())


def read_code(text: str) -> str:
    """One code of a clause, or nothing."""
    found = read_codes(text)
    if len(found) > 1:
        raise RuleViolation(N_("Only one clause can stand here."), field_name="value")
    return found[0] if found else ""
