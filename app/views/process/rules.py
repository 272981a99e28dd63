"""The rules a bureau has settled for its processes: what holds today, what is to come, and setting one."""

from __future__ import annotations

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.errors import HouseError, NotPermitted
from app.extensions import db, transaction
from app.models import Bureau, ProcessRule
from app.policies import processes as policy
from app.rules.processes import PROCESS_RULES, QUIET, REMINDER
from app.rules.supervision import read_ladder
from app.security import sessions
from app.services.bureau import rules as process_rules
from app.views.shell import versions
from app.views.shell.errors import words_of
from app.views.shell.fields import day_of, text_of
from app.wording import say


class ProcessRuleView(BaseView):  # type: ignore[misc]
    """Dated rules beside the schemes: ladders, limits, and the clauses processes post under."""

    route_base = "/processrules"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        return self._page("", "", "")

    def _page(self, key: str, value: str, fault: str) -> str:
        today = sessions.today()
        rules = process_rules.rules_of(db.session(), g.actor.bureau_id)
        history: dict[str, list[ProcessRule]] = {}
        for rule in db.session.scalars(select(ProcessRule).order_by(ProcessRule.valid_from.desc())):
            history.setdefault(rule.key, []).append(rule)
        rows = [
            {
                "key": name, "kind": kind, "title": say(kind.title), "now": rules.text(name, today),
                "seen": versions.mark_of(rules.rows.get(name, ())),
                "rungs": rules.read(name, today) if kind.read is read_ladder else (),
                "is_default": not any(it.valid_from <= today for it in history.get(name, [])),
                "history": history.get(name, []), "may": policy.may_set_rule(g.actor, kind.process),
            }
            for name, kind in PROCESS_RULES.items()
            if not name.startswith(REMINDER) and name != QUIET  # those have a page of their own
        ]  # fmt: skip
        return str(
            self.render_template(
                "process/rules.html", title=gettext("Rules of the processes"), rows=rows, today=today, key=key,
                value=value, fault=fault,
            )
        )  # fmt: skip

    @expose("/save", methods=["POST"])
    @has_access
    def save(self) -> Response | str:
        """Let a rule hold from a day on."""
        key, value = text_of("key"), text_of("value")[:500]
        if key not in PROCESS_RULES or g.actor.bureau_id is None:
            abort(400)
        try:
            with transaction() as work:
                bureau = work.get_one(Bureau, g.actor.bureau_id)
                before = process_rules.rules_of(work, bureau.id).rows.get(key, ())
                process_rules.set_rule(
                    work, bureau, key, value, valid_from=day_of("valid_from"), actor=g.actor, now=sessions.now()
                )
                versions.refuse_changed(before)
        except NotPermitted:
            raise
        except HouseError as refusal:
            return self._page(key, value, words_of(refusal))
        flash(gettext("Saved; it holds from %(day)s.", day=request.form.get("valid_from", "")), "success")
        return redirect(url_for("ProcessRuleView.page"))


PAGES = (ProcessRuleView,)
