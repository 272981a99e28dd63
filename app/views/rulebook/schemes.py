"""The pages of schemes with their trees, of indicators and of rehearsals."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from flask import g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.extensions import db
from app.models import (
    Clause,
    Indicator,
    Rehearsal,
    Scheme,
    SchemeState,
)
from app.policies import scheme as policy
from app.rules.bulletin import change
from app.security import sessions
from app.services.rulebook import rehearsal, versions
from app.services.rulebook.trees import Branch, outline
from app.services.workbook.rows import LAST
from app.views.shell.base import HouseView
from app.views.shell.forms import (
    IndicatorForm,
    SchemeForm,
)
from app.views.shell.labels import number, subject_name, word
from app.views.shell.listing import chosen, coded, contains, dated, figure, state, text
from app.views.shell.register_view import RegisterView
from app.views.shell.timeline import acts_of
from app.views.shell.verbs import perform, ring


class SchemeView(RegisterView):
    """Schemes; the tree is the page of a scheme."""

    datamodel = SQLAInterface(Scheme)
    model = Scheme
    page_title = _("Schemes and clauses")
    crumb = _("Assessment rules")
    empty_text = _("A scheme comes in with a workbook, or is drafted here and put in force by a leader.")
    add_form = edit_form = SchemeForm
    include_route_methods = RegisterView.include_route_methods | {
        "tree",
        "put_in_force",
        "compare",
        "rehearse",
        "next_version",
    }
    base_permissions = [
        *RegisterView.base_permissions, "can_tree", "can_compare", "can_rehearse", "can_next_version",
    ]  # fmt: skip
    hints = {"groups": _("Several groups are separated by ;")}
    columns = (
        text("code", _("Code"), Scheme.code),
        text("title", _("Title"), Scheme.title),
        text("year", _("Year"), Scheme.year),
        text("version", _("Version"), Scheme.version),
        coded("subject_kind", _("Assesses")),
        text("groups", _("Assessment groups")),
        dated("in_force_from", _("In force from"), Scheme.in_force_from),
        dated("in_force_to", _("In force to"), Scheme.in_force_to),
        text("owner", _("Owned by"), of=lambda record: subject_name(record.owner_unit) if record.owner_unit else ""),
        state("state", _("State"), lambda record: record.stage),
    )
    filters = (
        contains("title", _("Title"), Scheme.title, Scheme.code),
        contains("group", _("Group"), Scheme.groups),
        chosen("state", _("State"), Scheme.state, "state", ("draft", "in_force")),
    )
    default_order = (Scheme.year.desc(), Scheme.code)

    def link(self, record: Scheme) -> str:
        return url_for("SchemeView.tree", pk=record.id)

    def may_change(self, record: Scheme) -> bool:
        return policy.may_edit_scheme(g.actor, record)

    @expose("/tree/<pk>")
    @has_access
    def tree(self, pk: str) -> str:
        """The tree at the left, the chosen node with its clauses at the right."""
        scheme = self.record(pk)
        nodes = db.session.scalars(
            select(Indicator).where(Indicator.scheme_id == scheme.id).order_by(Indicator.position, Indicator.code)
        ).all()
        branches = outline(nodes)
        wanted = request.args.get("node", "")
        current = next((branch for branch in branches if branch.node.code == wanted), branches[0] if branches else None)
        return str(
            self.render_template(
                "rulebook/scheme.html",
                title=scheme.title,
                scheme=scheme,
                branches=branches,
                current=current,
                clauses=self._clauses(current),
                facts=node_facts(current) if current else [],
                may_edit=self.can("can_edit") and policy.may_edit_scheme(g.actor, scheme),
                may_approve=scheme.stage != "in_force"
                and self.appbuilder.sm.has_access("can_page", "SchemeApprovalView"),
                actions=[row_action for row_action in self.row_actions(scheme) if row_action.url != self.link(scheme)],
                may_compare=self.can("can_compare"),
                may_draft=self.can("can_next_version") and policy.may_draft_version(g.actor, scheme),
                months=rehearsal.months_to_rehearse(db.session(), scheme.bureau_id)
                if self.can("can_rehearse") and policy.may_rehearse(g.actor, scheme)
                else None,
                rehearsals=db.session.scalars(
                    select(Rehearsal).where(Rehearsal.scheme_id == scheme.id).order_by(Rehearsal.id.desc())
                ).all(),
                acts=acts_of(scheme),
            )
        )

    @staticmethod
    def _clauses(current: Branch | None) -> list[Clause]:
        if current is None:
            return []
        return list(
            db.session.scalars(select(Clause).where(Clause.indicator_code == current.node.code).order_by(Clause.code))
        )

    @expose("/compare/<pk>")
    @has_access
    def compare(self, pk: str) -> str:
        """This scheme beside another of its kind: what is new, gone or changed."""
        scheme = self.record(pk)
        others = versions.others_like(db.session(), scheme)
        wanted = request.args.get("with", "")
        other = next((other for other in others if str(other.id) == wanted), others[0] if others else None)
        return str(
            self.render_template(
                "rulebook/scheme_compare.html",
                title=gettext("Versions side by side"),
                scheme=scheme,
                others=others,
                other=other,
                differences=[] if other is None else versions.compare_schemes(db.session(), other, scheme),
                heads=[] if other is None else versions.compare_heads(other, scheme),
                grades=[] if other is None else versions.compare_grade_rules(db.session(), other, scheme),
                clauses=versions.replaced_clauses(db.session(), scheme),
            )
        )

    @expose("/next_version/<pk>", methods=["POST"])
    @has_access
    def next_version(self, pk: str) -> Response:
        """Begin the next version: a draft with the same tree."""
        scheme = self.record(pk)
        made: list[int] = []

        def act(work: Any) -> None:
            made.append(versions.draft_version(work, scheme, actor=g.actor, now=sessions.now()).id)

        perform(act, gettext("The next version is drafted, with the same tree; change what is to change."))
        return redirect(url_for("SchemeView.tree", pk=made[0] if made else pk))

    @expose("/rehearse/<pk>", methods=["POST"])
    @has_access
    def rehearse(self, pk: str) -> Response:
        """Ask for the draft to be run over closed months."""
        scheme = self.record(pk)
        months = [it[:7] for it in request.form.getlist("months")]
        made: list[int] = []

        def act(work: Any) -> None:
            it, _run = rehearsal.ask_rehearsal(work, scheme, months, actor=g.actor, now=sessions.now())
            made.append(it.id)

        if not perform(act, gettext("The rehearsal is on its way.")):
            return redirect(self.link(scheme))
        ring()
        return redirect(url_for("RehearsalView.show", pk=made[0]))


class RehearsalView(HouseView):
    """Rehearsals, each kept with its version."""

    datamodel = SQLAInterface(Rehearsal)
    model = Rehearsal
    page_title = _("Rehearsals")
    crumb = _("Assessment rules")
    empty_text = _("No draft was rehearsed yet; a rehearsal begins on the page of a draft.")
    show_template = "rulebook/rehearsal.html"
    columns = (
        text("scheme", _("Scheme"), of=lambda record: record.scheme.code),
        text("periods", _("Months"), Rehearsal.periods),
        text("asked_by", _("Asked for by"), Rehearsal.asked_by),
        dated("asked_at", _("Asked for at"), Rehearsal.asked_at),
        dated("done_at", _("Done at"), Rehearsal.done_at),
    )
    default_order = (Rehearsal.asked_at.desc(),)

    def title_of(self, record: Rehearsal) -> str:
        return gettext("Rehearsal of %(scheme)s", scheme=record.scheme.code)

    def show_extras(self, record: Rehearsal) -> dict[str, Any]:
        found = json.loads(record.results) if record.results else {}
        for row in (row for rows in found.values() for row in rows):
            before, after = (None if row[name] is None else Decimal(row[name]) for name in ("before", "after"))
            row["difference"] = change(after, before)
            row["is_moved"] = (row["before"], row["rank_before"]) != (row["after"], row["rank_after"])
        return {"months": sorted(found.items())}


def node_facts(branch: Branch) -> list[tuple[Any, str]]:
    """What a node says of itself, blanks left out."""
    node = branch.node
    facts = [
        (_("Method"), word("method", node.method)),
        (_("Full marks"), number(node.full)),
        (_("Weight in percent"), number(node.weight)),
        (_("Base"), number(node.base)),
        (_("Cap"), node.cap),
        (_("Floor"), node.floor),
        (_("Decimals"), "" if node.places is None else str(node.places)),
        (_("Computed per"), word("span", node.span or "month") if branch.is_leaf else ""),
        (_("Rolled up by"), word("rollup", node.rollup or "mean") if branch.is_leaf else node.rollup),
        (_("Applies to"), node.applies_to),
        (_("If it does not apply"), word("not_applicable", node.not_applicable)),
        (_("Assessing department"), subject_name(node.assessor_unit)),
        (_("Parameters"), node.params),
    ]
    return [(label, value) for label, value in facts if value and value != "—"]


class IndicatorView(RegisterView):
    """Nodes of draft schemes; reached from the tree."""

    datamodel = SQLAInterface(Indicator)
    model = Indicator
    page_title = _("Indicators")
    crumb = _("Assessment rules")
    empty_text = _("Indicators belong to a scheme.")
    add_form = edit_form = IndicatorForm
    hints = {
        "cap": _("A number; none for open; blank for the method's default."),
        "floor": _("A number; none for open; blank for the method's default."),
        "params": _("For example of=mean or by=value;step=2"),
        "applies_to": _("For example group=NAME;!tag=NAME"),
    }
    columns = (
        text("scheme", _("Scheme"), of=lambda record: record.scheme.title),
        text("code", _("Code"), Indicator.code),
        text("title", _("Title"), Indicator.title),
        text("parent_code", _("Above")),
        coded("method", _("Method"), order=Indicator.method),
        figure("full", _("Full marks"), Indicator.full),
        figure("weight", _("Weight in percent"), Indicator.weight),
    )
    filters = (
        contains("title", _("Title"), Indicator.title, Indicator.code),
        chosen("method", _("Method"), Indicator.method, "method"),
    )
    default_order = (Indicator.scheme_id, Indicator.position, Indicator.code)

    def may_change(self, record: Indicator) -> bool:
        return policy.may_edit_scheme(g.actor, record.scheme)

    def after(self, record: Indicator) -> str:
        return url_for("SchemeView.tree", pk=record.scheme_id, node=record.code)

    def prefilled(self) -> Any:
        wanted = request.args.get("scheme", "")
        scheme = db.session.scalar(select(Scheme).where(Scheme.code == wanted, Scheme.state == SchemeState.DRAFT))
        return (
            None
            if scheme is None
            else Indicator(scheme=scheme, parent_code=request.args.get("parent", "")[:64], position=LAST)
        )


PAGES = (SchemeView, RehearsalView, IndicatorView)
