"""Sending over other channels: the only place that opens a connection out of the portal.

A name is looked up once, the address checked, and that very address connected to; no redirect is followed, no
answer waited for longer than seconds, and none of it shown. Source: trust demand WB-10.
"""

from __future__ import annotations

import http.client
import logging
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from flask import current_app
from flask_babel import gettext

import config
from app.documents import outward
from app.documents.outward import Letter
from app.errors import N_, HouseError, Message, RuleViolation
from app.extensions import db, reading, transaction
from app.models import Channel
from app.rules.delivery import Target, check_listed, fault_of_answer, may_connect, read_server, read_url
from app.security import sessions
from app.services.messages import channels, delivery
from app.services.messages.channels import EMAIL
from app.services.messages.delivery import Parcel
from app.services.messages.notices import Line
from app.services.messages.sealing import unseal
from app.wording import official, say

log = logging.getLogger(__name__)
PATIENCE = 5.0
LONGEST = 15.0
MOST_READ = 65_536
LEASE = timedelta(seconds=60)
POSTING, SLICE = 20.0, 50
UNREACHABLE = N_("It could not be reached.")
FAULT = N_("A fault of the program; its details are in the log.")
FORBIDDEN = N_("The name stands for an address the portal may not speak to.")


def is_due() -> bool:
    """Whether a message waits that may leave now."""
    with reading() as session:
        return bool(delivery.due(session, now=sessions.now(), limit=1))


def post() -> None:
    """Send what waits, one message after another, for a while; a channel that cannot be reached is left for later.

    Two at once come to the same: each message is taken under a lease.
    """
    until, resting = time.monotonic() + POSTING, set[int]()
    while time.monotonic() < until:
        with reading() as session:
            found = delivery.due(session, now=sessions.now(), limit=SLICE, without=resting)
        if not found:
            return
        for outbox_id, channel_id in found:
            if time.monotonic() > until:
                return
            if channel_id not in resting and send(outbox_id) == UNREACHABLE:
                resting.add(channel_id)


def send(outbox_id: int) -> Message | None:
    """Send one message, if it waits; mark it sent, or keep it for another attempt. Answers why it was not sent."""
    with transaction() as work:
        parcel = delivery.take(work, outbox_id, lease=LEASE, now=sessions.now())
        if parcel is None:
            return None
        allowed = channels.allowed_targets(work, parcel.channel.bureau_id)
        channel, letter = _frozen(parcel.channel), letter_of(parcel)
    fault = transmit(channel, letter, parcel.address, allowed)
    with transaction() as work:
        if fault is None:
            delivery.sent(work, parcel, now=sessions.now())
        else:
            log.info("message %s was not sent: %s", outbox_id, fault)
            delivery.failed(work, parcel, fault, now=sessions.now())
    return fault


def _frozen(channel: Channel) -> Channel:
    """The channel as plain values, for after the transaction."""
    names = ("id", "bureau_id", "kind", "name", "address", "security", "sender", "username", "token", "secret")
    return Channel(**{name: getattr(channel, name) for name in names})


def letter_of(parcel: Parcel) -> Letter:
    """A message in the words it leaves with: Chinese, whatever language its reader chose."""
    with official():
        return _letter(parcel.message_id, parcel.to, say(parcel.text), parcel.lines)


def _letter(message_id: str, to: str, text: str, lines: Sequence[Line]) -> Letter:
    rows = [(say(line.text), "" if line.due_on is None else line.due_on.isoformat()) for line in lines]
    return Letter(
        message_id, to, gettext("[Kaoji] %(text)s", text=text.replace("\n", " ").replace("\r", " "))[:200], text, rows,
        gettext("This message was sent by Kaoji; answers to it are read by nobody."), config.public_url(),
        datetime.now(UTC),
    )  # fmt: skip


def trial_letter(to: str) -> Letter:
    """What the test button sends."""
    with official():
        return _letter(
            f"test-{token_hex(8)}", to, gettext("This is a test of the channel; whoever reads it need do nothing."), ()
        )


def transmit(channel: Channel, letter: Letter, address: str, allowed: frozenset[Target]) -> Message | None:
    """Say a letter over a channel; why it was not said, or None. Refused before any connection: what is not listed."""
    try:
        if channel.kind == EMAIL:
            _mail(channel, letter, address, allowed)
            return None
        return _call(channel, letter, allowed)
    except HouseError as refusal:
        return refusal.message
    except smtplib.SMTPResponseException as fault:
        return N_("The mail server refused with code %(code)s.", code=fault.smtp_code)
    except smtplib.SMTPRecipientsRefused as fault:
        codes = sorted({code for code, _ in fault.recipients.values()})
        return N_("The mail server refused with code %(code)s.", code=codes[0] if codes else 550)
    except (OSError, smtplib.SMTPException, http.client.HTTPException) as fault:
        log.info("channel %s: %s", channel.id, fault)
        return UNREACHABLE
    except Exception:
        # Whatever it is, the message must not be tried for ever, nor hold up the others.
        log.exception("channel %s", channel.id)
        return FAULT


def _secrets(channel: Channel) -> tuple[str, str]:
    key = config.secret("channel_key")
    return unseal(channel.token, key), unseal(channel.secret, key)


class _Line:
    """A connection that is cut after a while, however slowly the other side answers."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.is_cut = connection, False
        self._timer = threading.Timer(LONGEST, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def under_tls(self, host: str) -> socket.socket:
        self.connection = _tls().wrap_socket(self.connection, server_hostname=host)
        return self.connection

    def _cut(self) -> None:
        self.is_cut = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._timer.cancel()
        self.connection.close()


def _open(target: Target, allowed: frozenset[Target]) -> _Line:
    """Connect to a listed machine at an address that may be connected to; the name is looked up this once."""
    check_listed(target, allowed)
    found = socket.getaddrinfo(*target, type=socket.SOCK_STREAM)
    addresses = [it[4] for it in found if may_connect(str(it[4][0]), target, allowed)]
    if len(addresses) < len(found) or not addresses:
        raise RuleViolation(FORBIDDEN)
    return _Line(socket.create_connection((str(addresses[0][0]), target[1]), PATIENCE))


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=current_app.config["KAOJI_CA_FILE"] or None)


class _Mail(smtplib.SMTP):
    """SMTP over a connection that is given."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._given = connection
        self._host = name  # the name that a certificate is looked at for
        super().__init__(local_hostname="kaoji.invalid", timeout=PATIENCE)
        self._host = name

    def _get_socket(self, *_rest: object) -> socket.socket:
        return self._given


def _mail(channel: Channel, letter: Letter, address: str, allowed: frozenset[Target]) -> None:
    target = read_server(channel.address)
    password, _ = _secrets(channel)
    message = outward.email(letter, sender=channel.sender, sender_name=gettext("Kaoji"), address=address)
    line = _open(target, allowed)
    try:
        if channel.security == "tls":
            line.under_tls(target[0])
        mail = _Mail(line.connection, target[0])
        mail.connect(*target)
        if channel.security == "starttls":
            mail.starttls(context=_tls())
            assert mail.sock is not None
            line.connection = mail.sock
        if channel.username:
            mail.login(channel.username, password)
        mail.send_message(message)
        with suppress(smtplib.SMTPException, OSError):
            mail.quit()  # it has the message; how it says goodbye changes nothing
    finally:
        line.close()


def _call(channel: Channel, letter: Letter, allowed: frozenset[Target]) -> Message | None:
    url = read_url(channel.address)
    token, secret = _secrets(channel)
    call = outward.ROBOTS[channel.kind](letter, path=url.path, token=token, secret=secret, at=int(time.time()))
    line = _open(url.target, allowed)
    try:
        if url.is_tls:
            line.under_tls(url.host)
        exchange = http.client.HTTPConnection(url.host, url.port, timeout=PATIENCE)
        exchange.sock = line.connection
        exchange.request("POST", call.path, call.body, dict(call.headers))
        answer = exchange.getresponse()
        body = answer.read(MOST_READ)
        # The end of what was cut looks like the end of an answer.
        return UNREACHABLE if line.is_cut else fault_of_answer(channel.kind, answer.status, body)
    finally:
        line.close()


def try_channel(channel_id: int, *, to: str, address: str) -> Message | None:
    """What the test button does: send at once, and say why not."""
    session = db.session()
    channel = session.get_one(Channel, channel_id)
    return transmit(_frozen(channel), trial_letter(to), address, channels.allowed_targets(session, channel.bureau_id))
