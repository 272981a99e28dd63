"""Which files may hang on a record, told by their content: a renamed file is refused, whatever it calls itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.documents.reading import part_names
from app.errors import N_, RuleViolation

LARGEST = 20 * 1024 * 1024
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OFFICE = "application/vnd.openxmlformats-officedocument."


def _zip_with(folder: str) -> Callable[[bytes], bool]:
    """Whether it is an archive whose parts lie in a folder, as those of an office document do."""

    def fits(content: bytes) -> bool:
        try:
            return any(name.startswith(folder) for name in part_names(content))
        except RuleViolation:
            return False

    return fits


def _begins(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(marks)


def _is_text(content: bytes) -> bool:
    if b"\0" in content or content.lstrip()[:1] == b"<":
        return False
    for encoding in ("utf-8", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


KINDS: Mapping[str, tuple[str, Callable[[bytes], bool]]] = {
    "pdf": ("application/pdf", _begins(b"%PDF-")),
    "png": ("image/png", _begins(b"\x89PNG\r\n\x1a\n")),
    "jpg": ("image/jpeg", _begins(b"\xff\xd8\xff")),
    "jpeg": ("image/jpeg", _begins(b"\xff\xd8\xff")),
    "docx": (OFFICE + "wordprocessingml.document", _zip_with("word/")),
    "xlsx": (OFFICE + "spreadsheetml.sheet", _zip_with("xl/")),
    "pptx": (OFFICE + "presentationml.presentation", _zip_with("ppt/")),
    "ofd": ("application/ofd", _zip_with("OFD.xml")),
    "doc": ("application/msword", _begins(OLE)),
    "xls": ("application/vnd.ms-excel", _begins(OLE)),
    "wps": ("application/vnd.ms-works", _begins(OLE)),
    "et": ("application/vnd.ms-excel", _begins(OLE)),
    "txt": ("text/plain", _is_text),
    "csv": ("text/csv", _is_text),
}


def clean_name(name: str) -> str:
    """The name a file came with, without folders and control characters, at most 200 characters; its ending stays."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(it for it in last if it.isprintable()).strip()
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[:180]}{dot}{ending[:16]}" if dot else plain[:200]


def media_type_of(name: str, content: bytes) -> str:
    """The type of a file by its ending, if its content is of that type; refused otherwise."""
    if not content:
        raise RuleViolation(N_("The file is empty."), field_name="file")
    if len(content) > LARGEST:
        raise RuleViolation(N_("The file is larger than 20 MB."), field_name="file")
    ending = clean_name(name).rpartition(".")[2].lower()
    if ending not in KINDS:
        raise RuleViolation(
            N_("Files of this kind are not taken. Allowed: %(endings)s", endings=", ".join(KINDS)), field_name="file"
        )
    media_type, fits = KINDS[ending]
    if not fits(content):
        raise RuleViolation(
            N_("The content is not what the ending “%(ending)s” says.", ending=ending), field_name="file"
        )
    return media_type
