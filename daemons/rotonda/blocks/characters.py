"""Characters that could make a text look like another one: they are refused in files and shown by their numbers."""

from __future__ import annotations

import re

HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]|\r(?!\n)"
)
"""Control characters, those that change the direction of writing, and those that are not seen; a lone return, too."""
MARK = "\ufeff"
"""What some editors put at the beginning of a file."""


def number(character: str) -> str:
    """How Unicode numbers a character.

    >>> number("A")
    'U+0041'
    """
    return f"U+{ord(character):04X}"


def escaped(text: str) -> str:
    r"""The text with its hidden characters by their numbers.

    >>> escaped("a\u202eb")
    'a<U+202E>b'
    """
    return HIDDEN.sub(lambda found: f"<{number(found[0])}>", text)


def cut(text: str, most: int = 40) -> str:
    """The text, escaped, or its beginning if it is long."""
    return escaped(text if len(text) <= most else text[:most] + "...")
