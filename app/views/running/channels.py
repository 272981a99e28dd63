"""The ways out of the portal, kept by the system administrator; and what each person wants over them."""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

import config
from app import sending
from app.errors import HouseError, NotPermitted
from app.extensions import db, short_transaction, transaction
from app.models import AllowedHost, Bureau, Channel, ChannelChoice, Outbox
from app.policies import notices as policy
from app.rules.delivery import is_mail_address
from app.rules.numbers import read_whole
from app.security import sessions
from app.services import trace
from app.services.messages import channels, delivery, notices
from app.services.messages.sentences import undump
from app.views.shell import versions
from app.views.shell.base import record_of
from app.views.shell.errors import words_of
from app.views.shell.fields import text_of
from app.views.shell.labels import WORDS
from app.views.shell.verbs import perform, ring
from app.wording import say

FIELDS = ("kind", "name", "address", "security", "sender", "username", "token", "secret")
MOST_SHOWN = 100


def may_disallow(host: AllowedHost) -> bool:
    return policy.may_disallow(g.actor, host)


class ChannelView(BaseView):  # type: ignore[misc]
    """The list of machines, the channels of a bureau with a test each, and what could not be sent."""

    route_base = "/channels"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        return self._page()

    def _page(self, faults: Mapping[str, str] | None = None, given: Mapping[str, str] | None = None) -> str:
        given = given or {}
        edited = request.args.get("channel", "") if not given else given.get("id", "")
        channel = record_of(Channel, Channel.id, edited) if edited else None
        bureaus = db.session.scalars(select(Bureau).order_by(Bureau.code)).all()
        if channel is not None and not given:
            given = {name: getattr(channel, name) for name in FIELDS[:6]}
        waiting = (
            select(Outbox).where(Outbox.sent_at.is_(None)).order_by(Outbox.given_up_at.is_(None), Outbox.id.desc())
        )
        return str(
            self.render_template(
                "running/channels.html", title=gettext("Channels"), hosts=db.session.scalars(select(AllowedHost).order_by(AllowedHost.host)).all(),
                channels=db.session.scalars(select(Channel).order_by(Channel.bureau_id, Channel.name)).all(),
                bureaus=bureaus, codes={it.id: it.code for it in bureaus}, may_disallow=may_disallow, given=given, faults=faults or {},
                edited=channel, kinds=WORDS["channel_kind"], securities=WORDS["security"],
                outbox=[
                    {"it": it, "reason": say(undump(it.last_error))}  # what was said is nothing for an administrator
                    for it in db.session.scalars(waiting.limit(MOST_SHOWN))
                ],
            )
        )  # fmt: skip

    @expose("/allow", methods=["POST"])
    @has_access
    def allow(self) -> Response | str:
        """Put a machine and port on the list."""
        given = {name: text_of(name)[:300] for name in ("host", "port", "note")}
        try:
            with transaction() as work:
                channels.allow(work, given["host"], given["port"], given["note"], actor=g.actor, now=sessions.now())
        except NotPermitted:
            raise
        except HouseError as refusal:
            return self._page({refusal.field_name or "host": words_of(refusal)}, {**given, "form": "allow"})
        flash(gettext("The machine stands on the list."), "success")
        return redirect(url_for("ChannelView.page"))

    @expose("/disallow/<pk>", methods=["POST"])
    @has_access
    def disallow(self, pk: str) -> Response:
        """Take a machine off the list."""
        host = record_of(AllowedHost, AllowedHost.id, pk)
        perform(
            lambda work: channels.disallow(work, work.get_one(AllowedHost, host.id), actor=g.actor, now=sessions.now()),
            gettext("The machine is off the list; nothing is sent there any more."),
        )
        return redirect(url_for("ChannelView.page"))

    @expose("/save", methods=["POST"])
    @has_access
    def save(self) -> Response | str:
        """Make a channel, or change one."""
        given = {name: text_of(name)[:2000] for name in (*FIELDS, "id", "bureau")}
        channel = record_of(Channel, Channel.id, given["id"]) if given["id"] else None
        bureau = record_of(Bureau, Bureau.id, str(channel.bureau_id) if channel is not None else given["bureau"])
        try:
            with transaction() as work:
                if channel is not None:
                    versions.refuse_changed(channel)
                channels.keep_channel(
                    work, work.get_one(Bureau, bureau.id),
                    None if channel is None else work.get_one(Channel, channel.id), given,
                    key=config.secret("channel_key"), actor=g.actor, now=sessions.now(),
                )  # fmt: skip
        except NotPermitted:
            raise
        except HouseError as refusal:
            kept = {name: value for name, value in given.items() if name not in ("token", "secret")}
            kept["seen"] = text_of(versions.FIELD)
            return self._page({refusal.field_name or "name": words_of(refusal)}, kept)
        flash(gettext("The channel is kept. Try it with the test."), "success")
        return redirect(url_for("ChannelView.page"))

    @expose("/switch/<pk>", methods=["POST"])
    @has_access
    def switch(self, pk: str) -> Response:
        """Let a channel rest, or use it again."""
        channel, on = record_of(Channel, Channel.id, pk), request.form.get("on") == "1"
        perform(
            lambda work: channels.switch_channel(
                work, work.get_one(Channel, channel.id), on=on, actor=g.actor, now=sessions.now()
            ),
            gettext("The channel is in use.") if on else gettext("The channel rests."),
        )
        return redirect(url_for("ChannelView.page"))

    @expose("/test/<pk>", methods=["POST"])
    @has_access
    def test(self, pk: str) -> Response:
        """Send a test at once, to the address that is given or to the group of the robot."""
        channel, address = record_of(Channel, Channel.id, pk), text_of("address").strip()[:200]
        if channel.kind == "email" and not is_mail_address(address):
            flash(gettext("Give the mail address the test goes to."), "danger")
            return redirect(url_for("ChannelView.page"))
        fault = sending.try_channel(channel.id, to=g.actor.name, address=address)
        with short_transaction() as work:
            trace.record(
                work, verb="test_channel", target=channel, result="success" if fault is None else "failed",
                reason="" if fault is None else str(fault), actor=g.actor, now=sessions.now(),
            )  # fmt: skip
        if fault is None:
            flash(gettext("The test was sent and taken."), "success")
        else:
            flash(gettext("The test was not taken: %(reason)s", reason=say(fault)), "danger")
        return redirect(url_for("ChannelView.page"))

    @expose("/again/<pk>", methods=["POST"])
    @has_access
    def again(self, pk: str) -> Response:
        """Try a message that was given up once more."""
        it = record_of(Outbox, Outbox.id, pk)
        if perform(
            lambda work: delivery.again(work, work.get_one(Outbox, it.id), actor=g.actor, now=sessions.now()),
            gettext("The message is on its way again."),
        ):
            ring()
        return redirect(url_for("ChannelView.page"))


class ChannelChoiceView(BaseView):  # type: ignore[misc]
    """What the signed-in person wants over which channel; the portal always has everything."""

    route_base = "/mychannels"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        made = {it.channel_id: it.wants for it in db.session.scalars(select(ChannelChoice))}
        found = db.session.scalars(select(Channel).where(Channel.is_enabled).order_by(Channel.name)).all()
        account = g.actor.account_id
        address = notices.addresses(db.session(), [account], on=sessions.today()).get(account, "")
        rows = [
            {"it": it, "wants": made.get(it.id, "digest" if it.kind == "email" else "none"),
             "is_open": it.kind != "email" or bool(address)}
            for it in found if it.bureau_id == g.actor.bureau_id
        ]  # fmt: skip
        return str(
            self.render_template(
                "running/my_channels.html", title=gettext("My channels"), rows=rows, address=address, wants=WORDS["wants"],
                may=g.actor.substitute_id is None,
            )
        )  # fmt: skip

    @expose("/save", methods=["POST"])
    @has_access
    def save(self) -> Response:
        """Keep the choices."""
        wants = {
            key: value
            for name, value in request.form.items()
            if name.startswith("wants-") and (key := read_whole(name.removeprefix("wants-"))) is not None
        }  # fmt: skip
        perform(
            lambda work: channels.choose(work, wants, actor=g.actor, now=sessions.now()),
            gettext("Your choice is kept."),
        )
        return redirect(url_for("ChannelChoiceView.page"))


PAGES = (ChannelView, ChannelChoiceView)
