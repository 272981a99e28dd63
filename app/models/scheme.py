"""By which rules: documents, schemes, indicators, clauses, targets, external results, grade rules."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from app.models.org import Subject
from app.models.types import Instant, Measured, Milli


class Document(Model):
    """An assessment method of the bureau or of one above it."""

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("bureau_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    code: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(300))
    issuer: Mapped[str] = mapped_column(String(200), default="")
    number: Mapped[str] = mapped_column(String(100), default="")
    year: Mapped[int | None]
    in_force_from: Mapped[date | None]
    in_force_to: Mapped[date | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    def __repr__(self) -> str:
        return self.title


class SchemeState(StrEnum):
    """A draft may be edited; a scheme in force never."""

    DRAFT = "draft"
    IN_FORCE = "in_force"


class Scheme(Model):
    """One tree of indicators for one kind of subject and named groups, one year, one version."""

    __tablename__ = "scheme"
    __table_args__ = (
        UniqueConstraint("bureau_id", "code"),
        CheckConstraint("subject_kind IN ('unit', 'person')", name="subject_kind_known"),
        CheckConstraint("rank_on IN ('rounded', 'exact')", name="rank_on_known"),
        CheckConstraint("state IN ('draft', 'in_force')", name="state_known"),
        CheckConstraint("in_force_from <= in_force_to", name="from_before_to"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    code: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    year: Mapped[int]
    version: Mapped[str] = mapped_column(String(32))
    subject_kind: Mapped[str] = mapped_column(String(8))
    groups: Mapped[str] = mapped_column(String(1000))
    in_force_from: Mapped[date]
    in_force_to: Mapped[date]
    places: Mapped[int] = mapped_column(default=2)
    rank_on: Mapped[str] = mapped_column(String(8), default="rounded")
    state: Mapped[str] = mapped_column(String(16), default=SchemeState.DRAFT)
    # A draft that was submitted waits for approval and is not edited; one that was sent back says why.
    submitted_by: Mapped[str] = mapped_column(String(100), default="", server_default="")
    submitted_at: Mapped[datetime | None] = mapped_column(Instant)
    opinion: Mapped[str] = mapped_column(Text, default="", server_default="")
    owner_unit_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"), index=True)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)
    lock_version: Mapped[int] = mapped_column(default=1, server_default="1")

    owner_unit: Mapped[Subject | None] = relationship(foreign_keys=[owner_unit_id], lazy="joined")
    indicators: Mapped[list[Indicator]] = relationship(
        back_populates="scheme", order_by="Indicator.position, Indicator.code", viewonly=True
    )

    __mapper_args__ = {"version_id_col": lock_version}

    @property
    def stage(self) -> str:
        """Draft, submitted for approval, or in force."""
        return "for_approval" if self.submitted_at is not None and self.state == SchemeState.DRAFT else self.state

    def __repr__(self) -> str:
        return self.title


class Rehearsal(Model):
    """A draft scheme run over closed months: per subject the score and rank it had and would have, as JSON.

    `results` is blank until the run that computes it has ended. Kept with the version, whatever becomes of it.
    """

    __tablename__ = "rehearsal"

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    scheme_id: Mapped[int] = mapped_column(ForeignKey("scheme.id"), index=True)
    periods: Mapped[str] = mapped_column(Text)
    results: Mapped[str] = deferred(mapped_column(Text, default="", nullable=False))
    asked_by: Mapped[str] = mapped_column(String(100))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)

    scheme: Mapped[Scheme] = relationship(lazy="joined", innerjoin=True)

    def __repr__(self) -> str:
        return self.periods


class Indicator(Model):
    """A node of a scheme's tree; its code is one line of work in the whole bureau."""

    __tablename__ = "indicator"
    __table_args__ = (UniqueConstraint("scheme_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    scheme_id: Mapped[int] = mapped_column(ForeignKey("scheme.id"))
    code: Mapped[str] = mapped_column(String(64))
    parent_code: Mapped[str] = mapped_column(String(64), default="")
    title: Mapped[str] = mapped_column(String(200))
    method: Mapped[str] = mapped_column(String(16))
    full: Mapped[Decimal | None] = mapped_column(Milli)
    weight: Mapped[Decimal | None] = mapped_column(Milli)
    base: Mapped[Decimal | None] = mapped_column(Milli)
    cap: Mapped[str] = mapped_column(String(32), default="")
    floor: Mapped[str] = mapped_column(String(32), default="")
    places: Mapped[int | None]
    span: Mapped[str] = mapped_column(String(8), default="")
    rollup: Mapped[str] = mapped_column(String(8), default="")
    not_applicable: Mapped[str] = mapped_column(String(16), default="")
    applies_to: Mapped[str] = mapped_column(Text, default="")
    assessor_unit_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"), index=True)
    params: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int] = mapped_column(default=0)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    scheme: Mapped[Scheme] = relationship(lazy="joined", innerjoin=True)
    assessor_unit: Mapped[Subject | None] = relationship(lazy="joined")

    def __repr__(self) -> str:
        return f"{self.code} {self.title}"


class Clause(Model):
    """What may be registered and what it is worth; once used it is not edited, a new price is a new code."""

    __tablename__ = "clause"
    __table_args__ = (
        UniqueConstraint("bureau_id", "code"),
        CheckConstraint("effect IN ('award', 'deduction', 'measure')", name="effect_known"),
        CheckConstraint("(effect = 'measure') = (pricing = 'measure')", name="measure_with_measure"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    indicator_code: Mapped[str] = mapped_column(String(64), index=True)
    code: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    document_id: Mapped[int | None] = mapped_column(ForeignKey("document.id"))
    basis: Mapped[str] = mapped_column(String(300), default="")
    effect: Mapped[str] = mapped_column(String(16))
    pricing: Mapped[str] = mapped_column(String(16))
    price: Mapped[Decimal | None] = mapped_column(Milli)
    price_min: Mapped[Decimal | None] = mapped_column(Milli)
    price_max: Mapped[Decimal | None] = mapped_column(Milli)
    ladder: Mapped[str] = mapped_column(String(300), default="")
    every_n: Mapped[str] = mapped_column(String(32), default="")
    multipliers: Mapped[str] = mapped_column(Text, default="")
    duplicates: Mapped[str] = mapped_column(String(16), default="")
    shares: Mapped[str] = mapped_column(String(300), default="")
    cap: Mapped[str] = mapped_column(String(64), default="")
    evidence_required: Mapped[bool] = mapped_column(default=False)
    veto: Mapped[str] = mapped_column(String(32), default="")
    replaces: Mapped[str] = mapped_column(String(64), default="")
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    document: Mapped[Document | None] = relationship(lazy="joined")

    def __repr__(self) -> str:
        return f"{self.code} {self.text}"


class Target(Model):
    """The value an indicator is measured against, for exactly one subject and period."""

    __tablename__ = "target"
    __table_args__ = (UniqueConstraint("bureau_id", "indicator_code", "subject_id", "period"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    indicator_code: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    period: Mapped[str] = mapped_column(String(7))
    value: Mapped[Decimal] = mapped_column(Measured)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)


class ExternalResult(Model):
    """What a bureau above printed; kept as printed. A blank indicator is its total."""

    __tablename__ = "external_result"
    __table_args__ = (UniqueConstraint("bureau_id", "period", "subject_id", "indicator_code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"))
    period: Mapped[str] = mapped_column(String(7))
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id"), index=True)
    indicator_code: Mapped[str] = mapped_column(String(64), default="")
    score: Mapped[Decimal | None] = mapped_column(Measured)
    rank: Mapped[int | None]
    issuer: Mapped[str] = mapped_column(String(200), default="")
    document_id: Mapped[int | None] = mapped_column(ForeignKey("document.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    subject: Mapped[Subject] = relationship(lazy="joined", innerjoin=True)
    document: Mapped[Document | None] = relationship(lazy="joined")


class GradeRule(Model):
    """One row of the rules by which a year's total suggests a grade."""

    __tablename__ = "grade_rule"
    __table_args__ = (UniqueConstraint("scheme_id", "grade", "kind", "condition"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    scheme_id: Mapped[int] = mapped_column(ForeignKey("scheme.id"))
    position: Mapped[int] = mapped_column(default=0)
    grade: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(16))
    condition: Mapped[str] = mapped_column(Text, default="")
    value: Mapped[str] = mapped_column(String(32), default="")
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    scheme: Mapped[Scheme] = relationship(lazy="joined", innerjoin=True)
