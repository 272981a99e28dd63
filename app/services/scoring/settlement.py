"""Settling a period: evaluate a bureau and store its scores, ranks and named errors in one go."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from app.models import Bureau, PeriodScore, RunLedger, RunStatus, ScoreEntry, ScoreError, Subject, Unit
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.numbers import SCORE_PLACES
from app.rules.periods import Period
from app.rules.scoring.evaluate import Evaluation, NodeError, Report, Result, say_nothing
from app.rules.scoring.grading import grades_of
from app.services import trace
from app.services.bureau.closing import hold_bureau, refuse_closed
from app.services.jobs import runs
from app.services.messages.sentences import dump
from app.services.scoring.source_data import Sources
from app.services.scoring.sources import read_sources
from app.services.scoring.storing import write_rows

WHY = "a settlement evaluates a whole bureau"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a run did: its number, how much it counted, and who could not be settled."""

    run: int
    bureau: str
    subjects: int
    entries: int
    seconds: Decimal
    errors: Sequence[tuple[str, NodeError]]


@dataclass(frozen=True, slots=True)
class Computed:
    """A period of a bureau as evaluated: from which sources, for which day, up to which entry."""

    bureau: Bureau
    period: Period
    on: date
    watermark: int
    sources: Sources
    evaluation: Evaluation
    results: Sequence[Result]
    seconds: Decimal

    @property
    def errors(self) -> list[tuple[str, NodeError]]:
        return [(result.subject.code, error) for result in self.results for error in result.nodes.errors()]


def compute(
    session: Session,
    bureau: Bureau,
    period: Period,
    *,
    on: date,
    report: Report | None = None,
    watermark: int | None = None,
    only: str | None = None,
) -> Computed:
    """Evaluate a period from its sources; reads only. `report` is told how far it is.

    With a `watermark` the ledger is read up to that entry, as an earlier settlement saw it. With `only` one subject
    is evaluated, with what it depends on, and its rank is left out.
    """
    started = time.perf_counter()
    watermark = newest_entry(session, bureau.id) if watermark is None else watermark
    sources = read_sources(session, bureau.id, period, watermark=watermark)
    evaluation = sources.evaluation(on=on)
    if only is not None:
        one = evaluation.result_of(period, only)
        results = [] if one is None else [one]
    else:
        results = evaluation.results(period, grades=grades_of, report=say_nothing if report is None else report)
    seconds = Decimal(int((time.perf_counter() - started) * 1000)).scaleb(-3)
    return Computed(bureau, period, on, watermark, sources, evaluation, results, seconds)


def store(session: Session, done: Computed, *, held: runs.Claim | None = None, actor: Actor, now: datetime) -> Settled:
    """Replace the stored scores and errors of a period by what was computed; refuses a closed one.

    `held` is the claim on the period's own run; without it the run is taken over from whoever has it.
    """
    require(actor.is_system or actor.has("assessment_office"))
    hold_bureau(session, done.bureau.id)
    refuse_closed(session, done.bureau.id, done.period)
    run = _run_of(session, done, held=held, now=now)
    _replace_scores(session, done.sources, done.period, done.results, run)
    _replace_errors(session, done.sources, done.period, done.errors, run)
    run.settled_on, run.entry_watermark = done.on, done.watermark
    run.subjects, run.entries = len(done.results), done.sources.entries
    session.flush()
    trace.record(
        session, verb="settle", target=run, label=f"{done.bureau.code} {done.period}",
        after={"subjects": run.subjects, "entries": run.entries, "errors": len(done.errors)}, actor=actor, now=now,
    )  # fmt: skip
    return Settled(run.id, done.bureau.code, run.subjects, run.entries, done.seconds, done.errors)


def settle_period(
    session: Session, bureau: Bureau, period: Period, *, on: date, actor: Actor, now: datetime
) -> Settled:
    """Evaluate a period of a bureau and replace its stored scores; idempotent."""
    watermark = take_watermark(session, bureau)
    return store(session, compute(session, bureau, period, on=on, watermark=watermark), actor=actor, now=now)


def _run_of(session: Session, done: Computed, *, held: runs.Claim | None, now: datetime) -> RunLedger:
    is_new = False
    if held is None:
        is_new = bool(
            runs.raise_run(
                session,
                bureau_id=done.bureau.id,
                scope=done.bureau.code,
                job=runs.SETTLE,
                period=str(done.period),
                now=now,
            )
        )
    else:
        runs.finish(session, held, now=now)
    run = session.scalars(
        select(RunLedger).where(
            RunLedger.job == runs.SETTLE, RunLedger.period == str(done.period), RunLedger.scope == done.bureau.code
        ),
        execution_options={"populate_existing": True},
    ).one()
    if held is None:
        # A settlement that waits or runs was asked for after something this one may not have read: it goes on after.
        is_asked_for = not is_new and run.status in (RunStatus.PENDING, RunStatus.RUNNING)
        run.status = RunStatus.PENDING if is_asked_for or run.entry_watermark > done.watermark else RunStatus.DONE
        run.started_at, run.finished_at, run.lease_until, run.queued_at, run.error = now, now, None, None, ""
        run.fence += 1
    return run


def take_watermark(session: Session, bureau: Bureau) -> int:
    """The newest entry of a bureau, none of a unit of work that is still under way below it."""
    hold_bureau(session, bureau.id)
    return newest_entry(session, bureau.id)


def newest_entry(session: Session, bureau_id: int) -> int:
    entry = ScoreEntry.__table__.c
    return unscoped(session, WHY).execute(select(func.max(entry.id)).where(entry.bureau_id == bureau_id)).scalar() or 0


def settled_run(session: Session, bureau: Bureau, period: Period) -> RunLedger | None:
    """The run that settled a period, if it was settled; another settlement may be on its way on the same row."""
    return session.scalar(
        select(RunLedger).where(
            RunLedger.job == runs.SETTLE,
            RunLedger.period == str(period),
            RunLedger.scope == bureau.code,
            RunLedger.settled_on.is_not(None),
        )
    )


COLUMNS = (
    "bureau_id", "period", "subject_id", "scheme_code", "name", "group_name", "position", "ended_on", "indicator_code",
    "score", "exact", "places", "rank", "group_size", "grade",
)  # fmt: skip


def _stored_rows(sources: Sources, period: Period, results: Iterable[Result]) -> Iterator[tuple[Any, ...]]:
    """The rows of `period_score` by `COLUMNS`, numbers as they are stored: the total, then every node with a score."""
    trees, text, ended = {scheme.tree.code: scheme.tree for scheme in sources.schemes}, str(period), period.last_day
    for result in results:
        subject, nodes = result.subject, result.nodes
        tree = trees[subject.scheme]
        common = (
            sources.bureau_id, text, sources.ids[subject.code], subject.scheme, subject.name, subject.group,
            subject.order[0], ended,
        )  # fmt: skip
        score, exact = nodes.stored_total()
        if score is not None:
            yield (*common, "", score, exact, tree.places, result.rank, result.group_size, result.grade)
        for code, node in tree.nodes.items():
            if code != tree.root:
                score, exact = nodes.stored(code)
                if score is not None:
                    yield (*common, code, score, exact, node.places, None, None, None)


def score_rows(sources: Sources, period: Period, results: Iterable[Result]) -> list[dict[str, Any]]:
    """The rows of `period_score` for the results, by name, numbers as numbers."""
    found = []
    for values in _stored_rows(sources, period, results):
        row: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
        for name in ("score", "exact"):
            row[name] = Decimal(row[name]).scaleb(-SCORE_PLACES)
        found.append(row)
    return found


def _replace_scores(
    session: Session, sources: Sources, period: Period, results: Iterable[Result], run: RunLedger
) -> None:
    table = PeriodScore.__table__
    connection = unscoped(session, WHY)
    connection.execute(delete(table).where(table.c.bureau_id == sources.bureau_id, table.c.period == str(period)))
    rows = [(*row, run.id) for row in _stored_rows(sources, period, results)]
    write_rows(connection, table, (*COLUMNS, "run_id"), rows)


def _replace_errors(
    session: Session, sources: Sources, period: Period, errors: Iterable[tuple[str, NodeError]], run: RunLedger
) -> None:
    table = ScoreError.__table__
    connection = unscoped(session, WHY)
    connection.execute(delete(table).where(table.c.bureau_id == sources.bureau_id, table.c.period == str(period)))
    rows = [
        {
            "bureau_id": sources.bureau_id, "period": str(period), "subject_id": sources.ids[subject],
            "indicator_code": error.indicator, "reason": dump(error.reason), "run_id": run.id,
        }
        for subject, error in errors
    ]  # fmt: skip
    if rows:
        connection.execute(insert(table), rows)


def adopt_results(
    session: Session, bureau_id: int, period: Period, results: Iterable[Mapping[str, Any]], *, on: date, watermark: int
) -> None:
    """Make the results behind a corrected bulletin the stored scores of its closed period.

    `results` are rows of `Bulletin.results`; day and newest entry are those they were computed from.
    """
    rows, score, run = unscoped(session, WHY), PeriodScore.__table__, RunLedger.__table__
    mine = (run.c.job == runs.SETTLE) & (run.c.bureau_id == bureau_id) & (run.c.period == str(period))
    number = rows.execute(select(run.c.id).where(mine)).scalar_one()
    subject = Subject.__table__.c
    codes = rows.execute(select(subject.code, subject.id).where(subject.bureau_id == bureau_id))
    ids: dict[str, int] = dict(codes.all())
    positions = _positions(session, bureau_id, period)
    records = [
        {
            **row, "subject_id": ids[row["subject"]], "indicator_code": row["indicator"],
            "score": Decimal(row["score"]), "exact": Decimal(row["exact"]), "bureau_id": bureau_id,
            "period": str(period), "position": positions.get(ids[row["subject"]], 0), "ended_on": period.last_day,
            "run_id": number,
        }
        for row in results
    ]  # fmt: skip
    columns = {column.name for column in score.columns}
    rows.execute(delete(score).where(score.c.bureau_id == bureau_id, score.c.period == str(period)))
    if records:
        rows.execute(insert(score), [{name: row[name] for name in row.keys() & columns} for row in records])
    rows.execute(update(run).where(mine).values(settled_on=on, entry_watermark=watermark))


def _positions(session: Session, bureau_id: int, period: Period) -> dict[int, int]:
    """The order of units on the last day of a period, by which equal ranks are listed."""
    unit = Unit.__table__.c
    rows = unscoped(session, WHY).execute(
        select(unit.subject_id, unit.position).where(
            unit.bureau_id == bureau_id,
            unit.valid_from.is_(None) | (unit.valid_from <= period.last_day),
            unit.valid_to.is_(None) | (unit.valid_to >= period.last_day),
        )
    )
    return dict(rows.all())
