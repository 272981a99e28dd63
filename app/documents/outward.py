"""A message as it leaves the portal: a mail in text and HTML, or what each robot wants to hear, signed as it asks.

Frozen texts in, bytes out. Sources: WeCom group robots; DingTalk custom robots, signature; Feishu custom robots,
signature; the generic webhook is our own, see docs/channels.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from html import escape
from urllib.parse import quote_plus

# What a robot takes in one message, in bytes: WeCom refuses more than 2048, the others around 20,000.
MOST_WECOM, MOST_OTHERS = 2000, 18_000
SEVEN_BIT = SMTP.clone(cte_type="7bit")  # the oldest mail server of a LAN passes it on unharmed


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said to one person: a number of its own, subject, lines with deadline or blank, where to read on."""

    message_id: str
    to: str
    subject: str
    heading: str
    lines: Sequence[tuple[str, str]]
    footer: str
    link: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a robot: path with its query, headers, body."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def plain_text(letter: Letter) -> str:
    """The letter as text: heading, a line each, where to read on."""
    lines = [f"{number}. {text}{f'（{due}）' if due else ''}" for number, (text, due) in enumerate(letter.lines, 1)]
    return "\n".join([letter.heading, *lines, *([letter.link] if letter.link else []), letter.footer]) + "\n"


def html_text(letter: Letter) -> str:
    """The letter as HTML, readable without any picture or style from outside."""
    rows = "".join(
        f'<tr><td style="padding:6px 12px 6px 0">{escape(text)}</td>'
        f'<td style="padding:6px 0;white-space:nowrap">{escape(due)}</td></tr>'
        for text, due in letter.lines
    )
    link = f'<p><a href="{escape(letter.link)}">{escape(letter.link)}</a></p>' if letter.link else ""
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>'
        f"{escape(letter.subject)}</title></head>"
        '<body style="font:15px/1.7 sans-serif;color:#1b2330">'
        f'<p style="font-weight:bold">{escape(letter.heading)}</p><table>{rows}</table>{link}'
        f'<p style="color:#5b6675;font-size:13px">{escape(letter.footer)}</p></body></html>'
    )


def email(letter: Letter, *, sender: str, sender_name: str, address: str) -> EmailMessage:
    """The letter as a mail; its Message-ID is the letter's own, so that a second copy is known as one."""
    found = EmailMessage(policy=SEVEN_BIT)
    found["From"] = formataddr((sender_name, sender))
    found["To"] = formataddr((letter.to, address))
    found["Subject"] = letter.subject
    found["Date"] = format_datetime(letter.at)
    found["Message-ID"] = f"<{letter.message_id}@{sender.rpartition('@')[2] or 'kaoji.invalid'}>"
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(plain_text(letter))
    found.add_alternative(html_text(letter), subtype="html")
    return found


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _said(letter: Letter, most: int) -> str:
    """What a group reads, in at most so many bytes: to whom it is said stands first; lines left out are counted."""
    shown = len(letter.lines)
    while True:
        left = len(letter.lines) - shown
        part = replace(letter, lines=[*letter.lines[:shown], *([(f"… +{left}", "")] if left else [])])
        text = f"{letter.to}：{plain_text(part)}".strip()
        if len(text.encode()) <= most:
            return text
        if not shown:
            return text.encode()[:most].decode(errors="ignore")
        shown -= 1


def _signature(key: bytes, text: bytes = b"") -> str:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def wecom(letter: Letter, *, path: str, token: str, **_unsigned: object) -> Call:
    """A group robot of WeCom: its key is all there is."""
    body = {"msgtype": "text", "text": {"content": _said(letter, MOST_WECOM)}}
    return Call(f"{path}?key={quote_plus(token)}", _HEADERS, _json(body))


def dingtalk(letter: Letter, *, path: str, token: str, secret: str, at: int) -> Call:
    """A custom robot of DingTalk: stamp and signature stand in the query.

    It is the HMAC-SHA256 of the stamp in milliseconds, a line break and the secret, under the secret.
    """
    query = f"?access_token={quote_plus(token)}"
    if secret:
        stamp = str(at * 1000)
        sign = _signature(secret.encode(), f"{stamp}\n{secret}".encode())
        query += f"&timestamp={stamp}&sign={quote_plus(sign)}"
    return Call(path + query, _HEADERS, _json({"msgtype": "text", "text": {"content": _said(letter, MOST_OTHERS)}}))


def feishu(letter: Letter, *, path: str, token: str, secret: str, at: int) -> Call:
    """A custom robot of Feishu: the key ends the path; the signature stands in the body.

    It is the HMAC-SHA256 of nothing under the stamp in seconds, a line break and the secret.
    """
    body: dict[str, object] = {"msg_type": "text", "content": {"text": _said(letter, MOST_OTHERS)}}
    if secret:
        body = {"timestamp": str(at), "sign": _signature(f"{at}\n{secret}".encode()), **body}
    return Call(f"{path.rstrip('/')}/{quote_plus(token)}" if token else path, _HEADERS, _json(body))


def webhook(letter: Letter, *, path: str, token: str, secret: str, at: int) -> Call:
    """The generic webhook: HMAC-SHA256 in hex of `seconds.body` under the secret, in a header."""
    body = _json({
        "id": letter.message_id, "to": letter.to, "subject": letter.subject, "text": plain_text(letter),
        "link": letter.link,
        "lines": [{"text": text, "due": due} for text, due in letter.lines], "at": letter.at.isoformat(),
    })  # fmt: skip
    sign = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        **_HEADERS, "X-Kaoji-Message": letter.message_id, "X-Kaoji-Timestamp": str(at),
        "X-Kaoji-Signature": f"sha256={sign}",
    }  # fmt: skip
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Call(path, headers, body)


_HEADERS: Mapping[str, str] = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Kaoji"}
ROBOTS = {"wecom": wecom, "dingtalk": dingtalk, "feishu": feishu, "webhook": webhook}
