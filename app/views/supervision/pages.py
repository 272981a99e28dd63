"""Supervised tasks: the list with its searches, the page of a task with its next steps, sheet and slip, the verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import g, request, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup
from sqlalchemy import Select, func, select
from sqlalchemy.orm import selectinload

from app.extensions import db
from app.models import Clause, SupervisedTask, TaskExtension, TaskReport, TaskSlip, Unit
from app.policies import supervision as policy
from app.rules.supervision import OPEN, RUNNING, TaskVerb
from app.rules.workdays import WorkCalendar
from app.security import sessions
from app.services import trace as trace_of
from app.services.bureau.rules import rules_of
from app.services.process import attachments, opinions
from app.services.supervision import extensions, form, instruction, office, rating
from app.services.supervision import work as supervision_work
from app.services.supervision.effects import Deadline, coming, deadline_of, shares_of
from app.services.supervision.ledger import entries_of
from app.services.supervision.statistics import is_overdue
from app.views.process.opinions import doors_of, shown_opinion
from app.views.process.view import ProcessView
from app.views.scores.entries import face_value, share_of
from app.views.shell.base import record_of
from app.views.shell.labels import WORDS, badge, named_by_code, subject_name
from app.views.shell.listing import Action, Column, Filter, chosen, contains, dated, named, text
from app.views.shell.periods import calendar_now
from app.views.shell.verbs import mark_read
from app.views.supervision.filters import of_leader, of_month, of_slip, of_states, overdue
from app.views.supervision.forms import TaskFormMixin
from app.views.supervision.tables import TaskTablesMixin
from app.views.supervision.verbs import TaskVerbsMixin
from app.views.supervision.words import told
from app.wording import ABSENT, say

ACTS = {
    "reports": ("task_report", "task_complete", "task_take_back", "task_finish_part", "attach"),
    "opinions": ("opinion_comment", "opinion_instruction", "opinion_urge", "opinion_answer", "opinion_request",
                 "opinion_report"),
    "papers": ("task_slip", "task_late", "task_ask_extension", "task_grant_extension", "task_refuse_extension"),
}  # fmt: skip


def deadline_badge(deadline: Deadline | None) -> object:
    """How much time is left, in words and tone."""
    if deadline is None:
        return ABSENT
    mark = "*" if deadline.is_provisional else ""
    if deadline.left < 0:
        words, tone = gettext("%(count)s working days late", count=-deadline.left), "red"
    elif deadline.left == 0 and deadline.stage.due_on <= sessions.today():
        words, tone = gettext("due today"), "amber"
    else:
        words, tone = gettext("%(count)s working days left", count=deadline.left), ""
    return Markup('<span class="k-badge{}">{}</span>').format(f" k-badge--{tone}" if tone else "", words + mark)


def _due(task: SupervisedTask) -> object:
    deadline = deadline_of(task, calendar_now(), sessions.today())
    day = task.due_on.isoformat() if deadline is None else deadline.stage.due_on.isoformat()
    return Markup("{} {}").format(day, deadline_badge(deadline)) if deadline is not None else day


class TaskView(TaskVerbsMixin, TaskFormMixin, TaskTablesMixin, ProcessView):
    """Supervised tasks, from hand-over to closing."""

    datamodel = SQLAInterface(SupervisedTask)
    model = SupervisedTask
    page_title = _("Supervised tasks")
    crumb = _("Processes")
    empty_text = _(
        "No task was handed over yet. The supervision office registers tasks from meetings and instructions."
    )
    include_route_methods = {
        "list", "show", "export", "add", "edit", "board", "statistics", "paper", "slip", "assign", "recall",
        "sign_for", "name_handlers", "split", "finish_part", "report", "ask_extension", "decide_extension", "complete",
        "take_back", "accept", "send_back", "rate", "rate_above", "close", "cancel",
    }  # fmt: skip
    base_permissions = [
        "can_list", "can_show", "can_export", "can_add", "can_edit", "can_board", "can_statistics", "can_keep",
        "can_act",
    ]  # fmt: skip
    method_permission_name = {
        **{name: name for name in ("list", "show", "export", "add", "edit", "board", "statistics")},
        "paper": "show", "slip": "show", "assign": "keep", "recall": "keep",
        **dict.fromkeys(
            ("sign_for", "name_handlers", "split", "finish_part", "report", "ask_extension", "decide_extension", "complete",
             "take_back", "accept", "send_back", "rate", "rate_above", "close", "cancel"),
            "act",
        ),
    }  # fmt: skip
    columns = (
        text("no", _("No."), SupervisedTask.serial, of=lambda record: record.no or gettext("not numbered")),
        text("matter", _("Matter"), SupervisedTask.matter),
        text("lead", _("Lead unit"), of=lambda record: subject_name(record.lead_unit)),
        text("source", _("Source"), of=lambda record: str(WORDS["task_source"][record.source])),
        dated("assigned_on", _("Handed over"), SupervisedTask.assigned_on),
        Column("due", _("Deadline"), _due, SupervisedTask.due_on),
        Column("state", _("State"), lambda record: badge("task_state", record.state)),
    )
    filters = (
        Filter("state", _("State"), of_states, "select",
               lambda: [("standing", _("All but cancelled ones")), ("open", _("Not closed off yet")), *WORDS["task_state"].items()]),
        named("unit", _("Lead unit"), SupervisedTask.lead_unit_id, Unit),
        Filter("leader", _("Supervising leader"), of_leader),
        chosen("source", _("Source"), SupervisedTask.source, "task_source"),
        Filter("month", _("Handed over in"), of_month),
        Filter("late", _("Lateness"), overdue, "select", lambda: list(WORDS["task_late"].items())),
        Filter("slip", _("Slip"), of_slip, "select", lambda: list(WORDS["slip"].items())),
        contains("matter", _("Keyword"), SupervisedTask.matter, SupervisedTask.no),
    )  # fmt: skip
    standard_filters = (
        (_("All"), {}),
        (_("Not closed off yet"), {"state": "open"}),
        (_("Overdue"), {"late": "overdue"}),
        (_("To be accepted"), {"state": "reported"}),
        (_("Closed off"), {"state": "closed"}),
    )
    default_order = (SupervisedTask.assigned_on.desc().nulls_first(),)

    def statement(self) -> Select[Any]:
        return select(SupervisedTask).options(selectinload(SupervisedTask.stages))

    def title_of(self, record: SupervisedTask) -> str:
        return f"{record.no}　{record.matter}".strip()

    def tools(self) -> list[Action]:
        found = [
            Action(gettext("Board"), url_for("TaskView.board")),
            Action(gettext("Statistics"), url_for("TaskView.statistics")),
        ]
        if self.can("can_add") and policy.may_register(g.actor):
            found.insert(0, Action(gettext("Register a task"), url_for("TaskView.add"), is_primary=True, icon="plus"))
        return found

    def sums(self, criteria: Sequence[Any]) -> Sequence[tuple[str, str]]:
        """How many of those shown are open, and how many late."""
        late = is_overdue(calendar_now().latest(sessions.today()))
        figures = [func.count(SupervisedTask.id).filter(it) for it in (SupervisedTask.state.in_(OPEN), late)]
        found = db.session.execute(select(*figures).select_from(SupervisedTask).where(*criteria)).one()
        return [(gettext("open"), str(found[0])), (gettext("overdue"), str(found[1]))]

    # the page of a task ---------------------------------------------------------------------------------------

    @expose("/show/<pk>")
    @has_access
    def show(self, pk: str) -> str:
        record = self.record(pk)
        mark_read(item=f"task:{record.id}")
        return self.page_of(self.record(pk), faults={}, given={})

    def page_of(self, record: SupervisedTask, *, faults: Mapping[str, Any], given: Mapping[str, Any]) -> str:
        session, today = db.session(), sessions.today()
        calendar, rules = calendar_now(), rules_of(session, record.bureau_id)
        verbs = policy.open_verbs(g.actor, record)
        deadline = deadline_of(record, calendar, today)
        place = opinions.find_place(session, "supervised_task", str(record.id))
        assert place is not None
        return str(
            self.render_template(
                "supervision/task.html", title=self.title_of(record), view=self, task=record, verbs=verbs, today=today,
                late=was_stage_late(record, calendar), deadline=deadline, deadline_badge=deadline_badge,
                acts=self._acts(record), kinds={name: len(found) for name, found in _by_kind(record).items()},
                wanted=request.args.get("acts", ""), sees_rating=policy.sees_rating(g.actor, record), faults=faults, given=given,
                posted=[(it, face_value(it), share_of(it)) for it in entries_of(session, record)],
                coming=coming(session, record, calendar=calendar, rules=rules, on=today),
                slips=session.scalars(select(TaskSlip).where(TaskSlip.task_id == record.id).order_by(TaskSlip.id)).all(),
                extensions=session.scalars(
                    select(TaskExtension).where(TaskExtension.task_id == record.id).order_by(TaskExtension.id.desc())
                ).all(),
                files=attachments.of_record(session, record), may_attach=policy.may_attach(g.actor, record),
                people=form.people_of(session, record.lead_unit_id, on=today) if verbs & {TaskVerb.SIGN_FOR, TaskVerb.SPLIT} else [],
                open_stages=supervision_work.open_stages(record), is_worker=policy.leads(g.actor, record) or policy.handles(g.actor, record),
                extension_why=_extension_why(record, rules, today) if TaskVerb.ASK_EXTENSION in verbs else None,
                may_decide=policy.may_decide_extension, batch=len(office.batch_of(session, record)) if TaskVerb.ASSIGN in verbs else 0,
                clauses=rating.clauses_of(session, record), ratings=rating.ratings_of(session, record),
                above_clauses=self.clauses_for_task() if TaskVerb.RATE_ABOVE in verbs else [],
                called=named_by_code(), share_lines=_shares(session, record, rules), place=place, doors=doors_of(place),
                said=[shown_opinion(it, place) for it in opinions.opinions_on(session, place)],
                origin=instruction.origin_of(session, record) if record.source == "instruction" else None,
                is_provisional=any(calendar.is_provisional(today, stage.due_on) for stage in record.stages if stage.done_on is None),
                names=subject_name, redo=max(record.due_on, calendar.after(today, rules.read("supervision.redo_days", today))),
            )
        )  # fmt: skip

    def _acts(self, record: SupervisedTask) -> list[dict[str, Any]]:
        """The timeline, or the part of it that was asked for."""
        wanted = ACTS.get(request.args.get("acts", ""))
        hidden = () if policy.sees_rating(g.actor, record) else ("task_rate",)
        return [
            {**it, "told": told(it)}
            for it in _timeline(record)
            if (wanted is None or it["verb"] in wanted) and it["verb"] not in hidden
        ]

    @expose("/paper/<pk>")
    @has_access
    def paper(self, pk: str) -> str:
        """The task sheet, to be printed."""
        task = self.record(pk)
        return str(self.render_template("supervision/paper.html", title=self.title_of(task), task=task, names=subject_name,
                                        sees_rating=policy.sees_rating(g.actor, task), reports=_reports(task), ratings=rating.ratings_of(db.session(), task)))  # fmt: skip

    @expose("/slip/<pk>")
    @has_access
    def slip(self, pk: str) -> str:
        """A slip, to be printed."""
        found = record_of(TaskSlip, TaskSlip.id, pk)
        task = self.record(str(found.task_id))
        return str(
            self.render_template("supervision/slip.html", title=found.no, slip=found, task=task, names=subject_name)
        )


def was_stage_late(task: SupervisedTask, calendar: WorkCalendar) -> dict[int, int]:
    """By how many working days each stage is or was late; stages on time are left out."""
    found = {}
    for stage in task.stages:
        late = stage.late_days
        if stage.done_on is None and task.state in RUNNING:
            late = calendar.count(stage.due_on, sessions.today()) if sessions.today() > stage.due_on else 0
        if late:
            found[stage.id] = late
    return found


def _timeline(record: SupervisedTask) -> list[dict[str, Any]]:
    """The acts on the task; read once a request."""
    if "task_acts" not in g:
        g.task_acts = trace_of.timeline(db.session(), record, limit=300)
    found: list[dict[str, Any]] = g.task_acts
    return found


def _by_kind(record: SupervisedTask) -> dict[str, list[dict[str, Any]]]:
    return {name: [it for it in _timeline(record) if it["verb"] in verbs] for name, verbs in ACTS.items()}


def _extension_why(record: SupervisedTask, rules: Any, today: Any) -> str | None:
    """Why no open stage can get more time; None where one can."""
    most = rules.read("supervision.extensions", today)
    whys = [extensions.why_not_extended(stage, most, today) for stage in record.stages if stage.done_on is None]
    return (
        None
        if any(why is None for why in whys)
        else say(next(why for why in whys if why is not None))
        if whys
        else None
    )


def _reports(task: SupervisedTask) -> list[Any]:
    query = select(TaskReport).where(TaskReport.task_id == task.id).order_by(TaskReport.id)
    return list(db.session.scalars(query))


def _shares(session: Any, task: SupervisedTask, rules: Any) -> list[tuple[str, str]]:
    """The percent of the lead unit and each assisting one under the clause that acts, for the head of the page."""
    code = task.late_clause or str(rules.read("supervision.late_clause", sessions.today()))
    clause = (
        session.scalar(select(Clause).where(Clause.bureau_id == task.bureau_id, Clause.code == code)) if code else None
    )
    if clause is None:
        return []
    assisting = {party.subject.code for party in task.parties if party.role == "assist"}
    units = {task.lead_unit.code} | assisting
    return [
        (it.subject, f"{(it.percent / it.divisor).normalize():f}%")
        for it in shares_of(task, clause)
        if it.subject in units
    ]


PAGES = (TaskView,)
