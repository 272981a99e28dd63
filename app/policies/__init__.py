"""Who may: one file per process, two halves each: what is visible, and which verbs are allowed.

`VISIBLE` is what the session applies to every query of a request. A model that is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import ColumnElement

from app import models
from app.policies import (
    accounts,
    bulletin,
    corrections,
    grades,
    imports,
    jobs,
    ledger,
    notices,
    opinions,
    org,
    process,
    processes,
    scheme,
    scores,
    supervision,
)
from app.policies.actor import Actor

VISIBLE: Mapping[type, Callable[[Actor], ColumnElement[bool]]] = {
    models.Bureau: org.visible_bureaus,
    models.Subject: org.visible_subjects,
    models.Unit: org.visible_units,
    models.Person: org.visible_people,
    models.Posting: org.visible_postings,
    models.Oversight: org.visible_oversight,
    models.CalendarDay: org.visible_days,
    models.Relation: org.visible_relations,
    models.Document: scheme.visible_documents,
    models.Scheme: scheme.visible_schemes,
    models.Indicator: scheme.visible_indicators,
    models.Clause: scheme.visible_clauses,
    models.Target: scheme.visible_targets,
    models.ExternalResult: scheme.visible_external_results,
    models.GradeRule: scheme.visible_grade_rules,
    models.ScoreEntry: ledger.visible_entries,
    models.PeriodScore: scores.visible_scores,
    models.ScoreError: scores.visible_errors,
    models.RunLedger: jobs.visible_runs,
    models.RunEvent: jobs.visible_events,
    models.ScheduleRule: jobs.visible_rules,
    models.Heartbeat: jobs.visible_heartbeats,
    models.DailyFigure: jobs.visible_figures,
    models.Bulletin: bulletin.visible_bulletins,
    models.BulletinFile: bulletin.visible_files,
    models.ReopenPermit: corrections.visible_permits,
    models.CorrectionVoucher: corrections.visible_vouchers,
    models.GradeDecision: grades.visible_decisions,
    models.ResultNotice: grades.visible_notices,
    models.Rehearsal: scheme.visible_rehearsals,
    models.NationalDay: process.visible_national_days,
    models.ProcessRule: process.visible_rules,
    models.Submission: process.visible_submissions,
    models.SavedFilter: process.visible_filters,
    models.Attachment: processes.visible_attachments,
    models.ActingGrant: process.visible_acting,
    models.Opinion: opinions.visible_opinions,
    models.SupervisedTask: supervision.visible_tasks,
    models.TaskStage: supervision.visible_stages,
    models.TaskParty: supervision.visible_parties,
    models.TaskPart: supervision.visible_parts,
    models.TaskReport: supervision.visible_reports,
    models.TaskExtension: supervision.visible_extensions,
    models.TaskSlip: supervision.visible_slips,
    models.TaskRating: supervision.visible_ratings,
    models.Notification: notices.visible_to,
    models.Outbox: notices.visible_outbox,
    models.AllowedHost: notices.visible_hosts,
    models.Channel: notices.visible_channels,
    models.ChannelChoice: notices.visible_choices,
    models.ReminderSent: notices.visible_reminders,
    models.ImportBatch: imports.visible_to,
    models.Account: accounts.visible_accounts,
    models.RoleGrant: accounts.visible_grants,
    models.UserSession: accounts.visible_sessions,
    models.TraceEntry: accounts.visible_trace,
}
