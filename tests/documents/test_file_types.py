"""Files are known by their content: what only calls itself so is refused, and what would unpack to too much."""

from __future__ import annotations

import io
import zipfile

import pytest

from app.documents.file_types import LARGEST, OLE, clean_name, media_type_of
from app.errors import RuleViolation


def archive(*parts: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts:
            file.writestr(name, content)
    return made.getvalue()


WORD = archive(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<x/>"))


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.PDF", b"%PDF-1.7", "application/pdf"), ("a.png", b"\x89PNG\r\n\x1a\nx", "image/png"),
        ("a.jpeg", b"\xff\xd8\xffx", "image/jpeg"), ("a.doc", OLE + b"x", "application/msword"),
        ("a.txt", "整改报告".encode(), "text/plain"), ("a.csv", "序号".encode("gb18030"), "text/csv"),
        ("a.ofd", archive(("OFD.xml", b"<x/>")), "application/ofd"),
        ("a.docx", WORD, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ],
)  # fmt: skip
def test_what_is_what_it_says(name: str, content: bytes, found: str) -> None:
    assert media_type_of(name, content) == found


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"MZ", "not what the ending"), ("a.xlsx", WORD, "not what the ending"),
        ("a.docx", WORD[:40], "not what the ending"), ("a.txt", b"a\0b", "not what the ending"),
        ("a.txt", b"  <html>", "not what the ending"), ("a.txt", b"\xff\xff\xff", "not what the ending"),
        ("a.exe", b"MZ", "are not taken"), ("a", b"x", "are not taken"), ("a.pdf.html", b"%PDF-", "are not taken"),
        ("a.pdf", b"", "empty"), ("a.pdf", b"%PDF-" + b"0" * LARGEST, "larger than"),
        # a bomb, a way out of the folder, more parts than a document has
        ("a.docx", archive(("word/document.xml", b"0" * 30_000_000)), "not what the ending"),
        ("a.docx", archive(("word/document.xml", b"x"), ("../../evil", b"x")), "not what the ending"),
        ("a.docx", archive(("word/document.xml", b"x"), ("/etc/evil", b"x")), "not what the ending"),
        ("a.docx", archive(*((f"word/{it}.xml", b"") for it in range(2001))), "not what the ending"),
    ],
    ids=range(15),
)  # fmt: skip
def test_what_is_not_is_refused(name: str, content: bytes, words: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        media_type_of(name, content)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("../../排查表（六家）.pdf", "排查表（六家）.pdf"), ("C:\\temp\\表.xlsx", "表.xlsx"), ("a\r\nb\0.txt", "ab.txt"),
        ("长" * 300 + ".docx", "长" * 180 + ".docx"), ("x" * 300, "x" * 200),
    ],
)  # fmt: skip
def test_names_come_without_folders(name: str, found: str) -> None:
    assert clean_name(name) == found
