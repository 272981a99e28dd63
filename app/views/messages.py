"""The message centre: what was said to the signed-in person, newest first, each a door to what it is about."""

from __future__ import annotations

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
from app.services import notices
from app.services.sentences import undump
from app.views.base import HouseView
from app.views.labels import WORDS
from app.views.listing import Action, Filter, chosen, coded, dated, state, text
from app.views.verbs import perform
from app.wording import say


class NotificationView(HouseView):
    """Messages are read by opening what they are about, or all at once."""

    datamodel = SQLAInterface(Notification)
    model = Notification
    page_title = _("Messages")
    empty_text = _("Nothing has been said to you yet.")
    include_route_methods = {"list", "export", "open", "read_all"}
    base_permissions = ["can_list", "can_export", "can_open", "can_read_all"]
    columns = (
        text("text", _("Message"), of=lambda it: say(undump(it.text))),
        coded("category", _("Category"), "topic"),
        dated("created_at", _("At"), Notification.created_at),
        state("state", _("State"), lambda it: "unread" if it.read_at is None else "read"),
    )
    filters = (
        chosen("category", _("Category"), Notification.category, "topic"),
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
        return [Action(gettext("Open"), self.link(record))]

    def tools(self) -> list[Action]:
        return [Action(gettext("Mark all as read"), url_for("NotificationView.read_all"), is_post=True)]

    @expose("/open/<pk>")
    @has_access
    def open(self, pk: str) -> Response:
        """Go to what a message is about; that page notes that it was read."""
        return redirect(address_of(self.record(pk).item))

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
    if kind == "run":
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
        query = select(Bulletin.id).where(Bulletin.period == key).order_by(Bulletin.version.desc()).limit(1)
        found = db.session.scalar(query)
        if found is not None:
            return url_for("BulletinView.show", pk=found)
    return url_for("NotificationView.list")


PAGES = (NotificationView,)
