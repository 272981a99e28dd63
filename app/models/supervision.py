"""Supervised tasks: the task, who has a part in it, its stages, and what was reported, extended, slipped and rated."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.org import Subject
from app.models.scheme import Clause
from app.models.types import Instant, Measured, Milli


class SupervisedTask(Model):
    """One matter handed to one unit. Tasks handed over in one act share `batch_no`.

    `due_on` is the deadline of the last stage. `late_clause` and `rating_clauses` are codes; a blank late clause is
    what the bureau's rule says on the day.
    """

    __tablename__ = "supervised_task"
    __table_args__ = (
        UniqueConstraint("bureau_id", "year", "serial"),
        CheckConstraint(
            "state IN ('draft', 'assigned', 'under_way', 'reported', 'sent_back', 'accepted', 'rated', 'closed', "
            "'cancelled')",
            name="state_known",
        ),
        CheckConstraint("source IN ('meeting', 'instruction', 'document', 'other')", name="source_known"),
        CheckConstraint("state IN ('draft', 'cancelled') OR no <> ''", name="numbered_if_handed_over"),
        CheckConstraint("state IN ('draft', 'cancelled') OR assigned_on IS NOT NULL", name="assigned_on_if_assigned"),
        CheckConstraint("(state = 'closed') = (closed_on IS NOT NULL)", name="closed_on_if_closed"),
        CheckConstraint("state NOT IN ('rated', 'closed') OR rated_by <> ''", name="rater_if_rated"),
        CheckConstraint("state <> 'cancelled' OR reason <> ''", name="reason_if_cancelled"),
        CheckConstraint("assigned_on IS NULL OR first_due_on >= assigned_on", name="due_after_assigned"),
        Index("ix_supervised_task_list", "bureau_id", "state", "due_on"),
        Index("ix_supervised_task_lead_unit_id", "lead_unit_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    batch_no: Mapped[str] = mapped_column(String(36), default="", index=True)
    year: Mapped[int | None]
    serial: Mapped[int | None]
    no: Mapped[str] = mapped_column(String(64), default="")
    source: Mapped[str] = mapped_column(String(16))
    source_text: Mapped[str] = mapped_column(String(300), default="")
    matter: Mapped[str] = mapped_column(String(300))
    demand: Mapped[str] = mapped_column(Text, default="")
    lead_unit_id: Mapped[int] = mapped_column(ForeignKey("subject.id"))
    state: Mapped[str] = mapped_column(String(10), default="draft")
    assigned_on: Mapped[date | None] = mapped_column(index=True)
    due_on: Mapped[date]
    first_due_on: Mapped[date]
    late_clause: Mapped[str] = mapped_column(String(64), default="")
    rating_clauses: Mapped[str] = mapped_column(String(500), default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(Instant)
    assigned_by: Mapped[str] = mapped_column(String(100), default="")
    signed_by: Mapped[str] = mapped_column(String(100), default="")
    signed_at: Mapped[datetime | None] = mapped_column(Instant)
    reported_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    reported_by: Mapped[str] = mapped_column(String(100), default="")
    reported_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_back_on: Mapped[date | None]
    accepted_by: Mapped[str] = mapped_column(String(100), default="")
    accepted_on: Mapped[date | None]
    rated_by: Mapped[str] = mapped_column(String(100), default="")
    rating_opinion: Mapped[str] = mapped_column(Text, default="")
    closed_by: Mapped[str] = mapped_column(String(100), default="")
    closed_on: Mapped[date | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    lock_version: Mapped[int] = mapped_column(default=1)

    lead_unit: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)
    stages: Mapped[list[TaskStage]] = relationship(back_populates="task", order_by="TaskStage.position")
    parties: Mapped[list[TaskParty]] = relationship(order_by="TaskParty.id")
    parts: Mapped[list[TaskPart]] = relationship(back_populates="task", order_by="TaskPart.id")

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return f"{self.no} {self.matter}".strip()


class TaskParty(Model):
    """Who has a part in a task beside the lead unit: supervising leaders, handlers, assisting units."""

    __tablename__ = "task_party"
    __table_args__ = (
        UniqueConstraint("task_id", "role", "subject_id"),
        CheckConstraint("role IN ('leader', 'handler', 'assist')", name="role_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("supervised_task.id"))
    role: Mapped[str] = mapped_column(String(8))
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)


class TaskStage(Model):
    """One stage with its deadline; the last one is done by the completion report.

    A deadline set in working days keeps its anchor and their number, so that it can follow the calendar. `round`
    counts how often the stage was opened again: lateness and slips begin anew with it. `late_days` is by how many
    working days it was late when it was done.
    """

    __tablename__ = "task_stage"
    __table_args__ = (
        UniqueConstraint("task_id", "position"),
        CheckConstraint("(anchor_on IS NULL) = (due_days IS NULL)", name="anchor_if_days"),
        CheckConstraint("extensions >= 0 AND round >= 0 AND late_days >= 0", name="counts_not_negative"),
        Index("ix_task_stage_due_on", "done_on", "due_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("supervised_task.id"))
    position: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    due_on: Mapped[date]
    anchor_on: Mapped[date | None]
    due_days: Mapped[int | None]
    done_on: Mapped[date | None]
    late_days: Mapped[int] = mapped_column(default=0)
    extensions: Mapped[int] = mapped_column(default=0)
    round: Mapped[int] = mapped_column(default=0)
    lock_version: Mapped[int] = mapped_column(default=1, server_default="1")

    task: Mapped[SupervisedTask] = relationship(back_populates="stages")

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return self.title


class TaskPart(Model):
    """A piece of the work that the unit gave one of its people."""

    __tablename__ = "task_part"
    __table_args__ = (CheckConstraint("(done_on IS NULL) = (done_by = '')", name="done_by_somebody"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("supervised_task.id"), index=True)
    handler_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    matter: Mapped[str] = mapped_column(String(300))
    due_on: Mapped[date]
    result: Mapped[str] = mapped_column(Text, default="")
    done_by: Mapped[str] = mapped_column(String(100), default="")
    done_on: Mapped[date | None]
    lock_version: Mapped[int] = mapped_column(default=1, server_default="1")

    handler: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)
    task: Mapped[SupervisedTask] = relationship(back_populates="parts")

    __mapper_args__ = {"version_id_col": lock_version}

    def __repr__(self) -> str:
        return self.matter


class TaskReport(Model):
    """What a unit reported: feedback on a stage, help by an assisting unit, or the completion of the whole."""

    __tablename__ = "task_report"
    __table_args__ = (
        CheckConstraint("kind IN ('stage', 'assist', 'completion')", name="kind_known"),
        CheckConstraint("progress IN ('done', 'partly', 'not_yet')", name="progress_known"),
        CheckConstraint("content <> ''", name="says_something"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("supervised_task.id"), index=True)
    stage_id: Mapped[int | None] = mapped_column(ForeignKey("task_stage.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    progress: Mapped[str] = mapped_column(String(8), default="done")
    done_count: Mapped[int | None]
    of_count: Mapped[int | None]
    expected_on: Mapped[date | None]
    content: Mapped[str] = mapped_column(Text)
    reported_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    reported_by: Mapped[str] = mapped_column(String(100))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"))
    reported_at: Mapped[datetime] = mapped_column(Instant)


class TaskExtension(Model):
    """More time asked for one stage, and what was decided; one request waits at a time."""

    __tablename__ = "task_extension"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'granted', 'refused', 'withdrawn')", name="state_known"),
        CheckConstraint("days >= 1", name="days_positive"),
        CheckConstraint("reason <> ''", name="reason_given"),
        CheckConstraint("state IN ('asked', 'withdrawn') OR decided_at IS NOT NULL", name="decided_if_decided"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> asked_by_id", name="two_people"),
        Index(
            "uq_task_extension_waiting", "stage_id", unique=True,
            sqlite_where=text("state = 'asked'"), postgresql_where=text("state = 'asked'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("supervised_task.id"), index=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("task_stage.id"))
    days: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    old_due_on: Mapped[date]
    new_due_on: Mapped[date]
    state: Mapped[str] = mapped_column(String(9), default="asked")
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    asked_by: Mapped[str] = mapped_column(String(100))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    decided_by: Mapped[str] = mapped_column(String(100), default="")
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    opinion: Mapped[str] = mapped_column(Text, default="")
    lock_version: Mapped[int] = mapped_column(default=1, server_default="1")

    stage: Mapped[TaskStage] = relationship(lazy="joined", innerjoin=True)

    __mapper_args__ = {"version_id_col": lock_version}


class TaskSlip(Model):
    """A slip of a colour on one stage, issued by the night, once."""

    __tablename__ = "task_slip"
    __table_args__ = (
        UniqueConstraint("stage_id", "round", "colour"),
        UniqueConstraint("bureau_id", "colour", "year", "serial"),
        CheckConstraint("colour IN ('blue', 'yellow', 'red')", name="colour_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    task_id: Mapped[int] = mapped_column(ForeignKey("supervised_task.id"), index=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("task_stage.id"))
    round: Mapped[int] = mapped_column(default=0)
    colour: Mapped[str] = mapped_column(String(8))
    year: Mapped[int]
    serial: Mapped[int]
    no: Mapped[str] = mapped_column(String(64))
    issued_on: Mapped[date]
    days_late: Mapped[int]

    stage: Mapped[TaskStage] = relationship(lazy="joined", innerjoin=True)

    def __repr__(self) -> str:
        return self.no


class TaskRating(Model):
    """What a task is worth under one clause: by the bureau itself (blank issuer), or as a bureau above has said."""

    __tablename__ = "task_rating"
    __table_args__ = (
        CheckConstraint("issuer = '' OR opinion <> '' OR clause_id IS NOT NULL", name="says_something"),
        CheckConstraint("issuer <> '' OR clause_id IS NOT NULL", name="clause_if_own"),
        Index(
            "uq_task_rating_own", "task_id", "clause_id", unique=True,
            sqlite_where=text("issuer = ''"), postgresql_where=text("issuer = ''"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("supervised_task.id"), index=True)
    clause_id: Mapped[int | None] = mapped_column(ForeignKey("clause.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(200), default="")
    document: Mapped[str] = mapped_column(String(200), default="")
    quantity: Mapped[Decimal | None] = mapped_column(Measured)
    points: Mapped[Decimal | None] = mapped_column(Milli)
    value: Mapped[Decimal | None] = mapped_column(Measured)
    opinion: Mapped[str] = mapped_column(Text, default="")
    rated_by_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), index=True)
    rated_by: Mapped[str] = mapped_column(String(100))
    rated_at: Mapped[datetime] = mapped_column(Instant)

    clause: Mapped[Clause | None] = relationship(lazy="joined")
