"""The page of accounts: single-use passwords, switching on and off, unlocking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app, flash, g, redirect, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement
from werkzeug.wrappers import Response

from app.extensions import transaction
from app.models import Account
from app.policies import accounts as policy
from app.policies.actor import require
from app.security import hashing, sessions
from app.services.accounts import accounts, passwords
from app.views.shell.base import HouseView
from app.views.shell.labels import WORDS
from app.views.shell.listing import (
    Action,
    Filter,
    contains,
    dated,
    state,
    text,
)


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
        text("name", _("Name"), of=lambda record: record.get_full_name()),
        text("subject", _("Person"), of=lambda record: record.subject.code if record.subject else ""),
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


PAGES = (AccountView,)
