"""A newcomer: clone, `make run`, sign in as everybody who was printed, settle, stop, start again."""

from __future__ import annotations

import threading
import urllib.request
from pathlib import Path

import pytest

from tests.documents.test_reading import with_cell
from tests.newcomer import Visitor, bare_environment, clone, start
from tests.servers import free_port
from tests.waiting import pause

INSTALL_SECONDS = 600
DONE, FAILED = "任务已完成。", "任务失败，原因见下，处理后可重试。"


def is_live(address: str) -> bool:
    with urllib.request.urlopen(f"{address}health/live", timeout=10) as answer:
        return bool(answer.status == 200)


def wait_for_end(visitor: Visitor, path: str) -> str:
    """Follow a run by its page until it has ended; gives its state."""
    for _ in range(120):
        visitor.open(path)
        said = visitor.page.cssselect("[data-progress]")[0].text_content().strip()
        if said in (DONE, FAILED):
            return said
        pause(0.5, "a worker computes; its page is all there is to look at")
    raise AssertionError(visitor.text())


def web_of(folder: Path) -> dict[int, int]:
    """The web processes of a portal by their number, with their memory in MB."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            if b"gunicorn" in (process / "cmdline").read_bytes() and str(folder) in str((process / "cwd").readlink()):
                found[int(process.name)] = int((process / "statm").read_text().split()[1]) * 4096 >> 20
        except (OSError, ValueError):
            continue
    return found


def bring_what_kills(address: str, account: tuple[str, str], folder: Path) -> None:
    """A blank in the last cell a sheet can have, ten times at once: refused, and the portal is as it was."""
    before, said = web_of(folder), []
    assert before

    def bring() -> None:
        visitor = Visitor(address)
        for _ in range(20):  # who signs in at once with nine others may be asked to try again
            visitor.open("/login/")
            if visitor.send("", username=account[0], password=account[1]) == 200 and "login" not in visitor.path:
                break
            pause(1, "the page asks to come back in a few seconds")
        visitor.open("/import/")
        status = visitor.upload("/import/upload", "corner.xlsx", with_cell("XFD1048576"))
        said.append((status, visitor.text()))

    threads = [threading.Thread(target=bring) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(said) == 10
    assert all(status in (200, 503) for status, _ in said), said
    assert any("XFD1048576" in text for _, text in said)
    after = web_of(folder)
    assert set(after) == set(before), "the same processes"
    assert all(after[pid] - before[pid] < 200 for pid in before), (before, after)


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
            assert len(pages) >= 2, username
            for page in pages:
                assert visitor.open(page) == 200, (username, page)

        office = Visitor(address)
        office.sign_in(*accounts["assessment_office"])
        office.open("/scores/")
        assert office.send("/scores/settle") == 200
        assert wait_for_end(office, office.path) == DONE
        bring_what_kills(address, accounts["assessment_office"], cloned)
        assert first.stop()

        again = start(command, cloned, environment)
        try:
            address = again.wait_for("Kaoji is ready", 120).split()[-1]
            assert again.accounts() == {}
            assert office.open("/scores/") == 200, "who was signed in still is"
            Visitor(address).sign_in(*accounts["assessment_office"])
            assert again.stop()
        finally:
            again.end()
    finally:
        first.end()
