"""add permits and vouchers, decided grades with notices, rehearsals, evidence of an entry, corrected bulletins"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Added one by one in SQL: a rebuilt table would lose its triggers, and SQLite adds no constraint afterwards.
COLUMNS = (
    ("score_entry", "permit_id", "reopen_permit"),
    ("bulletin", "corrects_id", "bulletin"),
    ("scheme", "owner_unit_id", "subject"),
)


def _asked(*, verb: str) -> list[sa.Column]:
    return [
        sa.Column(f"{verb}_by_id", sa.Integer(), nullable=True),
        sa.Column(f"{verb}_by", sa.String(length=100), nullable=False),
    ]


def _key(table: str, column: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.id"], name=op.f(f"fk_{table}_{column}_{of}"))


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "reopen_permit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("subjects", sa.Text(), nullable=False),
        sa.Column("indicators", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        *_asked(verb="asked"),
        sa.Column("asked_at", instant, nullable=False),
        *_asked(verb="decided"),
        sa.Column("decided_at", instant, nullable=True),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.String(length=100), nullable=False),
        sa.Column("closed_at", instant, nullable=True),
        sa.Column("rows_changed", sa.Integer(), nullable=False),
        sa.Column("lock_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'granted', 'refused', 'withdrawn', 'closed')",
            name=op.f("ck_reopen_permit_state_known"),
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'withdrawn') OR decided_at IS NOT NULL",
            name=op.f("ck_reopen_permit_decided_if_decided"),
        ),
        sa.CheckConstraint(
            "state <> 'closed' OR closed_at IS NOT NULL", name=op.f("ck_reopen_permit_closed_at_if_closed")
        ),
        sa.CheckConstraint(
            "decided_by_id IS NULL OR decided_by_id <> asked_by_id", name=op.f("ck_reopen_permit_two_people")
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_reopen_permit_reason_given")),
        _key("reopen_permit", "bureau_id", "bureau"),
        _key("reopen_permit", "asked_by_id", "ab_user"),
        _key("reopen_permit", "decided_by_id", "ab_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reopen_permit")),
    )
    op.create_index("ix_reopen_permit_bureau_id", "reopen_permit", ["bureau_id", "period"])
    op.create_index(op.f("ix_reopen_permit_asked_by_id"), "reopen_permit", ["asked_by_id"])
    op.create_index(op.f("ix_reopen_permit_decided_by_id"), "reopen_permit", ["decided_by_id"])
    for table, column, of in COLUMNS:
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} INTEGER CONSTRAINT fk_{table}_{column}_{of} REFERENCES {of} (id)"
        )
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.add_column("score_entry", sa.Column("evidence", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "correction_voucher",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("no", sa.String(length=32), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("replacement", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        *_asked(verb="asked"),
        sa.Column("asked_at", instant, nullable=False),
        *_asked(verb="decided"),
        sa.Column("decided_at", instant, nullable=True),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("new_entry_id", sa.Integer(), nullable=True),
        sa.Column("lock_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'approved', 'refused', 'withdrawn')", name=op.f("ck_correction_voucher_state_known")
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'withdrawn') OR decided_at IS NOT NULL",
            name=op.f("ck_correction_voucher_decided_if_decided"),
        ),
        sa.CheckConstraint(
            "decided_by_id IS NULL OR decided_by_id <> asked_by_id", name=op.f("ck_correction_voucher_two_people")
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_correction_voucher_reason_given")),
        _key("correction_voucher", "bureau_id", "bureau"),
        _key("correction_voucher", "entry_id", "score_entry"),
        _key("correction_voucher", "new_entry_id", "score_entry"),
        _key("correction_voucher", "asked_by_id", "ab_user"),
        _key("correction_voucher", "decided_by_id", "ab_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction_voucher")),
        sa.UniqueConstraint("bureau_id", "no", name=op.f("uq_correction_voucher_bureau_id_no")),
    )
    for column in ("entry_id", "new_entry_id", "asked_by_id", "decided_by_id"):
        op.create_index(op.f(f"ix_correction_voucher_{column}"), "correction_voucher", [column])
    op.create_table(
        "grade_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("suggested", sa.String(length=32), nullable=False),
        sa.Column("grade", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        *_asked(verb="proposed"),
        sa.Column("proposed_at", instant, nullable=False),
        *_asked(verb="confirmed"),
        sa.Column("confirmed_at", instant, nullable=True),
        sa.Column("lock_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('proposed', 'confirmed')", name=op.f("ck_grade_decision_state_known")),
        sa.CheckConstraint(
            "state = 'proposed' OR confirmed_at IS NOT NULL", name=op.f("ck_grade_decision_confirmed_at_if_confirmed")
        ),
        sa.CheckConstraint(
            "grade = suggested OR reason <> ''", name=op.f("ck_grade_decision_reason_if_it_differs")
        ),
        sa.CheckConstraint(
            "confirmed_by_id IS NULL OR confirmed_by_id <> proposed_by_id", name=op.f("ck_grade_decision_two_people")
        ),
        _key("grade_decision", "bureau_id", "bureau"),
        _key("grade_decision", "subject_id", "subject"),
        _key("grade_decision", "proposed_by_id", "ab_user"),
        _key("grade_decision", "confirmed_by_id", "ab_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_decision")),
        sa.UniqueConstraint(
            "bureau_id", "period", "subject_id", "revision",
            name=op.f("uq_grade_decision_bureau_id_period_subject_id_revision"),
        ),
    )  # fmt: skip
    for column in ("subject_id", "proposed_by_id", "confirmed_by_id"):
        op.create_index(op.f(f"ix_grade_decision_{column}"), "grade_decision", [column])
    op.create_table(
        "result_notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("sent_at", instant, nullable=False),
        sa.Column("received_by", sa.String(length=100), nullable=False),
        sa.Column("received_at", instant, nullable=True),
        sa.CheckConstraint(
            "(received_at IS NULL) = (received_by = '')", name=op.f("ck_result_notice_received_by_somebody")
        ),
        _key("result_notice", "bureau_id", "bureau"),
        _key("result_notice", "decision_id", "grade_decision"),
        _key("result_notice", "subject_id", "subject"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result_notice")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_result_notice_decision_id")),
    )
    op.create_index(op.f("ix_result_notice_subject_id"), "result_notice", ["subject_id"])
    op.create_table(
        "rehearsal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("scheme_id", sa.Integer(), nullable=False),
        sa.Column("periods", sa.Text(), nullable=False),
        sa.Column("results", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", instant, nullable=False),
        sa.Column("done_at", instant, nullable=True),
        _key("rehearsal", "bureau_id", "bureau"),
        _key("rehearsal", "scheme_id", "scheme"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rehearsal")),
    )
    op.create_index(op.f("ix_rehearsal_scheme_id"), "rehearsal", ["scheme_id"])


def downgrade() -> None:
    for table in ("rehearsal", "result_notice", "grade_decision", "correction_voucher"):
        op.drop_table(table)
    op.drop_column("score_entry", "evidence")
    for table, column, _ in COLUMNS:
        op.drop_index(op.f(f"ix_{table}_{column}"), table)
        op.drop_column(table, column)
    op.drop_table("reopen_permit")
