"""Who acts: the person, the roles in force today, and the units those roles reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.errors import N_, Message, NotPermitted


class Scope(StrEnum):
    """How far an actor sees, for the label of the top bar."""

    NONE = "none"
    OWN = "own"
    UNIT = "unit"
    CHARGE = "charge"
    BUREAU = "bureau"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person, the system, or nobody; plain values, safe to pass anywhere.

    `own_units` are the units where the actor heads or clerks (and what lies below them), `own_people` all who
    were ever posted there, `posted_units` the units of his own postings, `charge_units` those a leader is in
    charge of, `lines` the indicator codes his unit assesses. Who acts for a colleague has the colleague's roles and
    units; `substitute_id` and `substitute_units` are the person and the units he has himself. `relations` are those
    in a declared relation to him or to whom he acts for.
    """

    account_id: int | None = None
    name: str = ""
    username: str = ""
    bureau_id: int | None = None
    subject_id: int | None = None
    substitute_id: int | None = None
    roles: frozenset[str] = frozenset()
    posted_units: frozenset[int] = frozenset()
    own_units: frozenset[int] = frozenset()
    own_people: frozenset[int] = frozenset()
    charge_units: frozenset[int] = frozenset()
    lines: frozenset[str] = frozenset()
    substitute_units: frozenset[int] = frozenset()
    is_acting: bool = False
    relations: frozenset[int] = frozenset()
    is_system: bool = False
    address: str = ""
    session_ref: str = ""
    request_id: str = ""

    @property
    def selves(self) -> frozenset[int]:
        """The people behind the actor: himself, and whom he acts for."""
        return frozenset(it for it in (self.subject_id, self.substitute_id) if it is not None)

    @property
    def own_person(self) -> int | None:
        """The person whose own matters are the actor's to see and sign: who is away lends his roles, not himself."""
        return self.substitute_id if self.is_acting else self.subject_id

    @property
    def stakes(self) -> frozenset[int]:
        """The units whose results touch the actor or whom he acts for: about those others decide."""
        return self.posted_units | self.own_units | self.substitute_units

    def has(self, *roles: str) -> bool:
        return self.is_system or not self.roles.isdisjoint(roles)

    @property
    def sees_bureau(self) -> bool:
        """Whether scores and entries of the whole bureau are open to the actor."""
        return self.has("assessment_office", "bureau_leader")

    @property
    def is_member(self) -> bool:
        """Whether the actor holds one of the seven roles of the bureau's own work."""
        return self.is_system or bool(self.roles & MEMBER_ROLES)

    @property
    def is_administrator(self) -> bool:
        return bool(self.roles & ADMINISTRATOR_ROLES)

    @property
    def scope(self) -> Scope:
        if self.is_administrator:
            return Scope.SYSTEM
        if self.sees_bureau:
            return Scope.BUREAU
        if self.own_units:
            return Scope.UNIT
        return Scope.OWN if self.is_member else Scope.NONE


MEMBER_ROLES = frozenset(
    {
        "bureau_leader",
        "assessment_office",
        "supervision_office",
        "assessor",
        "unit_head",
        "clerk",
        "staff",
    }
)
ADMINISTRATOR_ROLES = frozenset({"system_admin", "security_admin", "audit_admin"})

SYSTEM = Actor(name="system", username="system", is_system=True)
NOBODY = Actor()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the trace."""

    address: str = ""
    session_ref: str = ""
    request_id: str = field(default="")


def require(allowed: bool, message: Message | None = None) -> None:
    """Refuse a verb the actor may not do."""
    if not allowed:
        raise NotPermitted(message or N_("You have no right to do this."))
