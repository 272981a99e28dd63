"""What happens before a request: who is it, does the session still live, must the password change first."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime

from flask import Flask, current_app, flash, g, redirect, request, session, url_for
from flask_babel import gettext
from flask_login import current_user, logout_user
from werkzeug.wrappers import Response

from app.extensions import db, transaction, write_aside
from app.models import Account
from app.policies.actor import Actor, Origin
from app.rules.timetable import local_time
from app.security.scope import act_as
from app.services.accounts import acting, sessions
from app.services.accounts.accounts import has_left
from app.services.accounts.actors import actor_of

TOKEN = "token"  # noqa: S105 - a key of the cookie
OPEN_ENDPOINTS = frozenset({"PasswordView.change", "HouseAuthView.logout", "HouseAuthView.login", "language"})


def now() -> datetime:
    """The present instant, aware, in UTC: looked up at the edges only."""
    return datetime.now(UTC)


def today() -> date:
    """The business day of the bureau."""
    return local_time(now()).date()


def origin() -> Origin:
    """Where the request comes from: true peer address, short reference of the session, request id."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(6)
    token = session.get(TOKEN)
    reference = sessions.token_hash(token)[:12] if isinstance(token, str) else ""
    return Origin(request.remote_addr or "", reference, g.request_id)


def anonymous() -> Actor:
    """Nobody, with the address of the request."""
    come_from = origin()
    return Actor(address=come_from.address, request_id=come_from.request_id)


def load_account(pk: object) -> Account | None:
    """Flask-Login's loader: the account, if the server still knows the session of the cookie."""
    token = session.get(TOKEN)
    if not isinstance(token, str):
        return None
    row = sessions.live_session(
        db.session(), token, idle=current_app.config["KAOJI_IDLE_TIMEOUT"], now=now(),
        unwritten=current_app.extensions.get("unwritten_stamps"),
    )  # fmt: skip
    if row is None or str(row.account_id) != str(pk) or not row.account.active:
        return None
    g.session_id, g.session_seen_at, g.acting_grant_id = row.id, row.seen_at, row.acting_grant_id
    return row.account


# What a page asks for by itself: it keeps no session alive, only what a person does.
ASKED_BY_PAGES = frozenset({"RunView.progress"})


def _let_go(account: Account) -> Response:
    """Who left the bureau yesterday has no session today."""
    with transaction() as work:
        sessions.end_sessions(work, work.get_one(Account, account.id), now=now())
    logout_user()
    session.clear()
    flash(gettext("You are no longer in the register of people; your sessions have ended."), "danger")
    return redirect(url_for("HouseAuthView.login"))


def _before() -> Response | None:
    come_from = origin()
    if request.endpoint is not None and (request.endpoint.endswith("static") or request.blueprint == "health"):
        return None
    if not current_user.is_authenticated:
        g.actor = anonymous()
        act_as(db.session(), g.actor)
        return None
    account = current_user._get_current_object()
    g.actor = actor_of(db.session(), account, on=today(), origin=come_from)
    if g.acting_grant_id is not None:
        acting_as = acting.acting_actor(db.session(), g.actor, g.acting_grant_id, on=today(), origin=come_from)
        g.actor = g.actor if acting_as is None else acting_as
    act_as(db.session(), g.actor)
    if not g.actor.roles and has_left(db.session(), account, on=today()):
        return _let_go(account)
    if request.endpoint not in ASKED_BY_PAGES and now() - g.session_seen_at > sessions.STAMP_EVERY:
        number, at = g.session_id, now()
        unwritten = current_app.extensions.setdefault("unwritten_stamps", {})
        if write_aside(lambda work: sessions.stamp_session(work, number, now=at), "the stamp of a session"):
            unwritten.clear()
        else:
            unwritten[number] = at
    if account.must_change_password and request.endpoint not in OPEN_ENDPOINTS:
        return redirect(url_for("PasswordView.change"))
    return None


def install(app: Flask) -> None:
    """After FAB's own hook, so that the signed-in user is known."""
    app.before_request(_before)
