"""A small bureau for tests of the evaluation: units and people under schemes, with what was registered of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

from app.rules.periods import Period
from app.rules.scoring.cells import cells_of
from app.rules.scoring.evaluate import Evaluation, NodeScore, Result
from app.rules.scoring.grading import grades_of
from app.rules.scoring.lines import Tally
from app.rules.scoring.scheme import Assessed, Node, SchemeTree, build_node

BLANK: Mapping[str, Any] = {
    "title": "", "full": None, "weight": None, "base": None, "cap": "", "floor": "", "places": None, "span": "",
    "rollup": "", "applies_to": "", "params": {}, "children": (),
}  # fmt: skip


def period(text: str) -> Period:
    found = Period.parse(text)
    assert found is not None
    return found


def node(code: str, parent: str | None, method: str, **more: Any) -> Node:
    numbers = {name: Decimal(value) for name, value in more.items() if name in ("full", "weight", "base")}
    children = tuple(more.pop("children", "").split())
    return build_node(
        **{**BLANK, **more, **numbers, "children": children, "code": code, "parent": parent, "method": method}
    )


def tree(*nodes: Node, code: str = "S", **more: Any) -> SchemeTree:
    return SchemeTree(code, nodes[0].code, {it.code: it for it in nodes}, **more)


def unit(code: str, group: str = "g", scheme: str = "S", kind: str = "unit", order: int = 0) -> Assessed:
    return Assessed(code, kind, code, group, scheme, (order, code))


def marks(*values: str) -> Tally:
    return Tally(sum((F(it) for it in values), F(0)), len(values), tuple((F(it), F(1)) for it in values))


class Bureau:
    """Units and people under schemes, with what was registered of them."""

    def __init__(self, *schemes: SchemeTree, who: list[Assessed] | None = None, **more: Any) -> None:
        self.who = {it.code: it for it in who or [unit("a")]}
        self.from_period: dict[str, dict[str, Assessed]] = {}
        self.facts = {
            name: {(s, c, period(p)): it for (s, c, p), it in more.pop(name, {}).items()}
            for name in ("tallies", "targets", "externals", "watched")
        }
        self.evaluation = Evaluation(
            {it.code: it for it in schemes}, self.subjects_on, cells_of(self.facts["tallies"]), self.facts["targets"],
            self.facts["externals"], more.pop("on", date(2027, 1, 1)), self.facts["watched"], **more,
        )  # fmt: skip

    def subjects_on(self, at: Period) -> dict[str, Assessed]:
        return self.from_period.get(str(at), self.who) if at.has_begun(self.evaluation.on) else {}

    def results(self, at: str) -> dict[str, Result]:
        return {it.subject.code: it for it in self.evaluation.results(period(at), grades=grades_of)}

    def node(self, at: str, subject: str, code: str) -> NodeScore:
        return self.evaluation.node(period(at), subject, code)


GIVEN = tree(node("T", None, "sum", children="A B"), node("A", "T", "given"), node("B", "T", "given"))
