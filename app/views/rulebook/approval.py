"""The page on which a scheme is submitted, looked at whole, approved or sent back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from flask import flash, g, redirect, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.errors import HouseError, NotPermitted
from app.extensions import db, transaction
from app.models import Indicator, Rehearsal, Scheme
from app.policies import scheme as policy
from app.policies.actor import require
from app.rules.bulletin import change
from app.security import sessions
from app.services.rulebook import approval, versions
from app.services.rulebook.trees import Branch, outline
from app.views.shell import versions as forms
from app.views.shell.base import record_of
from app.views.shell.errors import words_of
from app.views.shell.fields import text_of
from app.views.shell.timeline import acts_of
from app.views.shell.verbs import perform, ring

MOST_MOVED = 50


class SchemeApprovalView(BaseView):  # type: ignore[misc]
    """A scheme as it is decided on: its weights, what differs from the version in force, what it would have given."""

    route_base = "/approval"

    @expose("/<pk>")
    @has_access
    def page(self, pk: str) -> str:
        return self._page(record_of(Scheme, Scheme.id, pk), "", "")

    def _page(self, scheme: Scheme, reason: str, fault: str) -> str:
        nodes = db.session.scalars(
            select(Indicator).where(Indicator.scheme_id == scheme.id).order_by(Indicator.position, Indicator.code)
        ).all()
        branches = outline(list(nodes))
        before = next((it for it in versions.others_like(db.session(), scheme) if _is_before(it, scheme)), None)
        rehearsal = db.session.scalars(
            select(Rehearsal)
            .where(Rehearsal.scheme_id == scheme.id, Rehearsal.done_at.is_not(None))
            .order_by(Rehearsal.id.desc())
            .limit(1)
        ).first()
        may = self.appbuilder.sm.has_access
        return str(
            self.render_template(
                "rulebook/scheme_approval.html",
                title=gettext("Approval of %(code)s", code=scheme.code),
                scheme=scheme,
                inner=[branch for branch in branches if not branch.is_leaf],
                short=[branch for branch in branches if branch.short_weights is not None],
                sum_of=sum_of,
                before=before,
                differences=[] if before is None else versions.compare_schemes(db.session(), before, scheme),
                heads=[] if before is None else versions.compare_heads(before, scheme),
                clauses=versions.replaced_clauses(db.session(), scheme),
                rehearsal=rehearsal,
                months=[] if rehearsal is None else moved_rows(rehearsal),
                acts=acts_of(scheme),
                reason=reason,
                fault=fault,
                mark=forms.mark_of(scheme, [_shown(node) for node in nodes]),
                may_submit=policy.may_submit(g.actor, scheme) and may("can_submit", "SchemeApprovalView"),
                may_withdraw=policy.may_withdraw(g.actor, scheme) and may("can_withdraw", "SchemeApprovalView"),
                may_decide=policy.may_put_in_force(g.actor, scheme) and may("can_approve", "SchemeApprovalView"),
            )
        )

    def _do(self, pk: str, verb: Any, said: str) -> Response:
        scheme = record_of(Scheme, Scheme.id, pk)
        if perform(lambda work: verb(work, scheme), said):
            ring()
        return redirect(url_for("SchemeApprovalView.page", pk=pk))

    @expose("/submit/<pk>", methods=["POST"])
    @has_access
    def submit(self, pk: str) -> Response:
        """Submit the draft for approval."""

        def act(work: Any, scheme: Scheme) -> None:
            approval.submit(work, scheme, actor=g.actor, now=sessions.now())

        return self._do(pk, act, gettext("Submitted; the leaders are told."))

    @expose("/withdraw/<pk>", methods=["POST"])
    @has_access
    def withdraw(self, pk: str) -> Response:
        """Take the submitted draft back."""

        def act(work: Any, scheme: Scheme) -> None:
            approval.withdraw(work, scheme, actor=g.actor, now=sessions.now())

        return self._do(pk, act, gettext("Taken back; it can be edited again."))

    @expose("/approve/<pk>", methods=["POST"])
    @has_access
    def approve(self, pk: str) -> Response:
        """Approve: in force as it was seen on the page."""

        def act(work: Any, scheme: Scheme) -> None:
            nodes = work.scalars(
                select(Indicator).where(Indicator.scheme_id == scheme.id).order_by(Indicator.position, Indicator.code)
            ).all()
            require(policy.may_put_in_force(g.actor, scheme))
            forms.refuse_changed(scheme, [_shown(node) for node in nodes])
            approval.put_in_force(work, scheme, actor=g.actor, now=sessions.now())

        return self._do(pk, act, gettext("The scheme is in force."))

    @expose("/send_back/<pk>", methods=["POST"])
    @has_access
    def send_back(self, pk: str) -> Response | str:
        """Send it back with the reason; what was typed stays where it is refused."""
        scheme = record_of(Scheme, Scheme.id, pk)
        reason = text_of("reason")
        try:
            with transaction() as work:
                approval.send_back(work, scheme, reason, actor=g.actor, now=sessions.now())
        except NotPermitted:
            raise
        except HouseError as refusal:
            return self._page(record_of(Scheme, Scheme.id, pk), reason, words_of(refusal))
        flash(gettext("Sent back; the office is told."), "success")
        ring()
        return redirect(url_for("SchemeApprovalView.page", pk=pk))


def _is_before(other: Scheme, scheme: Scheme) -> bool:
    return other.state == "in_force" and other.owner_unit_id == scheme.owner_unit_id


def _shown(node: Indicator) -> list[str]:
    """What the page was drawn from, of one indicator."""
    return [str(getattr(node, column.name)) for column in node.__table__.columns]


def sum_of(branch: Branch) -> str:
    """What lies below a branch adds up to: weights or full marks."""
    if branch.node.method in ("weighted", "weighted_mean"):
        return "—" if branch.children_weight is None else f"{branch.children_weight.normalize():f}%"
    return "—" if branch.children_full is None else f"{branch.children_full.normalize():f}"


def moved_rows(rehearsal: Rehearsal) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Per month how many were computed, and those who would stand differently with what moved them."""
    found = []
    for month, rows in sorted(json.loads(rehearsal.results or "{}").items()):
        moved = [row for row in rows if (row["before"], row["rank_before"]) != (row["after"], row["rank_after"])][
            :MOST_MOVED
        ]
        for row in moved:
            before, after = (None if row[name] is None else Decimal(row[name]) for name in ("before", "after"))
            row["difference"] = change(after, before)
        found.append((month, len(rows), moved))
    return found


PAGES = (SchemeApprovalView,)
