"""Accounts on the pages: what one administrator asks another releases; who has left has nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db, transaction
from app.models import Account, Person, TraceEntry
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as

SignIn = Callable[[str], FlaskClient]
Accounts = dict[str, tuple[str, str]]


def everything() -> None:
    act_as(db.session(), SYSTEM)
    db.session.rollback()


def account_of(username: str) -> Account:
    everything()
    found = db.session.scalars(select(Account).where(Account.username == username)).unique().one()
    assert isinstance(found, Account)
    return found


def page(client: FlaskClient, address: str) -> str:
    return client.get(address).get_data(as_text=True)


def test_a_password_for_an_administrator_is_asked_by_one_and_released_by_another(
    app: Flask, sign_in: SignIn, sample: Accounts
) -> None:
    system, security, audit = (sign_in(role) for role in ("system_admin", "security_admin", "audit_admin"))
    target = account_of(sample["security_admin"][0])

    assert system.post(f"/accountview/issue/{target.id}").status_code == 403
    assert system.post(f"/accountview/switch/{target.id}").status_code == 403
    assert account_of(target.username).active
    assert "申请签发密码" in page(system, "/accountview/list/")
    assert system.post(f"/accountview/ask/{target.id}/password").status_code == 302
    assert "已申请" in page(system, "/accountview/list/")
    assert security.post(f"/accountview/issue/{target.id}").status_code == 403, "never his own"
    assert target.username in page(audit, "/accountview/list/")
    assert "等待批准" in page(audit, "/")
    issued = audit.post(f"/accountview/issue/{target.id}")
    assert "k-mono k-b" in issued.get_data(as_text=True), "who releases hands it over, not who asked"
    assert target.username not in page(audit, "/accountview/list/").split("<tbody", 1)[-1].split("</tbody", 1)[0]
    everything()
    verbs = db.session.scalars(select(TraceEntry.verb).where(TraceEntry.target_id == str(target.id))).all()
    assert {"ask_measure", "issue_password"} <= set(verbs)
    refused = db.session.scalars(select(TraceEntry.seq).where(TraceEntry.result == "refused")).all()
    assert len(refused) >= 3


def test_what_was_asked_can_be_declined(app: Flask, sign_in: SignIn, sample: Accounts) -> None:
    leader = account_of(sample["bureau_leader"][0])
    sign_in("system_admin").post(f"/accountview/ask/{leader.id}/disable")

    assert sign_in("audit_admin").post(f"/accountview/decline/{leader.id}").status_code in (302, 403)
    assert account_of(leader.username).asked_measure == "disable"
    sign_in("security_admin").post(f"/accountview/decline/{leader.id}")

    assert (account_of(leader.username).asked_measure, account_of(leader.username).active) == ("", True)


def test_who_has_left_is_out_by_the_day_itself(app: Flask, sign_in: SignIn, sample: Accounts) -> None:
    head = sign_in("unit_head")
    assert head.get("/scoreentryview/list/").status_code == 200
    account = account_of(sample["unit_head"][0])
    with transaction() as work:
        row = work.scalars(select(Person).where(Person.subject_id == account.subject_id)).one()
        row.valid_to = sessions.today() - timedelta(days=1)

    gone = head.get("/scoreentryview/list/")
    assert gone.headers["Location"].startswith("/login/")
    username, password = sample["unit_head"]
    assert app.test_client().post("/login/", data={"username": username, "password": password}).status_code == 200
    assert "人员离职账号" in page(sign_in("system_admin"), "/")
    assert username in page(sign_in("system_admin"), "/accountview/list/?state=left")
    office = page(sign_in("assessment_office"), "/")
    assert "已离开本局" in office


@pytest.mark.parametrize("role", ["system_admin", "security_admin", "audit_admin"])
def test_the_three_see_who_administers_what(sign_in: SignIn, role: str) -> None:
    page = sign_in(role).get("/administrators/").get_data(as_text=True)
    assert "3306" in page
    assert "本系统（安装）" in page
    assert sign_in("assessment_office").get("/administrators/").status_code in (302, 403)
