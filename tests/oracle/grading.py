"""Suggested grades of quarters and years (docs/scoring.md §5, sheet `grade_rules`)."""

from __future__ import annotations

import re
from fractions import Fraction

from tests.oracle.book import Rule, comparison, parts
from tests.oracle.leaves import NamedError
from tests.oracle.nodes import Scores
from tests.oracle.numerals import half_up, holds, number, steady, whole_up
from tests.oracle.people import Standing
from tests.oracle.periods import contains, inside, kind_of

CALL = re.compile(r"(count|quantity|grades)\((.*)\)")


class Grades:
    """The grades of one period, by subject."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def of_group(self, group: list[Standing]) -> dict[str, str | None]:
        """The grades of the subjects of one group that have a total."""
        if not group:
            return {}
        if kind_of(group[0].period) == "month":
            return dict.fromkeys((it.code for it in group), None)
        if kind_of(group[0].period) == "quarter":
            return {it.code: self._band(it, "band_quarter") for it in group}
        found = {it.code: self._limited(it) for it in group}
        self._quotas(group, found)
        return found

    def rules(self, one: Standing, kind: str) -> list[Rule]:
        return [it for it in self.scores.book.rules if it.scheme == one.scheme.code and it.kind == kind]

    def ladder(self, one: Standing) -> list[str]:
        """The order of `band` rows is the order of grades, best first."""
        return list(dict.fromkeys(it.grade for it in self.rules(one, "band")))

    def _band(self, one: Standing, kind: str) -> str | None:
        return next((it.grade for it in self.rules(one, kind) if self._holds(one, it.condition)), None)

    def _limited(self, one: Standing) -> str | None:
        """Band → eligibility → cap → veto."""
        grade = self._band(one, "band")
        if grade is None:
            return None
        ladder = self.ladder(one)
        at = ladder.index(grade)
        while at < len(ladder) - 1 and not self._eligible(one, ladder[at]):
            at += 1
        for rule in self.rules(one, "cap"):
            if rule.grade in ladder and self._holds(one, rule.condition):
                at = max(at, ladder.index(rule.grade))
        for veto in self.scores.vetoes(one):
            if veto in ladder:
                at = max(at, ladder.index(veto))
        return ladder[at]

    def _eligible(self, one: Standing, grade: str) -> bool:
        """Several rows of a kind for one grade: any of them."""
        conditions = [it.condition for it in self.rules(one, "eligibility") if it.grade == grade]
        return not conditions or any(self._holds(one, it) for it in conditions)

    def _quotas(self, group: list[Standing], found: dict[str, str | None]) -> None:
        """Per group, best grade first: who is beyond the quota gets the next lower grade."""
        ladder = self.ladder(group[0])
        for at, grade in enumerate(ladder[:-1]):
            for rule in self.rules(group[0], "quota"):
                if rule.grade != grade:
                    continue
                room = _room(rule.value, len(group))
                graded = [it for it in group if found[it.code] == grade]
                for one in sorted(graded, key=lambda it, rule=rule: self._order(it, rule.condition))[room:]:
                    found[one.code] = ladder[at + 1]

    def _order(self, one: Standing, condition: str) -> tuple[int, Fraction, Fraction, Fraction, str]:
        """The condition's term descending, then the total as ranked, then unit order or staff_no."""
        term = self._value(one, condition) if condition else None
        ranked = ranked_total(self.scores, one)
        assert ranked is not None
        return (term is None, -steady(term or Fraction(0)), -ranked, one.subject.order, one.code)

    def _holds(self, one: Standing, condition: str) -> bool:
        return all(self._term_holds(one, it) for it in parts(condition, "&"))

    def _term_holds(self, one: Standing, term: str) -> bool:
        left, op, right = comparison(term)
        if left == "group":
            return one.subject.group == right
        if left == "tag":
            return right in one.subject.tags
        value = self._value(one, left)
        return value is not None and holds(value, op, number(right))

    def _value(self, one: Standing, name: str) -> Fraction | None:
        """`total`, an indicator's score, or one of the counts."""
        if name == "total":
            return self.scores.total(one)
        call = CALL.fullmatch(name)
        if call is None:
            try:
                return self.scores.score_of(one, name)
            except NamedError:
                return None
        kind, argument = call.group(1), call.group(2).strip()
        if kind == "grades":
            return Fraction(self._quarters(one, argument))
        own = [
            it
            for it in self.scores.book.entries
            if it.subject == one.code
            and it.clause.code == argument
            and contains(one.period, it.day)
            and self.scores.counts(it)
        ]
        return Fraction(len(own)) if kind == "count" else sum((it.quantity for it in own), Fraction(0))

    def _quarters(self, one: Standing, grade: str) -> int:
        """How many quarters of the year the subject was so graded."""
        graded = 0
        for period in inside(one.period[:4], "quarter", self.scores.on):
            then = self.scores.standing(one.code, period)
            if then is not None and has_total(self.scores, then) and self._band(then, "band_quarter") == grade:
                graded += 1
        return graded


def has_total(scores: Scores, one: Standing) -> bool:
    try:
        return scores.total(one) is not None
    except NamedError:
        return False


def ranked_total(scores: Scores, one: Standing) -> Fraction | None:
    """§2: ranking compares the rounded total unless the scheme says `rank_on = exact`."""
    found = scores.exact_total(one) if one.scheme.exact else scores.total(one)
    return None if found is None else steady(found)


def _room(value: str, size: int) -> int:
    percent, _, how = value.partition("/")
    share = number(percent) * size / 100
    how = how.strip()
    if how == "ceil":
        return whole_up(share)
    return int(half_up(share, 0)) if how == "round" else int(share)
