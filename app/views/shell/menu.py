"""The side bar: what each role finds where, as data; an item shows only to who may open it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app, g, request, url_for
from flask_babel import lazy_gettext as _
from flask_login import current_user
from sqlalchemy import select

from app import health
from app.extensions import db
from app.models import Unit
from app.policies import jobs
from app.policies.scoping import unscoped
from app.security.manager import permissions_of
from app.services.messages import notices


@dataclass(frozen=True, slots=True)
class Item:
    """One page: its endpoint, the permission that opens it, its words."""

    endpoint: str
    permission: str
    label: Any

    @property
    def view(self) -> str:
        return self.endpoint.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Group:
    """A group of pages that opens in place; a group of one item is that item."""

    key: str
    label: Any
    icon: str
    items: tuple[Item, ...] = field(default=())
    ruled_off: bool = False


GROUPS: tuple[Group, ...] = (
    Group("workbench", _("Workbench"), "home", (Item("WorkbenchView.index", "", _("Workbench")),)),
    Group(
        "closing",
        _("Closing a period"),
        "check",
        (
            Item("ReadinessView.page", "can_page", _("Readiness board")),
            Item("VoucherView.list", "can_list", _("Correction vouchers")),
            Item("PermitView.list", "can_list", _("Reopen permits")),
        ),
        ruled_off=True,
    ),
    Group(
        "processes",
        _("Processes"),
        "flow",
        (
            Item("TaskView.list", "can_list", _("Supervised tasks")),
            Item("OpinionView.list", "can_list", _("Comments and requests")),
            Item("ProcessRuleView.page", "can_page", _("Rules of the processes")),
            Item("ReminderView.page", "can_page", _("Reminders")),
        ),
    ),
    Group(
        "scores",
        _("Scores and bulletins"),
        "bars",
        (
            Item("ScoreView.page", "can_page", _("Scores and ranks")),
            Item("BulletinView.list", "can_list", _("Bulletins")),
            Item("GradeDecisionView.page", "can_page", _("Decide grades")),
            Item("ResultNoticeView.list", "can_list", _("Notices of results")),
            Item("ScoreEntryView.list", "can_list", _("Ledger")),
            Item("RegistrationView.page", "can_page", _("Register an entry")),
            Item("RunView.list", "can_list", _("Job runs")),
        ),
        ruled_off=True,
    ),
    Group(
        "rules",
        _("Assessment rules"),
        "tree",
        (
            Item("SchemeView.list", "can_list", _("Schemes and clauses")),
            Item("ClauseView.list", "can_list", _("Clauses")),
            Item("TargetView.list", "can_list", _("Targets")),
            Item("ExternalResultView.list", "can_list", _("External results")),
            Item("DocumentView.list", "can_list", _("Document library")),
            Item("OversightView.list", "can_list", _("Division of work")),
            Item("ImportView.page", "can_page", _("Workbook import")),
        ),
        ruled_off=True,
    ),
    Group(
        "org",
        _("Organisation"),
        "people",
        (
            Item("UnitView.list", "can_list", _("Units")),
            Item("PersonView.list", "can_list", _("People")),
            Item("PostingView.list", "can_list", _("Postings")),
            Item("RelationView.list", "can_list", _("Relations")),
            Item("CalendarDayView.list", "can_list", _("Work calendar")),
            Item("NationalDayView.list", "can_list", _("National days off")),
            Item("ActingView.list", "can_list", _("Acting for colleagues")),
        ),
    ),
    Group(
        "admin",
        _("Administration"),
        "gear",
        (
            Item("AccountView.list", "can_list", _("Accounts")),
            Item("RoleGrantView.list", "can_list", _("Role grants")),
            Item("AdministratorsView.page", "can_page", _("Administrators")),
            Item("ChannelView.page", "can_page", _("Channels")),
            Item("TraceView.list", "can_list", _("Trace")),
            Item("ExposureView.page", "can_page", _("Whose data were seen")),
        ),
        ruled_off=True,
    ),
)


def shown() -> list[dict[str, Any]]:
    """The groups of the signed-in person, each with its open items and what is current."""
    allowed = permissions_of(db.session, g.actor)
    here = (request.endpoint or "").partition(".")[0]
    groups = []
    for group in GROUPS:
        items = [
            {"label": item.label, "url": url_for(item.endpoint), "is_current": item.view == here}
            for item in group.items
            if not item.permission or (item.permission, item.view) in allowed
        ]
        if items:
            is_open = any(item["is_current"] for item in items)
            groups.append({"group": group, "items": items, "is_open": is_open})
    return groups


def bureau_name() -> str:
    """The name of the bureau's root unit today, for the top bar; one query a request.

    Where an installation serves several bureaus, nobody is told of the others before he has signed in.
    """
    if "bureau_name" not in g:
        unit = Unit.__table__.c
        bureau_id = g.actor.bureau_id if "actor" in g else None
        query = select(unit.name, unit.bureau_id).where(unit.kind == "bureau")
        query = query.order_by(unit.valid_from.desc().nulls_last())
        if bureau_id is not None:
            query = query.where(unit.bureau_id == bureau_id)
        found = unscoped(db.session, "the name of the bureau stands on the page of sign-in too").execute(query).all()
        g.bureau_name = found[0].name if len({row.bureau_id for row in found}) == 1 else ""
    return str(g.bureau_name)


def _context() -> dict[str, Any]:
    signed_in = current_user.is_authenticated and "actor" in g
    return {
        "shell": signed_in,
        "period_switch": None,
        "title": "",
        "nav": shown() if signed_in else [],
        "actor": g.get("actor"),
        "bureau_name": bureau_name,
        "unread": notices.unread(db.session()) if signed_in else 0,
        "stands_still": signed_in and jobs.sees_signs(g.actor) and health.stands_still(current_app),
    }


def install(app: Flask) -> None:
    app.context_processor(_context)
