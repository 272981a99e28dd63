"""The verbs of a task as requests: each one call of its service, refused with what was typed."""

from __future__ import annotations

from typing import Any

from flask import abort, g, request
from flask_appbuilder import expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.extensions import db
from app.models import SupervisedTask, TaskExtension, TaskPart
from app.rules.supervision import TaskVerb
from app.security import sessions
from app.services.supervision import extensions, office, rating
from app.services.supervision import work as supervision_work
from app.services.supervision.work import Feedback
from app.views.shell.fields import day_of, seen, text_of, whole_of
from app.wording import say


class TaskVerbsMixin:
    """One POST for each verb."""

    record: Any
    verb: Any
    page_of: Any

    @expose("/assign/<pk>", methods=["POST"])
    @has_access
    def assign(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.ASSIGN, lambda work, it: office.assign_task(
            work, it, seen=seen(), actor=g.actor, now=sessions.now()), gettext("Handed over; the units have been told."))  # fmt: skip

    @expose("/recall/<pk>", methods=["POST"])
    @has_access
    def recall(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.RECALL, lambda work, it: office.recall_task(
            work, it, seen=seen(), actor=g.actor, now=sessions.now()), gettext("Taken back; it is a draft again."))  # fmt: skip

    @expose("/sign_for/<pk>", methods=["POST"])
    @has_access
    def sign_for(self, pk: str) -> Response | str:
        handlers = request.form.getlist("handlers")[:50]
        return self.verb(pk, TaskVerb.SIGN_FOR, lambda work, it: supervision_work.sign_for_task(
            work, it, handlers=handlers, seen=seen(), actor=g.actor, now=sessions.now()), gettext("Signed for."))  # fmt: skip

    @expose("/name_handlers/<pk>", methods=["POST"])
    @has_access
    def name_handlers(self, pk: str) -> Response | str:
        handlers = request.form.getlist("handlers")[:50]
        return self.verb(pk, TaskVerb.NAME_HANDLERS, lambda work, it: supervision_work.name_handlers(
            work, it, handlers=handlers, seen=seen(), actor=g.actor, now=sessions.now()), gettext("The handlers are named."))  # fmt: skip

    @expose("/split/<pk>", methods=["POST"])
    @has_access
    def split(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.SPLIT, lambda work, it: supervision_work.split_task(
            work, it, handler=text_of("handler"), matter=text_of("matter"), due_on=day_of("due_on"), seen=seen(),
            actor=g.actor, now=sessions.now()), gettext("The part is given; the colleague has been told."))  # fmt: skip

    @expose("/finish_part/<pk>", methods=["POST"])
    @has_access
    def finish_part(self, pk: str) -> Response | str:
        number = whole_of("part")

        def act(work: Any, task: SupervisedTask) -> None:
            part = work.scalar(select(TaskPart).where(TaskPart.id == number, TaskPart.task_id == task.id))
            if part is None:
                g.is_hidden = number is not None  # none of this task's: another task's, perhaps
                abort(404)
            supervision_work.finish_part(work, part, result=text_of("result"), actor=g.actor, now=sessions.now())

        return self.verb(pk, TaskVerb.FINISH_PART, act, gettext("The part is done."))

    @expose("/report/<pk>", methods=["POST"])
    @has_access
    def report(self, pk: str) -> Response | str:
        said = Feedback(
            text_of("content"), text_of("progress"), whole_of("done_count"), whole_of("of_count"), day_of("expected_on")
        )
        return self.verb(pk, TaskVerb.REPORT, lambda work, it: supervision_work.report_stage(
            work, it, supervision_work.stage_of(it, whole_of("stage")), said, actor=g.actor, now=sessions.now()),
            gettext("Reported; the supervision office has been told."))  # fmt: skip

    @expose("/ask_extension/<pk>", methods=["POST"])
    @has_access
    def ask_extension(self, pk: str) -> Response | str:
        def act(work: Any, task: SupervisedTask) -> None:
            stage = supervision_work.stage_of(task, whole_of("stage"))
            if stage is None:
                abort(404)
            extensions.ask_extension(
                work, task, stage, days=whole_of("days"), reason=text_of("reason"), actor=g.actor, now=sessions.now()
            )

        return self.verb(pk, TaskVerb.ASK_EXTENSION, act, gettext("Asked; the supervision office decides."))

    @expose("/decide_extension/<pk>", methods=["POST"])
    @has_access
    def decide_extension(self, pk: str) -> Response | str:
        number = whole_of("extension")

        def act(work: Any, task: SupervisedTask) -> None:
            asked = work.scalar(
                select(TaskExtension).where(TaskExtension.id == number, TaskExtension.task_id == task.id)
            )
            if asked is None:
                g.is_hidden = number is not None
                abort(404)
            extensions.decide_extension(
                work, asked, is_granted=text_of("decision") == "grant", opinion=text_of("opinion"), actor=g.actor,
                now=sessions.now(),
            )  # fmt: skip

        return self.verb(pk, TaskVerb.DECIDE_EXTENSION, act, gettext("Decided; the unit has been told."))

    @expose("/complete/<pk>", methods=["POST"])
    @has_access
    def complete(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.COMPLETE, lambda work, it: supervision_work.complete_task(
            work, it, content=text_of("content"), seen=seen(), actor=g.actor, now=sessions.now()),
            gettext("Reported as done; it waits to be accepted."))  # fmt: skip

    @expose("/take_back/<pk>", methods=["POST"])
    @has_access
    def take_back(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.TAKE_BACK, lambda work, it: supervision_work.take_back_report(
            work, it, seen=seen(), actor=g.actor, now=sessions.now()), gettext("Taken back."))  # fmt: skip

    @expose("/accept/<pk>", methods=["POST"])
    @has_access
    def accept(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.ACCEPT, lambda work, it: office.accept_task(
            work, it, opinion=text_of("opinion"), seen=seen(), actor=g.actor, now=sessions.now()),
            gettext("Accepted; rate it next."))  # fmt: skip

    @expose("/send_back/<pk>", methods=["POST"])
    @has_access
    def send_back(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.SEND_BACK, lambda work, it: office.send_back_task(
            work, it, reason=text_of("reason"), due_on=day_of("due_on"), seen=seen(), actor=g.actor,
            now=sessions.now()), gettext("Sent back; the unit has been told."))  # fmt: skip

    @expose("/rate/<pk>", methods=["POST"])
    @has_access
    def rate(self, pk: str) -> Response | str:
        record = self.record(pk)
        worth = {
            it.code: {name: text_of(f"{it.code}.{name}") for name in rating.WORTH}
            for it in rating.clauses_of(db.session(), record)
        }
        return self._judged(pk, TaskVerb.RATE, lambda work, it: rating.rate_task(
            work, it, worth, opinion=text_of("opinion"), seen=seen(), actor=g.actor, now=sessions.now()),
            gettext("Rated; closing the task posts it."))  # fmt: skip

    @expose("/rate_above/<pk>", methods=["POST"])
    @has_access
    def rate_above(self, pk: str) -> Response | str:
        worth = {name: text_of(name) for name in rating.WORTH}
        return self._judged(pk, TaskVerb.RATE_ABOVE, lambda work, it: rating.rate_above(
            work, it, issuer=text_of("issuer"), document=text_of("document"), clause=text_of("clause"), worth=worth,
            opinion=text_of("opinion"), actor=g.actor, now=sessions.now()), gettext("Recorded."))  # fmt: skip

    def _judged(self, pk: str, name: TaskVerb, act: Any, said: str) -> Response | str:
        """A verb that reads a worth per clause: its faults come back by field, and nothing is kept."""
        faults: dict[str, str] = {}

        def act_or_note(work: Any, task: SupervisedTask) -> None:
            judged = act(work, task)
            if judged is not None:
                faults.update({field: say(fault) for field, fault in judged.faults.items()})
                raise rating.refused(judged)

        answer = self.verb(pk, name, act_or_note, said)
        if not faults:
            return answer
        prefix = {it.partition(".")[2]: text for it, text in faults.items()} if name is TaskVerb.RATE_ABOVE else faults
        return self.page_of(self.record(pk), faults={name: prefix}, given={name: dict(request.form.items())})

    @expose("/close/<pk>", methods=["POST"])
    @has_access
    def close(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.CLOSE, lambda work, it: rating.close_task(
            work, it, seen=seen(), actor=g.actor, now=sessions.now()), gettext("Closed; the rating is in the ledger."))  # fmt: skip

    @expose("/cancel/<pk>", methods=["POST"])
    @has_access
    def cancel(self, pk: str) -> Response | str:
        return self.verb(pk, TaskVerb.CANCEL, lambda work, it: office.cancel_task(
            work, it, reason=text_of("reason"), seen=seen(), actor=g.actor, now=sessions.now()), gettext("Cancelled."))  # fmt: skip
