"""What waits about accounts and people: roles and measures to release, passwords to issue, people who have left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import N_
from app.models import Account, Posting, RoleGrant, Subject, SupervisedTask, TaskParty
from app.policies import accounts as accounts_policy
from app.policies.actor import Actor
from app.policies.postings import leavers, left_people
from app.rules.supervision import RUNNING
from app.services.accounts.actors import roles_held
from app.services.process.waiting import MOST, Ask, Todo, Waits

OFFICE, KEEPERS = frozenset({"assessment_office"}), frozenset({"system_admin", "security_admin"})


def who_left(ask: Ask) -> Iterator[Todo]:
    """Who has left and still stands somewhere: in a posting without an end, or in a task that goes on."""
    if not ask.wants("assessment_office"):
        return
    posted = select(Posting.person_id).where(or_(Posting.valid_to.is_(None), Posting.valid_to >= ask.on))
    busy = select(TaskParty.subject_id).join(SupervisedTask).where(SupervisedTask.state.in_(RUNNING))
    query = select(Subject).where(
        Subject.id.in_(left_people(ask.on)), or_(Subject.id.in_(posted), Subject.id.in_(busy))
    )
    for person in ask.session.scalars(query.order_by(Subject.code).limit(ask.most)):
        text = N_("%(name)s has left the bureau", name=person.code)
        yield Todo(
            "left", f"person:{person.code}", text, N_("still stands in a posting or in tasks under way"),
            Waits(roles=OFFICE), mark=f"left:{person.id}",
        )  # fmt: skip


def of_administrators(session: Session, actor: Actor, on: date) -> Iterator[Todo]:
    """Matters of the installation: they belong to no bureau's work and to no digest."""
    if actor.has("security_admin"):
        query = select(RoleGrant).where(RoleGrant.approved_at.is_(None)).order_by(RoleGrant.id).limit(MOST)
        for grant in session.scalars(query):
            text, why = N_("Role for %(name)s", name=grant.account.username), N_("asked for, waits for approval")
            yield Todo(
                "approve", f"grant:{grant.id}", text, why, Waits(roles=frozenset({"security_admin"})), grant.asked_by
            )
    asked = select(Account).where(Account.asked_measure != "", Account.asked_by_id != actor.account_id)
    waiting = session.scalars(asked.order_by(Account.id).limit(MOST)).all() if actor.is_administrator else ()
    held = roles_held(session, [it.id for it in waiting], on=on) if waiting else {}
    for account in waiting:
        releaser = accounts_policy.releaser(held[account.id])
        if actor.has(releaser):
            text, why = N_("Account of %(name)s", name=account.username), N_("asked for, waits to be released")
            yield Todo(
                "approve", f"account:{account.id}", text, why, Waits(roles=frozenset({releaser})), account.asked_by
            )
    if actor.has(*KEEPERS):
        left = select(Account).where(Account.id.in_(leavers(on)), Account.active.is_(True)).limit(1)
        if session.scalar(left) is not None:
            text, why = (
                N_("Accounts of people who have left"),
                N_("their roles have ended, not yet their accounts"),
            )
            yield Todo(
                "disable", "accounts:left", text, why, Waits(roles=frozenset({"system_admin", "security_admin"}))
            )
    if actor.has("system_admin"):
        without = select(Account).where(Account.password == "", Account.active.is_(True)).limit(1)
        if session.scalar(without) is not None:
            text, why = N_("Accounts without a password"), N_("their holders cannot sign in yet")
            yield Todo("issue", "accounts:no_password", text, why, Waits(roles=frozenset({"system_admin"})))
