"""One matter that waits for somebody, as every list of such matters shows it, and for whom it waits.

The workbench, the digest and the readiness board all ask the same sources: a source yields matters, for one actor or
for everybody, and `Waits.is_for` alone says whose a matter is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.errors import Message
from app.policies.actor import Actor
from app.rules.timetable import local_time
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
    begun_on: date | None = None

    def had_begun(self, on: date) -> bool:
        """Whether it waited on a day already, as far as its row says since when."""
        begun = self.begun_on if self.since is None else local_time(self.since).date()
        return begun is None or begun <= on

    @property
    def is_late(self) -> bool:
        return self.days_left is not None and self.days_left < 0


class Readers:
    """Actors by what a matter may wait for, so that each matter looks at few of them."""

    def __init__(self, actors: Iterable[Actor]) -> None:
        self.by_role: dict[str, list[Actor]] = defaultdict(list)
        self.by_unit: dict[int, list[Actor]] = defaultdict(list)
        self.by_person: dict[int, list[Actor]] = defaultdict(list)
        self.by_account: dict[int, Actor] = {}
        for actor in actors:
            if not actor.is_member or actor.account_id is None:
                continue
            self.by_account[actor.account_id] = actor
            for role in actor.roles:
                self.by_role[role].append(actor)
            for unit in actor.own_units:
                self.by_unit[unit].append(actor)
            if actor.subject_id is not None:
                self.by_person[actor.subject_id].append(actor)

    def readers(self, todo: Todo) -> list[Actor]:
        """Everybody a matter waits for."""
        near = [
            *(actor for role in todo.waits.roles for actor in self.by_role[role]),
            *(actor for unit in todo.waits.units for actor in self.by_unit[unit]),
            *(actor for person in todo.waits.people for actor in self.by_person[person]),
            *(self.by_account[pk] for pk in todo.waits.accounts if pk in self.by_account),
        ]
        once = {actor.account_id: actor for actor in near}
        return [actor for actor in once.values() if todo.waits.is_for(actor)]

    def leaders(self, todo: Todo) -> list[Actor]:
        """Who hears of it when it is not done."""
        return [actor for person in sorted(todo.waits.leaders) for actor in self.by_person[person]]


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
