"""The pages of the three administrators: accounts, grants of roles, and the trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app, flash, g, redirect, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy import ColumnElement, func, select
from werkzeug.wrappers import Response
from wtforms import StringField

from app.errors import HouseError
from app.extensions import db, transaction
from app.models import Account, RoleGrant, TraceEntry
from app.models.accounts import ROLES
from app.policies import accounts as policy
from app.policies.actor import require
from app.rules.chain import first_break
from app.security import hashing, sessions
from app.services import trace
from app.services.accounts import accounts, grants, passwords
from app.views.shell.base import HouseView, changes_of
from app.views.shell.forms import REQUIRED, date_field, words
from app.views.shell.labels import WORDS, badge, subject_name, who, word
from app.views.shell.listing import (
    Action,
    Column,
    Filter,
    chosen,
    coded,
    contains,
    dated,
    on_or_after,
    on_or_before,
    state,
    text,
)
from app.wording import say


def account_state(account: Account) -> str:
    """Active, disabled, locked, or still without a password."""
    if not account.active:
        return "inactive"
    if account.locked_until is not None and account.locked_until > sessions.now():
        return "locked"
    return "active" if account.password else "no_password"


def in_account_state(value: str) -> ColumnElement[bool] | None:
    return {
        "active": Account.active.is_(True) & (Account.password != ""),
        "inactive": Account.active.is_(False),
        "locked": Account.locked_until > sessions.now(),
        "no_password": Account.password == "",
    }.get(value)


class AccountView(HouseView):
    """Accounts: passwords are issued, shown once, and must be changed."""

    datamodel = SQLAInterface(Account)
    model = Account
    page_title = _("Accounts")
    crumb = _("Administration")
    empty_text = _("Each person has one account; people come in on the pages of the organisation.")
    include_route_methods = {"list", "show", "export", "issue", "switch", "unlock"}
    base_permissions = ["can_list", "can_show", "can_export", "can_issue", "can_switch", "can_unlock"]
    columns = (
        text("username", _("User name"), Account.username),
        text("name", _("Name"), of=lambda it: it.get_full_name()),
        text("subject", _("Person"), of=lambda it: it.subject.code if it.subject else ""),
        dated("password_changed_at", _("Password changed at"), Account.password_changed_at),
        dated("locked_until", _("Locked until")),
        state("state", _("State"), account_state),
    )
    filters = (
        contains("username", _("User name"), Account.username),
        contains("name", _("Name"), Account.last_name + Account.first_name),
        Filter(
            "state", _("State"), in_account_state, "select",
            lambda: [(key, WORDS["state"][key]) for key in ("active", "no_password", "locked", "inactive")],
        ),
    )  # fmt: skip
    default_order = (Account.username,)

    def title_of(self, record: Account) -> str:
        return f"{record.get_full_name()} ({record.username})"

    def row_actions(self, record: Account) -> list[Action]:
        found = super().row_actions(record)
        if self.can("can_issue") and policy.may_issue_password(g.actor, record):
            question = gettext("Issue a new password to %(name)s? All sessions end.", name=record.username)
            found.append(
                Action(
                    gettext("Issue password"),
                    url_for("AccountView.issue", pk=record.id),
                    is_post=True,
                    question=question,
                )
            )
            verb = gettext("Disable") if record.active else gettext("Enable")
            found.append(
                Action(
                    verb,
                    url_for("AccountView.switch", pk=record.id),
                    is_post=True,
                    question=f"{verb} {record.username}?",
                    is_danger=bool(record.active),
                )
            )
        if self.can("can_unlock") and policy.may_unlock(g.actor, record) and account_state(record) == "locked":
            found.append(Action(gettext("Unlock"), url_for("AccountView.unlock", pk=record.id), is_post=True))
        return found

    @expose("/issue/<pk>", methods=["POST"])
    @has_access
    def issue(self, pk: str) -> Response | str:
        record = self.record(pk)
        require(policy.may_issue_password(g.actor, record))
        try:
            with hashing.turn():
                new = passwords.prepare_single_use(record, hash_method=current_app.config["FAB_PASSWORD_HASH_METHOD"])
        except hashing.Crowded:
            flash(gettext("Many are signing in at this moment. Please try again in a few seconds."), "danger")
            return redirect(url_for("AccountView.list"))
        with transaction() as work:
            passwords.issue_password(work, record, new, actor=g.actor, now=sessions.now())
            username, password = record.username, new.password
        return str(
            self.render_template(
                "security/issued.html", title=gettext("Issue password"), username=username, password=password
            )
        )

    @expose("/switch/<pk>", methods=["POST"])
    @has_access
    def switch(self, pk: str) -> Response:
        record = self.record(pk)
        is_active = not record.active
        return self._do(
            lambda work: accounts.set_active(work, record, is_active=is_active, actor=g.actor, now=sessions.now())
        )

    @expose("/unlock/<pk>", methods=["POST"])
    @has_access
    def unlock(self, pk: str) -> Response:
        record = self.record(pk)
        return self._do(lambda work: accounts.unlock(work, record, actor=g.actor, now=sessions.now()))

    @staticmethod
    def _do(verb: Callable[[Any], object]) -> Response:
        with transaction() as work:
            verb(work)
        flash(gettext("Saved."), "success")
        return redirect(url_for("AccountView.list"))


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
        text("account", _("User name"), of=lambda it: it.account.username),
        text("name", _("Name"), of=lambda it: it.account.get_full_name()),
        coded("role", _("Role"), order=RoleGrant.role),
        text("unit", _("Unit"), of=lambda it: subject_name(it.unit)),
        dated("valid_from", _("From"), RoleGrant.valid_from),
        dated("valid_to", _("To"), RoleGrant.valid_to),
        text("asked_by", _("Asked by"), of=lambda it: who(it.asked_by)),
        text("approved_by", _("Approved by"), of=lambda it: who(it.approved_by)),
        state("state", _("State"), grant_state),
    )
    filters = (
        Filter(
            "username", _("User name"),
            lambda value: RoleGrant.account_id.in_(
                select(Account.id).where(Account.username.icontains(value, autoescape=True))
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
                form.role.errors = [say(refusal.message)]
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


class TraceView(HouseView):
    """The trace: who did what when; read by the audit administrator alone, and reading it is traced."""

    datamodel = SQLAInterface(TraceEntry)
    model = TraceEntry
    page_title = _("Trace")
    crumb = _("Administration")
    empty_text = _("No act under these conditions.")
    include_route_methods = {"list", "show", "export", "verify"}
    base_permissions = ["can_list", "can_show", "can_export", "can_verify"]
    columns = (
        text("seq", _("No."), TraceEntry.seq),
        dated("at", _("At"), TraceEntry.at),
        text("actor_name", _("Who"), TraceEntry.actor_name, of=lambda it: who(it.actor_name)),
        coded("verb", _("Act"), order=TraceEntry.verb),
        coded("target_type", _("On"), order=TraceEntry.target_type),
        text("target_label", _("Record")),
        text("address", _("Address")),
        Column("result", _("Result"), lambda it: badge("result", it.result)),
    )
    detail = (
        *columns,
        text("actor_role", _("Role")),
        text("session_ref", _("Session")),
        text("request_id", _("Request")),
        text("reason", _("Reason")),
        text("before", _("Before")),
        text("after", _("After")),
        text("previous_hash", _("Hash before")),
        text("hash", _("Hash")),
    )
    filters = (
        contains("actor", _("Who"), TraceEntry.actor_name),
        chosen("verb", _("Act"), TraceEntry.verb, "verb"),
        chosen("result", _("Result"), TraceEntry.result, "result"),
        contains("record", _("Record"), TraceEntry.target_label),
        on_or_after("from", _("From"), func.date(TraceEntry.at)),
        on_or_before("to", _("To"), func.date(TraceEntry.at)),
    )
    default_order = (TraceEntry.seq.desc(),)

    def title_of(self, record: TraceEntry) -> str:
        return gettext("Trace record %(seq)s", seq=record.seq)

    def tools(self) -> list[Action]:
        return [Action(gettext("Verify the chain"), url_for("TraceView.verify"), is_post=True)]

    def show_extras(self, record: TraceEntry) -> dict[str, Any]:
        act = {"before": record.before, "after": record.after}
        return {"changes": changes_of(act)}

    @expose("/verify", methods=["POST"])
    @has_access
    def verify(self) -> Response:
        """Walk the whole chain and say whether it holds."""
        work = db.session()
        seq, digest = trace.head(work)
        broken = first_break(trace.links(work), head_seq=seq, head_hash=digest)
        with transaction() as writing:
            trace.record(
                writing, verb="verify", target="trace_entry", actor=g.actor, now=sessions.now(),
                result="success" if broken is None else "failed",
            )  # fmt: skip
        if broken is None:
            flash(gettext("The trace is whole: %(count)s records.", count=seq), "success")
        else:
            flash(gettext("The trace is broken at record %(seq)s.", seq=broken.seq), "danger")
        return redirect(url_for("TraceView.list"))


PAGES = (AccountView, RoleGrantView, TraceView)
