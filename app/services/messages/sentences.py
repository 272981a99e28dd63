"""Sentences as they are stored: msgid and parameters as JSON, worded only when shown."""

from __future__ import annotations

import json
from fractions import Fraction

from app.errors import Message
from app.rules.numbers import plain

INNER = "sentence"


def dump(message: Message) -> str:
    """A sentence as it is stored, to be translated when shown."""
    return json.dumps(_frozen(message), ensure_ascii=False)


def _frozen(message: Message) -> list[object]:
    return [message.msgid, {name: _plain(value) for name, value in message.params.items()}]


def _plain(value: object) -> object:
    if callable(value):
        return _plain(value())
    if isinstance(value, Message):
        return {INNER: _frozen(value)}
    if isinstance(value, Fraction):
        return plain(value)
    return value if isinstance(value, int | str) or value is None else str(value)


def undump(text: str) -> Message:
    """A stored sentence; the empty text is the empty sentence."""
    return _revived(json.loads(text)) if text else Message("")


def _revived(stored: list[object]) -> Message:
    msgid, params = stored
    assert isinstance(params, dict)
    found = {name: _revived(value[INNER]) if isinstance(value, dict) else value for name, value in params.items()}
    return Message(str(msgid), found)
