"""The pages of signing in, signing out, the own password and the own sessions."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, g, redirect, render_template, request, session, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_appbuilder.security.views import AuthDBView
from flask_appbuilder.utils.base import get_safe_redirect
from flask_babel import gettext, lazy_gettext
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from sqlalchemy import select
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from app.errors import RuleViolation, WrongPassword
from app.extensions import db, short_transaction, transaction
from app.models import Account, UserSession
from app.policies.scoping import UNSCOPED
from app.rules.timetable import ZONE
from app.security import hashing, sessions
from app.services.accounts import passwords, sign_in
from app.services.accounts import sessions as accounts_sessions

TOO_MANY = lazy_gettext("Too many sign-ins from your machine have failed. Please wait five minutes.")
CROWDED = lazy_gettext("Many are signing in at this moment. Please enter your password again in a few seconds.")


class SignInForm(FlaskForm):  # type: ignore[misc]
    """User name and password."""

    username = StringField(lazy_gettext("User name"), validators=[InputRequired(), Length(max=64)])
    password = PasswordField(lazy_gettext("Password"), validators=[InputRequired(), Length(max=1000)])


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """The current password, and the new one twice."""

    current = PasswordField(lazy_gettext("Current password"), validators=[InputRequired(), Length(max=1000)])
    password = PasswordField(lazy_gettext("New password"), validators=[InputRequired(), Length(max=1000)])
    repeated = PasswordField(
        lazy_gettext("New password again"),
        validators=[InputRequired(), EqualTo("password", lazy_gettext("The two entries differ."))],
    )


class HouseAuthView(AuthDBView):  # type: ignore[misc]
    """Sign in with a server-side session; sign out by POST."""

    login_template = "security/sign_in.html"

    @expose("/login/", methods=["GET", "POST"])
    def login(self) -> Response | str:
        if current_user.is_authenticated:
            return redirect(url_for("WorkbenchView.index"))
        form = SignInForm()
        if form.validate_on_submit():
            try:
                with hashing.turn():
                    verified = sign_in.verified_hash(
                        db.session(),
                        username=form.username.data,
                        password=form.password.data,
                        hash_method=current_app.config["FAB_PASSWORD_HASH_METHOD"],
                    )
            except hashing.Crowded:
                return self._later(
                    form,
                    503,
                    CROWDED,
                )
            with transaction() as work:
                found = sign_in.sign_in(
                    work,
                    username=form.username.data,
                    verified=verified,
                    browser=request.user_agent.string,
                    actor=sessions.anonymous(),
                    now=sessions.now(),
                )
            if found is not None:
                return self._enter(found)
            if sign_in.is_throttled(db.session(), request.remote_addr or "", now=sessions.now()):
                return self._later(form, 429, TOO_MANY)
            flash(gettext("The user name or password is wrong, or the account is locked."), "danger")
        return render_template(self.login_template, form=form, title=self.title)

    def _later(self, form: SignInForm, status: int, why: Any) -> Response:
        """The form again with its name, and when to come back: nothing was looked at."""
        flash(why, "danger")
        page = render_template(self.login_template, form=form, title=self.title)
        return Response(page, status, {"Retry-After": str(hashing.RETRY_AFTER)}, mimetype="text/html")

    @staticmethod
    def _enter(found: sign_in.SignIn) -> Response:
        language = session.get("locale")
        session.clear()
        session.permanent = True
        session[sessions.TOKEN] = found.token
        if language:
            session["locale"] = language
        work = db.session()
        account = work.get(Account, found.account_id, execution_options=UNSCOPED)
        login_user(account)
        last = work.scalars(
            select(UserSession)
            .where(
                UserSession.account_id == found.account_id,
                UserSession.token_hash != accounts_sessions.token_hash(found.token),
            )
            .order_by(UserSession.id.desc())
            .limit(1),
            execution_options=UNSCOPED,
        ).first()
        if last is not None:
            at = last.started_at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")
            flash(gettext("Last sign-in: %(at)s from %(address)s", at=at, address=last.address or "—"), "info")
        wanted = request.args.get("next", "")
        if account is not None and account.informed_at is None:
            return redirect(url_for("PersonalDataView.page", next=wanted or None))
        return redirect(get_safe_redirect(wanted) if wanted else url_for("WorkbenchView.index"))

    @expose("/logout/", methods=["POST"])
    def logout(self) -> Response:
        if current_user.is_authenticated:
            with transaction() as work:
                accounts_sessions.sign_out(work, current_user, g.session_id, actor=g.actor, now=sessions.now())
        logout_user()
        session.clear()
        response = redirect(url_for("HouseAuthView.login"))
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


class PasswordView(BaseView):  # type: ignore[misc]
    """The own password; the only page open while one must be changed."""

    route_base = "/password"

    @expose("/", methods=["GET", "POST"])
    def change(self) -> Response | str:
        if not current_user.is_authenticated:
            return redirect(url_for("HouseAuthView.login"))
        form = PasswordForm()
        if form.validate_on_submit():
            try:
                with hashing.turn():
                    new = passwords.prepare_change(
                        current_user,
                        current=form.current.data,
                        password=form.password.data,
                        hash_method=current_app.config["FAB_PASSWORD_HASH_METHOD"],
                        words=passwords.words_of_bureau(db.session(), current_user, on=sessions.today()),
                        now=sessions.now(),
                    )
                with transaction() as work:
                    account = work.get_one(Account, g.actor.account_id)
                    passwords.change_own_password(
                        work, account, new, session_id=g.session_id, actor=g.actor, now=sessions.now()
                    )
            except hashing.Crowded:
                flash(
                    CROWDED,
                    "danger",
                )
                page = render_template("security/password.html", form=form, title=gettext("Change password"))
                return Response(page, 503, {"Retry-After": str(hashing.RETRY_AFTER)}, mimetype="text/html")
            except WrongPassword as refusal:
                self._note_guess()
                form.current.errors = [*form.current.errors, gettext(refusal.message.msgid)]
            except RuleViolation as refusal:
                field = form[refusal.field_name or "password"]
                field.errors = [*field.errors, gettext(refusal.message.msgid, **refusal.message.params)]
            else:
                flash(gettext("The password is changed; all other sessions are ended."), "success")
                is_told = current_user.informed_at is not None
                return redirect(url_for("WorkbenchView.index" if is_told else "PersonalDataView.page"))
        return render_template("security/password.html", form=form, title=gettext("Change password"))

    @staticmethod
    def _note_guess() -> None:
        """A wrong guess at the current password counts like one at the sign-in, whatever becomes of the form."""
        with short_transaction() as work:
            account = work.get_one(Account, g.actor.account_id)
            sign_in.note_wrong_password(work, account, actor=g.actor, now=sessions.now())


class SessionsView(BaseView):  # type: ignore[misc]
    """The own sessions: where, since when, and the end of any of them."""

    route_base = "/sessions"

    @expose("/")
    @has_access
    def mine(self) -> str:
        rows = db.session.scalars(
            select(UserSession)
            .where(UserSession.account_id == g.actor.account_id, UserSession.ended_at.is_(None))
            .order_by(UserSession.id.desc())
            .limit(50)
        ).all()
        return render_template("security/sessions.html", rows=rows, title=gettext("My sessions"))

    @expose("/end/<int:pk>", methods=["POST"])
    @has_access
    def end(self, pk: int) -> Response:
        with transaction() as work:
            row = work.scalar(
                select(UserSession).where(UserSession.id == pk, UserSession.account_id == g.actor.account_id)
            )
            if row is not None:
                accounts_sessions.sign_out(work, row.account, row.id, actor=g.actor, now=sessions.now())
        return redirect(url_for("SessionsView.mine"))
