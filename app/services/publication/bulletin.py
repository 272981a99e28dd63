"""The verbs of a bulletin: edit, submit, sign, return, publish. What is published is frozen.

Each verb: permit, move, change, trace, notify. Source: mission C5 and D4, trust demand LE-05.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, literal, select
from sqlalchemy.orm import Session

from app.documents import bulletin as document
from app.errors import N_, Conflict, Message, RuleViolation
from app.models import Bulletin, BulletinFile, Bureau, ReopenPermit, RunLedger, RunStatus
from app.policies import bulletin as policy
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.bulletin import BulletinState, BulletinVerb, next_state
from app.rules.periods import Period, Span, spoken
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import closed_periods, hold_bureau
from app.services.jobs.runs import CORRECTION, SETTLE, ask_again
from app.services.messages import notices
from app.services.publication.bulletin_data import results_of
from app.services.publication.drafts import canonical, checksum, stored_results
from app.services.scoring.settlement import adopt_results, compute

WHY = "a bulletin says a whole bureau; who may act on it was asked before"
_PUBLISHED = "published:"


def edit_bulletin(
    session: Session, bulletin: Bulletin, *, number: str, remarks: str, actor: Actor, now: datetime
) -> None:
    """Fill in what no number gives: the document number and the office's own words."""
    require(policy.may_edit(actor, bulletin))
    before = {"number": bulletin.number, "remarks": bulletin.remarks}
    bulletin.number, bulletin.remarks = number.strip()[:100], remarks.strip()
    session.flush()
    trace.record(
        session, verb="change", target=bulletin, before=before,
        after={"number": bulletin.number, "remarks": bulletin.remarks},
        actor=actor, now=now,
    )  # fmt: skip


def submit_bulletin(
    session: Session, bulletin: Bulletin, *, actor: Actor, now: datetime, looked: Looked | None = None
) -> None:
    """Lay a draft before the bureau leaders; `looked` is what `look` found before the transaction."""
    require(policy.may_submit(actor, bulletin))
    state = next_state(BulletinState(bulletin.state), BulletinVerb.SUBMIT)
    _still_as_settled(session, bulletin)
    _still_as_the_sources(session, bulletin, looked)
    bulletin.state, bulletin.submitted_by, bulletin.submitted_at, bulletin.opinion = state, actor.name, now, ""
    bulletin.submitted_by_id = actor.account_id
    session.flush()
    trace.record(session, verb="submit", target=bulletin, actor=actor, now=now)
    _tell(
        session,
        bulletin,
        "bureau_leader",
        N_("The bulletin of %(period)s waits for your signature.", period=spoken(bulletin.period)),
        now,
    )


def sign_bulletin(session: Session, bulletin: Bulletin, *, opinion: str, actor: Actor, now: datetime) -> None:
    """A bureau leader signs; the results must still be those of the draft."""
    require(policy.may_sign(actor, bulletin))
    state = next_state(BulletinState(bulletin.state), BulletinVerb.SIGN)
    _still_as_settled(session, bulletin)
    bulletin.state, bulletin.signed_by, bulletin.signed_at, bulletin.opinion = state, actor.name, now, opinion.strip()
    session.flush()
    trace.record(session, verb="sign", target=bulletin, reason=bulletin.opinion, actor=actor, now=now)
    _tell(
        session,
        bulletin,
        "assessment_office",
        N_("The bulletin of %(period)s is signed and may be published.", period=spoken(bulletin.period)),
        now,
    )


def return_bulletin(session: Session, bulletin: Bulletin, *, reason: str, actor: Actor, now: datetime) -> None:
    """Back to the draft, with the reason."""
    require(policy.may_return(actor, bulletin))
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    bulletin.state = next_state(BulletinState(bulletin.state), BulletinVerb.RETURN)
    bureau = session.get_one(Bureau, bulletin.bureau_id)
    bulletin.submitted_by, bulletin.submitted_at, bulletin.signed_by, bulletin.signed_at = "", None, "", None
    bulletin.opinion = reason.strip()
    session.flush()
    # What was left alone while it lay before somebody counts again.
    ask_again(
        session, bureau, job=SETTLE if bulletin.corrects_id is None else CORRECTION, period=bulletin.period, now=now
    )
    trace.record(session, verb="return", target=bulletin, reason=bulletin.opinion, actor=actor, now=now)
    _tell(
        session,
        bulletin,
        "assessment_office",
        N_(
            "The bulletin of %(period)s was returned: %(reason)s",
            period=spoken(bulletin.period),
            reason=bulletin.opinion,
        ),
        now,
    )


def publish_bulletin(
    session: Session, bulletin: Bulletin, *, on: date, actor: Actor, now: datetime, looked: Looked | None = None
) -> None:
    """Freeze the bulletin with its checksum and files, close the period, and tell everybody."""
    require(policy.may_publish(actor, bulletin))
    state = next_state(BulletinState(bulletin.state), BulletinVerb.PUBLISH)
    hold_bureau(session, bulletin.bureau_id)
    _still_as_settled(session, bulletin)
    _nothing_under_way(session, bulletin)
    _still_as_the_sources(session, bulletin, looked)
    # What was still open is the office's own list; it is no part of what everybody reads.
    content = {**content_for_print(bulletin), "published_on": on.isoformat(), "open": []}
    bulletin.state, bulletin.published_by, bulletin.published_at = state, actor.name, now
    bulletin.content = text = canonical(content)
    bulletin.checksum = checksum(text)
    files = document.files(content, bulletin.checksum)
    rows: list[dict[str, Any]] = [
        {"bulletin_id": bulletin.id, "kind": kind, "content": data, "size": len(data), "checksum": checksum(data)}
        for kind, data in files.items()
    ]
    session.flush()
    unscoped(session, WHY).execute(insert(BulletinFile.__table__), rows)
    if bulletin.corrects_id is not None:
        period = Period.parse(bulletin.period)
        assert period is not None
        adopt_results(
            session,
            bulletin.bureau_id,
            period,
            json.loads(bulletin.results),
            on=bulletin.settled_on,
            watermark=bulletin.entry_watermark,
        )
    trace.record(
        session, verb="publish", target=bulletin, actor=actor, now=now,
        after={"checksum": bulletin.checksum, **{row["kind"]: row["checksum"] for row in rows}},
    )  # fmt: skip
    _say(
        session, bulletin, notices.members(session, bulletin.bureau_id), key_of_news(bulletin.id),
        N_("The bulletin of %(period)s is published.", period=spoken(bulletin.period)) if bulletin.corrects_id is None
        else N_("The bulletin of %(period)s is corrected: version %(version)s with its erratum is published.",
                period=spoken(bulletin.period), version=bulletin.version), now,
    )  # fmt: skip


def _nothing_under_way(session: Session, bulletin: Bulletin) -> None:
    """Refuse while the period is being settled, or while a settled month inside it is not published."""
    run = RunLedger.__table__.c
    settled = select(run.period, run.status).where(run.job == SETTLE, run.bureau_id == bulletin.bureau_id)
    rows = unscoped(session, WHY).execute(settled.where(run.settled_on.is_not(None)))
    states: dict[str, str] = {row.period: row.status for row in rows}
    if states.get(bulletin.period) in (RunStatus.PENDING, RunStatus.RUNNING) or _is_being_corrected(session, bulletin):
        raise Conflict(N_("The period is being settled just now: wait for the end of that run."))
    period = Period.parse(bulletin.period)
    assert period is not None
    closed = closed_periods(session, bulletin.bureau_id)
    months = [month for month in period.month_keys if period.span is not Span.MONTH and month in states]
    for month in months:
        if month not in closed:
            raise RuleViolation(N_("%(period)s must be published first.", period=spoken(month)))


def _is_being_corrected(session: Session, bulletin: Bulletin) -> bool:
    """Whether a corrected version of the period is being worked out; refuses while a permit is open for it."""
    run, permit = RunLedger.__table__.c, ReopenPermit.__table__.c
    mine = Period.parse(bulletin.period)
    assert mine is not None
    is_open = select(permit.period).where(permit.bureau_id == bulletin.bureau_id, permit.state == "granted")
    open_periods = [Period.parse(text) for text in unscoped(session, WHY).execute(is_open).scalars()]
    if any(other is not None and mine.overlaps(other) for other in open_periods):
        raise RuleViolation(N_("A reopen permit is still open for this period: close it first."))
    if bulletin.corrects_id is None:
        return False
    under_way = select(run.id).where(
        run.job == CORRECTION, run.bureau_id == bulletin.bureau_id, run.period == bulletin.period,
        run.status != RunStatus.DONE,
    )  # fmt: skip
    return unscoped(session, WHY).execute(under_way).first() is not None


def content_for_print(bulletin: Bulletin) -> dict[str, Any]:
    """Everything the page and the files show, as of now; what was published stays as it is."""
    content: dict[str, Any] = json.loads(bulletin.content)
    if "published_on" in content:
        return content
    return {
        **content,
        "number": bulletin.number,
        "remarks": bulletin.remarks,
        "drafted_by": bulletin.drafted_by,
        "submitted_by": bulletin.submitted_by,
        "signed_by": bulletin.signed_by,
        "opinion": bulletin.opinion,
        "results_checksum": checksum(bulletin.results),
    }


def is_stale(session: Session, bulletin: Bulletin) -> bool:
    """Whether the period was settled anew since the draft, with another result; a correction is renewed by its job."""
    if bulletin.corrects_id is not None and bulletin.state != BulletinState.PUBLISHED:
        return False
    return canonical(stored_results(session, bulletin.bureau_id, bulletin.period)) != bulletin.results


def _still_as_settled(session: Session, bulletin: Bulletin) -> None:
    if is_stale(session, bulletin):
        raise Conflict(N_("The period was settled anew since this draft and the results differ: draft it again."))


@dataclass(frozen=True, slots=True)
class Looked:
    """Whether a bulletin's results followed from their sources, when the trace had `seq` records."""

    bulletin_id: int
    seq: int
    is_same: bool


def look(session: Session, bulletin: Bulletin) -> Looked:
    """Evaluate a bulletin's period before the transaction that submits or publishes it: it may take seconds."""
    seq, _digest = trace.head(session)
    return Looked(bulletin.id, seq, _follows(session, bulletin))


def _still_as_the_sources(session: Session, bulletin: Bulletin, looked: Looked | None) -> None:
    """Refuse while rows, targets or external results were changed after the results had been computed.

    What was looked at holds as long as nothing was traced since but people coming, going and reading.
    """
    if looked is None or looked.bulletin_id != bulletin.id or trace.has_moved(session, looked.seq):
        is_same = _follows(session, bulletin)
    else:
        is_same = looked.is_same
    if not is_same:
        raise Conflict(
            N_("What the scores rest on has changed since the settlement: take it back and settle it again.")
        )


def _follows(session: Session, bulletin: Bulletin) -> bool:
    """Whether the drafted results still follow from their sources."""
    period = Period.parse(bulletin.period)
    assert period is not None
    bureau = session.get_one(Bureau, bulletin.bureau_id)
    done = compute(session, bureau, period, on=bulletin.settled_on, watermark=bulletin.entry_watermark)
    fresh, drafted = results_of(done), json.loads(bulletin.results)
    return [_unnamed(row) for row in fresh] == [_unnamed(row) for row in drafted]


def _unnamed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "name"}


def _tell(session: Session, bulletin: Bulletin, role: str, text: Message, now: datetime) -> None:
    """Say something once per step to who holds a role."""
    accounts = notices.holders(session, bulletin.bureau_id, role, on=local_time(now).date())
    _say(session, bulletin, accounts, f"bulletin:{bulletin.id}:{bulletin.lock_version}:{role}", text, now)


def _say(session: Session, bulletin: Bulletin, accounts: list[int], key: str, text: Message, now: datetime) -> None:
    notices.say(
        session, accounts, category="bulletin", key=key, text=text, item=f"bulletin:{bulletin.period}",
        bureau_id=bulletin.bureau_id, now=now,
    )  # fmt: skip


def key_of_news(bulletin_id: int) -> str:
    """The key of the message that a bulletin is published; each reader has it once."""
    return f"{_PUBLISHED}{bulletin_id}"


def is_told_of(key: ColumnElement[str], bulletin_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a message's key is that of a bulletin's publication, `key_of_news` in the database."""
    return key == literal(_PUBLISHED).concat(bulletin_id.cast(key.type))
