"""Random schemes: lines of work, trees over them, and the clauses of each line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.oracle.chance import Chance, text

Rows = dict[str, list[dict[str, Any]]]
Node = dict[str, Any]
DAY = timedelta(days=1)
PLAIN = ("ratio", "bands", "best_share", "place", "gap")
# By what may be registered under a line: the methods its leaves may have in any scheme.
METHODS = {
    "deduction": ("deduct", "deduct", "award", "balance", "bands", "gap"),
    "points": ("award", "balance", *PLAIN),
    "award": ("award", "balance", "given", *PLAIN),
    "measure": ("given", *PLAIN),
    "mark": ("given", "registered"),
    "votes": ("votes",),
}
EFFECTS = {"deduction": ("deduction",), "points": ("award", "deduction"), "award": ("award",)}
BRANCHES = ("sum", "weighted", "weighted_mean", "mean", "min", "max", "scale")
NEEDS_FULL = ("deduct", "ratio", "best_share", "place", "gap")
OPERATORS = (">=", ">", "<=", "<", "=")
GRADES = ("优秀", "称职", "基本称职", "不称职")
VOTE_GRADES = ("好", "中", "差")
QUESTIONS = ("workload", "completion")
VOTERS = ("leader", "staff", "peer")


@dataclass
class WorkLine:
    """One line of work in the whole bureau: its code, what is registered under it, and its span."""

    code: str
    family: str
    span: str
    clauses: list[str] = field(default_factory=list)


def lines_of_bureau(chance: Chance) -> list[WorkLine]:
    families = [chance.one(tuple(METHODS)) for _ in range(chance.whole(5, 9))]
    return [
        WorkLine(f"L{index + 1}", family, chance.one(("month", "month", "month", "quarter", "year")))
        for index, family in enumerate(families)
    ]


def add_schemes(
    chance: Chance, rows: Rows, lines: list[WorkLine], unit_groups: tuple[str, ...], person_groups: tuple[str, ...]
) -> None:
    """One to three schemes, and sometimes a second version of one of them in mid-year."""
    rows["schemes"], rows["indicators"] = [], []
    if chance(0.4):
        _versions(chance, rows, lines, "A", "unit", unit_groups[:1], None)
        _versions(chance, rows, lines, "B", "unit", unit_groups[1:], unit_groups[0])
    else:
        _versions(chance, rows, lines, "A", "unit", unit_groups, None)
    if chance(0.75):
        _versions(chance, rows, lines, "P", "person", person_groups, unit_groups[0])


def _versions(
    chance: Chance, rows: Rows, lines: list[WorkLine], code: str, kind: str, groups: tuple[str, ...], linked: str | None
) -> None:
    if not chance(0.45):
        _scheme(chance, rows, lines, code, kind, groups, linked, {})
        return
    turn = chance.turn()
    _scheme(chance, rows, lines, f"{code}1", kind, groups, linked, {"in_force_to": turn - DAY})
    begin = turn + DAY * 40 if chance(0.1) else turn
    if begin < date(chance.year, 12, 31):
        _scheme(chance, rows, lines, f"{code}2", kind, groups, linked, {"in_force_from": begin})


def _scheme(
    chance: Chance,
    rows: Rows,
    lines: list[WorkLine],
    code: str,
    kind: str,
    groups: tuple[str, ...],
    linked: str | None,
    more: dict[str, Any],
) -> None:
    rows["schemes"].append(
        {
            "code": code,
            "title": f"方案{code}",
            "year": chance.year,
            "version": code[1:] or "1",
            "subject_kind": kind,
            "groups": ";".join(groups),
            "places": chance.one((None, 0, 1, 2, 3)),
            "rank_on": chance.one((None, "rounded", "exact")),
        }
        | more
    )
    known = sorted({it["code"] for it in rows["indicators"] if it["scheme"].startswith("A")})
    rows["indicators"] += Tree(chance, lines, code, kind, linked, known).nodes()


class Tree:
    """One random tree; a node refers only to nodes finished before it, so nothing runs in a circle."""

    def __init__(
        self, chance: Chance, lines: list[WorkLine], scheme: str, kind: str, linked: str | None, known: list[str]
    ) -> None:
        self.chance = chance
        self.lines = lines
        self.scheme = scheme
        self.kind = kind
        self.linked = linked
        self.known = known
        self.done: list[str] = []

    def nodes(self) -> list[Node]:
        used = [it for it in self.lines if self.chance(0.8)] or self.lines[:1]
        root = "T" if self.kind == "unit" else "PT"
        if self.scheme.endswith("2") and self.chance(0.5):
            root += "X"
        found = self._branch(root, None, used, depth=0)
        for order, node in enumerate(found):
            node["order"] = order
        return found

    def _branch(self, code: str, parent: str | None, lines: list[WorkLine], depth: int) -> list[Node]:
        """The nodes of a branch, itself last done but first listed."""
        method = self.chance.one(BRANCHES) if depth else self.chance.one(("sum", "weighted", *BRANCHES))
        inner: list[Node] = []
        rest = list(lines)
        if depth < 2 and len(rest) > 2:
            for index in range(self.chance.whole(0, 2)):
                size = self.chance.whole(1, max(1, len(rest) // 2))
                mine, rest = rest[:size], rest[size:]
                if mine:
                    inner += self._branch(f"{code}{index + 1}", code, mine, depth + 1)
        for line in rest:
            inner.append(self._leaf(line.code, code, line.family, line.span))
        if self.chance(0.35):
            # Sometimes the code that is a branch in another version.
            taken = {it["code"] for it in inner}
            inner.append(
                self._value_leaf(f"{code}2" if f"{code}2" not in taken and self.chance(0.4) else f"{code}V", code)
            )
        if self.linked and self.chance(0.5):
            inner.append(self._linked_leaf(f"{code}K", code))
        if not any(it["parent"] == code for it in inner):
            inner.append(self._leaf(self.lines[-1].code, code, self.lines[-1].family, self.lines[-1].span))
        for child in inner:
            if child["parent"] == code:
                self._weigh(method, child)
        node = self._node(code, parent, method)
        if method == "scale":
            self._param(node, f"from={text(self.chance.number(50, 150))}")
            self._param(node, f"to={text(self.chance.number(3, 40))}")
        if self.chance(0.25):
            node["rollup"] = self.chance.one(("sum", "mean", "last", "none" if depth else "mean"))
            node["span"] = self.chance.one((None, "month", "quarter"))
        elif depth and self.chance(0.1):
            node["span"] = self.chance.one(("month", "quarter", "year"))
        return [node, *inner]

    def _weigh(self, method: str, child: Node) -> None:
        if method == "weighted_mean":
            child["weight"] = self.chance.number(1, 60) if self.chance(0.9) else 0
        elif self.chance(0.9 if method == "weighted" else 0.25):
            child["weight"] = 0 if self.chance(0.2) else self.chance.number(1, 60)

    def _node(self, code: str, parent: str | None, method: str) -> Node:
        """The columns any node may have."""
        chance = self.chance
        node: Node = {"scheme": self.scheme, "code": code, "parent": parent, "title": f"指标{code}", "method": method}
        if method in NEEDS_FULL or chance(0.6):
            node["full"] = chance.number(5, 120, 1)
        if chance(0.15):
            node["cap"] = "none" if chance(0.2) else chance.number(20, 130)
        if chance(0.2):
            node["floor"] = "none" if chance(0.4) else chance.number(-20, 10)
        if parent and chance(0.6):
            node["places"] = chance.whole(0, 4)
        if chance(0.25 if parent else 0.03):
            node["applies_to"] = ";".join(self._terms())
            node["not_applicable"] = chance.one((None, "spread", "spread", "scale_up", "mean_of_others", "zero"))
        if self.done and chance(0.18):
            self._param(node, f"gate={chance.one(self.done)}{chance.one(OPERATORS[:4])}{text(chance.number(0, 60))}")
        self.done.append(code)
        return node

    def _terms(self) -> list[str]:
        if self.kind == "person":
            known = [
                "group=负责人",
                "group=一般人员",
                "category=staff",
                "category=unit_head",
                "subject=11",
                "subject=12",
            ]
        else:
            known = ["group=机关", "group=分局", "tag=large", "tag=market", "tag=remote", "subject=U1", "subject=U2"]
        return [f"!{it}" if self.chance(0.5) else it for it in self.chance.few(known, 1, 2)]

    def _param(self, node: Node, item: str) -> None:
        node["params"] = f"{node['params']};{item}" if node.get("params") else item

    def _leaf(self, code: str, parent: str, family: str, span: str) -> Node:
        method = self.chance.one(METHODS[family])
        earlier = list(self.done)
        node = self._node(code, parent, "place" if method == "registered" else method)
        self._time(node, span)
        self._fill(node, method, earlier)
        return node

    def _time(self, node: Node, span: str) -> None:
        node["span"] = span if span != "month" or self.chance(0.3) else None
        if self.chance(0.03):
            node["span"] = self.chance.one(("month", "quarter", "year"))
        node["rollup"] = self.chance.one((None, "sum", "sum", "mean", "mean", "last", "none"))

    def _value_leaf(self, code: str, parent: str) -> Node:
        """A leaf without clauses, on the score of another node."""
        earlier = list(self.done)
        method = self.chance.one(PLAIN) if earlier else "award"
        node = self._node(code, parent, method)
        self._time(node, "month")
        if earlier:
            self._param(node, f"value_of={self.chance.one(earlier)}")
        self._fill(node, method, earlier)
        return node

    def _linked_leaf(self, code: str, parent: str) -> Node:
        chance = self.chance
        node = self._node(code, parent, "linked")
        self._time(node, chance.one(("month", "quarter", "year")))
        source = "group" if self.kind == "unit" else chance.one(("charge", "post", "post", "group"))
        self._param(node, f"source={source}")
        if source == "group":
            several = self.kind == "person" and chance(0.5)
            self._param(node, "groups=机关|分局" if several else f"groups={self.linked}")
        if chance(0.6):
            self._param(node, f"what={chance.one(('total', *self.known))}")
        if chance(0.6):
            self._param(node, f"of={chance.one(('mean', 'weighted', 'min'))}")
        return node

    def _fill(self, node: Node, method: str, earlier: list[str]) -> None:
        """What the method needs and may have."""
        chance = self.chance
        if method == "balance":
            node["base"] = chance.number(20, 100)
        if method == "given" and chance(0.8):
            self._param(node, f"of={chance.one(('last', 'sum', 'mean', 'weighted'))}")
        if method in ("place", "registered"):
            self._place(node, registered=method == "registered")
        if method == "gap":
            self._gap(node)
        if method == "votes":
            self._votes(node)
        if method == "bands":
            self._bands(node, earlier)
        if earlier and "target_of" not in (node.get("params") or "") and method in ("ratio", "gap") and chance(0.15):
            self._param(node, f"target_of={chance.one(earlier)}")

    def _place(self, node: Node, *, registered: bool) -> None:
        if self.chance(0.5):
            self._param(node, f"step={text(self.chance.number(0.5, 9))}")
        else:
            self._param(node, f"step_pct={text(self.chance.number(1, 30))}")
        if registered:
            self._param(node, "by=registered")
        elif self.chance(0.6):
            self._param(node, f"order={self.chance.one(('asc', 'desc'))}")

    def _gap(self, node: Node) -> None:
        self._param(node, f"price={text(self.chance.number(0.1, 5))}")
        if self.chance(0.6):
            self._param(node, f"per={text(self.chance.number(1, 7))}")
        if self.chance(0.6):
            self._param(node, f"round={self.chance.one(('none', 'up', 'down'))}")
        if self.chance(0.4):
            self._param(node, f"order={self.chance.one(('asc', 'desc'))}")
        if self.chance(0.3):
            node["full"], node["floor"] = 0, "none"

    def _votes(self, node: Node) -> None:
        points = "|".join(f"{it}:{text(self.chance.number(20, 100))}" for it in VOTE_GRADES)
        self._param(node, f"grade_points={points}")
        for name, known in (("questions", QUESTIONS), ("voters", VOTERS)):
            if self.chance(0.6):
                weights = (
                    self.chance.one((("30", "70"), ("20", "60")))
                    if name == "questions"
                    else self.chance.one((("20", "50", "30"), ("1", "2", "4")))
                )
                self._param(node, f"{name}={'|'.join(f'{it}:{by}' for it, by in zip(known, weights, strict=True))}")

    def _bands(self, node: Node, earlier: list[str]) -> None:
        chance = self.chance
        percent = chance(0.4)
        if percent:
            self._param(node, "by=percent")
        rows = []
        for _ in range(chance.whole(2, 4)):
            left = chance.one(earlier) if earlier and chance(0.25) else "value"
            limit = chance.number(-5, 120 if percent else 40)
            rows.append(f"{left}{chance.one(OPERATORS)}{text(limit)}:{text(chance.number(0, 100))}")
        if chance(0.6):
            rows.append(f"else:{text(chance.number(0, 50))}")
        self._param(node, f"rows={'|'.join(rows)}")
        if percent and earlier and chance(0.2):
            self._param(node, f"target_of={chance.one(earlier)}")


def add_clauses(chance: Chance, rows: Rows, lines: list[WorkLine]) -> None:
    """One to three clauses for each line that is a leaf somewhere and takes entries."""
    rows["clauses"] = []
    spans: dict[str, list[str]] = {}
    for node in rows["indicators"]:
        spans.setdefault(node["code"], []).append(node.get("span") or "month")
    for line in lines:
        if line.code not in spans:
            continue
        for index in range(chance.whole(1, 3)):
            clause = _clause(chance, line, f"{line.code}C{index + 1}", spans[line.code])
            line.clauses.append(clause["code"])
            rows["clauses"].append(clause)


def _clause(chance: Chance, line: WorkLine, code: str, spans: list[str]) -> dict[str, Any]:
    measured = line.family in ("measure", "mark", "votes")
    clause: dict[str, Any] = {
        "indicator": line.code,
        "code": code,
        "text": f"细则{code}",
        "effect": "measure" if measured else chance.one(EFFECTS[line.family]),
        "pricing": "measure" if measured else chance.one(("fixed", "range", "given", "ladder", "every_n")),
    }
    _priced(chance, clause)
    if line.family in ("mark", "votes") and chance(0.6):
        return clause
    if chance(0.4):
        clause["multipliers"] = ";".join(_multiplier(chance, spans) for _ in range(chance.whole(1, 3)))
    clause["duplicates"] = chance.one((None, "highest_only", "highest_only", "accumulate", "always_added"))
    if chance(0.5):
        clause["shares"] = _shares(chance)
    if chance(0.1 if measured else 0.4):
        clause["cap"] = chance.one(("{0}", "{1}/work", "{0};{1}/work")).format(
            text(chance.number(2, 20)), text(chance.number(1, 8))
        )
    if chance(0.2):
        clause["veto"] = chance.one(("59", "40.5", *GRADES[1:]))
    return clause


def _priced(chance: Chance, clause: dict[str, Any]) -> None:
    window = chance.one(("month", "quarter", "year"))
    if clause["pricing"] in ("fixed", "every_n"):
        clause["price"] = chance.number(0.1, 6, 3)
    if clause["pricing"] == "every_n":
        clause["every_n"] = f"{chance.whole(2, 3)}/{window}"
    if clause["pricing"] == "ladder":
        rungs = ";".join(text(chance.number(0.1, 8, 3)) for _ in range(chance.whole(2, 4)))
        clause["ladder"] = f"{rungs}/{window}"
    if clause["pricing"] == "range":
        clause["min"], clause["max"] = chance.number(0, 2), chance.number(3, 9)


def _multiplier(chance: Chance, spans: list[str]) -> str:
    terms = []
    for kind in chance.few(("group", "tag", "joint", "count_all", "count_past"), 1, 2):
        windows = ("month", "quarter", "year")
        shortest = min(windows.index(it) for it in spans)
        window = chance.one(windows[: shortest + 1] if kind == "count_all" else windows)
        terms.append(
            {
                "group": f"group={chance.one(('机关', '分局', '负责人'))}",
                "tag": f"tag={chance.one(('large', 'market'))}",
                "joint": "joint=yes",
            }.get(kind, f"{kind}{chance.one(('>=', '>'))}{chance.whole(1, 4)}/{window}")
        )
    return f"{'&'.join(terms)}:{chance.one(('0.5', '2', '1.5', '0.333'))}"


def _shares(chance: Chance) -> str:
    names = chance.few(("self", "unit", "leader", "responsible", "handler", "assist"), 1, 4)
    return ";".join(
        f"{name}={text(chance.number(0 if name != 'self' else 10, 100, 1))}"
        + ("/n" if name in ("leader", "handler", "assist") and chance(0.4) else "")
        for name in names
    )
