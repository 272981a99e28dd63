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
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.errors import N_, Busy, Message, RuleViolation

MEBI = 1 << 20
CHILD = Path(__file__).with_name("reading_child.py")
AT_ONCE, LONGEST_WAIT = 2, 5.0
SECONDS, WALL_SECONDS, WALL_SECONDS_OF_MARKING = 20, 30.0, 90.0
MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 300_000, 64, 4_000_000
LARGEST_ANSWER = 160 * MEBI
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


def _run(content: bytes, order: Mapping[str, Any], *, largest: int, seconds: float | None = None) -> bytes:
    """What the child answers to an order; refused where it answers too much, or a limit ends it.

    What it puts down meanwhile lies in a folder that goes with it, however it ends.
    """
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
        watch = threading.Timer(WALL_SECONDS if seconds is None else seconds, child.kill)
        watch.start()
        feeder = threading.Thread(target=_feed, args=(child, json.dumps(order).encode() + b"\n", content), daemon=True)
        feeder.start()
        answer = b""
        try:
            assert child.stdout is not None
            answer = child.stdout.read(largest + 1)
        finally:
            # Whoever has answered has nothing more to say; whoever says too much is not heard out.
            if len(answer) > largest:
                child.kill()
            child.wait()
            watch.cancel()
            feeder.join()
    if len(answer) > largest or child.returncode < 0:
        raise RuleViolation(TOO_LARGE)
    return answer


def _feed(child: subprocess.Popen[bytes], *pieces: bytes) -> None:
    """Hand the file over; a child that has refused it already reads no further."""
    assert child.stdin is not None
    try:
        with child.stdin:
            for piece in pieces:
                child.stdin.write(piece)
    except OSError:
        return


def _lines(answer: bytes) -> Iterator[Any]:
    """The lines of an answer that came to its end."""
    lines = answer.splitlines()
    try:
        last = json.loads(lines[-1]) if lines else {}
    except ValueError:
        last = {}
    if not isinstance(last, dict) or last.get("end") is not True:
        code = str(last.get("refused", "too_large" if lines else "unreadable")) if isinstance(last, dict) else ""
        raise RuleViolation(_why(code))
    for line in lines[:-1]:
        yield json.loads(line)


def _value(cell: Any) -> object:
    """A cell as the child read it."""
    if not isinstance(cell, dict):
        return cell
    (kind, text), *_ = cell.items()
    if kind == "n":
        return Decimal(text)
    if kind == "datetime":
        return datetime.fromisoformat(text)
    return date.fromisoformat(text) if kind == "date" else text


Grid = list[tuple[int, list[object]]]


def read_sheets(content: bytes, names: Sequence[str]) -> dict[str, Grid]:
    """The filled rows of the sheets of these names, in the order of the file: (number as shown, cells)."""
    order = {"do": "rows", "bounds": BOUNDS, "sheets": list(names)}
    found: dict[str, Grid] = {}
    grid: Grid = []
    for line in _lines(_run(content, order, largest=LARGEST_ANSWER)):
        if isinstance(line, dict):
            grid = []
            found.setdefault(str(line["sheet"]), grid)
        else:
            number, values = line
            grid.append((number, [_value(cell) for cell in values]))
    return found


def part_names(content: bytes) -> list[str]:
    """The names of the parts of an archive."""
    return [str(line) for line in _lines(_run(content, {"do": "look", "bounds": BOUNDS}, largest=4 * MEBI))]


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
