"""What a machine can check of the house, a machine checks. The rules stand in CONTRIBUTING.md."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask
from importlinter.cli import lint_imports

import config
from app.extensions import db
from tests.servers import _package

ROOT = config.PROJECT
CODE = sorted([*(ROOT / "app").rglob("*.py"), ROOT / "run.py", ROOT / "config.py"])
PAGES = sorted([*(ROOT / "app" / "templates").rglob("*.html"), *(ROOT / "app" / "static").rglob("*.*")])
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LONGEST, LONGEST_OF_USE_CASES = 430, 300  # lines; the second for services, policies and views
WIDEST = 160  # of a template
FORBIDDEN_NAMES = {"utils", "helpers", "common", "managers", "repositories", "dto"}


def own(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_layers_point_down_only() -> None:
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("path", CODE, ids=own)
def test_code_is_english_and_says_what_it_answers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not CHINESE.search(text), "Chinese belongs in translations/ or data/"
    if "migrations/versions" not in own(path):
        assert ast.get_docstring(ast.parse(text)), "the module says what question it answers"
    assert not re.search(r"NotImplementedError\b(?!\(\"services write)|TODO|FIXME|XXX", text)
    most = LONGEST_OF_USE_CASES if own(path).startswith(("app/services/", "app/policies/", "app/views/")) else LONGEST
    assert len(text.splitlines()) <= most or "0001_create_tables" in own(path), (
        "a noun is missing: split by process or verb"
    )
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", [it for it in CODE if "migrations" not in own(it)], ids=own)
def test_only_the_one_transaction_commits(path: Path) -> None:
    calls = [
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    if own(path) == "app/extensions.py":
        return
    assert "commit" not in calls
    if own(path) != "app/views/shell/errors.py":
        assert "rollback" not in calls


def test_rules_and_services_look_nothing_up() -> None:
    for layer in ("rules", "services", "policies", "models", "documents"):
        for path in (ROOT / "app" / layer).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"date\.today\(|datetime\.now\(|time\.time\(|current_app|\bfloat\(", text), own(path)


def test_a_line_of_a_template_can_be_read() -> None:
    for path in sorted((ROOT / "app" / "templates").rglob("*.html")):
        assert path.parent.parent.name == "templates", f"{own(path)} lies in the package of its pages"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert len(line) <= WIDEST, (own(path), number)


def test_services_and_pages_lie_in_packages() -> None:
    flat = {own(path) for layer in ("services", "views") for path in (ROOT / "app" / layer).glob("*.py")}

    assert flat == {
        "app/services/__init__.py", "app/services/trace.py", "app/services/upsert.py", "app/views/__init__.py",
    }  # fmt: skip


def test_pages_ask_no_other_host() -> None:
    for path in PAGES:
        if path.suffix in (".html", ".css", ".js", ".svg"):
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://", text), own(path)


def sentences() -> set[str]:
    methods = [("app/**.py", "python"), ("app/templates/**.html", "jinja2")]
    keywords = {"_": None, "gettext": None, "lazy_gettext": None, "N_": None, "ngettext": (1, 2)}
    found = extract_from_dir(ROOT, method_map=methods, keywords=keywords)
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


def test_the_chinese_catalogue_is_complete_and_nothing_else() -> None:
    with (ROOT / "translations" / "zh" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale="zh")
    translated = {it.id: it for it in catalogue if it.id}

    assert sentences() == set(translated)
    for message in translated.values():
        assert message.string
        assert not message.fuzzy
        assert set(re.findall(r"%\((\w+)\)", message.id)) == set(re.findall(r"%\((\w+)\)", message.string)), message.id


def test_models_and_migrations_do_not_drift(any_app: Flask) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


def test_migrations_are_reversible_and_never_import_the_models(any_app: Flask) -> None:
    from flask_migrate import downgrade, upgrade

    for path in (ROOT / "app" / "migrations" / "versions").glob("*.py"):
        assert "app.models" not in path.read_text(encoding="utf-8")
    db.session.remove()
    downgrade(revision="base")
    upgrade()


def test_the_project_speaks_only_of_itself() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    words = re.compile(r"/work/|\.\./shared|pypi\.org|files\.pythonhosted")
    for name in listed:
        path = ROOT / name
        if (
            path.suffix in (".py", ".md", ".toml", ".html", ".txt", ".in", ".cfg", ".yaml")
            and "test_rules_of_the_house" not in name
        ):
            assert not words.search(path.read_text(encoding="utf-8")), name


def test_the_lock_files_pin_with_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if "==" in line]
        assert pins
        assert all(line.rstrip().endswith("\\") for line in pins), "every pin carries a hash"


def test_what_is_vendored_is_what_was_checked() -> None:
    folder = ROOT / "app" / "static" / "vendor"
    sums = folder / "SHA256SUMS"
    if sums.exists():
        for line in sums.read_text(encoding="utf-8").splitlines():
            digest, name = line.split()
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    else:
        assert not [it for it in folder.rglob("*") if it.is_file()]


def test_both_readmes_tell_the_same() -> None:
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))

    assert re.findall(r"`(?:make|flask) [^`]*`", english) == re.findall(r"`(?:make|flask) [^`]*`", chinese)
    assert english.count("\n## ") == chinese.count("\n## ")


def test_the_tests_run_on_what_the_lock_names() -> None:
    assert _package().exists()
    assert sys.version_info >= (3, 11)


OF_EVERY_PAGE = {"shell", "nav", "actor", "bureau_name", "unread", "stands_still"}


def test_no_page_gives_another_meaning_to_a_name_of_every_page() -> None:
    for path in sorted((ROOT / "app" / "views").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "render_template":
                assert OF_EVERY_PAGE.isdisjoint(keyword.arg or "" for keyword in call.keywords), own(path)


def test_each_promise_names_a_test_there_is() -> None:
    lines = [
        line for line in (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines() if "tests/" in line
    ]
    assert len(lines) > 20
    for line in lines:
        path, *names = re.findall(r"`([^`]+)`", line.split("|")[2])
        text = (ROOT / path).read_text(encoding="utf-8")
        assert all(f"def {name}(" in text for name in names), line


def test_each_form_of_a_page_carries_its_tokens_by_the_one_macro() -> None:
    for path in sorted((ROOT / "app" / "templates").rglob("*.html")):
        for form in re.split(r'<form[^>]*method="post"', path.read_text(encoding="utf-8"))[1:]:
            inside = form.split("</form>", 1)[0]
            # Whoever signs in has no session a key could belong to.
            assert "token()" in inside or path.name == "sign_in.html" or "caller()" in inside, own(path)
