"""What waits for whom: one list of matters, asked by the workbench, the top bar, the digest and the readiness board.

A process adds its own matters by one function in `SOURCES`. Whose a matter is, `Waits.is_for` says, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import (
    BatchState,
    Bulletin,
    CorrectionVoucher,
    ImportBatch,
    Notification,
    Oversight,
    Posting,
    ReopenPermit,
    ResultNotice,
    RunLedger,
    RunStatus,
    Scheme,
    SchemeState,
)
from app.policies import bulletin as bulletin_policy
from app.policies import corrections as corrections_policy
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.rules.bulletin import BulletinState
from app.rules.periods import spoken
from app.rules.timetable import instant_of, local_time_of
from app.rules.workdays import WorkCalendar, days_left
from app.services.desk.todo_people import of_administrators, who_left
from app.services.messages.sentences import undump
from app.services.process.matters import since
from app.services.process.opinions_todo import opinions_todo
from app.services.process.waiting import Ask, Source, Todo, Waits
from app.services.publication.bulletin import is_told_of, key_of_news
from app.services.publication.drafts import runs_to_draft
from app.services.supervision.todo import supervision_todo

WHY = "whom a matter waits for is asked of each matter"
LEADER, OFFICE = frozenset({"bureau_leader"}), frozenset({"assessment_office"})
READ_WITHIN = timedelta(days=60)


def todo(session: Session, *, actor: Actor, calendar: WorkCalendar | None, on: date) -> list[Todo]:
    """Everything that waits for the actor, the weightiest first; at most 20 of each kind.

    `calendar` is that of the actor's bureau; who belongs to none has no matters of one.
    """
    found = list(of_administrators(session, actor, on))
    if actor.bureau_id is not None and calendar is not None and actor.is_member:
        ask = Ask(session, actor.bureau_id, on, calendar, actor)
        found += [it for source in SOURCES for it in source(ask) if it.waits.is_for(actor)]
    # What is late comes first, the latest on top; everything else in the order of its kind.
    return sorted(found, key=lambda it: it.days_left if it.days_left is not None and it.days_left < 0 else 0)


def open_matters(
    session: Session, bureau_id: int, *, calendar: WorkCalendar, on: date, sources: Sequence[Source] = ()
) -> list[Todo]:
    """Every open matter of a bureau, of all sources or of some, with whom it waits for; as far as the session sees."""
    ask = Ask(session, bureau_id, on, calendar, in_charge=in_charge(session, bureau_id, on))
    return [it for source in sources or SOURCES for it in source(ask)]


def in_charge(session: Session, bureau_id: int, on: date) -> dict[int, frozenset[int]]:
    """The leaders in charge of each unit on a day, and of each person who is posted to one."""
    oversight, posting = Oversight.__table__.c, Posting.__table__.c
    query = select(oversight.unit_id, oversight.leader_id).where(
        oversight.bureau_id == bureau_id, oversight.unit_id.is_not(None), oversight.valid_from <= on,
        oversight.valid_to.is_(None) | (oversight.valid_to >= on),
    )  # fmt: skip
    found: dict[int, set[int]] = defaultdict(set)
    for unit, leader in unscoped(session, WHY).execute(query):
        found[unit].add(leader)
    posted = select(posting.person_id, posting.unit_id).where(
        posting.unit_id.in_(list(found)), posting.valid_from <= on,
        posting.valid_to.is_(None) | (posting.valid_to >= on),
    )  # fmt: skip
    for person, unit in unscoped(session, WHY).execute(posted).all():
        found[person] |= found[unit] - {person}
    return {unit: frozenset(leaders) for unit, leaders in found.items()}


def _notices(ask: Ask) -> Iterator[Todo]:
    """Notices of results that wait for their subject's signature."""
    query = select(ResultNotice).where(ResultNotice.received_at.is_(None), ResultNotice.bureau_id == ask.bureau_id)
    query = query.where(
        ask.mine(lambda actor: ResultNotice.subject_id.in_(actor.own_units | ({actor.own_person} - {None})))
    )
    for notice in ask.session.scalars(query.order_by(ResultNotice.id).limit(ask.most)):
        text = N_("Notice of result, %(period)s", period=spoken(notice.period))
        its_own = frozenset({notice.subject_id})
        waits = Waits(units=its_own, people=its_own, leaders=ask.leaders_of(its_own))
        yield Todo(
            "receive", f"notice:{notice.id}", text, N_("to be signed for"), waits,
            notice.decision.confirmed_by, notice.sent_at, mark=f"notice:{notice.id}",
            events=since("grades.notice", notice.sent_at), unit_id=notice.subject_id,
        )  # fmt: skip


def _to_sign(ask: Ask) -> Iterator[Todo]:
    if not ask.wants("bureau_leader"):
        return
    query = select(Bulletin).where(Bulletin.state == BulletinState.SUBMITTED, Bulletin.bureau_id == ask.bureau_id)
    for bulletin in ask.session.scalars(query.order_by(Bulletin.period).limit(ask.most)):
        yield _to_sign_one(bulletin)


def _to_sign_one(bulletin: Bulletin) -> Todo:
    text = N_("Bulletin of %(period)s", period=spoken(bulletin.period))
    waits = Waits(roles=LEADER, may=lambda actor: bulletin_policy.may_sign(actor, bulletin))
    return Todo(
        "sign", f"bulletin:{bulletin.period}", text, N_("waits for your signature"), waits,
        bulletin.submitted_by, bulletin.submitted_at,
        mark=f"sign:{bulletin.id}:{bulletin.lock_version}", events=since("bulletin.sign", bulletin.submitted_at),
    )  # fmt: skip


def _to_decide(ask: Ask) -> Iterator[Todo]:
    """Vouchers and permits that wait for a second person."""
    if not ask.wants("bureau_leader"):
        return
    vouchers = select(CorrectionVoucher).where(
        CorrectionVoucher.state == "asked", CorrectionVoucher.bureau_id == ask.bureau_id
    )
    for voucher in ask.session.scalars(vouchers.order_by(CorrectionVoucher.id).limit(ask.most)):
        yield _decision(voucher, f"voucher:{voucher.id}", N_("Correction voucher %(no)s", no=voucher.no))
    permits = select(ReopenPermit).where(ReopenPermit.state == "asked", ReopenPermit.bureau_id == ask.bureau_id)
    for permit in ask.session.scalars(permits.order_by(ReopenPermit.id).limit(ask.most)):
        text = N_("Permit to reopen %(period)s", period=spoken(permit.period))
        yield _decision(permit, f"permit:{permit.id}", text)


def _decision(asked: CorrectionVoucher | ReopenPermit, item: str, text: Message) -> Todo:
    waits = Waits(roles=LEADER, may=lambda actor: corrections_policy.may_decide(actor, asked))
    why = Message("%(text)s", {"text": asked.reason})
    return Todo(
        "decide", item, text, why, waits, asked.asked_by, asked.asked_at, mark=f"decide:{item}",
        events=since("corrections.decide", asked.asked_at),
    )  # fmt: skip


def _open_permits(ask: Ask) -> Iterator[Todo]:
    """Permits that are open: the office uses and closes them before they end by themselves."""
    if not ask.wants("assessment_office"):
        return
    query = select(ReopenPermit).where(ReopenPermit.state == "granted", ReopenPermit.bureau_id == ask.bureau_id)
    for permit in ask.session.scalars(query.order_by(ReopenPermit.last_day, ReopenPermit.id).limit(ask.most)):
        text = N_("Permit to reopen %(period)s", period=spoken(permit.period))
        yield Todo(
            "permit", f"permit:{permit.id}", text, N_("open; it ends by itself on its last day"), Waits(roles=OFFICE),
            permit.decided_by, permit.decided_at, permit.last_day, days_left(permit.last_day, ask.on, ask.calendar),
            mark=f"permit:{permit.id}", events=[("corrections.permit_ends", permit.last_day)],
        )  # fmt: skip


def _schemes(ask: Ask) -> Iterator[Todo]:
    if not ask.wants("bureau_leader"):
        return
    query = select(Scheme).where(
        Scheme.state == SchemeState.DRAFT, Scheme.submitted_at.is_not(None), Scheme.bureau_id == ask.bureau_id,
        Scheme.owner_unit_id.is_(None),
    )  # fmt: skip
    for scheme in ask.session.scalars(query.order_by(Scheme.code, Scheme.id).limit(ask.most)):
        text = N_("Scheme %(code)s %(title)s", code=scheme.code, title=scheme.title)
        yield Todo(
            "approve", f"scheme:{scheme.id}", text, N_("submitted, waits for approval"), Waits(roles=LEADER),
            scheme.submitted_by, scheme.submitted_at, mark=f"scheme:{scheme.id}",
        )  # fmt: skip


def _failed(ask: Ask) -> Iterator[Todo]:
    if not ask.wants("assessment_office"):
        return
    query = select(RunLedger).where(RunLedger.status == RunStatus.FAILED, RunLedger.bureau_id == ask.bureau_id)
    for run in ask.session.scalars(query.order_by(RunLedger.id.desc()).limit(ask.most)):
        text = N_("Run %(period)s has failed", period=spoken(run.period))
        yield Todo(
            "failed", f"run:{run.id}", text, undump(run.error), Waits(roles=OFFICE), run.requested_by, run.finished_at,
            mark=f"run:{run.id}:{run.fence}",
        )  # fmt: skip


def _bulletins(ask: Ask) -> Iterator[Todo]:
    if not ask.wants("assessment_office"):
        return
    open_states = (BulletinState.DRAFT, BulletinState.SIGNED)
    query = select(Bulletin).where(Bulletin.state.in_(open_states), Bulletin.bureau_id == ask.bureau_id)
    for bulletin in ask.session.scalars(query.order_by(Bulletin.period, Bulletin.id).limit(ask.most)):
        text, item = N_("Bulletin of %(period)s", period=spoken(bulletin.period)), f"bulletin:{bulletin.period}"
        mark = f"bulletin:{bulletin.id}:{bulletin.lock_version}"
        kind, why = "review", N_("drafted, to be reviewed and submitted for signature")
        name, at = bulletin.drafted_by, bulletin.drafted_at
        if bulletin.state == BulletinState.SIGNED:
            kind, why, name, at = (
                "publish",
                N_("signed, may be published"),
                bulletin.signed_by,
                bulletin.signed_at or bulletin.drafted_at,
            )
        elif bulletin.opinion:
            kind, why, name = "returned", N_("returned: %(reason)s", reason=bulletin.opinion), ""
        yield Todo(
            kind, item, text, why, Waits(roles=OFFICE), name, at, mark=mark, events=since("bulletin.publish", at)
        )


def _to_draft(ask: Ask) -> Iterator[Todo]:
    if not ask.wants("assessment_office"):
        return
    for period in runs_to_draft(ask.session, ask.bureau_id, on=ask.on)[: ask.most]:
        yield Todo(
            "draft", f"scores:{period}", N_("Results of %(period)s", period=spoken(period)),
            N_("settled, no bulletin yet"), Waits(roles=OFFICE), mark=f"draft:{period}",
        )  # fmt: skip


def _imports(ask: Ask) -> Iterator[Todo]:
    if not ask.wants("assessment_office"):
        return
    states = (BatchState.REFUSED, BatchState.CHECKED)
    query = select(ImportBatch).where(ImportBatch.state.in_(states), ImportBatch.bureau_id == ask.bureau_id)
    for batch in ask.session.scalars(query.order_by(ImportBatch.id.desc()).limit(ask.most)):
        is_wrong = batch.state == BatchState.REFUSED
        why = N_("has faults, nothing was stored") if is_wrong else N_("checked, not committed")
        text = N_("Import %(file)s", file=batch.file_name)
        kind = "faults" if is_wrong else "commit"
        yield Todo(
            kind, f"import:{batch.id}", text, why, Waits(roles=OFFICE), batch.uploaded_by, batch.uploaded_at,
            mark=f"import:{batch.id}",
        )  # fmt: skip


def _to_read(ask: Ask) -> Iterator[Todo]:
    """Bulletins that were published and that somebody they were sent to has not opened."""
    note, bulletin = Notification.__table__.c, Bulletin.__table__.c
    query = (
        select(bulletin.id, bulletin.period, bulletin.published_by, bulletin.published_at, note.account_id)
        .join(Bulletin.__table__, is_told_of(note.dedup_key, bulletin.id))
        .where(
            bulletin.bureau_id == ask.bureau_id, note.read_at.is_(None),
            bulletin.published_at >= instant_of(local_time_of(ask.on) - READ_WITHIN),
            ask.mine(lambda actor: note.account_id == actor.account_id),
        )
        .order_by(bulletin.id.desc())
        .limit(ask.most)
    )  # fmt: skip
    found: dict[tuple[int, str, str, datetime], set[int]] = defaultdict(set)
    for *of_bulletin, account in unscoped(ask.session, WHY).execute(query):
        found[tuple(of_bulletin)].add(account)  # type: ignore[arg-type]
    for (pk, period, name, at), accounts in found.items():
        text = N_("Bulletin of %(period)s", period=spoken(period))
        yield Todo(
            "read", f"bulletin:{period}", text, N_("published, to be read"), Waits(accounts=frozenset(accounts)), name,
            at, mark=key_of_news(pk), events=since("bulletin.unread", at),
        )  # fmt: skip


# What stands under a unit, what people are reminded of, and the rest.
OF_UNITS: Sequence[Source] = (_notices, supervision_todo, opinions_todo)
REMINDED: Sequence[Source] = (*OF_UNITS, _to_sign, _to_decide, _bulletins, _open_permits, _to_read)
SOURCES: Sequence[Source] = (*REMINDED, _schemes, who_left, _failed, _to_draft, _imports)
