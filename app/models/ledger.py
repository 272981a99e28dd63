"""The ledger: one row per fact under a clause, appended and never changed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, exists, select, text
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.org import Subject
from app.models.scheme import Clause
from app.models.types import Instant, Measured, Milli


class EntryKind(StrEnum):
    """A fact, a party's share of one, or the reversal of either."""

    FACT = "fact"
    DERIVED = "derived"
    REVERSAL = "reversal"


# What a process posts by itself it posts once, whatever is restarted, and never again after a reversal.
_MADE_ONCE = text("kind = 'fact' AND occasion <> ''")
_COUNTS, _UNDOES = text("kind <> 'reversal'"), text("reverses_id IS NOT NULL")


class ScoreEntry(Model):
    """One fact, on one day, for one subject. Its amount is not stored: it depends on its neighbours.

    A reversed number may be registered again: `revision` counts the attempts. `source` and `source_id` name the
    record of the process it comes from, `occasion` which of its events.
    """

    __tablename__ = "score_entry"
    __table_args__ = (
        UniqueConstraint("bureau_id", "no", "kind", "subject_id", "revision"),
        UniqueConstraint("reverses_id"),
        CheckConstraint("kind IN ('fact', 'derived', 'reversal')", name="kind_known"),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reverses_if_reversal"),
        CheckConstraint("(kind = 'derived') = (fact_id IS NOT NULL)", name="fact_if_derived"),
        CheckConstraint("kind <> 'reversal' OR reason <> ''", name="reason_if_reversal"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("points IS NULL OR points >= 0", name="points_not_negative"),
        CheckConstraint("share_percent >= 0 AND share_divisor >= 1", name="share_sane"),
        Index(
            "uq_score_entry_occasion", "source", "source_id", "clause_id", "subject_id", "occasion", unique=True,
            sqlite_where=_MADE_ONCE, postgresql_where=_MADE_ONCE,
        ),
        Index("ix_score_entry_source", "source", "source_id"),
        # What is added up is read from these alone, in the order it is grouped in; reversals are found by the third.
        Index(
            "ix_score_entry_sums", "bureau_id", "month", "clause_id", "subject_id", "quantity", "share_percent",
            "share_divisor", "points", "value", "id", sqlite_where=_COUNTS, postgresql_where=_COUNTS,
        ),
        Index(
            "ix_score_entry_reversed", "bureau_id", "id", "reverses_id", sqlite_where=_UNDOES, postgresql_where=_UNDOES
        ),
        Index("ix_score_entry_newest", "bureau_id", "id"),
        Index("ix_score_entry_list", "bureau_id", "occurred_on", "id"),
        Index("ix_score_entry_subject", "subject_id", "occurred_on"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    no: Mapped[str] = mapped_column(String(64))
    revision: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str] = mapped_column(String(8), default=EntryKind.FACT)
    occurred_on: Mapped[date]
    month: Mapped[str] = mapped_column(String(7))
    clause_id: Mapped[int] = mapped_column(ForeignKey("clause.id"), index=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"))
    quantity: Mapped[Decimal] = mapped_column(Measured, default=Decimal(1))
    points: Mapped[Decimal | None] = mapped_column(Milli)
    value: Mapped[Decimal | None] = mapped_column(Measured)
    work_key: Mapped[str] = mapped_column(String(300), default="")
    attrs: Mapped[str] = mapped_column(Text, default="")
    parties: Mapped[str] = mapped_column(Text, default="")
    remark: Mapped[str] = mapped_column(Text, default="")
    evidence: Mapped[str] = mapped_column(Text, default="", server_default="")
    share_percent: Mapped[Decimal] = mapped_column(Milli, default=Decimal(100))
    share_divisor: Mapped[int] = mapped_column(default=1)
    fact_id: Mapped[int | None] = mapped_column(ForeignKey("score_entry.id"), index=True)
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("score_entry.id"))
    reason: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(String(32), default="import")
    source_id: Mapped[int | None]
    occasion: Mapped[str] = mapped_column(String(64), default="", server_default="")
    permit_id: Mapped[int | None] = mapped_column(ForeignKey("reopen_permit.id"), index=True)
    registered_by: Mapped[str] = mapped_column(String(100), default="")
    registered_at: Mapped[datetime] = mapped_column(Instant)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    clause: Mapped[Clause] = relationship(lazy="joined", innerjoin=True)
    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)
    if TYPE_CHECKING:
        is_reversed: Mapped[bool]

    def __repr__(self) -> str:
        return self.no


_reversals = ScoreEntry.__table__.alias("reversals")
ScoreEntry.is_reversed = column_property(
    exists(
        select(_reversals.c.id)
        .where(_reversals.c.reverses_id == ScoreEntry.__table__.c.id)
        .correlate_except(_reversals)
    )
)
