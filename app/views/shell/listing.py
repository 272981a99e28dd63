"""What a list is declared with: columns, filters, actions; and the page that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import abort
from sqlalchemy import ColumnElement, or_, select

from app.extensions import db
from app.models.org import Subject
from app.rules.days import read_day
from app.rules.texts import widths_of
from app.views.shell.labels import WORDS, badge, day, number, word
from app.wording import ABSENT

Render = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list or a row of a show page: its label, how it is written, what it sorts by."""

    name: str
    label: Any
    render: Render
    order: Any = None
    is_number: bool = False


def text(name: str, label: Any, order: Any = None, *, of: Render | None = None) -> Column:
    """A column of plain text."""
    get = of or (lambda record: getattr(record, name))
    return Column(name, label, lambda record: get(record) if get(record) not in (None, "") else ABSENT, order)


def coded(name: str, label: Any, kind: str | None = None, order: Any = None) -> Column:
    """A column of a coded value, written as its word."""
    return Column(name, label, lambda record: word(kind or name, getattr(record, name)), order)


def dated(name: str, label: Any, order: Any = None) -> Column:
    """A column of a day or an instant."""
    return Column(name, label, lambda record: day(getattr(record, name)), order)


def figure(name: str, label: Any, order: Any = None, *, places: int | None = None) -> Column:
    """A column of numbers, right-aligned."""
    return Column(name, label, lambda record: number(getattr(record, name), places), order, is_number=True)


def state(name: str, label: Any, of: Callable[[Any], str]) -> Column:
    """A column of states, each a badge."""
    return Column(name, label, lambda record: badge("state", of(record)))


@dataclass(frozen=True, slots=True)
class Filter:
    """One field of the filter bar; `where` turns its text into a criterion, None for no match at all."""

    name: str
    label: Any
    where: Callable[[str], ColumnElement[bool] | None]
    kind: str = "text"
    choices: Callable[[], Sequence[tuple[str, Any]]] = field(default=lambda: ())


def holds(column: Any, value: str) -> ColumnElement[bool]:
    """Whether a column holds a text in either width; `%` and `_` mean themselves."""
    return or_(*(column.icontains(text, autoescape=True) for text in widths_of(value)))


def contains(name: str, label: Any, *columns: Any) -> Filter:
    """A text searched in some columns."""
    return Filter(name, label, lambda value: or_(*(holds(column, value) for column in columns)))


def chosen(name: str, label: Any, column: Any, kind: str, keys: Iterable[str] | None = None) -> Filter:
    """One of the words of a coded column."""
    known = tuple(keys) if keys is not None else tuple(WORDS[kind])
    return Filter(
        name,
        label,
        lambda value: (column == value) if value in known else None,
        "select",
        lambda: [(key, WORDS[kind][key]) for key in known],
    )


def on_or_after(name: str, label: Any, column: Any) -> Filter:
    return Filter(name, label, lambda value: column >= day_argument(value), "date")


def on_or_before(name: str, label: Any, column: Any) -> Filter:
    return Filter(name, label, lambda value: column <= day_argument(value), "date")


def day_argument(value: str) -> date:
    found = read_day(value)
    if found is None:
        abort(400)
    return found


@dataclass(frozen=True, slots=True)
class Action:
    """A verb on a row or a page: a link, or a POST with a question asked first."""

    label: Any
    url: str
    is_post: bool = False
    question: str = ""
    is_danger: bool = False
    is_primary: bool = False
    icon: str = ""


@dataclass(slots=True)
class Page:
    """What the list template needs: rows as rendered cells, counts, links."""

    head: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    total: int
    first: int
    last: int
    pages: list[int | None]
    page: int
    size: int


def named(name: str, label: Any, column: Any, *models: Any) -> Filter:
    """Rows whose subject has this very code; where nobody has, whose code or name holds the text."""

    def where(value: str) -> ColumnElement[bool]:
        exact = select(Subject.id).where(Subject.code == value)
        if db.session.scalar(exact.limit(1)) is not None:
            return column.in_(exact)  # type: ignore[no-any-return]
        codes = select(Subject.id).where(holds(Subject.code, value))
        found = column.in_(codes)
        for model in models:
            found |= column.in_(select(model.subject_id).where(holds(model.name, value)))
        return found  # type: ignore[no-any-return]

    return Filter(name, label, where)
