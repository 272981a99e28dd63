"""The two addresses a watchdog asks: does the portal live, and is it ready; without a session, without secrets."""

from __future__ import annotations

from flask import Blueprint, Flask, jsonify
from werkzeug.wrappers import Response

from app import health

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
def live() -> Response:
    """The process answers."""
    return jsonify(status="alive")


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    """Every part is as it should be; 503 with the part that is not."""
    found = health.health()
    body = jsonify(
        status="ready" if found.is_ready else "not ready", checks=dict(found.checks), warnings=dict(found.warnings)
    )
    return body, 200 if found.is_ready else 503


def install(app: Flask) -> None:
    app.register_blueprint(blueprint)
