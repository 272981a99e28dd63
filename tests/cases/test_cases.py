"""Real rule sets through the commands, on both databases: the same numbers, to the byte, in any order."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.cases.books import CASES, Book, Expected, read_case
from tests.conftest import workbook

OUTPUTS: dict[tuple[str, str], str] = {}


def run(app: Flask, *args: str) -> str:
    done = app.test_cli_runner().invoke(args=list(args))
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def load(app: Flask, book: Book, folder: Path, name: str) -> None:
    file = folder / f"{name}.xlsx"
    file.write_bytes(workbook(book.rows))
    run(app, "workbook", "load", str(file))


def settle_and_read(app: Flask, expected: list[Expected]) -> dict[str, str]:
    outputs = {}
    for period in dict.fromkeys(it.period for it in expected):
        run(app, "settle", period)
        outputs[period] = run(app, "scores", period, "--format", "json")
    return outputs


def check(expected: Expected, rows: list[dict[str, Any]]) -> None:
    (row,) = (it for it in rows if (it["subject"], it["indicator"]) == (expected.subject, expected.indicator))
    if expected.score is not None:
        assert Decimal(row["score"]) == Decimal(expected.score), (expected, row)
    if expected.exact is not None:
        assert Decimal(row["exact"]) == Decimal(expected.exact), (expected, row)
    if expected.rank is not None:
        assert row["rank"] == expected.rank, (expected, row)
    if expected.grade is not None:
        assert row["grade"] == expected.grade, (expected, row)


@pytest.mark.parametrize("name", CASES)
def test_the_case_gives_its_published_numbers(any_app: Flask, name: str, tmp_path: Path) -> None:
    book, expected = CASES[name](read_case(name))
    load(any_app, book, tmp_path, name)

    first = settle_and_read(any_app, expected)

    for it in expected:
        check(it, json.loads(first[it.period]))
    assert settle_and_read(any_app, expected) == first
    assert run(any_app, "verify")
    for period, output in first.items():
        assert OUTPUTS.setdefault((name, period), output) == output, "the two databases differ"


@pytest.mark.parametrize("name", ["c10", "c18", "c01"])
def test_the_order_of_entries_does_not_matter(app: Flask, name: str, tmp_path: Path) -> None:
    book, expected = CASES[name](read_case(name))
    random.Random(3).shuffle(book.rows["entries"])
    load(app, book, tmp_path, name)

    outputs = settle_and_read(app, expected)

    for period, output in outputs.items():
        assert OUTPUTS.setdefault((name, period), output) == output


def test_a_case_with_one_number_changed_no_longer_fits(app: Flask, tmp_path: Path) -> None:
    book, expected = CASES["c01"](read_case("c01"))
    book.rows["entries"][0]["value"] = Decimal("95.66")
    load(app, book, tmp_path, "c01")
    outputs = settle_and_read(app, expected)

    with pytest.raises(AssertionError):
        check(expected[0], json.loads(outputs["2017-08"]))


def test_explain_adds_up_to_the_score(app: Flask, tmp_path: Path) -> None:
    book, expected = CASES["c10"](read_case("c10"))
    load(app, book, tmp_path, "c10")
    settle_and_read(app, expected)

    told = json.loads(run(app, "explain", "2012", "15", "--format", "json"))

    assert (told["score"], told["rank"], told["group_size"]) == ("80.00", 1, 8)
    lines = told["node"]["lines"]
    assert sum(Decimal(it["points"]) for it in lines) == 44
    assert [it["counted"] for it in lines].count(False) == 1
    assert all(it["reason"] for it in lines if not it["counted"])
    assert "44" in told["node"]["formula"]
    assert told["neighbours"][0]["rank"] >= 2


def test_an_entry_whose_code_is_no_leaf_of_the_scheme_counts_nowhere_and_says_so(app: Flask, tmp_path: Path) -> None:
    book, expected = CASES["c18"](read_case("c18"))
    book.unit("B9", "旧所", group="基层", to="2000-12-31")
    book.scheme("基层", code="OTHER", year=2016)
    book.node("X", None, "award", scheme="OTHER")
    book.clause("X1", "X", "award", "fixed", price=5)
    book.entry("2016-11-12", "X1", "01")
    load(app, book, tmp_path, "c18")

    (output,) = settle_and_read(app, expected).values()
    told = json.loads(run(app, "explain", "2016-11", "01", "--format", "json"))

    check(expected[0], json.loads(output))
    (astray,) = (line for line in told["node"]["lines"] if line["clause"] == "X1")
    assert (astray["counted"], astray["points"]) == (False, "0")
    assert "不计入任何得分" in astray["reason"]
