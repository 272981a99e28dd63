"""What people type comes in through one door: strange characters, blanks of no width, numbers of many spellings."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook

from app.documents.workbook_writer import write_table
from app.extensions import db
from app.models import Unit
from app.rules.texts import illegal_in, legal, seen

SignIn = Callable[[str], FlaskClient]
STRANGE = ["\0", "\x07", "\x0b", "\x1f", "\x7f", "\x9f", "\ufdd0", "\ufffe", "\uffff", "\U0001ffff", "\U0010fffe"]


@pytest.mark.parametrize("character", STRANGE)
def test_a_character_no_file_may_hold_is_refused_at_every_door(app: Flask, sign_in: SignIn, character: str) -> None:
    office = sign_in("assessment_office")
    anonymous = app.test_client()

    answers = [
        anonymous.post("/login/", data={"username": f"a{character}", "password": "x"}),
        office.post("/unitview/add", data={"code": "9", "name": f"科{character}室", "kind": "department"}),
        office.get("/unitview/list/", query_string={"name": f"a{character}"}),
        office.get(f"/unitview/show/{character}"),
        office.post("/import/upload", data={"file": (io.BytesIO(b"x"), f"a{character}.xlsx")}),
        office.post("/opinionview/say", data={"item": "unit:1", "kind": "comment", "content": f"x{character}"}),
    ]

    assert [it.status_code for it in answers] == [400] * len(answers)
    said = answers[1].get_data(as_text=True)
    assert f"U+{ord(character):04X}" in said
    assert "“科□室”" in said, "what was typed is shown, not the name of a field"
    assert "考绩" in said and "王晓岚" in said, "on a page of the portal"


@pytest.mark.parametrize("character", STRANGE)
def test_every_export_leaves_it_out_where_it_was_stored_before(character: str) -> None:
    content = write_table(f"表{character}", [f"名{character}"], [[f"文{character}本"]])

    page = load_workbook(io.BytesIO(content)).active
    assert page is not None
    assert [cell.value for row in page.iter_rows() for cell in row] == ["名", "文本"]


@pytest.mark.parametrize("blank", ["   ", "\u3000", "\u200b\u200b", "\u202e ", "\ufeff", "\u2063\u00ad"])
def test_a_text_of_nothing_to_see_is_no_text(app: Flask, sign_in: SignIn, blank: str) -> None:
    answer = sign_in("assessment_office").post(
        "/unitview/add", data={"code": "98", "name": blank, "kind": "department"}
    )

    assert answer.status_code == 200, "the form again, with its fault"
    assert db.session.query(Unit).filter_by(name=blank.strip()).count() == 0


def test_marks_of_direction_make_no_second_name() -> None:
    assert seen("张\u202e三\u200b") == "张三"
    assert seen(" 张 三 ") == " 张 三 "
    assert (illegal_in("a\tb\r\nc"), illegal_in("a\ud800")) == (None, "U+D800")
    assert legal("a\uffffb\x00") == "ab"


@pytest.mark.parametrize(
    "number",
    ["0000000100000000", "00025", "+25", " 25", "25 ", "２５", "2_5", "1e3", "0x19", "-1", "9" * 30, "9" * 5000],
)
def test_a_number_has_one_spelling(app: Flask, sign_in: SignIn, number: str) -> None:
    office = sign_in("assessment_office")

    assert office.get("/unitview/list/", query_string={"size": number}).status_code == 400
    assert office.get("/unitview/list/", query_string={"page": number}).status_code == 400
    for address in ("/unitview/show/", "/taskview/show/", "/files/download/", "/taskview/slip/", "/voucherview/ask/",
                    "/bulletinview/show/", "/runview/show/", "/import/"):  # fmt: skip
        found = office.get(f"{address}{number}")
        assert found.status_code == 404, (address, number[:20])
    assert office.post("/saved/forget/" + number).status_code in (403, 404)


@pytest.mark.parametrize("number", ["2147483648", "99999999999999999999"])
def test_a_key_no_table_holds_is_not_there(app: Flask, sign_in: SignIn, number: str) -> None:
    office = sign_in("assessment_office")
    for address in ("/import/{}", "/import/{}/errors.xlsx", "/unitview/show/{}"):
        assert office.get(address.format(number)).status_code == 404, address
    assert office.post(f"/sessions/end/{number}").status_code == 404


@pytest.mark.parametrize(
    "number", ["1e999", "Infinity", "-inf", "sNaN", "NaN", "1,000", "0x10", "1e-60", "९", "1" * 40]
)
def test_what_is_no_exact_number_is_a_fault_at_its_field(app: Flask, sign_in: SignIn, number: str) -> None:
    office = sign_in("assessment_office")
    answer = office.post(
        "/clauseview/add", data={"code": "Z.1", "text": "x", "effect": "award", "pricing": "fixed", "price": number}
    )

    assert answer.status_code == 200
    assert 'id="price-err"' in answer.get_data(as_text=True) or "k-err" in answer.get_data(as_text=True)
