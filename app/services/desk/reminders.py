"""Whom a working day reminds of what: the matters that are open, by the rules of the bureau, one digest a person.

Everything is asked of the same matters as the workbench shows (`services.todo`), so nothing is reminded of that is
not open, and the reminder goes to whom the workbench shows it. Source: mission E2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import ActingGrant, Notification, Outbox, ReminderSent, RunLedger
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.processes import EVENTS, PROCESS_RULES, REMINDER
from app.rules.reminders import MOST_REMINDERS, Reminding, falls_on
from app.rules.workdays import WorkCalendar
from app.services.accounts.actors import actors_of_bureau
from app.services.bureau.calendar import work_calendar
from app.services.bureau.rules import rules_of
from app.services.desk.todo import REMINDED, open_matters
from app.services.messages import notices
from app.services.process.waiting import Readers, Todo
from app.services.upsert import insert_once

WHY = "a day reminds everybody it concerns"
SLICE = 400
LONGEST_GAP = timedelta(days=31)
_SENT, _ACTING, _NOTE, _OUT, _RUN = (
    it.__table__ for it in (ReminderSent, ActingGrant, Notification, Outbox, RunLedger)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reminder:
    """One line of somebody's digest: about which matter, by which event, how many working days from its day.

    `is_list` is the line a leader gets about others; `on_behalf` the name of the colleague the reader acts for.
    """

    actor: Actor
    todo: Todo
    event: str
    days: int
    is_list: bool = False
    on_behalf: str = ""

    @property
    def key(self) -> tuple[int | None, str, str, bool, int]:
        return self.actor.account_id, self.todo.mark, self.event, self.is_list, self.days


@dataclass(frozen=True, slots=True)
class Day:
    """A working day of a bureau as the reminders look at it."""

    on: date
    after: date
    calendar: WorkCalendar
    matters: Sequence[Todo]
    actors: Sequence[Actor]


def day_of(session: Session, bureau_id: int, on: date, *, after: date | None = None) -> Day | None:
    """What there is to be reminded of on a day; None on days off.

    `after` is the day up to which people have been reminded; usually the working day before.
    """
    calendar = work_calendar(session, bureau_id)
    if not calendar.is_workday(on):
        return None
    before = calendar.latest(on - timedelta(days=1))
    after = before if after is None else max(min(after, before), on - LONGEST_GAP)
    return Day(
        on, after, calendar, open_matters(session, bureau_id, calendar=calendar, on=on, sources=REMINDED),
        actors_of_bureau(session, bureau_id, on=on),
    )  # fmt: skip


def rules_on(session: Session, bureau_id: int, on: date) -> dict[str, Reminding]:
    """What holds for each event on a day."""
    rules = rules_of(session, bureau_id)
    return {event: rules.read(f"{REMINDER}{event}", on) for event in EVENTS}


def reminders_of(session: Session, bureau_id: int, day: Day, rules: Mapping[str, Reminding]) -> list[Reminder]:
    """Every reminder of a day, before it is looked up what was given already; each person once per matter and event."""
    index = Readers(day.actors)
    unread = _unread(session, day.matters)
    found: dict[tuple[object, ...], Reminder] = {}
    for matter in day.matters:
        if not matter.had_begun(day.on):
            continue
        for event, anchor in matter.events:
            for reminder in _of_event(matter, event, anchor, day, rules[event], index):
                is_seen = EVENTS[event].only_unread and (reminder.actor.account_id, matter.item) not in unread
                if not is_seen:
                    found.setdefault(reminder.key, reminder)
    acting = _substitutes(session, bureau_id, day)
    for reminder in list(found.values()):
        for substitute, name in acting.get(reminder.actor.account_id, ()):
            found.setdefault(
                replace(reminder, actor=substitute).key, replace(reminder, actor=substitute, on_behalf=name)
            )
    return list(found.values())


def _of_event(todo: Todo, event: str, anchor: date, day: Day, rule: Reminding, index: Readers) -> Iterator[Reminder]:
    days = falls_on(rule.days, anchor, after=day.after, on=day.on, calendar=day.calendar)
    if days is not None:
        for actor in index.readers(todo):
            yield Reminder(actor, todo, event, days)
    if rule.leader is None:
        return
    told = falls_on((rule.leader,), anchor, after=day.after, on=day.on, calendar=day.calendar)
    if told is not None:
        for actor in index.leaders(todo):
            yield Reminder(actor, todo, event, told, is_list=True)


def _unread(session: Session, matters: Iterable[Todo]) -> set[tuple[int, str]]:
    """Accounts and items of what was said about returned matters and has not been opened."""
    items = {matter.item for matter in matters if any(EVENTS[event].only_unread for event, _ in matter.events)}
    found: set[tuple[int, str]] = set()
    for part in _slices(sorted(items)):
        query = select(_NOTE.c.account_id, _NOTE.c.item).where(_NOTE.c.read_at.is_(None), _NOTE.c.item.in_(part))
        found |= {(account, item) for account, item in unscoped(session, WHY).execute(query)}
    return found


def _slices(found: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(found), SLICE):
        yield found[first : first + SLICE]


def still_to_give(session: Session, bureau_id: int, reminders: Sequence[Reminder], *, before: date) -> list[Reminder]:
    """Leave out what was given on an earlier day, a second line about one matter, and a third day of it."""
    known: set[tuple[object, ...]] = set()
    counts: dict[tuple[object, object], int] = defaultdict(int)
    columns = (_SENT.c.account_id, _SENT.c.mark, _SENT.c.event, _SENT.c.is_list, _SENT.c.days)
    for part in _slices(sorted({reminder.todo.mark for reminder in reminders})):
        query = select(*columns).where(_SENT.c.bureau_id == bureau_id, _SENT.c.mark.in_(part), _SENT.c.sent_on < before)
        for row in unscoped(session, WHY).execute(query):
            known.add(tuple(row))
            counts[row.account_id, row.mark] += not row.is_list
    found: dict[tuple[object, ...], Reminder] = {}
    for reminder in reminders:
        of_person = (reminder.actor.account_id, reminder.todo.mark)
        if reminder.key not in known and (reminder.is_list or counts[of_person] < MOST_REMINDERS):
            found.setdefault((*of_person, reminder.is_list), reminder)
    return list(found.values())


# the digest ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything one person is reminded of on one day."""

    actor: Actor
    reminders: Sequence[Reminder]

    @property
    def text(self) -> Message:
        """Its heading."""
        late = sum(reminder.todo.is_late for reminder in self.reminders)
        first = self.reminders[0].todo.text
        if late:
            return N_("%(count)s matters to look after, %(late)s of them late: %(first)s", count=len(self.reminders),
                      late=late, first=first)  # fmt: skip
        return N_("%(count)s matters to look after: %(first)s", count=len(self.reminders), first=first)

    @property
    def lines(self) -> list[notices.Line]:
        return [notices.Line(told(reminder), reminder.todo.item, reminder.todo.due_on) for reminder in self.reminders]


def told(reminder: Reminder) -> Message:
    """One line of a digest."""
    text = N_("%(matter)s: %(why)s", matter=reminder.todo.text, why=reminder.todo.why)
    if reminder.is_list:
        text = N_("In your charge, not done yet: %(matter)s", matter=text)
    return N_("For %(name)s: %(matter)s", name=reminder.on_behalf, matter=text) if reminder.on_behalf else text


def digests(reminders: Sequence[Reminder]) -> list[Digest]:
    """One digest a person, what is late first, what is in one's charge last."""
    by_account: dict[int, list[Reminder]] = defaultdict(list)
    for reminder in reminders:
        by_account[reminder.actor.account_id or 0].append(reminder)
    for mine in by_account.values():
        mine.sort(key=lambda it: (it.is_list, it.on_behalf, it.todo.due_on or date.max, it.todo.mark))
    return [Digest(mine[0].actor, mine) for _, mine in sorted(by_account.items())]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run gave: how many digests, and the day up to which nothing is left to be made up for.

    Who has had the digest of the day already gets what came since with the next one: then that is the day before.
    """

    digests: int
    through: date


def send(session: Session, bureau_id: int, day: Day, reminders: Sequence[Reminder], *, now: datetime) -> Sent:
    """Give the day's reminders: one digest a person and day, whatever runs twice."""
    key = f"digest:{day.on.isoformat()}"
    there = set(unscoped(session, WHY).execute(
        select(_OUT.c.account_id).where(_OUT.c.dedup_key == key, _OUT.c.bureau_id == bureau_id)
    ).scalars())  # fmt: skip
    found = digests(reminders)
    fresh = [it for it in found if it.actor.account_id not in there]
    insert_once(
        session, ReminderSent,
        [
            {"bureau_id": bureau_id, "account_id": line.actor.account_id, "mark": line.todo.mark,
             "event": line.event, "is_list": line.is_list, "days": line.days, "sent_on": day.on}
            for it in fresh for line in it.reminders
        ],
        ("account_id", "mark", "event", "is_list", "days"),
    )  # fmt: skip
    letters = [notices.Letter(it.actor.account_id or 0, it.text, "digest:", it.lines) for it in fresh]
    notices.say_each(session, letters, category=notices.DIGEST, key=key, bureau_id=bureau_id, now=now)
    return Sent(len(fresh), day.on if len(fresh) == len(found) else day.after)


def last_day(session: Session, bureau_id: int, *, before: date) -> date | None:
    """The newest day before another on which the reminders of a bureau were given."""
    query = select(func.max(_RUN.c.settled_on)).where(
        _RUN.c.bureau_id == bureau_id, _RUN.c.job == "reminders", _RUN.c.settled_on < before
    )
    found: date | None = unscoped(session, WHY).execute(query).scalar()
    return found


def _substitutes(session: Session, bureau_id: int, day: Day) -> Mapping[int | None, Sequence[tuple[Actor, str]]]:
    """Who acts for whom on the day, by the absent account; with the absent colleague's name."""
    index = Readers(day.actors)
    query = select(_ACTING.c.absent_id, _ACTING.c.substitute_id, _ACTING.c.absent_name).where(
        _ACTING.c.bureau_id == bureau_id, _ACTING.c.ended_at.is_(None), _ACTING.c.valid_from <= day.on,
        _ACTING.c.valid_to >= day.on,
    )  # fmt: skip
    found: dict[int | None, list[tuple[Actor, str]]] = defaultdict(list)
    for absent, substitute, name in unscoped(session, WHY).execute(query.order_by(_ACTING.c.id)):
        if substitute in index.by_account:
            found[absent].append((index.by_account[substitute], name))
    return found


def day_before(session: Session, bureau_id: int, *, today: date) -> date:
    """The newest working day before a day: what a rule is rehearsed on."""
    return work_calendar(session, bureau_id).latest(today - timedelta(days=1))


def rehearse(session: Session, bureau_id: int, event: str, text: str, *, on: date) -> list[Reminder]:
    """What a rule would have sent on a working day, whatever was given really."""
    rule: Reminding = PROCESS_RULES[f"{REMINDER}{event}"].read(text)
    day = day_of(session, bureau_id, on)
    assert day is not None, "a rule is rehearsed on a working day"
    return reminders_of(session, bureau_id, day, {**dict.fromkeys(EVENTS, Reminding()), event: rule})


def preview(session: Session, bureau_id: int, *, on: date) -> list[Reminder]:
    """Who would get what on a day, as matters stand now; none on days off."""
    day = day_of(session, bureau_id, on)
    if day is None:
        return []
    found = reminders_of(session, bureau_id, day, rules_on(session, bureau_id, on))
    return [
        line for digest in digests(still_to_give(session, bureau_id, found, before=on)) for line in digest.reminders
    ]
