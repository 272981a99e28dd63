"""The supervised tasks of the sample bureau, lived through by the verbs of real ones, each on its own day."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.documents.file_types import media_type_of
from app.models import Account, Bureau, Opinion, ProcessRule, RoleGrant, SupervisedTask
from app.policies.actor import Actor, Origin
from app.policies.supervision import has_part
from app.rules.periods import Period
from app.services.accounts.actors import actor_of
from app.services.bureau.calendar import work_calendar
from app.services.process import attachments, opinions
from app.services.sample.stage import Stage, instant
from app.services.supervision import extensions, office, rating, work
from app.services.supervision.form import known_of, people_of, read_task
from app.services.supervision.work import Feedback

FILE = Path(__file__).parents[2] / "data" / "sample_tasks.toml"
# How far a task is taken where it stops before it is closed.
UNTIL = ("draft", "assigned", "under_way", "reported", "sent_back", "accepted", "rated", "closed")


def stage_tasks(session: Session, bureau: Bureau, *, on: date, folder: Path | None = None) -> Stage:
    """Read the tasks and lay out their steps; nothing has happened yet. Files of the tasks go to `folder`."""
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    calendar = work_calendar(session, bureau.id)
    found = Stage(session, bureau, calendar, folder=folder)
    begin = Period.month_of(on).shifted(-7).first_day
    found.nights = begin
    for key, value in data["rules"].items():
        session.add(
            ProcessRule(
                bureau_id=bureau.id, key=key, value=value, valid_from=begin, set_by="", set_at=instant(begin, 9)
            )
        )
    session.flush()
    for row in data["task"]:
        _Task(found, row).lay_out(on)
    return found


@dataclass(slots=True)
class _Task:
    """One task of the file."""

    stage: Stage
    row: dict[str, Any]
    pk: int = 0

    def lay_out(self, on: date) -> None:
        day, calendar = self._begin(on), self.stage.calendar
        until = UNTIL.index(self.row.get("until", "closed")) if self.row.get("until") != "cancelled" else -1
        self.stage.at(day, 9, partial(self._register, day))
        if self.row.get("until") == "draft":
            return
        self.stage.at(day, 10, partial(self._do, office.assign_task, "supervision_office", day, 10))
        if self.row.get("until") == "assigned":
            return
        signed = calendar.after(day, 1)
        self.stage.at(signed, 9, partial(self._sign, signed))
        if until == -1:
            last = calendar.after(day, 4)
            self.stage.at(last, 11, partial(self._do, office.cancel_task, "supervision_office", last, 11,
                                            reason=self.row["reason"]))  # fmt: skip
            return
        self._work(day, signed)
        if until >= UNTIL.index("reported"):
            self._finish(day, until)

    def _begin(self, on: date) -> date:
        calendar = self.stage.calendar
        if "ago" in self.row:
            day = calendar.latest(on)
            for _ in range(self.row["ago"]):
                day = calendar.latest(day - timedelta(days=1))
            return day
        first = Period.month_of(on).shifted(-self.row["back"]).first_day
        return calendar.after(first - timedelta(days=1), self.row["workday"])

    def _work(self, day: date, signed: date) -> None:
        calendar = self.stage.calendar
        for position, (title, due, *late) in enumerate(self.row["stages"], 1):
            if late:
                done = self._shifted(calendar.after(day, due), late[0])
                self.stage.at(done, 15, partial(self._report, done, position, title))
        if "part" in self.row:
            self.stage.at(signed, 14, partial(self._split, signed))
        if "extension" in self.row:
            asked = calendar.after(signed, 2)
            self.stage.at(asked, 10, partial(self._extend, asked))
        if "urge" in self.row:
            urged = calendar.after(day, 8)
            self.stage.at(urged, 16, partial(self._urge, urged))

        if "request" in self.row:
            asked = calendar.after(signed, 1)
            self.stage.at(asked, 11, partial(self._ask, asked))
            self.stage.at(asked, 17, partial(self._answer, asked))
        if "file" in self.row and self.stage.folder is not None:
            self.stage.at(signed, 16, partial(self._attach, signed, self.stage.folder))

    def _shifted(self, due: date, late: int) -> date:
        """A deadline and so many working days; negative before it."""
        day = due
        for _ in range(-late):
            day = self.stage.calendar.latest(day - timedelta(days=1))
        return self.stage.calendar.after(day, late) if late > 0 else day

    def _finish(self, day: date, until: int) -> None:
        calendar = self.stage.calendar
        done = self._shifted(calendar.after(day, self.row["due"]), self.row["done"])
        self.stage.at(done, 16, partial(self._do, work.complete_task, "handler", done, 16,
                                        content=self.row["demand"]))  # fmt: skip
        after = calendar.after(done, 1)
        if self.row.get("until") == "sent_back":
            self.stage.at(after, 10, partial(self._do, office.send_back_task, "decider", after, 10,
                                             reason=self.row["redo"], due_on=None))  # fmt: skip
            return
        if until >= UNTIL.index("accepted"):
            self.stage.at(after, 10, partial(self._do, office.accept_task, "decider", after, 10, opinion=""))
        if until >= UNTIL.index("rated"):
            worth = {code: {_worth_of(code): text} for code, text in self.row["rating"].items()}
            self.stage.at(after, 15, partial(self._do, rating.rate_task, "decider", after, 15, worth=worth,
                                             opinion=self.row["opinion"]))  # fmt: skip
        if until >= UNTIL.index("closed"):
            closed = calendar.after(after, 1)
            self.stage.at(closed, 10, partial(self._do, rating.close_task, "decider", closed, 10))

    # the steps ------------------------------------------------------------------------------------------------

    def _register(self, day: date) -> None:
        known = known_of(self.stage.session, self.stage.bureau.id, on=day)
        stages = [(title, str(due)) for title, due, *_late in self.row["stages"]]
        texts = {
            **{name: self.row[name] for name in ("source", "source_text", "matter", "demand")},
            "leads": self.row["lead"], "assists": ";".join(self.row["assists"]), "due": str(self.row["due"]),
            "handlers": ";".join(self.row["handlers"]), "last_stage": office.wording()["last_stage"],
            "rating_clauses": "S.2;S.6",
        }  # fmt: skip
        typed = read_task(texts, stages, known=known, today=day)
        if not typed.is_sound:
            raise RuntimeError(f"the sample task {self.row['matter']} has faults: {typed.faults}")
        actor = self._actor("supervision_office", day)
        (task,) = office.register_tasks(
            self.stage.session, typed, known, bureau_id=self.stage.bureau.id, actor=actor, now=instant(day, 9)
        )
        self.pk = task.id

    def _task(self) -> SupervisedTask:
        return self.stage.session.get_one(SupervisedTask, self.pk)

    def _do(self, verb: Callable[..., object], who: str, day: date, hour: int, **facts: object) -> None:
        task = self._task()
        verb(
            self.stage.session,
            task,
            seen=task.lock_version,
            actor=self._actor(who, day),
            now=instant(day, hour),
            **facts,
        )

    def _sign(self, day: date) -> None:
        people = self.row["handlers"]
        self._do(work.sign_for_task, "head", day, 9, handlers=people)

    def _report(self, day: date, position: int, title: str) -> None:
        task = self._task()
        stage = task.stages[position - 1]
        work.report_stage(
            self.stage.session, task, stage, Feedback(title), actor=self._actor("handler", day), now=instant(day, 15)
        )

    def _split(self, day: date) -> None:
        handler, matter = self.row["part"]
        self._do(work.split_task, "head", day, 14, handler=handler, matter=matter, due_on=self._task().due_on)

    def _extend(self, day: date) -> None:
        days, reason = self.row["extension"]
        task = self._task()
        stage = next(stage for stage in task.stages if stage.done_on is None)
        extensions.ask_extension(
            self.stage.session, task, stage, days=days, reason=reason, actor=self._actor("handler", day),
            now=instant(day, 10),
        )  # fmt: skip

    def _urge(self, day: date) -> None:
        place = opinions.find_place(self.stage.session, "supervised_task", str(self.pk))
        assert place is not None
        opinions.urge(
            self.stage.session, place, self.row["urge"],
            actor=self._actor("leader", day), now=instant(day, 16),
        )  # fmt: skip

    def _ask(self, day: date) -> None:
        """The unit asks the task's leader for a decision."""
        place = opinions.find_place(self.stage.session, "supervised_task", str(self.pk))
        assert place is not None
        leader = next(party.subject.code for party in self._task().parties if party.role == "leader")
        opinions.ask(
            self.stage.session, place, "request", self.row["request"][0], to=leader,
            actor=self._actor("head", day), now=instant(day, 11),
        )  # fmt: skip

    def _answer(self, day: date) -> None:
        query = select(Opinion).where(Opinion.item_id == self.pk, Opinion.kind == "request")
        asked = self.stage.session.scalars(query).unique().one()
        opinions.answer(
            self.stage.session, asked, self.row["request"][1],
            actor=self._actor("leader", day), now=instant(day, 17),
        )  # fmt: skip

    def _attach(self, day: date, folder: Path) -> None:
        name, text = self.row["file"]
        attachments.attach(
            self.stage.session, self._task(), name, text.encode(), media_type_of(name, text.encode()),
            folder=folder, is_allowed=True,
            actor=self._actor("handler", day), now=instant(day, 16),
        )  # fmt: skip

    def _actor(self, who: str, day: date) -> Actor:
        if who == "head":
            return self._of(next(self._heads(day)), day)
        if who == "handler":
            return self._of(next(party.subject_id for party in self._task().parties if party.role == "handler"), day)
        if who == "leader":
            return self._of(next(party.subject_id for party in self._task().parties if party.role == "leader"), day)
        return next(decider for decider in self._deciders(who, day))

    def _heads(self, day: date) -> Iterator[int]:
        for it in people_of(self.stage.session, self._task().lead_unit_id, on=day):
            if self._task().lead_unit_id in self._of(it.id, day).own_units:
                yield it.id

    def _deciders(self, who: str, day: date) -> Iterator[Actor]:
        """The supervision office; where it has a part itself, a leader who has none."""
        roles = ("supervision_office",) if who == "supervision_office" else ("supervision_office", "bureau_leader")
        for role in roles:
            grants = self.stage.session.scalars(select(RoleGrant).where(RoleGrant.role == role).order_by(RoleGrant.id))
            for grant in grants.unique().all():
                actor = self._of(grant.account.subject_id, day)
                task = self._task() if self.pk else None
                if who == "supervision_office" or task is None or not has_part(actor, task):
                    yield actor

    def _of(self, subject_id: int | None, day: date) -> Actor:
        account = self.stage.session.scalars(select(Account).where(Account.subject_id == subject_id)).one()
        return replace(actor_of(self.stage.session, account, on=day, origin=Origin()), bureau_id=self.stage.bureau.id)


def _worth_of(code: str) -> str:
    """Whether a rating of the sample is points or how often."""
    return "quantity" if code == "S.2" else "points"
