"""Acting for a colleague on leave: the grants, taking one up, being oneself again."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.errors import HouseError, NotPermitted
from app.extensions import db, transaction
from app.models import Account, ActingGrant, Subject
from app.policies import process as policy
from app.policies.scoping import UNSCOPED
from app.security import sessions
from app.services.accounts import acting
from app.views.shell.base import HouseView
from app.views.shell.errors import words_of
from app.views.shell.fields import choices, code_of, day_of, text_of
from app.views.shell.listing import Action, contains, dated, state, text
from app.views.shell.verbs import perform


def grant_state(grant: ActingGrant) -> str:
    """Ended, over, to come, or in force today."""
    today = sessions.today()
    if grant.ended_at is not None or grant.valid_to < today:
        return "ended"
    return "coming" if grant.valid_from > today else "active"


class ActingView(HouseView):
    """Who acts for whom."""

    datamodel = SQLAInterface(ActingGrant)
    model = ActingGrant
    page_title = _("Acting for colleagues")
    crumb = _("Organisation")
    empty_text = _("Nobody acts for anybody. Who goes on leave names a colleague here; the office may do it too.")
    include_route_methods = {"list", "show", "export", "add", "end", "take_up", "put_down"}
    base_permissions = ["can_list", "can_show", "can_export", "can_add", "can_end", "can_take_up", "can_put_down"]
    columns = (
        text("absent_name", _("Colleague on leave"), ActingGrant.absent_name),
        text("substitute_name", _("Acts for him"), ActingGrant.substitute_name),
        dated("valid_from", _("From"), ActingGrant.valid_from),
        dated("valid_to", _("To"), ActingGrant.valid_to),
        text("reason", _("Reason")),
        text("set_by", _("Set by")),
        state("state", _("State"), grant_state),
    )
    filters = (contains("reason", _("Reason"), ActingGrant.reason),)
    default_order = (ActingGrant.valid_to.desc(),)

    def title_of(self, record: ActingGrant) -> str:
        return gettext(
            "%(substitute)s acts for %(absent)s", substitute=record.substitute_name, absent=record.absent_name,
        )  # fmt: skip

    def tools(self) -> list[Action]:
        if g.actor.substitute_id is not None:
            return []
        return [Action(gettext("Name a substitute"), url_for("ActingView.add"), is_primary=True, icon="plus")]

    def row_actions(self, record: ActingGrant) -> list[Action]:
        found = super().row_actions(record)
        is_mine = record.substitute_id == g.actor.account_id and grant_state(record) == "active"
        if is_mine and g.actor.substitute_id is None:
            found.append(Action(gettext("Act for him"), url_for("ActingView.take_up", pk=record.id), is_post=True))
        if policy.may_end_acting(g.actor, record) and grant_state(record) != "ended":
            question = gettext("End it now?")
            url = url_for("ActingView.end", pk=record.id)
            found.append(Action(gettext("End"), url, is_post=True, question=question, is_danger=True))
        return found

    @expose("/add", methods=["GET", "POST"])
    @has_access
    def add(self) -> Response | str:
        """Name who acts for whom."""
        may_all = g.actor.has("assessment_office")
        given: dict[str, Any] = {"absent": "", "substitute": ""}
        faults: dict[str, str] = {}
        if request.method == "POST":
            given = {name: text_of(name) for name in ("absent", "substitute", "reason", "valid_from", "valid_to")}
            absent = _account(given["absent"]) if may_all and given["absent"] else _own()
            substitute = _account(given["substitute"])
            if absent is None or substitute is None:
                faults = {"absent" if absent is None else "substitute": gettext("Choose somebody who has an account.")}
            else:
                try:
                    with transaction() as work:
                        acting.set_acting(
                            work, absent=absent, substitute=substitute, valid_from=day_of("valid_from"),
                            valid_to=day_of("valid_to"), reason=given["reason"], actor=g.actor, now=sessions.now(),
                        )  # fmt: skip
                except NotPermitted:
                    raise
                except HouseError as refusal:
                    faults = {refusal.field_name or "reason": words_of(refusal)}
                else:
                    flash(gettext("Named; the colleague has been told."), "success")
                    return redirect(url_for("ActingView.list"))
        return str(
            self.render_template(
                "org/acting_form.html", title=gettext("Name a substitute"), view=self, given=given, faults=faults,
                people=choices("person"), may_all=may_all,
            )
        )  # fmt: skip

    @expose("/end/<pk>", methods=["POST"])
    @has_access
    def end(self, pk: str) -> Response:
        record = self.record(pk)
        perform(lambda work: acting.end_acting(work, record, actor=g.actor, now=sessions.now()), gettext("Ended."))
        return redirect(url_for("ActingView.list"))

    @expose("/take_up/<pk>", methods=["POST"])
    @has_access
    def take_up(self, pk: str) -> Response:
        record = self.record(pk)
        name = record.absent_name
        perform(
            lambda work: acting.take_up(work, record, session_id=g.session_id, actor=g.actor, now=sessions.now()),
            gettext("You act for %(name)s now; both names stand on everything you do.", name=name),
        )
        return redirect(url_for("WorkbenchView.index"))

    @expose("/put_down", methods=["POST"])
    @has_access
    def put_down(self) -> Response:
        perform(
            lambda work: acting.take_up(work, None, session_id=g.session_id, actor=g.actor, now=sessions.now()),
            gettext("You act for yourself again."),
        )
        return redirect(url_for("WorkbenchView.index"))


def _own() -> Account | None:
    return db.session.get(Account, g.actor.account_id, execution_options=UNSCOPED)


def _account(text_: str) -> Account | None:
    """The account of a choice; accounts are read for this, whoever asks."""
    subject = db.session.scalar(select(Subject).where(Subject.code == code_of(text_)))
    if subject is None:
        return None
    query = select(Account).where(Account.subject_id == subject.id, Account.active.is_(True))
    return db.session.scalar(query, execution_options=UNSCOPED)


PAGES = (ActingView,)
