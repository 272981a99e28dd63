"""A bulletin on paper: frozen data in, the page, the data pack and the data themselves out as bytes.

The same content gives the same bytes.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.documents.workbook_writer import Value, write_tables

_DATA = Path(__file__).parent.parent / "data"
Content = Mapping[str, Any]


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_DATA),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        lstrip_blocks=False,
    )
    found.filters["zero"] = lambda text: not Decimal(text)
    return found


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads((_DATA / "bulletin.toml").read_text(encoding="utf-8"))


def style() -> str:
    """The style sheet that is part of the page, so that the file stands alone."""
    return (_DATA / "bulletin.css").read_text(encoding="utf-8")


def article(content: Content, checksum: str = "") -> str:
    """The bulletin's text as it stands inside a page of the portal; a draft has no checksum yet."""
    given = {"number": "", "remarks": "", "published_on": "", **content}
    return _environment().get_template("bulletin.html").render(d=given, checksum=checksum, whole=False, style="")


def files(content: Content, checksum: str) -> dict[str, bytes]:
    """Everything that is published: the page, the pack and the data the checksum is taken over."""
    page = (
        _environment()
        .get_template("bulletin.html")
        .render(d=content, checksum=checksum, whole=True, style=Markup(style()))
    )
    data = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return {"html": page.encode(), "xlsx": pack(content, checksum), "json": data.encode()}


def article_of(page: bytes) -> str:
    """The bulletin's text out of its published page, unchanged."""
    text = page.decode()
    end = "</article>"
    return text[text.index("<article") : text.index(end) + len(end)]


def pack(content: Content, checksum: str = "") -> bytes:
    """The data pack: results, items and both ledgers as sheets, numbers as numbers."""
    words = _words()
    makers = {
        "about": _about(content, checksum),
        "totals": _totals(content),
        "items": _items(content),
        "ledger": _ledger(content["ledger"]),
        "left_out": _left_out(content["left_out"]),
        "externals": _externals(content["externals"]),
    }
    if content.get("erratum"):
        makers["erratum"] = _erratum(content["erratum"]["rows"])
    return write_tables([(words["sheets"][key], words["columns"][key], rows) for key, rows in makers.items()])


def _erratum(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Value]]:
    for row in rows:
        scores = (None if row[name] is None else Decimal(row[name]) for name in ("score_before", "score_after"))
        yield [row["group"], row["subject"], row["name"], *scores, row["rank_before"], row["rank_after"]]


def _about(content: Content, checksum: str) -> Iterator[Sequence[Value]]:
    said = {
        "bureau": content["bureau"]["name"],
        "period": content["period"],
        "number": content.get("number", ""),
        "settled_on": content["settled_on"],
        "schemes": ", ".join(f"{it['code']} {it['title']}" for it in content["schemes"]),
        "formula": "\n".join(f"{it['name']} {it['formula']}" for it in content["groups"]),
        "signed_by": content.get("signed_by", ""),
        "published_on": content.get("published_on", ""),
        "checksum": checksum,
    }
    for key, value in said.items():
        yield _words()["about"][key], value


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _totals(content: Content) -> Iterator[Sequence[Value]]:
    for group in content["groups"]:
        for row in group["rows"]:
            yield (
                group["name"], row["rank"], row["subject"], row["name"], _number(row["score"]),
                _number(row["change"]), row["rank_move"],
            )  # fmt: skip


def _items(content: Content) -> Iterator[Sequence[Value]]:
    for group in content["groups"]:
        for row in group["rows"]:
            for it in group["items"]:
                score = _number(row["items"].get(it["code"]))
                yield group["name"], row["subject"], row["name"], it["code"], it["title"], it["measure"], score


def _common(mapping: Mapping[str, Any]) -> tuple[Value, ...]:
    names = ("subject", "name", "no", "occurred_on", "indicator", "clause", "text", "basis")
    return tuple(mapping[name] for name in names)


def _ledger(lines: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Value]]:
    for line in lines:
        yield *_common(line), _number(line["quantity"]), _number(line["points"]), line["reason"]


def _left_out(lines: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Value]]:
    for line in lines:
        yield *_common(line), line["reason"]


def _externals(found: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Value]]:
    for it in found:
        yield it["subject"], it["name"], it["issuer"], it["indicator"], _number(it["score"]), it["rank"]
