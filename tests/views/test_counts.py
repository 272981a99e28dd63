"""Every figure on a page is the count of the list behind it, for everybody; nobody counts what he may not see."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import lxml.html
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models.accounts import ROLES
from tests.conftest import let_go, make_app

SECRET = "绝密"


@pytest.fixture(scope="module")
def portal(
    sample_template: tuple[Path, dict[str, tuple[str, str]]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The sample bureau, with the real hash of its passwords."""
    home = tmp_path_factory.mktemp("counts") / "home"
    shutil.copytree(sample_template[0], home)
    app = make_app(home, FAB_PASSWORD_HASH_METHOD="scrypt:131072:8:1")
    yield app
    with app.app_context():
        let_go(app)


@pytest.fixture(scope="module")
def visit(portal: Flask, sample_template: tuple[Path, dict[str, tuple[str, str]]]) -> Callable[[str], FlaskClient]:
    known: dict[str, FlaskClient] = {}

    def client_of(role: str) -> FlaskClient:
        if role not in known:
            username, password = sample_template[1][role]
            known[role] = portal.test_client()
            answer = known[role].post("/login/", data={"username": username, "password": password})
            assert answer.status_code == 302
        return known[role]

    return client_of


def page_of(client: FlaskClient, address: str) -> lxml.html.HtmlElement:
    answer = client.get(address, follow_redirects=True)
    assert answer.status_code == 200, (address, answer.status_code)
    return lxml.html.fromstring(answer.get_data(as_text=True))


def total_of(page: lxml.html.HtmlElement) -> int:
    """How many rows a list says it has, and has: counted over its pages."""
    said = re.search(r"共\s*([\d,]+)\s*条", page.text_content())
    if said is None:
        return len(page.cssselect("table.k-table tbody tr"))
    return int(said[1].replace(",", ""))


def rows_of(client: FlaskClient, address: str) -> int:
    """The rows of a list themselves, all of its pages."""
    found, page = 0, 1
    while True:
        joint = "&" if "?" in address else "?"
        rows = page_of(client, f"{address}{joint}size=100&page={page}").cssselect("table.k-table tbody tr")
        found += len([row for row in rows if not row.cssselect(".k-empty")])
        if len(rows) < 100:
            return found
        page += 1


@pytest.mark.parametrize("role", ROLES)
def test_the_figures_of_searches_and_first_page_are_the_rows_behind_them(
    visit: Callable[[str], FlaskClient], role: str
) -> None:
    client = visit(role)
    checked = 0
    for address in ("/taskview/list/?all=1", "/"):
        answer = client.get(address)
        if answer.status_code == 403:
            continue
        page = lxml.html.fromstring(answer.get_data(as_text=True))
        for link in page.cssselect(".k-chips a.k-chip, .k-strip a"):
            figure = re.search(r"(\d[\d,]*)\s*$", " ".join(link.text_content().split()))
            if figure is None or not link.get("href", "").startswith(("/", "?")):
                continue
            target = link.get("href")
            said = int(figure[1].replace(",", ""))
            assert said == rows_of(client, target), (role, target, said)
            checked += 1
    assert checked or role.endswith("_admin"), "there are figures to look at"


@pytest.mark.parametrize("role", ["staff", "clerk", "unit_head", "assessor"])
def test_a_kept_search_is_no_oracle(visit: Callable[[str], FlaskClient], role: str) -> None:
    """A word of a task that one may not see counts nothing, in the kept search as in the list."""
    office, client = visit("supervision_office"), visit(role)

    def matters(of: FlaskClient) -> set[str]:
        links = page_of(of, "/taskview/list/?all=1&size=100").cssselect("tbody tr a[href*='/taskview/show/']")
        return {" ".join(link.text_content().split()) for link in links}

    hidden = sorted(matters(office) - matters(client))
    assert hidden
    word = next(it for it in hidden if "未编号" not in it)[:12]
    assert rows_of(office, f"/taskview/list/?matter={word}") > 0
    kept = client.post("/saved/save", data={"name": "oracle", "page": "TaskView", "query": f"matter={word}"})
    assert kept.status_code == 302
    chips = page_of(client, "/taskview/list/?all=1").cssselect(".k-chips a.k-chip")
    (figure,) = [chip.cssselect("span, b")[-1].text_content() for chip in chips if "oracle" in chip.text_content()]
    assert figure.strip() == "0"
