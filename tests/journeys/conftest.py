"""A running portal and a real browser: the launcher's tree on a data folder of its own, Chromium from Debian."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import config
from tests.machine import FOUND, QUIET
from tests.servers import free_port


@dataclass
class Portal:
    """A running portal: its address, its accounts by role, its launcher."""

    home: Path
    address: str
    process: subprocess.Popen[str]
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread = field(default_factory=threading.Thread)

    def flask(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flask", *args], cwd=config.PROJECT, text=True, capture_output=True, check=False,
            env={**os.environ, "KAOJI_HOME": str(self.home)},
        )  # fmt: skip

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.close()

    def close(self) -> int:
        """Wait for the end and close the pipe."""
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.reader.join(10)
        self.process.stdout.close()
        return code


def start(home: Path, **environment: str) -> Portal:
    """Start the launcher and wait until it says that it is ready."""
    address = f"127.0.0.1:{free_port()}"
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "BROKER_URL")}
    process = subprocess.Popen(
        [sys.executable, "run.py"], cwd=config.PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**kept, "KAOJI_HOME": str(home), "KAOJI_BIND": address, **environment},
    )  # fmt: skip
    portal = Portal(home, f"http://{address}", process)
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            portal.lines.append(line)
            if line.count("\t") == 2:
                username, role, password = line.rstrip("\n").split("\t")
                portal.accounts[role] = (username, password)
            if "ready" in line:
                ready.set()
        ready.set()

    portal.reader = threading.Thread(target=read, daemon=True)
    portal.reader.start()
    assert ready.wait(120), "".join(portal.lines)
    assert process.poll() is None, "".join(portal.lines)
    return portal


def start_sample(home: Path, template: tuple[Path, dict[str, tuple[str, str]]], **environment: str) -> Portal:
    """The launcher on a copy of the sample bureau: what a second `make run` starts."""
    shutil.copytree(template[0], home)
    running = start(home, **environment)
    running.accounts = dict(template[1])
    return running


@pytest.fixture(scope="session")
def portal(
    tmp_path_factory: pytest.TempPathFactory, sample_template: tuple[Path, dict[str, tuple[str, str]]]
) -> Iterator[Portal]:
    running = start_sample(tmp_path_factory.mktemp("portal") / "home", sample_template)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=os.environ[FOUND], args=QUIET)
        yield running
        running.close()


@pytest.fixture
def open_as(portal: Portal, browser: Browser) -> Iterator[Callable[[str], Page]]:
    """A page of 1366×768, signed in as a role of the sample bureau."""
    contexts = []

    def page_of(role: str) -> Page:
        context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN", accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        username, password = portal.accounts[role]
        page.goto(f"{portal.address}/login/")
        page.get_by_label("用户名").fill(username)
        page.get_by_label("密码").fill(password)
        page.get_by_role("button", name="登录").click()
        page.wait_for_selector(".k-top")
        if page.url.endswith("/personal-data/"):
            page.get_by_role("button", name="我已阅读").click()
            page.wait_for_url(f"{portal.address}/")
        return page

    yield page_of
    for context in contexts:
        context.close()
