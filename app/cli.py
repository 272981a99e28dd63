"""The commands that scripts of bureaus call: each is one call to a service; messages are Chinese.

Exit codes: 0 done, 1 refused by a rule or by bad data, 2 wrong usage. Source: docs/scoring.md section 8.
"""

from __future__ import annotations

import csv
import functools
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_babel import gettext
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError, ProgrammingError

from app import revisions, running
from app.documents.layout import layout
from app.documents.workbook_writer import write_table, write_workbook
from app.errors import HouseError, RuleViolation
from app.extensions import db, transaction
from app.policies.actor import SYSTEM
from app.rules.numbers import plain
from app.running import outside
from app.security import sessions
from app.security.scope import act_as
from app.services.bureau import closing
from app.services.publication import verification
from app.services.sample import bureau as sample_bureau
from app.services.scoring import choice, explanation, results
from app.services.workbook import imports
from app.services.workbook import plan as imports_plan
from app.services.workbook.rows import Problem
from app.wording import ABSENT, official, say

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


def in_chinese(function: Callable[P, R]) -> Callable[P, R]:
    """Run a command as the system, in Chinese; a refusal is a sentence on stderr and exit code 1."""

    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> R:
        act_as(db.session(), SYSTEM)
        with current_app.test_request_context(), official():
            try:
                if function.__name__ not in ("init", "template"):
                    revisions.require_current()
                return function(*args, **kwargs)
            except HouseError as refusal:
                click.echo(say(refusal.message), err=True)
                sys.exit(1)
            except (OperationalError, ProgrammingError) as fault:
                if is_prepared():
                    raise
                log.debug("the database cannot be used", exc_info=fault)
                click.echo(gettext("The database cannot be used: %(fault)s", fault=str(fault.orig).strip()), err=True)
                sys.exit(1)

    return with_appcontext(command)


def is_prepared() -> bool:
    """Whether the database can be reached and has its tables."""
    try:
        return bool(inspect(db.engine).has_table("trace_head"))
    except OperationalError:
        return False


@click.group("workbook")
def workbook() -> None:
    """The workbook that carries a bureau."""


@workbook.command("template")
@click.argument("out", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--sample", is_flag=True, help="Fill in the sample bureau.")
@in_chinese
def template(out: Path, *, sample: bool) -> None:
    """Write an empty workbook, or one with the sample bureau."""
    _write(out, write_workbook(layout(), sample_bureau.sample_rows(sessions.today()) if sample else {}))
    click.echo(gettext("Written: %(file)s", file=str(out)))


@workbook.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--bureau", help="Code of the bureau the file goes on in.")
@in_chinese
def check(file: Path, bureau: str | None) -> None:
    """Check a workbook and print what is wrong as JSON."""
    try:
        plan = imports_plan.plan_import(db.session(), file.read_bytes(), bureau_code=bureau, now=sessions.now())
    except RuleViolation as refusal:
        whole = {"sheet": None, "row": None, "column": None, "reason": say(refusal.message)}
        _print_json({"ok": False, "counts": {}, "errors": [whole], "hints": []})
        sys.exit(1)
    errors, hints = ([_problem(problem) for problem in found] for found in (plan.problems, plan.hints))
    unread = [asdict(place) for place in plan.unread]
    _print_json({"ok": plan.is_ok, "counts": plan.counts, "errors": errors, "hints": hints, "unread": unread})
    sys.exit(0 if plan.is_ok else 1)


@workbook.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--bureau", help="Code of the bureau the file goes on in.")
@in_chinese
def load(file: Path, bureau: str | None) -> None:
    """Check a workbook, store it in one transaction and print the batch number."""
    with transaction() as work:
        plan, batch = imports.load_workbook(
            work, file.read_bytes(), file_name=file.name, bureau_code=bureau, actor=SYSTEM, now=sessions.now()
        )
        number = None if batch is None else batch.id
        is_old = batch is not None and batch.stored_at is not None and not plan.is_stored
    for place in plan.unread:
        click.echo(
            gettext("Not imported: %(sheet)s %(column)s", sheet=place.sheet, column=place.column).rstrip(), err=True
        )
    if number is None:
        for problem in plan.problems:
            click.echo(_sentence(problem), err=True)
        sys.exit(1)
    if is_old:
        click.echo(gettext("This file was imported before, as batch %(number)s; nothing was stored.", number=number))
    else:
        click.echo(gettext("Batch %(number)s", number=number))


@workbook.command("export")
@click.argument("out", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--bureau", required=True, help="Code of the bureau.")
@in_chinese
def export(out: Path, bureau: str) -> None:
    """Write a bureau as a workbook; loading it gives the same bureau."""
    with transaction() as work:
        content = imports.export_bureau(work, choice.bureaus(work, bureau)[0], actor=SYSTEM, now=sessions.now())
    _write(out, content)
    click.echo(gettext("Written: %(file)s", file=str(out)))


@click.command("settle")
@click.argument("period")
@click.option("--bureau", help="Code of the bureau; all of them without.")
@in_chinese
def settle(period: str, bureau: str | None) -> None:
    """Compute the scores of a month, quarter or year and store them; idempotent."""
    wanted = choice.parse_period(period, on=sessions.today())
    for owner in choice.bureaus(db.session(), bureau):
        if str(wanted) in closing.closed_periods(db.session(), owner.id):
            click.echo(gettext("Bureau %(bureau)s: %(period)s is closed; nothing was stored.",
                               bureau=owner.code, period=str(wanted)))  # fmt: skip
            continue
        run = running.settle_here(owner, wanted)
        click.echo(
            gettext(
                "Run %(run)s: bureau %(bureau)s, %(period)s, %(subjects)s subjects, %(entries)s entries, %(seconds)s s",
                run=run.run, bureau=run.bureau, period=str(wanted), subjects=run.subjects,
                entries=run.entries, seconds=str(run.seconds),
            )
        )  # fmt: skip
        for subject, error in run.errors:
            click.echo(
                gettext(
                    "Not settled: %(subject)s, %(indicator)s: %(reason)s",
                    subject=subject, indicator=error.indicator, reason=say(error.reason),
                )
            )  # fmt: skip


@click.command("scores")
@click.argument("period")
@click.option("--bureau", help="Code of the bureau; all of them without.")
@click.option("--kind", type=click.Choice(["unit", "person"]), help="Only units or only people.")
@click.option("--format", "shape", type=click.Choice(["json", "csv", "xlsx"]), default="json", show_default=True)
@click.option("--bom/--no-bom", default=True, help="csv begins with the mark by which a spreadsheet knows UTF-8.")
@in_chinese
def scores(period: str, bureau: str | None, kind: str | None, shape: str, *, bom: bool) -> None:
    """Print the stored scores of a period."""
    wanted = choice.parse_period(period, on=sessions.today())
    session = db.session()
    rows = [
        score_row(row, it.code)
        for it in choice.bureaus(session, bureau)
        for row in results.scores_of(session, it, wanted, kind=kind)
    ]
    if shape == "json":
        _print_json(rows)
    elif shape == "csv":
        if bom:
            sys.stdout.write("\ufeff")
        writer = csv.DictWriter(sys.stdout, SCORE_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: guarded(value) for name, value in row.items()} for row in rows)
    else:
        numbers = ("score", "exact")
        cells = [[Decimal(it) if name in numbers and it else it for name, it in row.items()] for row in rows]
        content = write_table(str(wanted), SCORE_FIELDS, cells)
        sys.stdout.buffer.write(content)


@click.command("explain")
@click.argument("period")
@click.argument("subject")
@click.option("--indicator", help="Code of one node.")
@click.option("--bureau", help="Code of the bureau.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@in_chinese
def explain(period: str, subject: str, indicator: str | None, bureau: str | None, shape: str) -> None:
    """Print why a subject's score is what it is."""
    on = sessions.today()
    wanted = choice.parse_period(period, on=on)
    session = db.session()
    owner = choice.bureau_of_subject(session, subject, bureau)
    told = explanation.explain(session, owner, wanted, subject, indicator=indicator, on=on, say=say)
    if shape == "json":
        _print_json(told)
    else:
        for line in told_lines(told):
            click.echo(line)


@click.command("verify")
@click.option("--bureau", help="Code of the bureau; all of them without.")
@in_chinese
def verify(bureau: str | None) -> None:
    """Recompute every stored number from its sources and walk the trace; exit 1 with the first differences."""
    session = db.session()
    found = verification.differences(
        session, choice.bureaus(session, bureau) if bureau else choice.all_bureaus(session),
        beside=outside.differences(session), report=_progress,
    )  # fmt: skip
    for difference in found:
        click.echo(say(difference), err=True)
    if found:
        sys.exit(1)
    click.echo(gettext("Every number follows from its sources; the trace is whole."))


def _progress(done: int, steps: int) -> None:
    """Say on a terminal how far a long command is."""
    if sys.stderr.isatty():
        click.echo(f"{done}/{steps}\r", err=True, nl=False)


SCORE_FIELDS = (
    "period", "bureau", "group", "subject_kind", "subject", "name", "indicator", "score", "exact", "rank",
    "group_size", "grade",
)  # fmt: skip


def score_row(row: Mapping[str, Any], bureau: str) -> dict[str, str | int | None]:
    """A stored score in the shape of docs/scoring.md section 8."""
    exact = plain(row["exact"])
    values = (
        row["period"], bureau, row["group_name"], row["subject_kind"], row["subject"], row["name"],
        row["indicator_code"] or None, exact if row["places"] is None else plain(row["score"], row["places"]),
        exact, row["rank"], row["group_size"], row["grade"],
    )  # fmt: skip
    return dict(zip(SCORE_FIELDS, values, strict=True))


def guarded(value: object) -> object:
    """Text of a CSV cell that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, str) and value[:1] in FORMULA_SIGNS and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


FORMULA_SIGNS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def told_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """An explanation as lines of text, indented by depth."""
    yield gettext(
        "%(name)s (%(subject)s), %(period)s: %(score)s, rank %(rank)s of %(size)s",
        name=told["name"], subject=told["subject"], period=told["period"], score=told["score"] or ABSENT,
        rank=told["rank"] or ABSENT, size=told["group_size"],
    )  # fmt: skip
    yield from _node_lines(told["node"], 1)


def _node_lines(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    yield f"{pad}{node['indicator']} {node['title']} = {node['score'] or ABSENT}  [{node['formula']}]"
    for line in node["lines"]:
        reason = f"  ({line['reason']})" if line["reason"] else ""
        yield f"{pad}  - {line['no']} {line['occurred_on']} {line['clause']} {line['text']} {line['points']}{reason}"
    for child in node["children"]:
        yield from _node_lines(child, depth + 1)


def _problem(problem: Problem) -> dict[str, object]:
    return {"sheet": problem.sheet, "row": problem.row, "column": problem.column, "reason": say(problem.reason)}


def _sentence(problem: Problem) -> str:
    sheet = layout().sheets[problem.sheet]
    column = sheet.column(problem.column or "")
    where = [sheet.name, gettext("row %(row)s", row=problem.row) if problem.row else "", column.label if column else ""]
    return " ".join(part for part in where if part) + "\uff1a" + say(problem.reason)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def _write(out: Path, content: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content)


def install(app: Flask) -> None:
    """Hang the commands on `flask`."""
    for command in (workbook, settle, scores, explain, verify):
        app.cli.add_command(command)
    _close_the_back_door()


def _close_the_back_door() -> None:
    """FAB's own commands make accounts and passwords without a trace: they are no commands of this portal."""
    context = click.get_current_context(silent=True)
    while context is not None:
        if context.info_name == "fab":
            raise SystemExit("flask fab is not part of Kaoji; see: flask account --help")
        if isinstance(context.command, click.Group):
            context.command.commands.pop("fab", None)
        context = context.parent
