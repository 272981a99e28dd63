"""The commands about what runs by itself: the timetable, what a day would remind of, what was said to somebody.

Each prints a list of objects as JSON; times are ISO 8601 with their zone. Source: docs/scoring.md section 8.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import click
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import running
from app.cli import in_chinese
from app.errors import N_, HouseError, RuleViolation
from app.extensions import db, reading, transaction
from app.models import Bureau, Notification, RunLedger, RunStatus, ScheduleRule
from app.policies.actor import SYSTEM
from app.rules.days import read_day
from app.rules.timetable import JOBS, ZONE, instant_of
from app.security import sessions
from app.services.accounts.accounts import account_named
from app.services.desk import reminders
from app.services.jobs import runs, timetable
from app.services.messages import notices
from app.services.messages.sentences import undump
from app.services.scoring import choice
from app.wording import say

LONGEST = 900.0
shape = click.option(
    "--format", "shape", type=click.Choice(["json"]), default="json", show_default=True, expose_value=False
)
of_bureau = click.option("--bureau", help="Code of the bureau; all of them without.")


def told(at: datetime) -> str:
    """An instant by the bureau's clock, with its zone."""
    return at.astimezone(ZONE).isoformat(timespec="seconds")


def show(rows: Iterable[Mapping[str, object]]) -> None:
    click.echo(json.dumps(list(rows), ensure_ascii=False, indent=1))


def wanted(code: str | None) -> list[Bureau]:
    return choice.bureaus(db.session(), code) if code else list(choice.all_bureaus(db.session()))


def rows_of(bureaus: Iterable[Bureau], job: str | None = None) -> list[dict[str, object]]:
    """The timetable of some bureaus, one object a job."""
    codes = {it.id: it.code for it in bureaus}
    return [
        {
            "job": it.rule.job, "bureau": codes[it.rule.bureau_id], "enabled": it.rule.is_enabled,
            "next_period": it.rule.next_period, "next_run_at": told(instant_of(it.due_at)),
            "last_status": it.state or None,
        }
        for it in timetable.scheduled(db.session())
        if it.rule.bureau_id in codes and job in (None, it.rule.job)
    ]  # fmt: skip


@click.group("jobs")
def jobs_group() -> None:
    """What runs by itself."""


@jobs_group.command("list")
@of_bureau
@shape
@in_chinese
def list_jobs(bureau: str | None) -> None:
    """Print the timetable: each job of each bureau, what it waits for, how its newest run stands."""
    show(rows_of(wanted(bureau)))


@jobs_group.command("run")
@click.argument("job", type=click.Choice(list(JOBS)))
@click.argument("period", required=False, default="")
@of_bureau
@shape
@in_chinese
def run_job(job: str, period: str, bureau: str | None) -> None:
    """Run a job here and now: today's, the period that ended last, or the one that is named."""
    found = wanted(bureau)
    if not found:
        raise RuleViolation(N_("There is no bureau yet."))

    def ask(work: Session, bureau_id: int) -> int:
        timetable.ensure_rules(work, bureau_id, now=sessions.now())
        query = select(ScheduleRule).where(ScheduleRule.bureau_id == bureau_id, ScheduleRule.job == job)
        return timetable.run_now(work, work.scalars(query).one(), period=period, actor=SYSTEM, now=sessions.now())

    is_good = carry([it.id for it in found], ask)
    end(is_good, rows_of(wanted(bureau), job))


@jobs_group.command("retry")
@click.argument("job", required=False)
@of_bureau
@shape
@in_chinese
def retry_jobs(job: str | None, bureau: str | None) -> None:
    """Run every failed run once more here, of one job or of all; those that fail again stay in the list."""
    ids = {it.id for it in wanted(bureau)}
    query = select(RunLedger.id).where(RunLedger.status == RunStatus.FAILED, RunLedger.bureau_id.in_(ids))
    failed = list(db.session.scalars(query if job is None else query.where(RunLedger.job == job)))

    def ask(work: Session, number: int) -> int:
        runs.retry(work, work.get_one(RunLedger, number), actor=SYSTEM, now=sessions.now())
        return number

    is_good = carry(failed, ask)
    end(is_good, rows_of(wanted(bureau), job))


def carry(ids: Iterable[int], ask: Callable[[Session, int], int]) -> bool:
    """Ask for runs one by one and carry each out; one that is refused says why and does not stop the others.

    One that a worker has in hand is waited for. Answers whether all came to a good end.
    """
    is_good = True
    for pk in ids:
        try:
            with transaction() as work:
                number = ask(work, pk)
        except HouseError as refusal:
            click.echo(say(refusal.message), err=True)
            is_good = False
            continue
        is_good &= ended(number) == RunStatus.DONE
    return is_good


def ended(number: int) -> str:
    """Carry a run out here, or wait for who has it in hand; answers how it ended."""
    until = time.monotonic() + LONGEST
    while True:
        running.carry_out(number)
        with reading() as session:
            status = str(session.scalar(select(RunLedger.status).where(RunLedger.id == number)))
        if status in (RunStatus.DONE, RunStatus.FAILED) or time.monotonic() > until:
            return status
        time.sleep(0.5)  # another process has it in hand; its row is all there is to look at


def end(is_good: bool, rows: list[dict[str, object]]) -> None:
    show(rows)
    sys.exit(0 if is_good else 1)


@click.group("reminders")
def reminders_group() -> None:
    """Whom a day reminds of what."""


@reminders_group.command("preview")
@click.argument("day")
@of_bureau
@shape
@in_chinese
def preview(day: str, bureau: str | None) -> None:
    """Print who would get what on a day, by which rule, as matters stand now; nothing is sent."""
    on = read_day(day)
    if on is None:
        raise RuleViolation(N_("A day is written as 2026-11-24."))
    rows = []
    for it in wanted(bureau):
        found = reminders.preview(db.session(), it.id, on=on)
        ways = notices.ways(db.session(), it.id, [line.actor.account_id or 0 for line in found], on=on)
        rows += [
            {
                "to": line.actor.username, "channel": way, "subject": say(reminders.told(line)), "item": line.todo.item,
                "due_on": None if line.todo.due_on is None else line.todo.due_on.isoformat(), "rule": line.event,
            }
            for line in found
            for way in ways[line.actor.account_id or 0]
        ]  # fmt: skip
    show(rows)


@click.group("messages")
def messages_group() -> None:
    """What was said to somebody in the portal."""


@messages_group.command("list")
@click.argument("user")
@shape
@in_chinese
def list_messages(user: str) -> None:
    """Print the messages of a user, newest first."""
    account = account_named(db.session(), user)
    if account is None:
        raise RuleViolation(N_("There is no user “%(name)s”.", name=user))
    query = select(Notification).where(Notification.account_id == account.id)
    show(
        {
            "at": told(it.created_at), "category": it.category, "subject": say(undump(it.text)), "item": it.item,
            "is_read": it.read_at is not None,
        }
        for it in db.session.scalars(query.order_by(Notification.created_at.desc(), Notification.id.desc()))
    )  # fmt: skip


def install(app: Flask) -> None:
    """Hang the commands on `flask`."""
    for command in (jobs_group, reminders_group, messages_group):
        app.cli.add_command(command)
