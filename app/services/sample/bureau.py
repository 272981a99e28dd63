"""The sample bureau to try things on: loaded as any bureau is, with its months moved so that the last one runs now.

Its past is told by the same verbs as a real one: settled, drafted, signed and published month by month.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.documents.layout import layout
from app.documents.workbook_writer import write_workbook
from app.models import Account, Bulletin, Bureau, Notification, RoleGrant
from app.models.accounts import ROLES
from app.policies.actor import SYSTEM, Actor, Origin
from app.policies.scoping import UNSCOPED
from app.rules.periods import Period, Span
from app.rules.timetable import local_time
from app.services import trace
from app.services.accounts import passwords
from app.services.accounts.actors import actor_of
from app.services.desk import daily_figures
from app.services.messages import notices
from app.services.publication import bulletin, month_end
from app.services.publication import drafts as bulletin_drafts
from app.services.sample import tasks as sample_tasks
from app.services.scoring import settlement
from app.services.scoring.explanation import Say
from app.services.workbook import imports

Printed = tuple[str, str, str]
Rows = dict[str, list[dict[str, Any]]]
FILE = Path(__file__).parents[2] / "data" / "sample.toml"
MOVED = ("units", "people", "postings", "oversight", "roles", "entries")
WITH_PERIOD = ("targets", "external_results")
YEARLY = ("schemes", "indicators", "grade_rules")
PUBLISHED_ON = 8
PAST_FIGURES = 60
_MONTH_IN_NUMBER = re.compile(r"\d{6}")


def read_rows(file: Path) -> Rows:
    """A bureau written as text: the rows of a workbook by sheet."""
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        sheet: [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        for sheet, table in data.items()
        if isinstance(table, dict)
    }


def sample_rows(on: date) -> Rows:
    """The sample bureau as rows of the workbook, moved by whole months; nothing is registered after the day."""
    last = Period.parse(tomllib.loads(FILE.read_text(encoding="utf-8"))["last_month"])
    assert last is not None
    running = Period.month_of(on)
    steps = (running.year - last.year) * 12 + running.first_month - last.first_month
    rows = moved(read_rows(FILE), steps)
    rows["entries"] = [row for row in rows["entries"] if date.fromisoformat(row["occurred_on"]) <= on]
    return rows


def moved(rows: Rows, steps: int) -> Rows:
    """The same bureau some months later: days and periods moved, schemes and yearly targets for each year touched."""
    found: Rows = {sheet: [dict(row) for row in table] for sheet, table in rows.items()}
    for sheet in MOVED:
        found[sheet] = [_moved_days(row, steps) for row in found.get(sheet, [])]
    for sheet in WITH_PERIOD:
        found[sheet] = [{**row, "period": _moved_period(row["period"], steps)} for row in found.get(sheet, [])]
    old = {str(row["year"]) for row in rows["schemes"]}
    years = sorted({row["occurred_on"][:4] for row in found["entries"]} or old)
    for sheet in YEARLY:
        found[sheet] = [_of_year(row, year) for year in years for row in found.get(sheet, [])]
    return found


def _moved_period(text: str, steps: int) -> str:
    period = Period.parse(text)
    assert period is not None
    if period.span is not Span.MONTH:
        return text
    return str(period.shifted(steps))


def _moved_days(row: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Every day of a row moved by whole months; one that the month lacks becomes its last."""
    found = dict(row)
    for name in ("from", "to", "occurred_on"):
        if row.get(name):
            found[name] = moved_day(date.fromisoformat(row[name]), steps).isoformat()
    if "no" in row and steps:
        month = Period.parse(found["occurred_on"][:7])
        found["no"] = _MONTH_IN_NUMBER.sub(str(month).replace("-", ""), row["no"], count=1)
    return found


def moved_day(day: date, steps: int) -> date:
    """A day some months later; a first stays a first and a last day stays a last."""
    before, after = Period.month_of(day), Period.month_of(day).shifted(steps)
    if day == before.last_day:
        return after.last_day
    return after.first_day.replace(day=min(day.day, after.last_day.day))


def _of_year(row: Mapping[str, Any], year: str) -> dict[str, Any]:
    """A row of a scheme under the code of that year."""
    found = dict(row)
    for name in ("code", "scheme"):
        if name in row and re.match(r"\d{4}-", str(row[name])):
            found[name] = year + str(row[name])[4:]
    if "year" in row:
        found["year"] = int(year)
    return found


def load_bureau(session: Session, rows: Rows, *, hash_method: str, now: datetime) -> list[Printed]:
    """Load a bureau by the same import as any other; one account of it per role gets a password."""
    content = write_workbook(layout(), rows)
    plan, batch = imports.load_workbook(
        session, content, file_name="sample.xlsx", bureau_code=None, actor=SYSTEM, now=now
    )
    if batch is None:
        raise RuntimeError(f"the sample bureau has faults: {[str(problem.reason) for problem in plan.problems]}")
    printed = []
    for role, account in _one_for_each_role(session):
        password = trial_password(session, account, hash_method=hash_method, now=now)
        printed.append((account.username, role, password))
    return printed


def load_sample(
    session: Session, *, hash_method: str, say: Say, now: datetime, folder: Path | None = None
) -> list[Printed]:
    """Load the sample bureau with its past; answers the accounts made, none where there were some already.

    `folder` is where files on records are kept; without one the sample has none.
    """
    if session.scalar(select(func.count(Account.id)).select_from(Account), execution_options=UNSCOPED):
        return []
    return make_sample(session, hash_method=hash_method, say=say, now=now, folder=folder)


def make_sample(
    session: Session, *, hash_method: str, say: Say, now: datetime, folder: Path | None = None
) -> list[Printed]:
    """The sample bureau as of a day, whoever has accounts already."""
    today = local_time(now).date()
    printed = load_bureau(session, sample_rows(today), hash_method=hash_method, now=now)
    tell_past(session, on=today, say=say, now=now, folder=folder)
    return printed


def tell_past(session: Session, *, on: date, say: Say, now: datetime, folder: Path | None = None) -> None:
    """Settle the months before the running one, publish all but the last, and settle the running periods."""
    bureau = session.scalars(select(Bureau)).one()
    running = Period.month_of(on)
    months = [running.shifted(-back) for back in range(_months_of_sample() - 1, 0, -1)]
    tasks = sample_tasks.stage_tasks(session, bureau, on=on, folder=folder)
    for month in months:
        tasks.play(month.last_day)
        for period in _end_month(session, bureau, month, say=say):
            if month != months[-1]:
                _publish(session, bureau, period, first=month.last_day + timedelta(days=1))
    tasks.play(on)
    for back in range(PAST_FIGURES):
        daily_figures.record_day(session, bureau.id, on - timedelta(days=back + 1))
    _read_but_newest(session, now=now)
    for text in month_end.running_periods(on):
        now_running = Period.parse(text)
        assert now_running is not None
        settlement.settle_period(session, bureau, now_running, on=on, actor=SYSTEM, now=now)


def _months_of_sample() -> int:
    return len({row["occurred_on"][:7] for row in read_rows(FILE)["entries"]})


def at(day: date, hour: int) -> datetime:
    """An instant of the bureau's working day."""
    return datetime.combine(day, time(hour - 8), UTC)


def _end_month(session: Session, bureau: Bureau, month: Period, *, say: Say) -> list[Period]:
    """What the month-end job does, on the first of the month after; answers the periods that ended."""
    day = month.last_day + timedelta(days=1)
    ended = []
    for text in month_end.ending_periods(str(month)):
        period = Period.parse(text)
        assert period is not None
        done = settlement.compute(session, bureau, period, on=day)
        draft = month_end.prepare(session, done, say=say)
        settlement.store(session, done, actor=SYSTEM, now=at(day, 8))
        month_end.hand_over(session, done, draft, actor=SYSTEM, now=at(day, 8), on=day)
        ended.append(period)
    return ended


def _publish(session: Session, bureau: Bureau, period: Period, *, first: date) -> None:
    """The office submits, a leader signs, the office publishes, in the week that begins with `first`."""
    found = bulletin_drafts.of_period(session, bureau.id, period)
    assert found is not None
    office, leader = (_actor(session, role, on=first) for role in ("assessment_office", "bureau_leader"))
    number = _document_number(period.year, _published(session, bureau) + 1)
    bulletin.edit_bulletin(session, found, number=number, remarks="", actor=office, now=at(first, 9))
    bulletin.submit_bulletin(session, found, actor=office, now=at(first + timedelta(days=3), 9))
    bulletin.sign_bulletin(session, found, opinion="", actor=leader, now=at(first + timedelta(days=5), 10))
    published = first.replace(day=PUBLISHED_ON)
    bulletin.publish_bulletin(session, found, on=published, actor=office, now=at(published, 10))


def _published(session: Session, bureau: Bureau) -> int:
    query = (
        select(func.count(Bulletin.id))
        .select_from(Bulletin)
        .where(Bulletin.bureau_id == bureau.id, Bulletin.checksum != "")
    )
    return session.scalar(query) or 0


def _document_number(year: int, serial: int) -> str:
    """The number of an official document, by the pattern the sample names."""
    pattern: str = tomllib.loads(FILE.read_text(encoding="utf-8"))["document_number"]
    return pattern.format(year=year, serial=serial)


def _actor(session: Session, role: str, *, on: date) -> Actor:
    grant = session.scalars(select(RoleGrant).where(RoleGrant.role == role).order_by(RoleGrant.id).limit(1)).one()
    return replace(actor_of(session, grant.account, on=on, origin=Origin()), bureau_id=grant.bureau_id)


def _read_but_newest(session: Session, *, now: datetime) -> None:
    """What was said about earlier months has been read; the newest draft and the newest bulletin have not."""
    while notices.deliver(session, now=now):
        pass
    bulletins = session.scalars(select(Bulletin).order_by(Bulletin.settled_on.desc(), Bulletin.period)).all()
    drafts = [it for it in bulletins if not it.checksum]
    newest = next(it for it in bulletins if it.checksum)
    item, key = Notification.item, Notification.dedup_key
    unread = item.in_([f"bulletin:{draft.period}" for draft in drafts]) | (key == bulletin.key_of_news(newest.id))
    session.execute(
        update(Notification).where(~unread).values(read_at=now), execution_options={"synchronize_session": False}
    )


def trial_password(session: Session, account: Account, *, hash_method: str, now: datetime) -> str:
    """Give a sample account a random password that needs no change at first sign-in."""
    new = passwords.prepare_single_use(account, hash_method=hash_method)
    passwords.set_password(account, new, now=now)
    trace.record(session, verb="issue_password", target=account, actor=SYSTEM, now=now)
    return new.password


def _one_for_each_role(session: Session) -> Iterator[tuple[str, Account]]:
    """A different person for each role: who holds it with the fewest others."""
    held: dict[Account, set[str]] = {}
    for grant in session.scalars(select(RoleGrant).where(RoleGrant.bureau_id.is_not(None)).order_by(RoleGrant.id)):
        held.setdefault(grant.account, set()).add(grant.role)
    taken: set[int] = set()
    for role in ROLES:
        fitting = [account for account, roles in held.items() if role in roles and account.id not in taken]
        chosen = min(fitting, key=lambda account: (len(held[account]), account.id))
        taken.add(chosen.id)
        yield role, chosen
