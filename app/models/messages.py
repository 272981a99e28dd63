"""What is said to people: the outbox that is written with the act, and the notifications they read in the portal."""

from __future__ import annotations

from datetime import datetime

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.types import Instant


class Outbox(Model):
    """Something to be said once to one account over one channel; written in the transaction of the act itself."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("dedup_key", "account_id", "channel"),
        CheckConstraint("channel IN ('portal')", name="channel_known"),
        Index("ix_outbox_waiting", "sent_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), index=True)
    dedup_key: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(16), default="portal")
    category: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    item: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(Text, default="")


class Notification(Model):
    """Something said to an account in the portal.

    `text` is a sentence with parameters, worded when shown; `item` what it is about, as `type:key`.
    """

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("account_id", "dedup_key"),
        Index("ix_notification_unread", "account_id", "read_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"))
    dedup_key: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    item: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    read_at: Mapped[datetime | None] = mapped_column(Instant)
