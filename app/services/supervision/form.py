"""What was typed for a supervised task, read and checked: every fault at its field, nothing stored on a fault."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message, RuleViolation
from app.models import Clause, Posting, Subject, Unit
from app.models.types import FOREVER
from app.policies.scoping import unscoped
from app.rules.days import read_day
from app.rules.processes import PROCESS_RULES
from app.rules.settings import PRICED, read_code, read_codes, small_whole
from app.rules.workdays import WorkCalendar
from app.services.bureau.calendar import work_calendar
from app.services.bureau.rules import rules_of
from app.services.ledger.apportioning import Parties, read_parties_of

WHY = "names that were typed are looked up in the whole bureau"
SOURCES = ("meeting", "instruction", "document", "other")
LONGEST: Mapping[str, int] = {"source_text": 300, "matter": 300, "demand": 4000}
MOST_STAGES, MOST_UNITS, MOST_DAYS = 12, 60, 366


@dataclass(frozen=True, slots=True)
class StageFacts:
    """A stage as typed: its deadline as a day, or in working days from the hand-over."""

    title: str
    due_on: date
    days: int | None = None


@dataclass(slots=True)
class TypedTask:
    """The facts of a task (subjects by code), and the faults found so far by field."""

    source: str = ""
    source_text: str = ""
    matter: str = ""
    demand: str = ""
    leads: tuple[str, ...] = ()
    assists: tuple[str, ...] = ()
    leaders: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    stages: tuple[StageFacts, ...] = ()
    late_clause: str = ""
    rating_clauses: tuple[str, ...] = ()
    faults: dict[str, Message] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        return not self.faults


@dataclass(frozen=True, slots=True)
class Known:
    """What a typed task is held against: subjects, clauses (line and pricing by code), calendar, division of work.

    `lines` are those of supervision (`lines_of`): a task posts under no other.
    """

    kinds: Mapping[str, str]
    bureau_units: frozenset[str]
    clauses: Mapping[str, tuple[str, str]]
    calendar: WorkCalendar
    parties: Parties
    lines: frozenset[str] = frozenset()


def known_of(session: Session, bureau_id: int, *, on: date) -> Known:
    """Read it: eight statements. Units and people are those in force on the day."""
    rows = unscoped(session, WHY)
    subject, clause, unit = Subject.__table__.c, Clause.__table__.c, Unit.__table__.c
    subjects = rows.execute(select(subject.id, subject.code, subject.kind).where(subject.bureau_id == bureau_id)).all()
    in_force = rows.execute(
        select(unit.subject_id, unit.kind, unit.valid_from, unit.valid_to).where(unit.bureau_id == bureau_id)
    ).all()
    here = {
        pk: kind for pk, kind, first, last in in_force if (first or date.min) <= on <= (last or FOREVER)
    }  # fmt: skip
    kinds = {code: kind for pk, code, kind in subjects if kind == "person" or pk in here}
    bureaus = frozenset(code for pk, code, _ in subjects if here.get(pk) == "bureau")
    clauses = rows.execute(
        select(clause.code, clause.indicator_code, clause.pricing).where(clause.bureau_id == bureau_id)
    )
    return Known(
        kinds, bureaus, {code: (line, pricing) for code, line, pricing in clauses},
        work_calendar(session, bureau_id), read_parties_of(session, bureau_id), lines_of(session, bureau_id, on=on),
    )  # fmt: skip


def lines_of(session: Session, bureau_id: int, *, on: date) -> frozenset[str]:
    """The lines of supervision: those of the clauses that the bureau's rules name; none named leaves all open."""
    rules, clause = rules_of(session, bureau_id), Clause.__table__.c
    named = {
        code
        for key, kind in PROCESS_RULES.items()
        if kind.process == "supervision" and kind.is_clause
        for code in read_codes(rules.text(key, on))
    }
    query = select(clause.indicator_code).where(clause.bureau_id == bureau_id, clause.code.in_(named))
    return frozenset(unscoped(session, WHY).execute(query).scalars()) if named else frozenset()


def read_task(texts: Mapping[str, str], stages: Sequence[tuple[str, str]], *, known: Known, today: date) -> TypedTask:
    """Read what was typed; the last stage is the whole task's deadline, `due`."""
    found = TypedTask(
        source=texts.get("source", ""), source_text=texts.get("source_text", "").strip(),
        matter=texts.get("matter", "").strip(), demand=texts.get("demand", "").strip(),
        leads=read_codes(texts.get("leads", "")), assists=read_codes(texts.get("assists", "")),
        leaders=read_codes(texts.get("leaders", "")), handlers=read_codes(texts.get("handlers", "")),
    )  # fmt: skip
    if found.source not in SOURCES:
        found.faults["source"] = N_("Choose where the task comes from.")
    for name, most in LONGEST.items():
        if len(getattr(found, name)) > most:
            found.faults[name] = N_("At most %(count)s characters.", count=most)
    if not found.matter:
        found.faults["matter"] = N_("This must be filled.")
    _check_subjects(found, known)
    _check_handlers(found, known, today)
    _read_clauses(found, texts, known)
    _read_stages(found, texts.get("due", ""), stages, texts.get("last_stage", ""), known=known, today=today)
    return found


def _check_subjects(found: TypedTask, known: Known) -> None:
    if not found.leads:
        found.faults["leads"] = N_("Name the lead unit, or several that are each handed the task.")
    if len(found.leads) > MOST_UNITS:
        found.faults["leads"] = N_("At most %(count)s units in one act.", count=MOST_UNITS)
    for name, kind in (("leads", "unit"), ("assists", "unit"), ("leaders", "person"), ("handlers", "person")):
        codes = getattr(found, name)
        if len(set(codes)) != len(codes):
            found.faults.setdefault(name, N_("Somebody is named twice."))
        for code in codes:
            if known.kinds.get(code) != kind or code in known.bureau_units:
                is_unit = kind == "unit"
                text = N_("“%(code)s” is no unit.", code=code) if is_unit else N_("“%(code)s” is no person.", code=code)
                found.faults.setdefault(name, text)
    if set(found.leads) & set(found.assists):
        found.faults.setdefault("assists", N_("The lead unit does not assist itself."))
    if set(found.leaders) & set(found.handlers):
        found.faults.setdefault("handlers", N_("The supervising leader is not the handler."))


def _check_handlers(found: TypedTask, known: Known, today: date) -> None:
    """Whoever handles it is posted to a lead unit that day."""
    for code in found.handlers:
        if known.parties.unit_of(code, today) not in found.leads:
            found.faults.setdefault("handlers", N_("“%(code)s” is nobody of a lead unit.", code=code))


def _read_clauses(found: TypedTask, texts: Mapping[str, str], known: Known) -> None:
    try:
        found.late_clause = read_code(texts.get("late_clause", ""))
    except RuleViolation as fault:
        found.faults["late_clause"] = fault.message
    found.rating_clauses = read_codes(texts.get("rating_clauses", ""))
    for name, codes in (("late_clause", read_codes(found.late_clause)), ("rating_clauses", found.rating_clauses)):
        for code in codes:
            if code not in known.clauses:
                found.faults.setdefault(name, N_("“%(code)s” is not known.", code=code))
            elif known.lines and known.clauses[code][0] not in known.lines:
                found.faults.setdefault(name, N_("“%(code)s” is no clause of supervision.", code=code))
    late = known.clauses.get(found.late_clause)
    if late is not None and late[1] not in PRICED:
        found.faults.setdefault("late_clause", N_("A clause that posts by itself has a price of its own."))


def _read_stages(
    found: TypedTask, due: str, stages: Sequence[tuple[str, str]], last_title: str, *, known: Known, today: date
) -> None:
    """The stages in order, each later than the one before; the whole task's deadline is the last one."""
    typed = [(title.strip(), text.strip()) for title, text in stages if title.strip() or text.strip()]
    read: list[StageFacts] = []
    try:
        for title, text in typed:
            if not title or len(title) > 200:
                raise RuleViolation(N_("Every stage has a name."), field_name="stages")
            read.append(_stage(title, text, "stages", known.calendar, today))
        last = _stage(last_title, due, "due", known.calendar, today)
    except RuleViolation as fault:
        found.faults[fault.field_name or "stages"] = fault.message
        return
    if not read or read[-1].due_on != last.due_on:
        read.append(last)
    if len(read) > MOST_STAGES:
        found.faults["stages"] = N_("At most %(count)s stages.", count=MOST_STAGES)
    if any(one.due_on >= other.due_on for one, other in itertools.pairwise(read)):
        found.faults["stages"] = N_("Each stage ends later than the one before, the last with the whole task.")
    found.stages = tuple(read)


def _stage(title: str, text: str, name: str, calendar: WorkCalendar, today: date) -> StageFacts:
    """`2026-04-24`, or `15` working days from the hand-over."""
    if text.isascii() and text.isdigit():
        days = small_whole(text) or 0
        if not 1 <= days <= MOST_DAYS:
            raise RuleViolation(N_("Between 1 and %(count)s working days.", count=MOST_DAYS), field_name=name)
        return StageFacts(title, calendar.after(today, days), days)
    due_on = read_day(text)
    if due_on is None:
        raise RuleViolation(N_("A deadline is a day, 2026-04-24, or a number of working days."), field_name=name)
    if not today <= due_on <= latest_deadline(today):
        raise RuleViolation(N_("A deadline lies between today and five years from now."), field_name=name)
    return StageFacts(title, due_on)


def latest_deadline(today: date) -> date:
    """The last day a deadline may fall on."""
    return date(today.year + 5, 12, 31)


def people_of(session: Session, unit_id: int, *, on: date) -> list[Subject]:
    """Who is posted to a unit on a day, by staff number."""
    here = select(Posting.person_id).where(
        Posting.unit_id == unit_id, Posting.valid_from <= on, Posting.valid_to.is_(None) | (Posting.valid_to >= on)
    )
    return list(session.scalars(select(Subject).where(Subject.id.in_(here)).order_by(Subject.code)))
