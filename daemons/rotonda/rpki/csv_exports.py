"""Reads the CSV of routinator and of rpki-client, which differ by one column: when an entry expires.

As with JSON, lines are taken by the thousand as columns, and one by one only where a thousand does not fit.
"""

from __future__ import annotations

import re
from io import BytesIO
from itertools import islice

from .ledger import BadExport, Ledger, Place

CHUNK = 16_384
MAX_LINES = 1 << 25
ROUTINATOR = "asn,ip prefix,max length,trust anchor"
RPKI_CLIENT = ROUTINATOR + ",expires"

_NUMBER = re.compile(r"0|[1-9][0-9]{0,11}", re.ASCII)
_NUMBERS = re.compile(r"(?:(?:0|[1-9][0-9]{0,11})\n)*+", re.ASCII)


def csv_columns(data: bytes) -> int:
    """How many columns the header promises; 0 where there is no header of a validator's."""
    header = data[:100].partition(b"\n")[0].strip().decode("latin-1").lower()
    return {ROUTINATOR: 4, RPKI_CLIENT: 5}.get(header, 0)


def read_csv(data: bytes, ledger: Ledger) -> str:
    """Enter everything that a CSV export says; the name of its format. Raises BadExport if it is not one."""
    columns = csv_columns(data)
    if data.count(b"\n") > MAX_LINES:
        raise BadExport(ledger.name, f"more than {MAX_LINES:,} lines", "the whole file")
    lines = BytesIO(data)
    lines.readline()
    number = 2
    while chunk := list(islice(lines, CHUNK)):
        try:
            _add_lines(chunk, columns, ledger)
        except ValueError:
            for offset, line in enumerate(chunk):
                _add_line(Place(f"line {number + offset}", line), columns, ledger)
        number += len(chunk)
    return "routinator CSV" if columns == 4 else "rpki-client CSV"


def _add_lines(lines: list[bytes], columns: int, ledger: Ledger) -> None:
    """Take many lines, or none and raise ValueError."""
    if {line.count(b",") for line in lines} != {columns - 1}:
        raise ValueError("not the same columns in every line")
    text = b"".join(lines).decode("utf-8").replace("\r\n", "\n").removesuffix("\n")
    if text.count("\n") != len(lines) - 1:
        raise ValueError("a line that is none")
    words = text.replace("\n", ",").split(",")
    expires: list[int] | list[None] = _numbers(words[4::5]) if columns == 5 else [None] * len(lines)
    ledger.add_vrps(words[0::columns], words[1::columns], _numbers(words[2::columns]), expires)


def _numbers(words: list[str]) -> list[int]:
    if not _NUMBERS.fullmatch("\n".join(words) + "\n"):
        raise ValueError("not all of these are numbers")
    return list(map(int, words))


def _add_line(place: Place, columns: int, ledger: Ledger) -> None:
    line = bytes(place.octets).strip()
    words = line.decode("utf-8", "backslashreplace").split(",")
    if not line:
        return
    if len(words) != columns:
        ledger.refuse(place, f"{len(words)} columns where the header has {columns}")
        return
    try:
        expires = _number(words[4]) if columns == 5 else None
        max_length = _number(words[2])
    except ValueError as error:
        ledger.refuse(place, str(error))
        return
    ledger.add_vrp(place, words[0], words[1], max_length, expires)


def _number(word: str) -> int:
    if _NUMBER.fullmatch(word) is None:
        raise ValueError(f"{word[:40]!r} is not a number")
    return int(word)
