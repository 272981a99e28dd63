"""The child that opens files users bring: run by path, without the portal, under limits of its own.

`python -I reading_child.py` reads from its standard input: a line of JSON, the order (what to do: `look`, `rows` or
`mark`; the bounds; what the portal knows of its sheets), then the file. It answers in lines of JSON, the last being
`{"end": true}` or `{"refused": code}`; whatever else happens here (a crash, a limit, a broken line) is a refusal
too. `mark` writes the marked workbook instead. Source: trust demands FI-02, FI-03, FI-06.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

PIECE = 1 << 20
CELL = re.compile(rb"<(?:\w+:)?c(?=[\s>/])([^>]*)>")
REFERENCE = re.compile(rb"""\sr\s*=\s*["']([^"']*)["']""")
PLACE = re.compile(rb"([A-Z]{1,3})([0-9]{1,7})\Z")
MOST_COLUMNS, MOST_ROWS = 16_384, 1_048_576


class Refused(Exception):
    """The file is not read; the code says why."""


def limit(bounds: dict[str, int]) -> None:
    """No more memory, time and disk than the order grants."""
    for kind, most in (
        (resource.RLIMIT_AS, bounds["memory"]),
        (resource.RLIMIT_CPU, bounds["seconds"]),
        (resource.RLIMIT_FSIZE, bounds["written"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def parts_of(content: bytes, bounds: dict[str, int]) -> zipfile.ZipFile:
    """The archive, if what it claims is within the bounds."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, EOFError) as fault:
        raise Refused("unreadable") from fault
    names = [part.filename for part in parts]
    if len(parts) > bounds["parts"] or sum(part.file_size for part in parts) > bounds["unpacked"]:
        raise Refused("too_large")
    if len(set(names)) != len(names):
        raise Refused("twice")
    for part in parts:
        is_bomb = part.file_size > bounds["floor"] and part.file_size > bounds["ratio"] * max(part.compress_size, 1)
        is_outside = part.filename.startswith(("/", "\\")) or ".." in part.filename.replace("\\", "/").split("/")
        if is_bomb or is_outside or part.flag_bits & 1:
            raise Refused("too_large")
        if part.create_system not in range(20) or part.extract_version > 63:
            raise Refused("unreadable")
    return archive


def check_workbook(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    check_prologues(archive)
    if "xl/workbook.xml" not in names:
        raise Refused("unreadable")
    if any(name.startswith("xl/vbaProject") for name in names):
        raise Refused("macros")


def check_prologues(archive: zipfile.ZipFile) -> None:
    """No part of a workbook declares a document type: entities are how a small part becomes a large one."""
    for part in archive.infolist():
        if part.filename.endswith((".xml", ".rels")):
            for piece in _pieces(archive, part):
                if b"<!" in piece and (b"<!DOCTYPE" in piece or b"<!ENTITY" in piece):
                    raise Refused("unreadable")


def check_cells(archive: zipfile.ZipFile, bounds: dict[str, int]) -> None:
    """Look through every sheet before a grid is made of it: where its filled cells lie, and how many there are.

    A grid reaches to the last filled cell, so one blank typed far away would make it as large as a sheet can be.
    """
    for part in archive.infolist():
        if part.filename.startswith("xl/worksheets/") and part.filename.endswith(".xml"):
            _check_sheet(archive, part, bounds)


def _check_sheet(archive: zipfile.ZipFile, part: zipfile.ZipInfo, bounds: dict[str, int]) -> None:
    widest = deepest = count = 0
    for attributes in _cells(archive, part):
        if attributes.rstrip().endswith(b"/"):
            continue
        count += 1
        said = REFERENCE.search(attributes)
        if said is None:
            continue
        place = PLACE.match(said[1])
        if place is None:
            raise Refused("places")
        column, row = _number(place[1]), int(place[2])
        if not 1 <= column <= MOST_COLUMNS or not 1 <= row <= MOST_ROWS:
            raise Refused("places")
        if column > bounds["columns"] or row > bounds["rows"]:
            raise Refused(f"far:{said[1].decode()}")
        widest, deepest = max(widest, column), max(deepest, row)
    if count > bounds["cells"] or widest * deepest > 4 * bounds["cells"]:
        raise Refused("too_large")


def _cells(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The attributes of every cell element, in order, a piece of the part at a time."""
    for piece in _pieces(archive, part):
        for found in CELL.finditer(piece):
            yield found[1]


def _pieces(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part in pieces that end with an element's end."""
    try:
        with archive.open(part) as stream:
            left = b""
            while piece := stream.read(PIECE):
                left += piece
                cut = left.rfind(b">") + 1
                yield left[:cut]
                left = left[cut:]
                if len(left) > PIECE:
                    raise Refused("unreadable")
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, ValueError) as fault:
        raise Refused("unreadable") from fault
    except Exception as fault:
        if type(fault).__name__ == "error":  # zlib's own
            raise Refused("unreadable") from fault
        raise


def _number(letters: bytes) -> int:
    found = 0
    for letter in letters:
        found = found * 26 + letter - 64
    return found


def plain(value: Any) -> Any:
    """A cell as JSON can say it: numbers by their shortest decimal, days and times named as such."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return {"n": repr(value)}
    if isinstance(value, (datetime, date, time)):
        return {type(value).__name__: value.isoformat()}
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def rows(content: bytes, order: dict[str, Any]) -> None:
    """Say the rows of every sheet the order knows, first come first."""
    from python_calamine import CalamineError, CalamineWorkbook

    bounds = order["bounds"]
    with parts_of(content, bounds) as archive:
        check_workbook(archive)
        check_cells(archive, bounds)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for name in book.sheet_names:
            if name.strip() not in order["sheets"]:
                continue
            grid = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            say({"sheet": name.strip()})
            for number, values in enumerate(grid, start=1):
                if any(value != "" for value in values):
                    say([number, [plain(value) for value in values]])
    except (CalamineError, OSError, ValueError, KeyError) as fault:
        raise Refused("unreadable") from fault


def look(content: bytes, order: dict[str, Any]) -> None:
    """Say the names of an archive's parts."""
    with parts_of(content, order["bounds"]) as archive:
        for name in archive.namelist():
            say(name[:300])


def mark(content: bytes, order: dict[str, Any]) -> bytes:
    """The same workbook with a column that says what is wrong in each row; formulas of the uploader become text."""
    from openpyxl import load_workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    with parts_of(content, order["bounds"]) as archive:
        check_workbook(archive)
        check_cells(archive, order["bounds"])
    book = load_workbook(io.BytesIO(content))
    for page in book.worksheets:
        for line in page.iter_rows():
            for cell in line:
                if cell.data_type == "f":
                    cell.data_type = "s"
    names = {name.strip(): name for name in book.sheetnames}
    for sheet in order["marks"]:
        name = next((names[it] for it in sheet["names"] if it in names), None)
        page = book[name] if name is not None else book.create_sheet(sheet["names"][-1])
        column = page.max_column + 1
        page.cell(1, column, order["label"]).font = Font(bold=True)
        page.column_dimensions[get_column_letter(column)].width = 60
        for row, text in sheet["rows"]:
            cell = page.cell(row, column)
            cell.value = text
            cell.data_type = "s"
            cell.font = Font(color="A11D1D")
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def say(value: Any) -> None:
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline())
    limit(order["bounds"])
    content = sys.stdin.buffer.read(order["bounds"]["file"] + 1)
    try:
        if len(content) > order["bounds"]["file"]:
            raise Refused("too_large")
        if order["do"] == "mark":
            sys.stdout.buffer.write(mark(content, order))
            return 0
        (rows if order["do"] == "rows" else look)(content, order)
        say({"end": True})
    except Refused as refusal:
        say({"refused": str(refusal)})
        return 3
    except MemoryError:
        say({"refused": "too_large"})
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
