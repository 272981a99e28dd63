"""Tables: columns, constraints and relationships; no behaviour."""

from app.models import types as _types  # noqa: F401 - the naming convention comes first
from app.models.accounts import Account, ActingGrant, RoleGrant, UserSession
from app.models.bulletin import Bulletin, BulletinFile
from app.models.corrections import CorrectionVoucher, ReopenPermit
from app.models.grades import GradeDecision, ResultNotice
from app.models.imports import BatchState, ImportBatch
from app.models.jobs import DailyFigure, FolderKey, Heartbeat, RunEvent, RunLedger, RunStatus, ScheduleRule
from app.models.ledger import EntryKind, ScoreEntry
from app.models.messages import AllowedHost, Channel, ChannelChoice, Notification, Outbox, ReminderSent
from app.models.org import (
    Bureau,
    CalendarDay,
    NationalDay,
    Oversight,
    Person,
    Posting,
    Relation,
    Subject,
    SubjectKind,
    Unit,
)
from app.models.process import Attachment, Opinion, ProcessRule, SavedFilter, Submission
from app.models.scheme import (
    Clause,
    Document,
    ExternalResult,
    GradeRule,
    Indicator,
    Rehearsal,
    Scheme,
    SchemeState,
    Target,
)
from app.models.scores import PeriodScore, ScoreError
from app.models.supervision import (
    SupervisedTask,
    TaskExtension,
    TaskPart,
    TaskParty,
    TaskRating,
    TaskReport,
    TaskSlip,
    TaskStage,
)
from app.models.trace import TraceEntry, TraceHead

__all__ = [
    "Account", "ActingGrant", "AllowedHost", "Attachment", "BatchState", "Bulletin", "BulletinFile", "Bureau",
    "CalendarDay", "Channel", "ChannelChoice", "Clause", "CorrectionVoucher", "DailyFigure", "Document", "EntryKind",
    "ExternalResult", "FolderKey", "GradeDecision", "GradeRule", "Heartbeat", "ImportBatch", "Indicator", "NationalDay",
    "Notification", "Opinion", "Outbox", "Oversight", "PeriodScore", "Person", "Posting", "ProcessRule", "Rehearsal",
    "Relation", "ReminderSent", "ReopenPermit", "ResultNotice", "RoleGrant", "RunEvent", "RunLedger", "RunStatus",
    "SavedFilter",
    "ScheduleRule", "Scheme", "SchemeState", "ScoreEntry", "ScoreError", "Subject", "SubjectKind", "Submission",
    "SupervisedTask", "Target", "TaskExtension", "TaskPart", "TaskParty", "TaskRating", "TaskReport", "TaskSlip",
    "TaskStage", "TraceEntry", "TraceHead", "Unit", "UserSession",
]  # fmt: skip
