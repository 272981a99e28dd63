"""The base of generated pages: one list, one show page, one form, scoped, bounded and in the portal's look.

FAB gives routes, permissions and generated forms; what it leaves open is mended here once: filters that
belong to the request, arguments that are checked, errors that keep what was typed, services that write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from flask import abort, g, request, url_for
from flask_appbuilder import ModelView, expose, has_access
from flask_appbuilder.forms import DynamicForm
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy import Select, func, select
from werkzeug.wrappers import Response

from app.documents.workbook_writer import write_table
from app.errors import N_, RuleViolation
from app.extensions import db, short_transaction
from app.rules.numbers import read_whole
from app.security import sessions
from app.services import trace
from app.services.accounts.exposure import subjects_in
from app.views.shell.files import xlsx
from app.views.shell.listing import Action, Column, Filter, Page
from app.views.shell.timeline import acts_of, bare

PAGE_SIZES = (25, 50, 100)
MOST_EXPORTED = 50_000
LONGEST_ARGUMENT = 200
LARGEST_KEY = 2**31 - 1
ARGUMENTS = frozenset({"sort", "size", "page", "all"})


class HouseView(ModelView):  # type: ignore[misc]
    """A list and a show page over one model, in the scope of the request; nothing is written here."""

    model: ClassVar[Any]
    columns: ClassVar[Sequence[Column]] = ()
    detail: ClassVar[Sequence[Column]] = ()
    filters: ClassVar[Sequence[Filter]] = ()
    default_order: ClassVar[Sequence[Any]] = ()
    page_title: ClassVar[Any] = ""
    empty_text: ClassVar[Any] = ""
    crumb: ClassVar[Any] = ""
    base_permissions: ClassVar[Any] = ["can_list", "can_show", "can_export"]
    search_columns: ClassVar[Any] = []
    include_route_methods: ClassVar[Any] = {"list", "show", "export"}
    add_form = edit_form = search_form = DynamicForm  # FAB would generate forms nobody sees
    list_template = "shell/list.html"
    show_template = "shell/show.html"

    # what a page may add -----------------------------------------------------------------------------------

    def tools(self) -> list[Action]:
        """Verbs of the whole list."""
        return []

    def row_actions(self, record: Any) -> list[Action]:
        """Verbs of one row, at most three."""
        return [Action(gettext("View"), self.link(record))]

    def look_up(self, records: Sequence[Any]) -> None:
        """Read at once what the columns need of all the rows; a column never asks the database row by row."""

    def sums(self, criteria: Sequence[Any]) -> Sequence[tuple[str, str]]:
        """Sums of what is filtered, beside its count."""
        return ()

    def default_arguments(self) -> dict[str, str]:
        """Filters that hold when none is given."""
        return {}

    def title_of(self, record: Any) -> str:
        return repr(record)

    def page_meta(self) -> str:
        return ""

    # reading -----------------------------------------------------------------------------------------------

    @property
    def key(self) -> Any:
        """The key by which one record is asked for: the model's attribute, so that counts are scoped as well."""
        return getattr(self.model, self.model.__mapper__.primary_key[0].name)

    def link(self, record: Any) -> str:
        return url_for(f"{self.endpoint}.show", pk=getattr(record, self.key.key))

    def can(self, permission: str) -> bool:
        return bool(self.appbuilder.sm.has_access(permission, self.class_permission_name))

    def arguments(self) -> dict[str, str]:
        """The filters of the request; too long a text is refused, and a name that is none: it would find everything."""
        unknown = request.args.keys() - {choice.name for choice in self.filters} - ARGUMENTS
        if unknown:
            raise RuleViolation(N_("“%(name)s” is no filter of this list.", name=min(unknown)[:64]))
        given = {choice.name: request.args.get(choice.name, "").strip() for choice in self.filters}
        if any(len(value) > LONGEST_ARGUMENT or "\0" in value for value in given.values()):
            abort(400)
        if not request.args:
            given |= self.default_arguments()
        return given

    def criteria(self, given: dict[str, str]) -> list[Any]:
        found = []
        for choice in self.filters:
            if given.get(choice.name):
                criterion = choice.where(given[choice.name])
                if criterion is None:
                    abort(400)
                found.append(criterion)
        return found

    def statement(self) -> Select[Any]:
        return select(self.model)

    def ordering(self) -> tuple[str, bool, list[Any]]:
        """The sort of the request: column name, whether descending, and the ORDER BY."""
        name = request.args.get("sort", "")
        is_descending = name.startswith("-")
        name = name.lstrip("-")
        key = self.key.desc() if is_descending else self.key
        if not name:
            return "", False, [*self.default_order, self.key.desc()]
        column = next((column for column in self.columns if column.name == name and column.order is not None), None)
        if column is None:
            abort(400)
        return name, is_descending, [column.order.desc() if is_descending else column.order, key]

    def whole(self, name: str, default: int, *, most: int) -> int:
        """A whole-number argument between 1 and `most`; anything else is a bad request."""
        given = request.args.get(name)
        if given is None or given == "":
            return default
        found = read_whole(given, least=1, most=most)
        if found is None:
            abort(400)
        return found

    def record(self, pk: str) -> Any:
        """One record of the request's scope; 404 whether it is absent or hidden."""
        return record_of(self.model, self.key, pk)

    # pages -------------------------------------------------------------------------------------------------

    @expose("/list/")
    @has_access
    def list(self) -> str:
        given = self.arguments()
        criteria = self.criteria(given)
        sort, is_descending, order = self.ordering()
        size = self.whole("size", PAGE_SIZES[0], most=PAGE_SIZES[-1])
        page = self.whole("page", 1, most=LARGEST_KEY)
        total = db.session.scalar(select(func.count(self.key)).select_from(self.model).where(*criteria)) or 0
        # The keys of the page first: joined to what they name, a database may begin at the other table and read it all.
        keys = select(self.key).select_from(self.model).where(*criteria).order_by(*order)
        shown = self.key.in_(keys.limit(size).offset((page - 1) * size))
        query = self.statement().where(shown).order_by(*order)
        records = db.session.scalars(query).unique().all()
        self.look_up(records)
        return str(
            self.render_template(
                self.list_template,
                title=self.page_title,
                view=self,
                page=self._page(records, total, page, size, sort, is_descending),
                given=given,
                is_filtered=any(given.values()),
                sums=self.sums(criteria),
                tools=self.tools(),
                sizes=PAGE_SIZES,
                address=self._address,
            )
        )

    def _address(self, **changes: object) -> str:
        """This list with some arguments changed; filters, sort and page live in the address."""
        kept = {name: value for name, value in request.args.items() if value}
        if not request.args:
            kept = dict(self.default_arguments())
        merged = {**kept, **{name: str(value) for name, value in changes.items()}}
        kept_values: dict[str, Any] = {name: value for name, value in merged.items() if value}
        return url_for(f"{self.endpoint}.list", **kept_values)

    def _page(
        self,
        records: Sequence[Any],
        total: int,
        page: int,
        size: int,
        sort: str,
        is_descending: bool,
    ) -> Page:
        head = [
            {
                "label": column.label,
                "is_number": column.is_number,
                "sort": column.name if column.order is not None else "",
                "direction": ("descending" if is_descending else "ascending") if sort == column.name else "",
                "next": f"-{column.name}" if sort == column.name and not is_descending else column.name,
            }
            for column in self.columns
        ]
        rows = [
            {
                "cells": [(column.render(record), column.is_number) for column in self.columns],
                "link": self.link(record),
                "actions": self.row_actions(record),
            }
            for record in records
        ]
        count = max(1, -(-total // size))
        near = sorted({1, 2, count, *range(max(1, page - 2), min(count, page + 2) + 1)} & set(range(1, count + 1)))
        pages: list[int | None] = []
        for index, it in enumerate(near):
            if index and it - near[index - 1] > 1:
                pages.append(None)
            pages.append(it)
        first = (page - 1) * size + 1 if records else 0
        return Page(head, rows, total, first, first + len(records) - 1 if records else 0, pages, page, size)

    @expose("/show/<pk>")
    @has_access
    def show(self, pk: str) -> str:
        record = self.record(pk)
        self.look_up([record])
        self.note_reading(record)
        return str(
            self.render_template(
                self.show_template,
                title=self.title_of(record),
                view=self,
                record=record,
                facts=[(it.label, it.render(record)) for it in self.detail or self.columns],
                actions=[row_action for row_action in self.row_actions(record) if row_action.url != self.link(record)],
                acts=acts_of(record, {bare(column.name) for column in self.detail or self.columns}),
                **self.show_extras(record),
            )
        )

    def show_extras(self, record: Any) -> dict[str, Any]:
        return {}

    def note_reading(self, record: Any) -> None:
        """Where reading counts, leave a trace of it."""

    @expose("/export/")
    @has_access
    def export(self) -> Response:
        """What is filtered, all pages, as xlsx; the export is traced."""
        given = self.arguments()
        _, _, order = self.ordering()
        query = self.statement().where(*self.criteria(given)).order_by(*order).limit(MOST_EXPORTED)
        records = db.session.scalars(query).unique().all()
        self.look_up(records)
        rows = [[plain_cell(column.render(record)) for column in self.columns] for record in records]
        with short_transaction() as work:
            trace.record(
                work, verb="export", target=self.model.__tablename__, label=f"{self.page_title} {len(rows)}",
                after={**{name: value for name, value in given.items() if value}, "subjects": subjects_in(records)},
                actor=g.actor, now=sessions.now(),
            )  # fmt: skip
        content = write_table(str(self.page_title), [str(column.label) for column in self.columns], rows)
        return xlsx(content, f"{self.page_title}-{sessions.today()}.xlsx")


def record_of(model: Any, key: Any, pk: str) -> Any:
    """The record an address names; 404 for what is no key, absent or hidden."""
    return visible_or_404(model, key, key_of(pk))


def key_of(text: str) -> int:
    """The key an address or a form names; 404 for what can be none."""
    found = read_whole(text, least=1, most=LARGEST_KEY)
    if found is None:
        abort(404)
    return found


def visible_or_404(model: Any, key: Any, pk: int) -> Any:
    """A record in the scope of the request; 404 whether it is absent or hidden, and a trace where it is hidden."""
    found = db.session.scalar(select(model).where(key == pk))
    if found is None:
        hidden = select(key).where(key == pk).execution_options(house_unscoped=True)
        g.is_hidden = db.session.scalar(hidden) is not None
        abort(404)
    return found


def plain_cell(value: object) -> str:
    """A rendered cell as plain text."""
    return Markup(value).striptags() if isinstance(value, Markup) else str(value)
