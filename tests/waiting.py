"""The one place where a test sleeps: what it waits for is another process, and nothing would call it back."""

from __future__ import annotations

import time
from collections.abc import Callable


def pause(seconds: float, why: str) -> None:
    """Sleep, for a reason that stands where it is asked for."""
    assert why
    time.sleep(seconds)


def until(holds: Callable[[], bool], seconds: int = 60) -> None:
    """Wait for what a job does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        pause(1, "the worker is another process; what it writes is all there is to look at")
