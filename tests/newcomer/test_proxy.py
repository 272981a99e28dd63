"""Behind a real nginx, set up as docs/operations.md says: who is who, and nobody pays for somebody else."""

from __future__ import annotations

import http.client
import re
import socket
import sqlite3
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import config
from tests.journeys.conftest import Portal, start
from tests.machine import NGINX
from tests.servers import free_port
from tests.waiting import pause

pytestmark = pytest.mark.nginx


def documented() -> str:
    """The location block of the manual, as it stands there."""
    manual = (config.PROJECT / "docs/operations.md").read_text()
    found = re.search(r"        location / \{\n.*?\n        \}\n", manual, re.DOTALL)
    assert found is not None
    return found[0]


@dataclass
class Front:
    """nginx before a portal."""

    port: int
    portal: Portal

    def ask(self, source: str, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, str]:
        """One exchange from an address of this machine: status, body, the cookie."""
        exchange = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0))
        try:
            exchange.request(method, path, body.encode() or None, {"Host": "kaoji.lan", **headers})
            answer = exchange.getresponse()
            cookie = (answer.headers.get("Set-Cookie") or "").partition(";")[0]
            return answer.status, answer.read().decode(), cookie
        finally:
            exchange.close()

    def sign_in(self, source: str, username: str, password: str, **headers: str) -> int:
        """Sign in through the form; 302 where it is right."""
        _, page, cookie = self.ask(source, "GET", "/login/")
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token is not None
        form = urllib.parse.urlencode({"username": username, "password": password, "csrf_token": token[1]})
        status, _, _ = self.ask(
            source, "POST", "/login/", form, Cookie=cookie, Referer="http://kaoji.lan/login/",
            **{"Content-Type": "application/x-www-form-urlencoded"}, **headers,
        )  # fmt: skip
        return status


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    portal = start(folder / "home", KAOJI_MODE="production", KAOJI_PROXIES="1", KAOJI_HOSTS="kaoji.lan")
    port = free_port()
    block = documented().replace("127.0.0.1:8080", portal.address.removeprefix("http://"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; client_body_timeout 20s;\n{block}\n}} }}\n"
    )
    nginx = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        pause(0.1, "nginx needs a moment; its port is all there is to look at")
    yield Front(port, portal)
    nginx.terminate()
    nginx.wait(20)
    portal.stop()


def addresses(home: Path, result: str) -> set[str]:
    with closing(sqlite3.connect(home / "kaoji.db")) as database:
        query = "SELECT DISTINCT address FROM trace_entry WHERE verb = 'sign_in' AND result = ?"
        return {row[0] for row in database.execute(query, (result,))}


def test_everybody_has_his_own_address_and_nobody_makes_one_up(front: Front) -> None:
    username, password = front.portal.accounts["audit_admin"]
    assert front.sign_in("127.0.0.7", username, password) == 302
    assert front.sign_in("127.0.0.8", username, "wrong", **{"X-Forwarded-For": "10.9.9.9"}) == 200

    assert addresses(front.portal.home, "success") == {"127.0.0.7"}
    assert addresses(front.portal.home, "refused") == {"127.0.0.8"}


def test_wrong_passwords_of_one_shut_out_nobody_else(front: Front) -> None:
    for number in range(45):
        front.sign_in("127.0.0.9", f"nobody{number}", "wrong")
    username, password = front.portal.accounts["security_admin"]

    assert front.sign_in("127.0.0.10", username, password) == 302


def test_fifty_slow_bodies_hold_no_thread_of_the_portal(front: Front) -> None:
    slow = []
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", front.port), timeout=30)
        connection.sendall(b"POST /login/ HTTP/1.1\r\nHost: kaoji.lan\r\nContent-Length: 500\r\n\r\nu")
        slow.append(connection)
    started = time.monotonic()

    assert front.ask("127.0.0.1", "GET", "/login/")[0] == 200

    assert time.monotonic() - started < 3.0
    for connection in slow:
        connection.close()


def test_an_unknown_name_is_told_what_to_do(front: Front) -> None:
    status, body, _ = front.ask("127.0.0.1", "GET", "/login/", **{"X-Forwarded-Host": "evil.lan", "Host": "evil.lan"})

    assert status == 400
    assert "KAOJI_HOSTS" in body
