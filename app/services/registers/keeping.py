"""Whose rule it is to keep, and whether it may still change: asked before any row of a register is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import (
    Clause,
    ExternalResult,
    Indicator,
    Oversight,
    Person,
    Posting,
    Relation,
    Scheme,
    SchemeState,
    Target,
    Unit,
)
from app.policies import scheme
from app.policies.actor import Actor, require
from app.policies.free import MOVES_NOTHING, NOT_FREE, free
from app.services.ledger.posting import clause_is_used

NOT_YOURS = N_("These rules are kept by the assessment office or by another unit.")

# Who a row of a register is about.
PARTIES: Mapping[type, tuple[str, ...]] = {
    **dict.fromkeys((Target, ExternalResult, Unit, Person), ("subject",)),
    Posting: ("person",), Oversight: ("leader",), Relation: ("person", "other"),
}  # fmt: skip


def refuse_foreign(session: Session, record: Any, actor: Actor, before: Mapping[str, Any] | None = None) -> None:
    """Refuse targets and results of oneself, and rules that are not the actor's to keep.

    What a head of a unit drafts is the unit's, for its staff.
    """
    if isinstance(record, Target) and not actor.has("assessment_office"):
        require(record.indicator_code in actor.lines, NOT_YOURS)
    refuse_own(record, actor, before)
    if not isinstance(record, Scheme | Indicator | Clause) or actor.has("assessment_office"):
        return
    if isinstance(record, Scheme):
        if record.id is None:
            record.owner_unit_id = min(actor.own_units & actor.posted_units or actor.own_units)
        if record.subject_kind != "person":
            raise RuleViolation(N_("A unit's own scheme assesses its staff."), field_name="subject_kind")
        owners = {record.owner_unit_id}
    elif isinstance(record, Indicator):
        owners = {record.scheme.owner_unit_id}
    elif actor.has("assessor") and record.indicator_code in actor.lines:
        refuse_line_in_force(session, record)
        return
    else:
        with session.no_autoflush:
            query = select(Scheme.owner_unit_id).join(Indicator, Indicator.scheme_id == Scheme.id)
            owners = set(session.scalars(query.where(Indicator.code == record.indicator_code))) or {None}
    require(
        all(scheme.may_keep_scheme_of(actor, owner) for owner in owners),
        NOT_YOURS,
    )


def refuse_own(record: Any, actor: Actor, before: Mapping[str, Any] | None = None) -> None:
    """Refuse what may move the actor's own score: targets, results, group, posting, and who counts as near to him.

    A name, an address or a place in a list moves nothing; a relation may be declared by whom it concerns, and is
    changed or ended by a colleague.
    """
    names = PARTIES.get(type(record), ())
    if not names or (isinstance(record, Relation) and before is None and record.id is None):
        return
    if before is not None and not isinstance(record, Target | ExternalResult):
        # By the attributes, not the columns: a unit picked in a form is written to its column only by the flush.
        moved = {attribute.key for attribute in inspect(record).attrs if attribute.history.has_changes()}
        if moved <= MOVES_NOTHING:
            return
    parties = {getattr(record, f"{name}_id") or getattr(getattr(record, name), "id", None) for name in names}
    parties |= {(before or {}).get(f"{name}_id") for name in names}
    require(free(actor, {party for party in parties if party is not None}), NOT_FREE)


def refuse_moving(session: Session, record: Any, before: Mapping[str, Any], actor: Actor) -> None:
    """Refuse taking a row away from where it was: out of a scheme in force, or from a line that is not the actor's."""
    if isinstance(record, Indicator) and before.get("scheme_id") not in (None, record.scheme.id):
        raise RuleViolation(N_("An indicator stays in its scheme; add it to the other one."), field_name="scheme")
    old_line = before.get("indicator_code")
    if isinstance(record, Clause) and old_line not in (None, record.indicator_code):
        query = select(Scheme.owner_unit_id).join(Indicator, Indicator.scheme_id == Scheme.id)
        owners = set(session.scalars(query.where(Indicator.code == old_line))) or {None}
        require(all(scheme.may_keep_scheme_of(actor, owner) for owner in owners))


def refuse_line_in_force(session: Session, record: Clause) -> None:
    """An assessing department drafts clauses for drafts: under a line that counts already the office writes them."""
    query = select(Scheme).join(Indicator, Indicator.scheme_id == Scheme.id)
    with session.no_autoflush:
        for owner in session.scalars(query.where(Indicator.code == record.indicator_code)).unique():
            if owner.stage != SchemeState.DRAFT:
                raise RuleViolation(
                    N_("The line is in force or submitted: the assessment office writes its clauses."),
                    field_name="indicator_code",
                )


def refuse_frozen(session: Session, record: Any) -> None:
    """A scheme in force, its indicators, and a clause once used are never edited."""
    owner = record if isinstance(record, Scheme) else record.scheme if isinstance(record, Indicator) else None
    if owner is not None and owner.state == SchemeState.IN_FORCE:
        raise RuleViolation(N_("A scheme in force is never edited; a new version is a new code."))
    if owner is not None and owner.stage == "for_approval":
        raise RuleViolation(N_("The scheme is submitted: it is edited only after it was taken back or sent back."))
    with session.no_autoflush:
        if (
            isinstance(record, Clause)
            and record.id is not None
            and clause_is_used(session, record.id, record.bureau_id)
        ):
            raise RuleViolation(N_("A clause that was used is not edited; a new price is a new code."))
