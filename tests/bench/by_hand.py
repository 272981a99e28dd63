"""The county's two schemes as hand-written SQL: scores of leaves, totals and ranks written to a table of their own.

The floor that settling is measured against. Plain real numbers, nothing explained, no rule that is not in these schemes.
"""

from __future__ import annotations

from sqlalchemy import text

from app.extensions import db

TABLE = """
CREATE TABLE IF NOT EXISTS bench_score (
    bureau_id INTEGER NOT NULL, period VARCHAR(7) NOT NULL, subject_id INTEGER NOT NULL, leaf VARCHAR(8) NOT NULL,
    score DOUBLE PRECISION, rank INTEGER, PRIMARY KEY (bureau_id, period, subject_id, leaf))
"""
WEIGHTS = {"D0": 0.1, "D1": 0.1, "D2": 0.1, "D3": 0.1, "R": 0.2, "B": 0.2, "G": 0.2, "PD": 1.0, "PA": 1.0}
STATEMENT = """
INSERT INTO bench_score
WITH cell AS (
    SELECT e.subject_id, e.month, c.indicator_code AS leaf,
        SUM(CASE c.pricing WHEN 'fixed' THEN c.price / 1000.0 WHEN 'given' THEN e.points / 1000.0 END
            * e.quantity / 10000.0) AS total,
        AVG(e.value / 10000.0) AS mark
    FROM score_entry e JOIN clause c ON c.id = e.clause_id
    WHERE e.bureau_id = :bureau AND e.month IN ({months}) AND e.kind <> 'reversal'
        AND e.id NOT IN (SELECT reverses_id FROM score_entry WHERE reverses_id IS NOT NULL)
    GROUP BY e.subject_id, e.month, c.indicator_code),
weight(leaf, weight) AS (VALUES {weights}),
member AS (
    SELECT subject_id, group_name, 'unit' AS kind FROM unit WHERE bureau_id = :bureau AND group_name <> ''
    UNION ALL SELECT subject_id, group_name, 'person' FROM person WHERE bureau_id = :bureau AND group_name <> ''),
month(month) AS (VALUES {month_rows}),
best AS (
    SELECT m.group_name, cell.month, MAX(cell.total) AS top FROM cell JOIN member m ON m.subject_id = cell.subject_id
    WHERE cell.leaf = 'B' GROUP BY m.group_name, cell.month),
leaf_month AS (
    SELECT m.subject_id, m.group_name, m.kind, w.leaf, w.weight, CASE
        WHEN w.leaf LIKE 'D_' OR w.leaf = 'PD' THEN CASE WHEN COALESCE(cell.total, 0) > 100 THEN 0 ELSE 100 - COALESCE(cell.total, 0) END
        WHEN w.leaf = 'R' THEN CASE WHEN COALESCE(cell.total, 0) > 100 THEN 100 ELSE COALESCE(cell.total, 0) END
        WHEN w.leaf = 'B' THEN cell.total * 100.0 / best.top
        WHEN w.leaf = 'G' THEN cell.mark
        ELSE CASE WHEN COALESCE(cell.total, 0) > 20 THEN 20 ELSE COALESCE(cell.total, 0) END END AS score
    FROM member m
    JOIN weight w ON (m.kind = 'person') = (w.leaf LIKE 'P%')
    CROSS JOIN month
    LEFT JOIN cell ON cell.subject_id = m.subject_id AND cell.leaf = w.leaf AND cell.month = month.month
    LEFT JOIN best ON best.group_name = m.group_name AND best.month = month.month),
leaf_score AS (
    SELECT subject_id, group_name, kind, leaf, weight, AVG(score) AS score FROM leaf_month
    WHERE score IS NOT NULL GROUP BY subject_id, group_name, kind, leaf, weight),
total AS (
    SELECT subject_id, group_name, kind, SUM(weight * score) AS score FROM leaf_score GROUP BY subject_id, group_name, kind)
SELECT :bureau, :period, subject_id, leaf, score, NULL FROM leaf_score
UNION ALL
SELECT :bureau, :period, subject_id, '', score,
    RANK() OVER (PARTITION BY kind, group_name ORDER BY ROUND(CAST(score AS NUMERIC), 2) DESC) FROM total
"""


def settle_by_hand(bureau_id: int, period: str, months: list[str]) -> None:
    """Clear and fill the results of a period in one transaction."""
    statement = STATEMENT.format(
        months=", ".join(f"'{it}'" for it in months),
        weights=", ".join(f"('{leaf}', {weight})" for leaf, weight in WEIGHTS.items()),
        month_rows=", ".join(f"('{it}')" for it in months),
    )
    with db.engine.begin() as connection:
        connection.execute(text(TABLE))
        connection.execute(
            text("DELETE FROM bench_score WHERE bureau_id = :bureau AND period = :period"),
            {"bureau": bureau_id, "period": period},
        )
        connection.execute(text(statement), {"bureau": bureau_id, "period": period})


def totals_by_hand(bureau_id: int, period: str) -> dict[int, tuple[float, int]]:
    """Total and rank by subject, to be held against the product's."""
    with db.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT subject_id, score, rank FROM bench_score WHERE bureau_id = :bureau AND period = :period AND leaf = ''"
            ),
            {"bureau": bureau_id, "period": period},
        )
        return {row.subject_id: (float(row.score), row.rank) for row in rows}
