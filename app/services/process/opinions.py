"""Comment, instruct, urge, ask and answer: one piece for tasks, scores, entries and the lines of bulletins.

What is said is never changed; an answer points back to what it answers. Source: mission B11.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Message, RuleViolation
from app.models import Account, Bulletin, Opinion, PeriodScore, ScoreEntry, Subject
from app.policies import opinions as policy
from app.policies.actor import Actor, require
from app.policies.process import Access, Where
from app.policies.processes import ACCESS
from app.policies.scoping import UNSCOPED
from app.rules.numbers import read_whole
from app.rules.periods import Period, spoken
from app.rules.timetable import local_time
from app.services import trace
from app.services.ledger.apportioning import read_parties_of
from app.services.messages import notices
from app.services.messages.notices import accounts_of
from app.services.process.acts import needed

CATEGORY = "opinion"
SAID = {
    "comment": N_("%(name)s has commented on %(item)s."),
    "instruction": N_("%(name)s has given an instruction on %(item)s."),
    "urge": N_("%(name)s urges: %(item)s"),
    "answer": N_("%(name)s has answered on %(item)s."),
    "request": N_("%(name)s asks for your decision: %(item)s"),
    "report": N_("%(name)s reports to you: %(item)s"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """What something is said on: its kind and key in addresses, the record, whose it is, and how it is called."""

    item_type: str
    key: str
    label: Message
    item_id: int | None = None
    period: str = ""
    subject: Subject | None = None
    record: Any = None
    answers: Opinion | None = None

    access: Access | None = None

    @property
    def item(self) -> str:
        """What a message about it is about."""
        if self.access is not None:
            return self.access.item_of(self.key)
        return f"opinions:{self.item_type}:{self.key}"

    @property
    def where(self) -> Where:
        if self.access is not None:
            return self.access.where(self.record)
        return Where(self.item_type, None if self.subject is None else self.subject.id)


FREE = Place("", "", N_("a free request"))


def find_place(session: Session, item_type: str, key: str) -> Place | None:
    """The place of an address, in the scope of the session; None where it is absent or hidden.

    A free request is a place itself: `opinion:7`.
    """
    first, _, code = key.partition("/")
    access = ACCESS.get(item_type)
    if access is not None and _is_number(first) and not code:
        record = session.scalar(select(access.record).where(access.record.id == int(first)))
        if record is not None:
            return Place(item_type, first, _label_of(access, record), record.id, record=record, access=access)
    if item_type == "score_entry" and _is_number(first) and not code:
        entry = session.scalar(select(ScoreEntry).where(ScoreEntry.id == int(first)))
        if entry is not None:
            return Place(item_type, key, N_("entry %(no)s", no=entry.no), entry.id, "", entry.subject, entry)
    if item_type == "opinion" and _is_number(first) and not code:
        asked = session.scalar(select(Opinion).where(Opinion.id == int(first), Opinion.item_type == ""))
        return None if asked is None else Place("", "", FREE.label, answers=asked)
    if item_type in ("score", "bulletin") and Period.parse(first) is not None:
        return _of_period(session, item_type, first, code)
    return None


def _is_number(text: str) -> bool:
    return read_whole(text, least=1, most=2**31 - 1) is not None


def _of_period(session: Session, item_type: str, period: str, code: str) -> Place | None:
    subject = session.scalar(select(Subject).where(Subject.code == code))
    if subject is None:
        return None
    key = f"{period}/{code}"
    if item_type == "score":
        query = select(PeriodScore.subject_id).where(
            PeriodScore.period == period, PeriodScore.subject_id == subject.id, PeriodScore.indicator_code == ""
        )
        if session.scalar(query.limit(1)) is None:
            return None
        return Place(item_type, key, _label_of_period(item_type, period, code), None, period, subject)
    query = select(Bulletin).where(Bulletin.period == period).order_by(Bulletin.version.desc()).limit(1)
    bulletin = session.scalar(query)
    if bulletin is None or subject.kind != "unit":
        return None
    return Place(item_type, key, _label_of_period(item_type, period, code), None, period, subject, bulletin)


def place_of(session: Session, opinion: Opinion) -> Place | None:
    """Where an opinion stands; None where the record is hidden by now."""
    return find_place(session, opinion.item_type, _key(opinion)) if opinion.item_type else FREE


def _key(opinion: Opinion) -> str:
    return (
        f"{opinion.period}/{opinion.subject.code}"
        if opinion.subject is not None and opinion.period
        else str(opinion.item_id)
    )


def addresses_of(session: Session, said: Sequence[Opinion]) -> dict[int, tuple[str, str, Message]]:
    """Kind, key and label of the places of many opinions, by opinion; the hidden are left out. A statement a kind."""
    records = {
        item_type: _those(session, access.record, {it.item_id for it in said if it.item_type == item_type})
        for item_type, access in ACCESS.items()
    }
    entries = _those(session, ScoreEntry, {it.item_id for it in said if it.item_type == "score_entry"})
    found: dict[int, tuple[str, str, Message]] = {}
    for opinion in said:
        key = _key(opinion)
        if opinion.item_id in records.get(opinion.item_type, {}):
            found[opinion.id] = (
                opinion.item_type,
                key,
                _label_of(ACCESS[opinion.item_type], records[opinion.item_type][opinion.item_id]),
            )
        elif opinion.item_type == "score_entry" and opinion.item_id in entries:
            found[opinion.id] = (opinion.item_type, key, N_("entry %(no)s", no=entries[opinion.item_id].no))
        elif opinion.item_type in ("score", "bulletin") and opinion.subject is not None:
            found[opinion.id] = (
                opinion.item_type,
                key,
                _label_of_period(opinion.item_type, opinion.period, opinion.subject.code),
            )
    return found


def _those(session: Session, model: Any, ids: set[int | None]) -> dict[int | None, Any]:
    return {it.id: it for it in session.scalars(select(model).where(model.id.in_(ids))).unique()} if ids else {}


def _label_of(access: Access, record: Any) -> Message:
    return Message("%(text)s", {"text": access.name_of(record)})


def _label_of_period(item_type: str, period: str, code: str) -> Message:
    if item_type == "score":
        return N_("the score of %(code)s in %(period)s", code=code, period=spoken(period))
    return N_("the line of %(code)s in the bulletin of %(period)s", code=code, period=spoken(period))


def opinions_on(session: Session, place: Place) -> Sequence[Opinion]:
    """What was said on a place, newest first."""
    query = select(Opinion).where(Opinion.item_type == place.item_type)
    if place.item_id is not None:
        query = query.where(Opinion.item_id == place.item_id)
    else:
        assert place.subject is not None
        query = query.where(Opinion.period == place.period, Opinion.subject_id == place.subject.id)
    return session.scalars(query.order_by(Opinion.id.desc()).limit(200)).unique().all()


def comment(session: Session, place: Place, content: str, *, actor: Actor, now: datetime) -> Opinion:
    require(policy.may_comment(actor, place.where))
    return say(session, place, "comment", content, concerned(session, place, now), actor=actor, now=now)


def urge(session: Session, place: Place, content: str, *, actor: Actor, now: datetime) -> Opinion:
    """Urge who is responsible; the message reaches heads, clerks and handlers."""
    require(policy.may_urge(actor, place.where))
    return say(session, place, "urge", content, concerned(session, place, now), actor=actor, now=now)


def ask(session: Session, place: Place, kind: str, content: str, *, to: str, actor: Actor, now: datetime) -> Opinion:
    """Ask a leader for a decision, or report to one: on a record, or freely."""
    require(policy.may_ask(actor) and kind in ("request", "report"))
    leader = next((leader for leader in leaders(session, actor, now=now) if leader.code == to), None)
    if leader is None:
        raise RuleViolation(N_("Choose the leader it goes to."), field_name="to")
    if leader.id in actor.selves:
        raise RuleViolation(N_("Nobody asks himself."), field_name="to")
    accounts = accounts_of(session, [leader.id])
    return say(session, place, kind, content, accounts, actor=actor, now=now, to=leader)


def leaders(session: Session, actor: Actor, *, now: datetime) -> list[Subject]:
    """The leaders one may turn to, those in charge of the own unit first."""
    assert actor.bureau_id is not None
    on = local_time(now).date()
    holders = notices.holders(session, actor.bureau_id, "bureau_leader", on=on)
    people = session.scalars(
        select(Subject).join(Account, Account.subject_id == Subject.id).where(Account.id.in_(holders)),
        execution_options=UNSCOPED,
    ).all()
    parties = read_parties_of(session, actor.bureau_id)
    codes = {pk: code for code, pk in parties.ids.items()}
    units = {codes[posted_unit] for posted_unit in actor.posted_units if posted_unit in codes}
    mine = {leader for unit in units for leader in parties.leaders(unit, "", on)}
    return sorted(people, key=lambda it: (it.code not in mine, it.code))


def answer(session: Session, opinion: Opinion, content: str, *, actor: Actor, now: datetime) -> Opinion:
    """Answer what was said; the answer stands at the same place and reaches who said it."""
    place = place_of(session, opinion)
    if place is None:
        raise Conflict(N_("What this was about is no longer in your scope."))
    require(policy.may_answer(actor, opinion, place.where))
    said = say(
        session, place, "answer", content, [it for it in (opinion.said_by_id,) if it is not None], actor=actor,
        now=now, answers=opinion,
    )  # fmt: skip
    opinion.is_answered = True
    session.flush()
    return said


def concerned(session: Session, place: Place, now: datetime) -> set[int]:
    """The accounts that hear what is said on a place: its unit or person, who does it, who assists."""
    where, on = place.where, local_time(now).date()
    subjects = where.assisting if where.subject_id is None else where.assisting | {where.subject_id}
    told = {account for subject in sorted(subjects) for account in notices.concerned(session, subject, on=on)}
    return told | accounts_of(session, where.people)


def say(
    session: Session, place: Place, kind: str, content: str, accounts: Iterable[int], *, actor: Actor,
    now: datetime, to: Subject | None = None, answers: Opinion | None = None,
) -> Opinion:  # fmt: skip
    """Keep what was said, trace it, and send it to those it is for; whether the actor may was asked before."""
    content = needed(content, "content")
    assert actor.bureau_id is not None
    said = Opinion(
        bureau_id=actor.bureau_id, kind=kind, item_type=place.item_type, item_id=place.item_id, period=place.period,
        subject_id=None if place.item_id is not None or place.subject is None else place.subject.id, content=content,
        said_by_id=actor.account_id, said_by=actor.name, said_at=now, to_id=None if to is None else to.id,
        answers_id=None if answers is None else answers.id,
    )  # fmt: skip
    session.add(said)
    session.flush()
    target = said if place.record is None else place.record
    trace.record(session, verb=f"opinion_{kind}", target=target, reason=content, actor=actor, now=now)
    item = place.item if place.item_type else f"opinion:{said.id}"
    label = place.label if place.item_type else Message("%(text)s", {"text": content[:60]})
    notices.say(
        session, sorted(set(accounts) - {actor.account_id}), category=CATEGORY, key=f"opinion:{said.id}",
        text=Message(SAID[kind].msgid, {"name": actor.name, "item": label}), item=item, bureau_id=actor.bureau_id,
        now=now,
    )  # fmt: skip
    return said
