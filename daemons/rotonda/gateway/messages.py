"""Messages to clients, each written once in each form that somebody takes, and shared by all who take it."""

from __future__ import annotations

import struct
from enum import Enum
from functools import cached_property
from typing import Any

import msgspec

from rotoro.table import Position

_SHORT, _MIDDLE = 126, 1 << 16
_TEXT = 0x81
_encode = msgspec.json.Encoder().encode


class Form(Enum):
    """How messages are framed."""

    WEBSOCKET = "websocket"
    EVENTS = "sse"
    LINES = "json"


class Message:
    """One message: an object of JSON, and the position at which a client stands that has read it, if it is one."""

    def __init__(self, json: bytes, kind: str, place: Position | None = None) -> None:
        self.json = json
        self.kind = kind
        self.place = place

    @staticmethod
    def of(kind: str, place: Position | None = None, **members: Any) -> Message:
        """A message of this type with these members."""
        return Message(_encode({"type": kind, **members}), kind, place)

    def framed(self, form: Form) -> bytes:
        """Its octets in this form."""
        if form is Form.WEBSOCKET:
            return self._frame
        return self._event if form is Form.EVENTS else self._line

    @cached_property
    def _frame(self) -> bytes:
        """A text frame of a server (RFC 6455 section 5.2)."""
        length = len(self.json)
        if length < _SHORT:
            head = bytes((_TEXT, length))
        elif length < _MIDDLE:
            head = struct.pack(">BBH", _TEXT, _SHORT, length)
        else:
            head = struct.pack(">BBQ", _TEXT, _SHORT + 1, length)
        return head + self.json

    @cached_property
    def _event(self) -> bytes:
        """An event of a stream of them (HTML section 9.2); JSON has no line ends inside."""
        place = b"" if self.place is None else b"id: %s\n" % place_text(self.place).encode()
        return b"%sevent: %s\ndata: %s\n\n" % (place, self.kind.encode(), self.json)

    @cached_property
    def _line(self) -> bytes:
        return self.json + b"\n"


def place_text(place: Position) -> str:
    """A position in one word, as clients give it back.

    >>> place_text(Position(7, 12)), read_place("7-12")
    ('7-12', Position(epoch=7, serial=12))
    """
    return f"{place.epoch}-{place.serial}"


def read_place(words: str) -> Position:
    """The position that a client gives back. Raises ValueError."""
    epoch, _, serial = words.partition("-")
    if not (words.isascii() and epoch.isdigit() and serial.isdigit() and len(words) <= 41):
        raise ValueError(f"{words[:41]!r} is no position")
    return Position(int(epoch), int(serial))
