"""Registering a fact by hand: the form, the effect preview beside it, and the act itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.errors import Conflict, RuleViolation
from app.extensions import db, transaction
from app.models import Clause, Indicator, Scheme, SchemeState, Subject
from app.policies.free import NOT_FREE
from app.rules.numbers import read_whole
from app.rules.scoring.apportionment import PARTIES
from app.security import sessions
from app.services.ledger.posting import next_number
from app.services.registration import facts, preview
from app.services.registration.facts import Typed
from app.services.scoring.settlement import newest_entry
from app.services.workbook.store import codes_of
from app.views.shell.errors import note_refusal, words_of
from app.views.shell.fields import choices, code_of, codes_in
from app.views.shell.labels import subject_name
from app.views.shell.verbs import ring
from app.wording import say

FIELDS = ("occurred_on", "clause", "subject", "quantity", "points", "value", "work_key", "attrs", "remark", "evidence")
KEPT_FOR_NEXT = ("occurred_on", "clause")
LONGEST = 2000


class RegistrationView(BaseView):  # type: ignore[misc]
    """One fact at a time; what it would do is shown before it is posted."""

    route_base = "/registration"
    default_view = "page"

    @expose("/", methods=["GET", "POST"])
    @has_access
    def page(self) -> Response | str:
        self._check_door()
        if request.method == "GET":
            return self._form({name: request.args.get(name, "")[:64] for name in KEPT_FOR_NEXT}, None)
        given = _given()
        if request.form.get("act") == "preview":
            return self._form(given, self._read(given))
        if request.form.get("checked") != "1":
            return self._form(
                given, self._read(given), fault=gettext("Look at the preview, then tick that you have checked it.")
            )
        try:
            with transaction() as work:
                done = facts.register_entry(
                    work, _texts(given), bureau_id=g.actor.bureau_id, seen=_seen(), actor=g.actor, now=sessions.now()
                )
                number = None if isinstance(done, Typed) else (done.id, done.no)
        except (RuleViolation, Conflict) as refusal:
            return self._form(given, self._read(given), fault=words_of(refusal))
        if number is None:
            assert isinstance(done, Typed)
            if NOT_FREE in done.faults.values():
                note_refusal()
            return self._form(given, self._read(given))
        flash(gettext("Registered as %(no)s.", no=number[1]), "success")
        ring()
        if request.form.get("act") == "next":
            kept: dict[str, Any] = {name: given[name] for name in KEPT_FOR_NEXT}
            return redirect(url_for("RegistrationView.page", **kept))
        return redirect(url_for("ScoreEntryView.show", pk=number[0]))

    @expose("/preview", methods=["POST"])
    @has_access
    def preview(self) -> str:
        """The preview alone, for the page to put beside its form."""
        self._check_door()
        found = self._read(_given())
        return str(self.render_template("rulebook/registration_preview.html", **self._shown(found, "")))

    @staticmethod
    def _check_door() -> None:
        if g.actor.bureau_id is None:
            abort(403)

    @staticmethod
    def _read(given: Mapping[str, str]) -> Typed:
        return facts.read_fact(
            db.session(), _texts(given), bureau_id=g.actor.bureau_id, actor=g.actor, today=sessions.today()
        )

    def _form(self, given: Mapping[str, str], found: Typed | None, fault: str = "") -> str:
        return str(
            self.render_template(
                "rulebook/registration.html",
                title=gettext("Register an entry"),
                given={"occurred_on": sessions.today().isoformat(), **{name: it for name, it in given.items() if it}},
                lines=_clauses(),
                subjects=choices(None),
                people=choices("person"),
                units=choices("unit"),
                **self._shown(found, fault),
            )
        )

    @staticmethod
    def _shown(found: Typed | None, fault: str) -> dict[str, Any]:
        """What the preview shows: the clause, the effects if the fact is sound, doubles, and the faults."""
        bureau_id, session = g.actor.bureau_id, db.session()
        shown: dict[str, Any] = {"found": found, "fault": fault, "outlook": None, "similar": [], "faults": {}}
        shown["seen"] = newest_entry(session, bureau_id)
        if found is None:
            return shown
        shown["faults"] = {name: say(message) for name, message in found.faults.items()}
        if found.is_sound:
            shown["similar"] = facts.similar_entries(session, found, bureau_id=bureau_id)
            number = next_number(session, bureau_id, f"{facts.PREFIX}-{found.values['occurred_on']:%Y%m}")
            codes = codes_of(session, bureau_id)
            record = facts.record_to_post(found, codes, number=number, actor=g.actor)
            shown["outlook"] = preview.preview_entry(
                session, bureau_id, record, on=sessions.today(), now=sessions.now()
            )
            shown["names"] = _names([effect.subject for effect in shown["outlook"].effects])
        return shown


def _given() -> dict[str, str]:
    """What the form holds, bounded."""
    given = {name: request.form.get(name, "") for name in (*FIELDS, *PARTIES)}
    if any(len(value) > LONGEST or "\0" in value for value in given.values()):
        abort(400)
    return given


def _seen() -> int:
    return read_whole(request.form.get("seen", "")) or 0


def _texts(given: Mapping[str, str]) -> dict[str, str]:
    """The form's fields as columns of the workbook: codes out of choices, parties in one column."""
    texts = {name: given[name] for name in FIELDS}
    texts["subject"] = code_of(given["subject"])
    parties = {name: codes_in(given[name]) for name in PARTIES}
    texts["parties"] = ";".join(f"{name}={'|'.join(codes)}" for name, codes in parties.items() if codes)
    return texts


def _clauses() -> list[tuple[str, list[Clause]]]:
    """The clauses the actor may register under, by line: those whose line is in a scheme in force today."""
    today = sessions.today()
    lines = dict(
        db.session.execute(
            select(Indicator.code, Indicator.title)
            .join(Scheme, Scheme.id == Indicator.scheme_id)
            .where(Scheme.state == SchemeState.IN_FORCE, Scheme.in_force_from <= today, Scheme.in_force_to >= today)
            .order_by(Indicator.position, Indicator.code)
        ).all()
    )
    query = select(Clause).where(Clause.indicator_code.in_(lines)).order_by(Clause.code)
    if not g.actor.has("assessment_office"):
        query = query.where(Clause.indicator_code.in_(g.actor.lines))
    by_line: dict[str, list[Clause]] = {}
    for clause in db.session.scalars(query):
        by_line.setdefault(clause.indicator_code, []).append(clause)
    return [(f"{code} {lines[code]}", by_line[code]) for code in lines if code in by_line]


def _names(codes: list[str]) -> dict[str, str]:
    found = db.session.scalars(select(Subject).where(Subject.code.in_(codes)))
    return {it.code: subject_name(it) for it in found}


PAGES = (RegistrationView,)
