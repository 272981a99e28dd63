"""What is said to people: the outbox that is written with the act, what they read in the portal, and other channels."""

from __future__ import annotations

from datetime import date, datetime

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.types import Instant


class Outbox(Model):
    """Something to be said once to one account over one channel; written in the transaction of the act itself.

    `channel` is `portal`, or `channel:` and the number of a channel. `lines` are the lines of a digest, JSON. What
    could not be sent is tried again from `not_before` on; after too many attempts it is given up.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("dedup_key", "account_id", "channel"),
        CheckConstraint("(channel = 'portal') = (channel_id IS NULL)", name="channel_known"),
        CheckConstraint("sent_at IS NULL OR given_up_at IS NULL", name="sent_or_given_up"),
        Index("ix_outbox_waiting", "sent_at", "given_up_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), index=True)
    dedup_key: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(24), default="portal")
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channel.id"), index=True)
    category: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    item: Mapped[str] = mapped_column(String(64), default="")
    lines: Mapped[str] = mapped_column(Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    not_before: Mapped[datetime | None] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    given_up_at: Mapped[datetime | None] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(Text, default="")


class Notification(Model):
    """Something said to an account in the portal.

    `text` is a sentence with parameters, worded when shown; `item` what it is about, as `type:key`; `lines` the lines
    of a digest. `read_by` is who opened it: the reader, or who acts for him.
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
    lines: Mapped[str] = mapped_column(Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    read_at: Mapped[datetime | None] = mapped_column(Instant)
    read_by: Mapped[str] = mapped_column(String(100), default="", server_default="")


class AllowedHost(Model):
    """A machine and port the portal may speak to; there is no other it ever opens a connection to for a channel.

    It stands on the list of one bureau, or on that of the installation.
    """

    __tablename__ = "allowed_host"
    __table_args__ = (
        UniqueConstraint("bureau_id", "host", "port"),
        CheckConstraint("port BETWEEN 1 AND 65535", name="port_in_range"),
        CheckConstraint("host <> ''", name="host_given"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"))
    host: Mapped[str] = mapped_column(String(253))
    port: Mapped[int]
    note: Mapped[str] = mapped_column(String(200), default="")
    added_by: Mapped[str] = mapped_column(String(100))
    added_at: Mapped[datetime] = mapped_column(Instant)

    def __repr__(self) -> str:
        return f"{self.host}:{self.port}"


class Channel(Model):
    """A way out of the portal: a mail server or the robot of a group.

    `address` is `host:port` of a mail server or the URL of a robot without its key. `token` (password, key) and
    `secret` (what it signs with) are sealed with a key of the data folder.
    """

    __tablename__ = "channel"
    __table_args__ = (
        UniqueConstraint("bureau_id", "name"),
        CheckConstraint("kind IN ('email', 'wecom', 'dingtalk', 'feishu', 'webhook')", name="kind_known"),
        CheckConstraint("security IN ('none', 'starttls', 'tls')", name="security_known"),
        CheckConstraint("name <> '' AND address <> ''", name="named_and_addressed"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(60))
    address: Mapped[str] = mapped_column(String(500))
    security: Mapped[str] = mapped_column(String(8), default="none")
    sender: Mapped[str] = mapped_column(String(200), default="")
    username: Mapped[str] = mapped_column(String(200), default="")
    token: Mapped[str] = mapped_column(Text, default="")
    secret: Mapped[str] = mapped_column(Text, default="")
    is_enabled: Mapped[bool] = mapped_column(default=True)
    lock_version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return self.name


class ChannelChoice(Model):
    """What a person wants over a channel: nothing, the daily digest, or every message at once."""

    __tablename__ = "channel_choice"
    __table_args__ = (CheckConstraint("wants IN ('none', 'digest', 'all')", name="wants_known"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True, index=True)
    wants: Mapped[str] = mapped_column(String(6))


class ReminderSent(Model):
    """A reminder that was given: to whom, about which matter (`mark`), by which event, on which of its days.

    `days` are working days from the matter's day: negative before it, positive after; `is_list` is the one line in a
    leader's list.
    """

    __tablename__ = "reminder_sent"
    __table_args__ = (
        UniqueConstraint("account_id", "mark", "event", "is_list", "days"),
        Index("ix_reminder_sent_bureau_id", "bureau_id", "sent_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"))
    mark: Mapped[str] = mapped_column(String(100))
    event: Mapped[str] = mapped_column(String(40))
    is_list: Mapped[bool] = mapped_column(default=False)
    days: Mapped[int]
    sent_on: Mapped[date]
