"""Where the portal may speak to: one form of each address, nothing that is not listed; and what an answer means."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from app.errors import RuleViolation
from app.rules.delivery import (
    MOST_ATTEMPTS,
    WAITS,
    Url,
    check_listed,
    fault_of_answer,
    may_connect,
    read_host,
    read_port,
    read_server,
    read_url,
    wait_after,
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Mail.Bureau.CN.", "mail.bureau.cn"), ("10.1.2.3", "10.1.2.3"), ("[::1]", "::1"), ("localhost", "localhost"),
        ("0:0:0:0:0:0:0:1", "::1"), ("smtp-1.x2.cn", "smtp-1.x2.cn"),
    ],
)  # fmt: skip
def test_a_machine_has_one_form(text: str, host: str) -> None:
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text",
    ["", " ", "2130706433", "0x7f000001", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "1.2.3.4.5", "a..b", "-a.cn",
     "a b", "a/b", "a@b", "a:25", "ｌocalhost", "主机", "x" * 64, "a.0x1"],
)  # fmt: skip
def test_what_is_no_machine_is_refused(text: str) -> None:
    with pytest.raises(RuleViolation):
        read_host(text)


@pytest.mark.parametrize("text", ["0", "65536", "", "-1", "25 ", "２５", "1e3", "000025x"])
def test_odd_ports_are_refused(text: str) -> None:
    with pytest.raises(RuleViolation):
        read_port(text)


def test_addresses_of_servers_and_robots() -> None:
    assert read_server("mail.bureau.cn:25") == ("mail.bureau.cn", 25)
    assert read_server("[::1]:25") == ("::1", 25)
    assert read_url("https://Robot.Bureau.cn/a/b") == Url(True, "robot.bureau.cn", 443, "/a/b")
    assert read_url("http://10.0.0.5:8080").target == ("10.0.0.5", 8080)


@pytest.mark.parametrize(
    "text",
    ["", "ftp://a.cn/x", "file:///etc/passwd", "//a.cn/x", "https://", "https://user@a.cn/", "https://u:p@a.cn/",
     "https://a.cn/x?key=1", "https://a.cn/#x", "https://a.cn:0x50/", "https://a.cn:99999/", "javascript:alert(1)",
     "https://a.cn\\@b.cn/", "https://127.1/", "https://2130706433/", "http://[::1", "https://a.cn/\r\nX: y"],
)  # fmt: skip
def test_what_is_no_address_of_a_robot_is_refused(text: str) -> None:
    with pytest.raises(RuleViolation) as refusal:
        read_url(text)
    assert refusal.value.field_name == "address"


def test_only_the_very_machine_and_port_of_the_list() -> None:
    listed = {("mail.bureau.cn", 25)}
    check_listed(("mail.bureau.cn", 25), listed)
    for other in (("mail.bureau.cn", 26), ("bureau.cn", 25), ("127.0.0.1", 25)):
        with pytest.raises(RuleViolation):
            check_listed(other, listed)


@pytest.mark.parametrize(
    ("address", "host", "may"),
    [
        ("10.1.2.3", "mail.bureau.cn", True), ("192.168.1.9", "mail.bureau.cn", True), ("8.8.8.8", "mail.bureau.cn", True),
        ("fd12::5", "mail.bureau.cn", True), ("127.0.0.1", "mail.bureau.cn", False), ("::1", "mail.bureau.cn", False),
        ("::ffff:127.0.0.1", "mail.bureau.cn", False), ("127.8.8.8", "mail.bureau.cn", False),
        ("169.254.169.254", "mail.bureau.cn", False), ("::ffff:169.254.169.254", "mail.bureau.cn", False),
        ("100.100.100.200", "mail.bureau.cn", False), ("fe80::1%eth0", "mail.bureau.cn", False),
        ("0.0.0.0", "mail.bureau.cn", False), ("::", "mail.bureau.cn", False), ("224.0.0.1", "mail.bureau.cn", False),
        ("240.0.0.1", "mail.bureau.cn", False), ("fd00:ec2::254", "mail.bureau.cn", False),
        ("127.0.0.1", "127.0.0.1", True), ("::1", "localhost", True), ("127.0.0.1", "localhost", True),
        ("169.254.169.254", "localhost", False), ("::ffff:127.0.0.1", "localhost", True),
    ],
)  # fmt: skip
def test_what_a_name_stands_for_is_looked_at(address: str, host: str, may: bool) -> None:
    target = (host, 25)
    assert may_connect(address, target, {target}) is may


def test_the_own_machine_needs_its_own_place_on_the_list() -> None:
    assert not may_connect("127.0.0.1", ("localhost", 25), {("localhost", 26)})


def test_waits_grow_and_then_it_is_given_up() -> None:
    found = [wait_after(it) for it in range(1, MOST_ATTEMPTS + 1)]

    assert found == [*WAITS, None]
    assert list(WAITS) == sorted(WAITS)
    assert timedelta(hours=12) < sum(WAITS, timedelta()) < timedelta(days=2)


@pytest.mark.parametrize(
    ("kind", "status", "body", "is_good"),
    [
        ("wecom", 200, {"errcode": 0, "errmsg": "ok"}, True), ("wecom", 200, {"errcode": 93000}, False),
        ("dingtalk", 200, {"errcode": 0}, True), ("dingtalk", 200, {"errcode": 310000}, False),
        ("feishu", 200, {"code": 0}, True), ("feishu", 200, {"StatusCode": 0, "StatusMessage": "success"}, True),
        ("feishu", 200, {"code": 19001}, False), ("feishu", 200, {"StatusCode": 1}, False),
        ("wecom", 200, {}, False), ("wecom", 200, [], False), ("wecom", 200, {"errcode": "0"}, False),
        ("wecom", 200, {"errcode": False}, False), ("wecom", 500, {"errcode": 0}, False),
        ("wecom", 302, {"errcode": 0}, False), ("webhook", 204, None, True), ("webhook", 302, None, False),
        ("webhook", 404, None, False), ("webhook", 200, {"errcode": 1}, True),
    ],
)  # fmt: skip
def test_an_answer_of_a_robot(kind: str, status: int, body: object, is_good: bool) -> None:
    fault = fault_of_answer(kind, status, json.dumps(body).encode())

    assert (fault is None) is is_good


def test_an_answer_that_is_no_json_says_nothing() -> None:
    assert fault_of_answer("wecom", 200, b"<html>") is not None
    assert fault_of_answer("wecom", 200, b"\xff\xfe") is not None
