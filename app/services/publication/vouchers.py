"""The verbs of a correction voucher: one entry of a closed month reversed and replaced, with a second person's word.

Source: mission C6, trust demands LE-04 and LE-05. Both entries stay, and so does the bulletin they stood in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Message, RuleViolation
from app.models import CorrectionVoucher, ScoreEntry
from app.policies import corrections as policy
from app.policies.actor import Actor, require
from app.policies.free import free
from app.policies.scoping import unscoped
from app.rules.periods import Period
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import closed_periods, hold_bureau
from app.services.jobs import runs
from app.services.ledger.posting import post_facts
from app.services.ledger.reversal import reverse_with_parts
from app.services.messages import notices
from app.services.publication import corrections
from app.services.registration.facts import Typed, newest_fact, read_fact, record_to_post, tell_concerned
from app.services.workbook.store import codes_of

WHY = "an entry has one open voucher, whoever asks"
REPLACED = ("clause", "subject", "quantity", "points", "value", "work_key", "attrs", "parties", "remark", "evidence")
PREFIX = "GZ"
NOT_ABOUT_ONESELF = N_("Nobody corrects or decides an entry about himself.")


def texts_of(entry: ScoreEntry) -> dict[str, str]:
    """The fact as it stands, in the columns that a voucher may replace."""
    return {
        "clause": entry.clause.code, "subject": entry.subject.code, "quantity": _text(entry.quantity),
        "points": _text(entry.points), "value": _text(entry.value), "work_key": entry.work_key,
        "attrs": entry.attrs, "parties": entry.parties, "remark": entry.remark, "evidence": entry.evidence,
    }  # fmt: skip


def _text(value: Any) -> str:
    return "" if value is None else format(value.normalize(), "f")


def ask_voucher(
    session: Session,
    entry: ScoreEntry,
    *,
    texts: Mapping[str, str] | None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> CorrectionVoucher | Typed:
    """Ask to replace an entry of a closed month by what `texts` say, or (None) to take it out.

    What was typed comes back where it has faults.
    """
    require(policy.may_ask(actor))
    hold_bureau(session, entry.bureau_id)
    if entry.month not in closed_periods(session, entry.bureau_id):
        raise RuleViolation(N_("The month of this entry is open: reverse it and register the right one."))
    require(not _is_about(session, entry, actor), NOT_ABOUT_ONESELF)
    if entry.kind != "fact" or entry.is_reversed:
        raise Conflict(N_("Only a fact that is not reversed can be corrected."))
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    waiting = select(CorrectionVoucher.no).where(
        CorrectionVoucher.entry_id == entry.id, CorrectionVoucher.state == "asked"
    )
    other = session.scalar(waiting)
    if other is not None:
        raise Conflict(N_("Voucher %(no)s for this entry still waits for its decision.", no=other))
    replacement = ""
    if texts is not None:
        found = _read(session, entry, texts, actor)
        if not found.is_sound:
            return found
        if {name: texts.get(name, "").strip() for name in REPLACED} == texts_of(entry):
            raise RuleViolation(N_("The replacement is the same as the entry."))
        kept = {name: texts.get(name, "").strip() for name in REPLACED}
        replacement = json.dumps(kept, ensure_ascii=False, sort_keys=True)
    voucher = CorrectionVoucher(
        bureau_id=entry.bureau_id, no=_next_number(session, entry.bureau_id, now), entry_id=entry.id,
        replacement=replacement, reason=reason.strip(), state="asked", asked_by_id=actor.account_id,
        asked_by=actor.name, asked_at=now,
    )  # fmt: skip
    session.add(voucher)
    session.flush()
    trace.record(
        session, verb="ask_voucher", target=voucher, reason=voucher.reason, after=trace.facts_of(voucher),
        actor=actor, now=now,
    )  # fmt: skip
    _tell(session, voucher, "bureau_leader", N_("Voucher %(no)s waits for your decision.", no=voucher.no), now)
    return voucher


def _is_about(session: Session, entry: ScoreEntry, actor: Actor) -> bool:
    """Whether a fact or one of its parts is the actor's own matter."""
    parts = select(ScoreEntry.__table__.c.subject_id).where(ScoreEntry.__table__.c.fact_id == entry.id)
    return not free(actor, {entry.subject_id, *unscoped(session, WHY).execute(parts).scalars()})


def _read(session: Session, entry: ScoreEntry, texts: Mapping[str, str], actor: Actor) -> Typed:
    """The replacement, of the same day as the entry."""
    whole = {**texts, "occurred_on": entry.occurred_on.isoformat()}
    return read_fact(session, whole, bureau_id=entry.bureau_id, actor=actor, today=entry.occurred_on)


def _next_number(session: Session, bureau_id: int, now: datetime) -> str:
    year = local_time(now).year
    voucher = CorrectionVoucher.__table__.c
    count = select(func.count(voucher.id)).where(voucher.bureau_id == bureau_id, voucher.no.like(f"{PREFIX}-{year}-%"))
    return f"{PREFIX}-{year}-{unscoped(session, WHY).execute(count).scalar_one() + 1:04d}"


def approve_voucher(session: Session, voucher: CorrectionVoucher, *, opinion: str, actor: Actor, now: datetime) -> None:
    """Reverse the entry with all its parts, post the new one in the same month, and have the bulletins corrected."""
    hold_bureau(session, voucher.bureau_id)
    require(policy.may_decide(actor, voucher), N_("A second person decides, and each voucher once."))
    entry = voucher.entry
    require(not _is_about(session, entry, actor), NOT_ABOUT_ONESELF)
    if entry.is_reversed:
        raise Conflict(N_("The entry has been reversed meanwhile."))
    reason = f"{voucher.no} {voucher.reason}"
    table = ScoreEntry.__table__
    row = unscoped(session, WHY).execute(select(table).where(table.c.id == entry.id)).mappings().one()
    reverse_with_parts(session, [dict(row)], reason=reason, actor=actor, now=now)
    if voucher.replacement:
        found = _read(session, entry, json.loads(voucher.replacement), actor_of(voucher, actor))
        if not found.is_sound:
            raise RuleViolation(next(iter(found.faults.values())))
        record = record_to_post(found, codes_of(session, voucher.bureau_id), number=entry.no, actor=actor)
        # The voucher opens the month for what it names: the new fact counts where the old one did.
        record["month"] = entry.month
        post_facts(session, voucher.bureau_id, [record], source="voucher", source_id=voucher.id, actor=actor, now=now)
        new = newest_fact(session, voucher.bureau_id, entry.no)
        voucher.new_entry_id = new.id
        tell_concerned(session, [new], now=now)
    _decide(session, voucher, "approved", "approve_voucher", opinion, actor, now)
    period = Period.parse(entry.month)
    assert period is not None
    corrections.request(session, voucher.bureau_id, period, now=now)
    runs.refresh_open(session, voucher.bureau_id, now=now)
    _tell(
        session,
        voucher,
        "assessment_office",
        N_("Voucher %(no)s is approved; the corrected bulletin is being drafted.", no=voucher.no),
        now,
    )


def actor_of(voucher: CorrectionVoucher, approver: Actor) -> Actor:
    """The replacement is the office's act: it is read with the office's right, under the approver's name."""
    return Actor(
        account_id=voucher.asked_by_id, name=approver.name, bureau_id=voucher.bureau_id,
        subject_id=approver.subject_id, substitute_id=approver.substitute_id,
        roles=frozenset({"assessment_office"}),
    )  # fmt: skip


def refuse_voucher(session: Session, voucher: CorrectionVoucher, *, opinion: str, actor: Actor, now: datetime) -> None:
    """Refuse what was asked, with the reason."""
    hold_bureau(session, voucher.bureau_id)
    require(policy.may_decide(actor, voucher), N_("A second person decides, and each voucher once."))
    if not opinion.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="opinion")
    _decide(session, voucher, "refused", "refuse_voucher", opinion, actor, now)
    _tell(session, voucher, "assessment_office", N_("Voucher %(no)s is refused.", no=voucher.no), now)


def withdraw_voucher(session: Session, voucher: CorrectionVoucher, *, actor: Actor, now: datetime) -> None:
    """Take back what nobody has decided yet."""
    hold_bureau(session, voucher.bureau_id)
    require(policy.may_withdraw(actor, voucher))
    voucher.state = "withdrawn"
    session.flush()
    trace.record(session, verb="withdraw", target=voucher, actor=actor, now=now)


def _decide(
    session: Session, voucher: CorrectionVoucher, state: str, verb: str, opinion: str, actor: Actor, now: datetime
) -> None:
    voucher.state, voucher.opinion = state, opinion.strip()
    voucher.decided_by_id, voucher.decided_by, voucher.decided_at = actor.account_id, actor.name, now
    session.flush()
    session.expire_all()
    trace.record(session, verb=verb, target=voucher, reason=voucher.opinion, actor=actor, now=now)


def _tell(session: Session, voucher: CorrectionVoucher, role: str, text: Message, now: datetime) -> None:
    accounts = notices.holders(session, voucher.bureau_id, role, on=local_time(now).date())
    notices.say(
        session, accounts, category="correction", key=f"voucher:{voucher.id}:{voucher.lock_version}:{role}", text=text,
        item=f"voucher:{voucher.id}", bureau_id=voucher.bureau_id, now=now,
    )  # fmt: skip
