"""Which characters a text may hold: what nobody can type, see or export is refused, what nobody sees is dropped.

XML, and with it every office file, knows neither control characters nor non-characters; a database may refuse a
NUL; marks of direction and of width zero make two names look alike. Source: XML 1.0 section 2.2, Unicode 23.7.
"""

from __future__ import annotations

import re

# Controls but tab and line ends, lone surrogates, and the non-characters of every plane.
_ILLEGAL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
    + "]"
)
# Blanks without width, soft hyphens, marks of direction, byte-order marks.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]"
)


def illegal_in(text: str) -> str | None:
    """The first character of a text that is refused, by its number (`U+FFFF`); None where there is none."""
    found = _ILLEGAL.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def around(text: str) -> str:
    """The first refused character of a text with what stands beside it, as a person may be shown it."""
    found = _ILLEGAL.search(text)
    if found is None:
        return ""
    before, after = text[max(0, found.start() - 12) : found.start()], text[found.end() : found.end() + 12]
    return _ILLEGAL.sub("", before) + "□" + _ILLEGAL.sub("", after)


def legal(text: str) -> str:
    """A text as a file may hold it: what was stored before such characters were refused is left out."""
    return _ILLEGAL.sub("", text)


def seen(text: str) -> str:
    """A text without what nobody sees; one that held nothing else becomes blank."""
    shown = _UNSEEN.sub("", text)
    return shown if shown.strip() else ""


# Full-width ASCII and the full-width blank, and nothing else: a circled or raised digit is a mark, not a number.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


_WIDE = {narrow: wide for wide, narrow in _NARROW.items() if narrow != 0x20}


def widths_of(text: str) -> list[str]:
    """A text as it was typed, all narrow and all full-width: who searches for one means the others."""
    return list(dict.fromkeys((text, text.translate(_NARROW), text.translate(_WIDE))))


def fold_width(text: str) -> str:
    """A text with full-width ASCII written narrow, for numbers, days, codes and coded values."""
    return text.translate(_NARROW).strip()
