"""add the log of runs, signs of life, daily figures; channels out of the portal, reminders, lines of a digest"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allowed_host",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=True),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("added_by", sa.String(length=100), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("host <> ''", name=op.f("ck_allowed_host_host_given")),
        sa.CheckConstraint("port BETWEEN 1 AND 65535", name=op.f("ck_allowed_host_port_in_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allowed_host")),
        sa.UniqueConstraint("bureau_id", "host", "port", name=op.f("uq_allowed_host_bureau_id_host_port")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_allowed_host_bureau_id_bureau")),
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("boot", sa.String(length=40), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('beat', 'worker', 'ring', 'clock')", name=op.f("ck_heartbeat_kind_known")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False),
        sa.Column("security", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("username", sa.String(length=200), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("lock_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('email', 'wecom', 'dingtalk', 'feishu', 'webhook')", name=op.f("ck_channel_kind_known")
        ),
        sa.CheckConstraint("name <> '' AND address <> ''", name=op.f("ck_channel_named_and_addressed")),
        sa.CheckConstraint("security IN ('none', 'starttls', 'tls')", name=op.f("ck_channel_security_known")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_channel_bureau_id_bureau")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("bureau_id", "name", name=op.f("uq_channel_bureau_id_name")),
    )
    op.create_table(
        "run_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run_ledger.id"], name=op.f("fk_run_event_run_id_run_ledger")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_event")),
    )
    op.create_index(op.f("ix_run_event_run_id"), "run_event", ["run_id"], unique=False)
    op.create_table(
        "daily_figure",
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("measure", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_daily_figure_bureau_id_bureau")),
        sa.ForeignKeyConstraint(["unit_id"], ["subject.id"], name=op.f("fk_daily_figure_unit_id_subject")),
        sa.PrimaryKeyConstraint("bureau_id", "day", "unit_id", "measure", name=op.f("pk_daily_figure")),
    )
    op.create_index("ix_daily_figure_measure", "daily_figure", ["bureau_id", "measure", "day"], unique=False)
    op.create_table(
        "channel_choice",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("wants", sa.String(length=6), nullable=False),
        sa.CheckConstraint("wants IN ('none', 'digest', 'all')", name=op.f("ck_channel_choice_wants_known")),
        sa.ForeignKeyConstraint(["account_id"], ["ab_user.id"], name=op.f("fk_channel_choice_account_id_ab_user")),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_channel_choice_channel_id_channel")),
        sa.PrimaryKeyConstraint("account_id", "channel_id", name=op.f("pk_channel_choice")),
    )
    op.create_index(op.f("ix_channel_choice_channel_id"), "channel_choice", ["channel_id"], unique=False)
    op.create_table(
        "reminder_sent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(length=100), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("is_list", sa.Boolean(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["ab_user.id"], name=op.f("fk_reminder_sent_account_id_ab_user")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_reminder_sent_bureau_id_bureau")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_sent")),
        sa.UniqueConstraint(
            "account_id",
            "mark",
            "event",
            "is_list",
            "days",
            name=op.f("uq_reminder_sent_account_id_mark_event_is_list_days"),
        ),
    )
    op.create_index("ix_reminder_sent_bureau_id", "reminder_sent", ["bureau_id", "sent_on"], unique=False)
    op.add_column("notification", sa.Column("lines", sa.Text(), server_default="", nullable=False))
    op.add_column("notification", sa.Column("read_by", sa.String(length=100), server_default="", nullable=False))
    op.add_column("run_ledger", sa.Column("is_premature", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("supervised_task", sa.Column("sent_back_on", sa.Date(), nullable=True))
    with op.batch_alter_table("outbox") as table:
        table.drop_constraint(op.f("ck_outbox_channel_known"), type_="check")
        table.add_column(sa.Column("channel_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("lines", sa.Text(), server_default="", nullable=False))
        table.add_column(sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True))
        table.alter_column("channel", existing_type=sa.String(length=16), type_=sa.String(length=24))
        table.create_foreign_key(op.f("fk_outbox_channel_id_channel"), "channel", ["channel_id"], ["id"])
        table.create_check_constraint(op.f("ck_outbox_channel_known"), "(channel = 'portal') = (channel_id IS NULL)")
        table.create_check_constraint(op.f("ck_outbox_sent_or_given_up"), "sent_at IS NULL OR given_up_at IS NULL")
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    op.create_index("ix_outbox_waiting", "outbox", ["sent_at", "given_up_at", "id"])
    op.create_index("ix_outbox_channel_id", "outbox", ["channel_id"])
    with op.batch_alter_table("schedule_rule") as table:
        table.add_column(sa.Column("held_since", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("held_reason", sa.String(length=6), server_default="", nullable=False))
        table.create_check_constraint(
            op.f("ck_schedule_rule_held_reason_known"), "held_reason IN ('', 'beyond', 'clock')"
        )
        table.create_check_constraint(
            op.f("ck_schedule_rule_held_for_a_reason"), "(held_since IS NULL) = (held_reason = '')"
        )


def downgrade() -> None:
    op.execute("DELETE FROM schedule_rule WHERE job IN ('quarter_end', 'year_end', 'statistics', 'reminders')")
    with op.batch_alter_table("schedule_rule") as table:
        table.drop_constraint(op.f("ck_schedule_rule_held_for_a_reason"), type_="check")
        table.drop_constraint(op.f("ck_schedule_rule_held_reason_known"), type_="check")
        table.drop_column("held_reason")
        table.drop_column("held_since")
    op.execute("DELETE FROM outbox WHERE channel_id IS NOT NULL")
    op.drop_index("ix_outbox_channel_id", table_name="outbox")
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    with op.batch_alter_table("outbox") as table:
        table.drop_constraint(op.f("ck_outbox_sent_or_given_up"), type_="check")
        table.drop_constraint(op.f("ck_outbox_channel_known"), type_="check")
        table.drop_constraint(op.f("fk_outbox_channel_id_channel"), type_="foreignkey")
        for name in ("given_up_at", "not_before", "lines", "channel_id"):
            table.drop_column(name)
        table.alter_column("channel", existing_type=sa.String(length=24), type_=sa.String(length=16))
        table.create_check_constraint(op.f("ck_outbox_channel_known"), "channel IN ('portal')")
    op.create_index("ix_outbox_waiting", "outbox", ["sent_at", "id"])
    op.drop_column("supervised_task", "sent_back_on")
    op.drop_column("run_ledger", "is_premature")
    op.drop_column("notification", "read_by")
    op.drop_column("notification", "lines")
    op.drop_index("ix_reminder_sent_bureau_id", table_name="reminder_sent")
    op.drop_table("reminder_sent")
    op.drop_index(op.f("ix_channel_choice_channel_id"), table_name="channel_choice")
    op.drop_table("channel_choice")
    op.drop_index("ix_daily_figure_measure", table_name="daily_figure")
    op.drop_table("daily_figure")
    op.drop_index(op.f("ix_run_event_run_id"), table_name="run_event")
    op.drop_table("run_event")
    op.drop_table("channel")
    op.drop_table("heartbeat")
    op.drop_table("allowed_host")
