"""The closed grammar of what is typed into a scheme: lists, pairs, numbers and conditions, never code.

Source: docs/scoring.md sections 3 to 5 and 7.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from app.errors import N_, RuleViolation
from app.rules.numbers import LARGEST, comparable, read_decimal

LONGEST_TEXT = 2000
MOST_TERMS = 100
CODE_FORBIDDEN = re.compile(r"[;|:=<>!&()\[\]{}（）【】]")
RESERVED_CODES = frozenset({"value", "total", "else"})
_COMPARISON = re.compile(r"([^<>=]+)(>=|<=|>|<|=)(.+)")

OPERATORS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


# Signs of the grammar as a Chinese keyboard types them. An enumeration comma parts a list.
_SIGNS = str.maketrans({0xFF00 + ord(sign) - 0x20: sign for sign in ";|=:&<>/!()%"})


def narrow_signs(text: str, *, comma: str = "") -> str:
    """A text of the grammar with its signs written narrow; `comma` is what an enumeration comma stands for."""
    narrow = text.translate(_SIGNS)
    return narrow.replace("\u3001", comma) if comma else narrow


def split_list(text: str, separator: str = ";") -> tuple[str, ...]:
    """Split a list; blanks around separators are ignored, empty parts dropped."""
    if len(text) > LONGEST_TEXT:
        raise RuleViolation(N_("The text is longer than %(limit)s characters.", limit=LONGEST_TEXT))
    parts = tuple(part.strip() for part in text.split(separator))
    found = tuple(part for part in parts if part)
    if len(found) > MOST_TERMS:
        raise RuleViolation(N_("The list has more than %(limit)s parts.", limit=MOST_TERMS))
    return found


def read_pairs(text: str) -> dict[str, str]:
    """Read `name=value;…`; a name may stand once."""
    pairs: dict[str, str] = {}
    for part in split_list(text):
        name, sign, value = part.partition("=")
        name = name.strip()
        if not sign or not name:
            raise RuleViolation(N_("“%(part)s” is not written as name=value.", part=part))
        if name in pairs:
            raise RuleViolation(N_("“%(name)s” stands twice.", name=name))
        pairs[name] = value.strip()
    return pairs


def read_number(text: str, *, negative: bool = False) -> Decimal:
    """Read one number of a parameter; non-negative unless `negative`."""
    number = read_decimal(text.strip())
    if number is None or abs(number) > LARGEST:
        raise RuleViolation(N_("“%(text)s” is not a number.", text=text))
    if number < 0 and not negative:
        raise RuleViolation(N_("“%(text)s” must not be negative.", text=text))
    return number


@dataclass(frozen=True, slots=True)
class Comparison:
    """`NAME>=80`: a name, an operator and a number."""

    name: str
    sign: str
    number: Decimal

    def holds(self, value: Fraction) -> bool:
        return OPERATORS[self.sign](comparable(value), Fraction(self.number))


def read_comparison(text: str) -> Comparison:
    match = _COMPARISON.fullmatch(text.strip())
    if not match:
        raise RuleViolation(N_("“%(text)s” is not a condition such as CODE>=80.", text=text))
    return Comparison(match[1].strip(), match[2], read_number(match[3], negative=True))


@dataclass(frozen=True, slots=True)
class BandRow:
    """A row of bands: its condition (None: else) and its score."""

    condition: Comparison | None
    score: Decimal


def read_rows(text: str) -> tuple[BandRow, ...]:
    """Read `value>=90:20|LOW<33.3:16|else:0`. Source: docs/scoring.md section 4, bands."""
    found = []
    for part in split_list(text, "|"):
        condition, colon, score = part.rpartition(":")
        if not colon or not condition.strip():
            raise RuleViolation(N_("“%(part)s” is not a row such as value>=90:20.", part=part))
        is_else = condition.strip() == "else"
        found.append(BandRow(None if is_else else read_comparison(condition), read_number(score, negative=True)))
    if not found:
        raise RuleViolation(N_("The list of rows is empty."))
    return tuple(found)


def read_weights(text: str, *, negative: bool = False) -> dict[str, Decimal]:
    """Read `leader:20|staff:80`, names with numbers in the order written; a name may stand once."""
    found: dict[str, Decimal] = {}
    for part in split_list(text, "|"):
        name, colon, number = part.rpartition(":")
        if not colon or not name.strip():
            raise RuleViolation(N_("“%(part)s” is not written as name:number.", part=part))
        if name.strip() in found:
            raise RuleViolation(N_("“%(name)s” stands twice.", name=name.strip()))
        found[name.strip()] = read_number(number, negative=negative)
    if not found:
        raise RuleViolation(N_("The list of names is empty."))
    return found


@dataclass(frozen=True, slots=True)
class Term:
    """One `name=value` of a condition, possibly negated."""

    name: str
    value: str
    negated: bool = False


class Window(StrEnum):
    """The calendar window around a day in which occurrences are counted."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class CountTerm:
    """`count_all>=8/year`: how many occurrences the window holds; `count_past`: the how-manieth this one is."""

    is_all: bool
    sign: str
    number: Decimal
    window: Window


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A factor and the terms that must all hold for it."""

    terms: tuple[Term | CountTerm, ...]
    factor: Decimal

    @property
    def counts(self) -> tuple[CountTerm, ...]:
        return tuple(term for term in self.terms if isinstance(term, CountTerm))


def read_multipliers(text: str) -> tuple[Multiplier, ...]:
    """Read `condition:factor;…`. Source: docs/scoring.md section 3, step 3."""
    found = []
    for part in split_list(text):
        condition, colon, factor = part.rpartition(":")
        if not colon or not condition.strip():
            raise RuleViolation(N_("“%(part)s” is not written as condition:factor.", part=part))
        terms = tuple(_read_term(term) for term in split_list(condition, "&"))
        found.append(Multiplier(terms, read_number(factor)))
    return tuple(found)


_COUNTING = re.compile(r"(count_all|count_past)\s*(>=|>)\s*(\S+?)\s*/\s*(\w+)")


def read_window(text: str) -> Window:
    """Read the word of a window."""
    try:
        return Window(text.strip())
    except ValueError:
        raise RuleViolation(N_("“%(text)s” is no window: month, quarter or year.", text=text)) from None


def _read_term(text: str) -> Term | CountTerm:
    if text.startswith(("count_all", "count_past")):
        match = _COUNTING.fullmatch(text.strip())
        if not match:
            raise RuleViolation(N_("“%(text)s” is not a condition such as count_all>=8/year.", text=text))
        return CountTerm(match[1] == "count_all", match[2], read_number(match[3]), read_window(match[4]))
    name, sign, value = text.partition("=")
    if not sign or not name.strip() or not value.strip() or re.search("[<>!]", name):
        raise RuleViolation(N_("“%(text)s” is not a condition such as group=NAME.", text=text))
    return Term(name.strip(), value.strip())


APPLIES_NAMES = frozenset({"group", "tag", "subject", "category"})


def read_applies_to(text: str) -> tuple[Term, ...]:
    """Read `group=…;!tag=…`. Source: docs/scoring.md section 5, Not applicable."""
    terms = []
    for part in split_list(text):
        negated = part.startswith("!")
        name, sign, value = part.removeprefix("!").partition("=")
        if name.strip() not in APPLIES_NAMES or not sign or not value.strip():
            raise RuleViolation(N_("“%(part)s” is not one of group=, tag=, subject=, category=.", part=part))
        terms.append(Term(name.strip(), value.strip(), negated))
    return tuple(terms)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Prices of the 1st, 2nd, 3rd … occurrence in a window; the last repeats."""

    prices: tuple[Decimal, ...]
    window: Window


def read_ladder(text: str) -> Ladder:
    """Read `1;5;15;60/month`. Source: docs/scoring.md section 3, step 1."""
    prices, slash, window = text.rpartition("/")
    if not slash:
        raise RuleViolation(N_("“%(text)s” is not a ladder such as 1;5;15/month.", text=text))
    found = tuple(read_number(part) for part in split_list(prices))
    if not found:
        raise RuleViolation(N_("“%(text)s” is not a ladder such as 1;5;15/month.", text=text))
    return Ladder(found, read_window(window))


@dataclass(frozen=True, slots=True)
class EveryN:
    """The price at each n-th occurrence of one work in a window."""

    n: int
    window: Window


def read_every_n(text: str) -> EveryN:
    """Read `2/year`. Source: docs/scoring.md section 3, step 1."""
    number, slash, window = text.partition("/")
    if not slash or not re.fullmatch(r"[1-9]\d{0,5}", number.strip(), re.ASCII):
        raise RuleViolation(N_("“%(text)s” is not written as 2/year.", text=text))
    return EveryN(int(number), read_window(window))


@dataclass(frozen=True, slots=True)
class ClauseCap:
    """Upper limit of a clause's counted points: over all lines, and over one work."""

    total: Decimal | None = None
    per_work: Decimal | None = None


def read_clause_cap(text: str) -> ClauseCap:
    """Read `2`, `1/work` or `2;1/work`. Source: docs/scoring.md section 3, step 6."""
    total: Decimal | None = None
    per_work: Decimal | None = None
    for part in split_list(text):
        number, slash, word = (piece.strip() for piece in part.partition("/"))
        if slash and word != "work":
            raise RuleViolation(N_("“%(part)s” is not a cap such as 2 or 1/work.", part=part))
        if slash and per_work is None:
            per_work = read_number(number)
        elif not slash and total is None:
            total = read_number(number)
        else:
            raise RuleViolation(N_("“%(part)s” stands twice.", part=part))
    return ClauseCap(total, per_work)


def read_limit(text: str) -> Decimal | None:
    """Read a node's `cap` or `floor`: a number, or `none` for open."""
    if text == "none":
        return None
    return read_number(text, negative=True)


def check_code(code: str) -> None:
    """Refuse indicator and grade codes that the grammar could not tell apart.

    Source: docs/scoring.md section 7.
    """
    if CODE_FORBIDDEN.search(code) or code in RESERVED_CODES:
        raise RuleViolation(N_("The code must not contain ;|:=<>!& or brackets, nor be value, total or else."))
