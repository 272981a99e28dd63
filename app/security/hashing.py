"""One password at a time: hashing is made to be dear, so nobody may make the server hash for everybody at once.

Each hash takes half a second of a core and 128 MB. One runs in a process, one waits; whoever comes then hears
that he should try again in a moment, and what he typed stays. Source: trust demand AU-05.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT = 5.0
RETRY_AFTER = 3

_place = threading.BoundedSemaphore(2)
_turn = threading.Lock()


class Crowded(Exception):
    """Too many passwords are being checked at this moment."""


@contextmanager
def turn() -> Iterator[None]:
    """The right to hash one password, in turn; `Crowded` where one waits already, or the turn does not come."""
    if not _place.acquire(blocking=False):
        raise Crowded
    try:
        if not _turn.acquire(timeout=LONGEST_WAIT):
            raise Crowded
        try:
            yield
        finally:
            _turn.release()
    finally:
        _place.release()
