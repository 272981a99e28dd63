"""What the pages of every process share: searches that are kept, verbs that keep what was typed, forms sent once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from flask import abort, flash, g, redirect, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import and_, false, func, select, true
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from app.errors import Conflict, HouseError, NotPermitted
from app.extensions import db, transaction
from app.models import SavedFilter, Subject
from app.security import sessions
from app.services.process import opinions, saved_filters
from app.views.shell.base import HouseView, record_of
from app.views.shell.errors import note_refusal, words_of
from app.views.shell.fields import choices, given_texts, text_of
from app.views.shell.verbs import perform, ring

Act = Callable[[Session, Any], object]


class ProcessView(HouseView):
    """The records of a process: no generic edit or delete; every change is a verb of its service."""

    standard_filters: ClassVar[Sequence[tuple[Any, Mapping[str, str]]]] = ()

    def chips(self) -> list[dict[str, Any]]:
        """The searches one comes back to, shipped and own, each with the count of its list."""
        found = [{"label": label, "args": dict(args), "pk": None} for label, args in self.standard_filters]
        names = {choice.name for choice in self.filters}
        own = db.session.scalars(select(SavedFilter).where(SavedFilter.page == self.endpoint).order_by(SavedFilter.id))
        for kept in own:
            args = {name: value for name, value in parse_qsl(kept.query) if name in names}
            found.append({"label": kept.name, "args": args, "pk": kept.id})
        now = {name: value for name, value in self.arguments().items() if value}
        counts = [func.count(self.key).filter(and_(true(), *self._kept(chip["args"]))) for chip in found]
        figures = db.session.execute(select(*counts).select_from(self.model)).one() if counts else ()
        for chip, count in zip(found, figures, strict=True):
            args = chip["args"]
            chip["count"] = count
            chip["url"] = url_for(f"{self.endpoint}.list", **(args or {"all": "1"}))
            chip["is_current"] = args == now
        return found

    def _kept(self, args: Mapping[str, str]) -> Sequence[Any]:
        """The criteria of a kept search; one whose words are not known any more finds nothing."""
        try:
            return self.criteria({choice.name: args.get(choice.name, "") for choice in self.filters})
        except BadRequest:
            return (false(),)

    @staticmethod
    def unit_choices() -> list[str]:
        """Units in force today, for the suggestions of a field."""
        return choices("unit")

    @staticmethod
    def leaders() -> Sequence[Subject]:
        """The leaders one may turn to."""
        return opinions.leaders(db.session(), g.actor, now=sessions.now()) if g.actor.bureau_id is not None else ()

    def kept_query(self) -> str:
        """The filters of the request as they would be kept."""
        return urlencode({name: value for name, value in self.arguments().items() if value})

    def verb(self, pk: str, name: str, act: Act, said: str) -> Response | str:
        """Carry a verb out on a record; a refusal comes back with what was typed, at its field."""
        record = self.record(pk)
        try:
            with transaction() as work:
                act(work, record)
        except NotPermitted:
            raise
        except StaleDataError:
            note_refusal()
            flash(gettext("Somebody was faster: the record has changed meanwhile. Open it again."), "danger")
            return redirect(self.link(self.record(pk)))
        except Conflict as refusal:
            note_refusal()
            flash(words_of(refusal), "danger")
            return redirect(self.link(self.record(pk)))
        except HouseError as refusal:
            faults = {name: {refusal.field_name or "form": words_of(refusal)}}
            return self.page_of(self.record(pk), faults=faults, given={name: given_texts()})
        flash(said, "success")
        ring()
        return redirect(self.link(self.record(pk)))

    def page_of(self, record: Any, *, faults: Mapping[str, Any], given: Mapping[str, Any]) -> str:
        """The record's page with faults and what was typed, both by verb."""
        raise AssertionError("every process has its page")


class SavedFilterView(BaseView):  # type: ignore[misc]
    """Keeping a search of a list, and forgetting it."""

    route_base = "/saved"

    @expose("/save", methods=["POST"])
    @has_access
    def save(self) -> Response:
        page = text_of("page")[:64]
        view = next(
            (
                baseview
                for baseview in self.appbuilder.baseviews
                if baseview.endpoint == page and isinstance(baseview, ProcessView)
            ),
            None,
        )
        if view is None:
            abort(404)
        known = {choice.name for choice in view.filters}
        args = {name: value for name, value in parse_qsl(text_of("query")[:1000]) if name in known}
        view.criteria({choice.name: args.get(choice.name, "") for choice in view.filters})
        query = urlencode(args)
        perform(
            lambda work: saved_filters.keep(work, page, text_of("name"), query, actor=g.actor, now=sessions.now()),
            gettext("The search is kept."),
        )
        return redirect(url_for(f"{page}.list") + ("?" + query if query else ""))

    @expose("/forget/<pk>", methods=["POST"])
    @has_access
    def forget(self, pk: str) -> Response:
        found = record_of(SavedFilter, SavedFilter.id, pk)
        page = found.page
        perform(
            lambda work: saved_filters.forget(work, found, actor=g.actor, now=sessions.now()),
            gettext("The search is forgotten."),
        )
        return redirect(url_for(f"{page}.list"))


PAGES = (SavedFilterView,)
