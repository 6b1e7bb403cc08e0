"""Where something stands in a text."""

from __future__ import annotations

from bisect import bisect_right

import msgspec


class Span(msgspec.Struct, frozen=True, gc=False):
    """A piece of a text, from one offset to before another, in characters."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """From the start of this one to the end of another."""
        return Span(self.start, other.end)


NOWHERE = Span(0, 0)


class Source:
    """One text with its name, as people know it, and the places in it."""

    __slots__ = ("_starts", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._starts: list[int] | None = None

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1; a column is a character."""
        starts = self._lines()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, numbered from 1, without its end."""
        starts = self._lines()
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    def shown(self, span: Span) -> str:
        """Name, line and column, as compilers write them."""
        line, column = self.place(span.start)
        return f"{self.name}:{line}:{column}"

    def _lines(self) -> list[int]:
        if self._starts is None:
            self._starts = [0]
            at = self.text.find("\n")
            while at >= 0:
                self._starts.append(at + 1)
                at = self.text.find("\n", at + 1)
        return self._starts
