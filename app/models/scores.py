"""What the ledger comes to: the scores of periods, and the errors that stopped a subject."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.org import Subject
from app.models.types import FOREVER, Micro


class PeriodScore(Model):
    """One score of a period: the total of a subject (blank indicator) or one of its nodes."""

    __tablename__ = "period_score"
    __table_args__ = (
        CheckConstraint("indicator_code <> '' OR rank IS NOT NULL", name="rank_if_total"),
        CheckConstraint("(rank IS NULL) = (group_size IS NULL)", name="rank_with_group_size"),
        Index("ix_period_score_subject_id", "subject_id"),
    )

    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), primary_key=True)
    period: Mapped[str] = mapped_column(String(7), primary_key=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), primary_key=True)
    indicator_code: Mapped[str] = mapped_column(String(64), primary_key=True)
    scheme_code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    group_name: Mapped[str] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(default=0)
    ended_on: Mapped[date] = mapped_column(default=FOREVER, server_default=FOREVER.isoformat())
    score: Mapped[Decimal] = mapped_column(Micro)
    exact: Mapped[Decimal] = mapped_column(Micro)
    places: Mapped[int | None]
    rank: Mapped[int | None]
    group_size: Mapped[int | None]
    grade: Mapped[str | None] = mapped_column(String(32))
    run_id: Mapped[int] = mapped_column(ForeignKey("run_ledger.id"), index=True)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)


class ScoreError(Model):
    """A named error that kept a subject of a period from having a total."""

    __tablename__ = "score_error"
    __table_args__ = (Index("ix_score_error_bureau_id_period", "bureau_id", "period"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    period: Mapped[str] = mapped_column(String(7))
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    indicator_code: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    run_id: Mapped[int] = mapped_column(ForeignKey("run_ledger.id"), index=True)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)
