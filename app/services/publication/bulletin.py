"""The verbs of a bulletin: draft, edit, submit, sign, return, publish. What is published is frozen.

Each verb: permit, move, change, trace, notify. Source: mission C5 and D4, trust demand LE-05.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def edit_bulletin(session: Session, it: Bulletin, *, number: str, remarks: str, actor: Actor, now: datetime) -> None:
    """Fill in what no number gives: the document number and the office's own words."""
    require(policy.may_edit(actor, it))
    before = {"number": it.number, "remarks": it.remarks}
    it.number, it.remarks = number.strip()[:100], remarks.strip()
    session.flush()
    trace.record(
        session, verb="change", target=it, before=before, after={"number": it.number, "remarks": it.remarks},
        actor=actor, now=now,
    )  # fmt: skip


def submit_bulletin(session: Session, it: Bulletin, *, actor: Actor, now: datetime) -> None:
    """Lay a draft before the bureau leaders."""
    require(policy.may_submit(actor, it))
    state = next_state(BulletinState(it.state), BulletinVerb.SUBMIT)
    _still_as_settled(session, it)
    _still_as_the_sources(session, it)
    it.state, it.submitted_by, it.submitted_at, it.opinion = state, actor.name, now, ""
    it.submitted_by_id = actor.account_id
    session.flush()
    trace.record(session, verb="submit", target=it, actor=actor, now=now)
    _tell(
        session,
        it,
        "bureau_leader",
        N_("The bulletin of %(period)s waits for your signature.", period=spoken(it.period)),
        now,
    )


def sign_bulletin(session: Session, it: Bulletin, *, opinion: str, actor: Actor, now: datetime) -> None:
    """A bureau leader signs; the results must still be those of the draft."""
    require(policy.may_sign(actor, it))
    state = next_state(BulletinState(it.state), BulletinVerb.SIGN)
    _still_as_settled(session, it)
    it.state, it.signed_by, it.signed_at, it.opinion = state, actor.name, now, opinion.strip()
    session.flush()
    trace.record(session, verb="sign", target=it, reason=it.opinion, actor=actor, now=now)
    _tell(
        session,
        it,
        "assessment_office",
        N_("The bulletin of %(period)s is signed and may be published.", period=spoken(it.period)),
        now,
    )


def return_bulletin(session: Session, it: Bulletin, *, reason: str, actor: Actor, now: datetime) -> None:
    """Back to the draft, with the reason."""
    require(policy.may_return(actor, it))
    if not reason.strip():
        raise RuleViolation(N_("A reason must be given."), field_name="reason")
    it.state = next_state(BulletinState(it.state), BulletinVerb.RETURN)
    bureau = session.get_one(Bureau, it.bureau_id)
    it.submitted_by, it.submitted_at, it.signed_by, it.signed_at = "", None, "", None
    it.opinion = reason.strip()
    session.flush()
    # What was left alone while it lay before somebody counts again.
    ask_again(session, bureau, job=SETTLE if it.corrects_id is None else CORRECTION, period=it.period, now=now)
    trace.record(session, verb="return", target=it, reason=it.opinion, actor=actor, now=now)
    _tell(
        session,
        it,
        "assessment_office",
        N_("The bulletin of %(period)s was returned: %(reason)s", period=spoken(it.period), reason=it.opinion),
        now,
    )


def publish_bulletin(session: Session, it: Bulletin, *, on: date, actor: Actor, now: datetime) -> None:
    """Freeze the bulletin with its checksum and files, close the period, and tell everybody."""
    require(policy.may_publish(actor, it))
    state = next_state(BulletinState(it.state), BulletinVerb.PUBLISH)
    hold_bureau(session, it.bureau_id)
    _still_as_settled(session, it)
    _nothing_under_way(session, it)
    _still_as_the_sources(session, it)
    # What was still open is the office's own list; it is no part of what everybody reads.
    content = {**content_for_print(it), "published_on": on.isoformat(), "open": []}
    it.state, it.published_by, it.published_at = state, actor.name, now
    it.content = text = canonical(content)
    it.checksum = checksum(text)
    files = document.files(content, it.checksum)
    rows: list[dict[str, Any]] = [
        {"bulletin_id": it.id, "kind": kind, "content": data, "size": len(data), "checksum": checksum(data)}
        for kind, data in files.items()
    ]
    session.flush()
    unscoped(session, WHY).execute(insert(BulletinFile.__table__), rows)
    if it.corrects_id is not None:
        period = Period.parse(it.period)
        assert period is not None
        adopt_results(
            session, it.bureau_id, period, json.loads(it.results), on=it.settled_on, watermark=it.entry_watermark
        )
    trace.record(
        session, verb="publish", target=it, actor=actor, now=now,
        after={"checksum": it.checksum, **{row["kind"]: row["checksum"] for row in rows}},
    )  # fmt: skip
    _say(
        session, it, notices.members(session, it.bureau_id), key_of_news(it.id),
        N_("The bulletin of %(period)s is published.", period=spoken(it.period)) if it.corrects_id is None
        else N_("The bulletin of %(period)s is corrected: version %(version)s with its erratum is published.",
                period=spoken(it.period), version=it.version), now,
    )  # fmt: skip


def _nothing_under_way(session: Session, it: Bulletin) -> None:
    """Refuse while the period is being settled, or while a settled month inside it is not published."""
    run = RunLedger.__table__.c
    settled = select(run.period, run.status).where(run.job == SETTLE, run.bureau_id == it.bureau_id)
    rows = unscoped(session, WHY).execute(settled.where(run.settled_on.is_not(None)))
    states: dict[str, str] = {row.period: row.status for row in rows}
    if states.get(it.period) in (RunStatus.PENDING, RunStatus.RUNNING) or _is_being_corrected(session, it):
        raise Conflict(N_("The period is being settled just now: wait for the end of that run."))
    period = Period.parse(it.period)
    assert period is not None
    closed = closed_periods(session, it.bureau_id)
    months = [month for month in period.month_keys if period.span is not Span.MONTH and month in states]
    for month in months:
        if month not in closed:
            raise RuleViolation(N_("%(period)s must be published first.", period=spoken(month)))


def _is_being_corrected(session: Session, it: Bulletin) -> bool:
    """Whether a corrected version of the period is being worked out; refuses while a permit is open for it."""
    run, permit = RunLedger.__table__.c, ReopenPermit.__table__.c
    mine = Period.parse(it.period)
    assert mine is not None
    is_open = select(permit.period).where(permit.bureau_id == it.bureau_id, permit.state == "granted")
    open_periods = [Period.parse(text) for text in unscoped(session, WHY).execute(is_open).scalars()]
    if any(other is not None and mine.overlaps(other) for other in open_periods):
        raise RuleViolation(N_("A reopen permit is still open for this period: close it first."))
    if it.corrects_id is None:
        return False
    under_way = select(run.id).where(
        run.job == CORRECTION, run.bureau_id == it.bureau_id, run.period == it.period,
        run.status != RunStatus.DONE,
    )  # fmt: skip
    return unscoped(session, WHY).execute(under_way).first() is not None


def content_for_print(it: Bulletin) -> dict[str, Any]:
    """Everything the page and the files show, as of now; what was published stays as it is."""
    content: dict[str, Any] = json.loads(it.content)
    if "published_on" in content:
        return content
    return {
        **content,
        "number": it.number,
        "remarks": it.remarks,
        "drafted_by": it.drafted_by,
        "submitted_by": it.submitted_by,
        "signed_by": it.signed_by,
        "opinion": it.opinion,
        "results_checksum": checksum(it.results),
    }


def is_stale(session: Session, it: Bulletin) -> bool:
    """Whether the period was settled anew since the draft, with another result; a correction is renewed by its job."""
    if it.corrects_id is not None and it.state != BulletinState.PUBLISHED:
        return False
    return canonical(stored_results(session, it.bureau_id, it.period)) != it.results


def _still_as_settled(session: Session, it: Bulletin) -> None:
    if is_stale(session, it):
        raise Conflict(N_("The period was settled anew since this draft and the results differ: draft it again."))


def _still_as_the_sources(session: Session, it: Bulletin) -> None:
    """Refuse while rows, targets or external results were changed after the results had been computed."""
    period = Period.parse(it.period)
    assert period is not None
    bureau = session.get_one(Bureau, it.bureau_id)
    done = compute(session, bureau, period, on=it.settled_on, watermark=it.entry_watermark)
    fresh, drafted = results_of(done), json.loads(it.results)
    if [_unnamed(row) for row in fresh] != [_unnamed(row) for row in drafted]:
        raise Conflict(
            N_("What the scores rest on has changed since the settlement: take it back and settle it again.")
        )


def _unnamed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "name"}


def _tell(session: Session, it: Bulletin, role: str, text: Message, now: datetime) -> None:
    """Say something once per step to who holds a role."""
    accounts = notices.holders(session, it.bureau_id, role, on=local_time(now).date())
    _say(session, it, accounts, f"bulletin:{it.id}:{it.lock_version}:{role}", text, now)


def _say(session: Session, it: Bulletin, accounts: list[int], key: str, text: Message, now: datetime) -> None:
    notices.say(
        session, accounts, category="bulletin", key=key, text=text, item=f"bulletin:{it.period}",
        bureau_id=it.bureau_id, now=now,
    )  # fmt: skip


def key_of_news(bulletin_id: int) -> str:
    """The key of the message that a bulletin is published; each reader has it once."""
    return f"{_PUBLISHED}{bulletin_id}"


def is_told_of(key: ColumnElement[str], bulletin_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a message's key is that of a bulletin's publication, `key_of_news` in the database."""
    return key == literal(_PUBLISHED).concat(bulletin_id.cast(key.type))
