"""What is still open before a period is settled: per unit, which check, whom it waits for; and urging them.

Each check is one function in `CHECKS`; a process adds its own there. Source: mission C5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import Account, Bureau, ExternalResult, Indicator, Posting, RunLedger, ScoreError
from app.policies import jobs as jobs_policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.periods import Period
from app.rules.scoring.methods import asks_target
from app.rules.scoring.scheme import Assessed, Node, SchemeTree, applies
from app.rules.timetable import local_time
from app.services import trace
from app.services.accounts.actors import actors_of_bureau
from app.services.bureau.calendar import work_calendar
from app.services.desk.todo import OF_UNITS, open_matters
from app.services.jobs import runs as jobs
from app.services.messages import notices
from app.services.messages.sentences import undump
from app.services.process.waiting import Readers, Todo
from app.services.scoring.source_data import Sources
from app.services.scoring.sources import read_rules, read_targets

WHY = "the board looks at every unit of its bureau; who may open it was asked before"


@dataclass(frozen=True, slots=True)
class Missing:
    """One open matter: which check, of which unit, about what, and the line that may have to answer for it."""

    check: str
    unit: str
    text: Message
    indicator: str = ""
    waits_for: tuple[int, ...] = ()


@dataclass(slots=True)
class Board:
    """What the checks look at: the rules and rows of one bureau and period, read once."""

    session: Session
    bureau: Bureau
    period: Period
    on: date
    sources: Sources
    subjects: Mapping[str, Assessed]
    unit_of: Mapping[str, str]
    trees: Mapping[str, SchemeTree]

    def unit(self, code: str) -> str:
        """The unit a subject's matters stand under: itself, or where the person was on the last day."""
        return self.unit_of.get(code, code)


@dataclass(slots=True)
class UnitRow:
    """One unit of the matrix: its open matters by check, and the accounts they wait for."""

    code: str
    name: str
    group: str
    missing: dict[str, list[Missing]] = field(default_factory=lambda: defaultdict(list))
    waits_for: dict[int, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(len(found) for found in self.missing.values())


@dataclass(frozen=True, slots=True)
class Readiness:
    """The board of a period: units in order, and the latest run of each job that must have ended well."""

    rows: Sequence[UnitRow]
    runs: Mapping[str, RunLedger | None]

    @property
    def ready(self) -> int:
        return sum(1 for row in self.rows if not row.count)

    @property
    def people(self) -> dict[int, str]:
        """Everybody something waits for, by account."""
        return {account: name for row in self.rows for account, name in row.waits_for.items()}


def readiness(session: Session, bureau: Bureau, period: Period, *, on: date) -> Readiness:
    """Look through all checks of a period; a dozen statements whatever the size."""
    board = _board(session, bureau, period, on)
    rows = {
        subject.code: UnitRow(subject.code, subject.name, subject.group)
        for subject in sorted(board.subjects.values(), key=lambda it: it.order)
        if subject.kind == "unit"
    }
    for check in CHECKS.values():
        for it in check(board):
            name = board.sources.row_on(it.unit, period.last_day)
            row = rows.setdefault(it.unit, UnitRow(it.unit, it.unit if name is None else name.name, ""))
            row.missing[it.check].append(it)
    _say_whom(board, rows.values(), on=on)
    return Readiness(list(rows.values()), {job: _latest(session, bureau, job) for job in (jobs.NIGHTLY, jobs.VERIFY)})


def _board(session: Session, bureau: Bureau, period: Period, on: date) -> Board:
    sources = read_rules(session, bureau.id)
    read_targets(session, sources)
    posting = Posting.__table__.c
    rows = unscoped(session, WHY).execute(
        select(posting.person_id, posting.unit_id)
        .where(
            posting.bureau_id == bureau.id, posting.valid_from <= period.last_day,
            posting.valid_to.is_(None) | (posting.valid_to >= period.last_day),
        )
        .order_by(posting.valid_from.desc(), posting.unit_id.desc())
    )  # fmt: skip
    unit_of = {sources.code_of(person): sources.code_of(unit) for person, unit in rows}
    trees = {scheme.tree.code: scheme.tree for scheme in sources.schemes}
    return Board(session, bureau, period, on, sources, sources.assessed(period), unit_of, trees)


def _leaves(board: Board) -> Iterator[tuple[Assessed, Node]]:
    """The leaves of the period's own span that apply to each subject."""
    for subject in board.subjects.values():
        tree = board.trees[subject.scheme]
        for node in tree.nodes.values():
            is_due = node.is_leaf and node.span is board.period.span
            if is_due and all(applies(step.applies_to, subject) for step in tree.path(node.code)):
                yield subject, node


def missing_targets(board: Board) -> Iterator[Missing]:
    """Leaves measured against a target that has no row for exactly this period."""
    for it, node in _leaves(board):
        if not asks_target(node.method, node.params) or "target_of" in node.params:
            continue
        if (it.code, node.code, board.period) not in board.sources.targets:
            text = N_("%(name)s: no target for %(indicator)s", name=it.name, indicator=node.title)
            yield Missing("targets", board.unit(it.code), text, node.code)


def missing_results(board: Board) -> Iterator[Missing]:
    """External results that were there for the period before and are not for this one."""
    external = ExternalResult.__table__.c
    found: dict[str, set[tuple[int, str]]] = {}
    for period in (board.period.shifted(-1), board.period):
        query = select(external.subject_id, external.indicator_code).where(
            external.bureau_id == board.bureau.id, external.period == str(period)
        )
        rows = unscoped(board.session, WHY).execute(query)
        found[str(period)] = {(row.subject_id, row.indicator_code) for row in rows}
    before, now = found.values()
    for subject_id, indicator in sorted(before - now):
        code = board.sources.code_of(subject_id)
        if code in board.subjects:
            text = N_("%(name)s: no external result for %(indicator)s", name=board.subjects[code].name,
                      indicator=indicator or N_("the total"))  # fmt: skip
            yield Missing("externals", board.unit(code), text, indicator)


def named_errors(board: Board) -> Iterator[Missing]:
    """Subjects that the newest settlement could not settle, with the reason."""
    error = ScoreError.__table__.c
    query = select(error.subject_id, error.indicator_code, error.reason).where(
        error.bureau_id == board.bureau.id, error.period == str(board.period)
    )
    for subject_id, indicator, reason in unscoped(board.session, WHY).execute(query.order_by(error.id)):
        code = board.sources.code_of(subject_id)
        row = board.sources.row_on(code, board.period.last_day)
        text = N_("%(name)s: %(reason)s", name=code if row is None else row.name, reason=undump(reason))
        yield Missing("errors", board.unit(code), text, indicator)


def open_processes(board: Board) -> Iterator[Missing]:
    """Matters of the processes that were due by the end of the period, or have waited since: those of the workbench."""
    found = [
        open_matter for open_matter in open_matters(
            board.session, board.bureau.id, calendar=work_calendar(board.session, board.bureau.id), on=board.on,
            sources=OF_UNITS,
        )
        if open_matter.unit_id is not None and _day_of(open_matter) <= board.period.last_day
    ]  # fmt: skip
    readers = Readers(actors_of_bureau(board.session, board.bureau.id, on=board.on)) if found else None
    for matter in found:
        assert readers is not None
        assert matter.unit_id is not None
        accounts = tuple(actor.account_id for actor in readers.readers(matter) if actor.account_id is not None)
        text = N_("%(matter)s: %(why)s", matter=matter.text, why=matter.why)
        yield Missing("processes", board.unit(board.sources.code_of(matter.unit_id)), text, waits_for=accounts)


def _day_of(todo: Todo) -> date:
    if todo.due_on is not None:
        return todo.due_on
    return date.max if todo.since is None else local_time(todo.since).date()


CHECKS: Mapping[str, Callable[[Board], Iterable[Missing]]] = {
    "targets": missing_targets,
    "externals": missing_results,
    "errors": named_errors,
    "processes": open_processes,
}


def _latest(session: Session, bureau: Bureau, job: str) -> RunLedger | None:
    query = select(RunLedger).where(RunLedger.bureau_id == bureau.id, RunLedger.job == job)
    return session.scalar(query.order_by(RunLedger.id.desc()).limit(1))


def _say_whom(board: Board, rows: Iterable[UnitRow], *, on: date) -> None:
    """Whom each unit's matters wait for: whom the matter names, who assesses the line, else the office."""
    session, indicator = board.session, Indicator.__table__.c
    query = select(indicator.code, indicator.assessor_unit_id).where(
        indicator.bureau_id == board.bureau.id, indicator.assessor_unit_id.is_not(None)
    )
    assessors: dict[str, int] = dict(unscoped(session, WHY).execute(query).all())
    open_rows = [row for row in rows if row.count]
    lines = {assessors.get(it.indicator) for row in open_rows for found in row.missing.values() for it in found}
    office = notices.holders(session, board.bureau.id, "assessment_office", on=on) if open_rows else []
    accounts = {unit: notices.concerned(session, unit, on=on) for unit in lines if unit is not None}
    named = {pk for row in open_rows for found in row.missing.values() for it in found for pk in it.waits_for}
    names = _names(session, {*office, *named, *(it for found in accounts.values() for it in found)})
    for row in open_rows:
        for found in row.missing.values():
            for it in found:
                for account in it.waits_for or accounts.get(assessors.get(it.indicator, 0)) or office:
                    row.waits_for[account] = names[account]


def _names(session: Session, accounts: set[int]) -> dict[int, str]:
    """What the holders of accounts are called; names only, whoever asks."""
    account = Account.__table__.c
    query = select(account.id, account.last_name, account.first_name).where(account.id.in_(accounts))
    return {pk: f"{last}{first}" for pk, last, first in unscoped(session, WHY).execute(query.order_by(account.id))}


def urge(session: Session, bureau: Bureau, period: Period, *, unit: str | None, actor: Actor, now: datetime) -> int:
    """Tell everybody something waits for, of one unit or of all, once a day; answers how many people."""
    require(jobs_policy.may_run(actor))
    on = local_time(now).date()
    rows = [it for it in readiness(session, bureau, period, on=on).rows if it.count and unit in (None, it.code)]
    if not rows:
        raise RuleViolation(N_("Nothing is open here any more."))
    people: set[int] = set()
    for row in rows:
        found = [it for missing in row.missing.values() for it in missing]
        people |= row.waits_for.keys()
        notices.say(
            session, row.waits_for, category="closing", key=f"urge:{period}:{row.code}:{on}",
            text=N_("Before %(period)s is settled, %(count)s matters of %(unit)s are still open, the first: %(first)s",
                    period=period.spoken, count=len(found), unit=row.name, first=found[0].text),
            item=f"readiness:{period}", bureau_id=bureau.id, now=now,
        )  # fmt: skip
    trace.record(
        session, verb="urge", target=bureau, label=f"{period} {unit or ''}".strip(),
        after={"units": [row.code for row in rows], "people": len(people)}, actor=actor, now=now,
    )  # fmt: skip
    return len(people)
