"""The landing page: what waits for me, how my unit and I stand, what was said, and the doors a role uses most."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Flask, g, redirect, render_template, request, url_for
from flask_appbuilder import IndexView, expose
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.extensions import db
from app.models import Notification
from app.rules.periods import Period
from app.rules.scoring.lights import MET_FROM, light_of
from app.security import sessions
from app.services.desk import overview
from app.services.desk.todo import todo
from app.services.messages.sentences import undump
from app.services.process.waiting import Todo
from app.views.desk.messages import address_of
from app.views.shell.menu import shown
from app.views.shell.periods import calendar_now
from app.wording import say

NEWEST = 6
WIDE, HIGH = 120, 36


class WorkbenchView(IndexView):  # type: ignore[misc]
    """The first page of every role; a figure is a door to the list that adds up to it."""

    @expose("/")
    def index(self) -> Response | str:
        if not current_user.is_authenticated:
            return redirect(url_for("HouseAuthView.login", next=request.args.get("next")))
        today = sessions.today()
        session = db.session()
        newest = session.scalars(
            select(Notification)
            .order_by(Notification.read_at.is_not(None), Notification.created_at.desc())
            .limit(NEWEST)
        )
        return render_template(
            "desk/workbench.html",
            figures=overview.figures(
                session, actor=g.actor, calendar=None if g.actor.bureau_id is None else calendar_now(), on=today
            ),
            waiting=[shown_todo(it) for it in waiting()],
            cards=[
                {"card": card, "light": light_of(card.standing.score), "line": spark([score for _, score in card.trend])}
                for card in overview.cards(session, actor=g.actor, on=today)
            ],
            met_from=MET_FROM,
            messages_shown=[
                {"text": say(undump(it.text)), "at": it.created_at, "is_unread": it.read_at is None,
                 "url": url_for("NotificationView.open", pk=it.id)}
                for it in newest
            ],
            doors=shown()[1:],
            today=today,
            last_month=str(Period.month_of(today).shifted(-1)),
        )  # fmt: skip


def waiting() -> list[Todo]:
    """What waits for the signed-in person; asked once a request."""
    if "todo" not in g:
        calendar = calendar_now() if g.actor.bureau_id is not None else None
        g.todo = todo(db.session(), actor=g.actor, calendar=calendar, on=sessions.today())
    found: list[Todo] = g.todo
    return found


def shown_todo(matter: Todo) -> dict[str, Any]:
    """One matter with its page."""
    kind, _, key = matter.item.partition(":")
    url = {
        "scores": lambda: url_for("ScoreView.page", period=key),
        "import": lambda: url_for("ImportView.preview", pk=key),
        "scheme": lambda: url_for("SchemeView.tree", pk=key),
        "account": lambda: url_for("AccountView.show", pk=key),
        "grant": lambda: url_for("RoleGrantView.list", state="waiting"),
        "person": lambda: url_for("PostingView.list", person=key),
        "accounts": lambda: url_for("AccountView.list", state=key),
    }.get(kind, lambda: address_of(matter.item))()
    return {
        "kind": matter.kind,
        "text": say(matter.text),
        "why": say(matter.why),
        "from_whom": matter.from_whom,
        "since": matter.since,
        "due_on": matter.due_on,
        "days_left": matter.days_left,
        "url": url,
    }


def spark(scores: list[Decimal]) -> str:
    """The points of a small line through the scores, in a box of 120 by 36."""
    if len(scores) < 2:
        return ""
    low, high = min(scores), max(scores)
    span = (high - low) or Decimal(1)
    step = Decimal(WIDE - 8) / (len(scores) - 1)
    return " ".join(
        f"{4 + step * index:.1f},{4 + (high - score) / span * (HIGH - 8):.1f}" for index, score in enumerate(scores)
    )


def install(app: Flask) -> None:
    """The count of the top bar is that of the page."""

    def context() -> dict[str, Any]:
        signed_in = current_user.is_authenticated and "actor" in g
        matters = waiting() if signed_in else []
        is_late = any(matter.days_left is not None and matter.days_left < 0 for matter in matters)
        return {"todo_count": len(matters), "todo_is_late": is_late}

    app.context_processor(context)
