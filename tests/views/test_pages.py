"""The pages: who may open what, hidden rows by any door, bad arguments, headers, languages, query budget."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.orm.exc import StaleDataError

from app.extensions import db
from app.models import Account, ScoreEntry, Subject, Target
from app.models.accounts import ROLES
from app.policies.actor import SYSTEM
from app.security.roles import MATRIX
from app.security.scope import act_as

SignIn = Callable[[str], FlaskClient]
OPEN_TO_ALL = {
    "HouseAuthView.login", "HouseAuthView.logout", "language.choose", "static", "appbuilder.static", "health.live",
    "health.ready",
}  # fmt: skip
OWN = {
    "WorkbenchView.index",
    "PasswordView.change",
    "PersonalDataView.page",
    "PersonalDataView.read",
    "SessionsView.mine",
    "SessionsView.end",
}


def ids(model: Any, *where: Any) -> list[int]:
    act_as(db.session(), SYSTEM)
    return list(db.session.scalars(select(model.id).where(*where)))


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """(endpoint, method, address with the numbers of existing rows)."""
    found = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            address = re.sub(r"<(?:\w+:)?(pk|code|filename)>", "1", rule.rule)
            if "<" not in address:
                found.append((rule.endpoint, method, address))
    return found


def test_every_route_is_in_the_matrix_or_named_as_open(app: Flask) -> None:
    """A route that no role's matrix names and that is not named here fails the build."""
    known = {view for row in MATRIX.values() for view in row}

    for endpoint, _, _ in routes(app):
        view = endpoint.partition(".")[0]
        assert endpoint in OPEN_TO_ALL | OWN or view in known or not view.endswith("View"), endpoint


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_exactly_what_the_matrix_says(app: Flask, sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    from app.models import RoleGrant

    act_as(db.session(), SYSTEM)
    account = db.session.scalar(select(Account).where(Account.username == sample_name(client)))
    assert account is not None
    held = set(db.session.scalars(select(RoleGrant.role).where(RoleGrant.account_id == account.id)))
    allowed = {(view, name) for it in held for view, names in MATRIX[it].items() for name in names}
    for endpoint, method, address in routes(app):
        view, _, function = endpoint.partition(".")
        if endpoint in OPEN_TO_ALL | OWN or not view.endswith("View"):
            continue
        answer = client.open(address, method=method)
        may = (view, f"can_{function}") in allowed
        refused = answer.status_code in (403, 404) or (
            answer.status_code == 302 and answer.headers["Location"] in ("/", "http://localhost/")
        )
        assert answer.status_code < 500, (endpoint, method, answer.get_data(as_text=True)[:300])
        assert may or refused, (role, endpoint, method, answer.status_code, answer.headers.get("Location"))


def sample_name(client: FlaskClient) -> str:
    page = client.get("/sessions/").get_data(as_text=True)
    name = re.search(r"k-top-link\">\s*<svg.*?</svg>(.*?)<span", page, re.DOTALL)
    assert name is not None
    act_as(db.session(), SYSTEM)
    wanted = name[1].strip()
    return next(it.username for it in db.session.scalars(select(Account)) if it.get_full_name() == wanted)


def test_without_a_session_only_the_sign_in_page_answers(app: Flask, sample: object) -> None:
    client = app.test_client()
    for endpoint, method, address in routes(app):
        if endpoint in OPEN_TO_ALL or endpoint.endswith("static"):
            continue
        answer = client.open(address, method=method)
        assert answer.status_code in (302, 401, 403, 404, 405), (endpoint, answer.status_code)
        if answer.status_code == 302:
            assert "/login" in answer.headers["Location"], endpoint


def test_a_clerk_gets_nothing_of_another_unit_by_any_door(app: Flask, sign_in: SignIn) -> None:
    hidden = ids(ScoreEntry, ScoreEntry.subject_id == select(Subject.id).where(Subject.code == "B2").scalar_subquery())
    foreign = ids(Target, Target.subject_id == select(Subject.id).where(Subject.code == "B2").scalar_subquery())
    client = sign_in("clerk")

    listed = client.get("/scoreentryview/list/?all=1&size=100").get_data(as_text=True)
    export = client.get("/scoreentryview/export/?all=1")

    assert "KH-2026" in listed
    assert f"共 {listed.count('/scoreentryview/show/') // 2} 条" in listed, "the count is scoped as the rows are"
    assert hidden
    assert all(f'/scoreentryview/show/{pk}"' not in listed for pk in hidden)
    assert b"\xe9\x92\xb1\xe6\xb8\x85" not in export.data
    assert export.headers["Content-Disposition"].isascii()
    for pk in hidden[:5]:
        for door in (f"/scoreentryview/show/{pk}", f"/scoreentryview/edit/{pk}", f"/scoreentryview/reverse/{pk}",
                     f"/scoreentryview/delete/{pk}", f"/api/v1/scoreentry/{pk}", f"/scoreentryview/action/reverse/{pk}"):  # fmt: skip
            for method in ("GET", "POST"):
                answer = client.open(door, method=method)
                assert answer.status_code in (403, 404, 405) or answer.headers.get("Location") == "/", (
                    door,
                    method,
                    answer.status_code,
                )
    for pk in foreign[:3]:
        assert client.get(f"/targetview/show/{pk}").status_code == 404
    absent = client.get("/scoreentryview/show/99999").get_data(as_text=True)
    there = client.get(f"/scoreentryview/show/{hidden[0]}").get_data(as_text=True)
    strip = re.compile(r"事件编号：\w+|nonce=\"[^\"]*\"|value=\"[^\"]*\"")
    assert strip.sub("", absent) == strip.sub("", there)


@pytest.mark.parametrize(
    "query",
    ["page=abc", "page=0", "page=99999999999999999999", "size=1000000", "size=-1", "sort=nosuch", "sort=password", "state=x",
     "from=2026-13-01", "month=zz", "no=" + "x" * 500, "no=%00"],
)  # fmt: skip
def test_bad_arguments_are_refused_in_words(sign_in: SignIn, query: str) -> None:
    client = sign_in("assessment_office")
    page = (
        "unitview"
        if query.startswith(("page", "size", "sort"))
        else "schemeview"
        if query.startswith("state")
        else "scoreentryview"
    )

    answer = client.get(f"/{page}/list/?{query}")

    assert answer.status_code == 400
    assert "事件编号" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "door",
    ["/unitview/show/abc", "/unitview/show/99999999999999999999", "/unitview/show/-1", "/nosuch", "/schemeview/tree/0"],
)
def test_what_is_not_there_is_404_in_chinese(sign_in: SignIn, door: str) -> None:
    answer = sign_in("assessment_office").get(door)

    assert answer.status_code == 404
    assert "不在您的范围内" in answer.get_data(as_text=True)


def test_hidden_columns_can_be_neither_filtered_nor_sorted(sign_in: SignIn) -> None:
    client = sign_in("system_admin")

    for query in ("_flt_0_password=pbkdf2", "password=x", "_oc_AccountView=password&_od_AccountView=asc"):
        assert client.get(f"/accountview/list/?all=1&{query}").status_code == 400
    assert client.get("/accountview/list/?sort=password").status_code == 400


def test_headers_guard_every_answer(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("staff")
    for address in ("/", "/login/", "/nosuch", "/static/css/kaoji.css", "/scoreentryview/list/"):
        with client.get(address) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Referrer-Policy" in headers
    assert client.get("/scoreentryview/list/").headers["Cache-Control"] == "no-store"
    login = app.test_client().post("/login/", data={"username": "x", "password": "y"})
    assert "HttpOnly" in login.headers["Set-Cookie"]
    assert "SameSite=Lax" in login.headers["Set-Cookie"]


def test_an_unknown_host_is_refused(app: Flask) -> None:
    assert app.test_client().get("/login/", headers={"Host": "evil.example"}).status_code == 400


def test_signing_out_ends_the_session_on_the_server(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("staff")
    copy = client.get_cookie("kaoji")
    assert copy is not None
    assert client.get("/logout/").status_code == 405
    client.post("/logout/")

    thief = app.test_client()
    thief.set_cookie("kaoji", copy.value)

    assert "/login" in thief.get("/scoreentryview/list/").headers["Location"]


def test_unsafe_requests_need_their_token(app: Flask, sample: dict[str, tuple[str, str]]) -> None:
    client = app.test_client()
    client.sends_tokens = False  # type: ignore[attr-defined]
    username, password = sample["assessment_office"]
    if True:

        def token() -> str:
            found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login/").get_data(as_text=True))
            assert found is not None
            return found[1]

        assert client.post("/login/", data={"username": username, "password": password}).status_code == 400
        good = {"username": username, "password": password, "csrf_token": token()}
        assert client.post("/login/", data=good).status_code == 302
        for door in ("/unitview/add", "/unitview/delete/1", "/import/upload", "/logout/", "/scoreentryview/reverse/1"):
            answer = client.post(door, data={"reason": "x"})
            assert answer.status_code == 400, door
            assert "表单已过期" in answer.get_data(as_text=True)


def test_get_changes_nothing(app: Flask, sign_in: SignIn) -> None:
    def state() -> dict[str, int]:
        with db.engine.connect() as connection:
            names = [it for it in db.metadata.tables if it not in ("trace_entry", "trace_head", "user_session")]
            return {name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() or 0 for name in names}

    client = sign_in("assessment_office")
    before = state()
    for _, method, address in routes(app):
        if method == "GET":
            client.get(address)

    assert state() == before


def test_english_is_the_second_language(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("staff")
    assert "工作台" in client.get("/").get_data(as_text=True)

    client.post("/language/en")

    assert "Workbench" in client.get("/").get_data(as_text=True)


def test_a_page_stays_within_thirty_queries(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("clerk")
    for address in (
        "/",
        "/scoreentryview/list/?all=1&size=100&sort=no",
        "/unitview/list/",
        "/schemeview/tree/1",
        "/targetview/list/",
    ):
        statements: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_rest: object, found: list[str] = statements) -> None:
            found.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        assert client.get(address).status_code == 200
        event.remove(db.engine, "before_cursor_execute", note)
        assert len(statements) <= 30, (address, len(statements), statements)


def test_text_of_users_is_escaped_everywhere(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    evil = "<script>alert(1)</script>"
    client.post(
        "/unitview/add", data={"code": "X1", "name": evil, "kind": "department", "parent": "__None", "position": "1"}
    )

    page = client.get("/unitview/list/?size=100").get_data(as_text=True)

    assert evil not in page
    assert "&lt;script&gt;" in page


def test_a_record_somebody_else_has_just_changed_is_a_conflict_and_no_fault(
    app: Flask, sign_in: Callable[[str], FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*_: object, **__: object) -> None:
        raise StaleDataError("the version has moved")

    client = sign_in("assessment_office")
    monkeypatch.setattr("app.views.scores.grades.decisions.propose_grades", stale)

    monkeypatch.setattr("app.views.scores.grades.versions.refuse_changed", lambda *_: None)

    answer = client.post("/grades/save", data={"period": "2026Q1", "kind": "unit"})

    assert answer.status_code == 409
