"""A draft over closed months: what it would change is said, and nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from app import running
from app.errors import NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Bureau, Clause, Indicator, PeriodScore, Rehearsal, Scheme
from app.security import sessions
from app.services.registers import rows as registers
from app.services.rulebook import approval, rehearsal, versions
from tests.conftest import NOW, SMALL
from tests.services.publication.test_bulletin import actor, publish_all


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> Bureau:
    monkeypatch.setattr(sessions, "now", lambda: NOW)
    load(SMALL)
    found = db.session.scalars(select(Bureau)).one()
    publish_all(found)
    return found


def draft(bureau: Bureau, full: Decimal = Decimal(60)) -> Scheme:
    """A new version of the units' scheme, the same but for one leaf, from May on."""
    old = db.session.scalars(select(Scheme).where(Scheme.code == "2026-U")).one()
    kept = [column.name for column in Indicator.__table__.columns if column.name not in ("id", "scheme_id", "batch_id")]
    with transaction() as work:
        new = Scheme(
            bureau_id=bureau.id, code="2026-U2", title="second", year=2026, version="2", subject_kind="unit",
            groups=old.groups, in_force_from=date(2026, 5, 1), in_force_to=date(2026, 12, 31), state="draft",
        )  # fmt: skip
        work.add(new)
        work.flush()
        for node in work.scalars(select(Indicator).where(Indicator.scheme_id == old.id)).all():
            values = {name: getattr(node, name) for name in kept}
            if node.code == "F1":
                values["full"] = full
            work.add(Indicator(scheme_id=new.id, **values))
        return new


def reprice(bureau: Bureau) -> None:
    with transaction() as work:
        work.add(
            Clause(
                bureau_id=bureau.id, indicator_code="F1", code="F1.1b", text="dearer", effect="deduction",
                pricing="fixed", price=Decimal(5), replaces="F1.1",
            )
        )  # fmt: skip


def run(
    scheme: Scheme, months: tuple[str, ...] = ("2026-02",), who: str = "zhouyaqin"
) -> dict[str, list[dict[str, object]]]:
    with transaction() as work:
        it, number = rehearsal.ask_rehearsal(
            work, work.get_one(Scheme, scheme.id), months, actor=actor(who), now=NOW
        )  # fmt: skip
    running.carry_out(number)
    db.session.rollback()
    found = db.session.get_one(Rehearsal, it.id, populate_existing=True)
    assert found.done_at is not None
    return json.loads(found.results)


def stored() -> list[tuple[object, ...]]:
    db.session.expire_all()
    query = select(PeriodScore).order_by(PeriodScore.period, PeriodScore.subject_id, PeriodScore.indicator_code)
    return [(it.period, it.subject_id, it.indicator_code, it.score, it.rank) for it in db.session.scalars(query)]


def test_the_same_tree_gives_the_published_numbers(bureau: Bureau) -> None:
    before = stored()

    rows = run(draft(bureau))["2026-02"]

    assert len(rows) == 9
    assert all((row["before"], row["rank_before"]) == (row["after"], row["rank_after"]) for row in rows)
    assert stored() == before


def test_old_entries_are_read_under_the_clause_that_replaces_theirs(bureau: Bureau) -> None:
    reprice(bureau)

    rows = run(draft(bureau))["2026-02"]

    moved = {row["subject"] for row in rows if row["before"] != row["after"]}
    lines = {it["subject"] for it in SMALL["entries"] if it["clause"] == "F1.1" and it["occurred_on"][:7] == "2026-02"}
    assert moved == lines
    for row in rows:
        assert Decimal(str(row["after"])) <= Decimal(str(row["before"]))


@pytest.mark.parametrize("months", [(), ("2026-03",), ("2026-02", "nonsense")])
def test_only_closed_months_are_rehearsed_over(bureau: Bureau, months: tuple[str, ...]) -> None:
    with pytest.raises(RuleViolation):
        run(draft(bureau), months)


def test_the_office_rehearses_and_only_drafts(bureau: Bureau) -> None:
    scheme = draft(bureau)
    for who in ("fuweidong", "hewenbin"):
        with pytest.raises(NotPermitted):
            run(scheme, who=who)
    with pytest.raises(NotPermitted):
        run(db.session.scalars(select(Scheme).where(Scheme.code == "2026-U")).one())


def test_an_unfinished_draft_is_refused_with_its_first_fault(bureau: Bureau) -> None:
    scheme = draft(bureau)
    with transaction() as work:
        node = work.scalars(select(Indicator).where(Indicator.scheme_id == scheme.id, Indicator.code == "F1")).one()
        node.full = None

    with pytest.raises(RuleViolation):
        run(scheme)
    assert db.session.scalars(select(Rehearsal)).all() == []


def test_two_versions_side_by_side_name_what_differs(bureau: Bureau) -> None:
    scheme = draft(bureau, full=Decimal(70))
    reprice(bureau)
    old = db.session.scalars(select(Scheme).where(Scheme.code == "2026-U")).one()

    (found,) = versions.compare_schemes(db.session(), old, scheme)
    (clause,) = versions.replaced_clauses(db.session(), scheme)

    assert (found.kind, found.code, list(found.fields)) == ("changed", "F1", [("full", "60", "70")])
    assert (clause.old.code, clause.new.code) == ("F1.1", "F1.1b")


def test_put_in_force_it_takes_over_the_day_it_begins(bureau: Bureau) -> None:
    scheme = draft(bureau)
    with transaction() as work:
        approval.submit(work, work.get_one(Scheme, scheme.id), actor=actor("zhouyaqin"), now=NOW)
        approval.put_in_force(work, work.get_one(Scheme, scheme.id), actor=actor("yujianping"), now=NOW)

    db.session.expire_all()
    days = {it.code: (it.in_force_from, it.in_force_to) for it in db.session.scalars(select(Scheme))}
    assert days["2026-U"] == (date(2026, 1, 1), date(2026, 4, 30))
    assert days["2026-U2"] == (date(2026, 5, 1), date(2026, 12, 31))


def test_a_draft_may_be_written_beside_the_version_it_will_take_over_from(bureau: Bureau) -> None:
    facts = {
        "code": "2026-U3", "title": "third", "year": 2026, "version": "3", "subject_kind": "unit", "places": 2,
        "groups": "机关;分局", "in_force_from": date(2026, 6, 1), "in_force_to": date(2026, 12, 31), "rank_on": "rounded",
    }  # fmt: skip
    with transaction() as work:
        registers.add(work, Scheme(**facts), before={}, actor=actor("zhouyaqin"), now=NOW)

    assert db.session.scalars(select(Scheme.state).where(Scheme.code == "2026-U3")).one() == "draft"


def test_the_next_version_begins_with_the_same_tree(bureau: Bureau) -> None:
    old = db.session.scalars(select(Scheme).where(Scheme.code == "2026-U")).one()
    with pytest.raises(NotPermitted), transaction() as work:
        versions.draft_version(work, work.get_one(Scheme, old.id), actor=actor("fuweidong"), now=NOW)
    codes = []
    for _time in range(2):
        with transaction() as work:
            new = versions.draft_version(
                work, work.get_one(Scheme, old.id), actor=actor("zhouyaqin"), now=NOW
            )  # fmt: skip
            codes.append(new.code)

    assert codes == ["2026-U-v2", "2026-U-v3"]
    assert (new.state, new.in_force_from, new.in_force_to) == ("draft", date(2026, 12, 1), date(2026, 12, 31))
    assert versions.compare_schemes(db.session(), old, new) == []
    assert all((row["before"], row["rank_before"]) == (row["after"], row["rank_after"]) for row in run(new)["2026-02"])
