"""What is allowed in a workbook and seldom meant: hints beside its problems. Source: docs/scoring.md section 9.10."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from app.errors import N_
from app.rules.numbers import plain
from app.rules.scoring.lines import same_work
from app.services.workbook.book import Book, Check
from app.services.workbook.rows import Row

WHOLE = Decimal(100)
# Methods of which a subject without an entry has no score, docs/scoring.md section 4, column "no entry".
WITHOUT_SCORE = frozenset({"given", "bands", "best_share", "place", "votes", "linked"})


def give_hints(check: Check, book: Book) -> None:
    """Weights that do not add up, shortages that nobody need report, and works whose names nearly agree."""
    _weights(check)
    _shortages(check)
    _works(check, book)


def weights_short(weights: list[Decimal | None]) -> Decimal | None:
    """The sum of the weights below a weighted branch (None is none), where it is not 100."""
    total = sum((weight or Decimal(0) for weight in weights), Decimal(0))
    return None if total == WHOLE else total


def _weights(check: Check) -> None:
    below: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in check.rows["indicators"]:
        below[row.get("scheme"), row.get("parent")].append(row)
    for row in check.rows["indicators"]:
        children = below.get((row.get("scheme"), row.get("code")), [])
        if row.get("method") == "weighted" and children:
            total = weights_short([child.get("weight") for child in children])
            if total is not None:
                check.hint(
                    row, "method", N_("The weights of what lies below add up to %(sum)s, not to 100.", sum=plain(total))
                )


def _shortages(check: Check) -> None:
    nodes = {(row.get("scheme"), row.get("code")): row for row in check.rows["indicators"]}
    for row in check.rows["indicators"]:
        source = nodes.get((row.get("scheme"), check.params.get(id(row), {}).get("value_of", "")))
        if row.get("method") in ("gap", "ratio") and source is not None and source.get("method") in WITHOUT_SCORE:
            check.hint(
                row, "params",
                N_("Who reports nothing under %(code)s has no value there and escapes.", code=source.get("code")),
            )  # fmt: skip


def _works(check: Check, book: Book) -> None:
    """Of each line, works that differ from an earlier one only in case, width, blanks and punctuation."""
    spelled: dict[tuple[str, str, str], str] = {}
    for row in check.rows["entries"]:
        work, clauses = row.get("work_key"), book.clauses.get(row.get("clause"), [])
        if work and clauses:
            first = spelled.setdefault((clauses[0].get("indicator"), row.get("subject"), same_work(work)), work)
            if first != work:
                check.hint(row, "work_key", N_("Nearly the same work stands as “%(name)s”.", name=first[:80]))
