"""Who sees and changes the rules: documents, schemes, indicators, clauses, targets, external results.

Rules are readable by everybody of the bureau; targets and external results follow the unit they are of.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, or_, true

from app.models import Clause, Document, ExternalResult, GradeRule, Indicator, Rehearsal, Scheme, SchemeState, Target
from app.policies.actor import Actor


def _of_bureau(actor: Actor, column: object) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    return column == actor.bureau_id if actor.is_member else false()  # type: ignore[return-value]


def visible_documents(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Document.bureau_id)


def visible_schemes(actor: Actor) -> ColumnElement[bool]:
    """Schemes in force are open to all; a draft to the office, leaders, assessing departments and its owner."""
    mine = _of_bureau(actor, Scheme.bureau_id)
    if actor.sees_bureau or actor.has("assessor"):
        return mine
    return mine & ((Scheme.state == SchemeState.IN_FORCE) | Scheme.owner_unit_id.in_(actor.own_units))


def visible_indicators(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Indicator.bureau_id)


def visible_clauses(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, Clause.bureau_id)


def visible_rehearsals(actor: Actor) -> ColumnElement[bool]:
    """What a draft would have done to everybody is for the office and the leaders."""
    if actor.is_system:
        return true()
    return Rehearsal.bureau_id == actor.bureau_id if actor.sees_bureau else false()


def visible_grade_rules(actor: Actor) -> ColumnElement[bool]:
    return _of_bureau(actor, GradeRule.bureau_id)


def _of_subject(actor: Actor, bureau: object, subject: object, indicator: object) -> ColumnElement[bool]:
    if actor.is_system:
        return true()
    if not actor.is_member:
        return false()
    mine = bureau == actor.bureau_id
    if actor.sees_bureau:
        return mine  # type: ignore[return-value]
    reach = actor.own_units | actor.posted_units | ({actor.own_person} - {None})
    return mine & or_(  # type: ignore[operator, no-any-return]
        subject.in_(reach),  # type: ignore[attr-defined]
        indicator.in_(actor.lines),  # type: ignore[attr-defined]
    )


def visible_targets(actor: Actor) -> ColumnElement[bool]:
    return _of_subject(actor, Target.bureau_id, Target.subject_id, Target.indicator_code)


def visible_external_results(actor: Actor) -> ColumnElement[bool]:
    return _of_subject(actor, ExternalResult.bureau_id, ExternalResult.subject_id, ExternalResult.indicator_code)


def may_keep_rules(actor: Actor) -> bool:
    """Documents, drafts, targets and external results are kept by the assessment office."""
    return actor.has("assessment_office")


def may_keep_lines(actor: Actor) -> bool:
    """Clauses and targets: the office, an assessing department for its lines, a head for the unit's own scheme."""
    return may_draft_schemes(actor) or (actor.has("assessor") and bool(actor.lines))


def may_draft_schemes(actor: Actor) -> bool:
    """The office drafts every scheme; the head of a unit those by which the unit assesses its own staff."""
    return actor.has("assessment_office") or (actor.has("unit_head") and bool(actor.own_units))


def may_keep_scheme_of(actor: Actor, owner_unit_id: int | None) -> bool:
    """Whether schemes, indicators and clauses of an owner (None: the bureau itself) are the actor's to keep."""
    if actor.has("assessment_office"):
        return True
    return actor.has("unit_head") and owner_unit_id is not None and owner_unit_id in actor.own_units


def may_edit_scheme(actor: Actor, scheme: Scheme) -> bool:
    """A scheme in force is never edited."""
    return may_keep_scheme_of(actor, scheme.owner_unit_id) and scheme.stage == SchemeState.DRAFT


def may_submit(actor: Actor, scheme: Scheme) -> bool:
    """Who keeps a draft submits it for approval."""
    return may_edit_scheme(actor, scheme)


def may_withdraw(actor: Actor, scheme: Scheme) -> bool:
    """Who keeps a draft takes it back as long as nobody has decided on it."""
    return may_keep_scheme_of(actor, scheme.owner_unit_id) and scheme.stage == "for_approval"


def may_draft_version(actor: Actor, scheme: Scheme) -> bool:
    """Who keeps a scheme begins its next version."""
    return may_keep_scheme_of(actor, scheme.owner_unit_id) and scheme.state == SchemeState.IN_FORCE


def may_put_in_force(actor: Actor, scheme: Scheme) -> bool:
    """A leader decides on a submitted draft, on a unit's own the office, not the unit: in force, or sent back."""
    if scheme.stage != "for_approval":
        return False
    if scheme.owner_unit_id is None:
        return actor.has("bureau_leader")
    return actor.has("assessment_office") and scheme.owner_unit_id not in actor.own_units


def may_rehearse(actor: Actor, scheme: Scheme) -> bool:
    """The office runs a draft over closed months before it goes to the leaders."""
    return actor.has("assessment_office") and scheme.state == SchemeState.DRAFT
