"""The timeline of a record: who did what, and what an act changed."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from app.extensions import db
from app.services import trace


def acts_of(record: Any, shown: Collection[str] | None = None) -> list[dict[str, Any]]:
    """The timeline of a record, with its changes ready to be shown: of the fields a page shows, where it names them."""
    acts = trace.timeline(db.session(), record)
    for act in acts:
        changes = changes_of(act)
        act["changes"] = [change for change in changes if shown is None or bare(change["label"]) in shown]
    return acts


def bare(name: str) -> str:
    """A column as a page names it: a reference by what it refers to."""
    return name.removesuffix("_id").removesuffix("_code")


def changes_of(act: dict[str, Any]) -> list[dict[str, Any]]:
    """Field by field, what an act changed; at most 20."""
    if not act["before"] or not act["after"]:
        return []
    before, after = json.loads(act["before"]), json.loads(act["after"])
    return [{"label": name, "before": before.get(name), "after": after.get(name)} for name in list(after)[:20]]
