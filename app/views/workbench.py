"""The landing page: what is mine, what is new, and the doors a role uses most."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from flask_appbuilder import IndexView, expose
from flask_login import current_user
from werkzeug.wrappers import Response

from app.extensions import db
from app.rules.periods import Period
from app.security import sessions
from app.services import overview
from app.views.menu import shown


class WorkbenchView(IndexView):  # type: ignore[misc]
    """The first page of every role; a figure is a door to the list that adds up to it."""

    @expose("/")
    def index(self) -> Response | str:
        if not current_user.is_authenticated:
            return redirect(url_for("HouseAuthView.login", next=request.args.get("next")))
        figures = overview.figures(db.session(), actor=g.actor, on=sessions.today())
        today = sessions.today()
        return render_template(
            "workbench.html",
            figures=figures,
            doors=shown()[1:],
            today=today,
            last_month=str(Period.month_of(today).shifted(-1)),
        )
