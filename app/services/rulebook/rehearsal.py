"""Rehearsing a draft scheme over closed months: whose score and rank would have been another, and by how much.

Old entries are read under the clauses that replace theirs. Nothing is stored but the comparison itself, which stays
with the version. Source: mission A5, docs/scoring.md section 7 (`replaces`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Bureau, Clause, Indicator, PeriodScore, Rehearsal, RunLedger, Scheme, Subject
from app.policies import scheme as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.grammar import split_list
from app.rules.numbers import plain
from app.rules.periods import Period, Span
from app.rules.scoring.evaluate import Report, Result
from app.rules.scoring.grading import grades_of
from app.services import trace
from app.services.bureau.closing import closed_periods
from app.services.jobs import runs
from app.services.rulebook import approval
from app.services.scoring.settlement import newest_entry
from app.services.scoring.source_data import ClauseInfo, DatedScheme, Sources
from app.services.scoring.sources import read_rules, read_sources, tree_of

WHY = "a rehearsal evaluates a whole bureau"
MOST_MONTHS = 12


def months_to_rehearse(session: Session, bureau_id: int) -> list[str]:
    """The closed months, newest first: those over which a draft may be run."""
    periods = (Period.parse(text) for text in closed_periods(session, bureau_id))
    return sorted((str(period) for period in periods if period is not None and period.span is Span.MONTH), reverse=True)


def ask_rehearsal(
    session: Session, scheme: Scheme, months: Sequence[str], *, actor: Actor, now: datetime
) -> tuple[Rehearsal, int]:
    """Ask for a draft to be run over closed months; answers the rehearsal and the number of its run."""
    require(policy.may_rehearse(actor, scheme))
    known = set(months_to_rehearse(session, scheme.bureau_id))
    wanted = sorted(set(months))
    if not wanted or not set(wanted) <= known or len(wanted) > MOST_MONTHS:
        raise RuleViolation(N_("Choose one to %(most)s closed months.", most=MOST_MONTHS), field_name="months")
    approval.check_whole(session, scheme)
    it = Rehearsal(
        bureau_id=scheme.bureau_id, scheme_id=scheme.id, periods=";".join(wanted), results="", asked_by=actor.name,
        asked_at=now,
    )  # fmt: skip
    session.add(it)
    session.flush()
    bureau = session.get_one(Bureau, scheme.bureau_id)
    number = runs.ask_again(
        session, bureau, job=runs.REHEARSAL, period=wanted[-1], now=now, requested_by=actor.name,
        scope=f"rehearsal:{it.id}",
    )  # fmt: skip
    trace.record(session, verb="rehearse", target=it, label=f"{scheme.code} {it.periods}", actor=actor, now=now)
    return it, number


def rehearsal_of(session: Session, run_id: int) -> Rehearsal:
    """The rehearsal a run is for."""
    run = session.get_one(RunLedger, run_id)
    return session.get_one(Rehearsal, int(run.scope.partition(":")[2]))


def rehearse(session: Session, rehearsal: Rehearsal, *, on: date, report: Report) -> str:
    """Run the draft over its months: per month everybody it would assess, as JSON. Reads only."""
    found = {}
    months = split_list(rehearsal.periods)
    for index, text in enumerate(months):
        period = Period.parse(text)
        assert period is not None
        sources = _with_draft(session, read_rules(session, rehearsal.bureau_id), rehearsal.scheme, period)
        read_sources(
            session, rehearsal.bureau_id, period, watermark=newest_entry(session, rehearsal.bureau_id), rules=sources
        )
        results = sources.evaluation(on=on).results(period, grades=grades_of)
        mine = [result for result in results if result.subject.scheme == rehearsal.scheme.code]
        found[text] = _compared(session, rehearsal, period, mine)
        report(index + 1, len(months))
    return json.dumps(found, ensure_ascii=False, sort_keys=True)


def _with_draft(session: Session, rules: Sources, draft: Scheme, period: Period) -> Sources:
    """The rules of the bureau as if the draft held in the period for its groups, and for those it leaves the old."""
    scheme, indicator = Scheme.__table__, Indicator.__table__
    rows = unscoped(session, WHY)
    head = rows.execute(select(scheme).where(scheme.c.id == draft.id)).mappings().one()
    nodes = rows.execute(
        select(indicator)
        .where(indicator.c.scheme_id == draft.id)
        .order_by(indicator.c.position, indicator.c.code)
    ).mappings()  # fmt: skip
    tree = tree_of(head, list(nodes))
    groups = frozenset(split_list(draft.groups))
    others = [
        replace(scheme, groups=scheme.groups - groups) if scheme.kind == draft.subject_kind else scheme
        for scheme in rules.schemes
    ]  # fmt: skip
    year = period.of_span(Span.YEAR)
    rules.schemes = [*others, DatedScheme(tree, draft.subject_kind, groups, year.first_day, year.last_day)]
    rules.clauses = _read_under_new(session, rules, tree.nodes.keys())
    return rules


def _read_under_new(session: Session, rules: Sources, lines: Any) -> dict[int, ClauseInfo]:
    """The clauses by id, those that a clause of the draft's lines replaces read as the new one."""
    clause = Clause.__table__.c
    query = select(clause.code, clause.replaces).where(
        clause.bureau_id == rules.bureau_id, clause.replaces != "", clause.indicator_code.in_(list(lines))
    )
    successor = {old: new for new, old in unscoped(session, WHY).execute(query)}
    by_code = {info.rule.code: info for info in rules.clauses.values()}
    found = {}
    for pk, info in rules.clauses.items():
        code = info.rule.code
        seen = {code}
        while code in successor and successor[code] not in seen:
            code = successor[code]
            seen.add(code)
        found[pk] = info if code == info.rule.code else replace(by_code[code], id=pk)
    return found


def _compared(
    session: Session, rehearsal: Rehearsal, period: Period, results: Sequence[Result]
) -> list[dict[str, Any]]:
    """Each subject's published total and rank beside those of the draft, and the items that moved; blank where none."""
    score, subject = PeriodScore.__table__.c, Subject.__table__.c
    query = (
        select(subject.code, score.indicator_code, score.score, score.places, score.rank)
        .join(Subject.__table__, subject.id == score.subject_id)
        .where(score.bureau_id == rehearsal.bureau_id, score.period == str(period))
    )
    stored = unscoped(session, WHY).execute(query).all()
    published = {row.code: (plain(row.score, row.places), row.rank) for row in stored if row.indicator_code == ""}
    items = {(row.code, row.indicator_code): row.score for row in stored if row.indicator_code != ""}
    first_level = _first_level(session, rehearsal)
    rows = []
    for result in sorted(results, key=lambda it: (it.subject.group, it.rank or 10**6, it.subject.order)):
        before, rank = published.get(result.subject.code, (None, None))
        has_score = result.total.score is not None and result.total.error is None
        rows.append(
            {
                "subject": result.subject.code, "name": result.subject.name, "group": result.subject.group,
                "before": before, "rank_before": rank,
                "after": plain(result.total.score or 0, rehearsal.scheme.places) if has_score else None,
                "rank_after": result.rank, "moved": _moved(result, items, first_level),
            }
        )  # fmt: skip
    return rows


def _first_level(session: Session, rehearsal: Rehearsal) -> list[tuple[str, str]]:
    """Code and title of the items directly below the root of the draft."""
    nodes = session.scalars(select(Indicator).where(Indicator.scheme_id == rehearsal.scheme_id)).all()
    roots = {node.code for node in nodes if not node.parent_code}
    return sorted((node.code, node.title) for node in nodes if node.parent_code in roots)


def _moved(
    result: Result, items: Mapping[tuple[str, str], Any], first_level: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The items of the first level whose score is another one by the draft: why the total moves."""
    found = []
    for code, title in first_level:
        node, old = result.nodes.get(code), items.get((result.subject.code, code))
        after = None if node is None or node.score is None else plain(node.score)
        before = None if old is None else plain(old)
        if before != after:
            found.append({"code": code, "title": title, "before": before, "after": after})
    return found


def keep_results(session: Session, rehearsal: Rehearsal, results: str, *, now: datetime) -> None:
    """Store what a rehearsal came to."""
    rehearsal.results, rehearsal.done_at = results, now
    session.flush()
