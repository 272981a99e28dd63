"""Who is assessed and where they stand: bureaus, units, people, postings, divisions of work, days."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models import types  # noqa: F401 - names every constraint


class Bureau(Model):
    """One bureau of the installation; every record belongs to one. Its name is that of its root unit."""

    __tablename__ = "bureau"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64))

    def __repr__(self) -> str:
        return self.code


class SubjectKind(StrEnum):
    """What is assessed."""

    UNIT = "unit"
    PERSON = "person"


class Subject(Model):
    """A unit or a person for ever: the code that never changes and is never used twice."""

    __tablename__ = "subject"
    __table_args__ = (
        UniqueConstraint("bureau_id", "code"),
        CheckConstraint("kind IN ('unit', 'person')", name="kind_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    kind: Mapped[str] = mapped_column(String(8))
    code: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    def __repr__(self) -> str:
        return self.code


class Unit(Model):
    """A dated row of a unit: its name, kind, group and place in the tree; inclusive days, blank is open."""

    __tablename__ = "unit"
    __table_args__ = (
        UniqueConstraint("subject_id", "valid_from"),
        CheckConstraint("kind IN ('bureau', 'department', 'branch')", name="kind_known"),
        CheckConstraint("valid_to IS NULL OR valid_from IS NULL OR valid_from <= valid_to", name="from_before_to"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    group_name: Mapped[str] = mapped_column(String(64), default="")
    tags: Mapped[str] = mapped_column(String(500), default="")
    position: Mapped[int] = mapped_column(default=0)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    subject: Mapped[Subject] = relationship(foreign_keys=[subject_id], lazy="joined", innerjoin=True)
    parent: Mapped[Subject | None] = relationship(foreign_keys=[parent_id], lazy="joined")

    def __repr__(self) -> str:
        return self.name


class Person(Model):
    """A dated row of a person: name, category and group; the account hangs on the subject."""

    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("subject_id", "valid_from"),
        CheckConstraint("category IN ('bureau_leader', 'unit_head', 'unit_deputy', 'staff')", name="category_known"),
        CheckConstraint("valid_to IS NULL OR valid_from IS NULL OR valid_from <= valid_to", name="from_before_to"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    category: Mapped[str] = mapped_column(String(16))
    group_name: Mapped[str] = mapped_column(String(64), default="")
    email: Mapped[str] = mapped_column(String(200), default="")
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)

    def __repr__(self) -> str:
        return self.name


class Posting(Model):
    """Who was where, as what, from when to when; days inclusive."""

    __tablename__ = "posting"
    __table_args__ = (
        UniqueConstraint("person_id", "unit_id", "duty", "valid_from"),
        CheckConstraint("duty IN ('head', 'deputy', 'clerk', 'member')", name="duty_known"),
        CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name="from_before_to"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    duty: Mapped[str] = mapped_column(String(8))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    person: Mapped[Subject] = relationship(foreign_keys=[person_id], lazy="joined", innerjoin=True)
    unit: Mapped[Subject] = relationship(foreign_keys=[unit_id], lazy="joined", innerjoin=True)


class Oversight(Model):
    """Which leader is in charge of which unit or line of work, from when to when; days inclusive."""

    __tablename__ = "oversight"
    __table_args__ = (
        UniqueConstraint("leader_id", "unit_id", "indicator_code", "valid_from"),
        CheckConstraint("unit_id IS NOT NULL OR indicator_code <> ''", name="unit_or_indicator"),
        CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name="from_before_to"),
        Index("ix_oversight_leader_id", "leader_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    leader_id: Mapped[int] = mapped_column(ForeignKey("subject.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"), index=True)
    indicator_code: Mapped[str] = mapped_column(String(64), default="")
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    leader: Mapped[Subject] = relationship(foreign_keys=[leader_id], lazy="joined", innerjoin=True)
    unit: Mapped[Subject | None] = relationship(foreign_keys=[unit_id], lazy="joined")


class Relation(Model):
    """Two people of whom neither acts in the other's matters, from when to when; days inclusive."""

    __tablename__ = "relation"
    __table_args__ = (
        UniqueConstraint("person_id", "other_id", "valid_from"),
        CheckConstraint("person_id <> other_id", name="two_people"),
        CheckConstraint("kind IN ('spouse', 'kin', 'in_law', 'other')", name="kind_known"),
        CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name="from_before_to"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("subject.id"))
    other_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]

    person: Mapped[Subject] = relationship(foreign_keys=[person_id], lazy="joined", innerjoin=True)
    other: Mapped[Subject] = relationship(foreign_keys=[other_id], lazy="joined", innerjoin=True)


class CalendarDay(Model):
    """A day of the bureau that is not what its weekday says: a holiday or a make-up workday."""

    __tablename__ = "calendar_day"
    __table_args__ = (
        UniqueConstraint("bureau_id", "day"),
        CheckConstraint("kind IN ('workday', 'holiday')", name="kind_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    day: Mapped[date]
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(100), default="")
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)


class NationalDay(Model):
    """A day of the yearly national arrangement that is not what its weekday says; one table for all bureaus.

    Where the arrangement of a year has not come, its statutory dates stand here as not official.
    """

    __tablename__ = "national_day"
    __table_args__ = (CheckConstraint("kind IN ('workday', 'holiday')", name="kind_known"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(100), default="")
    is_official: Mapped[bool] = mapped_column(default=True)
