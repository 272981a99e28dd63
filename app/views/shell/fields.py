"""Reading the fields of a form: bounded texts, days, numbers, codes out of choices; and what may be chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from flask import abort, request
from sqlalchemy import select

from app.extensions import db
from app.models import Person, Subject, Unit
from app.rules.days import read_day
from app.rules.numbers import read_whole
from app.security import sessions

LONGEST = 4000
_BETWEEN = re.compile(r"[;；、|\n]+")


def given_texts() -> dict[str, str]:
    """What a form holds, bounded."""
    given = {name: value for name, value in request.form.items() if name not in ("csrf_token", "once")}
    if any(len(value) > LONGEST or "\0" in value for value in given.values()):
        abort(400)
    return given


def text_of(name: str) -> str:
    """One field of the form, bounded."""
    value = request.form.get(name, "")
    if len(value) > LONGEST or "\0" in value:
        abort(400)
    return value


def whole_of(name: str) -> int | None:
    """A whole number of the form; None where there is none."""
    return read_whole(request.form.get(name, "").strip())


def day_of(name: str, given: Mapping[str, str] | None = None) -> date | None:
    """A day of the form, or of what is given instead; None where there is none."""
    return read_day((request.form if given is None else given).get(name, ""))


def seen() -> int:
    """The version of the record the form was drawn from."""
    found = whole_of("seen")
    if found is None:
        abort(400)
    return found


def code_of(text: str) -> str:
    """The code a choice begins with: `03 name` is 03."""
    return text.strip().split(maxsplit=1)[0] if text.strip() else ""


def codes_in(text: str) -> list[str]:
    """The codes of several choices in one field."""
    return [code_of(it) for it in _BETWEEN.split(text) if it.strip()]


def choices(kind: str | None) -> list[str]:
    """Units and people in force today, `code name`, for the suggestions of a field."""
    today = sessions.today()
    found = []
    for name, model in (("unit", Unit), ("person", Person)):
        if kind not in (None, name):
            continue
        query = (
            select(Subject.code, model.name)
            .join(Subject, Subject.id == model.subject_id)
            .where(
                model.valid_from.is_(None) | (model.valid_from <= today),
                model.valid_to.is_(None) | (model.valid_to >= today),
            )
            .order_by(Subject.code)
        )
        found += [f"{code} {text}" for code, text in db.session.execute(query)]
    return found
