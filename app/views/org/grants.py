"""The pages of roles: asked for, approved, ended."""

from __future__ import annotations

from flask import flash, g, redirect, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy import ColumnElement, select
from werkzeug.wrappers import Response
from wtforms import StringField

from app.errors import HouseError
from app.extensions import transaction
from app.models import Account, RoleGrant
from app.models.accounts import ROLES
from app.policies import accounts as policy
from app.security import sessions
from app.services.accounts import accounts, grants
from app.views.shell.base import HouseView
from app.views.shell.errors import words_of
from app.views.shell.forms import REQUIRED, date_field, words
from app.views.shell.labels import WORDS, subject_name, who, word
from app.views.shell.listing import (
    Action,
    Filter,
    chosen,
    coded,
    dated,
    holds,
    state,
    text,
)


def grant_state(grant: RoleGrant) -> str:
    if grant.approved_at is None:
        return "waiting"
    if grant.valid_to is not None and grant.valid_to < sessions.today():
        return "ended"
    return "approved"


def in_grant_state(value: str) -> ColumnElement[bool] | None:
    return {
        "waiting": RoleGrant.approved_at.is_(None),
        "approved": RoleGrant.approved_at.is_not(None)
        & (RoleGrant.valid_to.is_(None) | (RoleGrant.valid_to >= sessions.today())),
        "ended": RoleGrant.valid_to < sessions.today(),
    }.get(value)


class GrantForm(FlaskForm):  # type: ignore[misc]
    """Who is to hold which role, from when to when."""

    username = StringField(_("User name"), validators=[REQUIRED])
    role = words("role", _("Role"))
    valid_from = date_field(_("From"), maybe=True)
    valid_to = date_field(_("To"), maybe=True)


class RoleGrantView(HouseView):
    """Roles: the system administrator asks, the security administrator approves."""

    datamodel = SQLAInterface(RoleGrant)
    model = RoleGrant
    page_title = _("Role grants")
    crumb = _("Administration")
    empty_text = _("A grant gives nothing until the security administrator approves it.")
    include_route_methods = {"list", "show", "export", "ask", "approve", "end"}
    base_permissions = ["can_list", "can_show", "can_export", "can_ask", "can_approve", "can_end"]
    columns = (
        text("account", _("User name"), of=lambda record: record.account.username),
        text("name", _("Name"), of=lambda record: record.account.get_full_name()),
        coded("role", _("Role"), order=RoleGrant.role),
        text("unit", _("Unit"), of=lambda record: subject_name(record.unit)),
        dated("valid_from", _("From"), RoleGrant.valid_from),
        dated("valid_to", _("To"), RoleGrant.valid_to),
        text("asked_by", _("Asked by"), of=lambda record: who(record.asked_by)),
        text("approved_by", _("Approved by"), of=lambda record: who(record.approved_by)),
        state("state", _("State"), grant_state),
    )
    filters = (
        Filter(
            "username", _("User name"),
            lambda value: RoleGrant.account_id.in_(
                select(Account.id).where(holds(Account.username, value))
            ),
        ),
        chosen("role", _("Role"), RoleGrant.role, "role", ROLES),
        Filter(
            "state", _("State"), in_grant_state, "select",
            lambda: [(key, WORDS["state"][key]) for key in ("waiting", "approved", "ended")],
        ),
    )  # fmt: skip
    default_order = (RoleGrant.approved_at.is_not(None), RoleGrant.account_id)

    def title_of(self, record: RoleGrant) -> str:
        return f"{record.account.get_full_name()} · {word('role', record.role)}"

    def tools(self) -> list[Action]:
        if not self.can("can_ask"):
            return []
        return [Action(gettext("Ask for a role"), url_for("RoleGrantView.ask"), is_primary=True, icon="plus")]

    def row_actions(self, record: RoleGrant) -> list[Action]:
        found = super().row_actions(record)
        if self.can("can_approve") and policy.may_approve(g.actor, record):
            found.append(Action(gettext("Approve"), url_for("RoleGrantView.approve", pk=record.id), is_post=True))
        if self.can("can_end") and policy.may_end(g.actor, record) and grant_state(record) != "ended":
            question = gettext("End this grant today?")
            found.append(
                Action(
                    gettext("End"),
                    url_for("RoleGrantView.end", pk=record.id),
                    is_post=True,
                    question=question,
                    is_danger=True,
                )
            )
        return found

    @expose("/ask", methods=["GET", "POST"])
    @has_access
    def ask(self) -> Response | str:
        form = GrantForm()
        if form.validate_on_submit():
            try:
                with transaction() as work:
                    account = accounts.account_named(work, form.username.data)
                    if account is None:
                        form.username.errors = [gettext("There is no such account.")]
                    else:
                        grants.ask_grant(
                            work, account, role=form.role.data, unit_id=None, valid_from=form.valid_from.data,
                            valid_to=form.valid_to.data, batch_id=None, actor=g.actor, now=sessions.now(),
                        )  # fmt: skip
            except HouseError as refusal:
                form.role.errors = [words_of(refusal)]
            if not form.errors and not form.username.errors and not form.role.errors:
                flash(gettext("Asked for; the security administrator decides."), "success")
                return redirect(url_for("RoleGrantView.list"))
        return str(
            self.render_template(
                "shell/form.html", title=gettext("Ask for a role"), view=self, form=form, record=None, hints={},
                back=url_for("RoleGrantView.list"),
            )
        )  # fmt: skip

    @expose("/approve/<pk>", methods=["POST"])
    @has_access
    def approve(self, pk: str) -> Response:
        record = self.record(pk)
        with transaction() as work:
            grants.approve_grant(work, record, actor=g.actor, now=sessions.now())
        flash(gettext("Approved."), "success")
        return redirect(url_for("RoleGrantView.list", state="waiting"))

    @expose("/end/<pk>", methods=["POST"])
    @has_access
    def end(self, pk: str) -> Response:
        record = self.record(pk)
        with transaction() as work:
            grants.end_grant(work, record, on=sessions.today(), actor=g.actor, now=sessions.now())
        flash(gettext("Ended."), "success")
        return redirect(url_for("RoleGrantView.list"))


PAGES = (RoleGrantView,)
