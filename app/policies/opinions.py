"""Who says what on a record, and who reads it: leaders comment, instruct and urge; who is concerned answers.

Source: mission B11.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select, true, tuple_
from sqlalchemy import false as nothing

from app.models import Opinion, PeriodScore, ScoreEntry
from app.policies.actor import Actor
from app.policies.ledger import visible_entries
from app.policies.process import Where
from app.policies.processes import ACCESS
from app.policies.scores import visible_scores


def visible_opinions(actor: Actor) -> ColumnElement[bool]:
    """An opinion is read with the record it is on, an instruction also with the task it became.

    A free request is read by who asked and who was asked.
    """
    if actor.is_system:
        return true()
    if not actor.is_member:
        return nothing()
    mine = Opinion.bureau_id == actor.bureau_id
    asked = Opinion.__table__.alias().c
    to_me = Opinion.answers_id.in_(select(asked.id).where(asked.said_by_id == actor.account_id))
    own = or_(Opinion.said_by_id == actor.account_id, Opinion.to_id.in_(actor.selves), to_me)
    seen = {item_type: access.seen(actor) for item_type, access in ACCESS.items()}
    became = Opinion.task_id.in_(seen["supervised_task"])
    entries = select(ScoreEntry.id).where(visible_entries(actor)).correlate(None)
    on_record = [and_(Opinion.item_type == item_type, Opinion.item_id.in_(keys)) for item_type, keys in seen.items()]
    on_entry = and_(Opinion.item_type == "score_entry", Opinion.item_id.in_(entries))
    of_subject: ColumnElement[bool] = Opinion.item_type.in_(("score", "bulletin"))
    if not actor.sees_bureau:
        scores = select(PeriodScore.subject_id, PeriodScore.period).where(visible_scores(actor)).correlate(None)
        is_own = Opinion.subject_id.in_(actor.own_units | actor.selves)
        of_subject = and_(of_subject, or_(is_own, tuple_(Opinion.subject_id, Opinion.period).in_(scores)))
    return and_(mine, or_(own, became, *on_record, on_entry, of_subject))


def _is_theirs(actor: Actor, where: Where) -> bool:
    """Whether the record is of the actor, of the own unit or of its people.

    Asked of a record that is seen: of somebody who was posted elsewhere on its day, it is not.
    """
    reach = actor.selves | actor.own_units
    return where.subject_id in reach | actor.own_people or not reach.isdisjoint(where.parties)


def _office(where: Where) -> str:
    """The office that keeps what something is said on."""
    access = ACCESS.get(where.item_type)
    return "assessment_office" if access is None else access.office


def may_comment(actor: Actor, where: Where) -> bool:
    """Leaders on everything they see, the offices on what they keep, heads on what is of their unit."""
    if actor.has("bureau_leader"):
        return True
    if actor.has(_office(where)):
        return True
    return actor.has("unit_head") and _is_theirs(actor, where)


def may_instruct(actor: Actor) -> bool:
    return actor.has("bureau_leader")


def may_urge(actor: Actor, where: Where) -> bool:
    return where.is_running and where.item_type != "" and actor.has("bureau_leader", _office(where))


def may_ask(actor: Actor) -> bool:
    """Anybody with a role of the bureau's own work asks or reports upwards."""
    return actor.is_member and not actor.is_system


def may_answer(actor: Actor, opinion: Opinion, where: Where) -> bool:
    """Who was asked, or whom the record concerns; never who said it."""
    if opinion.kind == "answer" or opinion.said_by_id == actor.account_id:
        return False
    if opinion.kind in ("request", "report"):
        return opinion.to_id in actor.selves
    if opinion.kind == "urge" and where.owners:
        return not where.owners.isdisjoint(actor.selves | actor.own_units)
    return _is_theirs(actor, where)
