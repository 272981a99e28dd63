"""Which grade a year's or quarter's results suggest: bands, eligibility, caps, veto, quota, in this order.

The rules are rows in the order of the scheme; people decide, the rules suggest. Source: docs/scoring.md
section 5, Grades.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

from app.errors import N_, RuleViolation
from app.rules.grammar import OPERATORS, read_number, split_list
from app.rules.numbers import comparable, round_half_up


class GradeKind(StrEnum):
    """What a row of the rules does."""

    BAND = "band"
    BAND_QUARTER = "band_quarter"
    ELIGIBILITY = "eligibility"
    CAP = "cap"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class GradeTerm:
    """One term of a condition: what it looks at (`total`, a node, `count`, `quantity`, `grades`, `group`, `tag`)."""

    what: str
    name: str = ""
    sign: str = ""
    number: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many percent of a group, and how the number is made whole."""

    percent: Decimal
    rounding: str

    def seats(self, of: int) -> int:
        """How many of a group of so many."""
        exact = comparable(Fraction(self.percent) * of / 100)
        rounded: Callable[[Fraction], Fraction | int] = {
            "floor": floor, "ceil": ceil, "round": lambda value: round_half_up(value, 0),
        }[self.rounding]  # fmt: skip
        return int(rounded(exact))


@dataclass(frozen=True, slots=True)
class GradeRule:
    """One row: the grade it is about, what it does, its condition, its quota."""

    grade: str
    kind: GradeKind
    terms: tuple[GradeTerm, ...] = ()
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """A counted entry that says more than its points: of a clause that vetoes or that a grade rule counts."""

    month: str
    clause: str
    quantity: Fraction = Fraction(1)
    veto: Fraction | None = None
    veto_grade: str = ""


_FUNCTION = re.compile(r"(count|quantity|grades)\(([^()]+)\)\s*(?:(>=|<=|>|<|=)\s*(.+))?")
_PLAIN = re.compile(r"([^()<>=]+?)\s*(>=|<=|>|<|=)\s*(.+)")


def read_grade_terms(text: str, *, orders: bool = False) -> tuple[GradeTerm, ...]:
    """Read `total>=90&count(LATE)>=3`; with `orders` one term without comparison, by which a quota orders."""
    terms = tuple(_read_term(part) for part in split_list(text, "&"))
    if orders:
        if len(terms) > 1 or any(term.sign for term in terms):
            raise RuleViolation(N_("A quota is ordered by one term without a comparison."))
        return terms
    if any(not term.sign for term in terms):
        raise RuleViolation(N_("“%(text)s” lacks a comparison such as >=3.", text=text))
    return terms


def _read_term(text: str) -> GradeTerm:
    function = _FUNCTION.fullmatch(text)
    if function:
        number = read_number(function[4], negative=True) if function[3] else Decimal(0)
        return GradeTerm(function[1], function[2].strip(), function[3] or "", number)
    found = _PLAIN.fullmatch(text)
    if found and found[1] in ("group", "tag") and found[2] == "=":
        return GradeTerm(found[1], found[3].strip(), "=")
    if found:
        what = "total" if found[1] == "total" else "node"
        return GradeTerm(what, "" if what == "total" else found[1], found[2], read_number(found[3], negative=True))
    if re.fullmatch(r"[^()<>=&|]+", text):
        return GradeTerm("total" if text == "total" else "node", "" if text == "total" else text)
    raise RuleViolation(N_("“%(text)s” is not a condition such as total>=90.", text=text))


def read_quota(text: str) -> Quota:
    """Read `20/floor`."""
    percent, slash, rounding = (part.strip() for part in text.partition("/"))
    if not slash or rounding not in ("floor", "round", "ceil"):
        raise RuleViolation(N_("“%(text)s” is no quota such as 20/floor.", text=text))
    return Quota(read_number(percent), rounding)


def read_grade_rule(grade: str, kind: str, condition: str, value: str) -> GradeRule:
    """A rule of its texts; raises `RuleViolation` on the first fault."""
    of_kind = GradeKind(kind)
    is_quota = of_kind is GradeKind.QUOTA
    return GradeRule(
        grade, of_kind, read_grade_terms(condition, orders=is_quota), read_quota(value) if is_quota else None
    )


@dataclass(frozen=True, slots=True)
class GradeFacts:
    """What the rules look at of one subject: total as ranked and as shown, nodes, entries, quarters, place."""

    code: str
    group: str
    total: Fraction
    ranked: Fraction
    order: tuple[object, ...] = ()
    nodes: Mapping[str, Fraction] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    quantities: Mapping[str, Fraction] = field(default_factory=dict)
    quarters: Sequence[str] = ()
    tags: frozenset[str] = frozenset()
    vetoes: Sequence[str] = ()


def value_of(term: GradeTerm, facts: GradeFacts) -> Fraction | None:
    """What a term stands for; None for a node without score."""
    if term.what == "total":
        return facts.total
    if term.what == "count":
        return Fraction(facts.counts.get(term.name, 0))
    if term.what == "quantity":
        return facts.quantities.get(term.name, Fraction(0))
    if term.what == "grades":
        return Fraction(sum(grade == term.name for grade in facts.quarters))
    return facts.nodes.get(term.name)


def holds(rule: GradeRule, facts: GradeFacts) -> bool:
    """Whether all terms of a rule's condition hold."""
    return all(_term_holds(term, facts) for term in rule.terms)


def _term_holds(term: GradeTerm, facts: GradeFacts) -> bool:
    if term.what == "group":
        return facts.group == term.name
    if term.what == "tag":
        return term.name in facts.tags
    value = value_of(term, facts)
    return value is not None and OPERATORS[term.sign](comparable(value), Fraction(term.number))


def band_order(rules: Sequence[GradeRule]) -> list[str]:
    """The grades of a year, best first: the order of the band rows."""
    return list(dict.fromkeys(rule.grade for rule in rules if rule.kind is GradeKind.BAND))


def quarter_grade(rules: Sequence[GradeRule], facts: GradeFacts) -> str | None:
    """The grade of a quarter: the first `band_quarter` row that holds."""
    return next((rule.grade for rule in rules if rule.kind is GradeKind.BAND_QUARTER and holds(rule, facts)), None)


def year_grades(rules: Sequence[GradeRule], subjects: Sequence[GradeFacts]) -> dict[str, str | None]:
    """The suggested grade of every subject under one scheme, by code; None where no band holds."""
    order = band_order(rules)
    suggested = {facts.code: _before_quota(rules, order, facts) for facts in subjects}
    groups: dict[str, list[GradeFacts]] = defaultdict(list)
    for facts in subjects:
        groups[facts.group].append(facts)
    for members in groups.values():
        _apply_quotas(rules, order, members, suggested)
    return suggested


def _before_quota(rules: Sequence[GradeRule], order: Sequence[str], facts: GradeFacts) -> str | None:
    """Band, then eligibility, caps and veto."""
    grade = next((rule.grade for rule in rules if rule.kind is GradeKind.BAND and holds(rule, facts)), None)
    if grade is None:
        return None
    place = order.index(grade)
    while place < len(order) - 1 and not _is_eligible(rules, order[place], facts):
        place += 1
    limits = [rule.grade for rule in rules if rule.kind is GradeKind.CAP and holds(rule, facts)] + list(facts.vetoes)
    return order[max([place, *(order.index(limit) for limit in limits if limit in order)])]


def _is_eligible(rules: Sequence[GradeRule], grade: str, facts: GradeFacts) -> bool:
    """Whether any of the eligibility rows of a grade holds; a grade without rows is open."""
    rows = [rule for rule in rules if rule.kind is GradeKind.ELIGIBILITY and rule.grade == grade]
    return not rows or any(holds(it, facts) for it in rows)


def _apply_quotas(
    rules: Sequence[GradeRule], order: Sequence[str], members: Sequence[GradeFacts], suggested: dict[str, str | None]
) -> None:
    """Best grade first: who is beyond the seats gets the next lower grade."""
    for place, grade in enumerate(order[:-1]):
        for rule in (rule for rule in rules if rule.kind is GradeKind.QUOTA and rule.grade == grade):
            assert rule.quota is not None
            holders = [member for member in members if suggested[member.code] == grade]
            holders.sort(key=lambda it, rule=rule: (*_precedence(rule, it), it.order))  # type: ignore[misc]
            for holder in holders[rule.quota.seats(len(members)) :]:
                suggested[holder.code] = order[place + 1]


def _precedence(rule: GradeRule, facts: GradeFacts) -> tuple[object, ...]:
    """Highest of the rule's term first, those without it last; then the highest total."""
    found: list[object] = []
    for term in rule.terms:
        value = value_of(term, facts)
        found += [value is None, Fraction(0) if value is None else -comparable(value)]
    return (*found, -comparable(facts.ranked))
