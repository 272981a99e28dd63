"""Trust demands AU-01 and AU-02."""

import pytest

from app.rules.passwords import canonical_username, classes_of, fault_of, new_password

COMMON = frozenset({"admin", "password", "jsgs@2013"})


@pytest.mark.parametrize(
    "password",
    [
        "short1A",
        "alllowercase",
        "ALLUPPER123",
        "1234567890",
        "Zhangsan#1xx",
        "ｚｈａｎｇｓａｎ#Aa1",
        "Admin123456",
        "Password!!!",
        "Aa1" + "x" * 126,
    ],
)
def test_bad_passwords_are_refused(password: str) -> None:
    assert fault_of(password, username="zhangsan", common=COMMON) is not None


@pytest.mark.parametrize("password", ["Tian-qi-hao9", "x" * 60 + "A1", "考核要公平Aa1考核要公平"])
def test_good_passwords_pass(password: str) -> None:
    assert fault_of(password, username="zhangsan", common=COMMON) is None


def test_issued_passwords_meet_the_policy() -> None:
    for _ in range(50):
        password = new_password()
        assert fault_of(password, username="someone", common=COMMON) is None
        assert classes_of(password) == 4


def test_names_are_compared_folded() -> None:
    assert {canonical_username(it) for it in ("zhang", "ZHANG", "ｚｈａｎｇ", " Zhang ")} == {"zhang"}
