"""add the timetable, the outbox with notifications, bulletins, and the progress of runs"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Integer(), nullable=True),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("next_period", sa.String(length=10), nullable=False),
        sa.CheckConstraint("day IS NULL OR day BETWEEN 1 AND 28", name=op.f("ck_schedule_rule_day_in_every_month")),
        sa.CheckConstraint(
            "hour BETWEEN 0 AND 23 AND minute BETWEEN 0 AND 59", name=op.f("ck_schedule_rule_time_of_day")
        ),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_schedule_rule_bureau_id_bureau")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_rule")),
        sa.UniqueConstraint("bureau_id", "job", name=op.f("uq_schedule_rule_bureau_id_job")),
    )
    op.create_table(
        "bulletin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("results", sa.Text(), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("entry_watermark", sa.Integer(), nullable=False),
        sa.Column("drafted_by", sa.String(length=100), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by_id", sa.Integer(), nullable=True),
        sa.Column("submitted_by", sa.String(length=100), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_by", sa.String(length=100), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("published_by", sa.String(length=100), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lock_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("state <> 'published' OR checksum <> ''", name=op.f("ck_bulletin_checksum_if_published")),
        sa.CheckConstraint(
            "state <> 'published' OR published_at IS NOT NULL", name=op.f("ck_bulletin_published_at_if_published")
        ),
        sa.CheckConstraint(
            "state = 'draft' OR submitted_at IS NOT NULL", name=op.f("ck_bulletin_submitted_unless_draft")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted') OR signed_at IS NOT NULL", name=op.f("ck_bulletin_signed_if_signed")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'signed', 'published')", name=op.f("ck_bulletin_state_known")
        ),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_bulletin_bureau_id_bureau")),
        sa.ForeignKeyConstraint(["run_id"], ["run_ledger.id"], name=op.f("fk_bulletin_run_id_run_ledger")),
        sa.ForeignKeyConstraint(["submitted_by_id"], ["ab_user.id"], name=op.f("fk_bulletin_submitted_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin")),
        sa.UniqueConstraint("bureau_id", "period", "version", name=op.f("uq_bulletin_bureau_id_period_version")),
    )
    op.create_index(op.f("ix_bulletin_run_id"), "bulletin", ["run_id"], unique=False)
    op.create_index(op.f("ix_bulletin_submitted_by_id"), "bulletin", ["submitted_by_id"], unique=False)
    op.add_column("period_score", sa.Column("ended_on", sa.Date(), server_default="9999-12-31", nullable=False))
    op.create_table(
        "bulletin_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bulletin_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["bulletin_id"], ["bulletin.id"], name=op.f("fk_bulletin_file_bulletin_id_bulletin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin_file")),
        sa.UniqueConstraint("bulletin_id", "kind", name=op.f("uq_bulletin_file_bulletin_id_kind")),
    )
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("dedup_key", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["ab_user.id"], name=op.f("fk_notification_account_id_ab_user")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_notification_bureau_id_bureau")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("account_id", "dedup_key", name=op.f("uq_notification_account_id_dedup_key")),
    )
    op.create_index(op.f("ix_notification_bureau_id"), "notification", ["bureau_id"], unique=False)
    op.create_index("ix_notification_unread", "notification", ["account_id", "read_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("dedup_key", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.CheckConstraint("channel IN ('portal')", name=op.f("ck_outbox_channel_known")),
        sa.ForeignKeyConstraint(["account_id"], ["ab_user.id"], name=op.f("fk_outbox_account_id_ab_user")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_outbox_bureau_id_bureau")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedup_key", "account_id", "channel", name=op.f("uq_outbox_dedup_key_account_id_channel")),
    )
    op.create_index(op.f("ix_outbox_account_id"), "outbox", ["account_id"], unique=False)
    op.create_index(op.f("ix_outbox_bureau_id"), "outbox", ["bureau_id"], unique=False)
    op.create_index("ix_outbox_waiting", "outbox", ["sent_at", "id"], unique=False)
    op.add_column("run_ledger", sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("run_ledger", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("run_ledger", sa.Column("steps_done", sa.Integer(), server_default="0", nullable=False))
    op.add_column("run_ledger", sa.Column("steps", sa.Integer(), server_default="0", nullable=False))
    op.add_column("run_ledger", sa.Column("requested_by", sa.String(length=100), server_default="", nullable=False))
    op.add_column("run_ledger", sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_run_ledger_status", "run_ledger", ["status"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_run_ledger_status", table_name="run_ledger")
    op.drop_column("run_ledger", "requested_at")
    op.drop_column("run_ledger", "requested_by")
    op.drop_column("run_ledger", "steps")
    op.drop_column("run_ledger", "steps_done")
    op.drop_column("run_ledger", "attempts")
    op.drop_column("run_ledger", "queued_at")
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    op.drop_index(op.f("ix_outbox_bureau_id"), table_name="outbox")
    op.drop_index(op.f("ix_outbox_account_id"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_notification_unread", table_name="notification")
    op.drop_index(op.f("ix_notification_bureau_id"), table_name="notification")
    op.drop_table("notification")
    op.drop_table("bulletin_file")
    op.drop_column("period_score", "ended_on")
    op.drop_index(op.f("ix_bulletin_submitted_by_id"), table_name="bulletin")
    op.drop_index(op.f("ix_bulletin_run_id"), table_name="bulletin")
    op.drop_table("bulletin")
    op.drop_table("schedule_rule")
