"""What every process shares: its dated rules, its forms sent once, its attachments, what people say on a record."""

from __future__ import annotations

from datetime import date, datetime

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.org import Subject
from app.models.types import Instant


class ProcessRule(Model):
    """What a bureau settled for a process, from a day on; the newest row that has begun holds."""

    __tablename__ = "process_rule"
    __table_args__ = (UniqueConstraint("bureau_id", "key", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    key: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(String(500), default="")
    valid_from: Mapped[date]
    set_by: Mapped[str] = mapped_column(String(100))
    set_at: Mapped[datetime] = mapped_column(Instant)

    def __repr__(self) -> str:
        return self.key


class Submission(Model):
    """A form that was sent: its one-time key, so that a second sending of the same form does nothing."""

    __tablename__ = "submission"

    key: Mapped[str] = mapped_column(String(43), primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    sent_at: Mapped[datetime] = mapped_column(Instant)


class SavedFilter(Model):
    """A search of a list that its owner comes back to."""

    __tablename__ = "saved_filter"
    __table_args__ = (UniqueConstraint("account_id", "page", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"))
    page: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(40))
    query: Mapped[str] = mapped_column(String(1000))

    def __repr__(self) -> str:
        return self.name


class Attachment(Model):
    """A file on a record. It lies under a random name in the data folder; its rights are those of the record.

    `removed_at` hides it; the file stays as long as the record does.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        UniqueConstraint("stored_name"),
        CheckConstraint("size > 0", name="not_empty"),
        CheckConstraint("(removed_at IS NULL) = (removed_by = '')", name="removed_by_somebody"),
        Index("ix_attachment_item", "item_type", "item_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    item_type: Mapped[str] = mapped_column(String(32))
    item_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(300))
    stored_name: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]
    checksum: Mapped[str] = mapped_column(String(64))
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    uploaded_by: Mapped[str] = mapped_column(String(100))
    uploaded_at: Mapped[datetime] = mapped_column(Instant)
    removed_by: Mapped[str] = mapped_column(String(100), default="")
    removed_at: Mapped[datetime | None] = mapped_column(Instant)

    def __repr__(self) -> str:
        return self.name


class Opinion(Model):
    """What somebody said on a record: a comment, an instruction, an urge, a request or report upwards, an answer.

    `item_type` and `item_id` name a task, an entry or a bulletin; a score and the line of a bulletin are named by
    period and subject. A request without a record is free. `task_id` is the task an instruction became.
    """

    __tablename__ = "opinion"
    __table_args__ = (
        CheckConstraint("kind IN ('comment', 'instruction', 'urge', 'request', 'report', 'answer')", name="kind_known"),
        CheckConstraint("content <> ''", name="says_something"),
        CheckConstraint("kind <> 'answer' OR answers_id IS NOT NULL", name="answers_if_answer"),
        CheckConstraint("answers_id IS NULL OR kind IN ('answer', 'instruction')", name="answering_kind"),
        CheckConstraint(
            "kind IN ('request', 'report') OR item_type <> '' OR answers_id IS NOT NULL", name="item_unless_upwards"
        ),
        CheckConstraint("kind NOT IN ('request', 'report') OR to_id IS NOT NULL", name="upwards_to_somebody"),
        Index("ix_opinion_item", "item_type", "item_id"),
        Index("ix_opinion_subject_id", "subject_id", "period"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    kind: Mapped[str] = mapped_column(String(11))
    item_type: Mapped[str] = mapped_column(String(32), default="")
    item_id: Mapped[int | None]
    period: Mapped[str] = mapped_column(String(7), default="")
    subject_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"))
    content: Mapped[str] = mapped_column(Text)
    said_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    said_by: Mapped[str] = mapped_column(String(100))
    said_at: Mapped[datetime] = mapped_column(Instant)
    to_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"), index=True)
    due_on: Mapped[date | None]
    answers_id: Mapped[int | None] = mapped_column(ForeignKey("opinion.id"), index=True)
    is_answered: Mapped[bool] = mapped_column(default=False)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("supervised_task.id"), index=True)

    subject: Mapped[Subject | None] = relationship(foreign_keys=[subject_id], lazy="joined")
    to: Mapped[Subject | None] = relationship(foreign_keys=[to_id], lazy="joined")

    def __repr__(self) -> str:
        return self.content[:60]
