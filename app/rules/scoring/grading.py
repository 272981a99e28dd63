"""Gathering from an evaluation what the grade rules look at, and asking them.

Source: docs/scoring.md section 5, Grades.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

from app.errors import N_
from app.rules.periods import Period, Span
from app.rules.reminders import ReminderEvent
from app.rules.scoring.evaluate import Evaluation, NodeScore
from app.rules.scoring.grades import GradeFacts, quarter_grade, year_grades
from app.rules.scoring.scheme import Assessed


def grades_of(evaluation: Evaluation, period: Period) -> Mapping[str, str | None]:
    """The grade that the rules suggest for each subject with a total, in a quarter or a year."""
    if period.span is Span.MONTH or not evaluation.grade_rules:
        return {}
    quarters = period.parts(Span.QUARTER, on=evaluation.on) if period.span is Span.YEAR else ()
    of_quarters = [grades_of(evaluation, quarter) for quarter in quarters]
    by_scheme: dict[str, list[GradeFacts]] = defaultdict(list)
    for code, it in evaluation.subjects(period).items():
        total = evaluation.total(period, code)
        if it.scheme in evaluation.grade_rules and total.score is not None and total.error is None:
            earlier = [grade for found in of_quarters if (grade := found.get(code)) is not None]
            by_scheme[it.scheme].append(_facts(evaluation, period, it, total, earlier))
    found: dict[str, str | None] = {}
    for scheme, members in by_scheme.items():
        rules = evaluation.grade_rules[scheme]
        if period.span is Span.YEAR:
            found |= year_grades(rules, members)
        else:
            found |= {member.code: quarter_grade(rules, member) for member in members}
    return found


def _facts(
    evaluation: Evaluation, period: Period, subject: Assessed, total: NodeScore, quarters: list[str]
) -> GradeFacts:
    """What the rules look at of one subject."""
    tree = evaluation.tree(subject)
    counts: dict[str, int] = defaultdict(int)
    quantities: dict[str, Fraction] = defaultdict(Fraction)
    watched = evaluation.watched_of(period, subject.code)
    for entry in watched:
        counts[entry.clause] += 1
        quantities[entry.clause] += entry.quantity
    scores = {code: evaluation.node(period, subject.code, code).score for code in tree.nodes}
    assert total.score is not None
    ranked = total.exact if tree.ranks_exact and total.exact is not None else total.score
    return GradeFacts(
        subject.code, subject.group, total.score, ranked, subject.order,
        {code: score for code, score in scores.items() if score is not None}, counts, quantities, quarters,
        subject.tags,
        [entry.veto_grade for entry in watched if entry.veto_grade],
    )  # fmt: skip


REMINDERS: Mapping[str, ReminderEvent] = {
    "grades.notice": ReminderEvent(
        "grades", N_("A notice of result is not signed for"), "3;5;leader:7", counts_from_due=False
    ),
}  # fmt: skip
