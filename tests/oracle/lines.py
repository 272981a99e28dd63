"""From entries to counted lines, step by step (docs/scoring.md §3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tests.oracle.book import Book, Entry, comparison, pairs, parts
from tests.oracle.numerals import number, steady
from tests.oracle.people import lines_of_work, row_on, unit_of
from tests.oracle.periods import contains, of_day


@dataclass(frozen=True)
class Line:
    """An entry as one subject has it: its amount, its share, and the points that count after step 6."""

    entry: Entry
    own: bool
    amount: Fraction
    share: Fraction
    points: Fraction
    counted: bool

    @property
    def signed(self) -> Fraction:
        return -self.points if self.entry.clause.effect == "deduction" else self.points


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """§3: order everywhere."""
    return sorted(entries, key=lambda it: (it.day, it.no))


def occurrences(book: Book, entry: Entry, window: str) -> list[Entry]:
    """§3: the subject's own entries of this clause in the window."""
    around = of_day(entry.day, window)
    return in_order(
        [
            it
            for it in book.entries
            if it.subject == entry.subject and it.clause.code == entry.clause.code and contains(around, it.day)
        ]
    )


def price(book: Book, entry: Entry) -> Fraction:
    """Step 1."""
    clause = entry.clause
    if clause.pricing == "measure":
        return _given(entry.value)
    if clause.pricing in ("range", "given"):
        return _given(entry.points)
    if clause.pricing == "ladder":
        rungs, _, window = clause.ladder.partition("/")
        prices = [number(it) for it in parts(rungs)]
        return prices[min(_position(occurrences(book, entry, window.strip()), entry), len(prices)) - 1]
    if clause.pricing == "every_n":
        size, _, window = clause.every_n.partition("/")
        alike = [it for it in occurrences(book, entry, window.strip()) if it.work_key == entry.work_key]
        return Fraction(0) if _position(alike, entry) % int(size) else _given(clause.price)
    return _given(clause.price)


def _given(value: Fraction | None) -> Fraction:
    assert value is not None
    return value


def _position(entries: Sequence[Entry], entry: Entry) -> int:
    return [it.no for it in entries].index(entry.no) + 1


def factor(book: Book, entry: Entry) -> Fraction:
    """Step 3: every multiplier whose condition holds multiplies."""
    result = Fraction(1)
    for item in parts(entry.clause.multipliers):
        condition, _, by = item.rpartition(":")
        if all(_term_holds(book, entry, it) for it in parts(condition, "&")):
            result *= number(by)
    return result


def _term_holds(book: Book, entry: Entry, term: str) -> bool:
    left, op, right = comparison(term)
    if left in ("count_all", "count_past"):
        least, _, window = right.partition("/")
        found = occurrences(book, entry, window.strip())
        count = len(found) if left == "count_all" else _position(found, entry)
        return count >= int(least) if op == ">=" else count > int(least)
    subject = row_on(book, entry.subject, entry.day)
    if left == "group":
        return subject is not None and subject.group == right
    if left == "tag":
        return subject is not None and right in subject.tags
    return entry.attrs.get(left) == right


def amount(book: Book, entry: Entry) -> Fraction:
    """Steps 1 to 3, once for the fact."""
    return price(book, entry) * entry.quantity * factor(book, entry)


def leaders(book: Book, entry: Entry) -> list[str]:
    """Step 5, `leader`: unit and line; if none, the line only; if none, the unit only.

    The text leaves open whether a leader of the line alone leads a person without a unit; here nobody does.
    """
    unit = _led_unit(book, entry)
    if unit is None:
        return []
    line = lines_of_work(book, entry.clause.indicator)
    held = [it for it in book.oversight if it.term.holds(entry.day)]
    for found in (
        [it for it in held if it.unit == unit and it.line in line],
        [it for it in held if not it.unit and it.line in line],
        [it for it in held if it.unit == unit and not it.line],
    ):
        if found:
            return list(dict.fromkeys(it.staff_no for it in found))
    return []


def _led_unit(book: Book, entry: Entry) -> str | None:
    subject = row_on(book, entry.subject, entry.day)
    if subject is not None and subject.kind == "person":
        return unit_of(book, entry.subject, entry.day)
    return entry.subject


def parties(book: Book, entry: Entry, name: str) -> list[str]:
    """Step 5: who stands under a name; what the entry names wins over what would be found."""
    if name in entry.parties:
        return list(dict.fromkeys(parts(entry.parties[name], "|")))
    if name == "unit":
        subject = row_on(book, entry.subject, entry.day)
        found = unit_of(book, entry.subject, entry.day) if subject and subject.kind == "person" else None
        return [found] if found else []
    return leaders(book, entry) if name == "leader" else []


def shares(book: Book, entry: Entry) -> dict[str, Fraction]:
    """Step 5: the percent of every subject of the fact; one named twice has the larger."""
    stated = pairs(entry.clause.shares)
    result = {entry.subject: number(stated.pop("self", "100"))}
    for name, value in stated.items():
        percent, _, divided = value.partition("/")
        found = parties(book, entry, name)
        for code in found:
            share = number(percent) / (len(found) if divided else 1)
            result[code] = max(result.get(code, Fraction(0)), share)
    return result


def lines(book: Book, subject: str, code: str, period: str) -> list[Line]:
    """Steps 4 to 6 for one subject, leaf and span period."""
    entries = in_order([it for it in book.entries if it.clause.indicator == code and contains(period, it.day)])
    posted = []
    for entry in entries:
        percent = shares(book, entry).get(subject)
        if percent is not None:
            whole = amount(book, entry)
            posted.append(Line(entry, entry.subject == subject, whole, percent, whole * percent / 100, counted=True))
    return capped(only_the_highest(posted))


def only_the_highest(posted: list[Line]) -> list[Line]:
    """Step 4: of the `highest_only` ones of a work only the largest counts, of equals the earliest."""
    kept = []
    for line in posted:
        rivals = [it for it in posted if _work(it) == _work(line) and it.entry.clause.duplicates == "highest_only"]
        beaten = (
            line.entry.work_key
            and line.entry.clause.duplicates == "highest_only"
            and max(rivals, key=lambda it: steady(it.amount)) is not line
        )
        kept.append(replace(line, points=Fraction(0), counted=False) if beaten else line)
    return kept


def _work(line: Line) -> tuple[str, str]:
    return line.entry.work_key, line.entry.clause.effect


def capped(posted: list[Line]) -> list[Line]:
    """Step 6: lines are filled in order, the cap of a work first."""
    kept = list(posted)
    for limit_of_work in (True, False):
        used: dict[tuple[str, str], Fraction] = {}
        for index, line in enumerate(kept):
            limit = _cap(line.entry.clause.cap, limit_of_work)
            key = (line.entry.clause.code, line.entry.work_key if limit_of_work else "")
            if limit is None or not line.counted or (limit_of_work and not line.entry.work_key):
                continue
            left = limit - used.get(key, Fraction(0))
            kept[index] = replace(line, points=min(line.points, left))
            used[key] = used.get(key, Fraction(0)) + kept[index].points
    return kept


def _cap(cell: str, of_work: bool) -> Fraction | None:
    for part in parts(cell):
        value, _, scope = part.partition("/")
        if bool(scope) == of_work:
            return number(value)
    return None


def total(counted: Sequence[Line]) -> Fraction:
    """§3: awards − deductions + measures of the counted lines."""
    return sum((it.signed for it in counted if it.counted), Fraction(0))
