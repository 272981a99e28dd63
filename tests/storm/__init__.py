"""Everything killed at random under load: what is left of scores and messages when it has calmed down.

Forty months of twenty units are settled, their bulletins drafted and the office told, in the portal and over a
webhook, while worker children, workers, broker, beat and web die by kill -9. Then every score and message is counted.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select

import config
from app.extensions import db, transaction
from app.models import CalendarDay, ChannelChoice, Clause, Notification, PeriodScore, ProcessRule, RunLedger, Subject
from app.models.ledger import ScoreEntry
from app.policies.actor import SYSTEM, Actor
from app.rules.periods import Period
from app.rules.processes import QUIET
from app.security.scope import act_as
from app.services.jobs import runs as jobs
from app.services.messages import channels
from app.services.workbook import imports
from tests.conftest import Rows, account_of, make_app, workbook
from tests.journeys.conftest import Portal, start
from tests.servers import Broker
from tests.test_run import tree_of
from tests.waiting import pause

PERIODS, UNITS, CODE = 40, 20, "ST"
LAST = Period(2026, 10, 1)
KINDS = ("child", "worker", "broker", "beat", "web")
WEIGHTS = (5, 3, 3, 3, 3)
LONGEST_CALM = 300.0
MONTHS = tuple(str(LAST.shifted(-back)) for back in reversed(range(PERIODS)))


def rows() -> Rows:
    """Twenty branches under one scheme a year, and an office of one."""
    since = "2023-01-01"
    years = sorted({month[:4] for month in MONTHS})
    found: Rows = {
        "units": [{"code": CODE, "name": "风暴局", "kind": "bureau", "from": since}],
        "people": [{"staff_no": "9", "name": "王晓岚", "username": "storm", "category": "staff", "from": since}],
        "postings": [{"staff_no": "9", "unit": CODE, "duty": "member", "from": since}],
        "roles": [{"staff_no": "9", "role": "assessment_office"}, {"staff_no": "9", "role": "staff"}],
        "schemes": [], "indicators": [],
        "clauses": [{"indicator": "A", "code": "A.1", "text": "得分", "effect": "award", "pricing": "given"}],
    }  # fmt: skip
    found["units"] += [
        {"code": f"U{it:02d}", "name": f"第{it}所", "parent": CODE, "kind": "branch", "group": "分局", "order": it,
         "from": since}
        for it in range(UNITS)
    ]  # fmt: skip
    for year in years:
        found["schemes"].append({"code": f"S{year}", "title": f"{year}年方案", "year": int(year), "version": "1",
                                 "subject_kind": "unit", "groups": "分局"})  # fmt: skip
        found["indicators"] += [
            {"scheme": f"S{year}", "code": "T", "title": "总分", "method": "sum"},
            {"scheme": f"S{year}", "code": "A", "parent": "T", "title": "得分", "method": "award"},
        ]
    return found


def points_of(month: int, unit: int) -> Decimal:
    """What a unit got in a month: different in every cell."""
    return Decimal(1 + month * UNITS + unit)


def prepare(url: str, home: Path, hook: int) -> None:
    """Load the bureau and its entries, let the office hear over the webhook at any hour, ask for every month."""
    now = datetime.now(UTC)
    with transaction() as work:
        plan, batch = imports.load_workbook(
            work, workbook(rows()), file_name="storm.xlsx", bureau_code=None, actor=SYSTEM, now=now
        )
        assert batch is not None, [str(it.reason) for it in plan.problems][:3]
    with transaction() as work:
        subjects = dict(work.execute(select(Subject.code, Subject.id)).all())
        bureau = settlement_bureau(work)
        clause = work.scalars(select(Clause)).one()
        work.connection().execute(sa.insert(ScoreEntry.__table__), [
            {"bureau_id": bureau.id, "no": f"N{m}-{u}", "revision": 0, "kind": "fact", "month": month,
             "occurred_on": date.fromisoformat(f"{month}-15"), "clause_id": clause.id, "subject_id": subjects[f"U{u:02d}"],
             "quantity": Decimal(1), "points": points_of(m, u), "value": None, "work_key": "", "attrs": "", "parties": "",
             "remark": "", "share_percent": Decimal(100), "share_divisor": 1, "reason": "", "source": "storm",
             "registered_by": "", "registered_at": now}
            for m, month in enumerate(MONTHS) for u in range(UNITS)
        ])  # fmt: skip
        work.add(
            ProcessRule(bureau_id=bureau.id, key=QUIET, value="", valid_from=date(2020, 1, 1), set_by="x", set_at=now)
        )
        for ahead in range(-1, 3):
            day = now.date() + timedelta(days=ahead)
            work.add(CalendarDay(bureau_id=bureau.id, day=day, kind="workday", name="风暴"))
        admin = Actor(name="管理员", roles=frozenset({"system_admin"}))
        channels.allow(work, "127.0.0.1", str(hook), "", actor=admin, now=now)
        given = {"kind": "webhook", "name": "回调", "address": f"http://127.0.0.1:{hook}/hook", "secret": "storm"}
        channel = channels.keep_channel(
            work, bureau, None, given, key=config.secret("channel_key", home), actor=admin, now=now
        )
        work.add(ChannelChoice(account_id=account_of("storm").id, channel_id=channel.id, wants="all"))
        for month in MONTHS:
            jobs.raise_run(work, bureau_id=bureau.id, scope=CODE, job=jobs.MONTH_END, period=month, now=now)


def settlement_bureau(work: Any) -> Any:
    from app.models import Bureau

    return work.scalars(select(Bureau)).one()


@dataclass
class Result:
    """What is left: kills by kind, and of scores and messages how many are missing, doubled or wrong."""

    stack: str
    seconds: float = 0
    kills: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    most_attempts: int = 0
    calm_after: float = 0
    scores: tuple[int, int, int] = (0, 0, 0)
    portal: tuple[int, int] = (0, 0)
    hook: tuple[int, int] = (0, 0)

    def row(self) -> str:
        """One line of the table in docs/runtime.md."""
        kills = " / ".join(str(self.kills[it]) for it in KINDS)
        marks = ["/".join(map(str, it)) for it in (self.scores, self.portal, self.hook)]
        return (
            f"| {self.stack} | {self.seconds:.0f} s | {kills} | {self.attempts} ({self.most_attempts}) | {marks[0]} "
            f"| {marks[1]} | {marks[2]} | {self.calm_after:.0f} s |"
        )


HEAD = (
    "| stack | storm | killed: child / worker / broker / beat / web | times taken (most of one) "
    "| scores missing/doubled/wrong | in the portal missing/doubled | webhook missing/doubled | calm after |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def processes(home: Path) -> dict[str, list[int]]:
    """What may be killed, by kind; a child of a worker is one whose parent is a worker."""
    commands: dict[int, tuple[str, int]] = {}
    for pid in tree_of(home):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        commands[pid] = (command, parent)
    workers = {pid for pid, (command, _) in commands.items() if "\0worker\0" in command}
    found: dict[str, list[int]] = {it: [] for it in KINDS}
    for pid, (command, parent) in commands.items():
        if pid in workers:
            found["child" if parent in workers else "worker"].append(pid)
        elif "\0beat\0" in command:
            found["beat"].append(pid)
        elif "gunicorn" in command:
            found["web"].append(pid)
        elif "-server" in command and "run.py" not in command:
            found["broker"].append(pid)
    return found


def storm(home: Path, seconds: float, broker: Broker | None, chance: random.Random, result: Result) -> None:
    """Kill at random for a while, and keep asking for months anew so that there is always something to die in."""
    until = time.monotonic() + seconds
    # A little longer where something has not died at all yet.
    while time.monotonic() < until or (len(result.kills) < len(KINDS) and time.monotonic() < until + seconds):
        pause(chance.uniform(0.3, 1.6), "the random pause is the test: what is killed is inside anything")
        alive = processes(home)
        if broker is not None:
            alive["broker"] = [broker.process.pid]
        # Anything that lives; what has not died yet a little sooner.
        odds = [
            weight * (3 if not result.kills[it] else 1) * bool(alive[it])
            for it, weight in zip(KINDS, WEIGHTS, strict=True)
        ]
        if any(odds):
            kind = chance.choices(KINDS, odds)[0]
            if kind == "broker" and broker is not None:
                broker.kill()
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(alive[kind]), signal.SIGKILL)
            result.kills[kind] += 1
        with transaction() as work:
            bureau = settlement_bureau(work)
            for month in chance.sample(MONTHS, 4):
                jobs.ask_again(work, bureau, job=jobs.MONTH_END, period=month, now=datetime.now(UTC))


def is_calm() -> bool:
    """Whether nothing is left to do: no run open, no message waiting."""
    db.session.rollback()
    runs = sa.text("SELECT count(*) FROM run_ledger WHERE status IN ('pending', 'running')")
    outbox = sa.text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
    return not db.session.execute(runs).scalar() and not db.session.execute(outbox).scalar()


def count(result: Result, heard: list[str]) -> None:
    """Compare what is there with what must be: every cell once, every message once."""
    db.session.rollback()
    names = dict(db.session.execute(select(Subject.id, Subject.code)).all())
    cells: Counter[tuple[str, str]] = Counter()
    wrong = 0
    expected = {
        (month, f"U{u:02d}"): points_of(m, u) for m, month in enumerate(MONTHS) for u in range(UNITS)
    }  # fmt: skip
    query = select(PeriodScore.period, PeriodScore.subject_id, PeriodScore.score).where(
        PeriodScore.indicator_code == "", PeriodScore.period.in_(MONTHS)
    )
    for period, subject, score in db.session.execute(query):
        cell = (period, names[subject])
        cells[cell] += 1
        wrong += score != expected.get(cell)
    result.scores = (len(expected.keys() - cells.keys()), sum(it - 1 for it in cells.values()), wrong)
    keys = [f"month-end:{CODE}:{month}" for month in MONTHS]
    told = Counter(db.session.scalars(select(Notification.dedup_key).where(Notification.dedup_key.in_(keys))))
    result.portal = (len(set(keys) - told.keys()), sum(it - 1 for it in told.values()))
    over = Counter(heard)
    result.hook = (PERIODS - len(over), sum(it - 1 for it in over.values()))
    taken = select(RunLedger.fence).where(RunLedger.job == jobs.MONTH_END)
    fences = list(db.session.scalars(taken))
    result.attempts, result.most_attempts = sum(fences), max(fences)


@contextlib.contextmanager
def running(home: Path, url: str | None, broker: Broker | None) -> Iterator[Portal]:
    more = {"KAOJI_LEASE_SECONDS": "6", "KAOJI_TICK_SECONDS": "1", "KAOJI_MODE": "production"}
    if url is not None:
        more["DATABASE_URL"] = url
    if broker is not None:
        more["BROKER_URL"] = broker.url
    portal = start(home, **more)
    try:
        yield portal
    finally:
        portal.stop()


def weather(home: Path, url: str | None, *, seconds: float, hook: Any, seed: int = 1) -> Result:
    """Prepare, storm, wait for the calm, count. `url` None is SQLite with the embedded broker."""
    broker = None if url is None else Broker(home / "own-broker")
    result = Result("SQLite, embedded broker" if url is None else "PostgreSQL, own broker")
    overrides = {} if url is None else {"SQLALCHEMY_DATABASE_URI": url}
    app = make_app(home, **overrides)
    try:
        with app.app_context():
            act_as(db.session(), SYSTEM)
            prepare(url or "", home, hook.port)
            with running(home, url, broker) as portal:
                begun = time.monotonic()
                storm(home, seconds, broker, random.Random(seed), result)
                result.seconds = time.monotonic() - begun
                last = time.monotonic()
                while not is_calm() and time.monotonic() - last < LONGEST_CALM:
                    pause(0.5, "the portal is other processes; their database is all there is to look at")
                assert is_calm(), portal.lines[-60:]
                result.calm_after = time.monotonic() - last
            count(result, list(hook.ids))
            db.session.remove()
            db.engine.dispose()
    finally:
        if broker is not None:
            broker.stop()
    return result


class Hook:
    """A webhook on loopback that keeps the ids of the month ends it hears of."""

    def __init__(self) -> None:
        import http.server

        ids: list[str] = []

        class Ear(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if "2023" in body or "2024" in body or "2025" in body or "2026" in body:
                    ids.append(self.headers["X-Kaoji-Message"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_rest: object) -> None:
                """Say nothing."""

        self.ids = ids
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
        self.port = int(self.server.server_address[1])
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
