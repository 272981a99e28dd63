"""The page of accounts: single-use passwords, switching on and off, unlocking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import current_app, flash, g, redirect, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement
from werkzeug.wrappers import Response

from app.extensions import db, transaction
from app.models import Account
from app.policies import accounts as policy
from app.policies.actor import require
from app.policies.postings import leavers
from app.security import hashing, sessions
from app.services.accounts import accounts, actors, passwords
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
from app.views.shell.verbs import perform


def account_state(account: Account) -> str:
    """Active, disabled, locked, or still without a password."""
    if not account.active:
        return "inactive"
    if account.locked_until is not None and account.locked_until > sessions.now():
        return "locked"
    return "active" if account.password else "no_password"


def asked_for(account: Account) -> str:
    """What one administrator has asked for this account and another has not released yet."""
    if not account.asked_measure:
        return ""
    return f"{WORDS['measure'][account.asked_measure]} · {account.asked_by}"


def in_account_state(value: str) -> ColumnElement[bool] | None:
    return {
        "active": Account.active.is_(True) & (Account.password != ""),
        "inactive": Account.active.is_(False),
        "locked": Account.locked_until > sessions.now(),
        "no_password": Account.password == "",
        "left": Account.id.in_(leavers(sessions.today())),
    }.get(value)


class AccountView(HouseView):
    """Accounts: passwords are issued, shown once, and must be changed."""

    datamodel = SQLAInterface(Account)
    model = Account
    page_title = _("Accounts")
    crumb = _("Administration")
    empty_text = _("Each person has one account; people come in on the pages of the organisation.")
    include_route_methods = {"list", "show", "export", "issue", "switch", "unlock", "ask", "decline"}
    base_permissions = [
        "can_list",
        "can_show",
        "can_export",
        "can_issue",
        "can_switch",
        "can_unlock",
        "can_ask",
        "can_decline",
    ]
    columns = (
        text("username", _("User name"), Account.username),
        text("name", _("Name"), of=lambda record: record.get_full_name()),
        text("subject", _("Person"), of=lambda record: record.subject.code if record.subject else ""),
        dated("password_changed_at", _("Password changed at"), Account.password_changed_at),
        dated("locked_until", _("Locked until")),
        state("state", _("State"), account_state),
        text("asked", _("Asked for"), of=asked_for),
    )
    filters = (
        contains("username", _("User name"), Account.username),
        contains("name", _("Name"), Account.last_name + Account.first_name),
        Filter(
            "state", _("State"), in_account_state, "select",
            lambda: [(key, WORDS["state"][key]) for key in ("active", "no_password", "locked", "inactive", "left")],
        ),
    )  # fmt: skip
    default_order = (Account.username,)

    def title_of(self, record: Account) -> str:
        return f"{record.get_full_name()} ({record.username})"

    def look_up(self, records: Sequence[Any]) -> None:
        g.held = actors.roles_held(db.session(), [it.id for it in records], on=sessions.today())

    def row_actions(self, record: Account) -> list[Action]:
        found = super().row_actions(record)
        if policy.may_keep_account(g.actor, record) and self.can("can_issue"):
            found += self._asking(record) if policy.is_guarded(g.held[record.id]) else self._acting(record)
        if policy.may_release(g.actor, record, g.held[record.id]):
            found += self._releasing(record)
        if self.can("can_unlock") and policy.may_unlock(g.actor, record) and account_state(record) == "locked":
            found.append(Action(gettext("Unlock"), url_for("AccountView.unlock", pk=record.id), is_post=True))
        return found

    def _acting(self, record: Account) -> list[Action]:
        """What one administrator does to plain staff."""
        question = gettext("Issue a new password to %(name)s? All sessions end.", name=record.username)
        switch = gettext("Disable") if record.active else gettext("Enable")
        issue, turn = (url_for(f"AccountView.{verb}", pk=record.id) for verb in ("issue", "switch"))
        return [
            Action(gettext("Issue password"), issue, is_post=True, question=question),
            Action(switch, turn, is_post=True, question=f"{switch} {record.username}?", is_danger=bool(record.active)),
        ]

    @staticmethod
    def _asking(record: Account) -> list[Action]:
        """What one administrator asks for and another releases: the account has a role somebody could gain from."""
        if record.asked_measure:
            return []
        question = gettext("%(name)s has a role: another administrator has to release this. Ask?", name=record.username)
        wanted = {"password": gettext("Ask for a password")} | (
            {"disable": gettext("Ask to disable")} if record.active else {"enable": gettext("Ask to enable")}
        )
        return [
            Action(label, url_for("AccountView.ask", pk=record.id, measure=measure), is_post=True, question=question)
            for measure, label in wanted.items()
        ]

    @staticmethod
    def _releasing(record: Account) -> list[Action]:
        question = gettext(
            "%(asker)s asks: %(what)s for %(name)s. Release it?",
            asker=record.asked_by, what=WORDS["measure"][record.asked_measure], name=record.username,
        )  # fmt: skip
        verb = "issue" if record.asked_measure == "password" else "switch"
        release = gettext("Release: %(what)s", what=WORDS["measure"][record.asked_measure])
        return [
            Action(release, url_for(f"AccountView.{verb}", pk=record.id), is_post=True, question=question),
            Action(gettext("Decline"), url_for("AccountView.decline", pk=record.id), is_post=True),
        ]

    @expose("/ask/<pk>/<measure>", methods=["POST"])
    @has_access
    def ask(self, pk: str, measure: str) -> Response:
        """Ask that another administrator release something for an account."""
        record = self.record(pk)
        return self._do(lambda work: accounts.ask_measure(work, record, measure, actor=g.actor, now=sessions.now()))

    @expose("/decline/<pk>", methods=["POST"])
    @has_access
    def decline(self, pk: str) -> Response:
        record = self.record(pk)
        return self._do(lambda work: accounts.decline_measure(work, record, actor=g.actor, now=sessions.now()))

    @expose("/issue/<pk>", methods=["POST"])
    @has_access
    def issue(self, pk: str) -> Response | str:
        record = self.record(pk)
        require(
            policy.may_carry_out(g.actor, record, "password", accounts.held_by(db.session(), record, sessions.now()))
        )
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
        perform(verb, gettext("Saved."))
        return redirect(url_for("AccountView.list"))


PAGES = (AccountView,)
