"""Signing in, locking, passwords, grants: trust demands AU-01 to AU-09, AC-01, AC-02."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import Conflict, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import Account, Bureau, RoleGrant, TraceEntry
from app.policies.actor import SYSTEM, Actor
from app.services.accounts import accounts, grants, installation, passwords, sessions
from app.services.accounts import sign_in as accounts_sign_in
from tests.conftest import FAST_HASH, NOW

PASSWORD = "Tian-qi-hao9"
HERE = Actor(address="10.0.0.7")


@pytest.fixture
def account(app: Flask) -> Account:
    with transaction() as work:
        made = accounts.make_account(work, username="Zhang", name="张三", bureau_id=None, subject_id=None)
        passwords.set_password(made, passwords.prepare_password(made, PASSWORD, hash_method=FAST_HASH), now=NOW)
    return made


def sign_in(username: str, password: str, *, now: object = NOW, actor: Actor = HERE) -> accounts_sign_in.SignIn | None:
    verified = accounts_sign_in.verified_hash(db.session(), username=username, password=password, hash_method=FAST_HASH)
    with transaction() as work:
        return accounts_sign_in.sign_in(work, username=username, verified=verified, browser="", actor=actor, now=now)  # type: ignore[arg-type]


def test_names_are_one_whatever_their_case_and_width(account: Account) -> None:
    assert sign_in("ZHANG", PASSWORD) is not None
    assert sign_in("ｚｈａｎｇ", PASSWORD) is not None
    with pytest.raises(Conflict), transaction() as work:
        accounts.make_account(work, username="ｚhAng", name="李四", bureau_id=None, subject_id=None)


def test_five_failures_lock_for_ten_minutes_even_for_the_right_password(account: Account) -> None:
    for _ in range(5):
        assert sign_in("zhang", "wrong") is None

    assert sign_in("zhang", PASSWORD) is None
    assert sign_in("zhang", PASSWORD, now=NOW + timedelta(minutes=9)) is None
    assert sign_in("zhang", PASSWORD, now=NOW + timedelta(minutes=11)) is not None
    verbs = [it.verb for it in db.session.scalars(select(TraceEntry).order_by(TraceEntry.seq))]
    assert verbs.count("lock") == 1


def test_one_password_over_many_names_is_throttled(account: Account) -> None:
    for index in range(40):
        assert sign_in(f"name{index}", "x") is None

    assert accounts_sign_in.is_throttled(db.session(), HERE.address, now=NOW)
    assert not accounts_sign_in.is_throttled(db.session(), "10.0.0.8", now=NOW)
    assert sign_in("zhang", PASSWORD) is not None, "the right password of an account that is not locked"


def test_an_account_without_a_password_or_disabled_does_not_open(account: Account) -> None:
    with transaction() as work:
        accounts.make_account(work, username="leer", name="无", bureau_id=None, subject_id=None)
    assert sign_in("leer", "") is None
    with transaction() as work:
        accounts.set_active(work, account, is_active=False, actor=SYSTEM, now=NOW)
    assert sign_in("zhang", PASSWORD) is None


def test_a_session_ends_when_idle_too_old_or_ended(account: Account) -> None:
    opened = sign_in("zhang", PASSWORD)
    assert opened is not None
    idle = timedelta(minutes=15)

    def live(after: timedelta) -> bool:
        return sessions.live_session(db.session(), opened.token, idle=idle, now=NOW + after) is not None

    assert live(timedelta(minutes=14))
    assert not live(timedelta(minutes=16))
    with transaction() as work:
        sessions.end_sessions(work, account, now=NOW)
    assert not live(timedelta(0))


def test_changing_the_password_asks_the_old_one_and_ends_other_sessions(account: Account) -> None:
    first, second = sign_in("zhang", PASSWORD), sign_in("zhang", PASSWORD)
    assert first is not None
    assert second is not None
    me = Actor(account_id=account.id)
    mine = sessions.live_session(db.session(), first.token, idle=timedelta(1), now=NOW)
    assert mine is not None
    keep = mine.id

    def change(current: str, password: str) -> None:
        new = passwords.prepare_change(
            account, current=current, password=password, hash_method=FAST_HASH, words=(), now=NOW
        )
        with transaction() as work:
            passwords.change_own_password(work, account, new, session_id=keep, actor=me, now=NOW)

    with pytest.raises(RuleViolation):
        change("wrong", "Xin-mi-ma-88")
    with pytest.raises(RuleViolation):
        change(PASSWORD, PASSWORD)
    with pytest.raises(RuleViolation):
        change(PASSWORD, "weak")
    change(PASSWORD, "Xin-mi-ma-88")

    assert sessions.live_session(db.session(), first.token, idle=timedelta(1), now=NOW) is not None
    assert sessions.live_session(db.session(), second.token, idle=timedelta(1), now=NOW) is None
    assert sign_in("zhang", PASSWORD) is None


def test_an_issued_password_must_be_changed_and_runs_out(account: Account) -> None:
    new = passwords.prepare_single_use(account, hash_method=FAST_HASH)
    password = new.password
    with transaction() as work:
        passwords.issue_password(work, account, new, actor=SYSTEM, now=NOW)

    assert account.must_change_password
    assert sign_in("zhang", password, now=NOW + timedelta(hours=73)) is None
    assert sign_in("zhang", password, now=NOW + timedelta(hours=71)) is not None
    rows = db.session.scalars(select(TraceEntry)).all()
    assert all(password not in f"{row.before}{row.after}{row.reason}" for row in rows)


@pytest.mark.parametrize(
    ("first", "second"),
    [("system_admin", "security_admin"), ("audit_admin", "staff"), ("clerk", "security_admin")],
)
def test_nobody_holds_two_administrator_roles_nor_one_beside_another(account: Account, first: str, second: str) -> None:
    def ask(role: str) -> RoleGrant:
        with transaction() as work:
            return grants.ask_grant(
                work,
                account,
                role=role,
                unit_id=None,
                valid_from=None,
                valid_to=None,
                batch_id=None,
                actor=SYSTEM,
                now=NOW,
            )

    ask(first)
    with pytest.raises(RuleViolation):
        ask(second)


def test_a_grant_gives_nothing_until_another_approves_it(account: Account) -> None:
    with transaction() as work:
        grant = grants.ask_grant(
            work,
            account,
            role="clerk",
            unit_id=None,
            valid_from=None,
            valid_to=None,
            batch_id=None,
            actor=SYSTEM,
            now=NOW,
        )
    assert grants.in_force([grant], NOW.date()) == frozenset()
    own = Actor(account_id=account.id, roles=frozenset({"security_admin"}))
    with pytest.raises(NotPermitted), transaction() as work:
        grants.approve_grant(work, grant, actor=own, now=NOW)
    other = Actor(account_id=account.id + 1, name="安全", roles=frozenset({"security_admin"}))
    with transaction() as work:
        grants.approve_grant(work, grant, actor=other, now=NOW)

    assert grants.in_force([grant], NOW.date()) == {"clerk"}
    with transaction() as work:
        grants.end_grant(work, grant, on=NOW.date(), actor=other, now=NOW)
    assert grants.in_force([grant], NOW.date()) == frozenset()


def test_wrong_guesses_at_the_current_password_count_and_lock(account: Account) -> None:
    actor = Actor(account_id=account.id, name="张三", address="10.0.0.7")
    for _ in range(5):
        with transaction() as work:
            accounts_sign_in.note_wrong_password(work, work.get_one(Account, account.id), actor=actor, now=NOW)

    guessed = db.session.scalars(select(TraceEntry).where(TraceEntry.verb == "change_password")).all()
    assert [it.result for it in guessed] == ["refused"] * 5
    held = db.session.get_one(Account, account.id)
    assert held.locked_until is not None
    with pytest.raises(RuleViolation, match="ten minutes"):
        passwords.prepare_change(
            held, current=PASSWORD, password="Yun-duo-hen9", hash_method=FAST_HASH, words=(), now=NOW
        )


@pytest.mark.parametrize(
    ("holder", "asker", "releaser", "may"),
    [
        ("staff", "system_admin", None, True),
        ("clerk", "system_admin", None, False),
        ("bureau_leader", "system_admin", None, False),
        ("audit_admin", "system_admin", None, False),
        ("security_admin", "system_admin", None, False),
        ("clerk", "system_admin", "security_admin", True),
        ("audit_admin", "system_admin", "security_admin", True),
        ("clerk", "system_admin", "audit_admin", False),
        ("security_admin", "system_admin", "security_admin", False),
        ("security_admin", "system_admin", "audit_admin", True),
        ("bureau_leader", "system_admin", "system_admin", False),
    ],
)
@pytest.mark.parametrize("measure", ["password", "disable", "enable"])
def test_no_administrator_becomes_another_alone(
    account: Account, holder: str, asker: str, releaser: str | None, may: bool, measure: str
) -> None:
    def carry_out(actor: Actor) -> None:
        with transaction() as work:
            held = work.get_one(Account, account.id)
            if measure == "password":
                passwords.issue_password(
                    work, held, passwords.prepare_single_use(held, hash_method=FAST_HASH), actor=actor, now=NOW
                )
            else:
                accounts.set_active(work, held, is_active=measure == "enable", actor=actor, now=NOW)

    with transaction() as work:
        work.add(RoleGrant(account_id=account.id, role=holder, approved_by="系统", approved_at=NOW))
    first = Actor(account_id=901, name="甲", roles=frozenset({asker}))
    second = Actor(account_id=902, name="乙", roles=frozenset({releaser or asker}))
    if releaser is None:
        actor = first
    else:
        actor = second
        with transaction() as work:
            accounts.ask_measure(work, work.get_one(Account, account.id), measure, actor=first, now=NOW)
    if may:
        carry_out(actor)
        assert db.session.get_one(Account, account.id).asked_measure == ""
    else:
        with pytest.raises(NotPermitted):
            carry_out(actor)


def test_who_asked_does_not_release_even_with_the_other_role(account: Account) -> None:
    both = Actor(account_id=901, name="甲", roles=frozenset({"system_admin", "security_admin"}))
    with transaction() as work:
        work.add(RoleGrant(account_id=account.id, role="clerk", approved_by="系统", approved_at=NOW))
        accounts.ask_measure(work, work.get_one(Account, account.id), "disable", actor=both, now=NOW)

    with pytest.raises(NotPermitted), transaction() as work:
        accounts.set_active(work, work.get_one(Account, account.id), is_active=False, actor=both, now=NOW)


def test_who_is_away_lends_his_roles_and_not_himself() -> None:
    own = Actor(account_id=1, subject_id=11)
    acting = Actor(account_id=1, subject_id=22, substitute_id=11, is_acting=True)

    assert (own.own_person, acting.own_person) == (11, 11)
    assert acting.selves == {11, 22}
    assert Actor(account_id=1, subject_id=22, is_acting=True).own_person is None


def test_a_further_bureau_gets_its_administrators_once(app: Flask) -> None:
    with transaction() as work:
        work.add(Bureau(code="second"))
    with transaction() as work:
        bureau = work.scalars(select(Bureau).where(Bureau.code == "second")).one()
        made = installation.administrators_of(work, bureau, hash_method=FAST_HASH, now=NOW)

    assert [(name, role) for name, role, _ in made] == [
        (f"second-{role}", role) for role in ("system_admin", "security_admin", "audit_admin")
    ]
    assert sign_in("second-audit_admin", made[2][2]) is not None
    assert {row for row in installation.administrators(db.session()) if row[2] == "second"} == {
        (name, role, "second") for name, role, _ in made
    }
    with pytest.raises(RuleViolation), transaction() as work:
        bureau = work.scalars(select(Bureau).where(Bureau.code == "second")).one()
        installation.administrators_of(work, bureau, hash_method=FAST_HASH, now=NOW)


def test_who_administers_which_bureau_and_who_is_missing(app: Flask) -> None:
    with transaction() as work:
        work.add_all([Bureau(code="second"), Bureau(code="third")])
    with transaction() as work:
        second = work.scalars(select(Bureau).where(Bureau.code == "second")).one()
        installation.administrators_of(work, second, hash_method=FAST_HASH, now=NOW)
        number = second.id

    everywhere = installation.duties(db.session(), bureau_id=None)
    assert list(everywhere) == ["", "second", "third"]
    assert everywhere["second"]["audit_admin"] == ["second-audit_admin"]
    assert everywhere["third"] == {"system_admin": [], "security_admin": [], "audit_admin": []}
    assert list(installation.duties(db.session(), bureau_id=number)) == ["", "second"], "not the neighbour's"
