"""What a person sees when something goes wrong: plain words, a short id, never a stack trace."""

from __future__ import annotations

import contextlib
import errno
import logging
import secrets

from flask import Flask, current_app, g, jsonify, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from app.errors import Busy, Conflict, HouseError, NotPermitted
from app.extensions import db, write_aside
from app.policies.free import NOT_FREE
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
        408: (gettext("It took too long"), gettext("What was sent did not arrive in time. Nothing was stored; please send it again.")),
        429: (gettext("Too many at once"), gettext("Please wait a moment and try again.")),
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
    return render_template("shell/error.html", title=title, advice=detail or advice, reference=reference), status


def _http(error: HTTPException) -> tuple[Response | str, int] | Response:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    if error.code == 403 or (error.code == 404 and g.get("is_hidden")):
        note_refusal()
    return page(error.code or 500)


def note_refusal() -> None:
    """A refused request leaves a trace; where none can be written, the answer is still the refusal."""
    actor = g.get("actor")
    if actor is None or actor.account_id is None:
        return
    label = f"{request.method} {request.path}"
    is_kept = write_aside(
        lambda work: trace.record(
            work, verb="refuse", target="request", label=label, result="refused", actor=actor, now=sessions.now()
        ),
        "a refusal",
    )
    if not is_kept:
        # What the trace could not take, the log of the server has.
        log.error("refused and not in the trace: account %s, %s, %s", actor.account_id, label, g.get("request_id"))


def words_of(refusal: HouseError) -> str:
    """What a refusal says on the page that goes on; one for want of a right, or about oneself, leaves a trace."""
    if isinstance(refusal, NotPermitted) or refusal.message == NOT_FREE:
        note_refusal()
    return say(refusal.message)


def _host(_error: SecurityError) -> Response:
    """A request under a name that is not ours: no page, because no address can be built for it."""
    log.warning(
        "refused a request for the host %r: KAOJI_HOSTS does not name it", request.environ.get("HTTP_HOST", "")[:100]
    )
    text = gettext(
        "The portal is not known under this name. The system administrator adds it to KAOJI_HOSTS and starts the portal again."
    )
    return Response(text, 400, mimetype="text/plain")


def _start_afresh() -> None:
    """Drop the transaction that failed, so that the error page can read; what was to be written is gone already."""
    db.session.rollback()


def _house(error: HouseError) -> tuple[Response | str, int]:
    _start_afresh()
    if isinstance(error, NotPermitted):
        note_refusal()
    status = (
        403
        if isinstance(error, NotPermitted)
        else 409
        if isinstance(error, Conflict)
        else 503
        if isinstance(error, Busy)
        else 400
    )
    return page(status, say(error.message))


def _csrf(_error: CSRFError) -> tuple[Response | str, int]:
    return page(400, gettext("The form has expired. Open the page again and send it once more."))


def _busy(error: OperationalError | PoolTimeout) -> tuple[Response | str, int]:
    """The database is away, locked or full: the page that says so asks it nothing."""
    said = str(getattr(error, "orig", error))
    log.warning("database unavailable, request %s: %s", g.get("request_id"), said)
    with contextlib.suppress(SQLAlchemyError):
        _start_afresh()
    g._login_user = current_app.extensions["appbuilder"].sm.lm.anonymous_user()
    if "full" in said:
        return page(503, _disk_is_full())
    return page(503)


def _disk(error: OSError) -> tuple[Response | str, int]:
    """A file could not be written: nothing was stored; a full disk is named."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return _fault(error)
    _start_afresh()
    log.error("request %s: %s", g.get("request_id"), error)
    return page(503, _disk_is_full())


def _disk_is_full() -> str:
    return gettext(
        "The disk of the server is full: nothing can be stored. Tell the system administrator; what you can read, you can go on reading."
    )


def _faster(error: IntegrityError | StaleDataError) -> tuple[Response | str, int]:
    """The database refused a row, or its version had moved: two at once. Nothing was stored; the log has the constraint."""
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
    app.register_error_handler(PoolTimeout, _busy)
    app.register_error_handler(OSError, _disk)
    app.register_error_handler(IntegrityError, _faster)
    app.register_error_handler(StaleDataError, _faster)
    app.register_error_handler(Exception, _fault)
