"""Workbooks as offices make them: read as somebody sees them who opens the file, or refused at the cell.

Every kind is made at every sheet and column of the layout.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from app.documents.layout import Column, Layout, Sheet, layout
from app.documents.workbook_reader import read_workbook
from app.documents.workbook_writer import with_errors
from app.errors import RuleViolation
from app.services.workbook.rows import NUMBERS, Problem, Row, parse_rows

SHEETS = list(layout().sheets.values())
NUMERIC = ("points", "price", "percent", "measured", "int", "nat")


def sound(column: Column, of: Layout) -> object:
    """A value a column of this type takes."""
    if column.type in of.choices:
        return next(iter(of.choices[column.type]))
    return {
        "date": date(2026, 4, 1), "period": "2026-03", "limit": 5, "list": "甲;乙", "text": "文字", "code": "A1",
    }.get(column.type, 2)  # fmt: skip


def made(sheet: Sheet, rows: list[list[Any]], change: Callable[[Any], None] | None = None) -> bytes:
    """A workbook of one sheet with labels, keys and rows; `change` has its last word on the page."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet.name
    page.append([column.label for column in sheet.columns])
    page.append([column.key for column in sheet.columns])
    for row in rows:
        page.append(row)
    if change is not None:
        change(page)
    return packed(book)


def packed(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def raw(content: bytes, replace: Callable[[bytes], bytes]) -> bytes:
    """The file with the text of its first sheet changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, replace(data) if name.endswith("sheet1.xml") else data)
    return out.getvalue()


def row_of(sheet: Sheet) -> list[object]:
    return [sound(column, layout()) for column in sheet.columns]


def parsed(content: bytes, sheet: Sheet) -> tuple[list[Row], list[Problem]]:
    found = read_workbook(content, layout())
    assert not found.faults
    assert not found.unread
    rows, problems = parse_rows(found.rows, layout())
    return rows[sheet.key], problems


def at(problems: list[Problem]) -> set[tuple[int | None, str | None]]:
    return {(problem.row, problem.column) for problem in problems}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.key)
class TestEverySheet:
    """A kind of file at every column of a sheet."""

    def test_the_sound_row_is_read(self, sheet: Sheet) -> None:
        rows, problems = parsed(made(sheet, [row_of(sheet)]), sheet)

        assert not problems
        assert set(rows[0].values) == {column.key for column in sheet.columns}

    def test_a_formula_without_result_is_a_fault_at_its_cell(self, sheet: Sheet) -> None:
        kinds = {"3": "<f>1+2</f>", "4": "<f>1+2</f><v></v>", "5": '<f t="shared" si="0"/><v/>'}

        def empty(cell: re.Match[bytes]) -> bytes:
            place = cell[1] + cell[2]
            return b'<c r="' + place + b'">' + kinds[cell[2].decode()].encode() + b"</c>"

        content = raw(
            made(sheet, [row_of(sheet)] * 3),
            lambda text: re.sub(rb'<c r="([A-Z]+)([345])"[^>]*>.*?</c>', empty, text),
        )

        _, problems = parsed(content, sheet)

        assert at(problems) == {(row, column.key) for column in sheet.columns for row in (3, 4, 5)}

    def test_an_error_value_is_a_fault_at_its_cell(self, sheet: Sheet) -> None:
        content = made(sheet, [["#DIV/0!"] * len(sheet.columns)], as_errors)

        _, problems = parsed(content, sheet)

        assert at(problems) == {(3, column.key) for column in sheet.columns}

    def test_marks_are_no_digits(self, sheet: Sheet) -> None:
        wanted = [column for column in sheet.columns if column.type in {*NUMBERS, "date", "period", "yesno"}]
        rows = [
            [f"3{mark}" if column in wanted else sound(column, layout()) for column in sheet.columns]
            for mark in ("①", "²", "㊣", "½")
        ]

        _, problems = parsed(made(sheet, rows), sheet)

        assert at(problems) == {(row, column.key) for column in wanted for row in range(3, 7)}

    def test_full_width_is_read_narrow(self, sheet: Sheet) -> None:
        wide = {ord(narrow): ord(narrow) + 0xFEE0 for narrow in "0123456789-.ABCQ;=:|"}
        plain = [str(value) if not isinstance(value, date) else "2026-04-01" for value in row_of(sheet)]

        rows, problems = parsed(made(sheet, [[text.translate(wide) for text in plain]]), sheet)

        assert not problems
        assert rows[0].values == parsed(made(sheet, [row_of(sheet)]), sheet)[0][0].values

    @pytest.mark.parametrize("code", ["Title", "star", "blank", "label"])
    def test_a_damaged_key_is_known_all_the_same(self, sheet: Sheet, code: str) -> None:
        def damage(page: Any) -> None:
            for index, column in enumerate(sheet.columns, 1):
                page.cell(2, index).value = {
                    "Title": column.key.title(), "star": f"{column.key} *", "blank": f" {column.key}　",
                    "label": column.label,
                }[code]  # fmt: skip

        rows, problems = parsed(made(sheet, [row_of(sheet)], damage), sheet)

        assert not problems
        assert len(rows[0].values) == len(sheet.columns)

    @pytest.mark.parametrize("above", [1, 8])
    def test_keys_are_found_below_titles(self, sheet: Sheet, above: int) -> None:
        def put_above(page: Any) -> None:
            page.insert_rows(1, above)
            page.cell(1, 1, "局台账")

        rows, problems = parsed(made(sheet, [row_of(sheet)], put_above), sheet)

        assert not problems
        assert [row.number for row in rows] == [3 + above]

    def test_labels_stand_in_where_the_keys_are_gone(self, sheet: Sheet) -> None:
        rows, problems = parsed(made(sheet, [row_of(sheet)], lambda page: page.delete_rows(2)), sheet)

        assert not problems
        assert len(rows[0].values) == len(sheet.columns)

    def test_a_sheet_without_keys_is_a_fault(self, sheet: Sheet) -> None:
        found = read_workbook(made(sheet, [row_of(sheet)], lambda page: page.delete_rows(1, 2)), layout())

        assert [(fault.sheet, fault.column) for fault in found.faults] == [(sheet.key, None)]

    def test_a_needed_column_that_is_missing_is_a_fault_and_an_unknown_one_is_told(self, sheet: Sheet) -> None:
        needed = [index for index, column in enumerate(sheet.columns, 1) if column.is_required]

        def rename(page: Any) -> None:
            for index in needed:
                page.cell(1, index).value = page.cell(2, index).value = f"别的{index}"

        content = made(sheet, [row_of(sheet)], rename)
        found = read_workbook(content, layout())

        if len(needed) * 2 >= len(sheet.columns):
            assert [fault.column for fault in found.faults] == [None], "too little is left to know the row of keys"
        else:
            assert [fault.column for fault in found.faults] == [sheet.columns[index - 1].key for index in needed]
            assert [place.column for place in found.unread] == [f"别的{index}" for index in needed]

    def test_two_columns_of_one_key_are_a_fault(self, sheet: Sheet) -> None:
        last = len(sheet.columns) + 1
        content = made(sheet, [[*row_of(sheet), "x"]], lambda page: page.cell(2, last, sheet.columns[0].key))

        found = read_workbook(content, layout())

        assert [(fault.row, fault.column) for fault in found.faults] == [(2, sheet.columns[0].key)]

    @pytest.mark.parametrize("state", ["visible", "veryHidden"])
    def test_two_sheets_of_one_key_are_a_fault(self, sheet: Sheet, state: str) -> None:
        book = load_workbook(io.BytesIO(made(sheet, [row_of(sheet)])))
        other = book.copy_worksheet(book.worksheets[0])
        other.title, other.sheet_state = sheet.key, state
        book.move_sheet(other, -1)

        found = read_workbook(packed(book), layout())

        assert [(fault.sheet, fault.row) for fault in found.faults] == [(sheet.key, None)]

    def test_a_merge_is_filled_down_or_a_fault(self, sheet: Sheet) -> None:
        def merge(page: Any) -> None:
            for index in range(2, len(sheet.columns) + 1):
                page.merge_cells(start_row=3, end_row=5, start_column=index, end_column=index)

        rows, problems = parsed(made(sheet, [row_of(sheet)] * 3, merge), sheet)

        numbers = {column.key for column in sheet.columns[1:] if column.type in NUMBERS}
        assert at(problems) == {(row, key) for row in (4, 5) for key in numbers}
        for row in rows[1:]:
            same = {key: value for key, value in rows[0].values.items() if key not in numbers}
            assert {key: value for key, value in row.values.items() if key not in numbers} == same

    def test_a_merge_to_the_side_is_a_fault(self, sheet: Sheet) -> None:
        last = len(sheet.columns)
        content = made(
            sheet,
            [row_of(sheet)],
            lambda page: page.merge_cells(start_row=3, end_row=3, start_column=1, end_column=last),
        )

        _, problems = parsed(content, sheet)

        assert at(problems) >= {(3, column.key) for column in sheet.columns[1:]}

    def test_percentages_are_read_as_shown_or_refused(self, sheet: Sheet) -> None:
        wanted = [column for column in sheet.columns if column.type in NUMERIC]

        def show(page: Any) -> None:
            for index, column in enumerate(sheet.columns, 1):
                if column in wanted:
                    page.cell(3, index).value, page.cell(3, index).number_format = 0.4, "0.0%"

        rows, problems = parsed(made(sheet, [row_of(sheet)], show), sheet)

        for column in wanted:
            if (3, column.key) not in at(problems):
                expected = 40 if column.type == "percent" else "0.4"
                assert str(rows[0].values[column.key]) == str(expected), column.key
                assert column.type == "percent" or column.key == "quantity"

    def test_codes_keep_their_zeros_and_long_numbers_are_refused(self, sheet: Sheet) -> None:
        codes = [index for index, column in enumerate(sheet.columns, 1) if column.type == "code"]

        def show(page: Any) -> None:
            for index in codes:
                page.cell(3, index).value, page.cell(3, index).number_format = 7, "000"
                page.cell(4, index).value = 12345678901234567890

        rows, problems = parsed(made(sheet, [row_of(sheet)] * 2, show), sheet)

        keys = {sheet.columns[index - 1].key for index in codes}
        assert all(rows[0].values[key] == "007" for key in keys)
        assert at(problems) == {(4, key) for key in keys}

    def test_noise_of_formulas_is_no_digit(self, sheet: Sheet) -> None:
        wanted = [
            index for index, column in enumerate(sheet.columns, 1) if column.type in ("points", "measured", "percent")
        ]

        def show(page: Any) -> None:
            for index in wanted:
                page.cell(3, index).value = 0.1 + 0.2

        rows, problems = parsed(made(sheet, [row_of(sheet)], show), sheet)

        assert not problems
        assert all(str(rows[0].values[sheet.columns[index - 1].key]) == "0.3" for index in wanted)

    def test_days_as_people_write_them(self, sheet: Sheet) -> None:
        texts = [
            "2026/4/1", "2026.4.1", "2026-4-1", "2026年4月1日", "2026 年 4 月 1 号", "20260401", "2026-04-01 08:30:00",
            "2026/4/1 8:30", "２０２６－０４－０１", datetime(2026, 4, 1, 8, 30),
        ]  # fmt: skip
        days = [column.key for column in sheet.columns if column.type == "date"]
        written = [
            [text if column.type == "date" else sound(column, layout()) for column in sheet.columns] for text in texts
        ]

        rows, problems = parsed(made(sheet, written), sheet)

        assert not problems
        assert all(row.values[key] == date(2026, 4, 1) for row in rows for key in days)

    def test_what_is_no_day_is_refused(self, sheet: Sheet) -> None:
        texts = ["2026-W14-3", "26-4-1", "2026-4", "4/1/2026", "2026-02-30", "46113", "昨天"]
        written = [
            [text if column.type == "date" else sound(column, layout()) for column in sheet.columns] for text in texts
        ]

        _, problems = parsed(made(sheet, written), sheet)

        days = [column.key for column in sheet.columns if column.type == "date"]
        assert at(problems) == {(row, key) for key in days for row in range(3, 3 + len(texts))}

    def test_the_file_comes_back_whole_where_only_one_library_reads_it(self, sheet: Sheet) -> None:
        content = raw(
            made(sheet, [row_of(sheet)] * 3),
            lambda text: text.replace(b"<sheetData>", b"<autoFilter ref='x'/><sheetData>"),
        )

        back = with_errors(content, layout(), [(sheet.key, 4, sheet.columns[0].key, "错了")])

        page = load_workbook(io.BytesIO(back)).worksheets[0]
        said = [[cell.value for cell in row] for row in page.iter_rows()]
        assert any("错了" in str(cell) for row in said for cell in row)
        again = read_workbook(back, layout())
        assert not again.faults
        assert len(again.rows[sheet.key]) == 3


def as_errors(page: Any) -> None:
    for cell in page[3]:
        cell.data_type = "e"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-03", "2026-03"), ("202603", "2026-03"), ("2026年3月", "2026-03"), ("2026年03月份", "2026-03"),
     ("2026/3", "2026-03"), ("2026年第一季度", "2026Q1"), ("2026年1季度", "2026Q1"), ("2026q1", "2026Q1"),
     ("2026年", "2026"), (2026, "2026"), (202603, "2026-03")],
)  # fmt: skip
def test_periods_as_people_write_them(text: object, expected: str) -> None:
    sheet = layout().sheets["targets"]
    row = [text if column.key == "period" else sound(column, layout()) for column in sheet.columns]

    rows, problems = parsed(made(sheet, [row]), sheet)

    assert not problems
    assert rows[0].values["period"] == expected


@pytest.mark.parametrize("text", ["2026.3", 2026.1, "2026-13", "202613", "2026Q5", "3月", "2026-W14", "2026-03-01"])
def test_what_is_no_period_is_refused(text: object) -> None:
    sheet = layout().sheets["targets"]
    row = [text if column.key == "period" else sound(column, layout()) for column in sheet.columns]

    _, problems = parsed(made(sheet, [row]), sheet)

    assert at(problems) == {(3, "period")}


def test_a_month_that_a_spreadsheet_made_a_date_of_is_a_period() -> None:
    sheet = layout().sheets["targets"]
    index = [column.key for column in sheet.columns].index("period") + 1

    def show(page: Any) -> None:
        page.cell(3, index).value, page.cell(3, index).number_format = datetime(2026, 3, 1), "mmm-yy"

    rows, problems = parsed(made(sheet, [row_of(sheet)], show), sheet)

    assert not problems
    assert rows[0].values["period"] == "2026-03"


@pytest.mark.parametrize(
    ("typed", "read"),
    [("甲；乙", "甲;乙"), ("甲、乙", "甲;乙"), ("甲;　乙", "甲;乙")],
)
def test_lists_are_parted_as_a_chinese_keyboard_parts_them(typed: str, read: str) -> None:
    sheet = layout().sheets["schemes"]
    row = [typed if column.key == "groups" else sound(column, layout()) for column in sheet.columns]

    assert parsed(made(sheet, [row]), sheet)[0][0].values["groups"] == read


def test_line_ends_of_every_kind_are_one() -> None:
    sheet = layout().sheets["entries"]
    row = ["第一行_x000D_\n第二行" if column.key == "remark" else sound(column, layout()) for column in sheet.columns]

    assert parsed(made(sheet, [row]), sheet)[0][0].values["remark"] == "第一行\n第二行"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b'<row r="3"', b'<row r="99999999"'),
        lambda text: re.sub(rb'<row r="3"[^>]*>', b'<row r="1048576">', text).replace(b' r="A3"', b""),
        lambda text: text.replace(b'r="A3"', b'r="ZZZZ3"'),
        lambda text: text.replace(b'r="A3"', b'r="A99999999"'),
    ],
)
def test_a_row_said_to_be_far_away_is_refused_however_it_is_said(damage: Callable[[bytes], bytes]) -> None:
    sheet = layout().sheets["units"]

    with pytest.raises(RuleViolation):
        read_workbook(raw(made(sheet, [row_of(sheet)]), damage), layout())


def test_the_sheet_is_looked_through_wherever_its_part_lies() -> None:
    sheet = layout().sheets["units"]
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made(sheet, [row_of(sheet)]))) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                new.writestr("xl/other/page.xml", data.replace(b'r="A3"', b'r="XFD1048576"'))
            else:
                new.writestr(name, data.replace(b"/xl/worksheets/sheet1.xml", b"/xl/other/page.xml"))

    with pytest.raises(RuleViolation, match="XFD1048576"):
        read_workbook(out.getvalue(), layout())


def test_what_the_uploader_put_behind_names_and_rules_does_not_come_back() -> None:
    from openpyxl.formatting.rule import FormulaRule
    from openpyxl.workbook.defined_name import DefinedName
    from openpyxl.worksheet.datavalidation import DataValidation

    sheet = layout().sheets["units"]
    book = load_workbook(io.BytesIO(made(sheet, [row_of(sheet)])))
    page = book.worksheets[0]
    book.defined_names["EVIL"] = DefinedName("EVIL", attr_text='WEBSERVICE("http://x")')
    page.conditional_formatting.add("A1:A9", FormulaRule(formula=['WEBSERVICE("http://x")']))
    page.add_data_validation(DataValidation(type="custom", formula1='WEBSERVICE("http://x")', sqref="A1"))

    back = with_errors(packed(book), layout(), [("units", 3, "name", "错了")])

    with zipfile.ZipFile(io.BytesIO(back)) as archive:
        assert not any(b"WEBSERVICE" in archive.read(name) for name in archive.namelist())
