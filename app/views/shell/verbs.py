"""A verb of a page: one call in one transaction, a refusal said on the page, the bell rung for what follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app, flash, g
from flask_babel import gettext
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.errors import HouseError, NotPermitted
from app.extensions import transaction, write_aside
from app.security import sessions
from app.services.messages import notices
from app.views.shell.errors import words_of


def perform(act: Callable[[Session], object], done: str, *, before: Callable[[], object] | None = None) -> bool:
    """Run a verb in a transaction of its own; says that it was done, or why not. Answers whether it was.

    What takes long and only reads comes `before` the transaction, so that nobody waits for it.
    A missing right is no matter of the page: it goes on as 403.
    """
    try:
        if before is not None:
            before()
        with transaction() as work:
            act(work)
    except NotPermitted:
        raise
    except HouseError as refusal:
        flash(words_of(refusal), "danger")
        return False
    except StaleDataError:
        flash(gettext("Somebody was faster: the record has changed meanwhile. Open it again."), "danger")
        return False
    flash(done, "success")
    return True


def ring() -> None:
    """Ring the bell now instead of waiting for the next one; without a broker the database keeps what is to do."""
    current_app.extensions["bell"].ring(current_app._get_current_object())  # type: ignore[attr-defined]


def mark_read(**which: Any) -> None:
    """Whoever opens a page has read what was said about it: noted in passing, and a page is shown without it too."""
    write_aside(lambda work: notices.mark_read(work, actor=g.actor, now=sessions.now(), **which), "a message as read")
