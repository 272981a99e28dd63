"""Mail and robots against servers on loopback: right words, right signature, errors tried again, strangers never met."""

from __future__ import annotations

import http.server
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import func, select, update

import config
from app import sending
from app.errors import N_, NotPermitted, RuleViolation
from app.extensions import db, transaction
from app.models import AllowedHost, Bureau, Channel, ChannelChoice, Notification, Outbox, Person, TraceEntry
from app.policies.actor import SYSTEM, Actor
from app.rules.delivery import MOST_ATTEMPTS, WAITS
from app.security import sessions
from app.security.scope import act_as
from app.services.messages import channels, delivery, notices
from app.services.messages.notices import Line
from app.services.messages.sealing import seal, unseal
from tests.conftest import NOW, SMALL, account_of
from tests.servers import free_port

ADMIN = Actor(account_id=999, name="管理员", roles=frozenset({"system_admin"}))
WORKDAY = NOW.replace(hour=4)  # noon of a Monday


class Robot(http.server.BaseHTTPRequestHandler):
    """A robot that keeps what it hears and answers what it is told to."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        status, answer, headers = self.server.answers.pop(0)  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_rest: object) -> None:
        """Say nothing."""


class Listener(http.server.ThreadingHTTPServer):
    heard: list[tuple[str, dict[str, str], bytes]]
    answers: list[tuple[int, bytes, dict[str, str]]]

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def will(self, *answers: object, status: int = 200, **headers: str) -> None:
        self.answers += [(status, json.dumps(it).encode(), headers) for it in answers]


def listen() -> Iterator[Listener]:
    with Listener(("127.0.0.1", 0), Robot) as server:
        server.heard, server.answers = [], []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def robot() -> Iterator[Listener]:
    yield from listen()


@pytest.fixture
def stranger() -> Iterator[Listener]:
    yield from listen()


class Post:
    """A mail server that keeps what it takes; the first `refusals` mails it sends back with a code."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.refusals: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        self.taken.append(envelope)
        return "250 OK"


class Server(Controller):
    """aiosmtpd without its own client that asks whether it listens."""

    def _trigger_server(self) -> None:
        socket.create_connection((self.hostname, self.port)).close()


@pytest.fixture
def mail() -> Iterator[tuple[Post, int]]:
    post = Post()
    server = Server(post, hostname="127.0.0.1", port=free_port())
    server.start()
    yield post, server.port
    server.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr(sessions, "now", lambda: moment)

    set_clock(WORKDAY)
    return set_clock


@pytest.fixture
def bureau(any_app: Flask, load: Callable[..., object], clock: object) -> Bureau:
    load(SMALL)
    with transaction() as work:
        person = account_of("lichunxia").subject_id
        work.execute(
            update(Person.__table__).where(Person.__table__.c.subject_id == person).values(email="li@bureau.cn")
        )
    return db.session.scalars(select(Bureau)).one()


def allow(*targets: tuple[str, int]) -> None:
    with transaction() as work:
        for host, port in targets:
            channels.allow(work, host, str(port), "", actor=ADMIN, now=WORKDAY)


def keep(bureau: Bureau, kind: str, address: str, **given: str) -> int:
    with transaction() as work:
        facts = {"kind": kind, "name": f"{kind}渠道", "address": address, "sender": "kaoji@bureau.cn", **given}
        found = channels.keep_channel(
            work,
            work.get_one(Bureau, bureau.id),
            None,
            facts,
            key=config.secret("channel_key"),
            actor=ADMIN,
            now=WORKDAY,
        )
        return found.id


def say(key: str = "k1", *, category: str = notices.DIGEST, who: str = "lichunxia") -> None:
    with transaction() as work:
        notices.say(
            work, [account_of(who).id], category=category, key=key, text=N_("The run is done."), item="digest:",
            bureau_id=db.session.scalars(select(Bureau.id)).one(), now=sessions.now(),
            lines=[Line(N_("Done."), "task:1", WORKDAY.date())],
        )  # fmt: skip


def leaves(moment: datetime) -> datetime:
    """When a message may leave, by the quiet hours of the bureau."""
    return notices.leaves_from(db.session(), db.session.scalars(select(Bureau.id)).one(), moment)


def choose(channel: int, wants: str, who: str = "lichunxia") -> None:
    with transaction() as work:
        work.add(ChannelChoice(account_id=account_of(who).id, channel_id=channel, wants=wants))


def outside() -> list[Outbox]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(Outbox).where(Outbox.channel != "portal").order_by(Outbox.id)))


def ring() -> int:
    """Hand out what is due and send it, as the worker does."""
    db.session.rollback()
    act_as(db.session(), SYSTEM)
    before = [it.attempts for it in outside()]
    sending.post()
    return sum(it.attempts for it in outside()) - sum(before)


def test_the_digest_goes_by_mail_in_chinese(bureau: Bureau, mail: tuple[Post, int]) -> None:
    post, port = mail
    allow(("127.0.0.1", port))
    keep(bureau, "email", f"127.0.0.1:{port}")
    say()
    assert ring() == 1
    assert ring() == 0

    (envelope,) = post.taken
    found = message_from_bytes(envelope.original_content or b"", policy=default)
    assert envelope.rcpt_tos == ["li@bureau.cn"]
    assert found["Subject"].startswith("【考绩】")
    assert re.search("[\u4e00-\u9fff]", found.get_body(("plain",)).get_content())
    assert "2026-11-23" in found.get_body(("html",)).get_content()
    (row,) = outside()
    assert found["Message-ID"] == f"<{delivery.message_id('k1', row.account_id, row.channel)}@bureau.cn>"
    assert (row.sent_at, row.attempts, row.last_error) == (WORKDAY, 1, "")


def test_a_mail_that_is_refused_is_tried_again_later_and_given_up_in_the_end(
    bureau: Bureau, mail: tuple[Post, int], clock: Callable[[datetime], None]
) -> None:
    post, port = mail
    allow(("127.0.0.1", port))
    keep(bureau, "email", f"127.0.0.1:{port}")
    post.refusals = ["451 4.3.0 later"] * 100
    say()
    assert (ring(), ring()) == (1, 0)
    (row,) = outside()
    assert "451" in row.last_error
    assert row.not_before == WORKDAY + timedelta(minutes=1)
    moment = WORKDAY
    for wait in WAITS:
        row = outside()[0]
        assert row.not_before == moment + wait
        moment = max(row.not_before, leaves(row.not_before))
        clock(moment)
        assert ring() == 1
    (row,) = outside()
    assert (row.attempts, row.sent_at, row.given_up_at is not None) == (MOST_ATTEMPTS, None, True)
    assert db.session.scalar(select(func.count(Outbox.id)).where(Outbox.dedup_key.startswith("given-up:")))
    assert ring() == 0

    post.refusals = []
    with pytest.raises(NotPermitted), transaction() as work:
        delivery.again(work, work.get_one(Outbox, row.id), actor=Actor(roles=frozenset({"staff"})), now=moment)
    for _ in range(2):
        with transaction() as work:
            delivery.again(work, work.get_one(Outbox, row.id), actor=ADMIN, now=moment)
    assert ring() == 1
    assert len(post.taken) == 1
    assert db.session.scalar(select(func.count(TraceEntry.seq)).where(TraceEntry.verb == "send_again")) == 1


ROBOTS = [
    ("wecom", {"errcode": 93000, "errmsg": "invalid webhook url"}, {"errcode": 0}),
    ("dingtalk", {"errcode": 310000, "errmsg": "sign not match"}, {"errcode": 0}),
    ("feishu", {"code": 19001, "msg": "param invalid"}, {"code": 0}),
]


@pytest.mark.parametrize(("kind", "refusal", "good"), ROBOTS)
def test_an_error_inside_200_is_a_failure_and_tried_again_once_only(
    bureau: Bureau, robot: Listener, clock: Callable[[datetime], None], kind: str, refusal: object, good: object
) -> None:
    allow(("127.0.0.1", robot.port))
    channel = keep(bureau, kind, f"http://127.0.0.1:{robot.port}/robot", token="the-key", secret="SEC")
    choose(channel, "all")
    robot.will(refusal, good)
    say(category="supervision")
    assert ring() == 1
    (row,) = outside()
    assert row.sent_at is None
    assert re.search("93000|310000|19001", row.last_error)
    clock(WORKDAY + timedelta(minutes=1))
    assert (ring(), ring()) == (1, 0)

    assert len(robot.heard) == 2
    path, headers, body = robot.heard[0]
    assert "the-key" in path
    assert "Location" not in headers
    assert "Done" not in body.decode()
    assert re.search("[\u4e00-\u9fff]", body.decode())
    assert ("sign=" in path, '"sign"' in body.decode()) == (kind == "dingtalk", kind == "feishu")
    assert outside()[0].sent_at == WORKDAY + timedelta(minutes=1)


def test_who_dies_between_sending_and_marking_sends_the_same_message_again(
    bureau: Bureau, robot: Listener, clock: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(("127.0.0.1", robot.port))
    channel = keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC")
    choose(channel, "digest")
    robot.will({}, {}, {})
    say()
    with monkeypatch.context() as dying:
        dying.setattr(delivery, "sent", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ring()
    assert ring() == 0, "it is still in the hands of who died"
    clock(WORKDAY + timedelta(minutes=2))
    assert (ring(), ring()) == (1, 0)

    ids = [headers["X-Kaoji-Message"] for _, headers, _ in robot.heard]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_former_holder_marks_nothing(bureau: Bureau, robot: Listener) -> None:
    allow(("127.0.0.1", robot.port))
    choose(keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC"), "all")
    say()
    (row,) = outside()
    with transaction() as work:
        old = delivery.take(work, row.id, lease=timedelta(seconds=60), now=WORKDAY)
        assert old is not None
        assert delivery.take(work, row.id, lease=timedelta(seconds=60), now=WORKDAY) is None
        new = delivery.take(work, row.id, lease=timedelta(seconds=60), now=WORKDAY + timedelta(seconds=61))
        assert new is not None
        delivery.sent(work, old, now=WORKDAY)
        delivery.failed(work, old, sending.UNREACHABLE, now=WORKDAY)
    assert (outside()[0].sent_at, outside()[0].last_error) == (None, "")


def test_who_is_not_on_the_list_sees_no_request(bureau: Bureau, robot: Listener, stranger: Listener) -> None:
    with pytest.raises(RuleViolation) as refusal:
        keep(bureau, "wecom", f"http://127.0.0.1:{stranger.port}/robot", token="k")
    assert refusal.value.field_name == "address"
    allow(("127.0.0.1", stranger.port))
    channel = keep(bureau, "wecom", f"http://127.0.0.1:{stranger.port}/robot", token="k")
    choose(channel, "all")
    say(category="supervision")
    with transaction() as work:
        channels.disallow(work, work.scalars(select(AllowedHost)).one(), actor=ADMIN, now=WORKDAY)
    ring()

    assert stranger.heard == []
    assert outside()[0].sent_at is None


def test_a_redirect_is_not_followed(bureau: Bureau, robot: Listener, stranger: Listener) -> None:
    allow(("127.0.0.1", robot.port))
    choose(keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC"), "all")
    robot.will({}, status=307, Location=f"http://127.0.0.1:{stranger.port}/hook")
    say(category="supervision")
    ring()

    assert stranger.heard == []
    assert "307" in outside()[0].last_error


@pytest.mark.parametrize(
    "host", ["localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]", "127.0.0.2", "2130706433", "127.1", "0x7f.1"]
)
def test_other_forms_of_the_own_machine_meet_nobody(bureau: Bureau, robot: Listener, host: str) -> None:
    allow(("127.0.0.1", robot.port))
    with pytest.raises(RuleViolation):
        keep(bureau, "webhook", f"http://{host}:{robot.port}/hook", secret="SEC")
    assert robot.heard == []


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_a_name_that_is_made_to_stand_for_the_own_machine_meets_nobody(
    bureau: Bureau, robot: Listener, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    allow(("robot.bureau.cn", robot.port))
    choose(keep(bureau, "webhook", f"http://robot.bureau.cn:{robot.port}/hook", secret="SEC"), "all")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, robot.port))]
    monkeypatch.setattr(sending.socket, "getaddrinfo", lambda *_, **__: found)
    say(category="supervision")
    ring()

    assert robot.heard == []
    assert "may not speak to" in outside()[0].last_error


def test_quiet_hours_hold_what_leaves_and_not_what_stands_in_the_portal(
    bureau: Bureau, robot: Listener, clock: Callable[[datetime], None]
) -> None:
    allow(("127.0.0.1", robot.port))
    choose(keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC"), "all")
    robot.will({})
    friday_night = datetime.fromisoformat("2026-11-27T21:00+08:00")
    clock(friday_night)
    say(category="supervision")
    with transaction() as work:
        notices.deliver(work, now=friday_night)
    assert ring() == 0
    assert db.session.scalar(select(func.count(Notification.id)).where(Notification.dedup_key == "k1")) == 1
    clock(datetime.fromisoformat("2026-11-29T12:00+08:00"))
    assert ring() == 0
    clock(datetime.fromisoformat("2026-11-30T08:00+08:00"))
    assert ring() == 1


def test_everybody_gets_what_was_chosen(bureau: Bureau, robot: Listener) -> None:
    allow(("127.0.0.1", robot.port))
    channel = keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC")
    choose(channel, "digest")
    choose(channel, "none", "majun")
    robot.will({})
    say("d", who="lichunxia")
    say("s", category="supervision", who="lichunxia")
    say("d2", who="majun")
    say("d3", who="fuweidong")

    assert [it.dedup_key for it in outside()] == ["d"], "a robot speaks to its group: nobody gets it unasked"
    with transaction() as work:
        channels.switch_channel(work, work.get_one(Channel, channel), on=False, actor=ADMIN, now=WORKDAY)
    say("e")
    assert ring() == 0, "what waits for a channel that rests goes on waiting"
    (row,) = outside()
    assert (row.sent_at, row.given_up_at) == (None, None)
    robot.will({})
    with transaction() as work:
        channels.switch_channel(work, work.get_one(Channel, channel), on=True, actor=ADMIN, now=WORKDAY)
    assert ring() == 1


def test_secrets_are_sealed_and_never_traced(bureau: Bureau, robot: Listener) -> None:
    allow(("127.0.0.1", robot.port))
    pk = keep(bureau, "dingtalk", f"http://127.0.0.1:{robot.port}/r", token="TOKEN-1", secret="SECRET-1")
    channel = db.session.get_one(Channel, pk)
    key = config.secret("channel_key")

    assert "TOKEN-1" not in channel.token
    assert (unseal(channel.token, key), unseal(channel.secret, key)) == ("TOKEN-1", "SECRET-1")
    assert not db.session.scalars(select(TraceEntry.seq).where(TraceEntry.after.contains("TOKEN-1"))).all()
    with pytest.raises(RuleViolation):
        unseal(seal("x", key), key + "y")
    with transaction() as work:
        facts = {"kind": "dingtalk", "name": "新名", "address": channel.address, "token": "", "secret": ""}
        again = work.get_one(Channel, pk)
        channels.keep_channel(work, work.get_one(Bureau, bureau.id), again, facts, key=key, actor=ADMIN, now=WORKDAY)
    db.session.expire_all()
    assert unseal(db.session.get_one(Channel, pk).token, key) == "TOKEN-1"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"kind": "pigeon"}, "kind"), ({"name": ""}, "name"), ({"name": "长" * 61}, "name"),
        ({"sender": "nobody"}, "sender"), ({"sender": "a@b.cn\r\nBcc: x@y.cn"}, "sender"),
        ({"address": "mail"}, "address"), ({"security": "ssl3"}, "address"),
        ({"kind": "webhook", "address": "http://127.0.0.1:25/x"}, "secret"),
    ],
)  # fmt: skip
def test_odd_channels_are_refused_at_their_field(bureau: Bureau, facts: dict[str, str], field: str) -> None:
    allow(("127.0.0.1", 25))
    with pytest.raises(RuleViolation) as refusal:
        keep(bureau, **{"kind": "email", "address": "127.0.0.1:25", **facts})  # type: ignore[arg-type]
    assert refusal.value.field_name == field
    assert not db.session.scalars(select(Channel.id)).all()


def test_only_the_administrator_keeps_channels(bureau: Bureau) -> None:
    office = Actor(name="office", roles=frozenset({"assessment_office", "bureau_leader"}), bureau_id=bureau.id)
    with pytest.raises(NotPermitted), transaction() as work:
        channels.allow(work, "a.cn", "25", "", actor=office, now=WORKDAY)
    with pytest.raises(NotPermitted), transaction() as work:
        channels.keep_channel(work, bureau, None, {}, key="k", actor=office, now=WORKDAY)


# under TLS -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that stands for itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    import ipaddress

    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    begin = datetime.fromisoformat("2020-01-01T00:00+00:00")
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(begin).not_valid_after(begin.replace(year=2090))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    found = tmp_path_factory.mktemp("tls") / "both.pem"
    found.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_under_tls_with_a_password(bureau: Bureau, any_app: Flask, authority: Path, security: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    post = Post()
    seen: list[tuple[bytes, bytes]] = []

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"pass-1")

    more: dict[str, Any] = {"authenticator": check}
    if security == "starttls":
        more |= {"tls_context": context, "require_starttls": True, "auth_required": True}
    else:
        more |= {"ssl_context": context, "auth_require_tls": False}

    class Secure(Controller):
        def _trigger_server(self) -> None:
            socket.create_connection((self.hostname, self.port)).close()

    server = Secure(post, hostname="127.0.0.1", port=free_port(), **more)
    server.start()
    try:
        allow(("127.0.0.1", server.port))
        keep(bureau, "email", f"127.0.0.1:{server.port}", security=security, username="kaoji", token="pass-1")
        say("one")
        ring()
        assert outside()[0].sent_at is None, "its certificate is nobody's: not trusted, nothing said"
        assert (post.taken, seen) == ([], [])
        any_app.config["KAOJI_CA_FILE"] = str(authority)
        with transaction() as work:
            work.execute(update(Outbox.__table__).values(not_before=None))
        ring()
    finally:
        server.stop()
    assert len(post.taken) == 1
    assert seen == [(b"kaoji", b"pass-1")]


# what a stranger found -----------------------------------------------------------------------------------------


def test_a_fault_of_any_kind_is_counted_and_given_up(
    bureau: Bureau, robot: Listener, clock: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(("127.0.0.1", robot.port))
    choose(keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC"), "all")
    monkeypatch.setattr(sending, "_call", lambda *_: 1 // 0)
    say(category="supervision")
    for _ in range(MOST_ATTEMPTS):
        ring()
        (row,) = outside()
        clock(leaves(row.not_before or WORKDAY))
    (row,) = outside()
    assert row.given_up_at is not None
    assert "fault of the program" in row.last_error


def test_a_message_that_always_kills_its_worker_is_given_up(
    bureau: Bureau, robot: Listener, clock: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(("127.0.0.1", robot.port))
    choose(keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC"), "all")
    say(category="supervision")
    monkeypatch.setattr(sending, "transmit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    for step in range(MOST_ATTEMPTS):
        clock(WORKDAY + step * timedelta(minutes=2))
        with pytest.raises(KeyboardInterrupt):
            ring()
    clock(WORKDAY + timedelta(minutes=2 * MOST_ATTEMPTS))
    ring()
    assert outside()[0].given_up_at is not None


def test_who_answers_a_letter_at_a_time_is_not_waited_for(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LONGEST", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.2):
                    try:
                        connection.sendall(b"X: y\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        allow(("127.0.0.1", port))
        choose(keep(bureau, "webhook", f"http://127.0.0.1:{port}/hook", secret="SEC"), "all")
        say(category="supervision")
        ring()
        over.set()
        thread.join(10)
        assert not thread.is_alive()
    (row,) = outside()
    assert (row.sent_at, row.attempts) == (None, 1)


def test_a_channel_that_cannot_be_reached_does_not_hold_up_the_others(bureau: Bureau, robot: Listener) -> None:
    dead = free_port()
    allow(("127.0.0.1", robot.port), ("127.0.0.1", dead))
    silent = keep(bureau, "webhook", f"http://127.0.0.1:{dead}/hook", secret="SEC", name="死")
    alive = keep(bureau, "webhook", f"http://127.0.0.1:{robot.port}/hook", secret="SEC", name="活")
    for channel in (silent, alive):
        choose(channel, "all")
    robot.will(*[{}] * 5)
    for number in range(5):
        say(f"k{number}", category="supervision")
    ring()

    assert len(robot.heard) == 5
    attempts = [it.attempts for it in outside() if it.channel_id == silent]
    assert sorted(attempts) == [0, 0, 0, 0, 1], "one attempt tells enough"


@pytest.mark.parametrize(
    "email", ["", "张三@b.cn", "a@b.cn, evil@x.cn", "not-an-address", "a@b.cn\r\nBcc: x@y.cn", "<a@b.cn>"]
)
def test_what_is_no_mail_address_in_the_register_gets_no_mail(
    bureau: Bureau, mail: tuple[Post, int], email: str
) -> None:
    post, port = mail
    allow(("127.0.0.1", port))
    keep(bureau, "email", f"127.0.0.1:{port}")
    say("before")
    person = account_of("lichunxia").subject_id
    with transaction() as work:
        work.execute(update(Person.__table__).where(Person.__table__.c.subject_id == person).values(email=email))
    say("after")
    ring()

    assert post.taken == []
    assert [it.dedup_key for it in outside()] == ["before"]
    assert outside()[0].given_up_at is not None


def test_secrets_do_not_follow_a_channel_to_another_machine(bureau: Bureau) -> None:
    allow(("127.0.0.1", 25), ("10.0.0.9", 25))
    pk = keep(bureau, "email", "127.0.0.1:25", token="pass-1", username="kaoji")
    facts = {"kind": "email", "name": "邮件", "sender": "kaoji@bureau.cn", "username": "kaoji"}

    def change(**more: str) -> None:
        with transaction() as work:
            channels.keep_channel(
                work, work.get_one(Bureau, bureau.id), work.get_one(Channel, pk), {**facts, **more},
                key=config.secret("channel_key"), actor=ADMIN, now=WORKDAY,
            )  # fmt: skip

    for more in ({"address": "10.0.0.9:25"}, {"address": "127.0.0.1:25", "security": "tls"}):
        with pytest.raises(RuleViolation) as refusal:
            change(**more)
        assert refusal.value.field_name == "token"
    with pytest.raises(RuleViolation):
        change(address="127.0.0.1:25", token="密码")
    change(address="127.0.0.1:25")
    change(address="10.0.0.9:25", token="pass-2")
    db.session.expire_all()
    assert unseal(db.session.get_one(Channel, pk).token, config.secret("channel_key")) == "pass-2"


def test_each_bureau_has_its_own_list(bureau: Bureau) -> None:
    mine = Actor(account_id=998, name="本局", roles=frozenset({"system_admin"}), bureau_id=bureau.id)
    other = Actor(account_id=997, name="别局", roles=frozenset({"system_admin"}), bureau_id=bureau.id + 1)
    allow(("all.bureau.cn", 25))
    with transaction() as work:
        channels.allow(work, "mine.bureau.cn", "25", "", actor=mine, now=WORKDAY)

    assert channels.allowed_targets(db.session(), bureau.id) == {("all.bureau.cn", 25), ("mine.bureau.cn", 25)}
    assert channels.allowed_targets(db.session(), bureau.id + 1) == {("all.bureau.cn", 25)}
    host = {it.host: it.id for it in db.session.scalars(select(AllowedHost))}
    for who, name in ((mine, "all.bureau.cn"), (other, "mine.bureau.cn")):
        with pytest.raises(NotPermitted), transaction() as work:
            channels.disallow(work, work.get_one(AllowedHost, host[name]), actor=who, now=WORKDAY)
    with pytest.raises(NotPermitted), transaction() as work:
        channels.keep_channel(work, bureau, None, {}, key="k", actor=other, now=WORKDAY)
    with transaction() as work:
        channels.disallow(work, work.get_one(AllowedHost, host["mine.bureau.cn"]), actor=ADMIN, now=WORKDAY)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "100.100.100.200", "::ffff:169.254.169.254"]
)
def test_an_address_that_sending_refuses_is_not_put_on_the_list(bureau: Bureau, host: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        allow((host, 443))
    assert refusal.value.field_name == "host"
