"""The words of coded values and the two filters by which pages write numbers and dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from flask import Flask, g, get_flashed_messages
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from markupsafe import Markup, escape
from sqlalchemy import select

from app.extensions import db
from app.models import Person, Subject, Unit
from app.policies.actor import SYSTEM
from app.rules.numbers import plain
from app.rules.timetable import ZONE
from app.views.periods import period_word
from app.wording import ABSENT, say

WORDS: Mapping[str, Mapping[str, object]] = {
    "kind": {
        "bureau": _("Bureau"),
        "department": _("Department"),
        "branch": _("Branch"),
        "workday": _("Workday"),
        "holiday": _("Holiday"),
        "fact": _("Fact"),
        "derived": _("Shared"),
        "reversal": _("Reversal"),
    },
    "duty": {"head": _("Head"), "deputy": _("Deputy"), "clerk": _("Clerk"), "member": _("Member")},
    "role": {
        "bureau_leader": _("Bureau leader"),
        "assessment_office": _("Assessment office"),
        "supervision_office": _("Supervision office"),
        "assessor": _("Functional department"),
        "unit_head": _("Head of unit"),
        "clerk": _("Office clerk"),
        "staff": _("Staff"),
        "system_admin": _("System administrator"),
        "security_admin": _("Security administrator"),
        "audit_admin": _("Audit administrator"),
    },
    "subject_kind": {"unit": _("Unit"), "person": _("Person")},
    "rank_on": {"rounded": _("Rounded total"), "exact": _("Exact total")},
    "state": {
        "draft": _("Draft"),
        "in_force": _("In force"),
        "checked": _("To be committed"),
        "refused": _("Has errors"),
        "stored": _("Imported"),
        "recalled": _("Recalled"),
        "waiting": _("Waiting for approval"),
        "approved": _("Approved"),
        "ended": _("Ended"),
        "active": _("Active"),
        "inactive": _("Disabled"),
        "locked": _("Locked"),
        "no_password": _("No password issued"),
        "counted": _("Registered"),
        "reversed": _("Reversed"),
        "carried": _("Counts in a later month"),
        "drafted": _("Draft text"),
        "reversal": _("Reversal"),
        "pending": _("Waiting"),
        "running": _("Running"),
        "done": _("Done"),
        "failed": _("Failed"),
        "submitted": _("Waiting for signature"),
        "signed": _("Signed"),
        "published": _("Published"),
        "returned": _("Returned"),
        "settled": _("Settled"),
        "unsettled": _("Not settled yet"),
        "open": _("In progress"),
        "closed": _("Closed"),
        "unsaved": _("Not saved"),
        "asked": _("Waiting for decision"),
        "granted": _("Open again"),
        "withdrawn": _("Withdrawn"),
        "denied": _("Not granted"),
        "undecided": _("Not decided"),
        "new": _("New"),
        "gone": _("Gone"),
        "changed": _("Changed"),
        "proposed": _("Proposed"),
        "confirmed": _("Confirmed"),
        "unsigned": _("Not signed for"),
        "received": _("Signed for"),
        "unread": _("Unread"),
        "read": _("Read"),
    },
    "indicator_field": {
        "parent_code": _("Parent"),
        "title": _("Title"),
        "method": _("Method"),
        "full": _("Full marks"),
        "weight": _("Weight in percent"),
        "base": _("Base"),
        "cap": _("Cap"),
        "floor": _("Floor"),
        "places": _("Decimals"),
        "span": _("Computed per"),
        "rollup": _("Rolled up by"),
        "not_applicable": _("If it does not apply"),
        "applies_to": _("Applies to"),
        "params": _("Parameters"),
        "assessor_unit": _("Assessing department"),
    },
    "scheme_field": {
        "title": _("Title"),
        "year": _("Year"),
        "groups": _("Assessment groups"),
        "in_force_from": _("In force from"),
        "in_force_to": _("In force to"),
        "places": _("Decimals of the total"),
        "rank_on": _("Ranked on"),
    },
    "grade_kind": {
        "band": _("Band of the year"),
        "band_quarter": _("Band of the quarter"),
        "eligibility": _("Eligibility"),
        "cap": _("At most this grade"),
        "quota": _("Quota of the group"),
    },
    "check": {
        "targets": _("Targets not set"),
        "externals": _("External results missing"),
        "errors": _("Cannot be settled"),
    },
    "party": {
        "self": _("Subject itself"),
        "unit": _("Unit"),
        "leader": _("Leader in charge"),
        "responsible": _("Person answerable"),
        "handler": _("Handler"),
        "assist": _("Assisting unit"),
    },
    "entry_field": {
        "occurred_on": _("Occurred on"),
        "clause": _("Clause"),
        "subject": _("Assessed"),
        "quantity": _("Quantity"),
        "points": _("Points"),
        "value": _("Measured value"),
        "work_key": _("Work"),
        "attrs": _("Attributes"),
        "parties": _("Parties"),
        "responsible": _("Person answerable"),
        "remark": _("What happened"),
        "evidence": _("Evidence"),
    },
    "job": {
        "settle": _("Settlement"),
        "nightly": _("Nightly scores"),
        "month_end": _("Month end"),
        "correction": _("Correction of a closed period"),
        "verify": _("Nightly check"),
        "rehearsal": _("Rehearsal"),
    },
    "category": {
        "bureau_leader": _("Bureau leader"),
        "unit_head": _("Unit head"),
        "unit_deputy": _("Unit deputy"),
        "staff": _("Staff member"),
    },
    "bulletin_state": {
        "draft": _("Draft text"),
        "submitted": _("Waiting for signature"),
        "signed": _("Signed"),
        "published": _("Published"),
    },
    "todo": {
        "sign": _("Sign"),
        "decide": _("Decide"),
        "receive": _("Sign for it"),
        "publish": _("Publish"),
        "returned": _("Returned"),
        "review": _("Review"),
        "draft": _("Draft"),
        "faults": _("Faults"),
        "commit": _("Commit"),
        "failed": _("Failed"),
        "approve": _("Approve"),
        "issue": _("Hand out"),
    },
    "topic": {
        "job": _("Jobs"),
        "bulletin": _("Bulletins"),
        "ledger": _("Ledger"),
        "correction": _("Corrections"),
        "closing": _("Closing a period"),
    },
    "effect": {"award": _("Award"), "deduction": _("Deduction"), "measure": _("Measure")},
    "pricing": {
        "fixed": _("Fixed price"),
        "range": _("Within a range"),
        "given": _("As given"),
        "ladder": _("Ladder"),
        "every_n": _("Every n-th"),
        "measure": _("Measured value"),
    },
    "duplicates": {
        "accumulate": _("Accumulate"),
        "highest_only": _("Highest only"),
        "always_added": _("Always added"),
    },
    "method": {
        "deduct": _("Deduction from full marks"),
        "award": _("Awards"),
        "balance": _("Base plus and minus"),
        "given": _("Given mark"),
        "ratio": _("Ratio to target"),
        "bands": _("Bands"),
        "best_share": _("Share of the best"),
        "place": _("By place"),
        "gap": _("Shortfall"),
        "votes": _("Votes"),
        "linked": _("Linked"),
        "sum": _("Sum"),
        "weighted": _("Weighted sum"),
        "weighted_mean": _("Weighted mean"),
        "mean": _("Mean"),
        "min": _("Lowest"),
        "max": _("Highest"),
        "scale": _("Scaled"),
    },
    "span": {"month": _("Month"), "quarter": _("Quarter"), "year": _("Year")},
    "not_applicable": {
        "spread": _("Spread over the others"),
        "scale_up": _("Others scaled up"),
        "mean_of_others": _("Mean of others"),
        "zero": _("Zero"),
    },
    "rollup": {"sum": _("Sum"), "mean": _("Mean"), "last": _("Last"), "none": _("None")},
    "result": {"success": _("Done"), "refused": _("Refused"), "failed": _("Failed")},
    "scope": {
        "none": _("Nothing"),
        "own": _("Own"),
        "unit": _("Own unit"),
        "charge": _("Units in charge"),
        "bureau": _("Whole bureau"),
        "system": _("Administration"),
    },
    "verb": {
        "sign_in": _("Sign in"),
        "sign_out": _("Sign out"),
        "lock": _("Lock after failures"),
        "unlock": _("Unlock"),
        "change_password": _("Change password"),
        "issue_password": _("Issue single-use password"),
        "enable": _("Enable account"),
        "disable": _("Disable account"),
        "ask_grant": _("Ask for a role"),
        "approve_grant": _("Approve a role"),
        "end_grant": _("End a role"),
        "add": _("Add"),
        "change": _("Change"),
        "remove": _("Remove"),
        "import": _("Import workbook"),
        "check_import": _("Check workbook"),
        "recall_import": _("Recall import"),
        "register": _("Register"),
        "urge": _("Urge"),
        "propose_grade": _("Propose a grade"),
        "confirm_grade": _("Confirm a grade"),
        "receive_notice": _("Sign for a notice"),
        "reverse": _("Reverse"),
        "export": _("Export"),
        "put_in_force": _("Put in force"),
        "draft_version": _("Draft the next version"),
        "take_over": _("Taken over by a new version"),
        "rehearse": _("Rehearse"),
        "read": _("Read"),
        "settle": _("Settle"),
        "run": _("Run a job"),
        "draft_bulletin": _("Draft a bulletin"),
        "submit": _("Submit for signature"),
        "ask_permit": _("Ask for a permit"),
        "grant_permit": _("Grant a permit"),
        "refuse_permit": _("Refuse a permit"),
        "close_permit": _("Close a permit"),
        "ask_voucher": _("Write a voucher"),
        "approve_voucher": _("Approve a voucher"),
        "refuse_voucher": _("Refuse a voucher"),
        "withdraw": _("Withdraw"),
        "draft_correction": _("Draft a corrected bulletin"),
        "sign": _("Sign"),
        "return": _("Return"),
        "publish": _("Publish"),
        "download": _("Download"),
        "install": _("Install"),
        "verify": _("Verify"),
        "refuse": _("Refused request"),
    },
    "target_type": {
        "ab_user": _("Account"),
        "account": _("Account"),
        "role_grant": _("Grant"),
        "unit": _("Unit"),
        "person": _("Person"),
        "posting": _("Posting"),
        "oversight": _("Division of work"),
        "calendar_day": _("Calendar day"),
        "document": _("Document"),
        "scheme": _("Scheme"),
        "indicator": _("Indicator"),
        "clause": _("Clause"),
        "target": _("Target"),
        "external_result": _("External result"),
        "grade_rule": _("Grade rule"),
        "score_entry": _("Entry"),
        "reopen_permit": _("Reopen permit"),
        "correction_voucher": _("Correction voucher"),
        "grade_decision": _("Decided grade"),
        "result_notice": _("Notice of result"),
        "rehearsal": _("Rehearsal"),
        "import_batch": _("Import"),
        "run_ledger": _("Run"),
        "bulletin": _("Bulletin"),
        "period_score": _("Scores"),
        "subject": _("Score sheet"),
        "notification": _("Message"),
        "bureau": _("Bureau"),
        "trace_entry": _("Trace"),
        "installation": _("Installation"),
        "request": _("Request"),
    },
}

TONES: Mapping[str, str] = {
    "draft": "amber", "in_force": "green", "checked": "blue", "refused": "red", "stored": "green",
    "recalled": "", "waiting": "blue", "approved": "green", "ended": "", "active": "green",
    "inactive": "", "locked": "red", "no_password": "amber", "counted": "green", "reversed": "",
    "reversal": "amber", "carried": "amber", "drafted": "", "success": "green", "failed": "red", "pending": "blue", "running": "blue", "done": "green",
    "submitted": "blue", "signed": "green", "published": "solid", "returned": "red", "settled": "green", "unsettled": "amber", "open": "blue",
    "closed": "solid", "unsaved": "", "asked": "blue", "granted": "amber", "withdrawn": "", "denied": "red", "undecided": "", "new": "blue", "gone": "", "changed": "amber", "proposed": "blue", "confirmed": "solid", "unsigned": "amber", "received": "green", "unread": "blue", "read": "",
}  # fmt: skip


def word(kind: str, value: object) -> str:
    """The word of a coded value; the value itself where there is none."""
    if value in (None, ""):
        return ABSENT
    return str(WORDS.get(kind, {}).get(str(value), value))


def badge(kind: str, value: str) -> Markup:
    """State as word and tone."""
    tone = TONES.get(value, "")
    name = f"k-badge k-badge--{tone}" if tone else "k-badge"
    return Markup('<span class="{}">{}</span>').format(name, word(kind, value))


def number(value: Decimal | Fraction | int | None, places: int | None = None, *, signed: bool = False) -> str:
    """Write a number for a page: thousands commas, a true minus, — for absence."""
    if value is None:
        return ABSENT
    text = plain(value, places)
    whole, dot, decimals = text.lstrip("-").partition(".")
    text = f"{int(whole):,}{dot}{decimals}"
    if Fraction(value) < 0:
        return f"−{text}"
    return f"+{text}" if signed and value else text


def day(value: date | datetime | None) -> str:
    """Write a day, or an instant in the bureau's zone."""
    if value is None:
        return ABSENT
    if isinstance(value, datetime):
        return value.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")
    return value.isoformat()


def who(name: str) -> str:
    """The name of who acted; the system has a word, not a name."""
    return str(gettext("system")) if name == SYSTEM.name else name


def or_absent(value: object) -> object:
    """— for what is not there; text as it is, escaped by the template."""
    return ABSENT if value is None or value == "" else value


def subject_names() -> dict[int, str]:
    """The newest name of every visible unit and person by subject; two queries a request."""
    if "subject_names" not in g:
        names: dict[int, str] = {}
        for model in (Unit, Person):
            rows = db.session.execute(
                select(model.subject_id, model.name).order_by(model.valid_from.asc().nulls_first())
            )
            names |= dict(rows.all())
        g.subject_names = names
    found: dict[int, str] = g.subject_names
    return found


def subject_name(subject: Subject | None) -> str:
    """The name of a unit or person; — for none."""
    return ABSENT if subject is None else subject_names().get(subject.id, subject.code)


def subject_label(subject: Subject) -> str:
    """Code and name, for a choice."""
    return f"{subject.code} {subject_name(subject)}"


def install(app: Flask) -> None:
    app.jinja_env.filters.update(
        period=period_word, number=number, day=day, or_absent=or_absent, role_word=lambda role: word("role", role)
    )
    app.jinja_env.globals.update(word=word, badge=badge, say=say, who=who, messages=get_flashed_messages, escape=escape)
