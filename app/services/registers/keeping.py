"""Whose rule it is to keep, and whether it may still change: asked before any row of a register is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Clause, ExternalResult, Indicator, Scheme, SchemeState, Target
from app.policies import scheme
from app.policies.actor import Actor, require
from app.policies.free import NOT_FREE, free
from app.services.ledger.posting import clause_is_used

NOT_YOURS = N_("These rules are kept by the assessment office or by another unit.")


def refuse_foreign(session: Session, record: Any, actor: Actor, before: Mapping[str, Any] | None = None) -> None:
    """Refuse targets and results of oneself, and rules that are not the actor's to keep.

    What a head of a unit drafts is the unit's, for its staff.
    """
    if isinstance(record, Target) and not actor.has("assessment_office"):
        require(record.indicator_code in actor.lines, NOT_YOURS)
    if isinstance(record, Target | ExternalResult):
        moved_from = (before or {}).get("subject_id")
        subject = record.subject_id or record.subject.id
        require(free(actor, {subject, subject if moved_from is None else moved_from}), NOT_FREE)
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
