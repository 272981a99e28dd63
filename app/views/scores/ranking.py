"""Scores: the ranking of a period by group, and the sheet that proves one subject's score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from flask import abort, g, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.documents.workbook_writer import write_table
from app.errors import RuleViolation
from app.extensions import db, short_transaction
from app.models import Bulletin, Bureau, PeriodScore, RunLedger, Scheme, ScoreEntry, ScoreError, Subject
from app.policies import jobs as jobs_policy
from app.rules.bulletin import change
from app.rules.days import read_period
from app.rules.periods import Period
from app.security import sessions
from app.services import trace
from app.services.bureau.closing import closed_periods
from app.services.jobs import runs
from app.services.messages.sentences import undump
from app.services.publication import decisions
from app.services.scoring import choice, comparison, explanation, results
from app.views.shell.files import xlsx
from app.views.shell.labels import subject_name
from app.views.shell.periods import period_argument, switch
from app.views.shell.verbs import perform, ring
from app.wording import say

KINDS = ("unit", "person")


class ScoreView(BaseView):  # type: ignore[misc]
    """Ranking and sheets; everybody sees the own part of what is published, the office and the leaders all."""

    route_base = "/scores"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        known = results.settled_periods(db.session)
        period = period_argument(known, on=sessions.today())
        kind = request.args.get("kind", KINDS[0])
        if kind not in KINDS:
            abort(400)
        if period is None:
            return str(
                self.render_template(
                    "scores/ranking.html", title=gettext("Scores and ranks"), period=None, may_settle=self.may_settle()
                )
            )
        groups = results.tables(db.session, period, kind=kind)
        wanted = request.args.get("group", "")
        return str(
            self.render_template(
                "scores/ranking.html",
                title=gettext("Scores and ranks"),
                period=period,
                period_switch=switch(
                    period, known, lambda record: url_for("ScoreView.page", period=str(record), kind=kind)
                ),
                kind=kind,
                kinds=[(it, url_for("ScoreView.page", period=str(period), kind=it)) for it in KINDS],
                groups=[group for group in groups if not wanted or group.name == wanted],
                group_names=[group.name for group in groups],
                grades=results.grade_table(db.session, groups) if g.actor.sees_bureau else None,
                group=wanted,
                errors=self._errors(period),
                state=state_of(period),
                run=run_of(period),
                bulletin=bulletin_of(period),
                may_settle=self.may_settle() and state_of(period) != "closed",
                is_running=not period.has_ended(sessions.today()),
            )
        )

    def may_settle(self) -> bool:
        return jobs_policy.may_run(g.actor) and self.appbuilder.sm.has_access("can_settle", "ScoreView")

    @staticmethod
    def _errors(period: Period) -> list[dict[str, Any]]:
        found = db.session.scalars(select(ScoreError).where(ScoreError.period == str(period)).limit(200))
        return [
            {
                "subject": it.subject,
                "name": subject_name(it.subject),
                "indicator": it.indicator_code,
                "reason": say(undump(it.reason)),
            }
            for it in found
        ]

    @expose("/export")
    @has_access
    def export(self) -> Response:
        """The ranking of a period as it is on the page, with all items, as xlsx; traced."""
        period = period_argument(results.settled_periods(db.session), on=sessions.today())
        kind = request.args.get("kind", KINDS[0])
        if kind not in KINDS or period is None:
            abort(400)
        groups = results.tables(db.session, period, kind=kind)
        wanted = request.args.get("group", "")
        groups = [group for group in groups if not wanted or group.name == wanted]
        items = list(dict.fromkeys(item for group in groups for item in group.items))
        head = [
            gettext("Assessment group"), gettext("Rank"), gettext("Code"), gettext("Name"),
            *(title for _, title in items), gettext("Total"), gettext("Since the period before"),
        ]  # fmt: skip
        with short_transaction() as work:
            trace.record(
                work, verb="export", target="period_score", label=f"{period} {kind} {wanted}".strip(), actor=g.actor,
                after={"subjects": [row.subject_id for group in groups for row in group.rows]}, now=sessions.now(),
            )  # fmt: skip
        content = write_table(str(period), head, _rows(groups, items))
        return xlsx(content, f"{gettext('Scores and ranks')}-{period}.xlsx")

    @expose("/settle", methods=["POST"])
    @has_access
    def settle(self) -> Response:
        """Ask for a settlement now; its page follows the progress."""
        numbers: list[int] = []

        def ask(work: Any) -> None:
            period = choice.parse_period(request.form.get("period", "").strip()[:7], on=sessions.today())
            bureau = work.get_one(Bureau, g.actor.bureau_id)
            numbers.append(
                runs.request_run(work, bureau, job=runs.SETTLE, period=str(period), actor=g.actor, now=sessions.now())
            )

        if not perform(ask, gettext("The settlement is on its way; this page follows it.")):
            return redirect(url_for("ScoreView.page"))
        ring()
        return redirect(url_for("RunView.show", pk=numbers[0]))

    @expose("/<period>/<code>")
    @has_access
    def sheet(self, period: str, code: str) -> str:
        """The sheet of one subject: formula, items, entries counted and not, rounding, neighbours."""
        found, subject = self._subject(period, code)
        bureau = db.session.get_one(Bureau, subject.bureau_id)
        try:
            told = explanation.explain(db.session(), bureau, found, code, indicator=None, on=sessions.today(), say=say)
        except RuleViolation:
            abort(404)
        if not g.actor.sees_bureau:
            told["neighbours"] = explanation.distances(told)
        standing = results.standing_of(db.session, found, subject.id)
        if subject.kind == "person" and subject.id != g.actor.own_person:
            with short_transaction() as work:
                trace.record(
                    work, verb="read", target=subject, label=f"{code} {found}", actor=g.actor, now=sessions.now()
                )
        nodes = list(_flat(told["node"], 0))
        lines = [{**line, "indicator": node["indicator"]} for node, _ in nodes for line in node["lines"]]
        before = results.standing_of(db.session, found.shifted(-1), subject.id)
        known = results.settled_periods(db.session)
        return str(
            self.render_template(
                "scores/sheet.html",
                title=gettext("Score sheet"),
                period=found,
                period_switch=switch(
                    found, known, lambda record: url_for("ScoreView.sheet", period=str(record), code=code)
                ),
                subject=subject,
                told=told,
                scheme=db.session.scalar(select(Scheme).where(Scheme.code == told["scheme"]).limit(1)),
                standing=standing,
                is_equal=standing is not None and standing.shown == told["score"],
                nodes=nodes,
                counted=[line for line in lines if line["counted"]],
                left_out=[line for line in lines if not line["counted"]],
                entries=_entry_ids({line["no"] for line in lines}, subject.id),
                names=_names_of(told["neighbours"]),
                changes=_changes(standing, before, nodes),
                externals=comparison.printed_beside_own(db.session(), found, subject_id=subject.id),
                decided=decisions.decided_of(db.session(), found, subject.id),
                reversals=_reversed(found, subject.id),
                state=state_of(found),
                run=run_of(found),
                bulletin=bulletin_of(found),
            )
        )

    @staticmethod
    def _subject(period: str, code: str) -> tuple[Period, Subject]:
        """The subject, if the actor may see its score of the period; 404 otherwise, as for one that is not there."""
        found = read_period(period)
        subject = db.session.scalar(select(Subject).where(Subject.code == code[:64]))
        if found is None or subject is None or not found.has_begun(sessions.today()):
            abort(404)
        if not g.actor.sees_bureau:
            visible = select(PeriodScore.subject_id).where(
                PeriodScore.subject_id == subject.id, PeriodScore.period == str(found), PeriodScore.indicator_code == ""
            )
            if db.session.scalar(visible) is None:
                g.is_hidden = True  # the subject is there, its score is not the reader's
                abort(404)
        return found, subject


def _rows(groups: list[results.GroupTable], items: list[tuple[str, str]]) -> Iterator[list[Any]]:
    for group in groups:
        for row in group.rows:
            cells = [Decimal(row.items[code]) if code in row.items else None for code, _ in items]
            moved = None if row.change is None else Decimal(row.change.numerator) / Decimal(row.change.denominator)
            yield [group.name, row.rank, row.code, row.name, *cells, Decimal(row.shown), moved]


def _flat(node: dict[str, Any], depth: int) -> Iterator[tuple[dict[str, Any], int]]:
    yield node, depth
    for child in node["children"]:
        yield from _flat(child, depth + 1)


def _entry_ids(numbers: set[str], subject_id: int) -> dict[str, int]:
    """The entries the actor may open, by number."""
    query = select(ScoreEntry.no, ScoreEntry.id).where(
        ScoreEntry.subject_id == subject_id, ScoreEntry.kind != "reversal", ScoreEntry.no.in_(numbers)
    )
    return dict(db.session.execute(query.order_by(ScoreEntry.id)).all())


def _reversed(period: Period, subject_id: int) -> Sequence[ScoreEntry]:
    """The entries of the period that were reversed: neither counts, both stay visible."""
    query = select(ScoreEntry).where(
        ScoreEntry.subject_id == subject_id, ScoreEntry.month.in_(period.month_keys), ScoreEntry.kind == "reversal"
    )
    return db.session.scalars(query.order_by(ScoreEntry.occurred_on, ScoreEntry.no).limit(500)).all()


def _names_of(neighbours: list[dict[str, Any]]) -> dict[str, str]:
    codes = [neighbour["subject"] for neighbour in neighbours]
    found = db.session.scalars(select(Subject).where(Subject.code.in_(codes)))
    return {it.code: subject_name(it) for it in found}


def _changes(
    standing: results.Standing | None, before: results.Standing | None, nodes: list[tuple[dict[str, Any], int]]
) -> list[tuple[str, Any]]:
    """The items of the first level and the total, each with its change since the period before."""
    if standing is None or before is None:
        return []
    found = []
    for node, depth in nodes:
        code = node["indicator"]
        if depth == 1 and code in standing.items and code in before.items:
            found.append((node["title"], change(Decimal(standing.items[code]), Decimal(before.items[code]))))
    return [*found, (gettext("Total"), standing.change)]


def run_of(period: Period) -> RunLedger | None:
    """The settlement of a period, where the actor may see runs."""
    return db.session.scalar(
        select(RunLedger).where(RunLedger.job == runs.SETTLE, RunLedger.period == str(period)).limit(1)
    )


def bulletin_of(period: Period) -> Bulletin | None:
    return db.session.scalar(
        select(Bulletin).where(Bulletin.period == str(period)).order_by(Bulletin.version.desc()).limit(1)
    )


def state_of(period: Period) -> str:
    """Where a period is: in progress, over but not settled, settled, or closed."""
    if g.actor.bureau_id is not None and str(period) in closed_periods(db.session(), g.actor.bureau_id):
        return "closed"
    if not period.has_ended(sessions.today()):
        return "open"
    query = select(RunLedger.id).where(
        RunLedger.job == runs.SETTLE, RunLedger.period == str(period), RunLedger.settled_on.is_not(None)
    )
    return "settled" if db.session.scalar(query.limit(1)) is not None else "unsettled"


PAGES = (ScoreView,)
