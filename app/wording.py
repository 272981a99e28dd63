"""Putting sentences into words: the one place where a `Message` becomes text in the language of the reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from flask_babel import force_locale, gettext

from app.errors import Message
from app.rules.numbers import plain

ABSENT = "—"
OFFICIAL = "zh"


def say(message: Message) -> str:
    """Translate a sentence, and put its parameters into words: exact numbers, and sentences inside it."""
    if not message.msgid:
        return ""
    params = {name: _worded(value) for name, value in message.params.items()}
    return str(gettext(message.msgid, **params)) if params else str(gettext(message.msgid))


def _worded(value: object) -> object:
    if callable(value):
        return value()
    if isinstance(value, Message):
        return say(value)
    return plain(value) if isinstance(value, Fraction) else value


@contextmanager
def official() -> Iterator[None]:
    """What becomes part of an official document is Chinese, whatever language the page is shown in."""
    with force_locale(OFFICIAL):
        yield
