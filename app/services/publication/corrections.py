"""Correcting what was published: which closed periods to work out anew, the next version and its erratum.

The published version stays; the next one names every score and rank that moved. Source: mission C6, trust demand
LE-05.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app.errors import N_
from app.models import (
    Bulletin,
    Bureau,
    CorrectionVoucher,
    ReopenPermit,
    RunLedger,
    ScoreEntry,
    Subject,
)
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.rules.bulletin import BulletinState, Moved, moved
from app.rules.periods import Period
from app.rules.timetable import local_time
from app.services import trace
from app.services.bureau.closing import closed_periods
from app.services.jobs import runs
from app.services.messages import notices
from app.services.publication import drafts
from app.services.scoring.explanation import Say
from app.services.scoring.settlement import Computed

WHY = "what a correction moves is worked out for the whole bureau"
RESTS_ON_LEDGER = ("ledger", "left_out", "entries", "counted")


def request(session: Session, bureau_id: int, period: Period, *, now: datetime) -> list[str]:
    """Ask for every closed period that a correction inside `period` may move, from its year on; answers which.

    Windows go by the day and reach over a year; an entry carried over counts later. Where nothing differs there is
    no new version.
    """
    bureau = session.get_one(Bureau, bureau_id)
    found = []
    for text in sorted(closed_periods(session, bureau_id)):
        other = Period.parse(text)
        if other is not None and other.year >= period.year:
            runs.ask_again(session, bureau, job=runs.CORRECTION, period=text, now=now)
            found.append(text)
    return found


def published_of(session: Session, bureau_id: int, period: str) -> Bulletin | None:
    """The newest published version of a period."""
    query = select(Bulletin).where(
        Bulletin.bureau_id == bureau_id, Bulletin.period == period, Bulletin.state == BulletinState.PUBLISHED
    )
    return session.scalar(query.order_by(Bulletin.version.desc()).limit(1))


def moves_of(before: Bulletin, results: str) -> list[Moved]:
    """Everybody whose total, rank or grade differs from a published version, in the order of the new ranking."""
    return moved(json.loads(before.results), json.loads(results))


def prepare(session: Session, done: Computed, *, say: Say) -> drafts.Prepared | None:
    """The corrected data of a closed period with its erratum; None where nothing of it differs."""
    before = published_of(session, done.bureau.id, str(done.period))
    if before is None:
        return None
    draft = drafts.prepare(session, done, say=say)
    content, old = json.loads(draft.content), json.loads(before.content)
    is_same = not moves_of(before, draft.results) and all(
        _unnamed(content[name]) == _unnamed(old[name]) for name in RESTS_ON_LEDGER
    )
    if is_same and _draft_of(session, before) is None:
        return None
    names = {result.subject.code: result.subject.name for result in done.results}
    units = _unit_codes(session, done)
    content["erratum"] = {
        "version": before.version + 1,
        "corrects": {
            "version": before.version, "number": before.number, "checksum": before.checksum,
            "published_on": old["published_on"],
        },
        "reasons": list(_reasons(session, before)),
        "rows": [
            _printed(it, names.get(it.subject, it.subject))
            for it in moves_of(before, draft.results)
            if it.subject in units
        ],
    }  # fmt: skip
    return drafts.Prepared(drafts.canonical(content), draft.results)


def _unnamed(value: Any) -> Any:
    """Content without the names of subjects: a name corrected in place is no reason for a new version."""
    if not isinstance(value, list):
        return value
    return [{name: it for name, it in row.items() if name != "name"} for row in value]


def _unit_codes(session: Session, done: Computed) -> set[str]:
    """The codes of units: people's results are not printed, whatever became of their rows."""
    subject = Subject.__table__.c
    query = select(subject.code).where(subject.bureau_id == done.bureau.id, subject.kind == "unit")
    return set(unscoped(session, WHY).execute(query).scalars())


def _printed(move: Moved, name: str) -> dict[str, Any]:
    """One line of the erratum as it is printed."""
    return {
        "subject": move.subject, "name": name, "group": move.group,
        "score_before": move.score_before, "score_after": move.score_after,
        "rank_before": move.rank_before, "rank_after": move.rank_after,
    }  # fmt: skip


def _reasons(session: Session, before: Bulletin) -> Iterator[dict[str, str]]:
    """The vouchers and permits since a version was published, as the erratum names them."""
    period = Period.parse(before.period)
    assert period is not None
    voucher, entry = CorrectionVoucher.__table__.c, ScoreEntry.__table__.c
    year = [str(it) for it in _months_of_year(period)]
    vouchers = unscoped(session, WHY).execute(
        select(voucher.no, voucher.reason, entry.no.label("entry"), entry.month)
        .join(ScoreEntry.__table__, entry.id == voucher.entry_id)
        .where(
            voucher.bureau_id == before.bureau_id, voucher.state == "approved", entry.month.in_(year),
            voucher.decided_at >= before.published_at,
        )
        .order_by(voucher.id)
    )  # fmt: skip
    for row in vouchers:
        yield {"kind": "voucher", "no": row.no, "entry": row.entry, "month": row.month, "reason": row.reason}
    permit = ReopenPermit.__table__.c
    was_used = exists(select(entry.id).where(entry.permit_id == permit.id))
    permits = unscoped(session, WHY).execute(
        select(permit.id, permit.period, permit.reason)
        .where(
            permit.bureau_id == before.bureau_id, permit.state == "closed", permit.closed_at >= before.published_at,
            permit.period.like(f"{period.year}%"), or_(permit.rows_changed > 0, was_used),
        )
        .order_by(permit.id)
    )  # fmt: skip
    for row in permits:
        yield {"kind": "permit", "no": str(row.id), "entry": "", "month": row.period, "reason": row.reason}


def _months_of_year(period: Period) -> list[Period]:
    return [Period(period.year, month, 1) for month in range(1, period.first_month + period.months)]


def _draft_of(session: Session, before: Bulletin) -> Bulletin | None:
    """The version under way that corrects a published one."""
    return session.scalar(select(Bulletin).where(Bulletin.corrects_id == before.id))


def keep_correction(
    session: Session, done: Computed, draft: drafts.Prepared, *, actor: Actor, now: datetime
) -> Bulletin | None:
    """Store the corrected version as a draft, or renew the one there is and take it back to the draft. Idempotent."""
    require(actor.is_system)
    before = published_of(session, done.bureau.id, str(done.period))
    run = session.scalar(
        select(RunLedger).where(
            RunLedger.job == runs.CORRECTION, RunLedger.period == str(done.period),
            RunLedger.scope == done.bureau.code,
        )
    )  # fmt: skip
    assert before is not None
    assert run is not None
    found = _draft_of(session, before)
    if found is None:
        found = Bulletin(
            bureau_id=done.bureau.id, period=str(done.period), version=before.version + 1, corrects_id=before.id,
            number="", state=BulletinState.DRAFT,
        )  # fmt: skip
        session.add(found)
    elif found.state != BulletinState.DRAFT and (found.content, found.results) == (draft.content, draft.results):
        return found  # what somebody has submitted or signed meanwhile says the same: it is left alone
    dropped = {"state": found.state, "submitted_by": found.submitted_by, "signed_by": found.signed_by}
    found.opinion = ""
    found.state, found.submitted_at, found.signed_at = BulletinState.DRAFT, None, None
    found.submitted_by, found.signed_by, found.submitted_by_id = "", "", None
    found.content, found.results = draft.content, draft.results
    found.run_id, found.settled_on, found.entry_watermark = run.id, done.on, done.watermark
    found.drafted_by, found.drafted_at = actor.name, now
    session.flush()
    trace.record(
        session, verb="draft_correction", target=found, before={name: text for name, text in dropped.items() if text},
        after={"results": drafts.checksum(draft.results)}, actor=actor, now=now,
    )  # fmt: skip
    office = notices.holders(session, done.bureau.id, "assessment_office", on=local_time(now).date())
    notices.say(
        session, office, category="bulletin", key=f"correction:{found.id}:{found.lock_version}",
        text=N_("Version %(version)s of the bulletin of %(period)s is drafted, with its erratum.",
                version=found.version, period=done.period.spoken),
        item=f"bulletin:{done.period}", bureau_id=done.bureau.id, now=now,
    )  # fmt: skip
    return found
