"""Grades as people decide them, and the notice by which each learns the own one."""

from __future__ import annotations

from datetime import datetime

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.org import Subject
from app.models.types import Instant


class GradeDecision(Model):
    """The grade of a subject for a quarter or year: proposed by the office, confirmed by a leader.

    `suggested` is what the rules gave; another grade needs a reason. A confirmed decision stays; a later one
    is the next revision.
    """

    __tablename__ = "grade_decision"
    __table_args__ = (
        UniqueConstraint("bureau_id", "period", "subject_id", "revision"),
        CheckConstraint("state IN ('proposed', 'confirmed')", name="state_known"),
        CheckConstraint("state = 'proposed' OR confirmed_at IS NOT NULL", name="confirmed_at_if_confirmed"),
        CheckConstraint("grade = suggested OR reason <> ''", name="reason_if_it_differs"),
        CheckConstraint("confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id", name="two_people"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    period: Mapped[str] = mapped_column(String(7))
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    revision: Mapped[int] = mapped_column(default=0)
    suggested: Mapped[str] = mapped_column(String(32), default="")
    grade: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(9), default="proposed")
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    proposed_by: Mapped[str] = mapped_column(String(100))
    proposed_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    confirmed_by: Mapped[str] = mapped_column(String(100), default="")
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    lock_version: Mapped[int] = mapped_column(default=1)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return f"{self.period} {self.subject.code}"


class ResultNotice(Model):
    """What a subject is told of its result, and when somebody signed for it; the wording is frozen with it."""

    __tablename__ = "result_notice"
    __table_args__ = (
        UniqueConstraint("decision_id"),
        CheckConstraint("(received_at IS NULL) = (received_by = '')", name="received_by_somebody"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    decision_id: Mapped[int] = mapped_column(ForeignKey("grade_decision.id"))
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    period: Mapped[str] = mapped_column(String(7))
    content: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[datetime] = mapped_column(Instant)
    received_by: Mapped[str] = mapped_column(String(100), default="")
    received_at: Mapped[datetime | None] = mapped_column(Instant)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)
    decision: Mapped[GradeDecision] = relationship(lazy="joined", innerjoin=True)

    def __repr__(self) -> str:
        return f"{self.period} {self.subject.code}"
