"""The import page: template, upload, check, preview, commit, the file back with its errors, recall."""

from __future__ import annotations

import json
from typing import Any

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.documents.layout import layout
from app.documents.workbook_writer import with_errors, write_workbook
from app.errors import Busy, HouseError
from app.extensions import db, transaction
from app.models import Bureau, ImportBatch
from app.policies import imports as policy
from app.security import sessions
from app.services.sample import bureau as sample
from app.services.workbook import imports, recall
from app.services.workbook import plan as imports_plan
from app.services.workbook.rows import Problem
from app.views.shell.base import visible_or_404
from app.views.shell.errors import words_of
from app.views.shell.files import xlsx
from app.views.shell.timeline import acts_of
from app.views.shell.verbs import ring
from app.wording import say

MOST_SHOWN = 200
LARGEST_FILE = 20 * 1024 * 1024
LATEST = 10


class ImportView(BaseView):  # type: ignore[misc]
    """Nothing is stored before the last step; a stored batch can be taken back."""

    route_base = "/import"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        return self._page(None)

    @expose("/<int:pk>")
    @has_access
    def preview(self, pk: int) -> str:
        return self._page(self._batch(pk))

    def _page(self, batch: ImportBatch | None) -> str:
        summary: dict[str, Any] = json.loads(batch.result) if batch is not None else {"sheets": {}, "errors": []}
        wanted = request.args.get("sheet", "")
        problems = imports_plan.problems_of(summary)
        shown = [problem for problem in problems if not wanted or problem.sheet == wanted]
        history = db.session.scalars(select(ImportBatch).order_by(ImportBatch.id.desc()).limit(LATEST)).all()
        return str(
            self.render_template(
                "rulebook/import.html",
                title=gettext("Workbook import"),
                batch=batch,
                sheets=[(layout().sheets[key], counts) for key, counts in summary["sheets"].items()],
                problems=[self._shown(it) for it in shown[:MOST_SHOWN]],
                problem_count=len(problems),
                hints=[self._shown(hint) for hint in imports_plan.problems_of(summary, "hints")[:MOST_SHOWN]],
                left_unread=summary.get("unread", ()),
                does_something=summary.get("does_something", True),
                sheet=wanted,
                history=history,
                may_recall={it.id for it in history if policy.may_recall(g.actor, it)},
                acts=acts_of(batch) if batch is not None else [],
            )
        )

    @staticmethod
    def _shown(problem: Problem) -> dict[str, object]:
        sheet = layout().sheets[problem.sheet]
        column = sheet.column(problem.column or "")
        return {
            "sheet": sheet.name, "row": problem.row, "column": column.label if column else "",
            "value": problem.value, "reason": say(problem.reason),
        }  # fmt: skip

    @staticmethod
    def _batch(pk: int) -> ImportBatch:
        found: ImportBatch = visible_or_404(ImportBatch, ImportBatch.id, pk)
        return found

    @expose("/template")
    @has_access
    def download(self) -> Response:
        """An empty workbook, or one filled with the sample bureau."""
        is_sample = request.args.get("sample") == "1"
        content = write_workbook(layout(), sample.sample_rows(sessions.today()) if is_sample else {})
        return xlsx(content, gettext("workbook with sample") + ".xlsx" if is_sample else gettext("workbook") + ".xlsx")

    @expose("/upload", methods=["POST"])
    @has_access
    def upload(self) -> Response:
        """Check an uploaded workbook, keep it with what the check said, and show the preview."""
        file = request.files.get("file")
        content = file.read(LARGEST_FILE + 1) if file is not None else b""
        if file is None or not content:
            flash(gettext("Choose a file first."), "danger")
            return redirect(url_for("ImportView.page"))
        if len(content) > LARGEST_FILE:
            abort(413)
        try:
            bureau = db.session.get(Bureau, g.actor.bureau_id)
            assert bureau is not None
            plan = imports_plan.plan_import(
                db.session(), content, bureau_code=bureau.code, now=sessions.now(), actor=g.actor
            )
            with transaction() as work:
                batch = imports.receive(
                    work, content, file_name=file.filename or "", bureau=bureau, actor=g.actor,
                    now=sessions.now(), plan=plan,
                )  # fmt: skip
                number = batch.id
        except Busy:
            raise
        except HouseError as refusal:
            flash(words_of(refusal), "danger")
            return redirect(url_for("ImportView.page"))
        return redirect(url_for("ImportView.preview", pk=number))

    @expose("/<int:pk>/commit", methods=["POST"])
    @has_access
    def commit(self, pk: int) -> Response:
        """Store the checked workbook whole, or not at all."""
        batch = self._batch(pk)
        try:
            raw = imports_plan.read_file(batch.content)
            with transaction() as work:
                imports.commit_batch(work, batch, raw, actor=g.actor, now=sessions.now())
                is_stored = batch.state == "stored"
        except HouseError as refusal:
            flash(words_of(refusal), "danger")
        else:
            if is_stored:
                flash(gettext("Imported as batch %(number)s.", number=pk), "success")
                ring()
            else:
                flash(gettext("The records have changed since the check; nothing was stored."), "danger")
        return redirect(url_for("ImportView.preview", pk=pk))

    @expose("/<int:pk>/errors.xlsx")
    @has_access
    def errors(self, pk: int) -> Response:
        """The same file back, with what is wrong in each row."""
        batch = self._batch(pk)
        problems = imports_plan.problems_of(json.loads(batch.result))
        faults = [(problem.sheet, problem.row, problem.column, say(problem.reason)) for problem in problems]
        content = with_errors(batch.content, layout(), faults)
        return xlsx(content, f"{batch.file_name.removesuffix('.xlsx')}-{layout().errors_label}.xlsx")

    @expose("/<int:pk>/recall", methods=["GET", "POST"])
    @has_access
    def recall(self, pk: int) -> Response | str:
        """Take a batch back: ask for the reason, then do it."""
        batch = self._batch(pk)
        fault = ""
        if request.method == "POST":
            try:
                with transaction() as work:
                    done = recall.recall_batch(
                        work, batch, reason=request.form.get("reason", "")[:2000], actor=g.actor, now=sessions.now()
                    )
            except HouseError as refusal:
                fault = words_of(refusal)
            else:
                flash(
                    gettext(
                        "Recalled: %(reversed)s entries reversed, %(withdrawn)s rows withdrawn, %(kept)s kept because others use them.",
                        **{name: done[name] for name in ("reversed", "withdrawn", "kept")},
                    ),
                    "success",
                )  # fmt: skip
                ring()
                return redirect(url_for("ImportView.preview", pk=pk))
        return str(
            self.render_template(
                "shell/reason.html",
                title=gettext("Recall batch %(number)s", number=pk),
                text=gettext("Its entries are reversed; rows that nothing else uses are withdrawn."),
                fault=fault,
                reason=request.form.get("reason", ""),
                verb=gettext("Recall"),
                back=url_for("ImportView.preview", pk=pk),
            )
        )


PAGES = (ImportView,)
