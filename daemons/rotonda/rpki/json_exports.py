"""Reads the JSON of routinator and of rpki-client, old and new.

ROAs as every validator writes them are read by a compiled loop, where there is one. Else, and where one of them is
unusual, the file is cut into its entries without a look inside, and the entries are decoded into typed columns by the
thousand. Only where such a chunk does not fit is it gone through entry by entry, to say which one is wrong and to use
the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from rotonda import is_compiled

from .dated import Ends
from .ledger import BadExport, Ledger, Place, excerpt

CHUNK = 16_384
MAX_VALUES = 1 << 25
"""More commas than this are not looked into: each costs about 60 octets, and the RPKI of today has two millions."""

T = TypeVar("T")

_BLANKS = b" \t\r\n"
_Columns = tuple[NDArray[np.bytes_], Ends, NDArray[np.bytes_], Ends]


accelerated = is_compiled("rotonda.rpki._bulk")

_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


class _ByFamily(Struct):
    ipv4: list[Raw] | None = None
    ipv6: list[Raw] | None = None


class _Document(Struct):
    roas: list[Raw]
    metadata: Raw = Raw(b"{}")
    router_keys: list[Raw] | None = msgspec.field(default=None, name="routerKeys")
    bgpsec_keys: list[Raw] | None = None
    aspas: list[Raw] | None = None
    provider_authorizations: _ByFamily | None = None


class _Roa(Struct, gc=False):
    asn: int | str
    prefix: str
    max_length: int | None = msgspec.field(default=None, name="maxLength")
    expires: float | None = None


class _RoutinatorKey(Struct):
    asn: int | str
    ski: str = msgspec.field(name="SKI")
    public_key: str = msgspec.field(name="routerPublicKey")


class _RpkiClientKey(Struct):
    asn: int | str
    ski: str
    public_key: str = msgspec.field(name="pubkey")
    expires: float | None = None


class _RoutinatorAspa(Struct):
    customer: int | str
    providers: list[int | str]


class _RpkiClientAspa(Struct):
    customer: int | str = msgspec.field(name="customer_asid")
    providers: list[int | str]
    expires: float | None = None


_DOCUMENT = msgspec.json.Decoder(_Document)
_ROA = msgspec.json.Decoder(_Roa)
_ROAS = msgspec.json.Decoder(list[_Roa])
_ROUTINATOR_KEY = msgspec.json.Decoder(_RoutinatorKey)
_RPKI_CLIENT_KEY = msgspec.json.Decoder(_RpkiClientKey)
_ROUTINATOR_ASPA = msgspec.json.Decoder(_RoutinatorAspa)
_RPKI_CLIENT_ASPA = msgspec.json.Decoder(_RpkiClientAspa)


def read_json(data: bytes, ledger: Ledger) -> str:
    """Enter everything that a JSON export says; the name of its format. Raises BadExport if it is not one."""
    if data.count(b",") > MAX_VALUES:
        raise BadExport(ledger.name, f"more than {MAX_VALUES:,} values", "the whole file")
    document, of_rpki_client = _usual(data, ledger) or (_decode(data, ledger.name), False)
    _add_roas(document.roas, ledger)
    for place, key in _entries("routerKeys", document.router_keys, _ROUTINATOR_KEY, ledger):
        ledger.add_router_key(place, key.asn, key.ski, key.public_key)
    for place, dated in _entries("bgpsec_keys", document.bgpsec_keys, _RPKI_CLIENT_KEY, ledger):
        ledger.add_router_key(place, dated.asn, dated.ski, dated.public_key, dated.expires)
    _add_aspas(document, ledger)
    return "rpki-client JSON" if of_rpki_client or _is_of_rpki_client(document) else "routinator JSON"


def _usual(data: bytes, ledger: Ledger) -> tuple[_Document, bool] | None:
    """The document without its ROAs, which are entered, and whether these are dated; None if anything is unusual.

    That the ROAs were found where they belong is proved by what is left: a document whose only list of ROAs is empty.
    """
    name = data.find(b'"roas"')
    start = data.find(b"[", name) + 1
    if not accelerated or name < 0 or not start or data[name + 6 : start].translate(None, _BLANKS) != b":[":
        return None
    found = _scan(data, start)
    if found is None:
        return None
    parts, end = found
    rest = data[:start] + data[end - 1 :]
    if rest.count(b'"roas"') > 1 or b"\\u" in rest:
        return None
    try:
        document = _DOCUMENT.decode(rest)
    except _UNREADABLE:
        return None  # to be told with places in the whole of it
    if document.roas:
        return None
    for part in parts:
        ledger.add_keys(*part)
    return document, b'"expires"' in data[start : data.find(b"}", start) + 1]


def _scan(data: bytes, start: int) -> tuple[list[_Columns], int] | None:
    """All ROAs of the list that is open at `start`, and the position behind it; None if one of them is unusual."""
    from . import _bulk

    walk, parts, more = _bulk.Roas(data, start), [], True
    while more:
        taken = walk.take(CHUNK)
        if taken is None:
            return None
        more, four, ends4, six, ends6 = taken
        keys4, keys6 = np.frombuffer(four, "S10"), np.frombuffer(six, "S22")
        parts.append((keys4, np.frombuffer(ends4, "f8"), keys6, np.frombuffer(ends6, "f8")))
    return parts, walk.position()


def _decode(data: bytes, name: str) -> _Document:
    try:
        return _DOCUMENT.decode(data)
    except RecursionError:
        raise BadExport(name, "nested too deeply", "the whole file") from None
    except (msgspec.DecodeError, ValueError) as error:
        place = re.search(r" \(byte (\d+)\)", str(error))
        if place is None:
            raise BadExport(name, f"not an export: {_explain(error)}: {excerpt(data)}", "the whole file") from None
        position = int(place[1])
        what = f"{str(error)[: place.start()]}: {excerpt(data[max(0, position - 40) : position + 40])}"
        raise BadExport(name, what, f"byte {position}") from None


def _add_roas(entries: list[Raw], ledger: Ledger) -> None:
    for start in range(0, len(entries), CHUNK):
        chunk = entries[start : start + CHUNK]
        try:
            roas = _ROAS.decode(b"[" + b",".join(chunk) + b"]")
            ledger.add_vrps(
                [roa.asn for roa in roas],
                [roa.prefix for roa in roas],
                [roa.max_length for roa in roas],
                [roa.expires for roa in roas],
            )
        except _UNREADABLE:
            for place, roa in _entries("roas", chunk, _ROA, ledger, start):
                ledger.add_vrp(place, roa.asn, roa.prefix, roa.max_length, roa.expires)


def _add_aspas(document: _Document, ledger: Ledger) -> None:
    entries = document.aspas
    if entries and b'"customer_asid"' in bytes(entries[0]):
        for place, dated in _entries("aspas", entries, _RPKI_CLIENT_ASPA, ledger):
            ledger.add_aspa(place, dated.customer, dated.providers, dated.expires)
    else:
        for place, aspa in _entries("aspas", entries, _ROUTINATOR_ASPA, ledger):
            ledger.add_aspa(place, aspa.customer, aspa.providers)
    # The drafts of 2023 kept the families apart; those of today do not, so that a customer has one list: the union.
    families = document.provider_authorizations or _ByFamily()
    for family, listed in (("ipv4", families.ipv4), ("ipv6", families.ipv6)):
        for place, dated in _entries(f"provider_authorizations.{family}", listed, _RPKI_CLIENT_ASPA, ledger):
            ledger.add_aspa(place, dated.customer, dated.providers, dated.expires)


def _entries(
    name: str, entries: list[Raw] | None, decoder: msgspec.json.Decoder[T], ledger: Ledger, start: int = 0
) -> Iterator[tuple[Place, T]]:
    """The entries of a list that can be read, each with its place; the others become problems."""
    for index, raw in enumerate(entries or (), start):
        place = Place(f"{name}[{index}]", memoryview(raw))
        try:
            yield place, decoder.decode(raw)
        except _UNREADABLE as error:
            ledger.refuse(place, _explain(error))


def _explain(error: Exception) -> str:
    """msgspec's words without its marks: `asn: Expected int or str, got null`."""
    words, _, path = str(error).replace("`", "").replace(" | ", " or ").partition(" - at $.")
    return f"{path}: {words}" if path else words


def _is_of_rpki_client(document: _Document) -> bool:
    if document.bgpsec_keys is not None or document.provider_authorizations is not None:
        return True
    if b'"buildmachine"' in bytes(document.metadata):
        return True
    return bool(document.roas) and b'"expires"' in bytes(document.roas[0])
