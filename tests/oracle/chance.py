"""Random choices as a bureau would write them: awkward decimals, days, lists."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

T = TypeVar("T")


class Chance:
    """One stream of random choices; the same seed gives the same workbook."""

    def __init__(self, seed: int, year: int) -> None:
        self.random = random.Random(seed)
        self.year = year

    def __call__(self, odds: float) -> bool:
        return self.random.random() < odds

    def one(self, items: Sequence[T]) -> T:
        return self.random.choice(items)

    def some(self, items: Sequence[T], odds: float) -> list[T]:
        return [it for it in items if self(odds)]

    def few(self, items: Sequence[T], least: int, most: int) -> list[T]:
        size = min(self.whole(least, most), len(items))
        return self.random.sample(list(items), size)

    def whole(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def number(self, least: float, most: float, places: int = 2) -> Decimal:
        """A decimal with at most so many places, often fewer."""
        scale = 10 ** self.whole(0, places)
        return Decimal(self.whole(math.ceil(least * scale), int(most * scale))) / scale

    def day(self, first: date | None = None, last: date | None = None) -> date:
        first = first or date(self.year, 1, 1)
        last = last or date(self.year, 12, 31)
        return first + timedelta(days=self.whole(0, max((last - first).days, 0)))

    def turn(self) -> date:
        """A day in mid-year on which something changes, often the first of a month."""
        day = self.day(date(self.year, 2, 1), date(self.year, 11, 30))
        return day.replace(day=1) if self(0.4) else day


def text(value: Any) -> str:
    """A decimal as it is typed, without an exponent."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)
