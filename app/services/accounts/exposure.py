"""Whose personal data an account has opened or taken out in a stretch of time, out of the trace.

For the duty to tell those concerned after a leak. Source: trust demand PI-12; Personal Information Protection Law of
the PRC, article 57; Data Security Law, article 29.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Bulletin, Person, ScoreEntry, Subject, TraceEntry
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.timetable import instant_of
from app.services.accounts.accounts import account_named

WHY = "whom a leak concerns is asked about the whole bureau; who may ask was asked before"
TAKES = ("read", "export", "download")
# What a record says of whose data it holds, by the names of its columns.
TELLING = ("subject_id", "person_id", "leader_id", "other_id")
LONGEST_DAYS = 366


@dataclass(slots=True)
class Exposed:
    """One person: how often his data were opened or taken out, from when to when, and in which ways."""

    code: str
    name: str
    times: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    ways: set[tuple[str, str]] = field(default_factory=set)


def subjects_in(records: Iterable[Any]) -> list[int]:
    """The ids of the subjects some records are about; units among them are left out when the question is asked."""
    found = {getattr(record, name, None) for record in records for name in TELLING}
    return sorted(subject for subject in found if isinstance(subject, int))


def exposed(session: Session, *, username: str, since: date | None, until: date | None, actor: Actor) -> list[Exposed]:
    """The people whose data an account read, exported or downloaded from one day to another, most often first.

    Raises `RuleViolation` at the field for an unknown name or a stretch that is none or longer than a year.
    """
    require(actor.has("audit_admin"))
    account = account_named(session, username)
    if account is None or (actor.bureau_id is not None and account.bureau_id != actor.bureau_id):
        raise RuleViolation(N_("Nobody has this user name."), field_name="username")
    if since is None or until is None or not since <= until <= since + timedelta(days=LONGEST_DAYS):
        raise RuleViolation(
            N_("From one day to another, at most a year."), field_name="since" if since is None else "until"
        )
    begin, end = (instant_of(datetime.combine(day, time())) for day in (since, until + timedelta(days=1)))
    acts = session.scalars(
        select(TraceEntry)
        .where(
            TraceEntry.actor_id == account.id,
            TraceEntry.verb.in_(TAKES),
            TraceEntry.at >= begin,
            TraceEntry.at < end,
            TraceEntry.result == "success",
        )
        .order_by(TraceEntry.seq)
    ).all()
    people = _people(session, account.bureau_id)
    touched = _touched(session, acts, people)
    found: dict[int, Exposed] = {}
    for act in acts:
        for subject in touched[act.seq]:
            row = found.setdefault(subject, Exposed(*people[subject]))
            row.times += 1
            row.first_at = row.first_at or act.at
            row.last_at = act.at
            row.ways.add((act.verb, act.target_type))
    return sorted(found.values(), key=lambda row: (-row.times, row.code))


def _people(session: Session, bureau_id: int | None) -> dict[int, tuple[str, str]]:
    """Code and newest name of every person of a bureau by subject id."""
    query = (
        select(Subject.id, Subject.code, Person.name)
        .join(Person, Person.subject_id == Subject.id)
        .where(Subject.bureau_id == bureau_id)
        .order_by(Person.valid_from, Person.id)
    )
    return {key: (code, name) for key, code, name in unscoped(session, WHY).execute(query)}


def _touched(
    session: Session, acts: Iterable[TraceEntry], people: Mapping[int, tuple[str, str]]
) -> dict[int, set[int]]:
    """By act, the people whose data it showed: the record itself, the list that was taken, or the whole bureau."""
    acts = list(acts)
    by_code = {code: key for key, (code, _name) in people.items()}
    entries = _ids(acts, "score_entry")
    query = select(ScoreEntry.id, ScoreEntry.subject_id).where(ScoreEntry.id.in_(entries))
    about: dict[int, int] = dict(unscoped(session, WHY).execute(query).all())
    printed = {
        key: {by_code[row["subject"]] for row in json.loads(results) if row["subject"] in by_code}
        for key, results in unscoped(session, WHY).execute(
            select(Bulletin.id, Bulletin.results).where(Bulletin.id.in_(_ids(acts, "bulletin")))
        )
    }
    found: dict[int, set[int]] = {}
    for act in acts:
        target = int(act.target_id) if act.target_id.isdigit() else 0
        if act.target_type == "bureau":
            touched = set(people)
        elif act.target_type == "bulletin":
            touched = printed.get(target, set())
        elif act.target_type == "score_entry" and target:
            touched = {about.get(target, 0)}
        elif act.target_type == "subject":
            touched = {target}
        else:
            touched = set(json.loads(act.after or "{}").get("subjects", ()))
        found[act.seq] = touched & set(people)
    return found


def _ids(acts: Iterable[TraceEntry], target_type: str) -> list[int]:
    return [int(act.target_id) for act in acts if act.target_type == target_type and act.target_id.isdigit()]
