"""What runs by itself: the ledger of runs and the timetable they come from."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from flask_appbuilder.models.sqla import Model
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.types import Instant


class RunStatus(StrEnum):
    """Waiting, in somebody's hands, or over."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunLedger(Model):
    """One run of a job for a period and a scope: the truth about it, whatever the broker says.

    Who runs it holds a lease and a fence: the lease lets another take over, the fence lets only the last
    holder finish. What a clock that was ahead ran too early is premature: it is run again when its time comes.
    `settled_on` and `entry_watermark` say from which day and entries a settlement was computed.
    """

    __tablename__ = "run_ledger"
    __table_args__ = (
        UniqueConstraint("job", "period", "scope"),
        CheckConstraint("status IN ('pending', 'running', 'done', 'failed')", name="status_known"),
        CheckConstraint("status <> 'done' OR finished_at IS NOT NULL", name="finished_if_done"),
        Index("ix_run_ledger_status", "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(32))
    period: Mapped[str] = mapped_column(String(10))
    scope: Mapped[str] = mapped_column(String(64))
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    status: Mapped[str] = mapped_column(String(8))
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    queued_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    is_premature: Mapped[bool] = mapped_column(default=False, server_default=false())
    steps_done: Mapped[int] = mapped_column(default=0, server_default="0")
    steps: Mapped[int] = mapped_column(default=0, server_default="0")
    requested_by: Mapped[str] = mapped_column(String(100), default="", server_default="")
    requested_at: Mapped[datetime | None] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_on: Mapped[date | None]
    subjects: Mapped[int] = mapped_column(default=0)
    entries: Mapped[int] = mapped_column(default=0)
    entry_watermark: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")

    def __repr__(self) -> str:
        return f"{self.scope} {self.period}"


class RunEvent(Model):
    """One line of a run's log: a sentence, worded when shown; written in the transaction of what it tells."""

    __tablename__ = "run_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run_ledger.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    text: Mapped[str] = mapped_column(Text)


class ScheduleRule(Model):
    """When a job of a bureau is due, and the next period it has not been asked for yet.

    `day` is the day of the month after the period for jobs of months, quarters and years, empty for daily ones; the
    time is the bureau's own. A rule is held while what is due by the clock waits for somebody's word: `beyond` means
    more than anybody would have missed, `clock` that the database's clock does not agree.
    """

    __tablename__ = "schedule_rule"
    __table_args__ = (
        UniqueConstraint("bureau_id", "job"),
        CheckConstraint("day IS NULL OR day BETWEEN 1 AND 28", name="day_in_every_month"),
        CheckConstraint("hour BETWEEN 0 AND 23 AND minute BETWEEN 0 AND 59", name="time_of_day"),
        CheckConstraint("held_reason IN ('', 'beyond', 'clock')", name="held_reason_known"),
        CheckConstraint("(held_since IS NULL) = (held_reason = '')", name="held_for_a_reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    job: Mapped[str] = mapped_column(String(32))
    day: Mapped[int | None]
    hour: Mapped[int]
    minute: Mapped[int]
    is_enabled: Mapped[bool] = mapped_column(default=True)
    next_period: Mapped[str] = mapped_column(String(10))
    held_since: Mapped[datetime | None] = mapped_column(Instant)
    held_reason: Mapped[str] = mapped_column(String(6), default="", server_default="")

    def __repr__(self) -> str:
        return self.job


class Heartbeat(Model):
    """The newest sign of life of something that must not stop: bell (`beat`), worker, a ring that was heard, clock.

    `clock` is by how many seconds the clock of a machine is ahead of its time since boot `boot`: it moves only when
    somebody moves the clock.
    """

    __tablename__ = "heartbeat"
    __table_args__ = (CheckConstraint("kind IN ('beat', 'worker', 'ring', 'clock')", name="kind_known"),)

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(6))
    started_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    boot: Mapped[str] = mapped_column(String(40), default="")
    clock: Mapped[int] = mapped_column(BigInteger, default=0)


class DailyFigure(Model):
    """How many of something a unit had at the end of a day; what is past cannot be counted any more later."""

    __tablename__ = "daily_figure"
    __table_args__ = (Index("ix_daily_figure_measure", "bureau_id", "measure", "day"),)

    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), primary_key=True)
    measure: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int]


class FolderKey(Model):
    """Which keys a data folder had when the installation was made: two machines must not have different ones."""

    __tablename__ = "folder_key"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    kept_at: Mapped[datetime] = mapped_column(Instant)
