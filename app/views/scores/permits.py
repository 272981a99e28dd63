"""Reopen permits: asked for by the office, decided by a second person, followed to the end."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from app.errors import HouseError
from app.extensions import db, transaction
from app.models import Bureau, ReopenPermit
from app.policies import corrections as policy
from app.rules.days import read_day
from app.security import sessions
from app.services.bureau.closing import closed_periods
from app.services.publication import permits
from app.views.scores.decided import DECIDING, DecidedView, differences, shown_state, texts_of
from app.views.shell.errors import words_of
from app.views.shell.labels import who
from app.views.shell.listing import Action, chosen, contains, dated, state, text
from app.views.shell.periods import period_word
from app.views.shell.verbs import ring


class PermitView(DecidedView):
    """Reopen permits."""

    datamodel = SQLAInterface(ReopenPermit)
    model = ReopenPermit
    category = "permit"
    page_title = _("Reopen permits")
    empty_text = _("No permit was asked for yet. A closed period is reopened only with one, for what it names.")
    include_route_methods = {"list", "show", "export", "ask", "grant", "refuse", "withdraw", "close"}
    base_permissions = [*DECIDING, "can_close"]
    method_permission_name = {
        "list": "list", "show": "show", "export": "export", "ask": "ask", "grant": "decide", "refuse": "decide",
        "withdraw": "withdraw", "close": "close",
    }  # fmt: skip
    columns = (
        text("period", _("Period"), ReopenPermit.period, of=lambda record: period_word(record.period)),
        text("subjects", _("Units and people"), of=lambda record: record.subjects or gettext("all")),
        text("indicators", _("Indicators"), of=lambda record: record.indicators or gettext("all")),
        text("reason", _("Reason")),
        dated("last_day", _("Until"), ReopenPermit.last_day),
        state("state", _("State"), shown_state),
        text("asked_by", _("Asked for by"), ReopenPermit.asked_by),
        text("decided_by", _("Decided by"), ReopenPermit.decided_by),
    )
    detail = (
        *columns[:6],
        text("asked_by", _("Asked for by")),
        dated("asked_at", _("Asked for at")),
        text("decided_by", _("Decided by")),
        dated("decided_at", _("Decided at")),
        text("opinion", _("Opinion")),
        text("closed_by", _("Closed by"), of=lambda record: who(record.closed_by)),
        dated("closed_at", _("Closed at")),
    )
    filters = (
        contains("period", _("Period"), ReopenPermit.period),
        chosen("state", _("State"), ReopenPermit.state, "state", ("asked", "granted", "refused", "closed")),
    )
    default_order = (ReopenPermit.asked_at.desc(),)

    def title_of(self, record: ReopenPermit) -> str:
        return gettext("Permit to reopen %(period)s", period=period_word(record.period))

    def tools(self) -> list[Action]:
        if not (self.can("can_ask") and policy.may_ask(g.actor)):
            return []
        return [Action(gettext("Ask for a permit"), url_for("PermitView.ask"), is_primary=True, icon="plus")]

    def show_extras(self, record: ReopenPermit) -> dict[str, Any]:
        return {
            "may": {**self.may(record), "close": self.can("can_close") and policy.may_close(g.actor, record)},
            "entries": permits.entries_under(db.session(), record),
            "rows_changed": record.rows_changed,
            "differences": differences(record.period) if record.state == "closed" else [],
            "replacement": None,
            "shown_state": shown_state(record),
        }

    @expose("/ask", methods=["GET", "POST"])
    @has_access
    def ask(self) -> Response | str:
        """The form of a new permit."""
        given, faults = texts_of("period", "subjects", "indicators", "reason", "last_day"), {}
        if request.method == "POST":
            try:
                with transaction() as work:
                    bureau = work.get_one(Bureau, g.actor.bureau_id)
                    permit = permits.ask_permit(
                        work, bureau, period=given["period"], subjects=given["subjects"],
                        indicators=given["indicators"], reason=given["reason"], last_day=read_day(given["last_day"]),
                        actor=g.actor, now=sessions.now(),
                    )  # fmt: skip
                    number = permit.id
            except HouseError as refusal:
                faults = {refusal.field_name or "reason": words_of(refusal)}
            else:
                ring()
                flash(gettext("The permit is asked for; a bureau leader decides."), "success")
                return redirect(url_for("PermitView.show", pk=number))
        closed = sorted(closed_periods(db.session(), g.actor.bureau_id), reverse=True)
        return str(
            self.render_template(
                "scores/permit.html", title=gettext("Ask for a permit"), given=given, faults=faults, view=self,
                periods=[(it, period_word(it)) for it in closed],
            )
        )  # fmt: skip

    @expose("/grant/<pk>", methods=["POST"])
    @has_access
    def grant(self, pk: str) -> Response:
        record, opinion = self.record(pk), self._opinion()
        return self._done(
            pk,
            lambda work: permits.grant_permit(work, record, opinion=opinion, actor=g.actor, now=sessions.now()),
            gettext("Granted: the period counts as open for what the permit names."),
        )

    @expose("/refuse/<pk>", methods=["POST"])
    @has_access
    def refuse(self, pk: str) -> Response:
        record, opinion = self.record(pk), self._opinion()
        return self._done(
            pk,
            lambda work: permits.refuse_permit(work, record, opinion=opinion, actor=g.actor, now=sessions.now()),
            gettext("Refused."),
        )

    @expose("/withdraw/<pk>", methods=["POST"])
    @has_access
    def withdraw(self, pk: str) -> Response:
        record = self.record(pk)
        return self._done(
            pk,
            lambda work: permits.withdraw_permit(work, record, actor=g.actor, now=sessions.now()),
            gettext("Withdrawn."),
        )

    @expose("/close/<pk>", methods=["POST"])
    @has_access
    def close(self, pk: str) -> Response:
        record = self.record(pk)
        return self._done(
            pk,
            lambda work: permits.close_permit(work, record, actor=g.actor, now=sessions.now()),
            gettext("Closed. What was done under it is being worked into the bulletins."),
        )


PAGES = (PermitView,)
