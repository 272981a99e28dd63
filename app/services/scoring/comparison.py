"""Own results of a period beside those the bureaus above have printed, in the actor's scope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Message
from app.models import ExternalResult, Indicator, PeriodScore, Subject, Unit
from app.policies.scoping import unscoped
from app.rules.bulletin import rank_move
from app.rules.periods import Period
from app.rules.scoring.externals import Printed, contradictions, deviation

WHY = "names of subjects whose results were read in scope"


@dataclass(frozen=True, slots=True)
class Beside:
    """One printed result with the own one beside it; `notes` say where the print contradicts itself."""

    subject: Subject
    indicator: str
    own_score: Decimal | None
    own_rank: int | None
    score: Decimal | None
    rank: int | None
    deviation: Fraction | None
    rank_difference: int | None
    notes: Sequence[Message]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """The printed results for one indicator (blank: the total) from one issuer, by printed rank, then unit."""

    indicator: str
    title: str
    issuer: str
    rows: Sequence[Beside]


def printed_periods(session: Session) -> list[Period]:
    """The periods with printed results that the actor sees, newest first."""
    found = (Period.parse(text) for text in session.scalars(select(ExternalResult.period).distinct()))
    return sorted((it for it in found if it is not None), reverse=True)


def _contradictions(session: Session, period: Period, bureaus: set[int]) -> dict[tuple[str, str, str], list[Message]]:
    """Held against the whole printed tables, also the rows the actor does not see: only the own note is shown."""
    external, subject = ExternalResult.__table__.c, Subject.__table__.c
    rows = unscoped(session, WHY).execute(
        select(subject.code, external.indicator_code, external.issuer, external.score, external.rank)
        .join(Subject.__table__, subject.id == external.subject_id)
        .where(external.bureau_id.in_(bureaus), external.period == str(period))
    )
    return contradictions([Printed(*row) for row in rows])


def printed_beside_own(session: Session, period: Period, *, subject_id: int | None = None) -> list[PrintedTable]:
    """The printed results of a period as tables, totals first; of one subject or of all the actor sees."""
    query = select(ExternalResult).where(ExternalResult.period == str(period)).order_by(ExternalResult.id)
    printed = list(session.scalars(query))
    flaws = _contradictions(session, period, {it.bureau_id for it in printed})
    if subject_id is not None:
        printed = [it for it in printed if it.subject_id == subject_id]
    scores = select(PeriodScore).where(
        PeriodScore.period == str(period), PeriodScore.subject_id.in_({it.subject_id for it in printed})
    )
    own = {(it.subject_id, it.indicator_code): it for it in session.scalars(scores)}
    listed = select(Unit.subject_id, Unit.position).where(Unit.subject_id.in_({it.subject_id for it in printed}))
    positions = dict(session.execute(listed.order_by(Unit.valid_from, Unit.id)).all())

    def as_listed(row: Beside) -> tuple[bool, int, float, str]:
        """By printed rank; of one rank in the order of the units, as everywhere (scoring.md §9.9)."""
        return row.rank is None, row.rank or 0, positions.get(row.subject.id, math.inf), row.subject.code

    titles = dict(session.execute(select(Indicator.code, Indicator.title)).all())
    tables: dict[tuple[str, str], list[Beside]] = {}
    for row in printed:
        mine = own.get((row.subject_id, row.indicator_code))
        own_score, own_rank = (None, None) if mine is None else (mine.score, mine.rank)
        moved = None if row.rank is None or own_rank is None else rank_move(row.rank, own_rank)
        tables.setdefault((row.indicator_code, row.issuer), []).append(
            Beside(
                row.subject, row.indicator_code, own_score, own_rank, row.score, row.rank,
                deviation(own_score, row.score), moved,
                flaws.get((row.subject.code, row.indicator_code, row.issuer), ()),
            )
        )  # fmt: skip
    return [
        PrintedTable(
            code, titles.get(code, code), issuer,
            sorted(rows, key=as_listed),
        )
        for (code, issuer), rows in sorted(tables.items())
    ]  # fmt: skip
