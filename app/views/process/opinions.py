"""What leaders, offices and units say on a record: the page of a place, the forms, the list, free requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup
from sqlalchemy import ColumnElement
from werkzeug.wrappers import Response

from app.errors import HouseError, NotPermitted
from app.extensions import db, transaction
from app.models import Opinion
from app.policies import opinions as policy
from app.security import sessions
from app.services.process import opinions
from app.services.process.opinions import FREE, Place
from app.services.supervision import instruction
from app.views.shell.base import HouseView
from app.views.shell.errors import words_of
from app.views.shell.fields import choices, code_of, text_of
from app.views.shell.labels import WORDS, subject_name
from app.views.shell.listing import Action, Column, Filter, chosen, coded, contains, dated, state, text
from app.views.shell.verbs import mark_read, ring
from app.wording import say


def doors_of(place: Place) -> dict[str, bool]:
    """Which of the forms are open to the signed-in person at a place."""
    where = place.where
    return {
        "comment": policy.may_comment(g.actor, where),
        "urge": policy.may_urge(g.actor, where),
        "instruction": policy.may_instruct(g.actor),
        "request": policy.may_ask(g.actor) and not g.actor.has("bureau_leader"),
    }


def shown_opinion(opinion: Opinion, place: Place) -> dict[str, Any]:
    """An opinion with what the page needs beside it."""
    return {"opinion": opinion, "may_answer": policy.may_answer(g.actor, opinion, place.where)}


def address_of_place(item_type: str, key: str) -> str:
    """The page of a place: a task has its own."""
    if item_type == "supervised_task":
        return url_for("TaskView.show", pk=key)
    return url_for("OpinionView.on", item=f"{item_type}:{key}")


def record_address(place: Place) -> str:
    """The record itself."""
    if place.item_type == "score_entry":
        return url_for("ScoreEntryView.show", pk=place.key)
    if place.item_type == "score":
        period, _slash, code = place.key.partition("/")
        return url_for("ScoreView.sheet", period=period, code=code)
    if place.item_type == "bulletin" and place.record is not None:
        return url_for("BulletinView.show", pk=place.record.id)
    return address_of_place(place.item_type, place.key) if place.item_type else ""


def _place_link(opinion: Opinion) -> object:
    if not opinion.item_type:
        return gettext("free request")
    place = g.opinion_addresses.get(opinion.id)
    if place is None:
        return gettext("no longer in your scope")
    return Markup('<a href="{}">{}</a>').format(address_of_place(place[0], place[1]), say(place[2]))


def _answered(value: str) -> ColumnElement[bool] | None:
    waits = Opinion.kind.in_(("urge", "request", "instruction"))
    known: dict[str, ColumnElement[bool]] = {
        "yes": Opinion.is_answered.is_(True), "no": waits & Opinion.is_answered.is_(False)
    }  # fmt: skip
    return known.get(value)


def _state(opinion: Opinion) -> str:
    """Answered, waiting for an answer, or nothing to answer."""
    if opinion.is_answered:
        return "answered"
    return "to_answer" if opinion.kind in ("urge", "request", "instruction") else "said"


class OpinionView(HouseView):
    """Comments, instructions, urges, requests and reports in the actor's scope."""

    datamodel = SQLAInterface(Opinion)
    model = Opinion
    page_title = _("Comments, instructions and requests")
    crumb = _("Processes")
    empty_text = _("Nothing was said yet. Leaders comment, instruct and urge on tasks, scores and entries; units ask.")
    include_route_methods = {"list", "show", "export", "on", "say", "ask", "answer"}
    base_permissions = ["can_list", "can_show", "can_export", "can_on", "can_say", "can_ask", "can_answer"]
    show_template = "process/opinion.html"
    columns = (
        coded("kind", _("Kind"), "opinion", Opinion.kind),
        text("content", _("What was said")),
        Column("place", _("On"), _place_link),
        text("said_by", _("By"), Opinion.said_by),
        text("to", _("To whom"), of=lambda record: subject_name(record.to) if record.to is not None else ""),
        dated("said_at", _("At"), Opinion.said_at),
        state("state", _("State"), _state),
    )
    filters = (
        chosen("kind", _("Kind"), Opinion.kind, "opinion"),
        Filter("answered", _("Answered"), _answered, "select", lambda: list(WORDS["yes_no"].items())),
        contains("content", _("What was said"), Opinion.content, Opinion.said_by),
    )
    default_order = (Opinion.said_at.desc(),)

    def title_of(self, record: Opinion) -> str:
        return f"{WORDS['opinion'][record.kind]} · {record.said_by}"

    def tools(self) -> list[Action]:
        if not policy.may_ask(g.actor) or g.actor.has("bureau_leader"):
            return []
        return [Action(gettext("Ask or report upwards"), url_for("OpinionView.ask"), is_primary=True, icon="plus")]

    def look_up(self, records: Sequence[Any]) -> None:
        g.opinion_addresses = opinions.addresses_of(db.session(), records)

    def show_extras(self, record: Opinion) -> dict[str, Any]:
        place = opinions.place_of(db.session(), record)
        answers = db.session.query(Opinion).filter(Opinion.answers_id == record.id).order_by(Opinion.id).all()
        return {
            "place": place, "answers": answers,
            "may_answer": place is not None and policy.may_answer(g.actor, record, place.where),
            "doors": {"instruction": place is FREE and policy.may_instruct(g.actor) and record.to_id in g.actor.selves},
            "names": subject_name,
            "place_url": record_address(place) if place is not None and place.item_type else "",
        }  # fmt: skip

    def note_reading(self, record: Opinion) -> None:
        mark_read(item=f"opinion:{record.id}")

    @staticmethod
    def _place() -> Place:
        """The place an address or a form names; 404 whether it is absent or hidden."""
        kind, _colon, key = request.values.get("item", "")[:100].partition(":")
        found = opinions.find_place(db.session(), kind, key)
        if found is None:
            g.is_hidden = bool(key)  # absent or hidden: a page that is told apart nowhere is recorded as refused
            abort(404)
        return found

    @expose("/on/")
    @has_access
    def on(self) -> Response | str:
        """Everything said on a place, and the forms."""
        place = self._place()
        if place.answers is not None:
            return redirect(url_for("OpinionView.show", pk=place.answers.id))
        if place.access is not None:
            return redirect(address_of_place(place.item_type, place.key))
        mark_read(item=place.item)
        return self._place_page(self._place(), {}, {})

    def _place_page(self, place: Place, faults: dict[str, Any], given: dict[str, Any]) -> str:
        session = db.session()
        return str(
            self.render_template(
                "process/opinions.html", title=gettext("Comments and instructions"), place=place, view=self, faults=faults,
                given=given, doors=doors_of(place), label=say(place.label),
                said=[shown_opinion(it, place) for it in opinions.opinions_on(session, place)],
                record_url=record_address(place), names=subject_name, leaders=self.leaders(),
            )
        )  # fmt: skip

    @staticmethod
    def unit_choices() -> list[str]:
        return choices("unit")

    @staticmethod
    def leaders() -> list[Any]:
        return opinions.leaders(db.session(), g.actor, now=sessions.now()) if g.actor.bureau_id is not None else []

    @expose("/say", methods=["POST"])
    @has_access
    def say(self) -> Response | str:
        """Say something on a place: comment, urge, instruct, ask or report."""
        place, kind = self._place(), text_of("kind")
        item = text_of("item").partition(":")[::2]
        facts: dict[str, Any] = {"actor": g.actor, "now": sessions.now()}
        content = text_of("content")

        def act(work: Any) -> None:
            here = opinions.find_place(work, *item)
            assert here is not None
            if kind == "comment":
                opinions.comment(work, here, content, **facts)
            elif kind == "urge":
                opinions.urge(work, here, content, **facts)
            elif kind == "instruction":
                instruction.instruct(
                    work, here, content, lead=code_of(text_of("lead")), due=text_of("due").strip(), **facts
                )
            elif kind in ("request", "report"):
                opinions.ask(work, here, kind, content, to=code_of(text_of("to")), **facts)
            else:
                abort(400)

        return self._said(act, place, kind)

    def _said(self, act: Any, place: Place, kind: str) -> Response | str:
        back = address_of_place(place.item_type, place.key) if place.item_type else url_for("OpinionView.list")
        if place.answers is not None:
            back = url_for("OpinionView.show", pk=place.answers.id)
        try:
            with transaction() as work:
                act(work)
        except NotPermitted:
            raise
        except HouseError as refusal:
            if place.item_type in ("supervised_task", ""):
                flash(words_of(refusal), "danger")
                return redirect(back)
            faults = {kind: {refusal.field_name or "content": words_of(refusal)}}
            return self._place_page(self._place(), faults, {kind: dict(request.form.items())})
        flash(gettext("Said; those concerned have been told."), "success")
        ring()
        return redirect(back)

    @expose("/answer/<pk>", methods=["POST"])
    @has_access
    def answer(self, pk: str) -> Response | str:
        """Answer what was said."""
        it = self.record(pk)
        place = opinions.place_of(db.session(), it)
        if place is None:
            g.is_hidden = True  # what was said may be read by him, what it is about not
            abort(404)
        number = it.id

        def act(work: Any) -> None:
            found = work.get_one(Opinion, number)
            opinions.answer(work, found, text_of("content"), actor=g.actor, now=sessions.now())

        try:
            with transaction() as work:
                act(work)
        except NotPermitted:
            raise
        except HouseError as refusal:
            flash(words_of(refusal), "danger")
        else:
            flash(gettext("Answered; who asked has been told."), "success")
            ring()
        if place.item_type:
            return redirect(address_of_place(place.item_type, place.key))
        return redirect(url_for("OpinionView.show", pk=pk))

    @expose("/ask", methods=["GET", "POST"])
    @has_access
    def ask(self) -> Response | str:
        """Ask a leader for a decision, or report, without a record."""
        faults: dict[str, str] = {}
        given: dict[str, Any] = {"kind": "request"}
        if request.method == "POST":
            given = {name: text_of(name) for name in ("kind", "to", "content")}
            if given["kind"] not in ("request", "report"):
                abort(400)
            try:
                with transaction() as work:
                    opinions.ask(
                        work, FREE, given["kind"], given["content"], to=code_of(given["to"]),
                        actor=g.actor, now=sessions.now(),
                    )  # fmt: skip
            except NotPermitted:
                raise
            except HouseError as refusal:
                faults = {refusal.field_name or "content": words_of(refusal)}
            else:
                flash(gettext("Said; those concerned have been told."), "success")
                ring()
                return redirect(url_for("OpinionView.list"))
        return str(
            self.render_template(
                "process/opinion_ask.html", title=gettext("Ask or report upwards"), view=self, given=given, faults=faults,
                leaders=self.leaders(), names=subject_name,
            )
        )  # fmt: skip


PAGES = (OpinionView,)
