"""What the verbs of all processes are made with."""

from __future__ import annotations

from app.errors import N_, RuleViolation

NOT_YOURS = N_("This is not yours to do: it belongs to others, or you have a part in the task yourself.")


def needed(text: str, field: str = "reason", most: int = 2000) -> str:
    """A text that must be given, bounded."""
    found = text.strip()
    if not found:
        raise RuleViolation(N_("This must be filled."), field_name=field)
    if len(found) > most:
        raise RuleViolation(N_("At most %(count)s characters.", count=most), field_name=field)
    return found
