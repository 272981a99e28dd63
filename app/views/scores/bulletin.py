"""Bulletins: the list, the document beside its progress, the verbs that move it, the files that stay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import Response as FlaskResponse
from flask import abort, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.documents import bulletin as document
from app.errors import N_, Conflict
from app.extensions import db, short_transaction
from app.models import Bulletin, BulletinFile, Bureau
from app.policies import bulletin as policy
from app.rules.periods import Period
from app.security import sessions
from app.services import trace
from app.services.publication import bulletin, drafts
from app.services.scoring import choice
from app.views.shell.base import HouseView
from app.views.shell.files import XLSX, download
from app.views.shell.labels import who
from app.views.shell.listing import Action, chosen, contains, dated, figure, state, text
from app.views.shell.periods import period_word
from app.views.shell.verbs import mark_read, perform, ring
from app.wording import official, say

TYPES = {
    "html": "text/html; charset=utf-8",
    "xlsx": XLSX,
    "json": "application/json",
}


def shown_state(record: Bulletin) -> str:
    """The state as a word: a draft that came back says so."""
    if record.state != "draft":
        return record.state
    return "returned" if record.opinion else "drafted"


class BulletinView(HouseView):
    """What is published is served as the bytes that were stored; a draft is drawn from its data."""

    datamodel = SQLAInterface(Bulletin)
    model = Bulletin
    page_title = _("Bulletins")
    crumb = _("Scores and bulletins")
    empty_text = _("No bulletin is there yet; the month-end job drafts one, or the office does.")
    include_route_methods = {
        "list", "show", "export", "draft", "edit", "submit", "sign", "give_back", "publish", "file",
    }  # fmt: skip
    base_permissions = [
        "can_list", "can_show", "can_export", "can_draft", "can_edit", "can_submit", "can_sign", "can_give_back",
        "can_publish", "can_file",
    ]  # fmt: skip
    list_template = "scores/bulletins.html"
    show_template = "scores/bulletin.html"
    columns = (
        text("period", _("Period"), Bulletin.period, of=lambda record: period_word(record.period)),
        figure("version", _("Version"), Bulletin.version),
        text("number", _("Document number"), Bulletin.number),
        state("state", _("State"), shown_state),
        dated("drafted_at", _("Drafted at")),
        text("signed_by", _("Signed by")),
        dated("published_at", _("Published at"), Bulletin.published_at),
        text(
            "checksum",
            _("Checksum"),
            of=lambda record: (
                Markup('<span class="k-mono">{}</span>').format(record.checksum[:16]) if record.checksum else ""
            ),
        ),
    )
    filters = (
        contains("period", _("Period"), Bulletin.period),
        chosen("state", _("State"), Bulletin.state, "bulletin_state"),
        contains("number", _("Document number"), Bulletin.number),
    )
    default_order = (Bulletin.settled_on.desc(), Bulletin.period.desc())

    def title_of(self, record: Bulletin) -> str:
        if record.version > 1:
            return gettext(
                "Bulletin %(period)s, version %(version)s", period=period_word(record.period), version=record.version
            )
        return gettext("Bulletin %(period)s", period=period_word(record.period))

    def row_actions(self, record: Bulletin) -> list[Action]:
        return [Action(gettext("Open"), self.link(record))]

    def to_draft(self) -> list[tuple[str, str]]:
        """The settled periods that have no bulletin yet, for the office."""
        if not (self.can("can_draft") and policy.may_draft(g.actor)):
            return []
        return [
            (it, period_word(it)) for it in drafts.runs_to_draft(db.session(), g.actor.bureau_id, on=sessions.today())
        ]

    def show_extras(self, record: Bulletin) -> dict[str, Any]:
        actor = g.actor
        content = json.loads(record.content)
        is_published = record.state == "published"
        return {
            "content": content,
            "shown_state": shown_state(record),
            "article": Markup(self._article(record)),
            "is_stale": not is_published and bulletin.is_stale(db.session(), record),
            "files": {file.kind: file for file in record.files},
            "may": {
                "draft": self.can("can_draft") and policy.may_edit(actor, record),
                "edit": self.can("can_edit") and policy.may_edit(actor, record),
                "submit": self.can("can_submit") and policy.may_submit(actor, record),
                "sign": self.can("can_sign") and policy.may_sign(actor, record),
                "give_back": self.can("can_give_back") and policy.may_return(actor, record),
                "publish": self.can("can_publish") and policy.may_publish(actor, record),
            },
            "steps": steps_of(record),
            "versions": self._versions(record),
        }

    @staticmethod
    def _versions(record: Bulletin) -> Sequence[Bulletin]:
        """All versions of the period that the actor may see, oldest first."""
        query = select(Bulletin).where(Bulletin.period == record.period).order_by(Bulletin.version)
        return db.session.scalars(query).all()

    @staticmethod
    def _article(record: Bulletin) -> str:
        if record.state == "published":
            page = next((file for file in record.files if file.kind == "html"), None)
            assert page is not None
            return document.article_of(page.content)
        with official():
            return document.article(bulletin.content_for_print(record))

    def note_reading(self, record: Bulletin) -> None:
        """Who opens a bulletin has read what was said about it."""
        mark_read(item=f"bulletin:{record.period}")

    @expose("/draft", methods=["POST"])
    @has_access
    def draft(self) -> Response:
        """Draft the bulletin of a settled period, or draft it anew."""
        made: list[int] = []
        drawn: list[drafts.Drawn] = []
        known: dict[str, Any] = {"say": say, "actor": g.actor, "on": sessions.today()}

        def period_of() -> Period:
            return choice.parse_period(request.form.get("period", "").strip()[:7], on=sessions.today())

        def evaluate() -> None:
            bureau = db.session.get_one(Bureau, g.actor.bureau_id)
            with official():
                drawn.append(drafts.draw(db.session(), bureau, period_of(), **known))

        def act(work: Any) -> None:
            bureau = work.get_one(Bureau, g.actor.bureau_id)
            with official():
                found = drafts.draft_bulletin(
                    work, bureau, period_of(), **known, now=sessions.now(), drawn=drawn[0]
                )  # fmt: skip
            made.append(found.id)

        perform(act, gettext("The bulletin is drafted."), before=evaluate)
        return redirect(url_for("BulletinView.show", pk=made[0]) if made else url_for("BulletinView.list"))

    def _move(self, pk: str, act: Any, done: str) -> Response:
        """One verb on one bulletin, then back to its page."""
        record = self.record(pk)
        seen = request.form.get("seen", "")

        def as_seen(work: Any) -> None:
            if seen and seen != str(record.lock_version):
                raise Conflict(N_("The bulletin has changed since this page was opened: read it again first."))
            act(work, record)

        if perform(as_seen, done):
            ring()
        return redirect(url_for("BulletinView.show", pk=pk))

    @expose("/edit/<pk>", methods=["POST"])
    @has_access
    def edit(self, pk: str) -> Response:
        number, remarks = request.form.get("number", ""), request.form.get("remarks", "")
        return self._move(
            pk,
            lambda work, it: bulletin.edit_bulletin(
                work, it, number=number, remarks=remarks[:5000], actor=g.actor, now=sessions.now()
            ),
            gettext("Saved."),
        )

    @expose("/submit/<pk>", methods=["POST"])
    @has_access
    def submit(self, pk: str) -> Response:
        looked = bulletin.look(db.session(), self.record(pk))
        return self._move(
            pk,
            lambda work, it: bulletin.submit_bulletin(work, it, actor=g.actor, now=sessions.now(), looked=looked),
            gettext("Submitted for signature."),
        )

    @expose("/sign/<pk>", methods=["POST"])
    @has_access
    def sign(self, pk: str) -> Response:
        opinion = request.form.get("opinion", "")[:2000]
        return self._move(
            pk,
            lambda work, it: bulletin.sign_bulletin(work, it, opinion=opinion, actor=g.actor, now=sessions.now()),
            gettext("Signed."),
        )

    @expose("/give_back/<pk>", methods=["POST"])
    @has_access
    def give_back(self, pk: str) -> Response:
        reason = request.form.get("reason", "")[:2000]
        return self._move(
            pk,
            lambda work, it: bulletin.return_bulletin(work, it, reason=reason, actor=g.actor, now=sessions.now()),
            gettext("Returned to the draft."),
        )

    @expose("/publish/<pk>", methods=["POST"])
    @has_access
    def publish(self, pk: str) -> Response:
        looked = bulletin.look(db.session(), self.record(pk))
        return self._move(
            pk,
            lambda work, it: bulletin.publish_bulletin(
                work, it, on=sessions.today(), actor=g.actor, now=sessions.now(), looked=looked
            ),
            gettext("Published. The results of this period are now fixed and open to everybody concerned."),
        )

    @expose("/file/<pk>/<kind>")
    @has_access
    def file(self, pk: str, kind: str) -> Response:
        """A file as it was published, byte for byte; of a draft the data pack as it would be now."""
        record = self.record(pk)
        if kind not in TYPES:
            abort(404)
        stored = db.session.scalar(
            select(BulletinFile).where(BulletinFile.bulletin_id == record.id, BulletinFile.kind == kind)
        )
        if stored is None and kind != "xlsx":
            abort(404)
        content = stored.content if stored is not None else document.pack(bulletin.content_for_print(record))
        with short_transaction() as work:
            trace.record(
                work, verb="download", target=record, label=f"{record.period} {kind}", actor=g.actor, now=sessions.now()
            )
        name = f"{self.title_of(record)}.{kind}"
        if kind == "html" and request.args.get("download") != "1":
            return FlaskResponse(content, content_type=TYPES[kind])
        return download(content, name, TYPES[kind])


def steps_of(record: Bulletin) -> list[dict[str, Any]]:
    """The way of a bulletin, step by step: who, when, or still to come."""
    found = [
        {"label": gettext("Drafted"), "who": who(record.drafted_by), "at": record.drafted_at},
        {"label": gettext("Submitted"), "who": record.submitted_by, "at": record.submitted_at},
        {"label": gettext("Signed"), "who": record.signed_by, "at": record.signed_at},
        {"label": gettext("Published"), "who": record.published_by, "at": record.published_at},
    ]
    reached = [it for it in found if it["at"] is not None]
    for version in found:
        version["is_done"] = version["at"] is not None
        version["is_next"] = len(reached) < len(found) and version is found[len(reached)]
    return found


PAGES = (BulletinView,)
