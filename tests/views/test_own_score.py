"""One member of the office tries to raise her own score, by every door there is, and fails at each.

She registers, uploads, corrects, recalls, decides, moves herself to another group and lets a leader name her as his
substitute. After all of it the scores are those they were, and each attempt stands in the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.extensions import db, transaction
from app.models import (
    ActingGrant,
    Bureau,
    Clause,
    CorrectionVoucher,
    ExternalResult,
    GradeDecision,
    ImportBatch,
    Person,
    Posting,
    Relation,
    Scheme,
    ScoreEntry,
    Subject,
    Target,
    TraceEntry,
)
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.security import sessions
from app.security.scope import act_as
from app.services.scoring import results, settlement
from tests.conftest import NOW, account_of, workbook
from tests.services.publication.test_bulletin import publish_all

OWN, OFFICE = "1201", "wangxiaolan"
MARCH = Period(2026, 3, 1)
QUARTER = Period(2026, 1, 3)
TODAY = sessions.today()
FEBRUARY = {"entries": [{"no": "OWN-1", "occurred_on": "2026-02-11", "clause": "PD.2", "subject": OWN}]}
CLAUSE = {
    "clauses": [
        {
            "indicator": "F1",
            "code": "F1.9",
            "text": "抽查不合格",
            "document": "D1",
            "effect": "deduction",
            "pricing": "fixed",
            "price": 1,
            "shares": "self=100;handler=50",
        },
    ],
}
FACTS = {
    "entries": [
        {"no": "OWN-2", "occurred_on": "2026-03-10", "clause": "PD.2", "subject": OWN},
        {"no": "OWN-3", "occurred_on": "2026-03-11", "clause": "F1.9", "subject": "B1", "parties": f"handler={OWN}"},
        {"no": "OWN-4", "occurred_on": "2026-03-11", "clause": "F1.1", "subject": "02"},
    ],
}  # fmt: skip


@dataclass
class Office:
    """Her browser, and what she aims at."""

    client: FlaskClient
    leader: FlaskClient
    batch: int

    def entry(self, no: str) -> ScoreEntry:
        fresh()
        query = select(ScoreEntry).where(ScoreEntry.no == no, ScoreEntry.kind.in_(("fact", "reposted")))
        return db.session.scalars(query.order_by(ScoreEntry.id)).unique().first()

    def own(self, model: Any, column: Any) -> Any:
        fresh()
        return db.session.scalars(select(model).where(column == self.subject())).unique().first()

    def subject(self) -> int:
        fresh()
        return db.session.scalars(select(Subject.id).where(Subject.code == OWN)).one()

    def post(self, address: str, **form: str) -> str:
        return self.client.post(address, data=form, follow_redirects=True).get_data(as_text=True)

    def upload(self, rows: dict[str, list[dict[str, object]]]) -> str:
        file = (BytesIO(workbook(rows)), "自己.xlsx")
        where = self.client.post("/import/upload", data={"file": file}).headers["Location"]
        page = self.client.get(where).get_data(as_text=True)
        self.client.post(f"{where}/commit")
        return page


def fresh() -> None:
    db.session.rollback()
    act_as(db.session(), SYSTEM)


def registers_an_award(office: Office) -> str:
    return office.post(
        "/registration/", act="save", checked="1", occurred_on="2026-03-12", clause="PA.1", subject=OWN, remark="表彰"
    )


def registers_a_part(office: Office) -> str:
    return office.post(
        "/registration/", act="save", checked="1", occurred_on="2026-03-12", clause="F1.9", subject="B1",
        handler=OWN, remark="补记",
    )  # fmt: skip


def uploads_an_award(office: Office) -> str:
    return office.upload(
        {"entries": [{"no": "N1", "occurred_on": "2026-03-12", "clause": "PA.1", "subject": OWN, "remark": "表彰"}]}
    )


def uploads_a_target(office: Office) -> str:
    return office.upload({"targets": [{"indicator": "PD", "subject": OWN, "period": "2026-03", "value": 1}]})


def uploads_a_result(office: Office) -> str:
    return office.upload({"external_results": [{"period": "2026-03", "subject": OWN, "indicator": "PD", "score": 100}]})


def uploads_another_group(office: Office) -> str:
    return office.upload(
        {
            "people": [
                {"staff_no": OWN, "name": "王晓岚", "category": "unit_head", "group": "一般人员", "from": "2026-01-01"}
            ]
        }
    )


def uploads_a_posting(office: Office) -> str:
    return office.upload({"postings": [{"staff_no": OWN, "unit": "03", "duty": "head", "from": "2026-03-01"}]})


def keeps_another_group(office: Office) -> str:
    row = office.own(Person, Person.subject_id)
    return office.post(
        f"/personview/edit/{row.id}", seen=office.client.seen(f"/personview/edit/{row.id}"), code=OWN, name=row.name,
        category="unit_head", group_name="一般人员", valid_from="2026-01-01",
    )  # fmt: skip


def ends_her_posting(office: Office) -> str:
    row = office.own(Posting, Posting.person_id)
    return office.post(f"/postingview/delete/{row.id}")


def ends_a_relation(office: Office) -> str:
    return office.post(f"/relationview/delete/{office.own(Relation, Relation.person_id).id}")


def keeps_a_target(office: Office) -> str:
    return office.post(
        "/targetview/add", indicator_code="PD", subject=str(office.subject()), period="2026-03", value="1"
    )


def keeps_a_result(office: Office) -> str:
    return office.post(
        "/externalresultview/add", period="2026-03", subject=str(office.subject()), indicator_code="PD", score="100"
    )


def reverses_a_deduction(office: Office) -> str:
    return office.post(f"/scoreentryview/reverse/{office.entry('OWN-2').id}", reason="误记")


def reverses_a_deduction_of_her_unit(office: Office) -> str:
    return office.post(f"/scoreentryview/reverse/{office.entry('OWN-4').id}", reason="误记")


def reverses_a_fact_with_a_part_of_hers(office: Office) -> str:
    return office.post(f"/scoreentryview/reverse/{office.entry('OWN-3').id}", reason="误记")


def recalls_the_batch(office: Office) -> str:
    return office.post(f"/import/{office.batch}/recall", reason="误传")


def asks_a_voucher(office: Office) -> str:
    return office.post(f"/voucherview/ask/{office.entry('OWN-1').id}", reason="误记", way="out")


def proposes_her_grade(office: Office) -> str:
    form = {f"grade-{OWN}": "优秀", f"reason-{OWN}": "突出"}
    page = "/grades/?period=2026-Q1&kind=person"
    return office.post("/grades/save", period="2026-Q1", kind="person", seen=office.client.seen(page), **form)


def approves_her_own_scheme_for_the_leader(office: Office) -> str:
    fresh()
    scheme = db.session.scalars(select(Scheme).where(Scheme.code == "2026-P")).one()
    office.post(f"/schemeview/next_version/{scheme.id}")
    fresh()
    draft = db.session.scalars(select(Scheme).where(Scheme.code != "2026-P", Scheme.subject_kind == "person")).one()
    office.post(f"/approval/submit/{draft.id}")
    office.leader.post(
        "/actingview/add",
        data={
            "substitute": "1201 王晓岚",
            "valid_from": TODAY.isoformat(),
            "valid_to": TODAY.isoformat(),
            "reason": "出差",
        },
    )
    fresh()
    grant = db.session.scalars(select(ActingGrant)).first()
    if grant is not None:
        office.client.post(f"/actingview/take_up/{grant.id}")
    page = office.post(f"/approval/approve/{draft.id}", seen=office.client.seen(f"/approval/{draft.id}"))
    fresh()
    assert db.session.get_one(Scheme, draft.id).state == "draft"
    if grant is not None:
        office.client.post("/actingview/put_down")
    return page


DOORS: tuple[Callable[[Office], str], ...] = (
    registers_an_award, registers_a_part, uploads_an_award, uploads_a_target, uploads_a_result, uploads_another_group,
    uploads_a_posting, keeps_another_group, ends_her_posting, ends_a_relation, keeps_a_target, keeps_a_result,
    reverses_a_deduction, reverses_a_deduction_of_her_unit, reverses_a_fact_with_a_part_of_hers, recalls_the_batch, asks_a_voucher, proposes_her_grade,
    approves_her_own_scheme_for_the_leader,
)  # fmt: skip


def kept() -> tuple[Any, ...]:
    """What moves scores: the entries, what else is laid down by hand, who belongs where."""
    fresh()
    counts = tuple(
        db.session.scalar(select(func.count()).select_from(model))
        for model in (ScoreEntry, Clause, Target, ExternalResult, CorrectionVoucher, GradeDecision, Relation)
    )
    people = db.session.scalars(select(Person).order_by(Person.id)).all()
    postings = db.session.scalars(select(Posting).order_by(Posting.id)).all()
    return counts, [(it.id, it.group_name) for it in people], [(it.id, it.unit_id, it.duty) for it in postings]


def scores() -> list[Any]:
    with transaction() as work:
        bureau = work.scalars(select(Bureau)).one()
        settlement.settle_period(work, bureau, MARCH, on=date(2026, 3, 31), actor=SYSTEM, now=NOW)
    found = results.scores_of(db.session, bureau, MARCH)
    return [(row["subject"], row["indicator_code"], row["score"], row["rank"]) for row in found]


def test_every_door_is_shut_and_each_attempt_is_on_record(
    app: Flask, sample: object, sign_in: Callable[[str], FlaskClient], load: Callable[..., ImportBatch]
) -> None:
    load(FEBRUARY, bureau="3306")
    fresh()
    publish_all(db.session.scalars(select(Bureau)).one())
    load(CLAUSE, bureau="3306")
    load(FACTS, bureau="3306")
    fresh()
    with transaction() as work:
        one, other = (work.scalars(select(Subject).where(Subject.code == code)).one() for code in (OWN, "2104"))
        work.add(Relation(bureau_id=one.bureau_id, person=one, other=other, kind="spouse", valid_from=date(2026, 1, 1)))
        bureau = work.scalars(select(Bureau)).one()
        settlement.settle_period(work, bureau, QUARTER, on=date(2026, 4, 1), actor=SYSTEM, now=NOW)
    batch = db.session.scalars(select(ImportBatch.id).order_by(ImportBatch.id.desc())).first()
    office = Office(sign_in("assessment_office"), sign_in("bureau_leader"), batch or 0)
    hers = account_of(OFFICE).id
    before, drawn = scores(), kept()

    silent, open_doors = [], []
    for door in DOORS:
        fresh()
        seq = db.session.scalar(select(func.max(TraceEntry.seq))) or 0
        page = door(office)
        assert "500" not in page[:400], door.__name__
        fresh()
        query = select(func.count(TraceEntry.seq)).where(
            TraceEntry.seq > seq, TraceEntry.result == "refused", TraceEntry.actor_id == hers
        )
        if not db.session.scalar(query):
            silent.append((door.__name__, page[page.find("<main") :]))
        if kept() != drawn:
            open_doors.append(door.__name__)
            drawn = kept()

    assert open_doors == [], open_doors
    assert [name for name, _page in silent] == [], silent[0][1]
    assert scores() == before
