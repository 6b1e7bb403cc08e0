"""Communities as people ask for them."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_PARTS = re.compile(r"[0-9]{1,10}(?::[0-9]{1,10}){1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Community:
    """A standard (RFC 1997) or large (RFC 8092) community: its octets, how it is shown, and in which field."""

    octets: bytes
    shown: str
    field: str

    @staticmethod
    def parse(words: str) -> Community:
        """`64500:1` or `64500:1:2`. Raises ValueError.

        >>> Community.parse("64500:1").field, Community.parse("64500:1:2").field
        ('communities', 'large_communities')
        """
        parts = tuple(map(int, words.split(":"))) if _PARTS.fullmatch(words) else ()
        layout, field = (">HH", "communities") if len(parts) == 2 else (">III", "large_communities")
        try:
            return Community(struct.pack(layout, *parts), ":".join(map(str, parts)), field)
        except struct.error:
            raise ValueError(
                f"{words[:60]!r} is not a community, like 64500:1, or a large one, like 64500:1:2"
            ) from None
