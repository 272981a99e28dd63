"""Passwords are hashed in turn, outside every writing transaction, and nobody waits long for his turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import extensions
from app.security import hashing
from app.services.accounts import passwords, sign_in

Accounts = dict[str, tuple[str, str]]


def test_one_hashes_one_waits_and_the_third_hears_it() -> None:
    order: list[str] = []
    first_has_turn, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with hashing.turn():
            first_has_turn.set()
            go_on.wait(10)
            order.append("first")

    def second() -> None:
        with hashing.turn():
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert first_has_turn.wait(10)
    threads[1].start()
    while hashing._place._value:  # the second has taken the one place for waiting
        pass
    with pytest.raises(hashing.Crowded), hashing.turn():
        order.append("third")
    go_on.set()
    for thread in threads:
        thread.join(10)

    assert order == ["first", "second"]
    with hashing.turn():
        order.append("later")


def test_who_finds_no_turn_keeps_his_name_and_hears_when_to_come_back(
    app: Flask, sample: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_place", threading.BoundedSemaphore(1))
    hashing._place.acquire()

    answer = app.test_client().post("/login/", data={"username": "wangxiaolan", "password": "x"})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(hashing.RETRY_AFTER)
    page = answer.get_data(as_text=True)
    assert 'value="wangxiaolan"' in page
    assert "请过几秒重新输入密码" in page


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every use of the hash, and that none holds the lock of writing meanwhile."""
    used: list[str] = []

    def watch(module: ModuleType, name: str) -> None:
        real = getattr(module, name)

        def hashed(*args: Any, **more: Any) -> Any:
            assert not extensions.is_writing(), f"{name} inside a writing transaction"
            used.append(name)
            return real(*args, **more)

        monkeypatch.setattr(module, name, hashed)

    for module in (passwords, sign_in):
        watch(module, "check_password_hash")
        watch(module, "generate_password_hash")
    return used


def test_no_page_hashes_inside_its_writing_transaction(
    app: Flask, sample: Accounts, sign_in: Callable[[str], FlaskClient], watched: list[str]
) -> None:
    staff = sign_in("staff")
    old = sample["staff"][1]
    changed = staff.post("/password/", data={"current": old, "password": "Xin-mi.ma88", "repeated": "Xin-mi.ma88"})
    assert changed.status_code == 302
    admin = sign_in("system_admin")
    listed = admin.get("/accountview/list/").get_data(as_text=True)
    issue = listed.split("/accountview/issue/")[1].split('"')[0]
    assert admin.post(f"/accountview/issue/{issue}").status_code == 200

    assert watched.count("generate_password_hash") == 2
    assert watched.count("check_password_hash") == 4
