"""What a timeline and the trace show to whom: fields of the page alone, and to administrators no scores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.extensions import db
from app.models import Person, ScoreEntry, Subject, TraceEntry, UserSession
from app.policies.actor import SYSTEM
from app.security import sessions
from app.security.scope import act_as

SignIn = Callable[[str], FlaskClient]
ENTRY = {
    "occurred_on": "2026-03-20",
    "clause": "F1.1",
    "subject": "03",
    "quantity": "7",
    "remark": "迟报七份",
    "seen": "0",
}


def everything() -> None:
    act_as(db.session(), SYSTEM)
    db.session.rollback()


def test_a_field_in_no_list_is_in_no_timeline(app: Flask, sign_in: SignIn) -> None:
    office = sign_in("assessment_office")
    form = {"code": "3001", "name": "新人", "category": "staff", "group_name": "一般人员", "email": "a@bureau.cn"}
    office.post("/personview/add", data=form)
    everything()
    pk = db.session.scalars(
        select(Person.id).join(Subject, Person.subject_id == Subject.id).where(Subject.code == "3001")
    ).one()
    office.post(
        f"/personview/edit/{pk}",
        data={**form, "name": "新人甲", "email": "secret@bureau.cn", "seen": office.seen(f"/personview/edit/{pk}")},
    )
    everything()
    changed = db.session.scalars(
        select(TraceEntry).where(TraceEntry.verb == "change").order_by(TraceEntry.seq.desc())
    ).first()
    assert changed is not None
    assert "secret@bureau.cn" in changed.after

    shown = sign_in("staff").get(f"/personview/show/{pk}").get_data(as_text=True)

    assert "新人甲" in shown
    assert "secret@bureau.cn" not in shown


def test_the_audit_administrator_reads_that_fields_moved_and_no_points(app: Flask, sign_in: SignIn) -> None:
    sign_in("assessment_office").post("/registration/register", data=ENTRY)
    everything()
    office = sign_in("assessment_office")
    entry = db.session.scalars(select(ScoreEntry).where(ScoreEntry.kind == "fact").order_by(ScoreEntry.id)).first()
    assert entry is not None
    office.post(f"/scoreentryview/reverse/{entry.id}", data={"reason": "理由只给看得到的人"})
    office.post("/unitview/add", data={"code": "66", "name": "法规科", "kind": "department", "group_name": "机关",
                                       "position": "6", "parent": "__None"})  # fmt: skip
    everything()
    acts = db.session.scalars(select(TraceEntry).where(TraceEntry.target_type == "score_entry")).all()
    unit = db.session.scalars(
        select(TraceEntry).where(TraceEntry.target_type == "unit", TraceEntry.verb == "add")
    ).one()
    audit = sign_in("audit_admin")

    assert acts
    for act in acts:
        page = audit.get(f"/traceview/show/{act.seq}").get_data(as_text=True)
        assert "理由只给看得到的人" not in page
        assert "quantity&#34;:" not in page
    assert "法规科" in audit.get(f"/traceview/show/{unit.seq}").get_data(as_text=True)


def test_what_a_page_asks_by_itself_keeps_no_session_alive(app: Flask, sign_in: SignIn) -> None:
    client = sign_in("assessment_office")
    client.get("/")
    earlier = sessions.now() - timedelta(minutes=5)

    def seen_after(address: str) -> bool:
        everything()
        db.session.execute(update(UserSession.__table__).values(seen_at=earlier))
        db.session.commit()
        client.get(address)
        everything()
        return max(db.session.scalars(select(UserSession.seen_at))) > earlier

    assert not seen_after("/runview/progress/1")
    assert seen_after("/")
