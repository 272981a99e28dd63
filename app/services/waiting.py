"""One matter that waits for somebody, as every list of such matters shows it, and for whom it waits.

The workbench, the digest and the readiness board all ask the same sources: a source yields matters, for one actor or
for everybody, and `Waits.is_for` alone says whose a matter is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.errors import Message
from app.policies.actor import Actor
from app.rules.workdays import WorkCalendar

MOST = 20
NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Waits:
    """Whom a matter waits for: holders of roles, heads and clerks of units, people, accounts.

    `may` is what a policy says beyond that. `leaders` are the people who hear of it when it is not done: in charge, or
    supervising.
    """

    roles: frozenset[str] = frozenset()
    units: frozenset[int] = NOBODY
    people: frozenset[int] = NOBODY
    accounts: frozenset[int] = NOBODY
    may: Callable[[Actor], bool] | None = None
    leaders: frozenset[int] = NOBODY

    def is_for(self, actor: Actor) -> bool:
        """Whether the matter is the actor's to do."""
        reached = (
            not self.roles.isdisjoint(actor.roles)
            or not self.units.isdisjoint(actor.own_units)
            or actor.subject_id in self.people
            or actor.account_id in self.accounts
        )
        return reached and (self.may is None or self.may(actor))


@dataclass(frozen=True, slots=True)
class Todo:
    """One matter: which kind, about what (`type:key`), in words, why, from whom, since when, until when.

    `days_left` are working days to the deadline, negative by the days it is late; None without a deadline. `mark` is
    the matter's own name for ever: what is reminded of once is looked up by it. `events` are the reminder events it
    may call for, each with the day it counts from. `unit_id` is the unit it stands under on the readiness board.
    """

    kind: str
    item: str
    text: Message
    why: Message
    waits: Waits
    from_whom: str = ""
    since: datetime | None = None
    due_on: date | None = None
    days_left: int | None = None
    mark: str = ""
    events: Sequence[tuple[str, date]] = ()
    unit_id: int | None = None

    @property
    def is_late(self) -> bool:
        return self.days_left is not None and self.days_left < 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What a source is asked: the bureau, the day, and for whom; no actor means for everybody, and then all of it.

    A session that acts for a person narrows every ORM query to what the person sees; the criteria here only keep the
    statements small. `in_charge` are the leaders in charge of each unit on the day.
    """

    session: Session
    bureau_id: int
    on: date
    calendar: WorkCalendar
    actor: Actor | None = None
    in_charge: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @property
    def most(self) -> int | None:
        """How many of a kind one person is shown."""
        return None if self.actor is None else MOST

    def wants(self, *roles: str) -> bool:
        """Whether matters of some roles are asked for."""
        return self.actor is None or not self.actor.roles.isdisjoint(roles)

    def mine(self, of: Callable[[Actor], ColumnElement[bool]]) -> ColumnElement[bool]:
        """The criterion for one actor; everything where all are asked for."""
        return true() if self.actor is None else of(self.actor)

    def leaders_of(self, units: Collection[int]) -> frozenset[int]:
        """Who is in charge of some units."""
        return frozenset(it for unit in units for it in self.in_charge.get(unit, NOBODY))


Source = Callable[[Ask], Iterator[Todo]]
