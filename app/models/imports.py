"""Workbooks that came in: the file, what the check said of it, and whether it was stored or recalled."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.models.types import Instant


class BatchState(StrEnum):
    """Checked, stored, or taken back."""

    CHECKED = "checked"
    REFUSED = "refused"
    STORED = "stored"
    RECALLED = "recalled"


class ImportBatch(Model):
    """One workbook; its number is its id. The check's result is kept as JSON, the file as it came."""

    __tablename__ = "import_batch"
    __table_args__ = (CheckConstraint("state IN ('checked', 'refused', 'stored', 'recalled')", name="state_known"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    file_name: Mapped[str] = mapped_column(String(300))
    file_hash: Mapped[str] = mapped_column(String(64), index=True)
    file_size: Mapped[int]
    content: Mapped[bytes] = deferred(mapped_column(LargeBinary))
    result: Mapped[str] = deferred(mapped_column(Text))
    rows: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(8))
    uploaded_by: Mapped[str] = mapped_column(String(100))
    uploaded_at: Mapped[datetime] = mapped_column(Instant)
    stored_at: Mapped[datetime | None] = mapped_column(Instant)
    recalled_by: Mapped[str] = mapped_column(String(100), default="")
    recalled_at: Mapped[datetime | None] = mapped_column(Instant)
    recall_reason: Mapped[str] = mapped_column(Text, default="")
