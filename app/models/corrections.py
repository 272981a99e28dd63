"""Coming back to a closed period: permits that open it for a while, vouchers that correct one entry of it."""

from __future__ import annotations

from datetime import date, datetime

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.ledger import ScoreEntry
from app.models.types import Instant


class ReopenPermit(Model):
    """A closed period open again for what the permit names, until its last day; granted by a second person.

    `subjects` and `indicators` are codes separated by `;`, blank for all. `rows_changed` counts dated rows,
    targets and external results that were added, changed or removed under it.
    """

    __tablename__ = "reopen_permit"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'granted', 'refused', 'withdrawn', 'closed')", name="state_known"),
        CheckConstraint("state IN ('asked', 'withdrawn') OR decided_at IS NOT NULL", name="decided_if_decided"),
        CheckConstraint("state <> 'closed' OR closed_at IS NOT NULL", name="closed_at_if_closed"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> asked_by_id", name="two_people"),
        CheckConstraint("reason <> ''", name="reason_given"),
        Index("ix_reopen_permit_bureau_id", "bureau_id", "period"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    period: Mapped[str] = mapped_column(String(7))
    subjects: Mapped[str] = mapped_column(Text, default="")
    indicators: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text)
    last_day: Mapped[date]
    state: Mapped[str] = mapped_column(String(9), default="asked")
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    asked_by: Mapped[str] = mapped_column(String(100))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    decided_by: Mapped[str] = mapped_column(String(100), default="")
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    opinion: Mapped[str] = mapped_column(Text, default="")
    closed_by: Mapped[str] = mapped_column(String(100), default="")
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    rows_changed: Mapped[int] = mapped_column(default=0)
    lock_version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return self.period


class CorrectionVoucher(Model):
    """A wrong entry of a closed month, reversed and replaced with the word of a second person.

    `replacement` is the new fact as JSON by the column keys of the workbook's entries; blank where the entry is
    only taken out.
    """

    __tablename__ = "correction_voucher"
    __table_args__ = (
        UniqueConstraint("bureau_id", "no"),
        CheckConstraint("state IN ('asked', 'approved', 'refused', 'withdrawn')", name="state_known"),
        CheckConstraint("state IN ('asked', 'withdrawn') OR decided_at IS NOT NULL", name="decided_if_decided"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> asked_by_id", name="two_people"),
        CheckConstraint("reason <> ''", name="reason_given"),
        Index(
            "uq_correction_voucher_waiting", "entry_id", unique=True,
            sqlite_where=text("state = 'asked'"), postgresql_where=text("state = 'asked'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    no: Mapped[str] = mapped_column(String(32))
    entry_id: Mapped[int] = mapped_column(ForeignKey("score_entry.id"), index=True)
    replacement: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(9), default="asked")
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    asked_by: Mapped[str] = mapped_column(String(100))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    decided_by: Mapped[str] = mapped_column(String(100), default="")
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    opinion: Mapped[str] = mapped_column(Text, default="")
    new_entry_id: Mapped[int | None] = mapped_column(ForeignKey("score_entry.id"), index=True)
    lock_version: Mapped[int] = mapped_column(default=1)

    entry: Mapped[ScoreEntry] = relationship(foreign_keys=[entry_id], lazy="joined", innerjoin=True)

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return self.no
