"""What this machine offers the tests, and which tests want it for themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys

FOUND = "KAOJI_TEST_BROWSER"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or ""
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Tests that start portals of their own or kill at random: each group runs on one worker, one after another.
GROUPS = {
    "tests/newcomer/test_proxy.py": "machine",
    "tests/newcomer/": "newcomer",
    "tests/house/test_road_breaks.py": "newcomer",
    "tests/journeys/": "journeys",
    "tests/storm/": "machine",
    "tests/test_run.py": "machine",
    "tests/test_running.py": "machine",
    "tests/test_cli.py": "commands",
}


def group_of(nodeid: str) -> str:
    """The group of a test, blank for those that run anywhere."""
    return next((group for prefix, group in GROUPS.items() if nodeid.startswith(prefix)), "")


def browser() -> str | None:
    """A Chromium that starts on this machine and has Chinese letters, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        return None
    try:
        page = subprocess.run(
            [found, "--headless", *QUIET, "--dump-dom", "data:text/html,<p>ok</p>"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found if "<p>ok</p>" in page.stdout and fonts.stdout.strip() else None


if __name__ == "__main__":
    sys.exit(0 if browser() and NGINX else 1)
