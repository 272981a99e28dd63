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
from datetime import date, datetime, time
from typing import Any

PIECE = 1 << 20
ELEMENT = re.compile(
    rb"<(?:\w+:)?row(?P<row>(?:\s[^>]*)?)>"
    rb"|<(?:\w+:)?c(?P<cell>(?:\s[^>]*?)?)(?:/>|>(?P<inside>.*?)</(?:\w+:)?c\s*>)",
    re.DOTALL,
)
OPENED = re.compile(rb"<(?:\w+:)?(?:c|row)(?=[\s>/])")
FORMULA = re.compile(rb"<(?:\w+:)?f(?=[\s>/])")
VALUE = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>([^<]*)<")
TYPE = re.compile(rb"""\st\s*=\s*["']([^"']*)["']""")
STYLE = re.compile(rb"""\ss\s*=\s*["']([^"']*)["']""")
RELATIONS = "xl/_rels/workbook.xml.rels"
# Formats every workbook has without saying so (ECMA-376 part 1, 18.8.30); a month alone is 17.
BUILT_IN = {"9": "0%", "10": "0.00%", "17": "mmm-yy"}
REFERENCE = re.compile(rb"""\sr\s*=\s*["']([^"']*)["']""")
PLACE = re.compile(rb"([A-Z]{1,3})([0-9]{1,7})\Z")
MOST_COLUMNS, MOST_ROWS = 16_384, 1_048_576
EXACT = 10**15


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


Special = dict[tuple[int, int], str]


def sheets_of(archive: zipfile.ZipFile) -> list[tuple[str, str, bool]]:
    """The sheets as the workbook names them: (name, part, whether it is hidden), wherever the parts lie."""
    names = set(archive.namelist())
    targets = {}
    if RELATIONS in names:
        for element in _tree(archive, RELATIONS):
            target = element.get("Target", "")
            targets[element.get("Id", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    found = []
    for element in _tree(archive, "xl/workbook.xml").iter():
        if _local(element.tag) == "sheet":
            related = next((value for name, value in element.items() if _local(name) == "id" and name != "id"), "")
            part = targets.get(related, "")
            if part in names:
                found.append((element.get("name", ""), part, element.get("state", "visible") != "visible"))
    return found


def _tree(archive: zipfile.ZipFile, name: str) -> Any:
    """A small part of the archive as elements; what declares entities was refused before."""
    import xml.etree.ElementTree as ET

    if archive.getinfo(name).file_size > 16 * PIECE:
        raise Refused("too_large")
    try:
        return ET.fromstring(b"".join(_pieces(archive, archive.getinfo(name))))  # noqa: S314 - no part declares a document type
    except ET.ParseError as fault:
        raise Refused("unreadable") from fault


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def styles_of(archive: zipfile.ZipFile) -> dict[str, str]:
    """What a style does to a number that is read: `percent`, `month` (a day is not shown), or the zeros of a code."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    root = _tree(archive, "xl/styles.xml")
    codes = dict(BUILT_IN)
    found = {}
    for element in root.iter():
        if _local(element.tag) == "numFmt":
            codes[element.get("numFmtId", "")] = element.get("formatCode", "")
    for group in root:
        if _local(group.tag) == "cellXfs":
            for index, style in enumerate(group):
                kind = kind_of_format(codes.get(style.get("numFmtId", ""), ""))
                if kind:
                    found[str(index)] = kind
    return found


def kind_of_format(code: str) -> str:
    """Of a number format: `percent`, `month`, its zeros where it pads with them, or nothing worth saying."""
    plain_code = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.', "", code.partition(";")[0]).lower()
    if "%" in plain_code:
        return "percent"
    if re.fullmatch(r"00+", plain_code.strip()):
        return plain_code.strip()
    if "y" in plain_code and "m" in plain_code and not re.search(r"[dhs]", plain_code):
        return "month"
    return ""


def special_cells(archive: zipfile.ZipFile, name: str, styles: dict[str, str], bounds: dict[str, int]) -> Special:
    """Look through a sheet before a grid is made of it: where cells lie, and which are not what their value says.

    A grid reaches to the last filled cell, so one blank typed far away would make it as large as a sheet can be.
    """
    found: Special = {}
    widest = deepest = count = row = column = 0
    for element in _elements(archive, archive.getinfo(name)):
        place = REFERENCE.search(element["attributes"])
        if element["kind"] == b"row":
            row, column = (_whole(place[1]) if place else row + 1), 0
            if not 1 <= row <= MOST_ROWS:
                raise Refused("places")
            continue
        if place is not None:
            at = PLACE.match(place[1])
            if at is None:
                raise Refused("places")
            column, row = _number(at[1]), int(at[2])
        else:
            column += 1
        if not 1 <= column <= MOST_COLUMNS or not 1 <= row <= MOST_ROWS:
            raise Refused("places")
        if element["rest"] is None:
            continue
        count += 1
        if column > bounds["columns"] or row > bounds["rows"]:
            raise Refused(f"far:{_letters(column)}{row}")
        widest, deepest = max(widest, column), max(deepest, row)
        kind = _kind_of_cell(element["attributes"], element["rest"], styles)
        if kind:
            found[row, column] = kind
    if count > bounds["cells"] or widest * deepest > 4 * bounds["cells"]:
        raise Refused("too_large")
    return found


def _kind_of_cell(attributes: bytes, inside: bytes, styles: dict[str, str]) -> str:
    kind = TYPE.search(attributes)
    said = kind[1] if kind else b"n"
    if said == b"e":
        return "error"
    if b"<f" in inside or FORMULA.search(inside):
        value = VALUE.search(inside)
        if value is None or (not value[1] and said != b"str"):
            return "formula"
    if said == b"n" and styles:
        style = STYLE.search(attributes)
        return styles.get(style[1].decode(errors="replace"), "") if style else ""
    return ""


def _elements(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[dict[str, Any]]:
    """The rows and cells of a sheet in order, each with its attributes; `rest` is what a cell holds, or None."""
    left = b""
    for piece in _pieces(archive, part):
        left += piece
        done = 0
        for found in ELEMENT.finditer(left):
            done = found.end()
            if found["row"] is not None:
                yield {"kind": b"row", "attributes": found["row"], "rest": None}
            else:
                yield {"kind": b"c", "attributes": found["cell"], "rest": found["inside"]}
        left = left[done:]
        opened = OPENED.search(left)
        left = left[opened.start() :] if opened else b""
        if len(left) > 4 * PIECE:
            raise Refused("unreadable")
    if left:
        raise Refused("unreadable")


def _whole(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 9 else 0


def _letters(column: int) -> str:
    found = ""
    while column:
        column, letter = divmod(column - 1, 26)
        found = chr(65 + letter) + found
    return found


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
    """A cell as JSON can say it: numbers as a spreadsheet shows them (15 digits), days and times named as such."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return value if isinstance(value, int) and abs(value) < EXACT else {"n": format(value, ".15g")}
    if isinstance(value, (datetime, date, time)):
        return {type(value).__name__: value.isoformat()}
    return str(value)


def rows(content: bytes, order: dict[str, Any]) -> None:
    """Say the rows of every sheet the order knows, and of the others whether anything stands in them."""
    from python_calamine import CalamineError, CalamineWorkbook

    bounds = order["bounds"]
    with parts_of(content, bounds) as archive:
        check_workbook(archive)
        styles = styles_of(archive)
        sheets = {name: (part, hidden) for name, part, hidden in sheets_of(archive)}
        special = {part: special_cells(archive, part, styles, bounds) for part, _ in sheets.values()}
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for name in book.sheet_names:
            if name not in sheets:
                continue
            part, is_hidden = sheets[name]
            sheet = book.get_sheet_by_name(name)
            is_known = name.strip().casefold() in order["sheets"]
            grid = sheet.to_python(skip_empty_area=False)
            filled = [(at, values) for at, values in enumerate(grid, 1) if any(value != "" for value in values)]
            say({"sheet": name.strip(), "hidden": is_hidden, "filled": bool(filled or special[part])})
            if is_known:
                merged = _merged(sheet.merged_cell_ranges or (), grid)
                odd = _by_row(special[part])
                for at in sorted({at for at, _ in filled} | set(odd)):
                    say([at, _row(at, grid[at - 1] if at <= len(grid) else [], odd.get(at, {}), merged)])
    except (CalamineError, OSError, ValueError, KeyError) as fault:
        raise Refused("unreadable") from fault


def _by_row(special: Special) -> dict[int, dict[int, str]]:
    found: dict[int, dict[int, str]] = {}
    for (row, column), kind in special.items():
        found.setdefault(row, {})[column] = kind
    return found


def _merged(ranges: Any, grid: list[list[Any]]) -> dict[int, dict[int, Any]]:
    """By row and column (from 1) what a cell inside a merge shows: the value of its first cell, as `plain` says it."""
    found: dict[int, dict[int, Any]] = {}
    for (top, left), (bottom, right) in ranges:
        value = grid[top][left] if top < len(grid) and left < len(grid[top]) else ""
        if value == "":
            continue
        for row in range(top, min(bottom + 1, len(grid))):
            for column in range(left, min(right + 1, len(grid[row]))):
                if (row, column) != (top, left):
                    said = {"below": plain(value)} if column == left else {"beside": True}
                    found.setdefault(row + 1, {})[column + 1] = said
    return found


def _row(at: int, values: list[Any], odd: dict[int, str], merged: dict[int, dict[int, Any]]) -> list[Any]:
    said = [plain(value) for value in values]
    said += [""] * (max(odd, default=0) - len(said))
    for column, kind in odd.items():
        if kind in ("error", "formula"):
            said[column - 1] = {"bad": kind}
        elif values[column - 1] != "":
            said[column - 1] = {"as": kind, "of": said[column - 1]}
    for column, value in merged.get(at, {}).items():
        if said[column - 1] == "":
            said[column - 1] = value
    return said


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
        sheets = sheets_of(archive)
        for _, part, _ in sheets:
            special_cells(archive, part, {}, order["bounds"])
    book = load_workbook(io.BytesIO(content))
    if {name for name, _, _ in sheets} - set(book.sheetnames):
        raise Refused("unreadable")  # this library sees fewer sheets than the other: what it wrote would lose rows
    book.defined_names.clear()
    for page in book.worksheets:
        page.conditional_formatting = type(page.conditional_formatting)()
        page.data_validations.dataValidation = []
        page.defined_names.clear()
        page.auto_filter.ref = None
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
