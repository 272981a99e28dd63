"""what waits for another's word: measures on accounts, submitted schemes; nothing that only grows can be replaced"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Tables whose rows stay, and what makes a row the same: `INSERT OR REPLACE` deletes without the delete triggers.
STAYS = {
    "score_entry": (
        "id = NEW.id OR reverses_id = NEW.reverses_id OR (bureau_id = NEW.bureau_id AND no = NEW.no "
        "AND kind = NEW.kind AND subject_id = NEW.subject_id AND revision = NEW.revision) OR (kind = 'fact' "
        "AND NEW.kind = 'fact' AND occasion <> '' AND source = NEW.source AND source_id = NEW.source_id "
        "AND clause_id = NEW.clause_id AND subject_id = NEW.subject_id AND occasion = NEW.occasion)"
    ),
    "trace_entry": "seq = NEW.seq",
    "bulletin": (
        "state = 'published' AND (id = NEW.id OR (bureau_id = NEW.bureau_id AND period = NEW.period "
        "AND version = NEW.version))"
    ),
    "bulletin_file": "id = NEW.id OR (bulletin_id = NEW.bulletin_id AND kind = NEW.kind)",
}

SUMMED = [
    "bureau_id", "month", "clause_id", "subject_id", "quantity", "share_percent", "share_divisor", "points", "value",
    "id",
]  # fmt: skip
VERSIONED = ("scheme", "task_stage", "task_part", "task_extension")


def _withdraw_seconds() -> None:
    """Two could ask at once for one entry: the first stays, the later ones are withdrawn, as approving would refuse."""
    op.execute(
        "UPDATE correction_voucher SET state = 'withdrawn' WHERE state = 'asked' AND EXISTS (SELECT 1 FROM "
        "correction_voucher AS first WHERE first.entry_id = correction_voucher.entry_id AND first.state = 'asked' "
        "AND first.id < correction_voucher.id)"
    )


def upgrade() -> None:
    op.add_column("ab_user", sa.Column("asked_measure", sa.String(length=8), server_default="", nullable=False))
    op.add_column("ab_user", sa.Column("asked_by_id", sa.Integer(), nullable=True))
    op.add_column("ab_user", sa.Column("asked_by", sa.String(length=100), server_default="", nullable=False))
    op.add_column("ab_user", sa.Column("informed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("scheme", sa.Column("submitted_by", sa.String(length=100), server_default="", nullable=False))
    op.add_column("scheme", sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("scheme", sa.Column("opinion", sa.Text(), server_default="", nullable=False))
    for table in VERSIONED:
        op.add_column(table, sa.Column("lock_version", sa.Integer(), server_default="1", nullable=False))
    _withdraw_seconds()
    op.create_index(
        "uq_correction_voucher_waiting", "correction_voucher", ["entry_id"], unique=True,
        sqlite_where=sa.text("state = 'asked'"), postgresql_where=sa.text("state = 'asked'"),
    )  # fmt: skip
    op.drop_index("ix_score_entry_month", "score_entry")
    op.create_index(
        "ix_score_entry_sums", "score_entry", SUMMED,
        sqlite_where=sa.text("kind <> 'reversal'"), postgresql_where=sa.text("kind <> 'reversal'"),
    )  # fmt: skip
    op.create_index("ix_score_entry_newest", "score_entry", ["bureau_id", "id"])
    op.create_index(
        "ix_score_entry_reversed", "score_entry", ["bureau_id", "id", "reverses_id"],
        sqlite_where=sa.text("reverses_id IS NOT NULL"), postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "relation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("person_id <> other_id", name=op.f("ck_relation_two_people")),
        sa.CheckConstraint("kind IN ('spouse', 'kin', 'in_law', 'other')", name=op.f("ck_relation_kind_known")),
        sa.CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name=op.f("ck_relation_from_before_to")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_relation_bureau_id_bureau")),
        sa.ForeignKeyConstraint(["person_id"], ["subject.id"], name=op.f("fk_relation_person_id_subject")),
        sa.ForeignKeyConstraint(["other_id"], ["subject.id"], name=op.f("fk_relation_other_id_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relation")),
        sa.UniqueConstraint(
            "person_id", "other_id", "valid_from", name=op.f("uq_relation_person_id_other_id_valid_from")
        ),
    )
    op.create_index(op.f("ix_relation_bureau_id"), "relation", ["bureau_id"])
    op.create_index(op.f("ix_relation_other_id"), "relation", ["other_id"])
    if op.get_bind().dialect.name == "sqlite":
        for table, is_same in STAYS.items():
            op.execute(
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {is_same}) "
                f"BEGIN SELECT RAISE(ABORT, 'a row of {table} is never replaced'); END"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in STAYS:
            op.execute(f"DROP TRIGGER {table}_no_replace")
    op.drop_table("relation")
    op.drop_index("uq_correction_voucher_waiting", "correction_voucher")
    for index in ("ix_score_entry_reversed", "ix_score_entry_newest", "ix_score_entry_sums"):
        op.drop_index(index, "score_entry")
    op.create_index("ix_score_entry_month", "score_entry", ["bureau_id", "month", "clause_id", "subject_id"])
    for table in VERSIONED:
        op.drop_column(table, "lock_version")
    for column in ("opinion", "submitted_at", "submitted_by"):
        op.drop_column("scheme", column)
    for column in ("informed_at", "asked_by", "asked_by_id", "asked_measure"):
        op.drop_column("ab_user", column)
