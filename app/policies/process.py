"""What every process shares: what others know of it, and who sees its rules and saved searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false, or_, select, true

from app.models import ActingGrant, ProcessRule, SavedFilter
from app.policies.actor import Actor


@dataclass(frozen=True, slots=True)
class Where:
    """What something is said about, as far as rights go: which kind of record, whose it is, and whether it runs.

    `parties` have a part in it, `owners` do it: an urge is answered by them alone; `assisting` units are told too.
    """

    item_type: str
    subject_id: int | None
    parties: frozenset[int] = frozenset()
    owners: frozenset[int] = frozenset()
    is_running: bool = True
    assisting: frozenset[int] = frozenset()

    @property
    def people(self) -> frozenset[int]:
        """Who does it beside the unit itself."""
        return self.owners - {self.subject_id}


@dataclass(frozen=True, slots=True)
class Access:
    """A process as those know it that serve all processes: its files, what is said on it, who keeps its rules."""

    record: type[Any]
    noun: str  # what a message about a record is about: `task:7`
    keepers: tuple[str, ...]  # roles that set its rules; the first is the office that keeps the process
    visible: Callable[[Actor], ColumnElement[bool]]
    mine: Callable[[Actor], ColumnElement[bool]]  # what the actor's units do, or he does
    where: Callable[[Any], Where]
    name_of: Callable[[Any], str]  # how a record is called in a sentence
    loaded: tuple[Any, ...] = ()  # what `where` reads of a record

    @property
    def office(self) -> str:
        return self.keepers[0]

    def seen(self, actor: Actor) -> Any:
        """The keys of the records the actor sees."""
        return select(self.record.id).where(self.visible(actor)).correlate(None)

    def of_mine(self, actor: Actor) -> Any:
        """The keys of the records whose doing is the actor's."""
        return select(self.record.id).where(self.mine(actor))

    def item_of(self, key: int | str | None) -> str:
        return f"{self.noun}:{key}"


def visible_rules(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return ProcessRule.bureau_id == actor.bureau_id if actor.is_member else false()


def visible_national_days(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.is_system or actor.is_member or actor.has("system_admin") else false()


def visible_submissions(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.is_system else false()


def visible_filters(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return SavedFilter.account_id == actor.account_id if actor.account_id is not None else false()


def visible_acting(actor: Actor) -> ColumnElement[bool]:
    """Grants of the own person on either side; the offices see all of the bureau."""
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = ActingGrant.bureau_id == actor.bureau_id
    if actor.has("assessment_office", "bureau_leader"):
        return mine
    return mine & or_(ActingGrant.absent_id == actor.account_id, ActingGrant.substitute_id == actor.account_id)


def may_set_acting(actor: Actor, absent_id: int) -> bool:
    """The colleague himself, or the assessment office; nobody while acting for somebody."""
    if actor.substitute_id is not None:
        return False
    return actor.is_member and (actor.account_id == absent_id or actor.has("assessment_office"))


def may_end_acting(actor: Actor, grant: ActingGrant) -> bool:
    return grant.ended_at is None and may_set_acting(actor, grant.absent_id)
