"""The one place where a test sleeps: what it waits for is another process, and nothing would call it back."""

from __future__ import annotations

import time


def pause(seconds: float, why: str) -> None:
    """Sleep, for a reason that stands where it is asked for."""
    assert why
    time.sleep(seconds)
