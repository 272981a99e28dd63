"""Which language a page speaks: Chinese unless the person chose English; the choice is a POST."""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, request, session, url_for
from flask_appbuilder.utils.base import get_safe_redirect
from werkzeug.wrappers import Response

blueprint = Blueprint("language", __name__)
LANGUAGES = ("zh", "en")


@blueprint.post("/language/<code>")
def choose(code: str) -> Response:
    """Remember the language and go back to the page it was chosen on."""
    if code in LANGUAGES:
        session["locale"] = code
    back = request.form.get("back", "")
    return redirect(get_safe_redirect(back) if back else url_for("WorkbenchView.index"))


def install(app: Flask) -> None:
    app.register_blueprint(blueprint)
