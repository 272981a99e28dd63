"""Who has which share of one fact: the subject, its unit, its leaders, and those the entry names.

Source: docs/scoring.md section 3, step 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from app.errors import N_, RuleViolation
from app.rules.grammar import read_number, read_pairs, split_list

SELF = "self"
PARTIES = ("unit", "leader", "responsible", "handler", "assist")


@dataclass(frozen=True, slots=True)
class Share:
    """What each party of a name gets of the amount, in percent; divided among them where it says `/n`."""

    name: str
    percent: Decimal
    is_divided: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One subject's part of a fact: percent ÷ divisor of its amount."""

    subject: str
    percent: Decimal
    divisor: int = 1

    @property
    def size(self) -> Fraction:
        return Fraction(self.percent) / self.divisor


def read_shares(text: str) -> tuple[Share, ...]:
    """Read `self=60;assist=40/n`."""
    found = []
    for name, value in read_pairs(text).items():
        if name != SELF and name not in PARTIES:
            raise RuleViolation(N_("“%(name)s” is no party.", name=name))
        number, is_divided = re.subn(r"\s*/\s*n$", "", value)
        if is_divided and name == SELF:
            raise RuleViolation(N_("The own share is not divided."))
        found.append(Share(name, read_number(number), bool(is_divided)))
    return tuple(found)


def read_parties(text: str) -> dict[str, tuple[str, ...]]:
    """Read `leader=1003;handler=1021|1022`."""
    pairs = read_pairs(text)
    for name in pairs:
        if name not in PARTIES:
            raise RuleViolation(N_("“%(name)s” is no party.", name=name))
    return {name: split_list(value, "|") for name, value in pairs.items()}


def lacks_person(shares: Sequence[Share], *, is_deduction: bool, is_unit: bool, named: Mapping[str, object]) -> bool:
    """Whether a deduction from a unit still has to name who is answerable: the clause gives persons a share.

    Source: mission B1; the unit's own subject is a person already where a person is assessed.
    """
    personal = {share.name for share in shares} & {"responsible", "handler"}
    return is_deduction and is_unit and bool(personal) and personal.isdisjoint(named)


def apportion(shares: Sequence[Share], subject: str, parties: Mapping[str, Sequence[str]]) -> tuple[Part, list[Part]]:
    """The subject's own part and those of the others, by code; a party that is not there gets nothing.

    A subject named twice gets one part, the larger.
    """
    own = next((share.percent for share in shares if share.name == SELF), Decimal(100))
    parts: dict[str, Part] = {subject: Part(subject, own)}
    for share in shares:
        named = () if share.name == SELF else tuple(dict.fromkeys(parties.get(share.name, ())))
        for code in named:
            part = Part(code, share.percent, len(named) if share.is_divided else 1)
            if code not in parts or part.size > parts[code].size:
                parts[code] = part
    mine = parts.pop(subject)
    return mine, [parts[code] for code in sorted(parts)]
