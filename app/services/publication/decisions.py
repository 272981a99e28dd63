"""Deciding grades: suggested by rule, proposed by the office, confirmed by a leader, told to each with a receipt.

Source: docs/scoring.md section 5 (Grades), mission C7.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Bulletin, Bureau, GradeDecision, GradeRule, ResultNotice, Scheme
from app.policies import grades as policy
from app.policies.actor import Actor, require
from app.policies.free import NOT_FREE, free
from app.rules.bulletin import BulletinState
from app.rules.periods import Period, Span
from app.rules.timetable import local_time
from app.services import trace
from app.services.messages import notices
from app.services.scoring import results
from app.services.scoring.results import Standing

BAND = {Span.YEAR: "band", Span.QUARTER: "band_quarter"}
PREFIX = "reason-"


@dataclass(frozen=True, slots=True)
class Choice:
    """One subject of the list: how it stands, the grades there are, and the newest decision if there is one."""

    standing: Standing
    grades: Sequence[str]
    decision: GradeDecision | None


def grades_of_schemes(session: Session, span: Span) -> dict[str, list[str]]:
    """The grades each scheme knows for quarters or years, best first."""
    query = (
        select(Scheme.code, GradeRule.grade)
        .join(Scheme, Scheme.id == GradeRule.scheme_id)
        .where(GradeRule.kind == BAND.get(span, ""))
        .order_by(Scheme.code, GradeRule.position)
    )
    found: dict[str, list[str]] = {}
    for scheme, grade in session.execute(query):
        if grade not in found.setdefault(scheme, []):
            found[scheme].append(grade)
    return found


def choices(session: Session, period: Period, *, kind: str) -> list[tuple[str, list[Choice]]]:
    """Everybody of a quarter or year whose scheme knows grades, by group and rank."""
    grades = grades_of_schemes(session, period.span)
    newest = newest_decisions(session, period)
    found: dict[str, list[Choice]] = {}
    for standing in results.standings(session, period, kind=kind):
        if standing.scheme in grades:
            found.setdefault(standing.group, []).append(
                Choice(standing, grades[standing.scheme], newest.get(standing.subject_id))
            )
    return list(found.items())


def newest_decisions(session: Session, period: Period) -> dict[int, GradeDecision]:
    """The newest decision on each subject that the actor sees."""
    query = select(GradeDecision).where(GradeDecision.period == str(period)).order_by(GradeDecision.revision)
    return {it.subject_id: it for it in session.scalars(query)}


def decided_of(session: Session, period: Period, subject_id: int) -> GradeDecision | None:
    """The confirmed grade of a subject, the newest where there are several."""
    query = select(GradeDecision).where(
        GradeDecision.period == str(period), GradeDecision.subject_id == subject_id,
        GradeDecision.state == "confirmed",
    )  # fmt: skip
    return session.scalar(query.order_by(GradeDecision.revision.desc()).limit(1))


def propose_grades(
    session: Session,
    bureau: Bureau,
    period: Period,
    chosen: Mapping[str, tuple[str, str]],
    *,
    actor: Actor,
    now: datetime,
) -> int:
    """Lay grades before the leaders: by subject code the grade and, where it differs from the rule's, the reason.

    Nobody proposes his own: the second member of the office does. Answers how many proposals are new or changed. What
    is confirmed stays; another grade is its next revision.
    """
    require(policy.may_propose(actor))
    if period.span not in BAND:
        raise RuleViolation(N_("Grades are decided for quarters and years."))
    known = {
        standing.code: standing
        for kind in ("unit", "person")
        for standing in results.standings(session, period, kind=kind)
    }
    grades, newest = grades_of_schemes(session, period.span), newest_decisions(session, period)
    count = 0
    for code, (grade, given) in chosen.items():
        standing = known.get(code)
        if standing is not None and not free(actor, {standing.subject_id}):
            raise RuleViolation(NOT_FREE, field_name=PREFIX + code)
        if standing is None or grade not in grades.get(standing.scheme, ()):
            raise RuleViolation(N_("“%(grade)s” is no grade of “%(code)s”.", grade=grade, code=code))
        suggested, why = standing.grade or "", given.strip()
        if grade != suggested and not why:
            raise RuleViolation(
                N_("%(name)s: a grade other than the suggested one needs a reason.", name=standing.name),
                field_name=PREFIX + code,
            )
        why = "" if grade == suggested else why
        count += _propose(session, bureau, period, standing, newest.get(standing.subject_id), grade, why, actor, now)
    if count:
        leaders = notices.holders(session, bureau.id, "bureau_leader", on=local_time(now).date())
        notices.say(
            session, leaders, category="grade", key=f"grades:{period}:{now.isoformat()}",
            text=N_("%(count)s grades of %(period)s wait for your confirmation.", count=count, period=period.spoken),
            item=f"grades:{period}", bureau_id=bureau.id, now=now,
        )  # fmt: skip
    return count


def _propose(
    session: Session,
    bureau: Bureau,
    period: Period,
    standing: Standing,
    old: GradeDecision | None,
    grade: str,
    reason: str,
    actor: Actor,
    now: datetime,
) -> int:
    suggested = standing.grade or ""
    if old is not None and (old.grade, old.reason, old.suggested) == (grade, reason, suggested):
        return 0
    it = old
    if it is None or it.state == "confirmed":
        it = GradeDecision(
            bureau_id=bureau.id, period=str(period), subject_id=standing.subject_id, state="proposed",
            revision=0 if old is None else old.revision + 1,
        )  # fmt: skip
    it.suggested, it.grade, it.reason = suggested, grade, reason
    it.proposed_by_id, it.proposed_by, it.proposed_at = actor.account_id, actor.name, now
    session.add(it)
    session.flush()
    trace.record(
        session, verb="propose_grade", target=it, reason=reason, after={"suggested": suggested, "grade": grade},
        actor=actor, now=now,
    )  # fmt: skip
    return 1


def confirm_grades(session: Session, bureau: Bureau, period: Period, *, kind: str, actor: Actor, now: datetime) -> int:
    """Confirm what is proposed for a published period and send each a notice; answers how many.

    Left to another leader are proposals about the leader himself or made by himself.
    """
    require(actor.has("bureau_leader"))
    published = session.scalar(
        select(Bulletin)
        .where(
            Bulletin.bureau_id == bureau.id, Bulletin.period == str(period),
            Bulletin.state == BulletinState.PUBLISHED,
        )
        .order_by(Bulletin.version.desc())
        .limit(1)
    )  # fmt: skip
    if published is None:
        raise RuleViolation(N_("%(period)s must be published first.", period=period.spoken))
    standings = {standing.subject_id: standing for standing in results.standings(session, period, kind=kind)}
    waiting = [
        newest_decision for newest_decision in newest_decisions(session, period).values()
        if newest_decision.subject_id in standings and policy.may_confirm(actor, newest_decision)
    ]  # fmt: skip
    if not waiting:
        raise RuleViolation(N_("Nothing waits for your confirmation here."))
    for decision in waiting:
        standing = standings[decision.subject_id]
        if decision.suggested != (standing.grade or ""):
            raise RuleViolation(
                N_("%(name)s: the suggested grade has changed since it was proposed.", name=standing.name)
            )
    for decision in waiting:
        decision.state, decision.confirmed_by_id, decision.confirmed_by, decision.confirmed_at = (
            "confirmed",
            actor.account_id,
            actor.name,
            now,
        )
        session.flush()
        trace.record(
            session, verb="confirm_grade", target=decision, after={"grade": decision.grade}, actor=actor, now=now
        )
        _send_notice(session, decision, standings[decision.subject_id], published, now)
    return len(waiting)


def _send_notice(
    session: Session, decision: GradeDecision, standing: Standing, published: Bulletin, now: datetime
) -> None:
    content = {
        "bureau": json.loads(published.content)["bureau"]["name"], "period": decision.period, "subject": standing.code,
        "name": standing.name, "group": standing.group, "scheme": standing.scheme, "score": standing.shown,
        "rank": standing.rank, "group_size": standing.group_size, "suggested": decision.suggested,
        "grade": decision.grade,
        "reason": decision.reason, "confirmed_by": decision.confirmed_by,
        "confirmed_on": local_time(now).date().isoformat(),
        "bulletin": published.number, "checksum": published.checksum,
    }  # fmt: skip
    notice = ResultNotice(
        bureau_id=decision.bureau_id, decision_id=decision.id, subject_id=decision.subject_id, period=decision.period,
        content=json.dumps(content, ensure_ascii=False, sort_keys=True), sent_at=now,
    )  # fmt: skip
    session.add(notice)
    session.flush()
    period = Period.parse(decision.period)
    assert period is not None
    notices.say(
        session, notices.concerned(session, decision.subject_id, on=local_time(now).date()), category="grade",
        key=f"notice:{notice.id}",
        text=N_("The result of %(period)s is decided; please sign for the notice.", period=period.spoken),
        item=f"notice:{notice.id}", bureau_id=decision.bureau_id, now=now,
    )  # fmt: skip


def sign_for_notice(session: Session, notice: ResultNotice, *, actor: Actor, now: datetime) -> None:
    """Confirm that the notice was received; once, by the person or by head or clerk of the unit."""
    require(policy.may_receive(actor, notice), N_("The notice is not yours to sign for, or was signed for already."))
    notice.received_by, notice.received_at = actor.name, now
    session.flush()
    trace.record(session, verb="receive_notice", target=notice, actor=actor, now=now)


def unsigned(session: Session) -> int:
    """How many notices that the actor sees nobody has signed for."""
    return (
        session.scalar(
            select(func.count(ResultNotice.id)).select_from(ResultNotice).where(ResultNotice.received_at.is_(None))
        )
        or 0
    )


def content_of(notice: ResultNotice) -> dict[str, Any]:
    """The frozen wording of a notice."""
    found: dict[str, Any] = json.loads(notice.content)
    return found
