"""The one door of what people type: what cannot be stored is refused by name, what nobody sees is left out.

Forms, query strings, paths and names of files come through here before any page reads them, so that a blank of no
width is no text, a mark of direction makes no second name, and no character breaks an export later.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from flask import Flask, Request, g, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.routing import IntegerConverter

from app.errors import N_, RuleViolation
from app.extensions import BEFORE_WRITING, db
from app.rules.texts import around, illegal_in, seen
from app.security import sessions
from app.services.bureau import closing
from app.services.process import submissions

LARGEST_KEY = 2**31 - 1
# What is compared to the letter and shown to nobody.
UNTOUCHED = frozenset({"password", "current", "repeated", "csrf_token", "once"})


class HouseRequest(Request):
    """A request whose texts hold what a person sees and nothing else."""

    def _load_form_data(self) -> None:
        is_new = "form" not in self.__dict__
        super()._load_form_data()
        if is_new:
            self.__dict__["form"] = _cleaned(self.__dict__["form"])

    @cached_property
    def args(self) -> MultiDict[str, str]:  # type: ignore[override]
        return _cleaned(super().args)


def _cleaned(given: MultiDict[str, str]) -> ImmutableMultiDict[str, str]:
    return ImmutableMultiDict(
        (name, value if name in UNTOUCHED else seen(value)) for name, value in given.items(multi=True)
    )


class KeyConverter(IntegerConverter):
    """`<int:pk>`: a key as the database has it, in its one form."""

    regex = r"[1-9][0-9]{0,9}"

    def __init__(self, url_map: Any, **more: Any) -> None:
        super().__init__(url_map, **{"max": LARGEST_KEY, **more})


def _texts() -> Iterator[str]:
    yield request.path
    for source in (request.args, request.form):
        for name, value in source.items(multi=True):
            yield from (name, value)
    for name, file in request.files.items(multi=True):
        yield from (name, file.filename or "")


def _refuse() -> None:
    """Refuse a request that holds a character no text may hold, before anything reads it."""
    for text in _texts():
        found = illegal_in(text)
        if found is not None:
            raise RuleViolation(
                N_(
                    "“%(around)s” holds a character that cannot be stored (%(character)s, shown as □). "
                    "Go back, delete it and send the form again; what you typed is still there.",
                    around=around(text), character=found,
                )
            )  # fmt: skip


def _begin_once() -> None:
    """What the first transaction of a signed-in person's form begins with: its key is taken, its bureau held.

    A form that is refused has taken nothing and may be sent again; one that only looks (a preview) takes nothing.
    Held, one form at a time looks and writes in a bureau, on PostgreSQL as on SQLite with its one writer.
    """
    info = db.session().info
    info.pop(BEFORE_WRITING, None)
    if request.method == "POST" and g.get("actor") is not None and g.actor.account_id is not None:
        key, actor, now = request.form.get("once", ""), g.actor, sessions.now()

        def begin(work: Session) -> None:
            if actor.bureau_id is not None:
                closing.hold_bureau(work, actor.bureau_id)
            submissions.take(work, key, actor=actor, now=now)

        info[BEFORE_WRITING] = begin


def install(app: Flask) -> None:
    app.request_class = HouseRequest
    app.url_map.converters["int"] = KeyConverter


def watch(app: Flask) -> None:
    """After the hooks that know who is signed in, so that a refusal stands on a page of the portal."""
    app.before_request(_refuse)
    app.before_request(_begin_once)
    app.jinja_env.globals["form_key"] = submissions.new_key
