"""Coded values in words and tones, and the two filters by which pages write numbers and dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from flask import Flask, g, get_flashed_messages
from flask_babel import gettext
from markupsafe import Markup, escape
from sqlalchemy import select

from app.extensions import db
from app.models import Person, Subject, Unit
from app.policies.actor import SYSTEM
from app.rules.numbers import plain
from app.rules.timetable import ZONE
from app.views.shell.periods import period_word
from app.views.shell.words import WORDS
from app.wording import ABSENT, say

TONES: Mapping[str, str] = {
    "draft": "amber", "in_force": "green", "for_approval": "blue", "left": "amber", "checked": "blue", "refused": "red", "stored": "green",
    "recalled": "", "waiting": "blue", "approved": "green", "ended": "", "active": "green",
    "inactive": "", "locked": "red", "no_password": "amber", "counted": "green", "reversed": "",
    "reversal": "amber", "carried": "amber", "drafted": "", "success": "green", "failed": "red", "pending": "blue", "running": "blue", "done": "green",
    "submitted": "blue", "signed": "green", "published": "solid", "returned": "red", "settled": "green", "unsettled": "amber", "open": "blue",
    "closed": "solid", "unsaved": "", "asked": "blue", "granted": "amber", "withdrawn": "", "denied": "red", "undecided": "", "new": "blue", "gone": "", "changed": "amber", "proposed": "blue", "confirmed": "solid", "unsigned": "amber", "received": "green", "unread": "blue", "read": "",
    "assigned": "blue", "under_way": "blue", "reported": "blue", "sent_back": "red", "accepted": "green", "rated": "green",
    "cancelled": "", "answered": "green", "to_answer": "amber", "said": "", "coming": "blue", "official": "green",
    "provisional": "amber", "alive": "green", "silent": "red", "sent": "green", "given_up": "red", "to_send": "blue", "blue": "blue", "yellow": "amber", "red": "red",
}  # fmt: skip


def word(kind: str, value: object) -> str:
    """The word of a coded value; the value itself where there is none."""
    if value in (None, ""):
        return ABSENT
    return str(WORDS.get(kind, {}).get(str(value), value))


TONES_OF: Mapping[str, Mapping[str, str]] = {"task_state": {"draft": "", "closed": "solid"}}


def badge(kind: str, value: str) -> Markup:
    """State as word and tone."""
    tone = TONES_OF.get(kind, {}).get(value, TONES.get(value, ""))
    name = f"k-badge k-badge--{tone}" if tone else "k-badge"
    return Markup('<span class="{}">{}</span>').format(name, word(kind, value))


def number(value: Decimal | Fraction | int | None, places: int | None = None, *, signed: bool = False) -> str:
    """Write a number for a page: thousands commas, a true minus, — for absence."""
    if value is None:
        return ABSENT
    text = plain(value, places)
    whole, dot, decimals = text.lstrip("-").partition(".")
    text = f"{int(whole):,}{dot}{decimals}"
    if Fraction(value) < 0:
        return f"−{text}"
    return f"+{text}" if signed and value else text


def day(value: date | datetime | None) -> str:
    """Write a day, or an instant in the bureau's zone."""
    if value is None:
        return ABSENT
    if isinstance(value, datetime):
        return value.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")
    return value.isoformat()


def who(name: str) -> str:
    """The name of who acted; the system has a word, not a name."""
    return str(gettext("system")) if name == SYSTEM.name else name


def or_absent(value: object) -> object:
    """— for what is not there; text as it is, escaped by the template."""
    return ABSENT if value is None or value == "" else value


def subject_names() -> dict[int, str]:
    """The newest name of every visible unit and person by subject; two queries a request."""
    if "subject_names" not in g:
        names: dict[int, str] = {}
        for model in (Unit, Person):
            rows = db.session.execute(
                select(model.subject_id, model.name).order_by(model.valid_from.asc().nulls_first())
            )
            names |= dict(rows.all())
        g.subject_names = names
    found: dict[int, str] = g.subject_names
    return found


def named_by_code() -> dict[str, str]:
    """The newest name of every visible unit and person by code; asked once a request."""
    if "named_by_code" not in g:
        names = subject_names()
        rows = db.session.execute(select(Subject.id, Subject.code))
        g.named_by_code = {code: names.get(pk, code) for pk, code in rows}
    found: dict[str, str] = g.named_by_code
    return found


def subject_name(subject: Subject | None) -> str:
    """The name of a unit or person; — for none."""
    return ABSENT if subject is None else subject_names().get(subject.id, subject.code)


def subject_label(subject: Subject) -> str:
    """Code and name, for a choice."""
    return f"{subject.code} {subject_name(subject)}"


def install(app: Flask) -> None:
    app.jinja_env.filters.update(
        period=period_word, number=number, day=day, or_absent=or_absent, role_word=lambda role: word("role", role)
    )
    app.jinja_env.globals.update(word=word, badge=badge, say=say, who=who, messages=get_flashed_messages, escape=escape)
