"""How a request is refused: one shape for every status from 400 on."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec


class Error(msgspec.Struct, omit_defaults=True):
    """What a client is told."""

    status: int
    what: str
    hint: str | None = None


class Body(msgspec.Struct):
    """The body of every refusal."""

    error: Error


class Refused(Exception):
    """A request that is not answered: its status, what is wrong, and what may help; `headers` go with it."""

    def __init__(self, status: int, what: str, hint: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.hint = hint
        self.headers = headers or {}

    @property
    def body(self) -> bytes:
        """The JSON of it."""
        return msgspec.json.encode(Body(Error(self.status, str(self), self.hint)))


def excerpt(words: str) -> str:
    """Words of a client as they may stand in a message: not too many, and no control characters."""
    return ascii(words if len(words) <= 80 else words[:80] + "...")


def suggestion(word: str, known: Iterable[str]) -> str:
    """What a word may have been meant to be, or all that it could be."""
    everything = list(known)
    close = get_close_matches(word[:80].lower(), everything, 1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(everything)}" if everything else "there are none"
