"""The timeline of a record: who did what, and what an act changed."""

from __future__ import annotations

import json
from typing import Any

from app.extensions import db
from app.services import trace


def acts_of(record: Any) -> list[dict[str, Any]]:
    """The timeline of a record, with its changes ready to be shown."""
    acts = trace.timeline(db.session(), record)
    for act in acts:
        act["changes"] = changes_of(act)
    return acts


def changes_of(act: dict[str, Any]) -> list[dict[str, Any]]:
    """Field by field, what an act changed; at most 20."""
    if not act["before"] or not act["after"]:
        return []
    before, after = json.loads(act["before"]), json.loads(act["after"])
    return [{"label": name, "before": before.get(name), "after": after.get(name)} for name in list(after)[:20]]
