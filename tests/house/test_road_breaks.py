"""What a user types notices what is broken: a catalogue without a header, a lock with a hole, code that does not load."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.newcomer import bare_environment, clone
from tests.servers import free_port

OWN = Path(sys.prefix)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return clone(tmp_path)[0]


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make run` as a user types it; with our environment where the break is not in installing."""
    environment = {
        **bare_environment(copy.parent), "KAOJI_BIND": f"127.0.0.1:{free_port()}", "KAOJI_MODE": "production",
    }  # fmt: skip
    return subprocess.run(
        ["make", "run", *arguments], cwd=copy, env=environment, text=True, capture_output=True, check=False, timeout=300
    )


def test_a_catalogue_without_a_header(copy: Path) -> None:
    catalogue = copy / "translations/zh/LC_MESSAGES/messages.po"
    catalogue.write_text(re.sub(r'\A.*?msgid ""\nmsgstr ""\n(?:".*"\n)+', "", catalogue.read_text(), flags=re.DOTALL))

    done = run(copy, f"VENV={OWN}")

    assert done.returncode != 0
    assert "was not compiled" in done.stdout + done.stderr
    assert "ready" not in done.stdout


def test_a_pinned_line_that_is_gone(copy: Path) -> None:
    lock = copy / "requirements.txt"
    text = lock.read_text()
    assert "\nitsdangerous==" in text
    lock.write_text(re.sub(r"\nitsdangerous==[^\n]*\\\n(?:    --hash[^\n]*\n)+", "\n", text))

    done = run(copy)

    assert done.returncode != 0
    assert "could not be installed" in done.stdout + done.stderr
    assert not (copy / ".venv").exists(), "no half an environment stays"


def test_code_that_does_not_load(copy: Path) -> None:
    (copy / "app/wsgi.py").write_text("raise RuntimeError('broken')\n")

    done = run(copy, f"VENV={OWN}")

    assert done.returncode != 0
    assert "did not come up" in done.stdout + done.stderr
    assert "is ready" not in done.stdout
