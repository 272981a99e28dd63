"""Keeping the ways out of the portal: the list of machines it may speak to, its channels, and who wants what over them.

Each verb: permit, check, change, trace. Secrets are sealed; the trace never sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.errors import N_, RuleViolation
from app.models import Account, AllowedHost, Bureau, Channel, ChannelChoice
from app.policies import notices as policy
from app.policies.actor import Actor, require
from app.policies.scoping import UNSCOPED, unscoped
from app.rules.delivery import (
    NO_URL,
    Target,
    check_listed,
    is_mail_address,
    may_list,
    read_host,
    read_port,
    read_server,
    read_url,
)
from app.services import trace
from app.services.messages.sealing import seal
from app.services.upsert import insert_once

WHY = "what one may switch on is asked by its own policy"
EMAIL = "email"
KINDS = ("email", "wecom", "dingtalk", "feishu", "webhook")
SECURITIES = ("none", "starttls", "tls")
WANTS = ("none", "digest", "all")
KEPT = ("kind", "name", "address", "security", "sender", "username", "is_enabled")


def allowed_targets(session: Session, bureau_id: int | None) -> frozenset[Target]:
    """The machines and ports the portal may speak to for a bureau: of its own list and of the installation's."""
    host = AllowedHost.__table__.c
    listed = host.bureau_id.is_(None) | (host.bureau_id == bureau_id)
    return frozenset(
        (name, port) for name, port in unscoped(session, WHY).execute(select(host.host, host.port).where(listed))
    )


def allow(session: Session, host: str, port: str, note: str, *, actor: Actor, now: datetime) -> AllowedHost:
    """Put a machine and port on the list of the actor's bureau, or of the installation where he belongs to none."""
    require(policy.may_keep_channels(actor))
    found = AllowedHost(
        bureau_id=actor.bureau_id, host=read_host(host), port=read_port(port.strip()), note=note.strip()[:200],
        added_by=actor.name, added_at=now,
    )  # fmt: skip
    if not may_list(found.host, found.port):
        raise RuleViolation(N_("Nobody may be connected to at this address."), field_name="host")
    if (found.host, found.port) in allowed_targets(session, actor.bureau_id):
        raise RuleViolation(N_("It stands on the list already."), field_name="host")
    session.add(found)
    session.flush()
    trace.record(session, verb="allow_host", target=found, after={"note": found.note}, actor=actor, now=now)
    return found


def disallow(session: Session, host: AllowedHost, *, actor: Actor, now: datetime) -> None:
    """Take a machine off the list; what waits for it is not sent any more."""
    require(policy.may_disallow(actor, host))
    trace.record(session, verb="disallow_host", target=host, actor=actor, now=now)
    session.delete(host)
    session.flush()


def keep_channel(
    session: Session, bureau: Bureau, channel: Channel | None, given: Mapping[str, str], *, key: str, actor: Actor,
    now: datetime,
) -> Channel:  # fmt: skip
    """Make a channel of a bureau or change one; a blank secret leaves the one that is kept.

    What was entered for one machine is never said to another: with kind, machine or encryption secrets are asked anew.
    """
    require(policy.may_keep_channels(actor) and actor.bureau_id in (None, bureau.id))
    facts = _facts(session, bureau.id, given)
    twin = select(Channel.id).where(Channel.bureau_id == bureau.id, Channel.name == facts["name"])
    if channel is not None:
        twin = twin.where(Channel.id != channel.id)
    if session.scalar(twin) is not None:
        raise RuleViolation(N_("There is a channel of this name already."), field_name="name")
    before = None if channel is None else _shown(channel)
    for name in ("token", "secret"):
        if not given.get(name, "").isascii():
            raise RuleViolation(N_("Passwords, keys and secrets are of letters, figures and signs."), field_name=name)
        is_kept = channel is not None and getattr(channel, name) and not given.get(name, "").strip()
        if (
            is_kept
            and channel is not None
            and _end(channel.kind, channel.address, channel.security)
            != _end(facts["kind"], facts["address"], facts["security"])
        ):
            raise RuleViolation(N_("The machine has changed: enter password, key and secret again."), field_name=name)
    if channel is None:
        channel = Channel(bureau_id=bureau.id)
        session.add(channel)
    for name, value in facts.items():
        setattr(channel, name, value)
    for name in ("token", "secret"):
        if given.get(name, "").strip():
            setattr(channel, name, seal(given[name].strip(), key))
    if channel.kind == "webhook" and not channel.secret:
        raise RuleViolation(N_("A signed webhook needs a secret to sign with."), field_name="secret")
    session.flush()
    trace.record(
        session, verb="keep_channel", target=channel, before=before, after=_shown(channel), actor=actor, now=now
    )
    return channel


def _end(kind: str, address: str, security: str) -> tuple[str, Target, bool, str]:
    """The other end of a channel: what its secrets were entered for."""
    if kind == EMAIL:
        return kind, read_server(address), False, security
    url = read_url(address)
    return kind, url.target, url.is_tls, security


def _facts(session: Session, bureau_id: int, given: Mapping[str, str]) -> dict[str, Any]:
    kind, name = given.get("kind", ""), given.get("name", "").strip()
    if kind not in KINDS:
        raise RuleViolation(N_("Choose what kind of channel it is."), field_name="kind")
    if not name or len(name) > 60:
        raise RuleViolation(N_("A name of at most 60 characters is needed."), field_name="name")
    address, security = given.get("address", "").strip(), given.get("security", "none")
    if len(address) > 500 or security not in SECURITIES:
        raise RuleViolation(NO_URL, field_name="address")
    target = read_server(address) if kind == EMAIL else read_url(address).target
    check_listed(target, allowed_targets(session, bureau_id))
    sender = given.get("sender", "").strip()
    if kind == EMAIL and not is_mail_address(sender):
        raise RuleViolation(N_("The sender is a mail address."), field_name="sender")
    return {
        "kind": kind, "name": name, "address": address, "security": security if kind == EMAIL else "none",
        "sender": sender[:200] if kind == EMAIL else "", "username": given.get("username", "").strip()[:200],
    }  # fmt: skip


def _shown(channel: Channel) -> dict[str, object]:
    """What the trace keeps of a channel: everything but its secrets, and whether it has them."""
    return {**{it: getattr(channel, it) for it in KEPT}, "token": bool(channel.token), "secret": bool(channel.secret)}


def switch_channel(session: Session, channel: Channel, *, on: bool, actor: Actor, now: datetime) -> None:
    """Let a channel rest, or use it again."""
    require(policy.may_keep_channels(actor))
    before = {"is_enabled": channel.is_enabled}
    channel.is_enabled = on
    session.flush()
    trace.record(
        session, verb="keep_channel", target=channel, before=before, after={"is_enabled": on}, actor=actor, now=now
    )


def choose(session: Session, wants: Mapping[int, str], *, actor: Actor, now: datetime) -> None:
    """Say what one wants over which channels of the own bureau; what is not named stays."""
    require(actor.account_id is not None and actor.substitute_id is None)
    known = set(session.scalars(select(Channel.id).where(Channel.is_enabled)))
    if not set(wants) <= known or not set(wants.values()) <= set(WANTS):
        raise RuleViolation(N_("This channel is not there any more."))
    table = ChannelChoice.__table__
    unscoped(session, WHY).execute(
        delete(table).where(table.c.account_id == actor.account_id, table.c.channel_id.in_(wants))
    )
    rows = [{"account_id": actor.account_id, "channel_id": pk, "wants": want} for pk, want in wants.items()]
    insert_once(session, ChannelChoice, rows, ("account_id", "channel_id"))
    account = session.get_one(Account, actor.account_id, execution_options=UNSCOPED)
    trace.record(
        session, verb="choose_channels", target=account, after={str(pk): want for pk, want in wants.items()},
        actor=actor, now=now,
    )  # fmt: skip
