"""Registering one fact by hand: what was typed becomes a checked row, the row an entry with all its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.documents.layout import layout
from app.errors import N_, Conflict, Message, RuleViolation
from app.models import Clause, EntryKind, ScoreEntry, Subject
from app.policies import ledger as policy
from app.policies.actor import Actor, require
from app.policies.free import NOT_FREE, free
from app.policies.postings import was_posted
from app.policies.scoping import unscoped
from app.rules.periods import Period
from app.rules.scoring.apportionment import lacks_person, read_parties, read_shares
from app.rules.scoring.lines import same_work
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import hold_bureau
from app.services.jobs import runs
from app.services.ledger.posting import TO_COME, next_number, parties_in, post_facts
from app.services.messages import notices
from app.services.workbook.book import Book, Check
from app.services.workbook.check_facts import check_facts
from app.services.workbook.rows import DEFAULTS, Row, typed
from app.services.workbook.store import Codes, codes_of, record_of, stored_rows

WHY = "likely doubles are looked for in the whole bureau, and postings of the actor's own units"
PREFIX = "KH"
SHEET = "entries"
NEEDED = ("occurred_on", "clause", "subject", "remark")
NOT_READ = frozenset({"oversight", "postings", "roles", "schemes", "targets", "entries",
                      "external_results", "grade_rules", "calendar", "documents"})  # fmt: skip
LONGEST_NOTE = 2000
_ENTRY = ScoreEntry.__table__


@dataclass(slots=True)
class Typed:
    """What was typed for one fact: values by column of the workbook, and the faults found so far by column."""

    values: dict[str, Any] = field(default_factory=dict)
    evidence: str = ""
    faults: dict[str, Message] = field(default_factory=dict)
    clause: Clause | None = None
    subject: Subject | None = None

    @property
    def is_sound(self) -> bool:
        return not self.faults


def read_fact(session: Session, texts: Mapping[str, str], *, bureau_id: int, actor: Actor, today: date) -> Typed:
    """Read what was typed on the page, and check it as `read_texts` does and by what the page asks beyond."""
    found = read_texts(session, texts, bureau_id=bureau_id)
    _check_rules(session, found, actor)
    on = found.values.get("occurred_on")
    if on is not None and on > today:
        found.faults.setdefault("occurred_on", TO_COME)
    if found.is_sound:
        record = record_to_post(found, codes_of(session, bureau_id), number="-", actor=actor)
        if not free(actor, parties_in(session, bureau_id, record)):
            found.faults["parties"] = NOT_FREE
    return found


def read_texts(session: Session, texts: Mapping[str, str], *, bureau_id: int) -> Typed:
    """Read what was typed, by the types and the check of the workbook; faults stand at their columns."""
    found = Typed(dict(DEFAULTS[SHEET]), texts.get("evidence", "").strip()[:LONGEST_NOTE])
    for column in layout().sheets[SHEET].columns:
        text = texts.get(column.key, "").strip()
        if not text or column.key == "no":
            continue
        try:
            found.values[column.key] = typed(text, column, layout())
        except RuleViolation as fault:
            found.faults[column.key] = fault.message
    for name in NEEDED:
        if name not in found.values and name not in found.faults:
            found.faults[name] = N_("This must be filled.")
    _look_up(session, found, bureau_id)
    codes = codes_of(session, bureau_id)
    rows = stored_rows(session, codes, without=NOT_READ)
    rows[SHEET] = [Row(SHEET, found.values, 1)]
    check = Check(rows)
    check_facts(check, Book(rows))
    for problem in check.problems:
        found.faults.setdefault(problem.column or "clause", problem.reason)
    on = found.values.get("occurred_on")
    if on is not None and Period.parse(str(Period.month_of(on))) is None:
        found.faults.setdefault("occurred_on", N_("This is no valid date; write it as 2026-03-15."))
    return found


def _look_up(session: Session, found: Typed, bureau_id: int) -> None:
    clause, subject = found.values.get("clause"), found.values.get("subject")
    if clause is not None:
        found.clause = session.scalar(select(Clause).where(Clause.bureau_id == bureau_id, Clause.code == clause))
    if subject is not None:
        found.subject = session.scalar(select(Subject).where(Subject.bureau_id == bureau_id, Subject.code == subject))


def _check_rules(session: Session, found: Typed, actor: Actor) -> None:
    """What the page asks beyond the workbook: evidence, somebody answerable, and the right to the line."""
    clause, subject = found.clause, found.subject
    if clause is None or subject is None:
        return
    if clause.evidence_required and not found.evidence:
        found.faults.setdefault("evidence", N_("The clause asks for evidence: say what there is and where it lies."))
    if "parties" not in found.faults and lacks_person(
        read_shares(clause.shares), is_deduction=clause.effect == "deduction", is_unit=subject.kind == "unit",
        named=read_parties(found.values.get("parties", "")),
    ):  # fmt: skip
        found.faults["responsible"] = N_("A deduction under this clause names the person answerable.")
    if not free(actor, {subject.id}):
        found.faults.setdefault("subject", NOT_FREE)
    elif not policy.may_register(
        actor, indicator=clause.indicator_code, subject_id=subject.id, is_of_unit=_is_of_unit(session, found, actor)
    ):
        found.faults.setdefault("clause", N_("The line is assessed by another department or unit."))


def _is_of_unit(session: Session, found: Typed, actor: Actor) -> bool:
    """Whether the subject was posted to a unit of the actor on the day of the fact."""
    day = found.values.get("occurred_on")
    if day is None or found.subject is None:
        return False
    return bool(unscoped(session, WHY).scalar(select(was_posted(found.subject.id, actor.own_units, day))))


def record_to_post(found: Typed, codes: Codes, *, number: str, actor: Actor) -> dict[str, Any]:
    """The row of `score_entry` for a sound fact, without what posting adds."""
    row = Row(SHEET, {**found.values, "no": number}, 1)
    return {**record_of(row, codes), "evidence": found.evidence, "registered_by": actor.name}


def register_entry(
    session: Session, texts: Mapping[str, str], *, bureau_id: int, seen: int, actor: Actor, now: datetime
) -> ScoreEntry | Typed:
    """Post one fact with its parts and tell those concerned; what was typed comes back where it has faults.

    `seen` is the newest entry the page knew: a like one posted since (a second click, or somebody faster) is a
    `Conflict`, so that nothing is registered twice unseen.
    """
    require(policy.may_register_any(actor))
    hold_bureau(session, bureau_id)
    found = read_fact(session, texts, bureau_id=bureau_id, actor=actor, today=local_time(now).date())
    if not found.is_sound:
        return found
    assert found.clause is not None
    assert found.subject is not None
    same = similar_entries(session, found, bureau_id=bureau_id, after=seen)
    if same:
        raise Conflict(N_("Entry %(no)s was registered meanwhile: look at the preview again.", no=same[0]["no"]))
    prefix = f"{PREFIX}-{found.values['occurred_on']:%Y%m}"
    number = next_number(session, bureau_id, prefix)
    record = record_to_post(found, codes_of(session, bureau_id), number=number, actor=actor)
    post_facts(session, bureau_id, [record], source="page", actor=actor, now=now)
    entry = newest_fact(session, bureau_id, number)
    runs.refresh_open(session, bureau_id, now=now)
    trace.record(session, verb="register", target=entry, after=trace.facts_of(entry), actor=actor, now=now)
    tell_concerned(session, [entry], now=now)
    return entry


def newest_fact(session: Session, bureau_id: int, number: str) -> ScoreEntry:
    """The newest attempt at a number."""
    query = select(ScoreEntry).where(
        ScoreEntry.bureau_id == bureau_id, ScoreEntry.no == number, ScoreEntry.kind == EntryKind.FACT
    )
    return session.scalars(query.order_by(ScoreEntry.id.desc()).limit(1)).one()


def similar_entries(session: Session, found: Typed, *, bureau_id: int, after: int = 0) -> Sequence[Mapping[str, Any]]:
    """Live facts that may be the same: same subject and line on the same day, or the same work; oldest first.

    At most 20, of those stored after a number.
    """
    if found.clause is None or found.subject is None or "occurred_on" not in found.values:
        return ()
    again, clause = _ENTRY.alias(), Clause.__table__.c
    reversed_ids = select(again.c.reverses_id).where(again.c.reverses_id.is_not(None))
    is_same = (_ENTRY.c.clause_id == found.clause.id) & (_ENTRY.c.occurred_on == found.values["occurred_on"])
    work_key = found.values.get("work_key")
    if work_key:
        in_line = select(clause.id).where(
            clause.bureau_id == bureau_id, clause.indicator_code == found.clause.indicator_code
        )
        is_same |= _ENTRY.c.clause_id.in_(in_line) & _ENTRY.c.work_key.in_(_alike(session, found.subject.id, work_key))
    query = select(_ENTRY.c.id, _ENTRY.c.no, _ENTRY.c.occurred_on, _ENTRY.c.remark, _ENTRY.c.work_key).where(
        _ENTRY.c.bureau_id == bureau_id, _ENTRY.c.kind == EntryKind.FACT, _ENTRY.c.subject_id == found.subject.id,
        _ENTRY.c.id.not_in(reversed_ids), _ENTRY.c.id > after, is_same,
    )  # fmt: skip
    rows = unscoped(session, WHY).execute(query.order_by(_ENTRY.c.id).limit(20)).mappings()
    return [dict(row) for row in rows]


def _alike(session: Session, subject_id: int, work_key: str) -> list[str]:
    """The names of a subject's works that differ from one only in case, width, spaces and punctuation."""
    wanted = same_work(work_key)
    query = select(_ENTRY.c.work_key).where(_ENTRY.c.subject_id == subject_id, _ENTRY.c.work_key != "").distinct()
    return [work for work in unscoped(session, WHY).execute(query).scalars() if same_work(work) == wanted]


def tell_concerned(session: Session, facts: Sequence[ScoreEntry], *, now: datetime) -> None:
    """Tell the people an entry is about, and the heads and clerks of the units, that it was registered."""
    ids = [fact.id for fact in facts]
    parts = session.scalars(select(ScoreEntry).where(ScoreEntry.fact_id.in_(ids))).all()
    on = local_time(now).date()
    for entry in (*facts, *parts):
        accounts = notices.concerned(session, entry.subject_id, on=on)
        notices.say(
            session, accounts, category="ledger", key=f"registered:{entry.id}",
            text=N_("Entry %(no)s was registered: %(text)s", no=entry.no, text=entry.clause.text),
            item=f"entry:{entry.id}", bureau_id=entry.bureau_id, now=now,
        )  # fmt: skip
