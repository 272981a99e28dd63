"""Bulletins: the results of a period as they are drafted, signed and published, and the files that stay."""

from __future__ import annotations

from datetime import date, datetime

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from app.models.types import Instant


class Bulletin(Model):
    """The results of a period; `corrects_id` names the published version that this one corrects.

    `content` is everything printed, `results` every score it was made from, both JSON. While it is a draft it may
    be made anew; what was published never changes (a trigger refuses it). The checksum is SHA-256 over `content`
    as stored.
    """

    __tablename__ = "bulletin"
    __table_args__ = (
        UniqueConstraint("bureau_id", "period", "version"),
        CheckConstraint("state IN ('draft', 'submitted', 'signed', 'published')", name="state_known"),
        CheckConstraint("state = 'draft' OR submitted_at IS NOT NULL", name="submitted_unless_draft"),
        CheckConstraint("state IN ('draft', 'submitted') OR signed_at IS NOT NULL", name="signed_if_signed"),
        CheckConstraint("state <> 'published' OR published_at IS NOT NULL", name="published_at_if_published"),
        CheckConstraint("state <> 'published' OR checksum <> ''", name="checksum_if_published"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    period: Mapped[str] = mapped_column(String(7))
    version: Mapped[int] = mapped_column(default=1)
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("bulletin.id"), index=True)
    state: Mapped[str] = mapped_column(String(9), default="draft")
    number: Mapped[str] = mapped_column(String(100), default="")
    remarks: Mapped[str] = mapped_column(Text, default="")
    content: Mapped[str] = deferred(mapped_column(Text, nullable=False))
    results: Mapped[str] = deferred(mapped_column(Text, nullable=False))
    checksum: Mapped[str] = mapped_column(String(64), default="")
    run_id: Mapped[int] = mapped_column(ForeignKey("run_ledger.id"), index=True)
    settled_on: Mapped[date]
    entry_watermark: Mapped[int]
    drafted_by: Mapped[str] = mapped_column(String(100))
    drafted_at: Mapped[datetime] = mapped_column(Instant)
    submitted_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    submitted_by: Mapped[str] = mapped_column(String(100), default="")
    submitted_at: Mapped[datetime | None] = mapped_column(Instant)
    signed_by: Mapped[str] = mapped_column(String(100), default="")
    signed_at: Mapped[datetime | None] = mapped_column(Instant)
    opinion: Mapped[str] = mapped_column(Text, default="")
    published_by: Mapped[str] = mapped_column(String(100), default="")
    published_at: Mapped[datetime | None] = mapped_column(Instant)
    lock_version: Mapped[int] = mapped_column(default=1)

    files: Mapped[list[BulletinFile]] = relationship(back_populates="bulletin", order_by="BulletinFile.id")

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return self.period


class BulletinFile(Model):
    """A file of a published bulletin, byte for byte as it was made; its checksum is SHA-256 over the bytes."""

    __tablename__ = "bulletin_file"
    __table_args__ = (UniqueConstraint("bulletin_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bulletin_id: Mapped[int] = mapped_column(ForeignKey("bulletin.id"))
    kind: Mapped[str] = mapped_column(String(8))
    content: Mapped[bytes] = deferred(mapped_column(LargeBinary, nullable=False))
    size: Mapped[int]
    checksum: Mapped[str] = mapped_column(String(64))

    bulletin: Mapped[Bulletin] = relationship(back_populates="files")
