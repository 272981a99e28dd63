"""Registering a task and changing its draft: what was typed, the choices beside it, the faults at their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.wrappers import Response

from app.errors import Conflict, HouseError
from app.extensions import db, transaction
from app.models import Clause, Subject, SupervisedTask, Unit
from app.policies import supervision as policy
from app.policies.actor import require
from app.rules.settings import PRICED, read_codes
from app.rules.supervision import TaskVerb
from app.security import sessions
from app.services.bureau.rules import rules_of
from app.services.process import opinions
from app.services.supervision import office
from app.services.supervision.form import SOURCES, TypedTask, known_of, lines_of, read_task
from app.views.shell.errors import words_of
from app.views.shell.fields import choices, code_of, codes_in, seen, text_of
from app.views.shell.labels import subject_name
from app.views.shell.verbs import ring
from app.wording import say

PLAIN = ("source", "source_text", "matter", "demand", "due", "late_clause")
LISTS = ("leads", "assists", "leaders", "rating_clauses")
STAGES = 6


class TaskFormMixin:
    """The form of a task."""

    render_template: Any
    record: Any

    @expose("/add", methods=["GET", "POST"])
    @has_access
    def add(self) -> Response | str:
        """Register a task; it is a draft until it is handed over."""
        require(policy.may_register(g.actor))
        rules = rules_of(db.session(), g.actor.bureau_id)
        if request.method == "GET":
            clauses = list(read_codes(rules.text("supervision.rating_clauses", sessions.today())))
            return self._form({"source": "meeting", "rating_clauses": clauses}, [], {})
        given, stages = _given()

        def keep(work: Session, typed: TypedTask, known: Any) -> int:
            made = office.register_tasks(
                work, typed, known, bureau_id=g.actor.bureau_id, actor=g.actor, now=sessions.now()
            )
            if text_of("act") == "assign":
                office.assign_task(work, made[0], seen=made[0].lock_version, actor=g.actor, now=sessions.now())
            return made[0].id

        done = (
            gettext("Handed over; the units have been told.")
            if text_of("act") == "assign"
            else gettext("Kept as a draft.")
        )
        return self._keep(given, stages, keep, done)

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @has_access
    def edit(self, pk: str) -> Response | str:
        """Change a draft."""
        task = self.record(pk)
        require(policy.may(TaskVerb.CHANGE, g.actor, task))
        if request.method == "GET":
            return self._form(*_texts_of(task), {}, task=task)
        given, stages = _given()

        def keep(work: Session, typed: TypedTask, known: Any) -> int:
            office.change_task(work, task, typed, known, seen=seen(), actor=g.actor, now=sessions.now())
            return int(task.id)

        return self._keep(given, stages, keep, gettext("Saved."), task=task)

    def _keep(
        self, given: dict[str, Any], stages: list[tuple[str, str]], keep: Any, done: str,
        task: SupervisedTask | None = None,
    ) -> Response | str:  # fmt: skip
        faults: Mapping[str, str] = {}
        try:
            with transaction() as work:
                known = known_of(work, g.actor.bureau_id, on=sessions.today())
                typed = read_task(_as_texts(given), stages, known=known, today=sessions.today())
                if not typed.is_sound:
                    raise _Faulty(typed)
                number = keep(work, typed, known)
        except _Faulty as found:
            faults = {name: say(fault) for name, fault in found.typed.faults.items()}
        except StaleDataError:
            faults = {"form": gettext("Somebody was faster: the record has changed meanwhile. Open it again.")}
        except Conflict as refusal:
            flash(words_of(refusal), "danger")
            return redirect(url_for("TaskView.list"))
        except HouseError as refusal:
            faults = {refusal.field_name or "form": words_of(refusal)}
        else:
            flash(done, "success")
            ring()
            return redirect(url_for("TaskView.show", pk=number))
        return self._form(given, stages, faults, task=task)

    def _form(
        self, given: Mapping[str, Any], stages: Sequence[tuple[str, str]], faults: Mapping[str, str],
        task: SupervisedTask | None = None,
    ) -> str:  # fmt: skip
        rows = [*stages, *[("", "")] * max(1, STAGES - len(stages))]
        clauses = self.clauses_for_task()
        rules = rules_of(db.session(), g.actor.bureau_id)
        return str(
            self.render_template(
                "supervision/form.html", title=gettext("Change a draft") if task else gettext("Register a task"), given=given,
                stages=rows, faults=faults, task=task, sources=SOURCES,
                units=[choice for choice in choices("unit") if code_of(choice) not in _bureaus()], people=choices("person"),
                leaders=opinions.leaders(db.session(), g.actor, now=sessions.now()), clauses=clauses,
                priced=[clause for clause in clauses if clause.pricing in PRICED], code_of=code_of,
                view_name=subject_name,
                rule_clause=rules.text("supervision.late_clause", sessions.today()),
            )
        )  # fmt: skip

    @staticmethod
    def clauses_for_task() -> list[Clause]:
        """The clauses of the lines of supervision."""
        lines = lines_of(db.session(), g.actor.bureau_id, on=sessions.today())
        query = select(Clause).order_by(Clause.indicator_code, Clause.code)
        if lines:
            query = query.where(Clause.indicator_code.in_(lines))
        return list(db.session.scalars(query.limit(200)))


class _Faulty(Exception):
    """What was typed has faults."""

    def __init__(self, typed: TypedTask) -> None:
        super().__init__("faults")
        self.typed = typed


def _given() -> tuple[dict[str, Any], list[tuple[str, str]]]:
    given: dict[str, Any] = {name: text_of(name) for name in (*PLAIN, "handlers")}
    for name in LISTS:
        given[name] = [it[:64] for it in request.form.getlist(name)[:100]]
    titles, days = request.form.getlist("stage_title")[:20], request.form.getlist("stage_due")[:20]
    stages = [(title[:300], day[:20]) for title, day in zip(titles, days, strict=False) if title.strip() or day.strip()]
    return given, stages


def _as_texts(given: Mapping[str, Any]) -> dict[str, str]:
    """The form as texts of the service: codes joined by `;`."""
    texts = {name: given[name] for name in PLAIN}
    texts |= {name: ";".join(given[name]) for name in LISTS}
    texts["handlers"] = ";".join(codes_in(given["handlers"]))
    texts["last_stage"] = office.wording()["last_stage"]
    return texts


def _texts_of(task: SupervisedTask) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A draft as its form."""
    by_role: dict[str, list[str]] = {"leader": [], "handler": [], "assist": []}
    for party in task.parties:
        by_role[party.role].append(party.subject.code)
    stages = [(stage.title, str(stage.due_days or stage.due_on.isoformat())) for stage in task.stages]
    given = {
        **{name: getattr(task, name) for name in ("source", "source_text", "matter", "demand", "late_clause")},
        "leads": [task.lead_unit.code], "assists": by_role["assist"], "leaders": by_role["leader"],
        "handlers": "; ".join(by_role["handler"]), "rating_clauses": list(read_codes(task.rating_clauses)),
        "due": stages[-1][1],
    }  # fmt: skip
    return given, stages[:-1]


def _bureaus() -> set[str]:
    """The codes of bureaus: they are handed nothing."""
    query = select(Subject.code).join(Unit, Unit.subject_id == Subject.id).where(Unit.kind == "bureau")
    return set(db.session.scalars(query))
