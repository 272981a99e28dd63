"""The same in production: PostgreSQL, a broker of one's own, three administrators and nothing else to begin with."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.newcomer import Visitor, bare_environment, clone, python_of_the_system, start
from tests.newcomer.test_newcomer import DONE, INSTALL_SECONDS, is_live, wait_for_end
from tests.servers import Server, broker, free_port

pytestmark = pytest.mark.postgresql
NEW = "Qing-shan.lv_shui8"


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[str]:
    with broker(tmp_path / "broker") as running:
        yield running.url


def test_a_bureau_begins_in_production(tmp_path: Path, postgres: Server, own_broker: str) -> None:
    folder, _ = clone(tmp_path)
    database = postgres.create("production")
    environment = {
        **bare_environment(tmp_path), "KAOJI_BIND": f"127.0.0.1:{free_port()}", "KAOJI_MODE": "production",
        "DATABASE_URL": database, "BROKER_URL": own_broker, "KAOJI_HOME": str(tmp_path / "data"),
    }  # fmt: skip
    portal = start(["make", "run", f"PYTHON={python_of_the_system()}"], folder, environment)
    try:
        address = portal.wait_for("Kaoji is ready", INSTALL_SECONDS).split()[-1]
        assert is_live(address)
        accounts = portal.accounts()
        assert sorted(accounts) == ["audit_admin", "security_admin", "system_admin"]
        admins = {}
        for role, (username, password) in accounts.items():
            admins[role] = Visitor(address)
            admins[role].sign_in(username, password)
            assert admins[role].path == "/password/", "the first password must be changed"
            admins[role].change_password(password, NEW)

        book = tmp_path / "bureau.xlsx"
        for step in (["template", str(book), "--sample"], ["load", str(book)]):
            done = subprocess.run(
                [str(folder / ".venv/bin/flask"), "workbook", *step], cwd=folder, env=environment, text=True,
                capture_output=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr

        system, security = admins["system_admin"], admins["security_admin"]
        system.open("/accountview/list/?username=chenyue")
        ask = next(it for it in posts_of(system) if it.endswith("/password"))
        assert system.send(ask) == 200
        security.open("/accountview/list/?username=chenyue")
        issue = next(it for it in posts_of(security) if "/issue/" in it)
        assert security.send(issue) == 200
        password = re.search(r'<dd class="k-mono k-b">([^<]+)</dd>', page_source(security))
        assert password is not None, security.text()
        system.open("/rolegrantview/ask")
        assert system.send("", username="chenyue", role="assessment_office") == 200
        security.open("/rolegrantview/list/?username=chenyue&state=waiting")
        approve = [form.get("action") for form in security.page.forms if "/approve/" in (form.get("action") or "")]
        assert len(approve) == 1
        assert security.send(approve[0]) == 200

        office = Visitor(address)
        office.sign_in("chenyue", password[1])
        office.change_password(password[1], NEW)
        office.open("/runview/list/")
        assert office.send("/scores/settle") == 200
        assert wait_for_end(office, office.path) == DONE
        assert portal.stop()
    finally:
        portal.end()


def posts_of(visitor: Visitor) -> list[str]:
    """Where the forms of a page go."""
    return [str(form.get("action") or "") for form in visitor.page.forms]


def page_source(visitor: Visitor) -> str:
    import html

    import lxml.html

    return html.unescape(lxml.html.tostring(visitor.page, encoding="unicode"))
