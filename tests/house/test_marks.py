"""What is open on purpose is open in known places: ways around the row scope, readers of files, sleeps of tests."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import config

ROOT = config.PROJECT
APP = sorted((ROOT / "app").rglob("*.py"))

# How often each file goes around the row scope; the reason stands at each place. A new place is a decision: it is added here.
AROUND_THE_SCOPE: dict[str, int] = {
    "app/policies/postings.py": 2,
    "app/policies/supervision.py": 1,
    "app/security/manager.py": 1,
    "app/security/views.py": 2,
    "app/services/accounts/accounts.py": 2,
    "app/services/accounts/acting.py": 5,
    "app/services/accounts/actors.py": 5,
    "app/services/accounts/grants.py": 1,
    "app/services/accounts/passwords.py": 1,
    "app/services/accounts/installation.py": 6,
    "app/services/accounts/sessions.py": 4,
    "app/services/accounts/sign_in.py": 1,
    "app/services/bureau/calendar.py": 4,
    "app/services/bureau/closing.py": 4,
    "app/services/bureau/rules.py": 2,
    "app/services/desk/arrangement.py": 1,
    "app/services/desk/daily_figures.py": 1,
    "app/services/desk/overview.py": 1,
    "app/services/desk/readiness.py": 5,
    "app/services/desk/reminders.py": 5,
    "app/services/desk/todo.py": 3,
    "app/services/jobs/heartbeats.py": 8,
    "app/services/jobs/runs.py": 13,
    "app/services/jobs/timetable.py": 7,
    "app/services/ledger/apportioning.py": 5,
    "app/services/ledger/posting.py": 5,
    "app/services/ledger/reversal.py": 3,
    "app/services/messages/channels.py": 3,
    "app/services/messages/delivery.py": 8,
    "app/services/messages/notices.py": 11,
    "app/services/process/attachments.py": 2,
    "app/services/process/opinions.py": 1,
    "app/services/process/submissions.py": 1,
    "app/services/publication/anchors.py": 1,
    "app/services/publication/bulletin.py": 4,
    "app/services/publication/bulletin_annex.py": 5,
    "app/services/publication/bulletin_data.py": 1,
    "app/services/publication/corrections.py": 3,
    "app/services/publication/drafts.py": 1,
    "app/services/publication/permits.py": 3,
    "app/services/publication/verification.py": 3,
    "app/services/accounts/exposure.py": 3,
    "app/services/publication/vouchers.py": 3,
    "app/services/registration/facts.py": 3,
    "app/services/registration/preview.py": 2,
    "app/services/rulebook/rehearsal.py": 3,
    "app/services/sample/bureau.py": 1,
    "app/services/scoring/comparison.py": 1,
    "app/services/scoring/explanation.py": 1,
    "app/services/scoring/ledger_lines.py": 3,
    "app/services/scoring/results.py": 1,
    "app/services/scoring/settlement.py": 5,
    "app/services/scoring/sources.py": 6,
    "app/services/supervision/form.py": 2,
    "app/services/supervision/ledger.py": 2,
    "app/services/supervision/night.py": 2,
    "app/services/supervision/notices.py": 1,
    "app/services/supervision/office.py": 2,
    "app/services/supervision/rating.py": 1,
    "app/services/supervision/statistics.py": 3,
    "app/services/trace.py": 6,
    "app/services/upsert.py": 1,
    "app/services/workbook/plan.py": 1,
    "app/services/workbook/recall.py": 12,
    "app/services/workbook/store.py": 8,
    "app/views/org/acting.py": 2,
    "app/views/shell/menu.py": 1,
    "app/views/supervision/filters.py": 1,
}
IMPORT = re.compile(r"^from app\.policies\.scoping import .*$", re.MULTILINE)


def own(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls_in(path: Path, names: set[str]) -> list[ast.Call]:
    return [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    ]  # fmt: skip


def places() -> dict[str, int]:
    """Calls of `unscoped` and `apart`, and uses of the mark of the session, by file."""
    found: Counter[str] = Counter()
    for path in APP:
        if own(path) in ("app/policies/scoping.py", "app/security/scope.py"):
            continue
        text = IMPORT.sub("", path.read_text(encoding="utf-8"))
        count = len(calls_in(path, {"unscoped", "apart"})) + len(re.findall(r"\bUNSCOPED\b", text))
        if count:
            found[own(path)] = count
    return dict(found)


def test_ways_around_the_row_scope_are_the_known_ones() -> None:
    assert places() == AROUND_THE_SCOPE


def test_each_says_why() -> None:
    for path in APP:
        if own(path) == "app/policies/scoping.py":
            continue
        text = path.read_text(encoding="utf-8")
        for call in calls_in(path, {"unscoped", "apart"}):
            why = call.args[1]
            is_said = isinstance(why, ast.Constant) and bool(why.value)
            is_named = isinstance(why, ast.Name) and re.search(rf'^{why.id} = "[^"]{{10,}}"$', text, re.MULTILINE)
            assert is_said or is_named, (own(path), call.lineno)


def test_nobody_takes_the_bare_connection_or_writes_statements_as_text() -> None:
    known = {
        "app/policies/scoping.py", "app/services/trace.py", "app/services/bureau/closing.py", "app/running/lease.py", "app/health.py",
        "app/extensions.py", "app/revisions.py", "app/cli_installation.py", "app/postgresql.py", "app/cli.py",
        "app/services/scoring/storing.py",  # it only writes, rows whose bureau was asked before
    }  # fmt: skip
    for path in APP:
        if "migrations" in own(path) or own(path) in known:
            continue
        text = path.read_text(encoding="utf-8")
        assert ".connection()" not in text, own(path)
        assert not re.search(r"\btext\(\s*f?\"(?i:select|update|delete|insert)\b", text), own(path)
        assert "exec_driver_sql" not in text, own(path)
        # It wraps the statement it belongs to, where a criterion of the outer table is no condition of the inner one.
        assert not re.search(r"subqueryload|lazy=[\"']subquery", text), own(path)


def test_files_that_are_brought_are_opened_by_the_one_reader() -> None:
    openers = re.compile(
        r"^\s*(?:import|from) (?:zipfile|lxml|python_calamine|defusedxml|xml)\b|from openpyxl import .*load_workbook",
        re.MULTILINE,
    )
    found = {own(path) for path in APP if openers.search(path.read_text(encoding="utf-8"))}

    assert found == {
        "app/documents/reading_child.py",
        "app/documents/workbook_writer.py",  # its own archive, to take the time out of it
    }


def test_nobody_but_bell_and_tasks_speaks_to_the_broker() -> None:
    publishes = re.compile(r"\.(?:send_task|apply_async|delay)\(|kombu")
    found = {own(path) for path in APP if publishes.search(path.read_text(encoding="utf-8"))}

    assert found == {"app/bell.py", "app/broker.py", "app/tasks/__init__.py"}


def test_tests_sleep_in_one_place() -> None:
    found = {own(path) for path in (ROOT / "tests").rglob("*.py") if "time.sleep(" in path.read_text(encoding="utf-8")}

    assert found == {"tests/waiting.py", "tests/house/test_marks.py"}
