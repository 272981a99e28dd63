"""The figures of the first page, counted in the actor's own scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import (
    Account,
    Bulletin,
    PeriodScore,
    Person,
    RoleGrant,
    ScoreEntry,
    Subject,
    SupervisedTask,
    TraceEntry,
    Unit,
)
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.periods import Period, Span
from app.rules.supervision import OPEN
from app.rules.workdays import WorkCalendar
from app.services.bureau.closing import closed_periods
from app.services.scoring import results
from app.services.scoring.results import Standing
from app.services.supervision.statistics import is_overdue

WHY = "each count states the rows of its actor"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its key; the page knows its words and the list behind it."""

    key: str
    count: int


def figures(session: Session, *, actor: Actor, calendar: WorkCalendar | None, on: date) -> list[Figure]:
    """At most five figures for the actor's roles; every one counts what its list shows."""
    found: list[Figure] = []

    def add(key: str, column: Any, *where: Any) -> None:
        found.append(Figure(key, session.scalar(select(func.count(column)).where(*where)) or 0))

    month = Period.month_of(on)
    if actor.is_member:
        add("entries_month", ScoreEntry.id, ScoreEntry.month == str(month))
        add("entries_last", ScoreEntry.id, ScoreEntry.month == str(month.shifted(-1)))
        add("bulletins", Bulletin.id, Bulletin.state == "published")
        add("tasks_open", SupervisedTask.id, SupervisedTask.state.in_(OPEN))
        if calendar is not None:
            add("tasks_overdue", SupervisedTask.id, is_overdue(calendar.latest(on)))
    if actor.has("system_admin"):
        add("units", Unit.id)
        add("people", Person.id)
    if actor.has("system_admin"):
        add("no_password", Account.id, Account.password == "")
    if actor.has("security_admin"):
        add("grants_waiting", RoleGrant.id, RoleGrant.approved_at.is_(None))
        add("accounts_locked", Account.id, Account.locked_until.is_not(None))
    if actor.has("audit_admin"):
        add("acts", TraceEntry.seq)
        add("acts_refused", TraceEntry.seq, TraceEntry.result == "refused")
    return found[:6]


@dataclass(frozen=True, slots=True)
class Card:
    """How a subject stood in its newest month: the standing, the months before, and who is next above."""

    period: Period
    is_published: bool
    standing: Standing
    trend: list[tuple[Period, Decimal]]
    next_above: tuple[str, Decimal] | None

    @property
    def gap(self) -> Decimal | None:
        """By how much the next above leads."""
        return None if self.next_above is None else self.next_above[1] - self.standing.score


def cards(session: Session, *, actor: Actor, on: date) -> list[Card]:
    """The newest month's results of the own units and of oneself, as far as they may be seen."""
    ended = [
        settled_period
        for settled_period in results.settled_periods(session, Span.MONTH)
        if settled_period.has_ended(on)
    ]
    if not ended:
        return []
    mine = [*sorted(actor.posted_units), *([actor.own_person] if actor.own_person is not None else [])]
    found = {standing.subject_id: standing for standing in results.standings(session, ended[0])}
    closed = closed_periods(session, actor.bureau_id) if actor.bureau_id is not None else frozenset()
    is_published = str(ended[0]) in closed
    return [
        Card(
            ended[0], is_published, found[subject], results.trend(session, subject, ended[0]),
            _next_above(session, ended[0], found[subject], is_open=is_published or actor.sees_bureau),
        )
        for subject in mine if subject in found
    ]  # fmt: skip


def _next_above(session: Session, period: Period, standing: Standing, *, is_open: bool) -> tuple[str, Decimal] | None:
    """The unit next above in the group: its total stands in the published bulletin, so it is nobody's secret."""
    if standing.kind != "unit" or standing.rank == 1 or not is_open:
        return None
    score, subject = PeriodScore.__table__.c, Subject.__table__
    query = (
        select(score.name, score.score)
        .join(subject, subject.c.id == score.subject_id)
        .where(
            score.period == str(period),
            score.group_name == standing.group,
            score.scheme_code == standing.scheme,
            score.indicator_code == "",
            score.rank < standing.rank,
            score.bureau_id == select(Subject.bureau_id).where(Subject.id == standing.subject_id).scalar_subquery(),
        )
        .order_by(score.rank.desc(), score.position, subject.c.code)
        .limit(1)
    )
    row = unscoped(session, WHY).execute(query).first()
    return None if row is None else (row.name, row.score)
