"""What the row scope costs: pages of a head of unit with it and without, with today's models and with fifty more.

`python -m tests.bench.scope` prints a table of ratios of CPU time; `docs/performance.md` keeps one.
"""

from __future__ import annotations

import contextvars
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask_appbuilder.models.sqla import Model
from sqlalchemy import Column, Engine, ForeignKey, Integer, event, or_, select
from sqlalchemy.orm import Session, relationship

import config
from app.models import Subject
from app.policies import VISIBLE
from app.policies.org import visible_units
from app.security import scope
from tests.conftest import make_app

ROUNDS = 41
PAGES = (
    ("workbench", "/"),
    ("ledger", "/scoreentryview/list/?all=1"),
    ("tasks", "/taskview/list/?all=1"),
    ("task board", "/taskview/board"),
    ("ranking", "/scores/"),
    ("opinions", "/opinionview/list/"),
)


def sample(home: Path) -> tuple[str, str]:
    """Make the sample bureau; user name and password of a head of unit."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "init", "--sample"], cwd=config.PROJECT, check=True, capture_output=True,
        text=True, env={**os.environ, "KAOJI_HOME": str(home), "KAOJI_MODE": "trial"},
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return next((username, password) for username, role, password in rows if role == "unit_head")


def signed_in(app: Flask, username: str, password: str) -> Callable[[str], None]:
    client = app.test_client()

    def get(address: str) -> None:
        answer = contextvars.Context().run(client.get, address)
        assert answer.status_code == 200, (address, answer.status_code)

    app.config["WTF_CSRF_ENABLED"] = False
    contextvars.Context().run(client.post, "/login/", data={"username": username, "password": password})
    return get


def cpu(work: Callable[[], object]) -> float:
    """Milliseconds of CPU of one round."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def compared(get: Callable[[str], None], address: str) -> tuple[float, float]:
    """A page without scope and with it, the medians of rounds that take turns, after three to warm up."""
    without, scoped = [], []
    for turn in range(ROUNDS + 3):
        with no_scope():
            bare = cpu(lambda: get(address))
        full = cpu(lambda: get(address))
        if turn >= 3:
            without.append(bare)
            scoped.append(full)
    return statistics.median(without), statistics.median(scoped)


@contextmanager
def no_scope() -> Any:
    """Statements go to the database as the pages wrote them."""
    listeners: tuple[tuple[Any, str, Any], ...] = (
        (Session, "do_orm_execute", scope._apply),
        (Engine, "before_execute", scope._watch),
        (Engine, "before_cursor_execute", scope._watch_driver),
    )
    for target, name, listener in listeners:
        event.remove(target, name, listener)
    yield
    for target, name, listener in listeners:
        event.listen(target, name, listener)


def fifty_more() -> None:
    """As many models as nine more processes bring: each of a unit, related to it, seen as a process record is."""
    for number in range(50):
        name = f"later_record_{number}"
        made = type(
            f"LaterRecord{number}", (Model,),
            {
                "__tablename__": name, "__module__": "app.models.later", "id": Column(Integer, primary_key=True),
                "unit_id": Column(ForeignKey("subject.id"), nullable=False),
                "unit": relationship(Subject, lazy="joined"),
            },
        )  # fmt: skip

        def visible(actor: Any, made: Any = made) -> Any:
            units = select(Subject.id).where(or_(Subject.id.in_(actor.own_units), visible_units(actor)))
            return made.unit_id.in_(units.correlate(None))

        VISIBLE[made] = visible  # type: ignore[index]
    for cached in (scope.models_of, scope.related, scope.guarded_tables, scope._words, scope.criteria_of):
        cached.cache_clear()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="kaoji-bench-"))
    try:
        username, password = sample(folder / "home")
        app = make_app(folder / "home")
        get = signed_in(app, username, password)
        today = {label: compared(get, address) for label, address in PAGES}
        models = len(VISIBLE)
        fifty_more()
        more = {label: compared(get, address) for label, address in PAGES}
        print(
            f"page of a head of unit  no scope   {models} models ratio   no scope  {len(VISIBLE)} models ratio   (CPU)"
        )
        for label, _address in PAGES:
            cells = "".join(f"{a:9.1f} ms {b:6.1f} ms {b / a:5.2f}" for a, b in (today[label], more[label]))
            print(f"{label:<20}{cells}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
