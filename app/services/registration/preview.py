"""What an entry would do before it is posted: the part of each party, and the scores before and after.

Only the subjects it touches are evaluated; everybody else's rank is the stored one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import PeriodScore, ScoreEntry
from app.policies.scoping import unscoped
from app.rules.periods import SPAN_MONTHS, Period, Span
from app.rules.scoring.apportionment import read_parties
from app.rules.scoring.cells import Cell
from app.rules.scoring.evaluate import NO_LEAF, Evaluation, NodeScore
from app.rules.scoring.lines import Line, tally_lines
from app.rules.scoring.ranking import competition_ranks
from app.services.ledger.apportioning import part_of, read_parties_of, share_out
from app.services.ledger.posting import place_in_months
from app.services.scoring.ledger_lines import read_lines
from app.services.scoring.source_data import Key, Sources, spans_of
from app.services.scoring.sources import read_rules, read_sources, watched_of

WHY = "what an entry would do is worked out for all it touches; what is shown is chosen after"
NOT_POSTED = -1


@dataclass(frozen=True, slots=True)
class Effect:
    """What the entry does to one party: its line, and leaf, total and rank before and after."""

    subject: str
    party: str
    line: Line | None
    leaf: str
    leaf_before: NodeScore
    leaf_after: NodeScore
    total_before: NodeScore
    total_after: NodeScore
    rank_before: int | None
    rank_after: int | None
    is_in_scheme: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """The month the entry would count in, its effect on each party (the subject first), and what to look at.

    `period` is what the effect is shown for: the month, or the longer span of the leaf.
    """

    month: str
    period: Period
    effects: Sequence[Effect]
    notes: Sequence[Message]


def preview_entry(session: Session, bureau_id: int, record: dict[str, Any], *, on: date, now: datetime) -> Preview:
    """Work out a sound record as if it were posted; reads only."""
    place_in_months(session, bureau_id, [record], now=now)
    rows = list(_rows(session, bureau_id, record))
    month = Period.parse(record["month"])
    assert month is not None
    rules = read_rules(session, bureau_id)
    info = rules.clauses[record["clause_id"]]
    spans = spans_of(rules).get(info.rule.indicator, {Span.MONTH})
    period = month.of_span(max(spans, key=lambda span: SPAN_MONTHS[span]))
    sources = read_sources(session, bureau_id, period, rules=rules)
    codes = [sources.code_of(row["subject_id"]) for row in rows]
    after, lines = _with(session, sources, period, rows, info.rule.indicator, codes)
    before = sources.evaluation(on=on)
    afterwards = after.evaluation(on=on)
    names = _party_names(session, bureau_id, record, codes, info.rule.indicator)
    effects = [
        _effect(session, sources, before, afterwards, period, code, names[code], lines.get(code), info.rule.indicator)
        for code in codes
    ]
    return Preview(record["month"], period, effects, list(_notes(record, month, effects)))


def _rows(session: Session, bureau_id: int, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The fact and its parts as they would be read from the ledger."""
    fact: dict[str, Any] = {
        **dict.fromkeys((column.name for column in ScoreEntry.__table__.columns), None),
        **record, "id": NOT_POSTED, "kind": "fact", "fact_subject_id": None,
        "share_percent": 100, "share_divisor": 1,
    }  # fmt: skip
    parts = share_out(session, bureau_id, [fact]).get(fact["no"], [])
    yield fact
    ids = read_parties_of(session, bureau_id).ids if parts else {}
    for index, part in enumerate(part for part in parts if part.subject in ids):
        derived = part_of(fact, part, ids[part.subject])
        yield {**derived, "id": NOT_POSTED - 1 - index, "fact_subject_id": fact["subject_id"]}


def _with(
    session: Session,
    sources: Sources,
    period: Period,
    rows: Sequence[Mapping[str, Any]],
    leaf: str,
    codes: Iterable[str],
) -> tuple[Sources, dict[str, Line]]:
    """The sources with the rows added, and the new line of each subject."""
    cells, watched = dict(sources.cells), dict(sources.watched)
    found: dict[str, Line] = {}
    infos = {info.rule.code: info for info in sources.clauses.values()}
    for code in codes:
        lines: Mapping[Key, tuple[Line, ...]] = read_lines(
            session, sources, list(period.month_keys), {leaf}, subject=code, also=rows
        )
        for key, counted in lines.items():
            cells[key[1:]] = cells.get(key[1:], Cell()).having(key[0], tally_lines(counted))
            watched[key] = tuple(
                watched_of(infos[it.clause.code], sources.months[it.entry.id], it)
                for it in counted
                if it.is_counted and it.entry.id in sources.months
            )
            new = [it for it in counted if it.entry.id <= NOT_POSTED]
            if new:
                found[code] = new[0]
    return replace(sources, cells=cells, watched=watched), found


def _effect(
    session: Session,
    sources: Sources,
    before: Evaluation,
    after: Evaluation,
    period: Period,
    code: str,
    party: str,
    line: Line | None,
    leaf: str,
) -> Effect:
    subject = before.subjects(period).get(code)
    if subject is None:
        nothing = NodeScore()
        return Effect(code, party, line, leaf, nothing, nothing, nothing, nothing, None, None, is_in_scheme=False)
    node = before.tree(subject).nodes.get(leaf)
    totals = before.total(period, code), after.total(period, code)
    is_exact = before.tree(subject).ranks_exact
    total = totals[1].exact if is_exact else totals[1].score
    ranks = _ranks(session, sources, period, code, total, is_exact=is_exact)
    return Effect(
        code, party, line, leaf, before.node(period, code, leaf), after.node(period, code, leaf), *totals, *ranks,
        is_in_scheme=node is not None and node.is_leaf,
    )  # fmt: skip


def _ranks(
    session: Session, sources: Sources, period: Period, code: str, total: Fraction | None, *, is_exact: bool
) -> tuple[int | None, int | None]:
    """The stored rank, and the rank among the stored totals of the group with the new total."""
    score = PeriodScore.__table__.c
    by = score.exact if is_exact else score.score
    mine = select(score.group_name, score.rank, score.scheme_code).where(
        score.bureau_id == sources.bureau_id, score.period == str(period), score.indicator_code == "",
        score.subject_id == sources.ids[code],
    )  # fmt: skip
    own = unscoped(session, WHY).execute(mine).first()
    if own is None or total is None:
        return None, None
    group = select(score.subject_id, by).where(
        score.bureau_id == sources.bureau_id, score.period == str(period), score.indicator_code == "",
        score.group_name == own.group_name, score.scheme_code == own.scheme_code,
    )  # fmt: skip
    totals = {sources.code_of(pk): Fraction(value) for pk, value in unscoped(session, WHY).execute(group)}
    return own.rank, competition_ranks({**totals, code: total})[code]


def _party_names(
    session: Session, bureau_id: int, record: Mapping[str, Any], codes: Sequence[str], line: str
) -> dict[str, str]:
    """By which name each subject has its part; the subject of the fact is `self`."""
    own, *others = codes
    if not others:
        return {own: "self"}
    parties = read_parties_of(session, bureau_id).of(
        own, line, record["occurred_on"], read_parties(record.get("parties") or "")
    )
    found = {code: name for name, named in parties.items() for code in named if code in others}
    return {own: "self", **{code: found.get(code, "assist") for code in others}}


def _notes(record: Mapping[str, Any], period: Period, effects: Sequence[Effect]) -> Iterator[Message]:
    """What whoever registers should see: another month, a cap, a duplicate, a line that is not in the scheme."""
    if period != Period.month_of(record["occurred_on"]):
        yield N_("Its own month is closed: the entry counts in %(period)s.", period=period.spoken)
    for effect in effects:
        if effect.line is not None and effect.line.reason is not None:
            yield N_("%(name)s: %(reason)s", name=effect.subject, reason=effect.line.reason)
    for effect in effects:
        if not effect.is_in_scheme:
            yield N_("%(name)s: %(reason)s", name=effect.subject, reason=NO_LEAF)
    error = effects[0].total_after.error
    if error is not None:
        yield N_("The subject is not settled: %(reason)s", reason=error.reason)
