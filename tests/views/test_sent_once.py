"""Every form is sent once, and no form overwrites what somebody else has saved meanwhile: all of them, by one rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app.extensions import db
from app.models import Account, RoleGrant, TraceEntry
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.process import submissions
from app.views.shell.base import HouseView
from app.views.shell.register_view import RegisterView

SignIn = Callable[[str], FlaskClient]

# Nobody's form, or one that changes nothing but the session's own cookie.
OUTSIDE = frozenset({"HouseAuthView.login", "HouseAuthView.logout", "language.choose"})
# What a request leaves besides its act: its session's stamp, the refusal.
ASIDE = frozenset({"trace_entry", "trace_head", "account_session", "submission"})


UNIT = {"code": "66", "name": "法规科", "kind": "department", "group_name": "机关", "position": "6", "parent": "__None"}


def stored(name: str) -> list[str]:
    return [str(row) for row in db.session.execute(text(f'SELECT * FROM "{name}" ORDER BY 1')).all()]


def everything() -> dict[str, list[str]]:
    act_as(db.session(), SYSTEM)
    db.session.rollback()
    names = db.session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
    return {name: stored(name) for name in names if name not in ASIDE}


@pytest.mark.parametrize("role", ["assessment_office", "bureau_leader", "supervision_office", "system_admin", "clerk"])
def test_a_form_sent_a_second_time_changes_nothing_whichever_it_is(app: Flask, sign_in: SignIn, role: str) -> None:
    client, key = sign_in(role), submissions.new_key()
    read_all = next(it.rule for it in app.url_map.iter_rules() if it.endpoint.endswith(".read_all"))
    first = client.post(read_all, data={"once": key})
    assert first.status_code == 302
    routes = [it for it in app.url_map.iter_rules() if "POST" in (it.methods or ()) and it.endpoint not in OUTSIDE]
    assert len(routes) > 60

    before = everything()
    for route in routes:
        values = {name: 1 if name != "period" else "2026-03" for name in route.arguments}
        with app.test_request_context():
            address = app.url_map.bind("localhost").build(route.endpoint, values)
        data = {"once": key, "reason": "再次发送", "content": "再次发送", "on": "0", "subject": "03", "role": "clerk"}
        answer = client.post(address, data=data)
        assert answer.status_code < 500, (route.endpoint, answer.status_code)
        after = everything()
        assert {name for name in after if after[name] != before[name]} == set(), route.endpoint


def test_a_form_without_its_key_is_refused(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")

    answer = client.post("/unitview/add", data={**UNIT, "once": ""})

    assert "表单已过期" in answer.get_data(as_text=True)


def test_eleven_equal_requests_for_a_role_make_one(app: Flask, sign_in: SignIn) -> None:
    admin, key = sign_in("system_admin"), submissions.new_key()
    form = {"username": "majun", "role": "assessor", "valid_from": "2026-01-01", "valid_to": ""}

    for _ in range(11):
        admin.post("/rolegrantview/ask", data={**form, "once": key})

    act_as(db.session(), SYSTEM)
    db.session.rollback()
    query = select(RoleGrant).join(RoleGrant.account).where(Account.username == "majun", RoleGrant.role == "assessor")
    assert len(db.session.scalars(query).unique().all()) == 1


def test_a_refused_form_may_be_sent_again(app: Flask, sign_in: SignIn) -> None:
    client, key = sign_in("assessment_office"), submissions.new_key()

    refused = client.post("/unitview/add", data={**UNIT, "code": "01", "once": key})
    sent = client.post("/unitview/add", data={**UNIT, "once": key})

    assert (refused.status_code, sent.status_code) == (200, 302)


def test_no_register_overwrites_what_was_saved_meanwhile(app: Flask, sign_in: SignIn) -> None:
    views = [it for it in app.appbuilder.baseviews if isinstance(it, RegisterView)]
    assert len(views) >= 9
    tried = 0
    for view in views:
        act_as(db.session(), SYSTEM)
        db.session.rollback()
        record = next((it for it in db.session.scalars(select(view.model)).unique() if _is_open(view, it)), None)
        for role in ("assessment_office", "system_admin"):
            client = sign_in(role)
            if record is None or client.get(f"{view.route_base}/edit/{record.id}").status_code != 200:
                continue
            tried += 1
            before = everything()
            fields = {name: value for name, value in _facts(record).items() if value is not None}
            page = client.post(f"{view.route_base}/edit/{record.id}", data={**fields, "seen": "0" * 16})
            assert page.status_code == 200, view
            assert everything() == before, view
            assert 'value="0000000000000000"' in page.get_data(as_text=True), "still drawn from what it was"
            break
    assert tried >= 5


def _is_open(view: HouseView, record: object) -> bool:
    return not isinstance(record, TraceEntry) and view.model is type(record)


def _facts(record: object) -> dict[str, object]:
    return {column.name: getattr(record, column.name) for column in record.__table__.columns}  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["/taskview/list/?nosuch=1", "/scoreentryview/list/?month=2026-03&State=x"])
def test_an_unknown_name_in_a_query_is_said_and_does_not_find_everything(
    app: Flask, sign_in: SignIn, address: str
) -> None:
    answer = sign_in("assessment_office").get(address)

    assert answer.status_code == 400
    assert "筛选" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "address",
    ["/scores/2026-03/1001", "/opinionview/on/?item=score:2026-03/1001", "/opinionview/on/?item=score_entry:1"],
)
def test_what_is_hidden_is_not_there_and_the_refusal_is_recorded(app: Flask, sign_in: SignIn, address: str) -> None:
    client = sign_in("staff")
    act_as(db.session(), SYSTEM)
    before = db.session.scalars(select(TraceEntry.seq).where(TraceEntry.result == "refused")).all()

    assert client.get(address).status_code == 404

    act_as(db.session(), SYSTEM)
    db.session.rollback()
    after = db.session.scalars(select(TraceEntry.seq).where(TraceEntry.result == "refused")).all()
    assert len(after) == len(before) + 1
