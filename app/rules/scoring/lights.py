"""The light beside a total: met, watch or warn. Source: design of the portal; assumption A-03 (90 and 85)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

MET_FROM, WATCH_FROM = Decimal(90), Decimal(85)


class Light(StrEnum):
    """Green, amber, red; always shown with its shape and word."""

    MET = "g"
    WATCH = "a"
    WARN = "r"


def light_of(total: Decimal) -> Light:
    """The light of a total out of a hundred."""
    if total >= MET_FROM:
        return Light.MET
    return Light.WATCH if total >= WATCH_FROM else Light.WARN
