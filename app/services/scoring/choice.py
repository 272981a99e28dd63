"""Which bureau and which period somebody asks for."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Bureau, Subject
from app.rules.periods import Period


def parse_period(text: str, *, on: date) -> Period:
    """Read a period that has begun; refuses any other."""
    period = Period.parse(text)
    if period is None:
        raise RuleViolation(N_("A period is written 2026-03, 2026Q1 or 2026."))
    if not period.has_begun(on):
        raise RuleViolation(N_("The period %(period)s has not begun.", period=str(period)))
    return period


def bureaus(session: Session, code: str | None) -> list[Bureau]:
    """The named bureau, or all of them; refuses an unknown code and an installation without any."""
    query = select(Bureau).order_by(Bureau.code)
    found = list(session.scalars(query if code is None else query.where(Bureau.code == code)))
    if not found and code is not None:
        raise RuleViolation(N_("There is no bureau “%(code)s”.", code=code))
    if not found:
        raise RuleViolation(N_("There is no bureau yet; load a workbook first."))
    return found


def all_bureaus(session: Session) -> list[Bureau]:
    """Every bureau of the installation, possibly none."""
    return list(session.scalars(select(Bureau).order_by(Bureau.code)))


def bureau_of_subject(session: Session, subject: str, code: str | None) -> Bureau:
    """The bureau that has the subject; without `code` it must be the only one that does."""
    query = select(Bureau).join(Subject, Subject.bureau_id == Bureau.id).where(Subject.code == subject)
    found = list(session.scalars(query if code is None else query.where(Bureau.code == code)))
    if not found:
        raise RuleViolation(N_("There is no such unit or person."))
    if len(found) > 1:
        raise RuleViolation(N_("Several bureaus have “%(subject)s”; name one.", subject=subject))
    return found[0]
