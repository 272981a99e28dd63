"""The national arrangement of days off and make-up workdays: the list by year, and bringing a new year in."""

from __future__ import annotations

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import extract
from werkzeug.wrappers import Response

from app.errors import HouseError, NotPermitted
from app.extensions import db, transaction
from app.models import NationalDay
from app.policies import org as policy
from app.rules.numbers import read_whole
from app.security import sessions
from app.services.bureau import calendar
from app.services.desk import arrangement
from app.views.shell.base import HouseView
from app.views.shell.errors import words_of
from app.views.shell.fields import text_of, whole_of
from app.views.shell.listing import Action, Filter, chosen, coded, dated, state, text
from app.views.shell.verbs import ring


def _year(value: str) -> object:
    year = read_whole(value, least=1000, most=9999)
    return None if year is None else extract("year", NationalDay.day) == year


class NationalDayView(HouseView):
    """Days off and make-up workdays as the State Council arranged them, one list for all bureaus."""

    datamodel = SQLAInterface(NationalDay)
    model = NationalDay
    page_title = _("National arrangement of days off")
    crumb = _("Organisation")
    empty_text = _("No arrangement is there yet; the installation brings those of 2004 to 2026.")
    include_route_methods = {"list", "export", "arrange"}
    base_permissions = ["can_list", "can_export", "can_arrange"]
    columns = (
        dated("day", _("Day"), NationalDay.day),
        coded("kind", _("Kind"), order=NationalDay.kind),
        text("name", _("Name"), NationalDay.name),
        state("state", _("State"), lambda record: "official" if record.is_official else "provisional"),
    )
    filters = (
        Filter("year", _("Year"), _year),  # type: ignore[arg-type]
        chosen("kind", _("Kind"), NationalDay.kind, "kind", ("workday", "holiday")),
    )
    default_order = (NationalDay.day.desc(),)

    def link(self, record: NationalDay) -> str:
        return url_for("NationalDayView.list", year=record.day.year)

    def row_actions(self, record: NationalDay) -> list[Action]:
        return []

    def default_arguments(self) -> dict[str, str]:
        return {"year": str(sessions.today().year)}

    def page_meta(self) -> str:
        years = calendar.official_years(db.session())
        missing = [it for it in (sessions.today().year, sessions.today().year + 1) if it not in years]
        if not missing:
            return ""
        return gettext(
            "The arrangement of %(years)s has not come yet; it is counted by weekends and statutory days.",
            years=", ".join(map(str, missing)),
        )

    def tools(self) -> list[Action]:
        if not (self.can("can_arrange") and policy.may_keep_calendar(g.actor)):
            return []
        return [Action(gettext("Bring in a year"), url_for("NationalDayView.arrange"), is_primary=True, icon="plus")]

    @expose("/arrange", methods=["GET", "POST"])
    @has_access
    def arrange(self) -> Response | str:
        """Paste the arrangement of a year; open deadlines follow at once."""
        given = {"year": str(sessions.today().year + 1), "days": ""}
        faults: dict[str, str] = {}
        if request.method == "POST":
            given = {"year": text_of("year"), "days": text_of("days")}
            try:
                with transaction() as work:
                    days, moved = arrangement.bring_in_year(
                        work, whole_of("year") or 0, given["days"], actor=g.actor, now=sessions.now()
                    )
            except NotPermitted:
                raise
            except HouseError as refusal:
                faults = {refusal.field_name or "days": words_of(refusal)}
            else:
                flash(
                    gettext("%(days)s days are in; %(moved)s open deadlines moved.", days=days, moved=moved), "success"
                )
                ring()
                return redirect(url_for("NationalDayView.list", year=given["year"]))
        return str(
            self.render_template(
                "org/arrange.html", title=gettext("Bring in a year"), view=self, given=given, faults=faults
            )
        )


PAGES = (NationalDayView,)
