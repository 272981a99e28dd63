"""Where the portal may speak to, how long it waits before it tries again, and what an answer means.

An address is a machine and a port that an administrator has listed, written in the one form the list holds; nothing
else is ever connected to. Source: trust demand WB-10, mission E3.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from app.errors import N_, Message, RuleViolation

PORTS: Mapping[str, int] = {"http": 80, "https": 443}
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Where clouds answer questions about themselves; never a channel of a bureau.
METADATA = frozenset({"100.100.100.200", "168.63.129.16", "fd00:ec2::254"})
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9._~/%@:+=,;!*()-]*", re.ASCII)
# Waits between attempts; after the last the message is given up. Together about a day.
WAITS = tuple(timedelta(minutes=it) for it in (1, 5, 15, 60, 180, 360, 720))
MOST_ATTEMPTS = len(WAITS) + 1
Target = tuple[str, int]
NO_URL = N_("An address is written as https://machine:port/path, without the key.")


@dataclass(frozen=True, slots=True)
class Url:
    """Where a robot listens: whether it is spoken to under TLS, machine, port, path."""

    is_tls: bool
    host: str
    port: int
    path: str

    @property
    def target(self) -> Target:
        return self.host, self.port


def read_host(text: str) -> str:
    """A machine's name or address in its one form: small letters, addresses as they are written by the book.

    Numbers that some programs take for an address (`2130706433`, `127.1`, `0x7f.0.0.1`) are refused.
    """
    host = text.strip().strip("[]").lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.split(".")
    is_name = 0 < len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    if not is_name or re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1], re.ASCII):
        raise RuleViolation(N_("“%(host)s” is no name or address of a machine.", host=text[:60]), field_name="host")
    return host


def read_port(text: str) -> int:
    """A port, 1 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise RuleViolation(N_("A port is a number from 1 to 65535."), field_name="port")
    return int(text)


def read_server(text: str) -> Target:
    """`mail.bureau.cn:25`: machine and port of a mail server."""
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        raise RuleViolation(N_("A mail server is written as machine:port."), field_name="address")
    try:
        return read_host(host), read_port(port)
    except RuleViolation as fault:
        raise RuleViolation(fault.message, field_name="address") from None


def read_url(text: str) -> Url:
    """`https://machine:port/path`: where a robot listens, without its key; no user, query or fragment."""
    fault = RuleViolation(NO_URL, field_name="address")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise fault from None
    if parts.scheme not in PORTS or not parts.hostname or parts.username or parts.password:
        raise fault
    if parts.query or parts.fragment or "@" in parts.netloc or not _PATH.fullmatch(parts.path):
        raise fault
    try:
        host = read_host(parts.hostname)
    except RuleViolation as refused:
        raise RuleViolation(refused.message, field_name="address") from None
    return Url(parts.scheme == "https", host, port or PORTS[parts.scheme], parts.path or "/")


def is_mail_address(text: str) -> bool:
    """Whether a text is one mail address and nothing else."""
    return len(text) <= 200 and _MAIL.fullmatch(text) is not None


def check_listed(target: Target, allowed: Collection[Target]) -> None:
    """Refuse a machine and port that the list does not hold."""
    if target not in allowed:
        host, port = target
        raise RuleViolation(
            N_("The list of machines the portal may speak to has no %(host)s:%(port)s.", host=host, port=port),
            field_name="address",
        )


def may_connect(address: str, target: Target, allowed: Collection[Target]) -> bool:
    """Whether the address a listed name stands for may be connected to.

    The own machine only where the list names it as what it is; addresses of the link, of many, of nothing, and those
    at which clouds describe themselves never. An IPv4 address in IPv6 clothes counts as what it is.
    """
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped if mapped is not None else found
    if found.is_link_local or found.is_multicast or found.is_unspecified or str(found) in METADATA:
        return False
    if found.is_reserved and not found.is_loopback:
        return False
    return not found.is_loopback or (target[0] in LOOPBACK_NAMES and target in allowed)


def may_list(host: str, port: int) -> bool:
    """Whether a machine may be put on the list: a name, or an address that sending would not refuse."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return True
    return may_connect(host.strip("[]"), (host, port), {(host, port)})


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts; None: it is given up."""
    return WAITS[attempts - 1] if attempts <= len(WAITS) else None


def fault_of_answer(kind: str, status: int, body: bytes) -> Message | None:
    """Why an answer means that nothing was said; None where it was.

    Robots answer 200 and put their refusal into the body: WeCom and DingTalk `errcode`, Feishu `code` (or, in its
    older form, `StatusCode`). A redirect is a refusal. The body itself is never shown.
    """
    if not 200 <= status < 300:
        return N_("It answered with status %(status)s.", status=status)
    if kind == "webhook":
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    names = ("code", "StatusCode") if kind == "feishu" else ("errcode",)
    code = next((answer[name] for name in names if name in answer), None) if isinstance(answer, dict) else None
    if isinstance(code, bool) or not isinstance(code, int):
        return N_("Its answer was not understood.")
    return None if code == 0 else N_("It refused with code %(code)s.", code=code)
