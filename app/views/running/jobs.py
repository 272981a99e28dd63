"""Jobs: what ran, what runs and how far it is, what failed and why, and when the next one is due."""

from __future__ import annotations

from datetime import time
from typing import Any

from flask import g, jsonify, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.extensions import db
from app.models import Bureau, RunEvent, RunLedger, ScheduleRule
from app.policies import jobs as policy
from app.rules.periods import Period
from app.running.lease import silent_after
from app.security import sessions
from app.services.jobs import heartbeats, runs, timetable
from app.services.messages.sentences import undump
from app.views.shell import versions
from app.views.shell.base import HouseView, record_of
from app.views.shell.fields import whole_of
from app.views.shell.labels import WORDS, who
from app.views.shell.listing import Action, chosen, coded, contains, dated, figure, state, text
from app.views.shell.periods import period_word
from app.views.shell.verbs import mark_read, perform, ring
from app.wording import say

LONGEST_LOG = 200


def percent(run: RunLedger) -> int:
    """How much of a run is done, 0 to 100; what is over is whole."""
    if run.status == "done":
        return 100
    return 100 * run.steps_done // run.steps if run.steps else 0


def progress_word(run: RunLedger) -> str:
    if run.status == "pending":
        return gettext("waiting for a worker")
    if run.status == "running" and run.steps:
        return gettext("%(done)s of %(of)s subjects", done=run.steps_done, of=run.steps)
    return f"{percent(run)}%" if run.status in ("running", "done") else ""


def reason_of(run: RunLedger) -> str:
    """Why a run failed, to who sees the bureau's results: a reason may quote them."""
    if run.error and not g.actor.sees_bureau:
        return gettext("(outside your scope)")
    return say(undump(run.error))


class RunView(HouseView):
    """The ledger of runs; the page of one follows its progress."""

    datamodel = SQLAInterface(RunLedger)
    model = RunLedger
    page_title = _("Job runs")
    crumb = _("Scores and bulletins")
    empty_text = _("Nothing has run yet; the timetable and the button “Settle now” start runs.")
    include_route_methods = {"list", "show", "export", "progress", "again"}
    base_permissions = ["can_list", "can_show", "can_export", "can_progress", "can_again"]
    list_template = "running/jobs.html"
    show_template = "running/run.html"
    columns = (
        coded("job", _("Job"), "job"),
        text("period", _("Period"), RunLedger.period),
        state("status", _("State"), lambda record: record.status),
        text("progress", _("Progress"), of=progress_word),
        figure("subjects", _("Assessed")),
        figure("entries", _("Entries")),
        dated("started_at", _("Started at"), RunLedger.started_at),
        dated("finished_at", _("Finished at"), RunLedger.finished_at),
        text("error", _("Reason of failure"), of=reason_of),
    )
    detail = (
        coded("job", _("Job"), "job"),
        text("period", _("Period"), of=lambda record: period_word(record.period)),
        state("status", _("State"), lambda record: record.status),
        text(
            "requested_by",
            _("Asked for by"),
            of=lambda record: who(record.requested_by) if record.requested_by else gettext("the timetable"),
        ),
        dated("requested_at", _("Asked for at")),
        dated("started_at", _("Started at")),
        dated("finished_at", _("Finished at")),
        figure("fence", _("Times run")),
        figure("attempts", _("Attempts")),
        dated("settled_on", _("Settled as of")),
        figure("subjects", _("Assessed")),
        figure("entries", _("Entries")),
        text("error", _("Reason of failure"), of=reason_of),
    )
    filters = (
        chosen("job", _("Job"), RunLedger.job, "job"),
        chosen("status", _("State"), RunLedger.status, "state", ("pending", "running", "done", "failed")),
        contains("period", _("Period"), RunLedger.period),
    )
    default_order = (RunLedger.started_at.desc().nulls_first(),)

    def title_of(self, record: RunLedger) -> str:
        return f"{WORDS['job'].get(record.job, record.job)} {period_word(record.period)}"

    def link(self, record: RunLedger) -> str:
        return super().link(record) if self.can("can_show") else url_for("RunView.list")

    def row_actions(self, record: RunLedger) -> list[Action]:
        if not self.can("can_show"):
            return []
        found = super().row_actions(record)
        if self.can("can_again") and policy.may_retry(g.actor, record):
            found.append(Action(gettext("Retry"), url_for("RunView.again", pk=record.id), is_post=True))
        sees_scores = bool(self.appbuilder.sm.has_access("can_page", "ScoreView"))
        if record.job == runs.SETTLE and record.status == "done" and sees_scores:
            found.append(Action(gettext("Results"), url_for("ScoreView.page", period=record.period)))
        return found

    def timetable(self) -> list[timetable.Scheduled]:
        """When which job is due next."""
        return timetable.scheduled(db.session())

    @staticmethod
    def bureaus() -> dict[int, str]:
        """The bureaus by code where more than one is seen; where there is one, nobody has to be told which."""
        found = dict(db.session.execute(select(Bureau.id, Bureau.code).order_by(Bureau.code)).all())
        return found if len(found) > 1 else {}

    def signs(self) -> list[heartbeats.Sign]:
        """What gives signs of life; empty to who does not look after it."""
        if not policy.sees_signs(g.actor):
            return []
        return heartbeats.signs(db.session(), now=sessions.now(), silent_after=silent_after())

    def may_keep(self) -> bool:
        return policy.may_keep_timetable(g.actor)

    def may_confirm(self) -> bool:
        return policy.may_confirm_clock(g.actor)

    def may_settle(self) -> bool:
        return policy.may_run(g.actor) and bool(self.appbuilder.sm.has_access("can_settle", "ScoreView"))

    def settleable(self) -> list[str]:
        """The periods somebody may want settled now: the running ones and the last year's months."""
        month = Period.month_of(sessions.today())
        return [str(month.shifted(-back)) for back in range(13)]

    def show_extras(self, record: RunLedger) -> dict[str, Any]:
        log = db.session.scalars(
            select(RunEvent).where(RunEvent.run_id == record.id).order_by(RunEvent.id.desc()).limit(LONGEST_LOG)
        )
        return {
            "percent": percent(record),
            "is_open": record.status in ("pending", "running"),
            "log": [{"at": it.at, "text": say(undump(it.text))} for it in log],
        }

    def note_reading(self, record: RunLedger) -> None:
        """Who opens a run has read what was said about it."""
        mark_read(item=f"run:{record.id}")

    @expose("/progress/<pk>")
    @has_access
    def progress(self, pk: str) -> Response:
        """How far a run is, for the page that follows it."""
        record = self.record(pk)
        return jsonify(
            status=record.status, percent=percent(record), word=progress_word(record),
            is_open=record.status in ("pending", "running"),
        )  # fmt: skip

    @expose("/again/<pk>", methods=["POST"])
    @has_access
    def again(self, pk: str) -> Response:
        """Ask for a failed run once more."""
        record = self.record(pk)

        if perform(
            lambda work: runs.retry(work, work.get_one(RunLedger, record.id), actor=g.actor, now=sessions.now()),
            gettext("The run is on its way again."),
        ):
            ring()
        return redirect(url_for("RunView.show", pk=pk))


class ScheduleView(BaseView):  # type: ignore[misc]
    """Keeping the timetable: when a job is due, whether it rests, running it now, and the word about the clock."""

    route_base = "/timetable"

    @staticmethod
    def _rule(pk: str) -> ScheduleRule:
        found: ScheduleRule = record_of(ScheduleRule, ScheduleRule.id, pk)
        return found

    @expose("/save/<pk>", methods=["POST"])
    @has_access
    def save(self, pk: str) -> Response:
        """Another time, another day of the month."""
        rule, day, at = self._rule(pk), whole_of("day"), time_of("at")

        def act(work: Session) -> None:
            found = work.get_one(ScheduleRule, rule.id)
            versions.refuse_changed(moment_of(found))
            timetable.keep_rule(work, found, day=day, at=at, actor=g.actor, now=sessions.now())

        perform(act, gettext("The timetable is kept."))
        return redirect(url_for("RunView.list"))

    @expose("/switch/<pk>", methods=["POST"])
    @has_access
    def switch(self, pk: str) -> Response:
        """Let a job rest, or go on."""
        rule, on = self._rule(pk), request.form.get("on") == "1"
        done = gettext("The job goes on; what it missed is caught up.") if on else gettext("The job rests.")
        if (
            perform(
                lambda work: timetable.switch_rule(
                    work, work.get_one(ScheduleRule, rule.id), on=on, actor=g.actor, now=sessions.now()
                ),
                done,
            )
            and on
        ):
            ring()
        return redirect(url_for("RunView.list"))

    @expose("/run/<pk>", methods=["POST"])
    @has_access
    def run(self, pk: str) -> Response:
        """Run it now, outside its time."""
        rule = self._rule(pk)
        if perform(
            lambda work: timetable.run_now(
                work, work.get_one(ScheduleRule, rule.id), actor=g.actor, now=sessions.now()
            ),
            gettext("The run is on its way."),
        ):
            ring()
        return redirect(url_for("RunView.list"))

    @expose("/confirm/<pk>", methods=["POST"])
    @has_access
    def confirm(self, pk: str) -> Response:
        """The clock is right."""
        rule = self._rule(pk)
        if perform(
            lambda work: timetable.confirm_rule(
                work, work.get_one(ScheduleRule, rule.id), actor=g.actor, now=sessions.now()
            ),
            gettext("Confirmed; what is due runs now."),
        ):
            ring()
        return redirect(url_for("RunView.list"))


def moment_of(rule: ScheduleRule) -> list[int | None]:
    """What the form of a rule changes: day of the month, hour and minute."""
    return [rule.day, rule.hour, rule.minute]


def time_of(name: str) -> time | None:
    """A time of day of the form; None where there is none."""
    try:
        return time.fromisoformat(request.form.get(name, "").strip())
    except ValueError:
        return None


PAGES = (RunView, ScheduleView)
