"""A newcomer: clone, `make run`, sign in as everybody who was printed, settle, stop, start again."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.newcomer import Visitor, bare_environment, clone, start
from tests.servers import free_port
from tests.waiting import pause

INSTALL_SECONDS = 600


def is_live(address: str) -> bool:
    with urllib.request.urlopen(f"{address}health/live", timeout=10) as answer:
        return bool(answer.status == 200)


def wait_for_end(visitor: Visitor, path: str) -> str:
    """Follow a run by its page until it has ended; gives its state."""
    for _ in range(120):
        visitor.open(path)
        state = visitor.page.cssselect(".k-badge")[0].text_content().strip()
        if state in ("完成", "失败"):
            return state
        pause(0.5, "a worker computes; its page is all there is to look at")
    raise AssertionError(visitor.text())


@pytest.fixture
def cloned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder, left = clone(tmp_path)
    if left:
        with capsys.disabled():
            print(f"\nthe newcomer does not see what is not committed:\n{left}")
    return folder


def test_a_newcomer_gets_a_chinese_portal_that_works(cloned: Path, tmp_path: Path) -> None:
    environment = {**bare_environment(tmp_path), "KAOJI_BIND": f"127.0.0.1:{free_port()}"}
    command = ["make", "run"]
    first = start(command, cloned, environment)
    try:
        address = first.wait_for("Kaoji is ready", INSTALL_SECONDS).split()[-1]
        assert is_live(address)
        accounts = first.accounts()
        assert len(accounts) == 10
        assert not list((cloned / ".venv").glob("dev-*")), "the portal runs from requirements.txt alone"

        nobody = Visitor(address)
        nobody.open("/")
        assert "登录" in nobody.text()
        for username, password in accounts.values():
            visitor = Visitor(address, "en-US,en;q=0.9")
            visitor.sign_in(username, password)
            pages = visitor.menu()
            assert len(pages) > 3, username
            for page in pages:
                assert visitor.open(page) == 200, (username, page)

        office = Visitor(address)
        office.sign_in(*accounts["assessment_office"])
        office.open("/scoreview/")
        assert office.send("/scoreview/settle") == 200
        assert wait_for_end(office, office.path) == "完成"
        assert first.stop() == 0

        again = start(command, cloned, environment)
        try:
            address = again.wait_for("Kaoji is ready", 120).split()[-1]
            assert again.accounts() == {}
            office.address = address
            office.sign_in(*accounts["assessment_office"])
            assert again.stop() == 0
        finally:
            again.end()
    finally:
        first.end()
