"""The page of the trace, and the proof of its chain."""

from __future__ import annotations

import json
from typing import Any

from flask import flash, g, redirect, url_for
from flask_appbuilder import expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import func
from werkzeug.wrappers import Response

from app.extensions import db, transaction
from app.models import TraceEntry
from app.rules.chain import first_break
from app.security import sessions
from app.services import trace
from app.views.shell.base import HouseView
from app.views.shell.labels import badge, who
from app.views.shell.listing import (
    Action,
    Column,
    chosen,
    coded,
    contains,
    dated,
    on_or_after,
    on_or_before,
    text,
)
from app.views.shell.timeline import changes_of

# What is administered; of everything else (scores, opinions, rules) the trace says administrators which fields moved.
ADMINISTERED = frozenset(
    {
        "ab_user", "acting_grant", "allowed_host", "bureau", "channel", "channel_choice", "folder_key", "heartbeat",
        "national_day", "oversight", "person", "posting", "role_grant", "schedule_rule", "subject", "trace_entry",
        "unit", "user_session",
    }
)  # fmt: skip


def is_administration(record: TraceEntry) -> bool:
    """Whether a record is of what administrators keep, so that its values are theirs to read."""
    return record.target_type in ADMINISTERED


def told(record: TraceEntry, values: str) -> str:
    """What an act noted, as JSON; of what is not administered the names of the fields alone."""
    if not values or is_administration(record):
        return values
    return gettext("Fields: %(names)s", names=", ".join(sorted(json.loads(values))))


class TraceView(HouseView):
    """The trace: who did what when; read by the audit administrator alone, and reading it is traced."""

    datamodel = SQLAInterface(TraceEntry)
    model = TraceEntry
    page_title = _("Trace")
    crumb = _("Administration")
    empty_text = _("No act under these conditions.")
    include_route_methods = {"list", "show", "export", "verify"}
    base_permissions = ["can_list", "can_show", "can_export", "can_verify"]
    columns = (
        text("seq", _("No."), TraceEntry.seq),
        dated("at", _("At"), TraceEntry.at),
        text("actor_name", _("Who"), TraceEntry.actor_name, of=lambda record: who(record.actor_name)),
        coded("verb", _("Act"), order=TraceEntry.verb),
        coded("target_type", _("On"), order=TraceEntry.target_type),
        text("target_label", _("Record")),
        text("address", _("Address")),
        Column("result", _("Result"), lambda record: badge("result", record.result)),
    )
    detail = (
        *columns,
        text("actor_role", _("Role")),
        text("session_ref", _("Session")),
        text("request_id", _("Request")),
        text("reason", _("Reason"), of=lambda record: record.reason if is_administration(record) else ""),
        text("before", _("Before"), of=lambda record: told(record, record.before)),
        text("after", _("After"), of=lambda record: told(record, record.after)),
        text("previous_hash", _("Hash before")),
        text("hash", _("Hash")),
    )
    filters = (
        contains("actor", _("Who"), TraceEntry.actor_name),
        chosen("verb", _("Act"), TraceEntry.verb, "verb"),
        chosen("result", _("Result"), TraceEntry.result, "result"),
        contains("record", _("Record"), TraceEntry.target_label),
        on_or_after("from", _("From"), func.date(TraceEntry.at)),
        on_or_before("to", _("To"), func.date(TraceEntry.at)),
    )
    default_order = (TraceEntry.seq.desc(),)

    def title_of(self, record: TraceEntry) -> str:
        return gettext("Trace record %(seq)s", seq=record.seq)

    def tools(self) -> list[Action]:
        return [Action(gettext("Verify the chain"), url_for("TraceView.verify"), is_post=True)]

    def show_extras(self, record: TraceEntry) -> dict[str, Any]:
        act = {"before": record.before, "after": record.after}
        return {"changes": changes_of(act) if is_administration(record) else []}

    @expose("/verify", methods=["POST"])
    @has_access
    def verify(self) -> Response:
        """Walk the whole chain and say whether it holds."""
        work = db.session()
        seq, digest = trace.head(work)
        broken = first_break(trace.links(work), head_seq=seq, head_hash=digest)
        with transaction() as writing:
            trace.record(
                writing, verb="verify", target="trace_entry", actor=g.actor, now=sessions.now(),
                result="success" if broken is None else "failed",
            )  # fmt: skip
        if broken is None:
            flash(gettext("The trace is whole: %(count)s records.", count=seq), "success")
        else:
            flash(gettext("The trace is broken at record %(seq)s.", seq=broken.seq), "danger")
        return redirect(url_for("TraceView.list"))


PAGES = (TraceView,)
