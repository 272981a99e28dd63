"""Files users bring are opened by a child under bounds: whatever they are, the portal stays as it was."""

from __future__ import annotations

import io
import resource
import struct
import threading
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from app.documents import reading
from app.documents.file_types import media_type_of
from app.documents.layout import layout
from app.documents.reading import marked, part_names, read_pages
from app.documents.workbook_reader import read_workbook
from app.documents.workbook_writer import with_errors, write_workbook
from app.errors import Busy, RuleViolation

SECONDS = 30.0  # three times what is promised for a refusal


def book(rows: dict[tuple[int, int], Any], name: str = "台账") -> bytes:
    made = Workbook()
    page = made.active
    assert page is not None
    page.title = name
    for (row, column), value in rows.items():
        page.cell(row, column, value)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def changed(content: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The archive with each part changed, or left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            data = change(part.filename, source.read(part))
            if data is not None:
                target.writestr(part.filename, data)
    return out.getvalue()


def with_cell(reference: str) -> bytes:
    """A workbook whose sheet names a cell as it likes."""
    cell = f'<row r="9"><c r="{reference}" t="inlineStr"><is><t> </t></is></c></row></sheetData>'.encode()
    return changed(
        book({(2, 1): "no"}),
        lambda name, data: data.replace(b"</sheetData>", cell) if "sheet1" in name else data,
    )


def twice(content: bytes) -> bytes:
    out = io.BytesIO(content)
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("xl/workbook.xml", b"<x/>")
    return out.getvalue()


def needing(content: bytes, version: int) -> bytes:
    """The archive asking for another version of the format in every header."""
    for mark, place in ((b"PK\x01\x02", 6), (b"PK\x03\x04", 4)):
        at = content.find(mark)
        while at >= 0:
            content = content[: at + place] + struct.pack("<H", version) + content[at + place + 2 :]
            at = content.find(mark, at + 4)
    return content


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (150 * 1024 * 1024))
    return out.getvalue()


PLAIN = write_workbook(layout(), {})
HOSTILE: dict[str, Callable[[], bytes]] = {
    "a blank in the last cell": lambda: with_cell("XFD1048576"),
    "a blank in the last row": lambda: with_cell("A1048576"),
    "a blank far to the right": lambda: with_cell("XFD5"),
    "a cell no sheet has": lambda: with_cell("ZZZZZZ99999999999999"),
    "a row no sheet has": lambda: with_cell("A99999999"),
    "row nought": lambda: with_cell("A0"),
    "no cell": lambda: with_cell("A1B2"),
    "a bomb": bomb,
    "a part twice": lambda: twice(PLAIN),
    "version 25.5": lambda: needing(PLAIN, 255),
    "cut short": lambda: PLAIN[: len(PLAIN) // 2],
    "cut in the directory": lambda: PLAIN[:-30],
    "no archive": lambda: b"x" * 5000,
    "nothing": lambda: b"",
    "a broken sheet": lambda: changed(PLAIN, lambda name, data: data[:200] if "sheet1.xml" in name else data),
    "no workbook in it": lambda: changed(PLAIN, lambda name, data: None if name == "xl/workbook.xml" else data),
    "a list of entities": lambda: changed(
        PLAIN,
        lambda name, data: (
            b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
            if "sheet1.xml" in name else data
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_words_and_soon(kind: str) -> None:
    content = HOSTILE[kind]()
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()

    with pytest.raises(RuleViolation):
        read_workbook(content, layout())

    assert time.monotonic() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    assert with_errors(content, layout(), [("entries", 3, "no", "x")]).startswith(b"PK"), "the errors come back anyhow"


def test_a_far_cell_is_named() -> None:
    with pytest.raises(RuleViolation, match="XFD1048576"):
        read_workbook(with_cell("XFD1048576"), layout())


def test_formatted_blanks_far_away_are_no_cells() -> None:
    made = changed(
        book({(2, 1): "no", (3, 1): "A1"}),
        lambda name, data: (
            data.replace(b"</sheetData>", b'<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>')
            if "sheet1" in name else data
        ),
    )  # fmt: skip

    assert [page.rows for page in read_pages(made, ["台账"])] == [[(2, ["no"]), (3, ["A1"])]]


@pytest.mark.parametrize("end", ["memory", "time", "answer"])
def test_a_child_that_passes_a_bound_is_a_refusal(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = book({(row, 1): "x" * 50 for row in range(1, 3000)})
    if end == "memory":
        monkeypatch.setattr(reading, "BOUNDS", {**reading.BOUNDS, "memory": 1 << 20})
    elif end == "time":
        monkeypatch.setattr(reading, "WALL_SECONDS", 0.01)
    else:
        monkeypatch.setattr(reading, "LARGEST_ANSWER", 1000)

    with pytest.raises(RuleViolation):
        read_pages(content, ["台账"])


def test_two_are_read_at_once_and_who_finds_no_place_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_WAIT", 0.1)
    places = threading.BoundedSemaphore(reading.AT_ONCE)
    monkeypatch.setattr(reading, "_places", places)
    for _ in range(reading.AT_ONCE):
        places.acquire()

    with pytest.raises(Busy):
        part_names(PLAIN)
    places.release()
    assert "xl/workbook.xml" in part_names(PLAIN)


def test_ten_at_once_all_end(monkeypatch: pytest.MonkeyPatch) -> None:
    content, ended = with_cell("XFD1048576"), []

    def bring() -> None:
        try:
            read_workbook(content, layout())
        except (RuleViolation, Busy) as refusal:
            ended.append(type(refusal).__name__)

    threads = [threading.Thread(target=bring) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(ended) == 10


def test_what_is_right_is_read_as_before() -> None:
    rows = {"entries": [{"no": "=1+2", "clause": "A", "subject": "01", "quantity": 3, "remark": "第一行\n第二行"}]}

    found = read_workbook(write_workbook(layout(), rows), layout()).rows["entries"]  # type: ignore[arg-type]

    assert [(row.number, row.cells) for row in found] == [
        (3, {"no": "=1+2", "clause": "A", "subject": "01", "quantity": "3", "remark": "第一行\n第二行"})
    ]


def test_the_marked_file_carries_no_formula_of_its_uploader() -> None:
    content = book({(1, 1): "编号", (2, 1): "no", (3, 1): "=HYPERLINK(1)"})

    made = marked(content, label="错误信息", marks=[{"names": ["台账"], "rows": [[3, "=1+1"]]}])

    assert made is not None
    page = load_workbook(io.BytesIO(made))["台账"]
    assert [(page.cell(3, 1).data_type, page.cell(3, 2).data_type) for _ in "x"] == [("s", "s")]


def test_a_renamed_archive_is_no_document() -> None:
    with pytest.raises(RuleViolation):
        media_type_of("a.docx", PLAIN)
    assert media_type_of("a.xlsx", PLAIN).endswith("sheet")
