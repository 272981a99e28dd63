"""The words of the processes: states, verbs, kinds."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _

PROCESS_WORDS: Mapping[str, Mapping[str, object]] = {
    "relation": {
        "spouse": _("Spouses"),
        "kin": _("Blood relatives"),
        "in_law": _("Relatives by marriage"),
        "other": _("Another relation"),
    },
    "task_state": {
        "draft": _("Draft of a task"),
        "assigned": _("To be signed for"),
        "under_way": _("Under way"),
        "reported": _("To be accepted"),
        "sent_back": _("Sent back"),
        "accepted": _("Accepted"),
        "rated": _("Rated"),
        "closed": _("Closed off"),
        "cancelled": _("Cancelled"),
    },
    "task_verb": {
        "change": _("Change the draft"),
        "assign": _("Hand over"),
        "recall": _("Take it back"),
        "sign_for": _("Sign for it"),
        "name_handlers": _("Name other handlers"),
        "split": _("Split it up"),
        "finish_part": _("Finish a part"),
        "report": _("Report"),
        "ask_extension": _("Ask for more time"),
        "decide_extension": _("Decide on more time"),
        "urge": _("Urge"),
        "complete": _("Report completion"),
        "take_back": _("Take the report back"),
        "accept": _("Accept"),
        "send_back": _("Send back"),
        "rate": _("Rate"),
        "rate_above": _("Record what a bureau above said"),
        "close": _("Close off"),
        "cancel": _("Cancel the task"),
    },
    "task_source": {
        "meeting": _("Meeting"),
        "instruction": _("Instruction"),
        "document": _("Official paper"),
        "other": _("Other"),
    },
    "task_late": {"overdue": _("Overdue now"), "late": _("Ever late"), "on_time": _("Never late")},
    "task_figure": {
        "tasks": _("Tasks"),
        "open": _("Open ones"),
        "overdue": _("Overdue now"),
        "late": _("Ever late"),
        "closed": _("Closed off"),
        "cancelled": _("Cancelled"),
        "slips": _("With a slip"),
    },
    "task_by": {"unit": _("By unit"), "leader": _("By leader"), "source": _("By source"), "month": _("By month")},
    "task_acts": {
        "": _("All"),
        "reports": _("Reports"),
        "opinions": _("Instructions and urges"),
        "papers": _("Papers"),
    },
    "slip": {"blue": _("Blue slip"), "yellow": _("Yellow slip"), "red": _("Red slip"), "any": _("Any slip")},
    "progress": {"done": _("Finished"), "partly": _("Partly done"), "not_yet": _("Not yet")},
    "opinion": {
        "comment": _("Comment"),
        "instruction": _("Instruction"),
        "urge": _("Urge"),
        "request": _("Request for a decision"),
        "report": _("Report upwards"),
        "answer": _("Answer"),
    },
    "yes_no": {"yes": _("Yes"), "no": _("No")},
    "entry_source": {
        "import": _("Import"),
        "page": _("Registered"),
        "voucher": _("Correction voucher"),
        "supervision": _("Supervised tasks"),
    },
}
