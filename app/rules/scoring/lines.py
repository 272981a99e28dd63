"""From entries to counted lines: price, quantity, multipliers, duplicates and caps of clauses.

Every entry ends as counted or as not counted with a reason. Source: docs/scoring.md section 3.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from app.errors import N_, Message
from app.rules.grammar import ClauseCap, CountTerm, EveryN, Ladder, Multiplier, Term, Window
from app.rules.numbers import POINT_PLACES, VALUE_PLACES


class Effect(StrEnum):
    """The sign of a clause."""

    AWARD = "award"
    DEDUCTION = "deduction"
    MEASURE = "measure"


class Pricing(StrEnum):
    """How the amount of an entry is found."""

    FIXED = "fixed"
    RANGE = "range"
    GIVEN = "given"
    LADDER = "ladder"
    EVERY_N = "every_n"
    MEASURE = "measure"


class Duplicates(StrEnum):
    """What becomes of several entries of one work."""

    ACCUMULATE = "accumulate"
    HIGHEST_ONLY = "highest_only"
    ALWAYS_ADDED = "always_added"


def same_work(work_key: str) -> str:
    """The name of a work without what people write differently: case, width, spaces and punctuation (trust LE-10)."""
    return "".join(it for it in unicodedata.normalize("NFKC", work_key).casefold() if it.isalnum())


SIGN = {Effect.AWARD: 1, Effect.DEDUCTION: -1, Effect.MEASURE: 1}


@dataclass(frozen=True, slots=True)
class ClauseRule:
    """What the counting needs to know of a clause."""

    code: str
    indicator: str
    effect: Effect
    pricing: Pricing
    price: Decimal | None = None
    multipliers: tuple[Multiplier, ...] = ()
    duplicates: Duplicates = Duplicates.ACCUMULATE
    cap: ClauseCap = field(default_factory=ClauseCap)
    ladder: Ladder | None = None
    every_n: EveryN | None = None

    @property
    def counts_occurrences(self) -> bool:
        """Whether a price or factor depends on the other occurrences in a window."""
        return self.pricing in (Pricing.LADDER, Pricing.EVERY_N) or any(
            multiplier.counts for multiplier in self.multipliers
        )

    @property
    def is_plain_sum(self) -> bool:
        """Whether the database may add its entries up: no line depends on its neighbours or attributes."""
        return (
            not self.multipliers
            and not self.counts_occurrences
            and self.duplicates is not Duplicates.HIGHEST_ONLY
            and self.cap == ClauseCap()
        )


@dataclass(frozen=True, slots=True)
class EntryFact:
    """One live entry with the group and tags of its own subject on the day of the fact.

    `month` is the one it counts in; a fact of a closed month counts in a later one.
    """

    id: int
    no: str
    occurred_on: date
    clause: str
    quantity: Decimal = Decimal(1)
    points: Decimal | None = None
    value: Decimal | None = None
    work_key: str = ""
    attrs: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    tags: frozenset[str] = frozenset()
    share: Fraction = Fraction(1)
    fact: int | None = None
    month: str = ""

    @property
    def counted_as(self) -> int:
        """The id under which its occurrence is numbered: that of the fact it shares in."""
        return self.id if self.fact is None else self.fact


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Which occurrence of its clause an entry is in each window, and of its work; and all of the window.

    `of` holds the months in which the occurrences of the window count, in order.
    """

    number: Mapping[Window, int] = field(default_factory=dict)
    of: Mapping[Window, Sequence[str]] = field(default_factory=dict)
    of_work: Mapping[Window, int] = field(default_factory=dict)

    def all_of(self, window: Window, through: str) -> int:
        """How many occurrences the window holds, of those that count in a month up to `through` (blank: all)."""
        return bisect_right(self.of[window], through) if through else len(self.of[window])


def window_of(day: date, window: Window) -> tuple[int, int]:
    """The calendar window around a day: its year, and the number of the month or quarter in it (0: the year)."""
    if window is Window.MONTH:
        return day.year, day.month
    return (day.year, (day.month + 2) // 3) if window is Window.QUARTER else (day.year, 0)


def occurrences(facts: Iterable[EntryFact]) -> dict[int, Occurrence]:
    """Number the occurrences of one subject, clause by clause, in the order of day and number.

    A fact that counts in a later month than its own comes after all that count before it: what is published is
    never numbered anew by what came late. Source: docs/scoring.md section 3 (one entry is one occurrence, whatever
    its quantity); assumption A-06.
    """
    months: dict[tuple[object, ...], list[str]] = defaultdict(list)
    of_works: dict[tuple[object, ...], int] = defaultdict(int)
    found: dict[int, Occurrence] = {}
    for fact in sorted((fact for fact in facts if fact.fact is None), key=lambda it: (it.month, it.occurred_on, it.no)):
        number, of, of_work = {}, {}, {}
        for window in Window:
            key = (fact.clause, window, window_of(fact.occurred_on, window))
            months[key].append(fact.month)
            of_works[(*key, fact.work_key)] += 1
            # The list goes on growing: whoever asks later sees the whole window.
            number[window], of[window], of_work[window] = len(months[key]), months[key], of_works[(*key, fact.work_key)]
        found[fact.id] = Occurrence(number, of, of_work)
    return found


ONLY = Occurrence(dict.fromkeys(Window, 1), dict.fromkeys(Window, ("",)), dict.fromkeys(Window, 1))


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as counted: signed points to 0.001 and finer, or 0 and the reason why not."""

    entry: EntryFact
    clause: ClauseRule
    price: Fraction
    factor: Fraction
    amount: Fraction
    points: Fraction
    is_counted: bool = True
    reason: Message | None = None

    def dropped(self, reason: Message) -> Line:
        return replace(self, points=Fraction(0), is_counted=False, reason=reason)


def price_of(clause: ClauseRule, entry: EntryFact, at: Occurrence = ONLY) -> Fraction:
    """Price one occurrence. Source: docs/scoring.md section 3, step 1."""
    if clause.pricing is Pricing.LADDER and clause.ladder is not None:
        steps = clause.ladder.prices
        return Fraction(steps[min(at.number[clause.ladder.window], len(steps)) - 1])
    if clause.pricing is Pricing.EVERY_N and clause.every_n is not None:
        is_nth = at.of_work[clause.every_n.window] % clause.every_n.n == 0
        return Fraction(clause.price or 0) if is_nth else Fraction(0)
    given = {
        Pricing.FIXED: clause.price,
        Pricing.RANGE: entry.points,
        Pricing.GIVEN: entry.points,
        Pricing.MEASURE: entry.value,
    }[clause.pricing]
    return Fraction(0) if given is None else Fraction(given)


def factor_of(clause: ClauseRule, entry: EntryFact, at: Occurrence = ONLY, through: str = "") -> Fraction:
    """Multiply the factors of every multiplier whose condition holds. Source: section 3, step 3."""
    factor = Fraction(1)
    for multiplier in clause.multipliers:
        if all(_term_holds(term, entry, at, through) for term in multiplier.terms):
            factor *= Fraction(multiplier.factor)
    return factor


def _term_holds(term: Term | CountTerm, entry: EntryFact, at: Occurrence, through: str) -> bool:
    if isinstance(term, CountTerm):
        count = at.all_of(term.window, through) if term.is_all else at.number[term.window]
        return count >= term.number if term.sign == ">=" else count > term.number
    if term.name == "group":
        return entry.group == term.value
    if term.name == "tag":
        return term.value in entry.tags
    return entry.attrs.get(term.name) == term.value


def price_line(clause: ClauseRule, entry: EntryFact, at: Occurrence = ONLY, through: str = "") -> Line:
    """Carry one entry through steps 1 to 3: its amount; the same signed, times its share, as points."""
    price = price_of(clause, entry, at)
    factor = factor_of(clause, entry, at, through)
    amount = price * Fraction(entry.quantity) * factor
    return Line(entry, clause, price, factor, amount, SIGN[clause.effect] * amount * entry.share)


def count_lines(
    entries: Iterable[EntryFact], clauses: Mapping[str, ClauseRule], at: Mapping[int, Occurrence] | None = None,
    through: str = "",
) -> tuple[Line, ...]:  # fmt: skip
    """Count the entries of one subject, leaf and span period; one line per entry, by day and number.

    `at` numbers the occurrences in their windows, which may reach beyond the period; without it they are
    numbered among the entries given. `through` is the last month of the period: what counts later is not yet there.
    """
    ordered = sorted(entries, key=lambda entry: (entry.occurred_on, entry.no))
    numbered = occurrences(ordered) if at is None else at
    lines = [
        price_line(clauses[entry.clause], entry, numbered.get(entry.counted_as, ONLY), through) for entry in ordered
    ]
    return tuple(cut_at_caps(drop_duplicates(lines)))


def drop_duplicates(lines: list[Line]) -> list[Line]:
    """Keep the largest of the `highest_only` entries of one work and effect; ties: the earliest.

    Source: docs/scoring.md section 3, step 4.
    """
    rivals: dict[tuple[str, Effect], list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        if line.clause.duplicates is Duplicates.HIGHEST_ONLY and line.entry.work_key:
            rivals[line.entry.work_key, line.clause.effect].append(index)
    kept = list(lines)
    for indexes in rivals.values():
        best = max(indexes, key=lambda index: (lines[index].amount, -index))
        reason = N_("The same work counts once, at its highest: entry %(no)s.", no=lines[best].entry.no)
        for index in indexes:
            if index != best:
                kept[index] = lines[index].dropped(reason)
    return kept


def cut_at_caps(lines: list[Line]) -> list[Line]:
    """Fill the caps of each clause in order, per work first, then over the clause.

    The line that crosses is cut, later ones count 0; all of them stay counted and say why. A negative measure
    makes room again. Source: docs/scoring.md section 3, step 6.
    """
    by_work: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    by_clause: dict[str, Fraction] = defaultdict(Fraction)
    kept = []
    for line in lines:
        clause, work, cut = line.clause, line.entry.work_key, line
        if cut.is_counted and clause.cap.per_work is not None and work:
            cut = _fill(cut, Fraction(clause.cap.per_work) - by_work[clause.code, work], _WORK_CAP)
        if cut.is_counted and clause.cap.total is not None:
            cut = _fill(cut, Fraction(clause.cap.total) - by_clause[clause.code], _CLAUSE_CAP)
        counted = SIGN[clause.effect] * cut.points
        by_work[clause.code, work] += counted
        by_clause[clause.code] += counted
        kept.append(cut)
    return kept


_WORK_CAP = N_("The cap of the clause for one work is reached.")
_CLAUSE_CAP = N_("The cap of the clause is reached.")


def _fill(line: Line, room: Fraction, reason: Message) -> Line:
    sign = SIGN[line.clause.effect]
    return line if sign * line.points <= room else replace(line, points=sign * room, reason=reason)


@dataclass(frozen=True, slots=True)
class Ballots:
    """Some ballots of one voter group on one question with one grade: how many."""

    voter: str
    question: str
    grade: str
    number: Fraction


@dataclass(frozen=True, slots=True)
class Tally:
    """What a leaf takes from its lines: their signed sum, how many counted, marks and ballots in order."""

    total: Fraction = Fraction(0)
    count: int = 0
    marks: tuple[tuple[Fraction, Fraction], ...] = ()
    ballots: tuple[Ballots, ...] = ()

    @property
    def quantity(self) -> Fraction:
        """The quantities of the marks together."""
        return sum((quantity for _, quantity in self.marks), Fraction(0))

    def plus(self, other: Tally) -> Tally:
        if not self.count:
            return other
        return Tally(
            self.total + other.total, self.count + other.count, self.marks + other.marks, self.ballots + other.ballots
        )


def tally_lines(lines: Iterable[Line]) -> Tally:
    """Add up counted lines; a mark is (points, quantity)."""
    counted = [line for line in lines if line.is_counted]
    return Tally(
        sum((line.points for line in counted), Fraction(0)),
        len(counted),
        tuple((line.points, Fraction(line.entry.quantity)) for line in counted),
        tuple(ballots_of(line) for line in counted if "grade" in line.entry.attrs),
    )


def ballots_of(line: Line) -> Ballots:
    """A line of votes: the attributes say who voted on what and how, the value how many."""
    attrs = line.entry.attrs
    return Ballots(attrs.get("voter", ""), attrs.get("question", ""), attrs["grade"], line.points)


def plain_sum(clause: ClauseRule) -> tuple[int, Callable[[int, int, int], int]]:
    """How the signed Σ of a plain clause follows from stored sums: its unit, and the function that gives its numerator.

    Arguments of the function: number of entries, Σ points in thousandths, Σ value in ten thousandths; all of one
    quantity and share, which are left out.
    """
    sign = SIGN[clause.effect]
    if clause.pricing is Pricing.FIXED:
        price = Fraction(clause.price or 0)
        return price.denominator, lambda count, _points, _value: sign * price.numerator * count
    if clause.pricing is Pricing.MEASURE:
        return 10**VALUE_PLACES, lambda _count, _points, value: sign * value
    return 10**POINT_PLACES, lambda _count, points, _value: sign * points
