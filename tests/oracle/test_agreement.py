"""The product and an evaluation written from docs/scoring.md alone, over random bureaus: the same to the last digit.

More seeds: KAOJI_ORACLE_SEEDS=400 pytest tests/oracle
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.rules.scoring import apportionment, cohorts, engine, evaluate, grading, lines
from app.rules.scoring.columns import chosen
from app.rules.scoring.combine import BRANCHES
from app.rules.scoring.lines import Pricing
from app.rules.scoring.methods import METHODS
from app.services.ledger import apportioning
from app.services.scoring import ledger_lines
from tests.conftest import workbook
from tests.oracle.book import read
from tests.oracle.bureaus import BUREAU, random_bureau
from tests.oracle.contract import errors, printed
from tests.oracle.nodes import Scores

Rows = dict[str, list[dict[str, Any]]]
YEAR, ON = 2025, date.today()
SEEDS = int(os.environ.get("KAOJI_ORACLE_SEEDS", "30"))
BLOCK = 10
TINY = Fraction(1, 1000)
CODED = ("code", "parent", "subject", "unit", "assessor_unit")
LISTED = ("parties", "applies_to")


def bureau_of(seed: int) -> tuple[str, Rows]:
    """A random bureau under a code of its own, so that many fit into one database."""
    code = f"{seed:05d}"
    rows = random_bureau(seed, YEAR)
    for row in (row for sheet in rows.values() for row in sheet):
        for name in CODED:
            if row.get(name) == BUREAU:
                row[name] = code
        for name in LISTED:
            if isinstance(row.get(name), str):
                row[name] = re.sub(rf"(?<![\w.]){BUREAU}(?![\w.])", code, row[name])
    return code, rows


def periods_of(seed: int) -> list[str]:
    """Three months, two quarters and the year."""
    draw = random.Random(seed)
    months = draw.sample([f"{YEAR}-{month:02d}" for month in range(1, 13)], 3)
    return [*sorted(months), *sorted(draw.sample([f"{YEAR}Q{quarter}" for quarter in range(1, 5)], 2)), str(YEAR)]


def run(app: Flask, *args: str) -> str:
    done = app.test_cli_runner().invoke(args=list(args))
    assert done.exit_code == 0, (args, done.output[:600])
    return str(done.stdout)


def differences(app: Flask, seed: int, folder: Path) -> Iterator[object]:
    """Load a bureau, settle its periods, and hold every printed row and named error against the second evaluation."""
    code, rows = bureau_of(seed)
    file = folder / f"{code}.xlsx"
    file.write_bytes(workbook(rows))
    run(app, "workbook", "load", str(file))
    scores = Scores(read(rows), ON)
    for period in periods_of(seed):
        said = run(app, "settle", period, "--bureau", code)
        got = json.loads(run(app, "scores", period, "--bureau", code, "--format", "json"))
        want = printed(scores, period)
        if got != want:
            yield seed, period, next(((a, b) for a, b in zip(got, want, strict=False) if a != b), (len(got), len(want)))
        named = {tuple(re.split("[，：]", line)[1:3]) for line in said.splitlines() if line.startswith("未能计分：")}
        if named != errors(scores, period):
            yield seed, period, named, errors(scores, period)


@pytest.mark.parametrize("block", range(-(-SEEDS // BLOCK)))
def test_random_bureaus_come_out_the_same(app: Flask, block: int, tmp_path: Path) -> None:
    for seed in range(block * BLOCK, min((block + 1) * BLOCK, SEEDS)):
        assert list(differences(app, seed, tmp_path)) == []


def test_both_databases_agree_with_it(any_app: Flask, tmp_path: Path) -> None:
    for seed in range(1000, 1006):
        assert list(differences(any_app, seed, tmp_path)) == []


def uses(sheet: str, column: str, *values: str) -> Callable[[Rows], bool]:
    return lambda rows: any(row.get(column) in values for row in rows.get(sheet, ()))


def has(sheet: str, column: str, text: str = "") -> Callable[[Rows], bool]:
    return lambda rows: any(text in str(row[column]) for row in rows.get(sheet, ()) if row.get(column))


def wrong_method(key: str) -> Callable[[pytest.MonkeyPatch], None]:
    right = METHODS[key]

    def column(leaf: Any, inputs: Any) -> Any:
        return right.column(leaf, inputs).plus(TINY)

    return lambda patch: patch.setitem(METHODS, key, replace(right, column=column))


def wrong_branch(key: str) -> Callable[[pytest.MonkeyPatch], None]:
    right = BRANCHES[key]

    def combine(parts: Any, params: Any) -> Any:
        return right.combine(parts, params).plus(TINY)

    return lambda patch: patch.setitem(BRANCHES, key, replace(right, combine=combine))


def wrong_price(pricing: Pricing) -> Callable[[pytest.MonkeyPatch], None]:
    right, right_sums = lines.price_of, lines.plain_sum

    def price_of(clause: Any, entry: Any, at: Any = lines.ONLY) -> Fraction:
        return right(clause, entry, at) + (1 if clause.pricing is pricing else 0)

    def plain_sum(clause: Any) -> Any:
        unit, numerator = right_sums(clause)
        return (unit, numerator) if clause.pricing is not pricing else (unit, lambda *args: numerator(*args) + unit)

    def patch_all(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(lines, "price_of", price_of)
        patch.setattr(ledger_lines, "plain_sum", plain_sum)

    return patch_all


def instead(module: Any, name: str, wrong: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Put a wrong function, which is handed the right one first, in the place where it is called."""
    right = getattr(module, name)
    return lambda patch: patch.setattr(module, name, lambda *args, **facts: wrong(right, *args, **facts))


def dense(right: Any, totals: Any) -> dict[str, int]:
    order = sorted(set(totals.values()), reverse=True)
    return {key: order.index(value) + 1 for key, value in totals.items()}


FAULTS: dict[str, tuple[Callable[[Rows], bool], Callable[[pytest.MonkeyPatch], None]]] = {
    **{f"method {key}": (uses("indicators", "method", key), wrong_method(key)) for key in METHODS},
    **{f"branch {key}": (uses("indicators", "method", key), wrong_branch(key)) for key in BRANCHES},
    **{f"pricing {it.value}": (uses("clauses", "pricing", it.value), wrong_price(it)) for it in Pricing},
    "multipliers": (has("clauses", "multipliers"), instead(lines, "factor_of", lambda right, *_: Fraction(1))),
    "duplicates": (
        uses("clauses", "duplicates", "highest_only"), instead(lines, "drop_duplicates", lambda right, found: found),
    ),
    "clause caps": (has("clauses", "cap"), instead(lines, "cut_at_caps", lambda right, found: found)),
    "shares": (
        has("clauses", "shares"),
        instead(apportioning, "apportion", lambda right, *args: (right(*args)[0], [])),
    ),
    "own share": (
        has("clauses", "shares", "self"),
        instead(
            apportioning, "apportion",
            lambda right, shares, subject, named: (apportionment.Part(subject, 100), right(shares, subject, named)[1]),
        ),
    ),
    "rollup": (
        has("indicators", "rollup"),
        instead(engine, "roll_up_columns", lambda right, how, parts: chosen(parts, max) if parts else None),
    ),
    "what applies": (has("indicators", "applies_to"), lambda patch: [patch.setattr(it, "applies", lambda *_: True) for it in (cohorts, engine)]),
    "what is left to others": (
        uses("indicators", "not_applicable", "spread", "scale_up"),
        instead(engine, "shift_of", lambda right, siblings: engine.Shift()),
    ),
    "ties": (lambda rows: True, instead(evaluate, "ranks_of", dense)),
    "veto": (
        has("clauses", "veto"),
        lambda patch: patch.setattr(evaluate.Evaluation, "watched_of", lambda self, period, subject: []),
    ),
    "gate": (
        has("indicators", "params", "gate="),
        lambda patch: patch.setattr(evaluate.Evaluation, "_gate", lambda self, *_: ([], {})),
    ),
    "grades": (
        has("grade_rules", "kind", "band"),
        lambda patch: patch.setattr(grading, "year_grades", lambda rules, found: {}),
    ),
}  # fmt: skip
MOST_SEEDS = 12


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_does_not_pass(app: Flask, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in any one rule makes the comparison fail, within a dozen bureaus that use the rule."""
    is_used, plant = FAULTS[fault]
    fitting = islice((seed for seed in range(2000, 2400) if is_used(bureau_of(seed)[1])), MOST_SEEDS)
    first = next(fitting, None)
    assert first is not None, "no bureau uses the rule"
    plant(monkeypatch)

    assert any(next(differences(app, seed, tmp_path), None) is not None for seed in chain([first], fitting))
