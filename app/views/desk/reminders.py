"""The rules of reminding: when people hear of a matter, tried on yesterday before they hold, and what a day would send."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.errors import HouseError, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bureau, CorrectionVoucher, Opinion, ReopenPermit, ResultNotice, SupervisedTask
from app.policies import processes as policy
from app.policies.actor import SYSTEM
from app.rules.processes import EVENTS, PROCESS_RULES, QUIET, REMINDER
from app.rules.reminders import Reminding, read_reminding
from app.security import sessions
from app.security.scope import act_as
from app.services.bureau import rules as process_rules
from app.services.desk import reminders
from app.services.desk.reminders import Reminder
from app.views.desk.messages import address_of
from app.views.shell import versions
from app.views.shell.errors import words_of
from app.views.shell.fields import day_of, text_of
from app.views.shell.verbs import perform
from app.wording import say

MOST_SHOWN = 200


def asked(ask: Callable[[], list[Reminder]]) -> list[Reminder]:
    """Every reminder there would be, whoever looks."""
    session, reader = db.session(), g.actor
    act_as(session, SYSTEM)
    try:
        return ask()
    finally:
        act_as(session, reader)


KINDS: Mapping[str, Any] = {
    "task": SupervisedTask, "opinion": Opinion, "notice": ResultNotice, "permit": ReopenPermit,
    "voucher": CorrectionVoucher,
}  # fmt: skip


def open_items(found: Sequence[Reminder]) -> set[str]:
    """The items among them that the reader sees himself; one statement a kind."""
    by_kind: dict[str, set[str]] = defaultdict(set)
    for opinion in found:
        kind, _, key = opinion.todo.item.partition(":")
        by_kind[kind].add(key)
    seen = {f"bulletin:{it}" for it in by_kind["bulletin"] if address_of(f"bulletin:{it}") != address_of("")}
    for kind, model in KINDS.items():
        if by_kind[kind]:
            ids = db.session.scalars(select(model.id).where(model.id.in_([int(it) for it in by_kind[kind]])))
            seen |= {f"{kind}:{key}" for key in ids}
    return seen


def rows_of(found: Sequence[Reminder]) -> list[dict[str, Any]]:
    """The rows of a page: in words where the reader sees the matter himself."""
    seen = open_items(found)
    return [shown(it, is_open=it.todo.item in seen) for it in found]


def shown(reminder: Reminder, *, is_open: bool) -> dict[str, Any]:
    """One reminder as a row; of what is outside the reader's scope, only to whom and by which rule."""
    return {
        "to": reminder.actor.name, "event": say(EVENTS[reminder.event].title), "days": reminder.days,
        "text": say(reminders.told(reminder)) if is_open else gettext("(outside your scope)"),
        "due_on": reminder.todo.due_on if is_open else None, "url": address_of(reminder.todo.item) if is_open else "",
    }  # fmt: skip


class ReminderView(BaseView):  # type: ignore[misc]
    """Every event of every process with its rule; who keeps the process keeps the rule."""

    route_base = "/reminders"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        return self._page()

    def _page(self, *, given: tuple[str, str] = ("", ""), fault: str = "", tried: Any = None) -> str:
        today, bureau_id = sessions.today(), self._bureau()
        rules = process_rules.rules_of(db.session(), bureau_id)
        rows = []
        for name, event in EVENTS.items():
            key = f"{REMINDER}{name}"
            text = given[1] if given[0] == name else rules.text(key, today)
            rows.append({
                "event": name, "title": say(event.title), "process": event.process, "is_due": event.counts_from_due, "has_leader": event.has_leader,
                "now": rules.read(key, today), "fields": _fields(text), "may": policy.may_set_rule(g.actor, event.process),
                "fault": fault if given[0] == name else "", "tried": tried if given[0] == name else None, "text": text,
                "is_default": key not in rules.rows, "seen": versions.mark_of(rules.rows.get(key, ())),
            })  # fmt: skip
        return str(
            self.render_template(
                "desk/reminders.html", title=gettext("Reminders"), rows=rows, today=today,
                quiet=rules.text(QUIET, today), quiet_seen=versions.mark_of(rules.rows.get(QUIET, ())), may_quiet=policy.may_set_rule(g.actor, "reminders"),
            )
        )  # fmt: skip

    @expose("/day")
    @has_access
    def day(self) -> str:
        """What a day sends, as matters stand now."""
        on = day_of_argument("day") or sessions.today()
        found = asked(lambda: reminders.preview(db.session(), self._bureau(), on=on))
        return str(
            self.render_template(
                "desk/reminders_day.html", title=gettext("What a day sends"), on=on, count=len(found),
                people=len({it.actor.account_id for it in found}), found=rows_of(found[:MOST_SHOWN]),
            )
        )  # fmt: skip

    @staticmethod
    def _bureau() -> int:
        if g.actor.bureau_id is None:
            abort(404)
        return int(g.actor.bureau_id)

    @expose("/rehearse", methods=["POST"])
    @has_access
    def rehearse(self) -> str:
        """What the rule would have sent on the working day before; nothing is kept."""
        event, text = _event(), _text()
        try:
            on = reminders.day_before(db.session(), self._bureau(), today=sessions.today())
            found = asked(lambda: reminders.rehearse(db.session(), self._bureau(), event, text, on=on))
        except RuleViolation as refusal:
            return self._page(given=(event, text), fault=words_of(refusal))
        tried = {
            "on": on, "count": len(found), "people": len({it.actor.account_id for it in found}),
            "found": rows_of(found[:10]),
        }  # fmt: skip
        return self._page(given=(event, text), tried=tried)

    @expose("/save", methods=["POST"])
    @has_access
    def save(self) -> Response | str:
        """Let a rule hold from today on."""
        event, text = _event(), _text()
        try:
            with transaction() as work:
                self._set(work, f"{REMINDER}{event}", text)
        except NotPermitted:
            raise
        except HouseError as refusal:
            return self._page(given=(event, text), fault=words_of(refusal))
        flash(gettext("Saved; it holds from %(day)s.", day=sessions.today().isoformat()), "success")
        return redirect(url_for("ReminderView.page"))

    @expose("/quiet", methods=["POST"])
    @has_access
    def quiet(self) -> Response:
        """Let quiet hours hold from today on."""
        value = text_of("value")[:20]
        perform(
            lambda work: self._set(work, QUIET, value),
            gettext("Saved; it holds from %(day)s.", day=sessions.today().isoformat()),
        )
        return redirect(url_for("ReminderView.page"))

    def _set(self, work: Session, key: str, text: str) -> None:
        bureau = work.get_one(Bureau, self._bureau())
        before = process_rules.rules_of(work, bureau.id).rows.get(key, ())
        process_rules.set_rule(work, bureau, key, text, valid_from=sessions.today(), actor=g.actor, now=sessions.now())
        versions.refuse_changed(before)


def _event() -> str:
    event = text_of("event")
    if f"{REMINDER}{event}" not in PROCESS_RULES:
        abort(400)
    return event


def _text() -> str:
    """The three fields of a rule as it is stored; a blank field is left out."""
    days = [text_of(name).strip()[:10] for name in ("first", "second")]
    leader = text_of("leader").strip()[:10]
    return ";".join([*(day for day in days if day), *([f"leader:{leader}"] if leader else [])])


def _fields(text: str) -> dict[str, str]:
    """The three fields of a stored rule, or what was typed."""
    try:
        found = read_reminding(text)
    except RuleViolation:
        return {name: text_of(name).strip()[:10] for name in ("first", "second", "leader")}
    return fields_of(found)


def fields_of(found: Reminding) -> dict[str, str]:
    days = [str(day) for day in found.days] + ["", ""]
    return {"first": days[0], "second": days[1], "leader": "" if found.leader is None else str(found.leader)}


def day_of_argument(name: str) -> Any:
    """A day of the address; a bad one is a bad request."""
    if not request.args.get(name):
        return None
    found = day_of(name, request.args)
    if found is None or abs((found - sessions.today()).days) > 366:
        abort(400)
    return found


PAGES = (ReminderView,)
