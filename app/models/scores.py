"""What the ledger comes to: runs of jobs, the scores of periods, and the errors that stopped a subject."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.org import Subject
from app.models.types import Instant, Micro


class RunLedger(Model):
    """One run of a job for a period and a scope: the truth about it, whatever the broker says."""

    __tablename__ = "run_ledger"
    __table_args__ = (
        UniqueConstraint("job", "period", "scope"),
        CheckConstraint("status IN ('pending', 'running', 'done', 'failed')", name="status_known"),
        CheckConstraint("status <> 'done' OR finished_at IS NOT NULL", name="finished_if_done"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(32))
    period: Mapped[str] = mapped_column(String(10))
    scope: Mapped[str] = mapped_column(String(64))
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    status: Mapped[str] = mapped_column(String(8))
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_on: Mapped[date | None]
    subjects: Mapped[int] = mapped_column(default=0)
    entries: Mapped[int] = mapped_column(default=0)
    entry_watermark: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")


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
