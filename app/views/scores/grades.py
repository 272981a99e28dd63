"""Decided grades: the list for decision, and the notices by which each learns the own result."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.errors import HouseError
from app.extensions import db, transaction
from app.models import Bureau, ResultNotice
from app.policies import grades as policy
from app.policies.free import free
from app.rules.days import read_period
from app.rules.periods import Period, Span
from app.security import sessions
from app.services.publication import decisions
from app.services.scoring import results
from app.views.scores.ranking import KINDS, state_of
from app.views.shell import versions
from app.views.shell.base import HouseView
from app.views.shell.errors import words_of
from app.views.shell.labels import subject_name
from app.views.shell.listing import Action, Column, Filter, contains, dated, state, text
from app.views.shell.periods import period_argument, period_word, switch
from app.views.shell.verbs import mark_read, perform, ring

LONGEST = 500


class GradeDecisionView(BaseView):  # type: ignore[misc]
    """The list of a quarter or year: suggested beside decided, with the reason where they differ."""

    route_base = "/grades"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        return self._page({}, {})

    def _page(self, given: dict[str, str], faults: dict[str, str]) -> str:
        known = [
            settled_period
            for settled_period in results.settled_periods(db.session)
            if settled_period.span is not Span.MONTH
        ]
        posted = read_period(request.form.get("period", ""))
        period = posted or (
            period_argument(known, on=sessions.today()) if known or request.args.get("period") else None
        )
        kind = request.values.get("kind", KINDS[0])
        if kind not in KINDS or (period is not None and period.span is Span.MONTH):
            abort(400)
        groups = [] if period is None else decisions.choices(db.session(), period, kind=kind)
        pick = [it for _name, rows in groups for it in rows]
        newest = [it.decision for it in pick if it.decision is not None]
        return str(
            self.render_template(
                "scores/grades.html",
                title=gettext("Decide grades"),
                period=period,
                period_switch=None
                if period is None
                else switch(
                    period, known, lambda record: url_for("GradeDecisionView.page", period=str(record), kind=kind)
                ),
                kind=kind,
                kinds=[(it, url_for("GradeDecisionView.page", period=str(period or ""), kind=it)) for it in KINDS],
                groups=groups,
                seen=""
                if period is None
                else request.form.get(versions.FIELD, "") or versions.mark_of(decided_as(db.session(), period)),
                given=given,
                faults=faults,
                is_own=lambda subject_id: not free(g.actor, {subject_id}),
                state=state_of(period) if period is not None else "",
                count=len(pick),
                confirmed=sum(1 for it in newest if it.state == "confirmed"),
                may_propose=self.appbuilder.sm.has_access("can_save", "GradeDecisionView")
                and policy.may_propose(g.actor),
                may_confirm=self.appbuilder.sm.has_access("can_confirm", "GradeDecisionView")
                and any(policy.may_confirm(g.actor, it) for it in newest),
            )
        )

    def _target(self) -> tuple[Period, str]:
        period, kind = read_period(request.form.get("period", "")), request.form.get("kind", "")
        if period is None or kind not in KINDS or g.actor.bureau_id is None:
            abort(400)
        return period, kind

    @expose("/save", methods=["POST"])
    @has_access
    def save(self) -> Response | str:
        """Propose the grades of the list."""
        period, kind = self._target()
        given = {
            name: value[:LONGEST] for name, value in request.form.items() if name.startswith(("grade-", "reason-"))
        }
        chosen = {
            name.removeprefix("grade-"): (value, given.get(decisions.PREFIX + name.removeprefix("grade-"), ""))
            for name, value in given.items()
            if name.startswith("grade-") and value
        }
        try:
            with transaction() as work:
                bureau = work.get_one(Bureau, g.actor.bureau_id)
                versions.refuse_changed(decided_as(work, period))
                count = decisions.propose_grades(work, bureau, period, chosen, actor=g.actor, now=sessions.now())
        except HouseError as refusal:
            return self._page(given, {refusal.field_name or "all": words_of(refusal)})
        flash(gettext("%(count)s grades are proposed.", count=count), "success")
        ring()
        return redirect(url_for("GradeDecisionView.page", period=str(period), kind=kind))

    @expose("/confirm", methods=["POST"])
    @has_access
    def confirm(self) -> Response:
        """Confirm what is proposed; each learns the own result."""
        period, kind = self._target()

        def act(work: Any) -> None:
            bureau = work.get_one(Bureau, g.actor.bureau_id)
            versions.refuse_changed(decided_as(work, period))
            decisions.confirm_grades(work, bureau, period, kind=kind, actor=g.actor, now=sessions.now())

        if perform(act, gettext("Confirmed; everybody concerned is sent a notice.")):
            ring()
        return redirect(url_for("GradeDecisionView.page", period=str(period), kind=kind))


def decided_as(session: Session, period: Period) -> list[object]:
    """What a list of grades is drawn from: of each decision the subject, its revision, grade and state."""
    found = decisions.newest_decisions(session, period)
    return [[key, it.revision, it.grade, it.reason, it.state] for key, it in sorted(found.items())]


class ResultNoticeView(HouseView):
    """Notices of results, in the actor's scope; a notice is signed for once."""

    datamodel = SQLAInterface(ResultNotice)
    model = ResultNotice
    page_title = _("Notices of results")
    crumb = _("Scores and bulletins")
    empty_text = _("No notice yet: notices are sent when a leader confirms the grades of a quarter or year.")
    include_route_methods = {"list", "show", "export", "receive"}
    base_permissions = ["can_list", "can_show", "can_export", "can_receive"]
    show_template = "scores/notice.html"
    columns = (
        text("period", _("Period"), ResultNotice.period, of=lambda record: period_word(record.period)),
        text("subject", _("Assessed"), of=lambda record: subject_name(record.subject)),
        Column("grade", _("Decided grade"), lambda record: record.decision.grade),
        dated("sent_at", _("Sent at"), ResultNotice.sent_at),
        text("received_by", _("Signed for by"), ResultNotice.received_by),
        dated("received_at", _("Signed for at"), ResultNotice.received_at),
        state("state", _("State"), lambda record: "unsigned" if record.received_at is None else "received"),
    )
    filters = (
        contains("period", _("Period"), ResultNotice.period),
        Filter(
            "state", _("State"),
            {"unsigned": ResultNotice.received_at.is_(None), "received": ResultNotice.received_at.is_not(None)}.get,
            "select", lambda: [("unsigned", gettext("Not signed for")), ("received", gettext("Signed for"))],
        ),
    )  # fmt: skip
    default_order = (ResultNotice.sent_at.desc(),)

    def title_of(self, record: ResultNotice) -> str:
        return gettext("Notice of result, %(period)s", period=period_word(record.period))

    def row_actions(self, record: ResultNotice) -> list[Action]:
        return [Action(gettext("Open"), self.link(record))]

    def show_extras(self, record: ResultNotice) -> dict[str, Any]:
        return {
            "content": decisions.content_of(record),
            "may_receive": self.can("can_receive") and policy.may_receive(g.actor, record),
        }

    def note_reading(self, record: ResultNotice) -> None:
        mark_read(item=f"notice:{record.id}")

    @expose("/receive/<pk>", methods=["POST"])
    @has_access
    def receive(self, pk: str) -> Response:
        """Sign for the notice."""
        record = self.record(pk)
        perform(
            lambda work: decisions.sign_for_notice(work, record, actor=g.actor, now=sessions.now()),
            gettext("Signed for."),
        )
        return redirect(self.link(record))


PAGES = (GradeDecisionView, ResultNoticeView)
