"""Pages of registers: added, changed and removed row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from flask import flash, g, redirect, request, url_for
from flask_appbuilder import expose, has_access
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.errors import Conflict, HouseError
from app.extensions import transaction
from app.security import sessions
from app.services import trace
from app.services.registers import rows as registers
from app.views.shell import versions
from app.views.shell.base import HouseView
from app.views.shell.errors import words_of
from app.views.shell.fields import text_of
from app.views.shell.listing import Action
from app.views.shell.verbs import perform, ring


class RegisterView(HouseView):
    """A register people keep: list, show, add, edit, delete, every write through `services.registers`."""

    include_route_methods: ClassVar[Any] = {"list", "show", "export", "add", "edit", "delete"}
    base_permissions: ClassVar[Any] = ["can_list", "can_show", "can_export", "can_add", "can_edit", "can_delete"]
    add_template = edit_template = "shell/form.html"
    hints: ClassVar[dict[str, Any]] = {}

    def tools(self) -> list[Action]:
        if not self.can("can_add"):
            return []
        return [Action(gettext("Add"), url_for(f"{self.endpoint}.add"), is_primary=True, icon="plus")]

    def row_actions(self, record: Any) -> list[Action]:
        found = super().row_actions(record)
        if self.can("can_edit") and self.may_change(record):
            found.append(Action(gettext("Edit"), url_for(f"{self.endpoint}.edit", pk=record.id)))
        if self.can("can_delete") and self.may_change(record):
            found.append(
                Action(
                    gettext("Delete"),
                    url_for(f"{self.endpoint}.delete", pk=record.id),
                    is_post=True,
                    question=gettext("Delete “%(name)s”?", name=self.title_of(record)),
                    is_danger=True,
                )
            )
        return found

    def may_change(self, record: Any) -> bool:
        return True

    def prepare(self, record: Any) -> None:
        """Set what the form does not ask for."""

    @expose("/add", methods=["GET", "POST"])
    @has_access
    def add(self) -> Response | str:
        form = self.add_form.refresh(None if request.method == "POST" else self.prefilled())
        if request.method == "POST" and form.validate():
            record = self.model()
            if self._keep(form, record, registers.add):
                return redirect(self.after(record))
        return self._form(form, gettext("Add"))

    def prefilled(self) -> Any:
        return None

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @has_access
    def edit(self, pk: str) -> Response | str:
        record = self.record(pk)
        form = self.edit_form.refresh(obj=None if request.method == "POST" else record)
        form._id = record.id
        if request.method == "POST" and form.validate() and self._keep(form, record, registers.change):
            return redirect(self.after(record))
        return self._form(form, gettext("Edit"), record)

    def _keep(self, form: Any, record: Any, verb: Callable[..., None]) -> bool:
        """Fill the record from the form and hand it to the service; a refusal lands on its field."""
        try:
            with transaction() as work:
                if record.id is not None:
                    versions.refuse_changed(record)
                before = trace.facts_of(record) if record.id is not None else {}
                with work.no_autoflush:
                    form.populate_obj(record)
                    for column in record.__table__.columns:
                        if (
                            getattr(record, column.name, None) is None
                            and not column.nullable
                            and str(column.type).startswith(("VARCHAR", "TEXT"))
                        ):
                            setattr(record, column.name, "")
                    self.prepare(record)
                verb(work, record, before=before, actor=g.actor, now=sessions.now())
        except HouseError as refusal:
            if isinstance(refusal, Conflict) or refusal.field_name not in form:
                form.form_errors.append(words_of(refusal))
            else:
                form[refusal.field_name].errors = [words_of(refusal)]
            return False
        flash(gettext("Saved."), "success")
        ring()
        return True

    def after(self, record: Any) -> str:
        return self.link(record)

    def _form(self, form: Any, verb: str, record: Any = None) -> str:
        return str(
            self.render_template(
                self.add_template,
                title=f"{verb} · {self.page_title}",
                view=self,
                form=form,
                record=record,
                hints=self.hints,
                seen=self._seen(record),
                back=self.link(record) if record is not None else url_for(f"{self.endpoint}.list"),
            )
        )

    @staticmethod
    def _seen(record: Any) -> str:
        """What the form is drawn from; a refused form stays drawn from what it was."""
        if record is None:
            return ""
        return text_of(versions.FIELD) or versions.mark_of(record)

    @expose("/delete/<pk>", methods=["POST"])
    @has_access
    def delete(self, pk: str) -> Response:
        record = self.record(pk)
        if perform(lambda work: registers.remove(work, record, actor=g.actor, now=sessions.now()), gettext("Deleted.")):
            ring()
        return redirect(url_for(f"{self.endpoint}.list"))
