"""Opening files users bring: never in the process that serves pages, but in a child with bounds, two at a time.

A file may claim little and be much, or be made to break whoever reads it. Whatever happens to the child (a crash, a
limit, an endless answer) is a refusal in words here and costs the portal nothing. This is the one reader: a house
test refuses others. Source: trust demands FI-02, FI-03, FI-06.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.errors import N_, Busy, Message, RuleViolation

MEBI = 1 << 20
CHILD = Path(__file__).with_name("reading_child.py")
AT_ONCE, LONGEST_WAIT = 2, 5.0
SECONDS, WALL_SECONDS, WALL_SECONDS_OF_MARKING = 20, 30.0, 90.0
MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 300_000, 64, 4_000_000
LARGEST_ANSWER = 160 * MEBI
EXACT = 10**15
BOUNDS: Mapping[str, int] = {
    "file": 20 * MEBI, "memory": 768 * MEBI, "seconds": SECONDS, "written": 0, "parts": 2_000,
    "unpacked": 200 * MEBI, "ratio": 100, "floor": 5 * MEBI, "rows": MOST_ROWS, "columns": MOST_COLUMNS,
    "cells": MOST_CELLS,
}  # fmt: skip
UNREADABLE = N_("The file is not a readable xlsx workbook.")
TOO_LARGE = N_("The file is protected, or unpacks to more than is accepted.")
WHY: Mapping[str, Message] = {
    "unreadable": UNREADABLE,
    "too_large": TOO_LARGE,
    "twice": N_("The file holds one of its parts twice: it is damaged. Save it anew and try again."),
    "macros": N_("Workbooks with macros are not accepted."),
    "places": N_("The file names cells that no sheet has: it is damaged. Save it anew and try again."),
}

_places = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def _place() -> Iterator[None]:
    """One of the places for reading; whoever finds none for a while hears that."""
    if not _places.acquire(timeout=LONGEST_WAIT):
        raise Busy(N_("Other files are being read at this moment. Please try again in a few seconds."))
    try:
        yield
    finally:
        _places.release()


def _why(code: str) -> Message:
    """A code of the child as a sentence."""
    kind, _, place = code.partition(":")
    if kind == "far":
        return N_(
            "Cell %(place)s is filled, far outside the table; at most %(columns)s columns and %(rows)s rows are read. "
            "Delete the rows and columns after the table and save the file anew.",
            place=place[:12], columns=MOST_COLUMNS, rows=MOST_ROWS,
        )  # fmt: skip
    return WHY.get(kind, UNREADABLE)


@contextmanager
def _child(content: bytes, order: Mapping[str, Any], seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """The child at work on an order. What it puts down meanwhile lies in a folder that goes with it."""
    with (
        _place(),
        tempfile.TemporaryDirectory(prefix="kaoji-reading-") as folder,
        subprocess.Popen(
            [sys.executable, "-I", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"TMPDIR": folder},
            start_new_session=True,
        ) as child,
    ):  # fmt: skip
        watch = threading.Timer(seconds, child.kill)
        watch.start()
        feeder = threading.Thread(target=_feed, args=(child, json.dumps(order).encode() + b"\n", content), daemon=True)
        feeder.start()
        try:
            yield child
        finally:
            # Whoever has answered has nothing more to say; whoever is not heard out is ended.
            if child.poll() is None and not _has_ended(child):
                child.kill()
            child.wait()
            watch.cancel()
            feeder.join()


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether a child whose answer was read to its end goes by itself."""
    assert child.stdout is not None
    return child.stdout.read(1) == b""


def _run(content: bytes, order: Mapping[str, Any], *, largest: int, seconds: float) -> bytes:
    """What the child answers to an order; refused where it answers too much, or a limit ends it."""
    with _child(content, order, seconds) as child:
        assert child.stdout is not None
        answer = child.stdout.read(largest + 1)
    if len(answer) > largest or child.returncode < 0:
        raise RuleViolation(TOO_LARGE)
    return answer


def _lines(content: bytes, order: Mapping[str, Any], *, largest: int) -> Iterator[Any]:
    """The lines of an answer, one at a time; refused at the end where it did not come to one."""
    left, last = largest, b""
    with _child(content, order, WALL_SECONDS) as child:
        assert child.stdout is not None
        for line in child.stdout:
            left -= len(line)
            if left < 0:
                raise RuleViolation(TOO_LARGE)
            if last:
                yield json.loads(last)
            last = line
    try:
        said = json.loads(last) if last else {}
    except ValueError:
        said = {}
    if child.returncode < 0 or not isinstance(said, dict):
        raise RuleViolation(TOO_LARGE)
    if said.get("end") is not True:
        raise RuleViolation(_why(str(said.get("refused", "too_large" if last else "unreadable"))))


def _feed(child: subprocess.Popen[bytes], *pieces: bytes) -> None:
    """Hand the file over; a child that has refused it already reads no further."""
    assert child.stdin is not None
    try:
        with child.stdin:
            for piece in pieces:
                child.stdin.write(piece)
    except OSError:
        return


class Odd(StrEnum):
    """What makes a cell another one than its stored value says."""

    ERROR = "error"
    FORMULA = "formula"
    BESIDE = "beside"
    BELOW = "below"
    PERCENT = "percent"
    MONTH = "month"
    PADDED = "padded"
    LONG = "long"


@dataclass(frozen=True, slots=True)
class OddCell:
    """A cell that is an error, a formula nobody computed, part of a merge, or shown otherwise than it is stored.

    `value` is what is stored (of a merge: in its first cell), `shown` the text where zeros are put before it.
    """

    kind: Odd
    value: object = None
    shown: str = ""


def _value(cell: Any) -> object:
    """A cell as the child read it."""
    if not isinstance(cell, dict):
        return cell
    if "bad" in cell:
        return OddCell(Odd(cell["bad"]))
    if "beside" in cell:
        return OddCell(Odd.BESIDE)
    if "below" in cell:
        return OddCell(Odd.BELOW, _value(cell["below"]))
    if "as" in cell:
        return _shown(cell["as"], _value(cell["of"]))
    (kind, text), *_ = cell.items()
    if kind == "n":
        number = Decimal(text)
        return number if abs(number) < EXACT else OddCell(Odd.LONG, number)
    if kind == "datetime":
        return datetime.fromisoformat(text)
    return date.fromisoformat(text) if kind == "date" else text


def _shown(kind: str, value: object) -> object:
    """A number by its format: a percentage, a month, or with zeros before it."""
    if kind == Odd.PERCENT:
        return OddCell(Odd.PERCENT, value)
    if kind == Odd.MONTH:
        return OddCell(Odd.MONTH, value) if isinstance(value, date) else value
    if isinstance(value, int) and value >= 0:
        return OddCell(Odd.PADDED, value, shown=str(value).zfill(len(kind)))
    if isinstance(value, Decimal) and value >= 0 and value == value.to_integral_value():
        return OddCell(Odd.PADDED, value, shown=str(int(value)).zfill(len(kind)))
    return value


Grid = list[tuple[int, list[object]]]


@dataclass(slots=True)
class Page:
    """A sheet of a file: its name, whether it is hidden and anything stands in it, and its rows if it was asked for.

    A row is (number as shown, cells).
    """

    name: str
    is_hidden: bool = False
    is_filled: bool = False
    rows: Grid = field(default_factory=list)


def read_pages(content: bytes, names: Sequence[str]) -> list[Page]:
    """The sheets of a workbook in order, with the filled rows of those of these names (case does not count)."""
    order = {"do": "rows", "bounds": BOUNDS, "sheets": [name.casefold() for name in names]}
    found: list[Page] = []
    for line in _lines(content, order, largest=LARGEST_ANSWER):
        if isinstance(line, dict):
            found.append(Page(str(line["sheet"]), bool(line["hidden"]), bool(line["filled"])))
        else:
            number, values = line
            found[-1].rows.append((number, [_value(cell) for cell in values]))
    return found


def part_names(content: bytes) -> list[str]:
    """The names of the parts of an archive."""
    return [str(line) for line in _lines(content, {"do": "look", "bounds": BOUNDS}, largest=4 * MEBI)]


def marked(content: bytes, *, label: str, marks: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The workbook with a column of remarks (`names` of each sheet, its `rows`); None where it cannot be made so."""
    order = {
        "do": "mark", "bounds": {**BOUNDS, "written": 200 * MEBI, "seconds": 60}, "label": label, "marks": list(marks),
    }  # fmt: skip
    try:
        answer = _run(content, order, largest=60 * MEBI, seconds=WALL_SECONDS_OF_MARKING)
    except RuleViolation:
        return None
    return answer if answer.startswith(b"PK") else None
