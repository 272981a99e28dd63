"""The methods of leaves (docs/scoring.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.oracle import lines as ledger
from tests.oracle.book import Node, comparison, parts, priced
from tests.oracle.numerals import holds, number, steady, whole_down, whole_up
from tests.oracle.people import Standing, root_of
from tests.oracle.periods import days

if TYPE_CHECKING:
    from tests.oracle.nodes import Scores

VALUE = "value"
FLOOR_AT_ZERO = ("deduct", "place", "gap")


class NamedError(Exception):
    """§4: a score that cannot be had, by subject and indicator; it passes to whatever is computed from it."""

    def __init__(self, subject: str, indicator: str) -> None:
        super().__init__(subject, indicator)
        self.subject = subject
        self.indicator = indicator


def floor_of(node: Node) -> Fraction | None:
    """§4: blank = the method's default, `none` = open."""
    if node.floor:
        return None if node.floor == "none" else number(node.floor)
    return Fraction(0) if node.method in FLOOR_AT_ZERO else None


def cap_of(node: Node) -> Fraction | None:
    if node.cap:
        return None if node.cap == "none" else number(node.cap)
    return node.full if node.method == "ratio" else None


class Leaf:
    """One leaf of one subject in one span period."""

    def __init__(self, scores: Scores, one: Standing, node: Node) -> None:
        self.scores = scores
        self.one = one
        self.node = node
        self.lines = [it for it in scores.lines(one.code, node.code, one.period) if it.counted]

    def raw(self) -> Fraction | None:
        """The score before cap and floor."""
        return METHODS[self.node.method](self)

    @property
    def full(self) -> Fraction:
        assert self.node.full is not None
        return self.node.full

    def value(self) -> Fraction | None:
        """§4: Σ, or with `value_of` the score of that node; none without lines."""
        if "value_of" in self.node.params:
            return self.scores.score_of(self.one, self.node.params["value_of"])
        return ledger.total(self.lines) if self.lines else None

    def value_or_zero(self) -> Fraction | None:
        """§4, column "no entry": value 0; the node of `value_of` without a score gives no value."""
        found = self.value()
        return Fraction(0) if found is None and "value_of" not in self.node.params else found

    def target(self) -> Fraction:
        """§4: the row for exactly the span period, or the score of the node `target_of`."""
        if "target_of" in self.node.params:
            found = self.scores.score_of(self.one, self.node.params["target_of"])
        else:
            found = self.scores.book.targets.get((self.node.code, self.one.code, self.one.period))
        if found is None:
            raise NamedError(self.one.code, self.node.code)
        return found

    def external(self) -> tuple[Fraction | None, Fraction | None]:
        """§7: score and rank from outside for exactly that period."""
        found = self.scores.book.externals.get((self.node.code, self.one.code, self.one.period))
        return (None, None) if found is None else (found.score, found.rank)

    def values_of_group(self) -> list[Fraction]:
        """§4: the values inside the group; who has no score is left out."""
        found = []
        for other in self.scores.group_of(self.one):
            leaf = Leaf(self.scores, other, self.node)
            if not self.scores.applies(other, self.node):
                continue
            try:
                self.scores.gate_holds(other, self.node)
                value = leaf.value()
            except NamedError:
                continue
            if value is not None:
                found.append(value)
        return found


def _deduct(leaf: Leaf) -> Fraction:
    return leaf.full + ledger.total(leaf.lines)


def _award(leaf: Leaf) -> Fraction:
    return ledger.total(leaf.lines)


def _balance(leaf: Leaf) -> Fraction:
    assert leaf.node.base is not None
    return leaf.node.base + ledger.total(leaf.lines)


def is_superseded(scores: Scores, one: Standing, node: Node) -> bool:
    """§4: whether an external result is the only mark (`given`) or the only place (registered places)."""
    score, rank = Leaf(scores, one, node).external()
    if node.method == "given":
        return score is not None
    return node.method == "place" and node.params.get("by") == "registered" and rank is not None


def _given(leaf: Leaf) -> Fraction | None:
    """The registered marks in order; an external score is the only mark if there is one."""
    external, _ = leaf.external()
    marks = [(it.signed, it.entry.quantity) for it in leaf.lines] if external is None else [(external, Fraction(1))]
    if not marks:
        return None
    of = leaf.node.params.get("of", "last")
    if of == "last":
        return marks[-1][0]
    whole = sum((mark for mark, _ in marks), Fraction(0))
    if of == "mean":
        return whole / len(marks)
    return whole / sum(quantity for _, quantity in marks) if of == "weighted" else whole


def _percent(leaf: Leaf, value: Fraction) -> Fraction:
    """Value ÷ target; a target 0 is an error as well as a missing one."""
    target = leaf.target()
    if steady(target) == 0:
        raise NamedError(leaf.one.code, leaf.node.code)
    return value / target


def _ratio(leaf: Leaf) -> Fraction | None:
    value = leaf.value_or_zero()
    return None if value is None else _percent(leaf, value) * leaf.full


def _bands(leaf: Leaf) -> Fraction | None:
    """The first matching row.

    An error of a node that any row names is an error of the leaf, even where an earlier row matches or the leaf has no
    value: the text leaves open whether such a row is looked at.
    """
    rows = [(*_row(leaf, condition), score) for condition, score in priced(leaf.node.params["rows"])]
    value = leaf.value()
    if value is None:
        return None
    if leaf.node.params.get("by", "value") == "percent":
        value = _percent(leaf, value) * 100
    for named, op, limit, score in rows:
        measured = value if isinstance(named, str) else named
        if op == "else" or (measured is not None and holds(measured, op, limit)):
            return score
    return None


def _row(leaf: Leaf, condition: str) -> tuple[Fraction | str | None, str, Fraction]:
    """What a row compares: the value of the leaf, or the score of the node it names."""
    if condition == "else":
        return None, "else", Fraction(0)
    left, op, limit = comparison(condition)
    return VALUE if left == VALUE else leaf.scores.score_of(leaf.one, left), op, number(limit)


def _best_share(leaf: Leaf) -> Fraction | None:
    value = leaf.value()
    if value is None:
        return None
    best = max([*leaf.values_of_group(), value])
    return value / best * leaf.full if steady(best) > 0 else Fraction(0)


def _place(leaf: Leaf) -> Fraction | None:
    params = leaf.node.params
    step = number(params["step"]) if "step" in params else leaf.full * number(params["step_pct"]) / 100
    if params.get("by", "value") == "registered":
        return _registered(leaf, step)
    value = leaf.value()
    if value is None:
        return None
    better = "<" if params.get("order", "desc") == "asc" else ">"
    place = 1 + sum(1 for other in leaf.values_of_group() if holds(other, better, value))
    return leaf.full - step * (place - 1)


def _registered(leaf: Leaf, step: Fraction) -> Fraction | None:
    """Each place gives its points, floored one by one; of several the mean."""
    _, rank = leaf.external()
    places = [it.signed for it in leaf.lines] if rank is None else [rank]
    if not places:
        return None
    floor = floor_of(leaf.node)
    points = [leaf.full - step * (place - 1) for place in places]
    floored = [it if floor is None else max(it, floor) for it in points]
    return sum(floored, Fraction(0)) / len(floored)


def _gap(leaf: Leaf) -> Fraction | None:
    value = leaf.value_or_zero()
    if value is None:
        return None
    params = leaf.node.params
    over = params.get("order", "desc") == "asc"
    missing = max(value - leaf.target() if over else leaf.target() - value, Fraction(0))
    units = missing / number(params.get("per", "1"))
    how = params.get("round", "none")
    if how != "none":
        units = Fraction(whole_up(units) if how == "up" else whole_down(units))
    return leaf.full - number(params["price"]) * units


def _votes(leaf: Leaf) -> Fraction | None:
    """Voters without ballots drop out, and before them their questions without any."""
    params = leaf.node.params
    if "voters" not in params:
        return _of_voter(leaf, "")
    return _by_percent([(weight, _of_voter(leaf, voter)) for voter, weight in priced(params["voters"])])


def _of_voter(leaf: Leaf, voter: str) -> Fraction | None:
    params = leaf.node.params
    if "questions" not in params:
        return _of_question(leaf, voter, "")
    asked = priced(params["questions"])
    return _by_percent([(weight, _of_question(leaf, voter, question)) for question, weight in asked])


def _by_percent(items: list[tuple[Fraction, Fraction | None]]) -> Fraction | None:
    """The weights are percents; only where something drops out the others are taken ÷ their sum.

    The text leaves open what weights mean that do not add up to 100 while nothing drops out.
    """
    left = [(weight, it) for weight, it in items if it is not None]
    if len(left) < len(items):
        return _weighed(left)
    return sum((weight * it / 100 for weight, it in left), Fraction(0))


def _of_question(leaf: Leaf, voter: str, question: str) -> Fraction | None:
    points = dict(priced(leaf.node.params["grade_points"]))
    ballots = [
        (it.signed, points[it.entry.attrs["grade"]])
        for it in leaf.lines
        if (not voter or it.entry.attrs.get("voter") == voter)
        and (not question or it.entry.attrs.get("question") == question)
        and it.entry.attrs.get("grade") in points
    ]
    return _weighed(ballots)


def _weighed(items: list[tuple[Fraction, Fraction]]) -> Fraction | None:
    weights = sum((weight for weight, _ in items), Fraction(0))
    return sum((weight * it for weight, it in items), Fraction(0)) / weights if weights else None


def _linked(leaf: Leaf) -> Fraction | None:
    """The scores of the units linked on at least one day, weighed by their days."""
    params = leaf.node.params
    found = []
    for unit, linked_days in _linked_units(leaf).items():
        score = _linked_score(leaf, unit)
        if score is not None:
            found.append((Fraction(linked_days), score))
    if not found:
        return None
    of = params.get("of", "weighted" if params["source"] == "post" else "mean")
    if of == "min":
        return min(it for _, it in found)
    return _weighed(found if of == "weighted" else [(Fraction(1), it) for _, it in found])


def _linked_units(leaf: Leaf) -> dict[str, int]:
    """Calendar days by linked unit."""
    book, params, period = leaf.scores.book, leaf.node.params, leaf.one.period
    if params["source"] == "group":
        groups = parts(params["groups"], "|")
        units = leaf.scores.units_of(period)
        return {it.code: len(days(period)) for it in units if it.subject.group in groups}
    if params["source"] == "charge":
        links = [(it.unit, it.term) for it in book.oversight if it.staff_no == leaf.one.code and not it.line]
    else:
        links = [(it.unit, it.term) for it in book.postings if it.staff_no == leaf.one.code]
    counts = {
        unit: sum(1 for day in days(period) if any(code == unit and term.holds(day) for code, term in links))
        for unit, _ in links
    }
    return {unit: count for unit, count in counts.items() if count}


def _linked_score(leaf: Leaf, unit: str) -> Fraction | None:
    """`what=total`, or a node; the code of the root is the total. Who has no score is left out."""
    other = leaf.scores.standing(unit, leaf.one.period)
    if other is None:
        return None
    what = leaf.node.params.get("what", "total")
    try:
        if what in ("total", root_of(leaf.scores.book, other.scheme).code):
            return leaf.scores.total(other)
        return leaf.scores.score_of(other, what)
    except NamedError:
        return None


METHODS: dict[str, Callable[[Leaf], Fraction | None]] = {
    "deduct": _deduct,
    "award": _award,
    "balance": _balance,
    "given": _given,
    "ratio": _ratio,
    "bands": _bands,
    "best_share": _best_share,
    "place": _place,
    "gap": _gap,
    "votes": _votes,
    "linked": _linked,
}
