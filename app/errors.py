"""What can go wrong that a person can be told: four errors and the sentence each carries."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """An English sentence with named parameters, translated once, at the edge that shows it.

    A parameter may be a function of no arguments, called only when the sentence is shown.
    """

    msgid: str
    params: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        values = {name: value() if callable(value) else value for name, value in self.params.items()}
        return self.msgid % values if values else self.msgid


def N_(msgid: str, **params: object) -> Message:  # noqa: N802 - the name gettext tools know
    """Mark an English sentence for translation and bind its parameters."""
    return Message(msgid, params)


class HouseError(Exception):
    """Base of the four errors; `message` is shown to the person, translated."""

    def __init__(self, message: Message, *, field_name: str | None = None) -> None:
        super().__init__(str(message))
        self.message = message
        self.field_name = field_name


class RuleViolation(HouseError):
    """The request breaks a rule; the person can correct it and try again."""


class WrongPassword(RuleViolation):
    """A password somebody gave for his own is not his."""


class NotPermitted(HouseError):
    """The person has no right to this verb or this record."""


class Busy(HouseError):
    """There is no place for this at the moment; the same a little later is welcome."""


class Conflict(HouseError):
    """Somebody else was faster, or the record changed underneath."""
