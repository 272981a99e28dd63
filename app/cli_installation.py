"""The commands of who has the server: preparing an installation, and the way back in.

Exit codes: 0 done, 1 refused by a rule or by bad data, 2 wrong usage. Source: docs/scoring.md section 8.
"""

from __future__ import annotations

import fcntl
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from flask import Flask, current_app
from flask_babel import gettext
from sqlalchemy import text

import config
from app import revisions
from app.cli import in_chinese
from app.errors import N_, RuleViolation
from app.extensions import db, transaction
from app.models import Account
from app.policies.actor import SYSTEM
from app.security import manager, sessions
from app.services.accounts import accounts as accounts_of_people
from app.services.accounts import installation, passwords
from app.services.bureau import calendar
from app.services.process import attachments
from app.services.sample import bureau as sample_bureau
from app.services.scoring import choice
from app.wording import say


@click.command("init")
@click.option("--sample", is_flag=True, help="Load the sample bureau and print its accounts.")
@click.option("--new-keys", is_flag=True, help="Accept that the data folder has other keys than before.")
@in_chinese
def init(*, sample: bool, new_keys: bool) -> None:
    """Prepare an empty installation in the data folder; safe to run again."""
    with _one_at_a_time(), _shield() as shield:
        kept = revisions.prepare(sessions.now())
        if kept is not None:
            click.echo(
                gettext("The database as it was before the update is kept in %(file)s", file=str(kept)), err=True
            )
        method = current_app.config["FAB_PASSWORD_HASH_METHOD"]
        keys = {"secret_key": config.secret_key(), "channel_key": config.secret("channel_key")}
        with transaction() as work:
            installation.keep_keys(work, keys, accept=new_keys, now=sessions.now())
            manager.synchronise(work, current_app.extensions["appbuilder"].baseviews)
            calendar.seed_national(work)
            if sample and config.mode() == config.TRIAL:
                folder = config.home() / attachments.FOLDER
                accounts = sample_bureau.load_sample(
                    work, hash_method=method, say=say, now=sessions.now(), folder=folder
                )
            else:
                accounts = installation.first_administrators(work, hash_method=method, now=sessions.now())
            shield.up()
        _tell(accounts)
    if not accounts:
        _tell_what_is_left(sample=sample)


class _Shield:
    """Holds off a request to stop between storing new passwords and saying them."""

    SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

    def up(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)

    def down(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)


@contextmanager
def _shield() -> Iterator[_Shield]:
    shield = _Shield()
    try:
        yield shield
    finally:
        shield.down()


def _tell(accounts: Sequence[installation.Printed]) -> None:
    """Print new accounts the moment they are stored; passwords that nobody could be told are made void at once."""
    try:
        if accounts:
            click.echo(gettext("Accounts (user name, role, password; shown once):"), err=True)
        for account in accounts:
            click.echo("\t".join(account))
        sys.stdout.flush()
    except (OSError, AttributeError, ValueError):  # a console that is full, gone, or never was
        with transaction() as work:
            for username, _, _ in accounts:
                passwords.void_password(work, _account(username), actor=SYSTEM, now=sessions.now())
        raise


def _tell_what_is_left(*, sample: bool) -> None:
    """At a later start: whose first password was never used, or how to get into the sample again."""
    left = [account.username for account in installation.never_used(db.session())]
    if sample:
        click.echo(
            gettext(
                "The passwords of the sample accounts were shown at the first start; "
                "for a new one: flask account issue-password USER"
            ),
            err=True,
        )
    elif left:
        click.echo(
            gettext(
                "Never signed in so far: %(names)s. A single-use password that was lost or is older than 72 hours "
                "is void; for a new one: flask account issue-password USER",
                names=", ".join(left),
            ),
            err=True,
        )


@click.group("account")
def account_group() -> None:
    """The way back in, for who has the server."""


def _account(username: str) -> Account:
    found = accounts_of_people.account_named(db.session(), username)
    if found is None:
        raise RuleViolation(N_("There is no user “%(name)s”.", name=username))
    return found


@account_group.command("issue-password")
@click.argument("user")
@in_chinese
def issue_password(user: str) -> None:
    """Print a single-use password: valid for 72 hours, to be changed at the first sign-in; all sessions end."""
    new = passwords.prepare_single_use(_account(user), hash_method=current_app.config["FAB_PASSWORD_HASH_METHOD"])
    with _shield() as shield:
        with transaction() as work:
            passwords.issue_password(work, _account(user), new, actor=SYSTEM, now=sessions.now())
            username = _account(user).username
            shield.up()
        click.echo(f"{username}\t{new.password}")


@account_group.command("unlock")
@click.argument("user")
@in_chinese
def unlock(user: str) -> None:
    """Take the lock of failed sign-ins off an account."""
    with transaction() as work:
        accounts_of_people.unlock(work, _account(user), actor=SYSTEM, now=sessions.now())
    click.echo(gettext("Unlocked: %(name)s", name=user))


@account_group.command("first-administrators")
@click.argument("bureau")
@in_chinese
def first_administrators(bureau: str) -> None:
    """Make the three administrators of a further bureau, each with a single-use password."""
    with _shield() as shield:
        with transaction() as work:
            owner = choice.bureaus(work, bureau)[0]
            method = current_app.config["FAB_PASSWORD_HASH_METHOD"]
            made = installation.administrators_of(work, owner, hash_method=method, now=sessions.now())
            shield.up()
        _tell(made)


@account_group.command("administrators")
@in_chinese
def administrators() -> None:
    """Who administers which bureau: user name, role, bureau."""
    for row in installation.administrators(db.session()):
        click.echo("\t".join(row))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Only one `init` at a time: a lock file here, an advisory lock on a shared database."""
    config.home().mkdir(parents=True, exist_ok=True)
    with (config.home() / "init.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if db.engine.dialect.name != "postgresql":
            yield
            return
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(815)"))
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(815)"))


def install(app: Flask) -> None:
    """Hang the commands on `flask`."""
    app.cli.add_command(init)
    app.cli.add_command(account_group)
