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
# Tests that start portals of their own or kill at random: each group runs on one worker, one after another; groups begin
# in this order and before everything else, so that none is left over at the end.
GROUPS = {
    "tests/storm/": "storm",
    "tests/test_running.py": "crashes",
    "tests/test_run.py": "launcher",
    "tests/journeys/": "journeys",
    "tests/newcomer/test_newcomer.py": "newcomer",
    "tests/newcomer/test_production.py": "production",
    "tests/newcomer/test_proxy.py": "proxy",
    "tests/house/test_road_breaks.py": "breaks",
    "tests/test_cli.py": "commands",
}


# Tests that share what is dear to make.
TOGETHER = {"tests/views/test_counts.py": "counts"}

# Single tests that take longer than 20 seconds, and why they are worth it.
LONG = {
    "tests/services/desk/test_reminders.py::test_a_year_of_five_hundred_people": "every day of a year, against the tasks",
    "tests/test_away.py::test_a_database_that_hangs_is_said_in_time": "waiting for a database is what it is about",
    "tests/views/test_counts.py::test_the_figures_of_searches_and_first_page_are_the_rows_behind_them": "the sample",
    "tests/house/test_checks.py::test_it_is_clean": "mypy without its cache",
}


def turn_of(nodeid: str) -> int:
    """When a test has its turn: the groups first, in their order."""
    order = list(GROUPS)
    return next((order.index(prefix) for prefix in order if nodeid.startswith(prefix)), len(order))


def is_slow(nodeid: str) -> bool:
    """Whether a test starts portals or kills processes: not for between edits."""
    return any(nodeid.startswith(prefix) for prefix in GROUPS)


def group_of(nodeid: str) -> str:
    """The group of a test, blank for those that run anywhere."""
    return next((group for prefix, group in {**GROUPS, **TOGETHER}.items() if nodeid.startswith(prefix)), "")


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
