"""Who did what when: the append-only, hash-chained trace and the head of its chain."""

from __future__ import annotations

from datetime import datetime

from flask_appbuilder.models.sqla import Model
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.types import Instant


class TraceEntry(Model):
    """One act. `seq` has no gap; `hash` covers every other field and the hash before it."""

    __tablename__ = "trace_entry"
    __table_args__ = (
        CheckConstraint("result IN ('success', 'refused', 'failed')", name="result_known"),
        Index("ix_trace_entry_target", "target_type", "target_id"),
        Index("ix_trace_entry_at", "at"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    actor_id: Mapped[int | None]
    actor_name: Mapped[str] = mapped_column(String(100))
    actor_role: Mapped[str] = mapped_column(String(100), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    session_ref: Mapped[str] = mapped_column(String(16), default="")
    request_id: Mapped[str] = mapped_column(String(32), default="")
    verb: Mapped[str] = mapped_column(String(64))
    target_type: Mapped[str] = mapped_column(String(64))
    target_id: Mapped[str] = mapped_column(String(64), default="")
    target_label: Mapped[str] = mapped_column(String(300), default="")
    result: Mapped[str] = mapped_column(String(8), default="success")
    reason: Mapped[str] = mapped_column(Text, default="")
    before: Mapped[str] = mapped_column(Text, default="")
    after: Mapped[str] = mapped_column(Text, default="")
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class TraceHead(Model):
    """The single row that holds the newest link; locked last, just before a commit."""

    __tablename__ = "trace_head"
    __table_args__ = (CheckConstraint("id = 1", name="only_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
