"""Every page of every role's menu answers, looks inward only, and shows no English and no fault."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from app.models.accounts import ROLES
from tests.journeys.conftest import Portal
from tests.journeys.pictures import picture

pytestmark = pytest.mark.browser
LEAST = {"system_admin": 7, "security_admin": 3, "audit_admin": 2, "assessment_office": 16, "bureau_leader": 15}


@pytest.mark.parametrize("role", ROLES)
def test_the_menu_of_a_role(portal: Portal, open_as: Callable[[str], Page], role: str) -> None:
    page = open_as(role)
    hosts: set[str] = set()
    faults: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    links = [link.get_attribute("href") or "" for link in page.locator(".k-nav a").all()]

    answered = 0
    for link in links:
        answer = page.goto(portal.address + link)
        assert answer is not None
        assert answer.status == 200, (role, link)
        answered += 1
        assert page.locator("h1").count() == 1, link
        words = page.locator("main").inner_text()
        for english in ("Scope:", "Actions", "Nothing here", "None"):
            assert english not in words, (link, english)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{link} scrolls sideways"
        first = page.locator("tbody tr td:first-child a")
        if first.count():
            shown = page.goto(portal.address + (first.first.get_attribute("href") or ""))
            assert shown is not None
            assert shown.status == 200, (role, link)

    page.goto(portal.address)
    picture(page, f"workbench-{role}")
    assert answered == len(links) >= LEAST.get(role, 13)
    assert hosts == {urlsplit(portal.address).netloc}
    assert faults == []


def test_a_phone_opens_the_menu(portal: Portal, open_as: Callable[[str], Page]) -> None:
    page = open_as("staff")
    page.set_viewport_size({"width": 390, "height": 800})
    assert not page.locator(".k-nav").is_visible()

    page.get_by_role("button", name="菜单").click()

    assert page.locator(".k-nav").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
