"""Who was where on a day, and who is a subject of a period (docs/scoring.md §1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tests.oracle.book import Book, Node, Scheme, Subject
from tests.oracle.periods import last_day


@dataclass(frozen=True)
class Standing:
    """A subject of a period, with the row and the scheme of the period's last day."""

    subject: Subject
    scheme: Scheme
    period: str

    @property
    def code(self) -> str:
        return self.subject.code


def row_on(book: Book, code: str, on: date) -> Subject | None:
    """§1: the row of a unit or person in force on a day."""
    return next((it for it in book.subjects if it.code == code and it.term.holds(on)), None)


def scheme_on(book: Book, kind: str, group: str, on: date) -> Scheme | None:
    """§1: at most one scheme of a kind holds for a group on a day."""
    return next((it for it in book.schemes if it.kind == kind and group in it.groups and it.term.holds(on)), None)


def standing(book: Book, code: str, period: str) -> Standing | None:
    """§1: subjects of a period."""
    subject = row_on(book, code, last_day(period))
    if subject is None or not subject.group:
        return None
    scheme = scheme_on(book, subject.kind, subject.group, last_day(period))
    return None if scheme is None else Standing(subject, scheme, period)


def subjects_of(book: Book, period: str) -> list[Standing]:
    codes = dict.fromkeys(it.code for it in book.subjects)
    found = (standing(book, code, period) for code in codes)
    return [it for it in found if it is not None]


def unit_of(book: Book, staff_no: str, on: date) -> str | None:
    """§3 step 5: of several postings the earliest `from`, then the unit code."""
    held = [it for it in book.postings if it.staff_no == staff_no and it.term.holds(on)]
    return min(held, key=lambda it: (it.term.first, it.unit)).unit if held else None


def node_of(book: Book, scheme: Scheme, code: str) -> Node | None:
    return next((it for it in book.nodes if it.scheme == scheme.code and it.code == code), None)


def root_of(book: Book, scheme: Scheme) -> Node:
    return next(it for it in book.nodes if it.scheme == scheme.code and not it.parent)


def children_of(book: Book, node: Node) -> list[Node]:
    return [it for it in book.nodes if it.scheme == node.scheme and it.parent == node.code]


def parent_of(book: Book, node: Node) -> Node | None:
    return next((it for it in book.nodes if it.scheme == node.scheme and it.code == node.parent), None)


def lines_of_work(book: Book, code: str) -> set[str]:
    """§3 step 5: a code and the codes above it in any scheme."""
    found = {code}
    for node in book.nodes:
        if node.code != code:
            continue
        above = parent_of(book, node)
        while above is not None:
            found.add(above.code)
            above = parent_of(book, above)
    return found
