"""Reads what RPKI validators export, whoever wrote it; what kind it is, its content says and not its name.

A whole file that makes no sense is refused, so that whoever has older data keeps it. An entry that makes no sense is
refused alone: one bad ROA must never cost a router all the others (CVE-2021-3761).
"""

from __future__ import annotations

from .csv_exports import csv_columns, read_csv
from .json_exports import read_json
from .ledger import BadExport, Export, Ledger, Problem, excerpt

__all__ = ["MAX_OCTETS", "BadExport", "Export", "Problem", "read_export"]

MAX_OCTETS = 1 << 30
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_export(data: bytes, name: str, now: float, keep_expired: bool = False) -> Export:
    """What the export `data` says, with all that is wrong in it; `name` is only for messages.

    `now` is in seconds since 1970: entries that expired are left out and counted, unless `keep_expired`.
    Raises BadExport for what is no export at all.
    """
    if len(data) > MAX_OCTETS:
        raise BadExport(name, f"{len(data):,} octets, where {MAX_OCTETS:,} are the most", "the whole file")
    data = data.removeprefix(_BYTE_ORDER_MARK)
    start = data[:256].lstrip()
    ledger = Ledger(name, now, keep_expired)
    if start.startswith(b"{"):
        return ledger.close(read_json(data, ledger))
    if csv_columns(data):
        return ledger.close(read_csv(data, ledger))
    raise BadExport(name, f"{_guess(data)}: {excerpt(data[:256])}", "byte 0")


def _guess(data: bytes) -> str:
    """What a file that is no export probably is."""
    if not data.strip():
        return "empty"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16, where JSON is UTF-8 (RFC 8259 section 8.1)"
    if data[:2] == b"\x1f\x8b":
        return "compressed"
    return "neither a JSON object nor the header of a validator's CSV"
