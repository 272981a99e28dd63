"""What an act on a task says beside its verb: the stage, the days, the number of the slip."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask_babel import gettext

from app.views.shell.labels import named_by_code

Told = Callable[[dict[str, Any], dict[str, Any]], str]


def _moved(before: dict[str, Any], after: dict[str, Any]) -> str:
    return " ".join(f"{name}: {before.get(name, '')} → {value}" for name, value in after.items())


def _stage(_before: dict[str, Any], after: dict[str, Any]) -> str:
    if not after.get("stage"):
        return gettext("as assisting unit")
    return gettext("stage “%(stage)s”", stage=after["stage"])


def _late(_before: dict[str, Any], after: dict[str, Any]) -> str:
    return gettext("stage “%(stage)s”, working day %(days)s late", stage=after["stage"], days=after["days_late"])


def _asked(_before: dict[str, Any], after: dict[str, Any]) -> str:
    return gettext("stage “%(stage)s”, %(days)s working days", stage=after["stage"], days=after["days"])


def _names(codes: list[str]) -> str:
    """Who is meant, by name."""
    known = named_by_code()
    return ", ".join(known.get(code, code) for code in codes)


TOLD: Mapping[str, Told] = {
    "task_report": _stage,
    "task_late": _late,
    "task_slip": _late,
    "task_ask_extension": _asked,
    "task_grant_extension": _moved,
    "task_refuse_extension": _moved,
    "task_calendar": _moved,
    "task_send_back": _moved,
    "task_assign": lambda _before, after: gettext("due on %(day)s", day=after.get("due_on", "")),
    "task_sign_for": lambda _before, after: gettext("handled by %(names)s", names=_names(after.get("handlers", []))),
    "task_finish_part": lambda _before, after: str(after.get("part", "")),
    "task_name_handlers": lambda _before, after: gettext(
        "handled by %(names)s", names=_names(after.get("handlers", []))
    ),
    "task_split": lambda _before, after: gettext(
        "%(name)s until %(day)s", name=_names([after.get("handler", "")]), day=after.get("due_on", "")
    ),
    "task_close": lambda _before, after: gettext("entries %(numbers)s", numbers=", ".join(after.get("entries", []))),
    "task_rate_above": lambda _before, after: str(after.get("issuer", "")),
    "attach": lambda _before, after: str(after.get("file", "")),
    "detach": lambda _before, after: str(after.get("file", "")),
}


def told(act: Mapping[str, Any]) -> str:
    """What an act says of itself; blank where the verb says all."""
    words = TOLD.get(act["verb"])
    if words is None or not act["after"]:
        return ""
    before = json.loads(act["before"]) if act["before"] else {}
    after = json.loads(act["after"])
    return words(before, after) if isinstance(after, dict) else ""
