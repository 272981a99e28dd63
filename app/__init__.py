"""Kaoji: plan, supervise, assess, score and report the work of a bureau. `create_app` is the only composition."""

from __future__ import annotations

import logging
import os

from flask import Flask
from flask_appbuilder import AppBuilder
from werkzeug.middleware.proxy_fix import ProxyFix

import config
from app.extensions import csrf, db, migrate


class HouseBuilder(AppBuilder):  # type: ignore[misc]
    """AppBuilder with the index and sign-in pages only: its language switch and back link change by GET."""

    def _add_admin_views(self) -> None:
        self._indexview = self.add_view_no_menu(self.indexview)
        self.sm.register_views()


def create_app(overrides: dict[str, object] | None = None) -> Flask:
    """Make the application. Tables and permissions are made by `flask init`, never here."""
    from app import cli, cli_installation, cli_runs, tasks, views
    from app.security import bodies, headers, requests, scope, sessions

    os.umask(0o077)  # whatever the portal writes is its owner's alone
    app = Flask(__name__)
    app.config.update(config.settings())
    app.config.update(overrides or {})
    logging.getLogger("flask_appbuilder").setLevel(logging.WARNING)
    if not config.CATALOGUE.exists():
        raise SystemExit("The Chinese words are not compiled; run: make install")
    proxies = app.config["KAOJI_PROXIES"]
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    app.wsgi_app = bodies.Bounded(app.wsgi_app, app)  # type: ignore[method-assign, assignment]
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = config.engine_options(
        str(app.config["SQLALCHEMY_DATABASE_URI"]), app.config["DATABASE_PATIENCE"]
    )
    db.init_app(app)
    migrate.init_app(app, db, directory=str(config.PROJECT / "app" / "migrations"), render_as_batch=False)
    csrf.init_app(app)
    requests.install(app)
    scope.install()
    headers.install(app)
    with app.app_context():
        appbuilder = HouseBuilder()
        appbuilder.init_app(app, db.session)
        sessions.install(app)
        requests.watch(app)
        views.register(app, appbuilder)
    tasks.install(app)
    cli.install(app)
    cli_installation.install(app)
    cli_runs.install(app)
    return app
