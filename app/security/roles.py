"""What each role may do on each page: code under review. Who holds a role is data.

Names on the right are permissions of views (`can_list`, …); menus follow from `can_list` and `can_page`.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.models.accounts import BUREAU_ROLES, ROLES

READ = frozenset({"can_list", "can_show", "can_export"})
KEEP = READ | {"can_add", "can_edit", "can_delete"}
PAGE = frozenset({"can_page"})

# Every member may have a part in a process; which verb is open on which record, its policy says.
PROCESSES: Mapping[str, frozenset[str]] = {
    "TaskView": READ | {"can_board", "can_statistics", "can_act"},
    "OpinionView": READ | {"can_on", "can_say", "can_ask", "can_answer"},
    "AttachmentView": frozenset({"can_download", "can_upload", "can_remove"}),
    "SavedFilterView": frozenset({"can_save", "can_forget"}),
    "ActingView": READ | {"can_add", "can_end", "can_take_up", "can_put_down"},
    "NationalDayView": frozenset({"can_list", "can_export"}),
}

OWN_PAGES: Mapping[str, frozenset[str]] = {
    "SessionsView": frozenset({"can_mine", "can_end"}),
    "NotificationView": READ | {"can_open", "can_read", "can_read_all"},
    "ChannelChoiceView": PAGE | {"can_save"},
}

DUTIES: Mapping[str, frozenset[str]] = {"AdministratorsView": frozenset({"can_page"})}

MEMBER: Mapping[str, frozenset[str]] = {
    **OWN_PAGES,
    **PROCESSES,
    "UnitView": READ,
    "PersonView": READ,
    "PostingView": READ,
    "OversightView": READ,
    "DocumentView": READ,
    "SchemeView": READ | {"can_tree", "can_compare"},
    "ClauseView": READ,
    "TargetView": READ,
    "ExternalResultView": READ | {"can_compare"},
    "CalendarDayView": READ,
    "RelationView": READ,
    "ScoreEntryView": READ,
    "ScoreView": PAGE | {"can_export", "can_sheet"},
    "BulletinView": READ | {"can_file"},
    "ResultNoticeView": READ | {"can_receive"},
}

REGISTER: Mapping[str, frozenset[str]] = {"RegistrationView": PAGE | {"can_preview"}}

ASSESSOR: Mapping[str, frozenset[str]] = {**MEMBER, **REGISTER, "ClauseView": KEEP, "TargetView": KEEP}

HEAD: Mapping[str, frozenset[str]] = {
    **MEMBER,
    **REGISTER,
    "SchemeView": KEEP | {"can_tree", "can_compare", "can_next_version"},
    "SchemeApprovalView": PAGE | {"can_submit", "can_withdraw"},
    "IndicatorView": KEEP,
    "ClauseView": KEEP,
}

RULES: Mapping[str, frozenset[str]] = {
    "ProcessRuleView": PAGE | {"can_save"},
    "ReminderView": PAGE | {"can_day", "can_rehearse", "can_save", "can_quiet"},
}

SUPERVISION: Mapping[str, frozenset[str]] = {
    **MEMBER,
    **RULES,
    "TaskView": PROCESSES["TaskView"] | {"can_add", "can_edit", "can_keep"},
}

OFFICE: Mapping[str, frozenset[str]] = {
    **MEMBER,
    **REGISTER,
    **RULES,
    "NationalDayView": frozenset({"can_list", "can_export", "can_arrange"}),
    "UnitView": KEEP,
    "PersonView": KEEP,
    "PostingView": KEEP,
    "OversightView": KEEP,
    "DocumentView": KEEP,
    "RelationView": KEEP,
    "CalendarDayView": KEEP,
    "TargetView": KEEP,
    "ExternalResultView": KEEP | {"can_compare"},
    "SchemeView": KEEP | {"can_tree", "can_compare", "can_rehearse", "can_next_version"},
    "SchemeApprovalView": PAGE | {"can_submit", "can_withdraw", "can_approve", "can_send_back"},
    "RehearsalView": READ,
    "IndicatorView": KEEP,
    "ClauseView": KEEP,
    "ScoreEntryView": READ | {"can_reverse"},
    "ScoreView": PAGE | {"can_export", "can_sheet", "can_settle"},
    "BulletinView": READ | {"can_file", "can_draft", "can_edit", "can_submit", "can_give_back", "can_publish"},
    "ReadinessView": PAGE | {"can_urge"},
    "GradeDecisionView": PAGE | {"can_save"},
    "PermitView": READ | {"can_ask", "can_withdraw", "can_close"},
    "VoucherView": READ | {"can_ask", "can_withdraw"},
    "RunView": READ | {"can_progress", "can_again"},
    "ScheduleView": frozenset({"can_save", "can_switch", "can_run", "can_confirm"}),
    "ImportView": PAGE | {"can_upload", "can_preview", "can_commit", "can_download", "can_errors", "can_recall"},
}

LEADER: Mapping[str, frozenset[str]] = {
    **MEMBER,
    "SchemeView": READ | {"can_tree", "can_compare"},
    "SchemeApprovalView": PAGE | {"can_approve", "can_send_back"},
    "RehearsalView": READ,
    "BulletinView": READ | {"can_file", "can_sign", "can_give_back"},
    "ReadinessView": PAGE,
    "GradeDecisionView": PAGE | {"can_confirm"},
    "PermitView": READ | {"can_decide"},
    "VoucherView": READ | {"can_decide"},
    "RunView": READ | {"can_progress"},
}

SYSTEM_ADMIN: Mapping[str, frozenset[str]] = {
    **OWN_PAGES,
    "UnitView": KEEP,
    "PersonView": KEEP,
    "PostingView": KEEP,
    "OversightView": KEEP,
    "CalendarDayView": KEEP,
    "NationalDayView": frozenset({"can_list", "can_export", "can_arrange"}),
    "RunView": frozenset({"can_list"}),  # that it runs; reasons and logs may quote scores
    "ScheduleView": frozenset({"can_confirm"}),
    "ChannelView": PAGE | {"can_allow", "can_disallow", "can_save", "can_switch", "can_test", "can_again"},
    "AccountView": READ | {"can_issue", "can_switch", "can_ask"},
    **DUTIES,
    "RoleGrantView": READ | {"can_ask"},
}

SECURITY_ADMIN: Mapping[str, frozenset[str]] = {
    **OWN_PAGES,
    "AccountView": READ | {"can_unlock", "can_issue", "can_switch", "can_decline"},
    **DUTIES,
    "RoleGrantView": READ | {"can_approve", "can_end"},
}

AUDIT_ADMIN: Mapping[str, frozenset[str]] = {
    **OWN_PAGES,
    "TraceView": READ | {"can_verify"},
    "ExposureView": frozenset({"can_page", "can_export"}),
    "AccountView": READ | {"can_issue", "can_switch", "can_decline"},
    **DUTIES,
}

MATRIX: Mapping[str, Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(BUREAU_ROLES, MEMBER),
    "assessor": ASSESSOR,
    "unit_head": HEAD,
    "assessment_office": OFFICE,
    "supervision_office": SUPERVISION,
    "bureau_leader": LEADER,
    "system_admin": SYSTEM_ADMIN,
    "security_admin": SECURITY_ADMIN,
    "audit_admin": AUDIT_ADMIN,
}

assert set(MATRIX) == set(ROLES)
