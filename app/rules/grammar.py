"""The closed grammar of what is typed into a scheme: lists, pairs, numbers and conditions, never code.

Source: docs/scoring.md sections 3 to 5 and 7.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from app.errors import N_, RuleViolation
from app.rules.numbers import LARGEST, comparable, read_decimal

LONGEST_TEXT = 2000
MOST_TERMS = 100
CODE_FORBIDDEN = re.compile(r"[;|:=<>!&()\[\]{}（）【】]")
RESERVED_CODES = frozenset({"value", "total", "else"})
_COMPARISON = re.compile(r"(.+?)(>=|<=|>|<|=)(.+)")

OPERATORS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


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
class Term:
    """One `name=value` of a condition, possibly negated."""

    name: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A factor and the terms that must all hold for it."""

    terms: tuple[Term, ...]
    factor: Decimal


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


def _read_term(text: str) -> Term:
    if text.startswith(("count_all", "count_past")):
        raise RuleViolation(N_("“%(text)s”: counting conditions are not supported yet.", text=text))
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
