"""The page of the personal data: shown at the first sign-in, and to everybody who looks for it later."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.utils.base import get_safe_redirect
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.extensions import transaction
from app.models import Account
from app.security import sessions
from app.services.accounts import personal_data


class PersonalDataView(BaseView):  # type: ignore[misc]
    """What the portal holds about its people; open to whoever is signed in."""

    route_base = "/personal-data"
    default_view = "page"

    @expose("/")
    def page(self) -> Response | str:
        if not current_user.is_authenticated:
            return redirect(url_for("HouseAuthView.login"))
        return render_template(
            "security/personal_data.html", title=gettext("Personal data"), notice=personal_data.notice(),
            is_new=current_user.informed_at is None, wanted=request.args.get("next", ""),
        )  # fmt: skip

    @expose("/read", methods=["POST"])
    def read(self) -> Response:
        """Read at the first sign-in: from now on it is not shown by itself."""
        if not current_user.is_authenticated:
            return redirect(url_for("HouseAuthView.login"))
        with transaction() as work:
            account = work.get_one(Account, current_user.id)
            personal_data.note_informed(work, account, actor=g.actor, now=sessions.now())
        wanted = request.form.get("next", "")
        return redirect(get_safe_redirect(wanted) if wanted else url_for("WorkbenchView.index"))
