"""Files on records: hung on, taken off, downloaded; every door asks the record they hang on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from werkzeug.wrappers import Response

import config
from app.documents.file_types import LARGEST, media_type_of
from app.errors import HouseError, NotPermitted
from app.extensions import short_transaction, transaction
from app.models import Attachment, SupervisedTask
from app.policies import supervision
from app.policies.actor import Actor
from app.security import sessions
from app.services import trace
from app.services.process import attachments
from app.views.shell.base import record_of
from app.views.shell.errors import words_of
from app.views.shell.files import download
from app.views.shell.verbs import perform


@dataclass(frozen=True, slots=True)
class Holder:
    """A kind of record that files hang on: its model, who may hang some there, and its page."""

    model: Any
    may_attach: Callable[[Actor, Any], bool]
    endpoint: str


HOLDERS: Mapping[str, Holder] = {
    "supervised_task": Holder(SupervisedTask, supervision.may_attach, "TaskView.show"),
}


class AttachmentView(BaseView):  # type: ignore[misc]
    """The doors to files."""

    route_base = "/files"

    @staticmethod
    def _record(kind: str, pk: str) -> tuple[Holder, Any]:
        holder = HOLDERS.get(kind)
        if holder is None:
            abort(404)
        return holder, record_of(holder.model, holder.model.id, pk)

    @staticmethod
    def _file(pk: str) -> Attachment:
        found: Attachment = record_of(Attachment, Attachment.id, pk)
        return found

    @expose("/upload", methods=["POST"])
    @has_access
    def upload(self) -> Response:
        """Hang files on a record."""
        holder, record = self._record(request.form.get("item_type", ""), request.form.get("item_id", ""))
        files = [it for it in request.files.getlist("file")[:10] if it.filename]
        if not files:
            flash(gettext("Choose a file first."), "danger")
            return redirect(url_for(holder.endpoint, pk=record.id))
        may = holder.may_attach(g.actor, record)
        written: list[str] = []
        try:
            brought = [(file.filename or "", file.stream.read(LARGEST + 1)) for file in files]
            kinds = [media_type_of(name, content) for name, content in brought]
            with transaction() as work:
                for (name, content), media_type in zip(brought, kinds, strict=True):
                    made = attachments.attach(
                        work, record, name, content, media_type,
                        folder=config.home() / attachments.FOLDER, is_allowed=may, actor=g.actor, now=sessions.now(),
                    )  # fmt: skip
                    written.append(made.stored_name)
        except HouseError as refusal:
            for name in written:
                attachments.path_of(config.home() / attachments.FOLDER, name).unlink(missing_ok=True)
            if isinstance(refusal, NotPermitted):
                raise
            flash(words_of(refusal), "danger")
        else:
            flash(gettext("The file is kept."), "success")
        return redirect(url_for(holder.endpoint, pk=record.id))

    @expose("/download/<pk>")
    @has_access
    def download(self, pk: str) -> Response:
        """A file, under the name it came with; the download is traced."""
        found = self._file(pk)
        content, name, media_type = (
            attachments.content_of(config.home() / attachments.FOLDER, found),
            found.name,
            found.media_type,
        )
        with short_transaction() as work:
            trace.record(work, verb="download", target=found, actor=g.actor, now=sessions.now())
        return download(content, name, media_type)

    @expose("/remove/<pk>", methods=["POST"])
    @has_access
    def remove(self, pk: str) -> Response:
        found = self._file(pk)
        holder, record = self._record(found.item_type, str(found.item_id))
        may = holder.may_attach(g.actor, record)
        perform(
            lambda work: attachments.remove(work, found, record, is_allowed=may, actor=g.actor, now=sessions.now()),
            gettext("The file is taken off."),
        )
        return redirect(url_for(holder.endpoint, pk=record.id))


PAGES = (AttachmentView,)
