"""What a password must be, and how sign-in names are compared.

Source: trust demands AU-01 and AU-02 (GB/T 22239-2019, 7.1.4.1a).
"""

from __future__ import annotations

import secrets
import string
import unicodedata
from collections.abc import Collection
from itertools import pairwise

from app.errors import N_, Message

SHORTEST, LONGEST = 10, 128
CLASSES_NEEDED = 3
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
MARKS = "-_+=@#%"
ROWS = (string.digits, string.ascii_lowercase, "qwertyuiop", "asdfghjkl", "zxcvbnm")
LONGEST_SEQUENCE = 5
SHORTEST_WORD = 2
COUNTY, BUREAU = "\N{CJK UNIFIED IDEOGRAPH-53BF}", "\N{CJK UNIFIED IDEOGRAPH-5C40}"


def canonical_username(text: str) -> str:
    """Fold case and full-width forms: `zhang`, `ZHANG` and full-width `zhang` are one name."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def classes_of(password: str) -> int:
    """Count the classes used: lower, upper, digits, everything else."""
    tests = (str.islower, str.isupper, str.isdigit)
    found = [any(test(char) for char in password) for test in tests]
    others = any(not (char.isascii() and char.isalnum()) for char in password)
    return sum(found) + others


def bureau_words(code: str, names: Collection[str], year: int) -> frozenset[str]:
    """What no password of a bureau may hold: its code, its names without their common endings, the years near by."""
    found = {str(near) for near in (year - 1, year, year + 1)}
    for name in (code, *names):
        place, _, rest = name.partition(COUNTY)
        found |= {name, place, (rest or name).removesuffix(BUREAU)}
    return frozenset(word for word in found if len(word) >= SHORTEST_WORD)


def _longest_sequence(text: str) -> int:
    """The longest run of neighbours: in the alphabet, among the digits, on the keyboard, or equal ones."""
    steps = [_step(first, second) for first, second in pairwise(text)]
    longest = run = 0
    for index, step in enumerate(steps):
        run = 0 if step is None else run + 1 if index and steps[index - 1] == step else 1
        longest = max(longest, run)
    return longest + 1


def _step(first: str, second: str) -> tuple[str, int] | None:
    """The direction from one character to its neighbour, and along which row; None where they are none."""
    for row in ROWS:
        if first in row and second in row and abs(row.index(second) - row.index(first)) <= 1:
            return row, row.index(second) - row.index(first)
    return None


def fault_of(password: str, *, username: str, common: frozenset[str], words: Collection[str] = ()) -> Message | None:
    """What is wrong with a password, or None.

    `common` holds the refused passwords in lower case, `words` what everybody would guess (`bureau_words`).
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
    if any(canonical_username(word) in folded for word in words):
        return N_("The password must not hold the name, code or place of the bureau, or the year.")
    if _longest_sequence(folded) >= LONGEST_SEQUENCE:
        return N_("The password holds a sequence like 12345, aaaaa or qwert.")
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
