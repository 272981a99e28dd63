"""Speed, printed as ratios: settling against SQL written by hand, our list against a stock one.

`python -m tests.bench` is one county; `python -m tests.bench 10` ten of them in one database.
"""

from __future__ import annotations

import contextvars
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from flask_appbuilder import AppBuilder, ModelView
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import select, text

from app.extensions import db, transaction
from app.models import Account, Bulletin, Bureau, PeriodScore, ScoreEntry, Subject
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.security.scope import act_as
from app.services.accounts import grants, passwords
from app.services.publication import drafts
from app.services.scoring import settlement
from app.wording import say
from tests.bench.by_hand import settle_by_hand, totals_by_hand
from tests.bench.county import NOW, fill
from tests.conftest import FAST_HASH, TODAY, initialise, make_app
from tests.servers import postgresql

ROUNDS = 5
PASSWORD = "Tian-qi-hao9"


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median of some rounds, after one to warm up."""
    work()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def settling(app: Flask, label: str) -> None:
    """A month and a year of one county, and one more entry until every rank stands again, against SQL by hand."""
    with app.app_context():
        act_as(db.session(), SYSTEM)
        bureau = fill()
        if db.engine.dialect.name == "postgresql":
            with transaction() as work:
                work.execute(text("ANALYZE"))
        for name in ("2025-06", "2025"):
            period = Period.parse(name)
            assert period is not None
            months = list(period.month_keys)

            def settle(period: Period = period) -> None:
                with transaction() as work:
                    settlement.settle_period(work, work.merge(bureau), period, on=TODAY, actor=SYSTEM, now=NOW)

            ours = seconds(settle, 3)
            floor = seconds(lambda name=name, months=months: settle_by_hand(bureau.id, name, months), 3)
            print(
                f"{label:<11} settle {name:<8} {ours:7.3f} s   SQL by hand {floor:7.3f} s   ratio {ours / floor:5.1f}"
            )
            agree(bureau.id, name)
        one_entry(bureau, label)
        db.session.remove()
        db.engine.dispose()


def agree(bureau_id: int, period: str) -> None:
    """Both ways give the same totals to a hundredth and the same ranks; otherwise the figures mean nothing."""
    by_hand = totals_by_hand(bureau_id, period)
    query = select(PeriodScore.subject_id, PeriodScore.score, PeriodScore.rank).where(
        PeriodScore.bureau_id == bureau_id, PeriodScore.period == period, PeriodScore.indicator_code == ""
    )
    ours = {subject: (float(score), rank) for subject, score, rank in db.session.execute(query)}
    apart = [key for key in ours.keys() | by_hand.keys() if abs(ours[key][0] - by_hand[key][0]) > 0.0051]
    assert not apart, (period, len(apart))
    moved = [key for key in ours if ours[key][1] != by_hand[key][1]]
    print(f"{'':<11} the same totals; ranks differ by a half cent of real numbers: {len(moved)} of {len(ours)}")


def one_entry(bureau: Bureau, label: str) -> None:
    """From one more entry to consistent ranks of its month, quarter and year, as the refreshing jobs do it."""
    periods = [Period.parse(name) for name in ("2025-06", "2025Q2", "2025")]

    def refresh() -> None:
        for period in periods:
            assert period is not None
            with transaction() as work:
                settlement.settle_period(work, work.merge(bureau), period, on=TODAY, actor=SYSTEM, now=NOW)

    took = seconds(refresh, 1)
    month = seconds(
        lambda: settle_by_hand(bureau.id, "2025-06", ["2025-06"]), 3
    )  # fmt: skip
    print(
        f"{label:<11} one entry until month, quarter and year stand {took:6.3f} s   a month by hand {month:6.3f} s   ratio {took / month:5.1f}"
    )


def many(app: Flask, label: str, counties: int) -> None:
    """Several counties in one database, one job each: how time and memory grow."""
    with app.app_context():
        act_as(db.session(), SYSTEM)
        bureaus = [fill(code=f"C{index}", seed=index) for index in range(counties)]
        if db.engine.dialect.name == "postgresql":
            with transaction() as work:
                work.execute(text("ANALYZE"))
        for name in ("2025-06", "2025"):
            period = Period.parse(name)
            assert period is not None
            each = []
            for bureau in bureaus:
                start = time.perf_counter()
                with transaction() as work:
                    settlement.settle_period(work, work.merge(bureau), period, on=TODAY, actor=SYSTEM, now=NOW)
                each.append(time.perf_counter() - start)
            floor = statistics.median(
                seconds(lambda number=it.id, name=name, period=period: settle_by_hand(number, name, list(period.month_keys)), 1)
                for it in bureaus[:3]
            )  # fmt: skip
            whole = sum(each)
            print(
                f"{label:<11} {counties} counties settle {name:<8} {whole:7.1f} s   first {each[0]:6.3f} s, last {each[-1]:6.3f} s"
                f"   one county by hand {floor:6.3f} s   ratio {whole / counties / floor:5.1f}"
                f"   peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:5.0f} MB"
            )
        db.session.remove()
        db.engine.dispose()


def client_of(app: Flask, username: str) -> Callable[[str], None]:
    """A signed-in client whose requests see nothing of this process's context."""
    client = app.test_client()
    contextvars.Context().run(client.post, "/login/", data={"username": username, "password": PASSWORD})

    def get(address: str) -> None:
        answer = contextvars.Context().run(client.get, address)
        assert answer.status_code == 200, (address, answer.status_code)

    return get


def stock(home: Path) -> Flask:
    """A stock FAB application with one list over the same table."""
    os.environ["KAOJI_HOME"] = str(home)
    app = Flask("stock")
    app.config.update(
        SECRET_KEY="x" * 40, SQLALCHEMY_DATABASE_URI=f"sqlite:///{home / 'kaoji.db'}", WTF_CSRF_ENABLED=False,
        FAB_PASSWORD_HASH_METHOD=FAST_HASH, FAB_ADD_SECURITY_API=False,
    )  # fmt: skip
    db.init_app(app)
    with app.app_context():
        act_as(db.session(), SYSTEM)
        builder = AppBuilder(app, db.session)

        class StockView(ModelView):
            datamodel = SQLAInterface(ScoreEntry)
            list_columns = ["no", "occurred_on", "subject", "clause", "points", "registered_by"]
            search_columns = ["no", "occurred_on"]
            add_columns = edit_columns = ["no", "occurred_on"]
            show_columns = ["no", "occurred_on"]

        builder.add_view(StockView, "Stock")
        builder.sm.add_user("stock", "s", "t", "s@t.invalid", builder.sm.find_role("Admin"), PASSWORD)

    @app.before_request
    def unscoped() -> None:
        act_as(db.session(), SYSTEM)

    return app


def lists(app: Flask, home: Path) -> None:
    with app.app_context():
        act_as(db.session(), SYSTEM)
        with transaction() as work:
            account = work.scalars(select(Account).where(Account.username == "bench0")).one()
            passwords.set_password(
                account, passwords.prepare_password(account, PASSWORD, hash_method=FAST_HASH), now=NOW
            )
        db.session.remove()
    copy = home.parent / "stock"
    shutil.copytree(home, copy)
    ours, theirs = client_of(app, "bench0"), client_of(stock(copy), "stock")
    for label, address, other in (
        ("first page", "/scoreentryview/list/?all=1", "/stockview/list/"),
        ("filtered, sorted", "/scoreentryview/list/?from=2025-06-01&sort=occurred_on", "/stockview/list/?_flt_1_occurred_on=2025-06-01&_oc_StockView=occurred_on&_od_StockView=asc"),
    ):  # fmt: skip
        mine, stock_time = seconds(lambda a=address: ours(a), 9), seconds(lambda a=other: theirs(a), 9)
        print(
            f"list over 150,000 rows, {label:<18} ours (scoped) {mine * 1000:6.1f} ms   stock {stock_time * 1000:6.1f} ms   ratio {mine / stock_time:5.2f}"
        )


def results(app: Flask) -> None:
    """The month-end run and the pages of a settled month, each as a ratio to the first page of the ledger."""
    with app.app_context():
        act_as(db.session(), SYSTEM)
        bureau = db.session.scalars(select(Bureau)).one()
        period = Period(2025, 6, 1)

        def month_end() -> None:
            with app.test_request_context(), transaction() as work:
                done = settlement.compute(work, work.merge(bureau), period, on=TODAY)
                draft = drafts.prepare(work, done, say=say)
                settlement.store(work, done, actor=SYSTEM, now=NOW)
                drafts.keep_draft(work, done, draft, actor=SYSTEM, now=NOW)

        whole = seconds(month_end, 3)
        with transaction() as work:
            settle = seconds(
                lambda: settlement.settle_period(work, work.merge(bureau), period, on=TODAY, actor=SYSTEM, now=NOW), 3
            )
        print(f"month end with bulletin {whole:6.3f} s   settling alone {settle:6.3f} s   ratio {whole / settle:5.1f}")
        number = db.session.scalars(select(Bulletin.id)).one()
        with transaction() as work:
            account = work.scalars(select(Account).where(Account.username == "bench0")).one()
            grant = grants.ask_grant(
                work, account, role="assessment_office", unit_id=None, valid_from=None, valid_to=None, batch_id=None,
                actor=SYSTEM, now=NOW,
            )  # fmt: skip
            grants.approve_grant(work, grant, actor=SYSTEM, now=NOW)
        code = db.session.scalars(
            select(Subject.code).where(Subject.kind == "unit").order_by(Subject.code.desc())
        ).first()
        db.session.remove()
    get = client_of(app, "bench0")
    base = seconds(lambda: get("/scoreentryview/list/?all=1"), 9)
    for label, address in (
        ("workbench", "/"),
        ("ranking, units", "/scores/?period=2025-06"),
        ("ranking, people", "/scores/?period=2025-06&kind=person"),
        ("score sheet", f"/scores/2025-06/{code}"),
        ("bulletin draft", f"/bulletinview/show/{number}"),
    ):
        took = seconds(lambda a=address: get(a), 9)
        print(
            f"page {label:<16} {took * 1000:7.1f} ms   first page of the ledger {base * 1000:6.1f} ms   ratio {took / base:5.2f}"
        )


def grow(counties: int) -> None:
    """The same over several counties: 10 are a city, 100 a province (15 million entries; hours, not minutes)."""
    folder = Path(tempfile.mkdtemp(prefix="kaoji-bench-"))
    try:
        home = folder / "home"
        home.mkdir()
        initialise(home)
        app = make_app(home)
        many(app, "SQLite", counties)
        with postgresql() as server:
            initialise(folder / "pg", server.create("bench"))
            other = make_app(folder / "pg", SQLALCHEMY_DATABASE_URI=server.url("bench"))
            many(other, "PostgreSQL", counties)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    if len(sys.argv) > 1:
        grow(int(sys.argv[1]))
        return
    folder = Path(tempfile.mkdtemp(prefix="kaoji-bench-"))
    try:
        home = folder / "home"
        home.mkdir()
        initialise(home)
        app = make_app(home)
        settling(app, "SQLite")
        lists(app, home)
        results(app)
        with postgresql() as server:
            initialise(folder / "pg", server.create("bench"))
            other = make_app(folder / "pg", SQLALCHEMY_DATABASE_URI=server.url("bench"))
            settling(other, "PostgreSQL")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
