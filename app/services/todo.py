"""What waits for the signed-in person: one list that the workbench shows and the top bar counts.

A process adds its own matters by one function beside `supervision_todo`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import (
    Account,
    BatchState,
    Bulletin,
    CorrectionVoucher,
    ImportBatch,
    ReopenPermit,
    ResultNotice,
    RoleGrant,
    RunLedger,
    RunStatus,
    Scheme,
    SchemeState,
)
from app.policies.actor import Actor
from app.rules.bulletin import BulletinState
from app.rules.periods import spoken
from app.services.bulletin import runs_to_draft
from app.services.sentences import undump
from app.services.supervision_todo import supervision_todo
from app.services.waiting import MOST, Todo


def todo(session: Session, *, actor: Actor, on: date) -> list[Todo]:
    """Everything that waits for the actor, the weightiest first; at most 20 of each kind."""
    found = [*_of_roles(session, actor, on), *supervision_todo(session, actor, on)]
    # What is late comes first, the latest on top; everything else in the order of its kind.
    return sorted(found, key=lambda it: it.days_left if it.days_left is not None and it.days_left < 0 else 0)


def _of_roles(session: Session, actor: Actor, on: date) -> Iterator[Todo]:
    if actor.is_member:
        yield from _to_sign_for(session, actor)
    if actor.has("bureau_leader"):
        yield from _to_sign(session)
        yield from _to_decide(session)
        yield from _schemes(session)
    if actor.has("assessment_office"):
        yield from _failed(session)
        yield from _bulletins(session)
        yield from _to_draft(session, on)
        yield from _imports(session)
    if actor.has("security_admin"):
        yield from _grants(session)
    if actor.has("system_admin"):
        yield from _accounts(session)


def _to_sign(session: Session) -> Iterator[Todo]:
    query = select(Bulletin).where(Bulletin.state == BulletinState.SUBMITTED).order_by(Bulletin.period)
    for it in session.scalars(query.limit(MOST)):
        text = N_("Bulletin of %(period)s", period=spoken(it.period))
        yield Todo(
            "sign", f"bulletin:{it.period}", text, N_("waits for your signature"), it.submitted_by, it.submitted_at
        )


def _to_sign_for(session: Session, actor: Actor) -> Iterator[Todo]:
    """Notices of results that are the actor's to sign for."""
    mine = actor.own_units | ({actor.subject_id} - {None})
    query = select(ResultNotice).where(ResultNotice.received_at.is_(None), ResultNotice.subject_id.in_(mine))
    for it in session.scalars(query.order_by(ResultNotice.id).limit(MOST)):
        text = N_("Notice of result, %(period)s", period=spoken(it.period))
        yield Todo("receive", f"notice:{it.id}", text, N_("to be signed for"), it.decision.confirmed_by, it.sent_at)


def _to_decide(session: Session) -> Iterator[Todo]:
    """Vouchers and permits that wait for a second person."""
    for it in session.scalars(select(CorrectionVoucher).where(CorrectionVoucher.state == "asked").limit(MOST)):
        text = N_("Correction voucher %(no)s", no=it.no)
        yield Todo(
            "decide", f"voucher:{it.id}", text, Message("%(text)s", {"text": it.reason}), it.asked_by, it.asked_at
        )
    for permit in session.scalars(select(ReopenPermit).where(ReopenPermit.state == "asked").limit(MOST)):
        text = N_("Permit to reopen %(period)s", period=spoken(permit.period))
        why = Message("%(text)s", {"text": permit.reason})
        yield Todo("decide", f"permit:{permit.id}", text, why, permit.asked_by, permit.asked_at)


def _bulletins(session: Session) -> Iterator[Todo]:
    open_states = (BulletinState.DRAFT, BulletinState.SIGNED)
    query = select(Bulletin).where(Bulletin.state.in_(open_states)).order_by(Bulletin.period)
    for it in session.scalars(query.limit(MOST)):
        text = N_("Bulletin of %(period)s", period=spoken(it.period))
        if it.state == BulletinState.SIGNED:
            yield Todo(
                "publish", f"bulletin:{it.period}", text, N_("signed, may be published"), it.signed_by, it.signed_at
            )
        elif it.opinion:
            why = N_("returned: %(reason)s", reason=it.opinion)
            yield Todo("returned", f"bulletin:{it.period}", text, why, "", it.drafted_at)
        else:
            why = N_("drafted, to be reviewed and submitted for signature")
            yield Todo("review", f"bulletin:{it.period}", text, why, it.drafted_by, it.drafted_at)


def _to_draft(session: Session, on: date) -> Iterator[Todo]:
    for period in runs_to_draft(session, on=on)[:MOST]:
        yield Todo(
            "draft",
            f"scores:{period}",
            N_("Results of %(period)s", period=spoken(period)),
            N_("settled, no bulletin yet"),
        )


def _imports(session: Session) -> Iterator[Todo]:
    states = (BatchState.REFUSED, BatchState.CHECKED)
    query = select(ImportBatch).where(ImportBatch.state.in_(states)).order_by(ImportBatch.id.desc())
    for it in session.scalars(query.limit(MOST)):
        is_wrong = it.state == BatchState.REFUSED
        why = N_("has faults, nothing was stored") if is_wrong else N_("checked, not committed")
        text = N_("Import %(file)s", file=it.file_name)
        yield Todo("faults" if is_wrong else "commit", f"import:{it.id}", text, why, it.uploaded_by, it.uploaded_at)


def _failed(session: Session) -> Iterator[Todo]:
    query = select(RunLedger).where(RunLedger.status == RunStatus.FAILED).order_by(RunLedger.id.desc())
    for it in session.scalars(query.limit(MOST)):
        text = N_("Run %(period)s has failed", period=spoken(it.period))
        yield Todo("failed", f"run:{it.id}", text, undump(it.error), it.requested_by, it.finished_at)


def _schemes(session: Session) -> Iterator[Todo]:
    for it in session.scalars(
        select(Scheme).where(Scheme.state == SchemeState.DRAFT).order_by(Scheme.code).limit(MOST)
    ):
        text = N_("Scheme %(code)s %(title)s", code=it.code, title=it.title)
        yield Todo("approve", f"scheme:{it.id}", text, N_("a draft, to be put in force by a leader"))


def _grants(session: Session) -> Iterator[Todo]:
    query = select(RoleGrant).where(RoleGrant.approved_at.is_(None)).order_by(RoleGrant.id).limit(MOST)
    for it in session.scalars(query):
        text = N_("Role for %(name)s", name=it.account.username)
        yield Todo("approve", f"grant:{it.id}", text, N_("asked for, waits for approval"), it.asked_by)


def _accounts(session: Session) -> Iterator[Todo]:
    query = select(Account).where(Account.password == "", Account.active.is_(True)).limit(1)
    if session.scalar(query) is not None:
        text = N_("Accounts without a password")
        yield Todo("issue", "accounts:no_password", text, N_("their holders cannot sign in yet"))
