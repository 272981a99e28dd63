"""add what processes share: dated rules, attachments, forms sent once, saved searches, acting, national days"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "national_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("is_official", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('workday', 'holiday')", name=op.f("ck_national_day_kind_known")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_national_day")),
    )
    op.create_table(
        "process_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("set_by", sa.String(length=100), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_process_rule_bureau_id_bureau")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_rule")),
        sa.UniqueConstraint("bureau_id", "key", "valid_from", name=op.f("uq_process_rule_bureau_id_key_valid_from")),
    )
    op.create_table(
        "acting_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("absent_id", sa.Integer(), nullable=False),
        sa.Column("substitute_id", sa.Integer(), nullable=False),
        sa.Column("absent_name", sa.String(length=100), nullable=False),
        sa.Column("substitute_name", sa.String(length=100), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("set_by", sa.String(length=100), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_acting_grant_reason_given")),
        sa.CheckConstraint("absent_id <> substitute_id", name=op.f("ck_acting_grant_two_people")),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_acting_grant_from_before_to")),
        sa.ForeignKeyConstraint(["absent_id"], ["ab_user.id"], name=op.f("fk_acting_grant_absent_id_ab_user")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_acting_grant_bureau_id_bureau")),
        sa.ForeignKeyConstraint(["substitute_id"], ["ab_user.id"], name=op.f("fk_acting_grant_substitute_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acting_grant")),
    )
    op.create_index(op.f("ix_acting_grant_absent_id"), "acting_grant", ["absent_id"])
    op.create_index(op.f("ix_acting_grant_bureau_id"), "acting_grant", ["bureau_id"])
    op.create_index(op.f("ix_acting_grant_substitute_id"), "acting_grant", ["substitute_id"])
    op.create_table(
        "attachment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("item_type", sa.String(length=32), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("stored_name", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("uploaded_by_id", sa.Integer(), nullable=True),
        sa.Column("uploaded_by", sa.String(length=100), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_by", sa.String(length=100), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(removed_at IS NULL) = (removed_by = '')", name=op.f("ck_attachment_removed_by_somebody")),
        sa.CheckConstraint("size > 0", name=op.f("ck_attachment_not_empty")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_attachment_bureau_id_bureau")),
        sa.ForeignKeyConstraint(["uploaded_by_id"], ["ab_user.id"], name=op.f("fk_attachment_uploaded_by_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("stored_name", name=op.f("uq_attachment_stored_name")),
    )
    op.create_index(op.f("ix_attachment_bureau_id"), "attachment", ["bureau_id"])
    op.create_index("ix_attachment_item", "attachment", ["item_type", "item_id"])
    op.create_index(op.f("ix_attachment_uploaded_by_id"), "attachment", ["uploaded_by_id"])
    op.create_table(
        "saved_filter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("page", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["ab_user.id"], name=op.f("fk_saved_filter_account_id_ab_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_filter")),
        sa.UniqueConstraint("account_id", "page", "name", name=op.f("uq_saved_filter_account_id_page_name")),
    )
    op.create_table(
        "submission",
        sa.Column("key", sa.String(length=43), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["ab_user.id"], name=op.f("fk_submission_account_id_ab_user")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_submission")),
    )
    op.create_index(op.f("ix_submission_account_id"), "submission", ["account_id"])
    op.add_column("score_entry", sa.Column("occasion", sa.String(length=64), server_default="", nullable=False))
    op.create_index(
        "uq_score_entry_occasion",
        "score_entry",
        ["source", "source_id", "clause_id", "subject_id", "occasion"],
        unique=True,
        sqlite_where=sa.text("kind = 'fact' AND occasion <> ''"),
        postgresql_where=sa.text("kind = 'fact' AND occasion <> ''"),
    )
    op.execute(
        "ALTER TABLE user_session ADD COLUMN acting_grant_id INTEGER "
        "CONSTRAINT fk_user_session_acting_grant_id_acting_grant REFERENCES acting_grant (id)"
    )
    op.create_index(op.f("ix_user_session_acting_grant_id"), "user_session", ["acting_grant_id"])


def downgrade() -> None:
    op.drop_index("ix_user_session_acting_grant_id", "user_session")
    op.drop_column("user_session", "acting_grant_id")
    op.drop_index("uq_score_entry_occasion", "score_entry")
    op.drop_column("score_entry", "occasion")
    for table in ("submission", "saved_filter", "attachment", "acting_grant", "process_rule", "national_day"):
        op.drop_table(table)
