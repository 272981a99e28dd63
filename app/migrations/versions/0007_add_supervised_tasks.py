"""add supervised tasks with their stages, parties, reports, slips and ratings; opinions on records"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supervised_task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("batch_no", sa.String(length=36), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("serial", sa.Integer(), nullable=True),
        sa.Column("no", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_text", sa.String(length=300), nullable=False),
        sa.Column("matter", sa.String(length=300), nullable=False),
        sa.Column("demand", sa.Text(), nullable=False),
        sa.Column("lead_unit_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("assigned_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("first_due_on", sa.Date(), nullable=False),
        sa.Column("late_clause", sa.String(length=64), nullable=False),
        sa.Column("rating_clauses", sa.String(length=500), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assigned_by", sa.String(length=100), nullable=False),
        sa.Column("signed_by", sa.String(length=100), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_by_id", sa.Integer(), nullable=True),
        sa.Column("reported_by", sa.String(length=100), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.String(length=100), nullable=False),
        sa.Column("accepted_on", sa.Date(), nullable=True),
        sa.Column("rated_by", sa.String(length=100), nullable=False),
        sa.Column("rating_opinion", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.String(length=100), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lock_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_on IS NOT NULL)", name=op.f("ck_supervised_task_closed_on_if_closed")
        ),
        sa.CheckConstraint(
            "source IN ('meeting', 'instruction', 'document', 'other')", name=op.f("ck_supervised_task_source_known")
        ),
        sa.CheckConstraint("state <> 'cancelled' OR reason <> ''", name=op.f("ck_supervised_task_reason_if_cancelled")),
        sa.CheckConstraint(
            "state IN ('draft', 'assigned', 'under_way', 'reported', 'sent_back', "
            "'accepted', 'rated', 'closed', 'cancelled')",
            name=op.f("ck_supervised_task_state_known"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'cancelled') OR assigned_on IS NOT NULL",
            name=op.f("ck_supervised_task_assigned_on_if_assigned"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'cancelled') OR no <> ''", name=op.f("ck_supervised_task_numbered_if_handed_over")
        ),
        sa.CheckConstraint(
            "state NOT IN ('rated', 'closed') OR rated_by <> ''", name=op.f("ck_supervised_task_rater_if_rated")
        ),
        sa.CheckConstraint(
            "assigned_on IS NULL OR first_due_on >= assigned_on", name=op.f("ck_supervised_task_due_after_assigned")
        ),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_supervised_task_bureau_id_bureau")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["ab_user.id"], name=op.f("fk_supervised_task_created_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["lead_unit_id"], ["subject.id"], name=op.f("fk_supervised_task_lead_unit_id_subject")),
        sa.ForeignKeyConstraint(
            ["reported_by_id"], ["ab_user.id"], name=op.f("fk_supervised_task_reported_by_id_ab_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervised_task")),
        sa.UniqueConstraint("bureau_id", "year", "serial", name=op.f("uq_supervised_task_bureau_id_year_serial")),
    )
    op.create_index(op.f("ix_supervised_task_assigned_on"), "supervised_task", ["assigned_on"])
    op.create_index(op.f("ix_supervised_task_batch_no"), "supervised_task", ["batch_no"])
    op.create_index(op.f("ix_supervised_task_created_by_id"), "supervised_task", ["created_by_id"])
    op.create_index("ix_supervised_task_lead_unit_id", "supervised_task", ["lead_unit_id", "state"])
    op.create_index("ix_supervised_task_list", "supervised_task", ["bureau_id", "state", "due_on"])
    op.create_index(op.f("ix_supervised_task_reported_by_id"), "supervised_task", ["reported_by_id"])
    op.create_table(
        "opinion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=11), nullable=False),
        sa.Column("item_type", sa.String(length=32), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("said_by_id", sa.Integer(), nullable=True),
        sa.Column("said_by", sa.String(length=100), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_id", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("answers_id", sa.Integer(), nullable=True),
        sa.Column("is_answered", sa.Boolean(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind <> 'answer' OR answers_id IS NOT NULL", name=op.f("ck_opinion_answers_if_answer")),
        sa.CheckConstraint(
            "answers_id IS NULL OR kind IN ('answer', 'instruction')", name=op.f("ck_opinion_answering_kind")
        ),
        sa.CheckConstraint("content <> ''", name=op.f("ck_opinion_says_something")),
        sa.CheckConstraint(
            "kind IN ('comment', 'instruction', 'urge', 'request', 'report', 'answer')",
            name=op.f("ck_opinion_kind_known"),
        ),
        sa.CheckConstraint(
            "kind IN ('request', 'report') OR item_type <> '' OR answers_id IS NOT NULL",
            name=op.f("ck_opinion_item_unless_upwards"),
        ),
        sa.CheckConstraint(
            "kind NOT IN ('request', 'report') OR to_id IS NOT NULL", name=op.f("ck_opinion_upwards_to_somebody")
        ),
        sa.ForeignKeyConstraint(["answers_id"], ["opinion.id"], name=op.f("fk_opinion_answers_id_opinion")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_opinion_bureau_id_bureau")),
        sa.ForeignKeyConstraint(["said_by_id"], ["ab_user.id"], name=op.f("fk_opinion_said_by_id_ab_user")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_opinion_subject_id_subject")),
        sa.ForeignKeyConstraint(["task_id"], ["supervised_task.id"], name=op.f("fk_opinion_task_id_supervised_task")),
        sa.ForeignKeyConstraint(["to_id"], ["subject.id"], name=op.f("fk_opinion_to_id_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opinion")),
    )
    op.create_index(op.f("ix_opinion_answers_id"), "opinion", ["answers_id"])
    op.create_index(op.f("ix_opinion_bureau_id"), "opinion", ["bureau_id"])
    op.create_index("ix_opinion_item", "opinion", ["item_type", "item_id"])
    op.create_index(op.f("ix_opinion_said_by_id"), "opinion", ["said_by_id"])
    op.create_index("ix_opinion_subject_id", "opinion", ["subject_id", "period"])
    op.create_index(op.f("ix_opinion_task_id"), "opinion", ["task_id"])
    op.create_index(op.f("ix_opinion_to_id"), "opinion", ["to_id"])
    op.create_table(
        "task_part",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("handler_id", sa.Integer(), nullable=False),
        sa.Column("matter", sa.String(length=300), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("done_by", sa.String(length=100), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.CheckConstraint("(done_on IS NULL) = (done_by = '')", name=op.f("ck_task_part_done_by_somebody")),
        sa.ForeignKeyConstraint(["handler_id"], ["subject.id"], name=op.f("fk_task_part_handler_id_subject")),
        sa.ForeignKeyConstraint(["task_id"], ["supervised_task.id"], name=op.f("fk_task_part_task_id_supervised_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_part")),
    )
    op.create_index(op.f("ix_task_part_handler_id"), "task_part", ["handler_id"])
    op.create_index(op.f("ix_task_part_task_id"), "task_part", ["task_id"])
    op.create_table(
        "task_party",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("role IN ('leader', 'handler', 'assist')", name=op.f("ck_task_party_role_known")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_task_party_subject_id_subject")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["supervised_task.id"], name=op.f("fk_task_party_task_id_supervised_task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_party")),
        sa.UniqueConstraint("task_id", "role", "subject_id", name=op.f("uq_task_party_task_id_role_subject_id")),
    )
    op.create_index(op.f("ix_task_party_subject_id"), "task_party", ["subject_id"])
    op.create_table(
        "task_rating",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("clause_id", sa.Integer(), nullable=True),
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("document", sa.String(length=200), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("rated_by_id", sa.Integer(), nullable=True),
        sa.Column("rated_by", sa.String(length=100), nullable=False),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("issuer <> '' OR clause_id IS NOT NULL", name=op.f("ck_task_rating_clause_if_own")),
        sa.CheckConstraint(
            "issuer = '' OR opinion <> '' OR clause_id IS NOT NULL", name=op.f("ck_task_rating_says_something")
        ),
        sa.ForeignKeyConstraint(["clause_id"], ["clause.id"], name=op.f("fk_task_rating_clause_id_clause")),
        sa.ForeignKeyConstraint(["rated_by_id"], ["ab_user.id"], name=op.f("fk_task_rating_rated_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["supervised_task.id"], name=op.f("fk_task_rating_task_id_supervised_task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_rating")),
    )
    op.create_index(op.f("ix_task_rating_clause_id"), "task_rating", ["clause_id"])
    op.create_index(op.f("ix_task_rating_rated_by_id"), "task_rating", ["rated_by_id"])
    op.create_index(op.f("ix_task_rating_task_id"), "task_rating", ["task_id"])
    op.create_index(
        "uq_task_rating_own",
        "task_rating",
        ["task_id", "clause_id"],
        unique=True,
        sqlite_where=sa.text("issuer = ''"),
        postgresql_where=sa.text("issuer = ''"),
    )
    op.create_table(
        "task_stage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("anchor_on", sa.Date(), nullable=True),
        sa.Column("due_days", sa.Integer(), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("late_days", sa.Integer(), nullable=False),
        sa.Column("extensions", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.CheckConstraint("(anchor_on IS NULL) = (due_days IS NULL)", name=op.f("ck_task_stage_anchor_if_days")),
        sa.CheckConstraint(
            "extensions >= 0 AND round >= 0 AND late_days >= 0", name=op.f("ck_task_stage_counts_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["supervised_task.id"], name=op.f("fk_task_stage_task_id_supervised_task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_stage")),
        sa.UniqueConstraint("task_id", "position", name=op.f("uq_task_stage_task_id_position")),
    )
    op.create_index("ix_task_stage_due_on", "task_stage", ["done_on", "due_on"])
    op.create_table(
        "task_extension",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("stage_id", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("old_due_on", sa.Date(), nullable=False),
        sa.Column("new_due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_task_extension_reason_given")),
        sa.CheckConstraint(
            "state IN ('asked', 'granted', 'refused', 'withdrawn')", name=op.f("ck_task_extension_state_known")
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'withdrawn') OR decided_at IS NOT NULL",
            name=op.f("ck_task_extension_decided_if_decided"),
        ),
        sa.CheckConstraint("days >= 1", name=op.f("ck_task_extension_days_positive")),
        sa.CheckConstraint(
            "decided_by_id IS NULL OR decided_by_id <> asked_by_id", name=op.f("ck_task_extension_two_people")
        ),
        sa.ForeignKeyConstraint(["asked_by_id"], ["ab_user.id"], name=op.f("fk_task_extension_asked_by_id_ab_user")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["ab_user.id"], name=op.f("fk_task_extension_decided_by_id_ab_user")
        ),
        sa.ForeignKeyConstraint(["stage_id"], ["task_stage.id"], name=op.f("fk_task_extension_stage_id_task_stage")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["supervised_task.id"], name=op.f("fk_task_extension_task_id_supervised_task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_extension")),
    )
    op.create_index(op.f("ix_task_extension_asked_by_id"), "task_extension", ["asked_by_id"])
    op.create_index(op.f("ix_task_extension_decided_by_id"), "task_extension", ["decided_by_id"])
    op.create_index(op.f("ix_task_extension_task_id"), "task_extension", ["task_id"])
    op.create_index(
        "uq_task_extension_waiting",
        "task_extension",
        ["stage_id"],
        unique=True,
        sqlite_where=sa.text("state = 'asked'"),
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.create_table(
        "task_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("stage_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("progress", sa.String(length=8), nullable=False),
        sa.Column("done_count", sa.Integer(), nullable=True),
        sa.Column("of_count", sa.Integer(), nullable=True),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("reported_by_id", sa.Integer(), nullable=True),
        sa.Column("reported_by", sa.String(length=100), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("content <> ''", name=op.f("ck_task_report_says_something")),
        sa.CheckConstraint("kind IN ('stage', 'assist', 'completion')", name=op.f("ck_task_report_kind_known")),
        sa.CheckConstraint("progress IN ('done', 'partly', 'not_yet')", name=op.f("ck_task_report_progress_known")),
        sa.ForeignKeyConstraint(["reported_by_id"], ["ab_user.id"], name=op.f("fk_task_report_reported_by_id_ab_user")),
        sa.ForeignKeyConstraint(["stage_id"], ["task_stage.id"], name=op.f("fk_task_report_stage_id_task_stage")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["supervised_task.id"], name=op.f("fk_task_report_task_id_supervised_task")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["subject.id"], name=op.f("fk_task_report_unit_id_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_report")),
    )
    op.create_index(op.f("ix_task_report_reported_by_id"), "task_report", ["reported_by_id"])
    op.create_index(op.f("ix_task_report_stage_id"), "task_report", ["stage_id"])
    op.create_index(op.f("ix_task_report_task_id"), "task_report", ["task_id"])
    op.create_table(
        "task_slip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bureau_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("stage_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("colour", sa.String(length=8), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("no", sa.String(length=64), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("days_late", sa.Integer(), nullable=False),
        sa.CheckConstraint("colour IN ('blue', 'yellow', 'red')", name=op.f("ck_task_slip_colour_known")),
        sa.ForeignKeyConstraint(["bureau_id"], ["bureau.id"], name=op.f("fk_task_slip_bureau_id_bureau")),
        sa.ForeignKeyConstraint(["stage_id"], ["task_stage.id"], name=op.f("fk_task_slip_stage_id_task_stage")),
        sa.ForeignKeyConstraint(["task_id"], ["supervised_task.id"], name=op.f("fk_task_slip_task_id_supervised_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_slip")),
        sa.UniqueConstraint(
            "bureau_id", "colour", "year", "serial", name=op.f("uq_task_slip_bureau_id_colour_year_serial")
        ),
        sa.UniqueConstraint("stage_id", "round", "colour", name=op.f("uq_task_slip_stage_id_round_colour")),
    )
    op.create_index(op.f("ix_task_slip_task_id"), "task_slip", ["task_id"])


def downgrade() -> None:
    for table in (
        "task_slip",
        "task_report",
        "task_extension",
        "task_stage",
        "task_rating",
        "task_party",
        "task_part",
        "opinion",
        "supervised_task",
    ):
        op.drop_table(table)
