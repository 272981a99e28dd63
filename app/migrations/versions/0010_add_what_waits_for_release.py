"""what is asked for an account and waits for another administrator; nothing that only grows can be replaced"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Tables whose rows stay, and which of their rows: `INSERT OR REPLACE` deletes without the delete triggers.
STAYS = {
    "score_entry": "TRUE",
    "trace_entry": "TRUE",
    "bulletin": "state = 'published'",
    "bulletin_file": "TRUE",
}


def upgrade() -> None:
    op.add_column("ab_user", sa.Column("asked_measure", sa.String(length=8), server_default="", nullable=False))
    op.add_column("ab_user", sa.Column("asked_by_id", sa.Integer(), nullable=True))
    op.add_column("ab_user", sa.Column("asked_by", sa.String(length=100), server_default="", nullable=False))
    if op.get_bind().dialect.name == "sqlite":
        _refuse_replacing()


def _refuse_replacing() -> None:
    inspector = sa.inspect(op.get_bind())
    for table, which in STAYS.items():
        keys = [inspector.get_pk_constraint(table)["constrained_columns"]]
        keys += [found["column_names"] for found in inspector.get_unique_constraints(table)]
        keys += [found["column_names"] for found in inspector.get_indexes(table) if found["unique"]]
        taken = " OR ".join(f"({' AND '.join(f'{column} = NEW.{column}' for column in key)})" for key in keys)
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE ({taken}) AND {which}) "
            f"BEGIN SELECT RAISE(ABORT, 'a row of {table} is never replaced'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in STAYS:
            op.execute(f"DROP TRIGGER {table}_no_replace")
    for column in ("asked_by", "asked_by_id", "asked_measure"):
        op.drop_column("ab_user", column)
