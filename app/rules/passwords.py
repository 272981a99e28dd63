"""What a password must be, and how sign-in names are compared.

Source: trust demands AU-01 and AU-02 (GB/T 22239-2019, 7.1.4.1a).
"""

from __future__ import annotations

import secrets
import string
import unicodedata

from app.errors import N_, Message

SHORTEST, LONGEST = 10, 128
CLASSES_NEEDED = 3
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
MARKS = "-_+=@#%"


def canonical_username(text: str) -> str:
    """Fold case and full-width forms: `zhang`, `ZHANG` and full-width `zhang` are one name."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def classes_of(password: str) -> int:
    """Count the classes used: lower, upper, digits, everything else."""
    tests = (str.islower, str.isupper, str.isdigit)
    found = [any(test(char) for char in password) for test in tests]
    others = any(not (char.isascii() and char.isalnum()) for char in password)
    return sum(found) + others


def fault_of(password: str, *, username: str, common: frozenset[str]) -> Message | None:
    """What is wrong with a password, or None.

    `common` holds the refused passwords in lower case.
    """
    if len(password) < SHORTEST:
        return N_("The password needs at least %(length)s characters.", length=SHORTEST)
    if len(password) > LONGEST:
        return N_("The password must not exceed %(length)s characters.", length=LONGEST)
    if classes_of(password) < CLASSES_NEEDED:
        return N_("The password needs three of: lower case, upper case, digits, other characters.")
    folded = canonical_username(password)
    if canonical_username(username) and canonical_username(username) in folded:
        return N_("The password must not contain the user name.")
    if folded in common or folded.rstrip(string.digits + string.punctuation) in common:
        return N_("The password is among the most common ones.")
    return None


def new_password(length: int = 14) -> str:
    """A random password that meets the policy."""
    letters = [secrets.choice(ALPHABET) for _ in range(length - 4)]
    sure = [
        secrets.choice(string.ascii_lowercase.replace("l", "")),
        secrets.choice(string.ascii_uppercase.replace("O", "").replace("I", "")),
        secrets.choice("23456789"),
        secrets.choice(MARKS),
    ]
    word = letters + sure
    secrets.SystemRandom().shuffle(word)
    return "".join(word)
