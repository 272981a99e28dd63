"""The sheets of a workbook as tables: columns, references, identities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Table

from app.models import (
    CalendarDay,
    Clause,
    Document,
    ExternalResult,
    GradeRule,
    Indicator,
    Oversight,
    Person,
    Posting,
    RoleGrant,
    Scheme,
    ScoreEntry,
    Target,
    Unit,
)


@dataclass(frozen=True, slots=True)
class Store:
    """How a sheet lies in its table: plain columns, and columns that name another row by its code."""

    table: Table
    plain: Mapping[str, str]
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def _same(*names: str, **others: str) -> dict[str, str]:
    return {name: name for name in names} | others


_DATES = {"from": "valid_from", "to": "valid_to"}


STORES: Mapping[str, Store] = {
    "units": Store(
        Unit.__table__,
        _same("name", "kind", "tags", group="group_name", order="position", **_DATES),
        {"code": ("subject_id", "subjects"), "parent": ("parent_id", "subjects")},
    ),
    "people": Store(
        Person.__table__,
        _same("name", "category", "email", group="group_name", **_DATES),
        {"staff_no": ("subject_id", "subjects")},
    ),
    "postings": Store(
        Posting.__table__,
        _same("duty", **_DATES),
        {"staff_no": ("person_id", "subjects"), "unit": ("unit_id", "subjects")},
    ),
    "oversight": Store(
        Oversight.__table__,
        _same(indicator="indicator_code", **_DATES),
        {"staff_no": ("leader_id", "subjects"), "unit": ("unit_id", "subjects")},
    ),
    "roles": Store(
        RoleGrant.__table__,
        _same("role", **_DATES),
        {"staff_no": ("account_id", "accounts"), "unit": ("unit_id", "subjects")},
    ),
    "documents": Store(
        Document.__table__,
        _same("code", "title", "issuer", "number", "year", "in_force_from", "in_force_to"),
    ),
    "schemes": Store(
        Scheme.__table__,
        _same("code", "title", "year", "version", "subject_kind", "groups", "in_force_from", "in_force_to",
              "places", "rank_on"),
    ),
    "indicators": Store(
        Indicator.__table__,
        _same("code", "title", "method", "full", "weight", "base", "cap", "floor", "places", "span", "rollup",
              "not_applicable", "applies_to", "params", parent="parent_code", order="position"),
        {"scheme": ("scheme_id", "schemes"), "assessor_unit": ("assessor_unit_id", "subjects")},
    ),
    "clauses": Store(
        Clause.__table__,
        _same("code", "text", "basis", "effect", "pricing", "price", "ladder", "every_n", "multipliers",
              "duplicates", "shares", "cap", "evidence_required", "veto", "replaces",
              indicator="indicator_code", min="price_min", max="price_max"),
        {"document": ("document_id", "documents")},
    ),
    "targets": Store(
        Target.__table__, _same("period", "value", indicator="indicator_code"),
        {"subject": ("subject_id", "subjects")},
    ),
    "entries": Store(
        ScoreEntry.__table__,
        _same("no", "occurred_on", "quantity", "points", "value", "work_key", "attrs", "parties", "remark"),
        {"clause": ("clause_id", "clauses"), "subject": ("subject_id", "subjects")},
    ),
    "external_results": Store(
        ExternalResult.__table__, _same("period", "score", "rank", "issuer", indicator="indicator_code"),
        {"subject": ("subject_id", "subjects"), "document": ("document_id", "documents")},
    ),
    "grade_rules": Store(
        GradeRule.__table__, _same("grade", "kind", "condition", "value"), {"scheme": ("scheme_id", "schemes")}
    ),
    "calendar": Store(CalendarDay.__table__, _same("day", "kind", "name")),
}  # fmt: skip
