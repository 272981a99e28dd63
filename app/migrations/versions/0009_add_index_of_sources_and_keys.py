"""an index from a record to what it posted; the keys an installation was made with, by their fingerprints"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_score_entry_source", "score_entry", ["source", "source_id"])
    op.create_table(
        "folder_key",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_folder_key")),
    )


def downgrade() -> None:
    op.drop_table("folder_key")
    op.drop_index("ix_score_entry_source", table_name="score_entry")
