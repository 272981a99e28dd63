"""The message centre: what was said to the signed-in person, newest first, each a door to what it is about."""

from __future__ import annotations

from typing import Any

from flask import g, redirect, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.extensions import db
from app.models import Bulletin, Notification
from app.security import sessions
from app.services.messages import notices
from app.services.messages.sentences import undump
from app.views.shell.base import HouseView
from app.views.shell.labels import WORDS
from app.views.shell.listing import Action, Filter, chosen, coded, dated, state, text
from app.views.shell.verbs import mark_read, perform
from app.wording import say


class NotificationView(HouseView):
    """Messages are read by opening what they are about, or all at once."""

    datamodel = SQLAInterface(Notification)
    model = Notification
    page_title = _("Messages")
    crumb = _("Workbench")
    empty_text = _("Nothing has been said to you yet.")
    include_route_methods = {"list", "show", "export", "open", "read", "read_all"}
    base_permissions = ["can_list", "can_show", "can_export", "can_open", "can_read", "can_read_all"]
    show_template = "desk/message.html"
    columns = (
        text("text", _("Message"), of=lambda record: say(undump(record.text))),
        coded("category", _("Topic"), "topic"),
        dated("created_at", _("At"), Notification.created_at),
        state("state", _("State"), lambda record: "unread" if record.read_at is None else "read"),
        text("read_by", _("Opened by")),
    )
    filters = (
        chosen("category", _("Topic"), Notification.category, "topic"),
        Filter(
            "state", _("State"),
            {"unread": Notification.read_at.is_(None), "read": Notification.read_at.is_not(None)}.get,
            "select", lambda: [(key, WORDS["state"][key]) for key in ("unread", "read")],
        ),
    )  # fmt: skip
    default_order = (Notification.created_at.desc(),)

    def link(self, record: Notification) -> str:
        return url_for("NotificationView.open", pk=record.id)

    def row_actions(self, record: Notification) -> list[Action]:
        found = [Action(gettext("Open"), self.link(record))]
        if record.read_at is None:
            found.append(Action(gettext("Mark as read"), url_for("NotificationView.read", pk=record.id), is_post=True))
        return found

    def tools(self) -> list[Action]:
        return [
            Action(gettext("Channels"), url_for("ChannelChoiceView.page")),
            Action(gettext("Mark all as read"), url_for("NotificationView.read_all"), is_post=True),
        ]

    def title_of(self, record: Notification) -> str:
        return str(WORDS["topic"].get(record.category, record.category))

    def show_extras(self, record: Notification) -> dict[str, Any]:
        today = sessions.today()
        address = address_of(record.item)
        return {
            "text": say(undump(record.text)),
            "link": "" if record.item == "digest:" or address == url_for("NotificationView.list") else address,
            "lines": [
                {"text": say(undump_line.text), "url": address_of(undump_line.item), "due_on": undump_line.due_on,
                 "is_late": undump_line.due_on is not None and undump_line.due_on < today}
                for undump_line in notices.undump_lines(record.lines)
            ],
        }  # fmt: skip

    def note_reading(self, record: Notification) -> None:
        self._note(record)

    @staticmethod
    def _note(record: Notification) -> None:
        mark_read(only=record.id)

    @expose("/open/<pk>")
    @has_access
    def open(self, pk: str) -> Response:
        """Go to what a message is about; a digest is read here. Either way it is read."""
        record = self.record(pk)
        address = url_for("NotificationView.show", pk=record.id)
        if record.item != "digest:":
            address = address_of(record.item)
        self._note(record)
        return redirect(address)

    @expose("/read/<pk>", methods=["POST"])
    @has_access
    def read(self, pk: str) -> Response:
        """Mark one message as read without opening what it is about."""
        record = self.record(pk)
        perform(
            lambda work: notices.mark_read(work, actor=g.actor, only=record.id, now=sessions.now()),
            gettext("The message is read."),
        )
        return redirect(url_for("NotificationView.list"))

    @expose("/read_all", methods=["POST"])
    @has_access
    def read_all(self) -> Response:
        perform(
            lambda work: notices.mark_read(work, actor=g.actor, now=sessions.now()), gettext("All messages are read.")
        )
        return redirect(url_for("NotificationView.list"))


def address_of(item: str) -> str:
    """The page of what a message is about; the list of messages where it is gone or not to be seen."""
    kind, _, key = item.partition(":")
    if kind == "jobs" and (g.actor.sees_bureau or g.actor.has("system_admin")):
        return url_for("RunView.list")
    if kind == "channels" and g.actor.has("system_admin"):
        return url_for("ChannelView.page")
    if kind == "run" and g.actor.sees_bureau:
        return url_for("RunView.show", pk=key)
    if kind == "notice":
        return url_for("ResultNoticeView.show", pk=key)
    if kind == "grades" and g.actor.sees_bureau:
        return url_for("GradeDecisionView.page", period=key)
    if kind == "readiness" and g.actor.sees_bureau:
        return url_for("ReadinessView.page", period=key)
    if kind in ("permit", "voucher"):
        return url_for("PermitView.show" if kind == "permit" else "VoucherView.show", pk=key)
    if kind == "task":
        return url_for("TaskView.show", pk=key)
    if kind == "opinion":
        return url_for("OpinionView.show", pk=key)
    if kind == "opinions":
        return url_for("OpinionView.on", item=key)
    if kind == "acting":
        return url_for("ActingView.list")
    if kind == "entry":
        return url_for("ScoreEntryView.show", pk=key)
    if kind == "bulletin":
        found = _bulletins().get(key)
        if found is not None:
            return url_for("BulletinView.show", pk=found)
    return url_for("NotificationView.list")


def _bulletins() -> dict[str, int]:
    """The newest bulletin of each period that may be seen; asked once a request."""
    if "bulletin_pages" not in g:
        rows = db.session.execute(select(Bulletin.period, Bulletin.id).order_by(Bulletin.version, Bulletin.id))
        g.bulletin_pages = dict(rows.all())
    found: dict[str, int] = g.bulletin_pages
    return found


PAGES = (NotificationView,)
