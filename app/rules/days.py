"""How people write days and periods: the unambiguous spellings are read, everything else is refused.

One reader for workbooks, forms and filters. Source: docs/scoring.md section 7.
"""

from __future__ import annotations

import re
from datetime import date

from app.rules.periods import Period
from app.rules.texts import fold_width

FIRST_YEAR, LAST_YEAR = 1900, 9998
_CLOCK = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_DAY = re.compile(
    rf"(\d{{4}})(?:-(\d{{1,2}})-(\d{{1,2}})|/(\d{{1,2}})/(\d{{1,2}})|\.(\d{{1,2}})\.(\d{{1,2}})"
    rf"|\s*\u5e74\s*(\d{{1,2}})\s*\u6708\s*(\d{{1,2}})\s*[\u65e5\u53f7]|(\d{{2}})(\d{{2}})){_CLOCK}",
    re.ASCII,
)
_NUMERALS = {"\u4e00": 1, "\u4e8c": 2, "\u4e09": 3, "\u56db": 4}
_PERIOD = re.compile(
    r"(\d{4})\s*(?:[-/](\d{1,2})|(\d{2})|\u5e74(?:\s*(\d{1,2})\s*\u6708(?:\u4efd)?"
    r"|\s*\u7b2c?\s*([1-4\u4e00\u4e8c\u4e09\u56db])\s*\u5b63\u5ea6)?|[-]?[Qq]([1-4]))?",
    re.ASCII,
)


def read_day(text: str) -> date | None:
    """A day as people write it: `2026-04-01`, `2026/4/1`, `2026.4.1`, in Chinese, `20260401`, each with a time or not.

    None for what is none of them: week days of ISO 8601, years of two digits, days the calendar has not.
    """
    found = _DAY.fullmatch(fold_width(text))
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups() if part is not None)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def read_period(text: str) -> Period | None:
    """A period as people write it: `2026-03`, `2026/3`, `202603`, `2026Q1`, `2026`, and all three in Chinese.

    `2026.1` is none: as a number it may have been the tenth month. None for what is no period.
    """
    found = _PERIOD.fullmatch(fold_width(text))
    if found is None:
        return None
    year, *months, spoken_quarter, quarter = found.groups()
    month = next((int(part) for part in months if part is not None), None)
    if month is not None:
        return Period.parse(f"{year}-{month:02d}")
    if spoken_quarter is not None:
        return Period.parse(f"{year}Q{_NUMERALS.get(spoken_quarter, spoken_quarter)}")
    return Period.parse(year if quarter is None else f"{year}Q{quarter}")
