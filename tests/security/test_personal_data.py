"""Who signs in for the first time reads which personal data the portal holds; the list names every column there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_appbuilder import Model
from sqlalchemy import func, select

from app.extensions import db
from app.models import TraceEntry
from app.policies.actor import SYSTEM
from app.security.scope import act_as
from app.services.accounts.personal_data import notice

SignIn = Callable[[str], FlaskClient]
# What identifies the row itself, its bureau or its origin.
TECHNICAL = {"id", "bureau_id", "batch_id", "created_by_fk", "changed_by_fk"}


@pytest.mark.parametrize(
    "table", ["ab_user", "person", "posting", "relation", "user_session", "role_grant", "acting_grant"]
)
def test_every_column_about_people_is_listed(table: str) -> None:
    listed = [column for kind in notice().kinds for column in kind.columns.get(table, ())]

    assert sorted(listed) == sorted(set(listed)), "each under one kind"
    assert set(listed) == {column.name for column in Model.metadata.tables[table].columns} - TECHNICAL


def test_tables_about_people_are_all_looked_at() -> None:
    """A new table that says who somebody is names a person, an account or an address; it joins the list above."""
    telling = {"email", "phone", "address", "password", "identity_number", "birth_date", "home_address"}
    found = {
        table.name for table in Model.metadata.tables.values() if telling & {column.name for column in table.columns}
    }
    # The trace holds the address of each act and is listed as a whole; a channel is a machine's address, not a person's.
    assert found <= {"ab_user", "person", "user_session", "trace_entry", "channel", "ab_register_user"}, found


def test_it_comes_up_at_the_first_sign_in_and_not_again(app: Flask, sample: dict[str, tuple[str, str]]) -> None:
    username, password = sample["staff"]
    client = app.test_client()
    answer = client.post("/login/?next=/notificationview/list/", data={"username": username, "password": password})
    assert answer.headers["Location"].startswith("/personal-data/")

    page = client.get(answer.headers["Location"]).get_data(as_text=True)
    assert "姓名、工号、登录名" in page
    assert "不收集身份证号" in page
    assert "我已阅读" in page
    read = client.post("/personal-data/read", data={"next": "/notificationview/list/"})
    assert read.headers["Location"].endswith("/notificationview/list/")
    client.post("/personal-data/read")
    away = client.post("/personal-data/read", data={"next": "https://elsewhere.example/"})
    assert "elsewhere" not in away.headers["Location"]

    act_as(db.session(), SYSTEM)
    assert db.session.scalar(select(func.count(TraceEntry.seq)).where(TraceEntry.verb == "informed")) == 1
    again = client.get("/personal-data/").get_data(as_text=True)
    assert "姓名、工号、登录名" in again
    assert "我已阅读" not in again
    client.post("/logout/")
    answer = client.post("/login/", data={"username": username, "password": password})
    assert not answer.headers["Location"].startswith("/personal-data/")


def test_nobody_reads_it_signed_out(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/personal-data/").status_code == 302
    assert client.post("/personal-data/read").status_code == 302


@pytest.mark.parametrize("role", ["assessment_office", "bureau_leader", "system_admin", "audit_admin"])
def test_everybody_finds_it_in_the_menu(sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    assert 'href="/personal-data/"' in client.get("/").get_data(as_text=True)
    assert client.get("/personal-data/").status_code == 200
