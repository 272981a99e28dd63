"""Targets, and the results of the bureaus above with the own ones beside them."""

from __future__ import annotations

from flask import g, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from app.extensions import db
from app.models import ExternalResult, Person, Target, Unit
from app.policies.scheme import may_keep_rules
from app.security import sessions
from app.services.scoring import comparison
from app.views.shell.forms import ExternalResultForm, TargetForm
from app.views.shell.labels import subject_name
from app.views.shell.listing import Action, contains, figure, named, text
from app.views.shell.periods import period_argument, switch
from app.views.shell.register_view import RegisterView


class TargetView(RegisterView):
    """Targets, each for exactly one subject and period."""

    datamodel = SQLAInterface(Target)
    model = Target
    page_title = _("Targets")
    crumb = _("Assessment rules")
    empty_text = _("A target serves exactly the period it names.")
    add_form = edit_form = TargetForm
    hints = {"period": _("2026-03, 2026Q1 or 2026")}
    columns = (
        text("indicator_code", _("Indicator"), Target.indicator_code),
        text("subject", _("Assessed"), of=lambda record: subject_name(record.subject)),
        text("period", _("Period"), Target.period),
        figure("value", _("Target"), Target.value),
    )
    filters = (
        named("subject", _("Unit"), Target.subject_id, Unit),
        contains("indicator", _("Indicator"), Target.indicator_code),
        contains("period", _("Period"), Target.period),
    )
    default_order = (Target.period.desc(), Target.indicator_code)

    def title_of(self, record: Target) -> str:
        return f"{record.indicator_code} · {subject_name(record.subject)} · {record.period}"

    def may_change(self, record: Target) -> bool:
        return may_keep_rules(g.actor) or record.indicator_code in g.actor.lines


class ExternalResultView(RegisterView):
    """Results of the bureaus above, kept as printed."""

    datamodel = SQLAInterface(ExternalResult)
    model = ExternalResult
    page_title = _("External results")
    crumb = _("Assessment rules")
    empty_text = _("Results of the bureaus above are kept as printed and never overwritten.")
    add_form = edit_form = ExternalResultForm
    hints = {"indicator_code": _("Blank: the total as published, shown beside, never computed with.")}
    columns = (
        text("period", _("Period"), ExternalResult.period),
        text("subject", _("Assessed"), of=lambda record: subject_name(record.subject)),
        text("indicator_code", _("Indicator"), ExternalResult.indicator_code),
        figure("score", _("Score"), ExternalResult.score),
        figure("rank", _("Rank"), ExternalResult.rank),
        text("issuer", _("Issuer"), ExternalResult.issuer),
    )
    filters = (
        named("subject", _("Unit"), ExternalResult.subject_id, Unit),
        named("person", _("Person"), ExternalResult.subject_id, Person),
        contains("period", _("Period"), ExternalResult.period),
    )
    default_order = (ExternalResult.period.desc(), ExternalResult.subject_id)
    include_route_methods = RegisterView.include_route_methods | {"compare"}
    base_permissions = [*RegisterView.base_permissions, "can_compare"]

    def tools(self) -> list[Action]:
        beside = Action(gettext("Beside own results"), url_for("ExternalResultView.compare"))
        return [*super().tools(), beside] if self.can("can_compare") else super().tools()

    @expose("/compare")
    @has_access
    def compare(self) -> str:
        """The printed results of a period beside the own ones, with the deviation."""
        known = comparison.printed_periods(db.session())
        period = period_argument(known, on=sessions.today())
        tables = [] if period is None else comparison.printed_beside_own(db.session(), period)
        beside = None
        if period is not None:
            beside = switch(period, known, lambda record: url_for("ExternalResultView.compare", period=str(record)))
        return str(
            self.render_template(
                "rulebook/externals.html", title=gettext("Beside own results"), view=self, period=period, tables=tables,
                period_switch=beside, subject_name=subject_name,
            )
        )  # fmt: skip

    def title_of(self, record: ExternalResult) -> str:
        return f"{subject_name(record.subject)} · {record.period}"


PAGES = (TargetView, ExternalResultView)
