"""Secrets at rest: sealed with a key of the data folder, so that a copy of the database alone opens nothing.

Source: trust demand CR-02.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken

from app.errors import N_, RuleViolation


def _box(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))


def seal(text: str, key: str) -> str:
    """A secret as it is stored; nothing stays nothing."""
    return _box(key).encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str, key: str) -> str:
    """A stored secret; refused where the key of the data folder is not the one it was sealed with."""
    try:
        return _box(key).decrypt(sealed.encode()).decode() if sealed else ""
    except InvalidToken:
        raise RuleViolation(
            N_("The key of the data folder is another one than when this channel was kept: enter its secrets again.")
        ) from None
