"""Style and types are tests of the house, so that whoever runs the tests has run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import config

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=" ".join
)
def test_it_is_clean(command: list[str]) -> None:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=config.PROJECT, text=True, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stdout[-3000:]
