"""After a leak the audit administrator finds in one page whose data an account has seen or taken out."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select

from app.extensions import db
from app.models import Bureau, Person, ScoreEntry
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as
from app.services.accounts.exposure import exposed
from tests.conftest import account_of
from tests.services.publication.test_bulletin import actor, publish_all

SignIn = Callable[[str], FlaskClient]


def fresh() -> None:
    db.session.rollback()
    act_as(db.session(), SYSTEM)


@pytest.fixture
def published(app: Flask, sample: object) -> None:
    fresh()
    publish_all(db.session.scalars(select(Bureau)).one())


def found_of(username: str) -> dict[str, tuple[int, set[tuple[str, str]]]]:
    fresh()
    today = sessions.today()
    rows = exposed(db.session(), username=username, since=today, until=today, actor=actor("auditor"))
    return {row.code: (row.times, row.ways) for row in rows}


def test_what_is_read_exported_and_downloaded_is_found(
    app: Flask, published: None, sample: dict[str, tuple[str, str]], sign_in: SignIn
) -> None:
    office, username = sign_in("assessment_office"), sample["assessment_office"][0]
    assert found_of(username) == {}

    assert office.get("/scores/2026-02/2103").status_code == 200
    assert found_of(username) == {"2103": (1, {("read", "subject")})}

    fresh()
    entry = db.session.scalars(
        select(ScoreEntry).where(ScoreEntry.no == "KH-202601-0044", ScoreEntry.kind == "fact")
    ).first()
    assert office.get(f"/scoreentryview/export/?no={entry.no}").status_code == 200
    assert found_of(username)["2104"] == (1, {("export", "score_entry")})

    assert office.get("/personview/export/").status_code == 200
    people = set(db.session.scalars(select(Person.subject_id)))
    assert len(found_of(username)) == len(people)
    assert found_of(username)["2103"][0] == 2

    assert office.get("/scores/export?period=2026-02&kind=person").status_code == 200
    assert ("export", "period_score") in found_of(username)["2103"][1]
    assert ("export", "period_score") not in found_of(username)["9001"][1], "an administrator is in no ranking"
    assert found_of(sample["bureau_leader"][0]) == {}, "only what this account did"


def test_a_bulletin_that_was_taken_out_concerns_whoever_is_in_it(
    app: Flask, published: None, sample: dict[str, tuple[str, str]], sign_in: SignIn
) -> None:
    leader, username = sign_in("bureau_leader"), sample["bureau_leader"][0]
    assert leader.get("/bulletinview/file/1/xlsx").status_code == 200

    found = found_of(username)

    assert ("download", "bulletin") in found["2103"][1]
    assert "9001" not in found


def test_the_page_says_it_and_so_does_the_workbook(
    app: Flask, published: None, sample: dict[str, tuple[str, str]], sign_in: SignIn
) -> None:
    sign_in("assessment_office").get("/scores/2026-02/2103")
    audit, today = sign_in("audit_admin"), sessions.today().isoformat()
    asked = f"?username={sample['assessment_office'][0]}&since={today}&until={today}"

    page = audit.get(f"/exposure/{asked}").get_data(as_text=True)
    assert "马骏" in page, page[page.find("<main") :]
    assert "查看 算分说明单" in page
    book = load_workbook(io.BytesIO(audit.get(f"/exposure/export{asked}").data))
    assert [cell.value for cell in book.active[2]][:3] == ["2103", "马骏", 1]
    assert "没有这个用户名" in audit.get(f"/exposure/?username=nobody&since={today}&until={today}").get_data(
        as_text=True
    )
    for since, until in (("", today), (today, ""), ("2026-03-01", "2026-02-01"), ("2020-01-01", today), ("x", "y")):
        text = audit.get(f"/exposure/?username=auditor&since={since}&until={until}").get_data(as_text=True)
        assert "请填写起止日期" in text, (since, until)
    for role in ("assessment_office", "bureau_leader", "system_admin", "security_admin", "staff"):
        assert sign_in(role).get(f"/exposure/{asked}").status_code in (302, 403), role
    assert account_of("auditor") is not None
