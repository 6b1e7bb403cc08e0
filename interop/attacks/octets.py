"""What hostile peers say, of either side, and how what they say must look in a log."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from interop.conformance.octets import ERROR_REPORT, HEADER, error_report, pdu, reset_query

VERSION = 2

BAD_TEXTS = {
    "invalid UTF-8": b"\xff\xfe\xc0\x80\xf5",
    "ESC": b"\x1b[31mred\x1b]0;title\x07",
    "CRLF": b"x\r\n2026-01-01T00:00:00+0000 [-] a line of its own",
    "bidi": "abc\u202edef\u2066ghi\u200f".encode(),
    "NUL": b"a\0b%n%s{peer}",
    "65 kB": "\u00e9".encode() * 32_000,
}
_HARMFUL = ("\x1b", "\u202e", "\u2066", "\u200f", "\0", "\x07", "\r", "\n2026-01-01T00:00:00+0000 [-] a line")

LONGEST_LINE = 800
"""Octets: 256 characters of it, each escaped, would be 1,024, but no text here has so many to be escaped."""


def reports_about_reports() -> Iterator[bytes]:
    """Error Reports about an Error Report, about themselves, and about more than there is."""
    inner = error_report(VERSION, 3, reset_query(VERSION), "inner")
    yield error_report(VERSION, 0, inner, "about a report")
    yield error_report(VERSION, 0, error_report(VERSION, 0, inner, "deep"), "deeper")
    for told in (9, 24, 4000, 0xFFFFFFFF):  # of an offending PDU, where there are 8 octets
        yield pdu(VERSION, ERROR_REPORT, 0, struct.pack(">I", told) + reset_query(VERSION) + struct.pack(">I", 0))
    for told in (1, 4000, 0xFFFFFFFF):  # of text, where there is none
        yield pdu(VERSION, ERROR_REPORT, 0, struct.pack(">II", 0, told))
    claims_itself = struct.pack(">BBHII", VERSION, ERROR_REPORT, 0, 28, 16)
    yield claims_itself + claims_itself[:12] + struct.pack(">I", 0)
    for length in (8, 12, 15):
        yield pdu(VERSION, ERROR_REPORT, 0, bytes(length - HEADER))


def harm(text: str) -> list[str]:
    """What a terminal, or somebody who reads it line by line, would take amiss."""
    found = [repr(each) for each in _HARMFUL if each in text]
    return found + [f"a line of {len(line)} characters" for line in text.splitlines() if len(line) > LONGEST_LINE]
