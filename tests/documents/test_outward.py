"""Messages as they leave the portal: mails a program can read, and what each robot wants to hear, signed its way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from urllib.parse import parse_qs, urlsplit

from app.documents import outward
from app.documents.outward import Letter

LETTER = Letter(
    "abc123", "李春霞", "【考绩】2 件事项需要处理", "2 件事项：<b>快检室</b>", (("督办一号 & 整改", "2026-11-30"), ("第二件", "")),
    "请勿回复", "http://10.1.2.3:8080/", datetime(2026, 11, 24, 0, 30, tzinfo=UTC),
)  # fmt: skip
AT = 1_795_480_200


def test_a_mail_in_text_and_html() -> None:
    raw = outward.email(LETTER, sender="kaoji@bureau.cn", sender_name="考绩", address="li@bureau.cn").as_bytes()
    found = message_from_bytes(raw, policy=default)

    assert (found["Subject"], found["Message-ID"]) == ("【考绩】2 件事项需要处理", "<abc123@bureau.cn>")
    assert [(it.display_name, it.addr_spec) for it in found["To"].addresses] == [("李春霞", "li@bureau.cn")]
    text, html = (found.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "1. 督办一号 & 整改（2026-11-30）" in text
    assert "2. 第二件" in text
    assert "督办一号 &amp; 整改" in html
    assert "&lt;b&gt;快检室&lt;/b&gt;" in html
    assert "<b>" not in html
    assert raw.isascii()


def test_a_name_cannot_add_a_header() -> None:
    evil = Letter(**{**{it: getattr(LETTER, it) for it in Letter.__slots__}, "to": "李\r\nBcc: x@y.cn"})
    try:
        raw = outward.email(evil, sender="k@b.cn", sender_name="考绩", address="li@b.cn").as_bytes()
    except ValueError:
        return
    assert b"\nBcc" not in raw


def test_wecom() -> None:
    call = outward.wecom(LETTER, path="/cgi-bin/webhook/send", token="k/1", secret="", at=AT)
    said = json.loads(call.body)

    assert call.path == "/cgi-bin/webhook/send?key=k%2F1"
    assert said["msgtype"] == "text"
    assert said["text"]["content"].startswith("李春霞：2 件事项")


def test_dingtalk_signs_in_the_query() -> None:
    call = outward.dingtalk(LETTER, path="/robot/send", token="t", secret="SEC1", at=AT)
    query = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
    digest = hmac.new(b"SEC1", f"{AT * 1000}\nSEC1".encode(), hashlib.sha256).digest()

    assert query == {"access_token": "t", "timestamp": str(AT * 1000), "sign": base64.b64encode(digest).decode()}
    assert "sign" not in outward.dingtalk(LETTER, path="/robot/send", token="t", secret="", at=AT).path


def test_feishu_signs_in_the_body() -> None:
    call = outward.feishu(LETTER, path="/open-apis/bot/v2/hook", token="t1", secret="SEC2", at=AT)
    said = json.loads(call.body)
    digest = hmac.new(f"{AT}\nSEC2".encode(), b"", hashlib.sha256).digest()

    assert call.path == "/open-apis/bot/v2/hook/t1"
    assert (said["timestamp"], said["sign"]) == (str(AT), base64.b64encode(digest).decode())
    assert "sign" not in json.loads(outward.feishu(LETTER, path="/x", token="", secret="", at=AT).body)


def test_the_webhook_signs_stamp_and_body_in_a_header() -> None:
    call = outward.webhook(LETTER, path="/hook", token="", secret="SEC3", at=AT)
    sign = hmac.new(b"SEC3", f"{AT}.".encode() + call.body, hashlib.sha256).hexdigest()

    assert call.headers["X-Kaoji-Signature"] == f"sha256={sign}"
    assert (call.headers["X-Kaoji-Message"], call.headers["X-Kaoji-Timestamp"]) == ("abc123", str(AT))
    said = json.loads(call.body)
    assert (said["to"], said["subject"]) == ("李春霞", "【考绩】2 件事项需要处理")
    assert said["lines"] == [{"text": "督办一号 & 整改", "due": "2026-11-30"}, {"text": "第二件", "due": ""}]
    assert outward.webhook(LETTER, path="/", token="b", secret="s", at=AT).headers["Authorization"] == "Bearer b"


def test_what_is_too_long_for_a_robot_is_cut_and_counted() -> None:
    lines = [(f"督办〔2026〕{number}号 节前市场检查与整改事项逐项落实情况反馈", "2026-11-30") for number in range(60)]
    letter = Letter(**{**{it: getattr(LETTER, it) for it in Letter.__slots__}, "lines": lines})

    said = json.loads(outward.wecom(letter, path="/", token="k").body)["text"]["content"]

    assert len(said.encode()) <= outward.MOST_WECOM
    shown = sum(f"{number}号 节前" in said for number in range(60))
    assert 10 < shown < 60
    assert f"… +{60 - shown}" in said
    assert said.endswith("请勿回复")
    whole = json.loads(outward.dingtalk(letter, path="/", token="k", secret="", at=AT).body)["text"]["content"]
    assert "59号" in whole
