"""What ends with a month: the periods to settle for good, the drafts of their bulletins, and who hears of it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from app.errors import N_
from app.policies.actor import Actor
from app.rules.bulletin import BulletinState
from app.rules.periods import Period, Span
from app.services.messages import notices
from app.services.publication import drafts
from app.services.scoring.explanation import Say
from app.services.scoring.settlement import Computed


def running_periods(on: date) -> list[str]:
    """The month, quarter and year that run on a day."""
    month = Period.month_of(on)
    return [str(month), str(month.of_span(Span.QUARTER)), str(month.of_span(Span.YEAR))]


def ending_periods(month: str) -> list[str]:
    """The month, and the quarter and year whose last month it is."""
    period = Period.parse(month)
    assert period is not None
    longer = (period.of_span(Span.QUARTER), period.of_span(Span.YEAR))
    return [month, *(str(it) for it in longer if it.last_day == period.last_day)]


def prepare(session: Session, done: Computed, *, say: Say) -> drafts.Prepared:
    """The draft of a period's bulletin, made before the transaction that stores it: reads only."""
    return drafts.prepare(session, done, say=say)


def prepare_again(session: Session, done: Computed, *, say: Say) -> drafts.Prepared | None:
    """The new draft of a bulletin that is still a draft; None where there is none to renew."""
    found = drafts.of_period(session, done.bureau.id, done.period)
    if found is None or found.state != BulletinState.DRAFT or found.corrects_id is not None:
        return None
    return prepare(session, done, say=say)


def hand_over(
    session: Session, done: Computed, draft: drafts.Prepared, *, actor: Actor, now: datetime, on: date
) -> None:
    """Store the draft, unless the bulletin is already on its way, and tell the office once."""
    if drafts.keep_draft(session, done, draft, actor=actor, now=now) is None:
        return  # the bulletin is on its way already; nobody has to be told
    notices.say(
        session, notices.holders(session, done.bureau.id, "assessment_office", on=on), category="bulletin",
        key=f"month-end:{done.bureau.code}:{done.period}",
        text=N_("%(period)s is settled and its bulletin drafted: please review it and submit it for signature.",
                period=done.period.spoken),
        item=f"bulletin:{done.period}", bureau_id=done.bureau.id, now=now,
    )  # fmt: skip
