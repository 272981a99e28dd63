"""The pages: declarations and one-line hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.security.personal_data import PersonalDataView
from app.security.views import PasswordView, SessionsView
from app.views.desk import messages, readiness, reminders, workbench
from app.views.org import accounts, acting, administrators, exposure, grants, national_days, registers, trace
from app.views.process import attachments, opinions, rules, view
from app.views.rulebook import approval, clauses, documents, imports, measures, registration, schemes
from app.views.running import channels, jobs
from app.views.scores import bulletin, entries, grades, permits, ranking, vouchers
from app.views.shell import errors, health, labels, language, menu, versions
from app.views.supervision import pages as supervision

if TYPE_CHECKING:
    from flask import Flask
    from flask_appbuilder import AppBuilder


def register(app: Flask, appbuilder: AppBuilder) -> None:
    """Register every page; menus are our own data, so nothing goes into FAB's menu."""
    pages: list[type] = [
        PasswordView,
        PersonalDataView,
        SessionsView,
        *registers.PAGES,
        *documents.PAGES,
        *schemes.PAGES,
        *approval.PAGES,
        *clauses.PAGES,
        *measures.PAGES,
        *entries.PAGES,
        *registration.PAGES,
        *ranking.PAGES,
        *bulletin.PAGES,
        *supervision.PAGES,
        *opinions.PAGES,
        *attachments.PAGES,
        *view.PAGES,
        *rules.PAGES,
        *acting.PAGES,
        *national_days.PAGES,
        *permits.PAGES,
        *vouchers.PAGES,
        *readiness.PAGES,
        *grades.PAGES,
        *jobs.PAGES,
        *messages.PAGES,
        *reminders.PAGES,
        *channels.PAGES,
        *imports.PAGES,
        *accounts.PAGES,
        *grants.PAGES,
        *administrators.PAGES,
        *trace.PAGES,
        *exposure.PAGES,
    ]
    for page in pages:
        appbuilder.add_view_no_menu(page)
    language.install(app)
    health.install(app)
    labels.install(app)
    versions.install(app)
    menu.install(app)
    workbench.install(app)
    errors.install(app)
