"""What `flask scores PERIOD --format json` must print for a workbook (docs/scoring.md §8)."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.oracle.book import Node, Rows, read
from tests.oracle.grading import Grades, has_total, ranked_total
from tests.oracle.leaves import NamedError
from tests.oracle.nodes import Scores
from tests.oracle.numerals import fixed, shortest
from tests.oracle.people import Standing, root_of


def evaluate(rows: Rows, period: str, on: date) -> list[dict[str, Any]]:
    """The rows of the one bureau of the workbook, sorted as printed."""
    return printed(Scores(read(rows), on), period)


def named_errors(rows: Rows, period: str, on: date) -> set[str]:
    """The codes of the subjects for which `settle` names an error."""
    return {subject for subject, _ in errors(Scores(read(rows), on), period)}


def counted_lines(rows: Rows, subject: str, indicator: str, period: str) -> list[tuple[str, bool, str]]:
    """§3: no, counted, and points of each line of a leaf in its span period."""
    found = Scores(read(rows), date.max).lines(subject, indicator, period)
    return [(it.entry.no, it.counted, shortest(it.signed)) for it in found]


def errors(scores: Scores, period: str) -> set[tuple[str, str]]:
    """§4: subject, and indicator at whose leaf the target is missing or 0."""
    found = set()
    for one in scores.subjects_of(period):
        for node in nodes_of(scores, one):
            try:
                scores.exact(one, node)
            except NamedError as error:
                found.add((error.subject, error.indicator))
    return found


def printed(scores: Scores, period: str) -> list[dict[str, Any]]:
    """§8: sorted by group, rank of the subject's total, subject, indicator with the total first."""
    found = []
    for group in groups_of(scores, period):
        with_total = [it for it in group if has_total(scores, it)]
        grades = Grades(scores).of_group(with_total)
        for one in group:
            rank = rank_of(scores, one, with_total)
            common = {
                "period": period,
                "bureau": scores.book.bureau,
                "group": one.subject.group,
                "subject_kind": one.subject.kind,
                "subject": one.code,
                "name": one.subject.name,
            }
            totals = total_rows(scores, one, rank, len(with_total), grades.get(one.code))
            for row in [*totals, *node_rows(scores, one)]:
                key = (one.subject.group, rank is None, rank or 0, one.code, row["indicator"] or "")
                found.append((key, common | row))
    return [row for _, row in sorted(found, key=lambda it: it[0])]


def groups_of(scores: Scores, period: str) -> list[list[Standing]]:
    """The subjects of the period, group by group."""
    found: dict[tuple[str, str], list[Standing]] = {}
    for one in scores.subjects_of(period):
        found.setdefault((one.subject.kind, one.subject.group), []).append(one)
    return list(found.values())


def rank_of(scores: Scores, one: Standing, with_total: list[Standing]) -> int | None:
    """§2: competition ranking inside the group."""
    if one not in with_total:
        return None
    mine = ranked_total(scores, one)
    others = [ranked_total(scores, it) for it in with_total]
    return 1 + sum(1 for it in others if it is not None and mine is not None and it > mine)


def total_rows(scores: Scores, one: Standing, rank: int | None, size: int, grade: str | None) -> list[dict[str, Any]]:
    if rank is None:
        return []
    total, exact = scores.total(one), scores.exact_total(one)
    assert total is not None
    assert exact is not None
    return [
        {
            "indicator": None,
            "score": fixed(total, one.scheme.places),
            "exact": shortest(exact),
            "rank": rank,
            "group_size": size,
            "grade": grade,
        }
    ]


def node_rows(scores: Scores, one: Standing) -> list[dict[str, Any]]:
    """One row for every other node with a score, of weight 0 too."""
    found = []
    for node in nodes_of(scores, one):
        if not node.parent:
            continue
        try:
            score, exact = scores.score(one, node), scores.exact(one, node)
        except NamedError:
            continue
        if score is None or exact is None:
            continue
        found.append(
            {
                "indicator": node.code,
                "score": shortest(exact) if node.places is None else fixed(score, node.places),
                "exact": shortest(exact),
                "rank": None,
                "group_size": None,
                "grade": None,
            }
        )
    return found


def nodes_of(scores: Scores, one: Standing) -> list[Node]:
    """The tree of a subject, the root too."""
    assert root_of(scores.book, one.scheme)
    return [it for it in scores.book.nodes if it.scheme == one.scheme.code]
