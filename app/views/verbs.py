"""A verb of a page: one call in one transaction, a refusal said on the page, the bell rung for what follows."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import current_app, flash
from flask_babel import gettext
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.errors import HouseError, NotPermitted
from app.extensions import transaction
from app.wording import say

log = logging.getLogger(__name__)


def perform(act: Callable[[Session], object], done: str) -> bool:
    """Run a verb in a transaction of its own; says that it was done, or why not. Answers whether it was.

    A missing right is no matter of the page: it goes on as 403.
    """
    try:
        with transaction() as work:
            act(work)
    except NotPermitted:
        raise
    except HouseError as refusal:
        flash(say(refusal.message), "danger")
        return False
    except StaleDataError:
        flash(gettext("Somebody was faster: the record has changed meanwhile. Open it again."), "danger")
        return False
    flash(done, "success")
    return True


def ring() -> None:
    """Ring the bell now instead of waiting for the next one; without a broker the database keeps what is to do."""
    try:
        current_app.extensions["celery"].send_task("tick", retry=False, expires=25)
    except (BrokerError, OSError) as fault:
        log.warning("the bell could not be rung: %s", fault)
