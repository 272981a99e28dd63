"""The pages of clauses: prices, conditions, shares."""

from __future__ import annotations

from flask import g
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from app.models import (
    Clause,
)
from app.policies import scheme as policy
from app.views.shell.forms import (
    ClauseForm,
)
from app.views.shell.labels import number
from app.views.shell.listing import chosen, coded, contains, text
from app.views.shell.register_view import RegisterView


def price_of(clause: Clause) -> str:
    """The price as one reads it: a number, or a range."""
    if clause.pricing == "range":
        return f"{number(clause.price_min)}–{number(clause.price_max)}"
    if clause.pricing == "ladder":
        return clause.ladder
    return number(clause.price)


class ClauseView(RegisterView):
    """Clauses: what may be registered and what it is worth."""

    datamodel = SQLAInterface(Clause)
    model = Clause
    page_title = _("Clauses")
    crumb = _("Assessment rules")
    empty_text = _("A clause is picked, never typed, when an entry is registered.")
    add_form = edit_form = ClauseForm
    hints = {
        "multipliers": _("condition:factor, for example joint=yes:0.5;tag=large:2"),
        "cap": _("For example 2, 1/work, or 2;1/work"),
        "ladder": _("Prices of the 1st, 2nd … time in a window, for example 1;5;15/month"),
        "every_n": _("For example 2/year"),
        "shares": _("Percent of each party, for example unit=100;leader=50"),
        "veto": _("A number the total is set to, or the best grade that is left"),
    }
    columns = (
        text("code", _("Code"), Clause.code),
        text("indicator_code", _("Indicator"), Clause.indicator_code),
        text("text", _("Clause"), Clause.text),
        coded("effect", _("Effect"), order=Clause.effect),
        coded("pricing", _("Pricing"), order=Clause.pricing),
        text("price", _("Price"), of=price_of),
        text(
            "basis",
            _("Article"),
            of=lambda record: " ".join(filter(None, [record.document and record.document.title, record.basis])),
        ),
    )
    detail = (
        *columns,
        text("ladder", _("Ladder")),
        text("every_n", _("Every n-th")),
        text("multipliers", _("Multipliers")),
        coded("duplicates", _("Duplicates")),
        text("shares", _("Shares")),
        text("cap", _("Cap")),
        text("veto", _("Veto")),
        text("replaces", _("Stands for")),
        text(
            "evidence_required",
            _("Evidence required"),
            of=lambda record: gettext("yes") if record.evidence_required else gettext("no"),
        ),
    )
    filters = (
        contains("text", _("Clause"), Clause.text, Clause.code),
        contains("indicator", _("Indicator"), Clause.indicator_code),
        chosen("effect", _("Effect"), Clause.effect, "effect"),
        chosen("pricing", _("Pricing"), Clause.pricing, "pricing"),
    )
    default_order = (Clause.indicator_code, Clause.code)

    def may_change(self, record: Clause) -> bool:
        return policy.may_keep_rules(g.actor) or record.indicator_code in g.actor.lines


PAGES = (ClauseView,)
