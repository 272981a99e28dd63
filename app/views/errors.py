"""What a person sees when something goes wrong: plain words, a short id, never a stack trace."""

from __future__ import annotations

import logging
import secrets

from flask import Flask, g, jsonify, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from app.errors import Conflict, HouseError, NotPermitted
from app.extensions import db, short_transaction
from app.security import sessions
from app.services import trace
from app.wording import say

log = logging.getLogger(__name__)


def _titles() -> dict[int, tuple[str, str]]:
    return {
        400: (gettext("The request cannot be understood"), gettext("An address or a field holds something that does not belong there. Go back and choose again.")),
        401: (gettext("Please sign in"), gettext("Your session has ended.")),
        403: (gettext("No right"), gettext("Your roles do not cover this page. The security administrator grants roles.")),
        404: (gettext("Nothing here for you"), gettext("The record does not exist, or it is not in your scope.")),
        405: (gettext("Not this way"), gettext("This address takes no such request.")),
        409: (gettext("Somebody was faster"), gettext("The record has changed meanwhile. Open it again.")),
        413: (gettext("The file is too large"), gettext("At most 20 MB are accepted.")),
        503: (gettext("The database is busy"), gettext("Please try again in a moment.")),
        500: (gettext("Something went wrong"), gettext("The fault is logged under the number below. Nothing was stored.")),
    }  # fmt: skip


def page(status: int, detail: str = "") -> tuple[Response | str, int]:
    """The error page of a status, with the id under which the log has it."""
    titles = _titles()
    title, advice = titles.get(status, titles[400 if status < 500 else 500])
    reference = g.get("request_id") or secrets.token_hex(6)
    if request.accept_mimetypes.best == "application/json":
        return jsonify(error=title, detail=detail or advice, reference=reference), status
    return render_template("error.html", title=title, advice=detail or advice, reference=reference), status


def _http(error: HTTPException) -> tuple[Response | str, int] | Response:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    if error.code == 403 or (error.code == 404 and g.get("is_hidden")):
        note_refusal()
    return page(error.code or 500)


def note_refusal() -> None:
    """A refused request leaves a trace."""
    actor = g.get("actor")
    if actor is not None and actor.account_id is not None:
        with short_transaction() as work:
            trace.record(
                work, verb="refuse", target="request", label=f"{request.method} {request.path}", result="refused",
                actor=actor, now=sessions.now(),
            )  # fmt: skip


def _host(_error: SecurityError) -> Response:
    """A request under a name that is not ours: no page, because no address can be built for it."""
    return Response(gettext("The request cannot be understood"), 400, mimetype="text/plain")


def _start_afresh() -> None:
    """Drop the transaction that failed, so that the error page can read; what was to be written is gone already."""
    db.session.rollback()


def _house(error: HouseError) -> tuple[Response | str, int]:
    _start_afresh()
    if isinstance(error, NotPermitted):
        note_refusal()
    status = 403 if isinstance(error, NotPermitted) else 409 if isinstance(error, Conflict) else 400
    return page(status, say(error.message))


def _csrf(_error: CSRFError) -> tuple[Response | str, int]:
    return page(400, gettext("The form has expired. Open the page again and send it once more."))


def _busy(error: OperationalError) -> tuple[Response | str, int]:
    _start_afresh()
    log.warning("database unavailable, request %s: %s", g.get("request_id"), error.orig)
    return page(503)


def _faster(error: IntegrityError) -> tuple[Response | str, int]:
    """The database refused a row: nearly always two at once. Nothing was stored; the log has the constraint."""
    _start_afresh()
    log.error("request %s refused by the database", g.get("request_id"), exc_info=error)
    return page(409)


def _fault(error: Exception) -> tuple[Response | str, int]:
    _start_afresh()
    log.error("request %s failed", g.get("request_id"), exc_info=error)
    return page(500)


def install(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SecurityError, _host)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HouseError, _house)
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(IntegrityError, _faster)
    app.register_error_handler(Exception, _fault)
