"""A list over 100,000 entries, as a scoped user, filtered and sorted: its queries do not grow with its rows."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import event, select

from app.extensions import db, transaction
from app.models import Account
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.accounts import passwords
from tests.bench.county import fill
from tests.conftest import FAST_HASH, NOW

PASSWORD = "Tian-qi-hao9"


def test_the_ledger_stays_within_thirty_queries(app: Flask) -> None:
    fill(entries=100_000)
    with transaction() as work:
        account = work.scalars(select(Account).where(Account.username == "bench0")).one()
        passwords.set_password(account, passwords.prepare_password(account, PASSWORD, hash_method=FAST_HASH), now=NOW)
    act_as(db.session(), SYSTEM)
    client = app.test_client()
    client.post("/login/", data={"username": "bench0", "password": PASSWORD})
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement))

    for address in (
        "/scoreentryview/list/?from=2025-06-01&to=2025-09-30&kind=fact&clause=扣&sort=-occurred_on&size=100",
        "/scoreentryview/list/?all=1&page=3&sort=no",
    ):
        statements.clear()
        page = client.get(address)
        assert page.status_code == 200
        assert 5 < len(statements) <= 30, len(statements)
        assert page.get_data(as_text=True).count("<tr>") > 20
