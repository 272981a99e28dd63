"""Who may sign in: one account per person, dated grants of roles, and sessions kept on the server."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from flask_appbuilder.models.sqla import Model
from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.org import Bureau, Subject
from app.models.types import Instant

# After the naming convention is set by app.models.types.
from flask_appbuilder.security.sqla.models import User  # isort: skip

if TYPE_CHECKING:
    from sqlalchemy import Table

ADMINISTRATOR_ROLES = ("system_admin", "security_admin", "audit_admin")
BUREAU_ROLES = (
    "bureau_leader",
    "assessment_office",
    "supervision_office",
    "assessor",
    "unit_head",
    "clerk",
    "staff",
)
ROLES = (*BUREAU_ROLES, *ADMINISTRATOR_ROLES)


class Account(User):
    """FAB's user with the person it belongs to and what sign-in needs to know."""

    __tablename__ = "ab_user"
    __table_args__ = {"extend_existing": True}

    if TYPE_CHECKING:
        id: Mapped[int]
        username: Mapped[str]
        password: Mapped[str]
        active: Mapped[bool]
        first_name: Mapped[str]
        last_name: Mapped[str]
        __table__: Table

    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"))
    subject_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"), unique=True)
    must_change_password: Mapped[bool | None] = mapped_column(default=False)
    password_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    password_changed_at: Mapped[datetime | None] = mapped_column(Instant)
    failed_sign_ins: Mapped[int | None] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(Instant)
    # When the person read which personal data the portal holds; asked at the first sign-in.
    informed_at: Mapped[datetime | None] = mapped_column(Instant)
    # What one administrator has asked for and another releases: "password", "disable" or "enable".
    asked_measure: Mapped[str] = mapped_column(String(8), default="", server_default="")
    asked_by_id: Mapped[int | None]
    asked_by: Mapped[str] = mapped_column(String(100), default="", server_default="")

    bureau: Mapped[Bureau | None] = relationship(lazy="joined")
    subject: Mapped[Subject | None] = relationship(lazy="joined")

    def get_full_name(self) -> str:
        return f"{self.last_name}{self.first_name}"

    def __repr__(self) -> str:
        return self.get_full_name()


class RoleGrant(Model):
    """Who holds which role, for which unit, from when to when; without an approval it gives nothing."""

    __tablename__ = "role_grant"
    __table_args__ = (
        UniqueConstraint("account_id", "role", "unit_id", "valid_from"),
        CheckConstraint("valid_to IS NULL OR valid_from IS NULL OR valid_from <= valid_to", name="from_before_to"),
        CheckConstraint("approved_at IS NULL OR approved_by <> ''", name="approver_if_approved"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int | None] = mapped_column(ForeignKey("bureau.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), index=True)
    role: Mapped[str] = mapped_column(String(32))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("subject.id"))
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    asked_by: Mapped[str] = mapped_column(String(100), default="")
    approved_by: Mapped[str] = mapped_column(String(100), default="")
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)
    unit: Mapped[Subject | None] = relationship(lazy="joined")


class ActingGrant(Model):
    """Somebody acts for a colleague on leave, from day to day; set by the colleague or the office.

    Names stand as they were: who reads a grant need not see the accounts.
    """

    __tablename__ = "acting_grant"
    __table_args__ = (
        CheckConstraint("absent_id <> substitute_id", name="two_people"),
        CheckConstraint("valid_from <= valid_to", name="from_before_to"),
        CheckConstraint("reason <> ''", name="reason_given"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bureau_id: Mapped[int] = mapped_column(ForeignKey("bureau.id"), index=True)
    absent_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), index=True)
    substitute_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), index=True)
    absent_name: Mapped[str] = mapped_column(String(100))
    substitute_name: Mapped[str] = mapped_column(String(100))
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    reason: Mapped[str] = mapped_column(String(300))
    set_by: Mapped[str] = mapped_column(String(100))
    set_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)

    def __repr__(self) -> str:
        return f"{self.absent_name} {self.substitute_name}"


class UserSession(Model):
    """A sign-in kept on the server: ending the row ends the session, whatever cookie comes back."""

    __tablename__ = "user_session"
    __table_args__ = (UniqueConstraint("token_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    address: Mapped[str] = mapped_column(String(64), default="")
    browser: Mapped[str] = mapped_column(String(200), default="")
    acting_grant_id: Mapped[int | None] = mapped_column(ForeignKey("acting_grant.id"), index=True)

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)
