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
from app.rules.delivery import NO_URL, Target, check_listed, read_host, read_port, read_server, read_url
from app.services import trace
from app.services.accounts import UNSCOPED
from app.services.sealing import seal
from app.services.upsert import insert_once

EMAIL = "email"
KINDS = ("email", "wecom", "dingtalk", "feishu", "webhook")
SECURITIES = ("none", "starttls", "tls")
WANTS = ("none", "digest", "all")
KEPT = ("kind", "name", "address", "security", "sender", "username", "is_enabled")


def allowed_targets(session: Session) -> frozenset[Target]:
    """The machines and ports the portal may speak to."""
    rows = session.connection().execute(select(AllowedHost.__table__.c.host, AllowedHost.__table__.c.port))
    return frozenset((host, port) for host, port in rows)


def allow(session: Session, host: str, port: str, note: str, *, actor: Actor, now: datetime) -> AllowedHost:
    """Put a machine and port on the list."""
    require(policy.may_keep_channels(actor))
    found = AllowedHost(
        host=read_host(host), port=read_port(port.strip()), note=note.strip()[:200], added_by=actor.name, added_at=now
    )
    if (found.host, found.port) in allowed_targets(session):
        raise RuleViolation(N_("It stands on the list already."), field_name="host")
    session.add(found)
    session.flush()
    trace.record(session, verb="allow_host", target=found, after={"note": found.note}, actor=actor, now=now)
    return found


def disallow(session: Session, host: AllowedHost, *, actor: Actor, now: datetime) -> None:
    """Take a machine off the list; what waits for it is not sent any more."""
    require(policy.may_keep_channels(actor))
    trace.record(session, verb="disallow_host", target=host, actor=actor, now=now)
    session.delete(host)
    session.flush()


def keep_channel(
    session: Session, bureau: Bureau, channel: Channel | None, given: Mapping[str, str], *, key: str, actor: Actor,
    now: datetime,
) -> Channel:  # fmt: skip
    """Make a channel of a bureau or change one; a blank secret leaves the one that is kept."""
    require(policy.may_keep_channels(actor))
    facts = _facts(session, given)
    twin = select(Channel.id).where(Channel.bureau_id == bureau.id, Channel.name == facts["name"])
    if channel is not None:
        twin = twin.where(Channel.id != channel.id)
    if session.scalar(twin) is not None:
        raise RuleViolation(N_("There is a channel of this name already."), field_name="name")
    before = None if channel is None else _shown(channel)
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


def _facts(session: Session, given: Mapping[str, str]) -> dict[str, Any]:
    kind, name = given.get("kind", ""), given.get("name", "").strip()
    if kind not in KINDS:
        raise RuleViolation(N_("Choose what kind of channel it is."), field_name="kind")
    if not name or len(name) > 60:
        raise RuleViolation(N_("A name of at most 60 characters is needed."), field_name="name")
    address, security = given.get("address", "").strip(), given.get("security", "none")
    if len(address) > 500 or security not in SECURITIES:
        raise RuleViolation(NO_URL, field_name="address")
    target = read_server(address) if kind == EMAIL else read_url(address).target
    check_listed(target, allowed_targets(session))
    sender = given.get("sender", "").strip()
    if kind == EMAIL and not is_mail_address(sender):
        raise RuleViolation(N_("The sender is a mail address."), field_name="sender")
    return {
        "kind": kind, "name": name, "address": address, "security": security if kind == EMAIL else "none",
        "sender": sender[:200] if kind == EMAIL else "", "username": given.get("username", "").strip()[:200],
    }  # fmt: skip


def is_mail_address(text: str) -> bool:
    """Whether a text is one mail address and nothing else."""
    name, at, host = text.rpartition("@")
    return bool(name and at and host) and text.isascii() and text.isprintable() and " " not in text and len(text) <= 200


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
    session.connection().execute(
        delete(table).where(table.c.account_id == actor.account_id, table.c.channel_id.in_(wants))
    )
    rows = [{"account_id": actor.account_id, "channel_id": pk, "wants": want} for pk, want in wants.items()]
    insert_once(session, ChannelChoice, rows, ("account_id", "channel_id"))
    account = session.get_one(Account, actor.account_id, execution_options=UNSCOPED)
    trace.record(
        session, verb="choose_channels", target=account, after={str(pk): want for pk, want in wants.items()},
        actor=actor, now=now,
    )  # fmt: skip
