"""Trust demands AU-01 and AU-02."""

import pytest

from app.rules.passwords import bureau_words, canonical_username, classes_of, fault_of, new_password

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
        "Aa12345678",
        "Bqwertzu-7x",
        "Oaaaaa-9-Zz",
        "xX-98765-xX",
        "Admin123456",
        "Password!!!",
        "Aa1" + "x" * 126,
    ],
)
def test_bad_passwords_are_refused(password: str) -> None:
    assert fault_of(password, username="zhangsan", common=COMMON) is not None


@pytest.mark.parametrize("password", ["Tian-qi-hao9", "xyxz" * 30 + "A1", "考核要公平Aa1考核要公平"])
def test_good_passwords_pass(password: str) -> None:
    assert fault_of(password, username="zhangsan", common=COMMON) is None


def test_issued_passwords_meet_the_policy() -> None:
    for _ in range(50):
        password = new_password()
        assert fault_of(password, username="someone", common=COMMON) is None
        assert classes_of(password) == 4


@pytest.mark.parametrize(
    "password", ["Ganshui-gsj-1x", "GSJ_hao-hao-7", "Chun-2026-xia", "绍兴的Hao-ren7x", "工商行政管理Aa-1x7"]
)
def test_words_of_the_bureau_and_the_year_are_refused(password: str) -> None:
    words = bureau_words("gsj", ["绍兴县工商行政管理局"], 2026)

    assert fault_of(password, username="zhangsan", common=COMMON, words=words) is not None
    assert fault_of(password, username="zhangsan", common=COMMON) is None


def test_names_are_compared_folded() -> None:
    assert {canonical_username(it) for it in ("zhang", "ZHANG", "ｚｈａｎｇ", " Zhang ")} == {"zhang"}


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("Tianqi-9h", "The password needs at least 10 characters."),
        ("Tianqi-9ha", None),
        ("Aa1" + "xyxzx" * 25, None),
        ("Aa1" + "xyxzx" * 25 + "y", "The password must not exceed 128 characters."),
        ("tianqihao9", "The password needs three of: lower case, upper case, digits, other characters."),
        ("9-TIANQIHAO", None),
        ("Tianqi-ZhangSan", "The password must not contain the user name."),
        ("Password!1!", "The password is among the most common ones."),
        ("Jsgs@2013", "The password needs at least 10 characters."),
        ("JSGs@2013AA", None),
        ("Jsgs@2013!!", "The password is among the most common ones."),
    ],
)
def test_what_is_wrong_with_a_password_is_named(password: str, sentence: str | None) -> None:
    fault = fault_of(password, username=" ZHANGSAN ", common=COMMON | {"jsgs@2013!!"})

    assert (None if fault is None else str(fault)) == sentence


def test_an_account_without_a_name_is_in_no_password() -> None:
    assert fault_of("Tian-qi-hao9", username="  ", common=COMMON) is None


@pytest.mark.parametrize(
    ("password", "classes"), [("", 0), ("abc", 1), ("aB", 2), ("aB1", 3), ("aB1-", 4), ("考", 1), ("--", 1), ("1A", 2)]
)
def test_classes_of_characters_are_counted(password: str, classes: int) -> None:
    assert classes_of(password) == classes


def test_issued_passwords_have_the_length_asked_for_and_no_letters_that_look_alike() -> None:
    assert len(new_password()) == 14
    issued = "".join(new_password(10) for _ in range(400))

    assert len(issued) == 4000
    assert set(issued) <= set("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_+=@#%")


def test_the_shortest_issued_password_still_has_one_character_of_each_class() -> None:
    for _ in range(200):
        password = new_password(4)
        assert (len(password), classes_of(password)) == (4, 4)
