"""What a newcomer does, done by a test: clone, the README's first command, a browser without favours.

Nothing of the test's own environment goes with him: no virtual environment, no language, no installed package.
"""

from __future__ import annotations

import http.cookiejar
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import lxml.html
from babel.messages.pofile import read_po

import config
from tests.waiting import pause

# What the package client may need to reach its registry; nothing else of this machine's settings goes along.
KEPT = ("PIP_", "SSL_CERT", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
UNSEEN = {"script", "style", "template", "noscript"}
SPOKEN = ("placeholder", "title", "aria-label", "alt")


def bare_environment(home: Path) -> dict[str, str]:
    """What `env -i` leaves: HOME, PATH without this environment, and what pip needs."""
    own = str(Path(config.PROJECT / ".venv"))
    path = ":".join(part for part in os.environ["PATH"].split(":") if not part.startswith(own))
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(KEPT)}
    return {"HOME": str(home), "PATH": path, **kept}


def clone(folder: Path) -> tuple[Path, str]:
    """The checkout as git has it, in an empty folder; and what is not committed yet, if anything."""
    target = folder / "kaoji"
    subprocess.run(["git", "clone", "--quiet", str(config.PROJECT), str(target)], check=True, cwd=folder)
    left = subprocess.run(
        ["git", "status", "--porcelain"], cwd=config.PROJECT, text=True, capture_output=True, check=True
    ).stdout
    return target, left


@cache
def english() -> frozenset[str]:
    """English sentences of the program that have another wording in Chinese: none of them belongs on a page."""
    with (config.PROJECT / "translations/zh/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale="zh")
    return frozenset(
        message.id for message in catalogue
        if isinstance(message.id, str) and message.id and message.string not in ("", message.id)
        and "%(" not in message.id
    )  # fmt: skip


def spoken_in(page: lxml.html.HtmlElement) -> Iterator[str]:
    """Every piece of text a person sees or hears of a page."""
    for element in page.iter():
        if not isinstance(element.tag, str) or element.tag in UNSEEN:
            continue
        yield from (element.get(name, "").strip() for name in SPOKEN)
        if element.tag == "input" and element.get("type") in ("submit", "button", "reset"):
            yield element.get("value", "").strip()
        yield (element.text or "").strip()
        yield from ((child.tail or "").strip() for child in element)


class Visitor:
    """A person at a browser: keeps cookies, reads the form before sending it, speaks some language or none."""

    def __init__(self, address: str, language: str | None = None) -> None:
        self.address = address
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), urllib.request.ProxyHandler({})
        )
        self._headers = {} if language is None else {"Accept-Language": language}
        self.page = lxml.html.fromstring("<html/>")
        self.path = ""

    def open(self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> int:
        """Go to an address of the portal; answers the status, keeps the page."""
        url = urllib.parse.urljoin(self.address, path)
        request = urllib.request.Request(url, data, {**self._headers, **(headers or {})})
        try:
            answer = self._opener.open(request, timeout=60)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            body = answer.read()
            self.path = urllib.parse.urlparse(answer.url).path
            if "html" in answer.headers.get("Content-Type", ""):
                self.page = lxml.html.fromstring(body.decode())
                strange = sorted({text for text in spoken_in(self.page) if text in english()})
                assert not strange, f"{self.path} speaks English: {strange}"
            return int(answer.status)

    def send(self, action: str, **values: str) -> int:
        """Fill in and send the form of this page that goes to `action` (blank: to the page itself)."""
        for form in self.page.forms:
            if urllib.parse.urlparse(form.get("action") or "").path == action and form.method.upper() == "POST":
                fields = {**dict(form.form_values()), **values}
                target = urllib.parse.urljoin(self.address, form.get("action") or self.path)
                return self.open(target, urllib.parse.urlencode(fields).encode(), {"Referer": self.address})
        raise AssertionError(f"{self.path} has no form to {action!r}: {self.text()}")

    def upload(self, action: str, name: str, content: bytes) -> int:
        """Choose a file in the form of this page that goes to `action`, and send it."""
        form = next(it for it in self.page.forms if urllib.parse.urlparse(it.get("action") or "").path == action)
        token, edge = dict(form.form_values())["csrf_token"], "----of-the-form"
        body = (
            (
                f'--{edge}\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
                f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
            ).encode()
            + content
            + f"\r\n--{edge}--\r\n".encode()
        )
        return self.open(
            action, body, {"Content-Type": f"multipart/form-data; boundary={edge}", "Referer": self.address}
        )

    def text(self) -> str:
        return " ".join(self.page.text_content().split())

    def sign_in(self, username: str, password: str) -> None:
        self.open("/login/")
        status = self.send("", username=username, password=password)
        assert status == 200 and "login" not in self.path, (username, self.path, self.text())
        self.read_about_data()

    def read_about_data(self) -> None:
        """The list of personal data comes up at the first sign-in."""
        if self.path == "/personal-data/":
            assert self.send("/personal-data/read") == 200

    def change_password(self, old: str, new: str) -> None:
        self.open("/password/")
        assert self.send("", current=old, password=new, repeated=new) == 200
        self.read_about_data()
        assert self.path == "/", self.text()

    def menu(self) -> list[str]:
        return list(dict.fromkeys(link.get("href") for link in self.page.cssselect("nav.k-nav a")))


@dataclass
class Started:
    """A command that goes on running, and what it has said so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _new: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._new.put(line)
        self._new.put(None)

    def wait_for(self, word: str, seconds: float) -> str:
        """The first line with a word in it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._new.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{word!r} was not said in {seconds} s:\n{''.join(self.lines)}") from None
            if line is None:
                raise AssertionError(f"ended with {self.process.wait()}:\n{''.join(self.lines)}")
            if word in line:
                return line

    def accounts(self) -> dict[str, tuple[str, str]]:
        """Printed accounts by role."""
        rows = [line.rstrip("\n").split("\t") for line in self.lines if line.count("\t") == 2]
        return {role: (username, password) for username, role, password in rows}

    def stop(self) -> bool:
        """Ask it to stop; whether everything it started has gone within a minute and a half.

        `make` itself ends by the signal, and the launcher behind it in its own time.
        """
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(90)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                break
            pause(0.1, "the launcher stops its children one after another")
        else:
            return False
        assert self.process.stdout is not None
        self.process.stdout.close()
        return not any("does not stop, killed" in line for line in self.lines)

    def end(self) -> None:
        """Whatever happened: nothing stays behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)


def start(command: list[str], folder: Path, environment: dict[str, str]) -> Started:
    return Started(
        subprocess.Popen(
            command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    )  # fmt: skip


def python_of_the_system() -> str:
    """The Python a newcomer's `python3` is."""
    found = shutil.which("python3", path=bare_environment(Path("/"))["PATH"])
    assert found is not None
    return found
