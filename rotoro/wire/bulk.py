"""Runs of fixed-width records and columns: whole tables cross the wire without an object per record.

Record keys are fixed-width octet strings (numpy `S`), so that their order as octets is the natural order of the
records. Where each octet of a key lies in its PDU is read off the declarations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.wire.codec import decode
from rotoro.wire.errors import CorruptData
from rotoro.wire.fields import FLAG_SUMS, RouteFlags
from rotoro.wire.pdu import Layout, Part, Pdu
from rotoro.wire.rotoro import RouteRow4, RouteRow6, Routes4, Routes6
from rotoro.wire.rtr import ANNOUNCE, Ipv4Prefix, Ipv6Prefix
from rotoro.wire.shape import Kind, in_header, shape

Octets2d = NDArray[np.uint8]
Keys = NDArray[np.bytes_]


def record_dtype(layout: type[Layout], flags: int = 0) -> np.dtype[Any]:
    """The numpy dtype of a fixed-width PDU, header included, or of a row with the columns that `flags` give it.

    >>> record_dtype(Ipv4Prefix).itemsize, record_dtype(RouteRow4, 1).itemsize, record_dtype(RouteRow6, 1).itemsize
    (20, 9, 21)
    """
    columns = [(name, _column(layout, name)) for name, wire in layout.present(flags).items() if not wire.in_header]
    if issubclass(layout, Pdu):
        head = [(name, _column(layout, name)) for name in in_header(layout, True)]
        columns = [("version", "u1"), ("type", "u1"), *(head or [("header", ">u2")]), ("size", ">u4"), *columns]
    return np.dtype(columns)


def _column(owner: type[Layout], name: str) -> str:
    form = shape(owner, name)
    return f"{'>u' if form.kind is Kind.NUMBER else 'V'}{form.size}"


def _places(dtype: np.dtype[Any], *names: str) -> list[int]:
    """The place of every octet of these fields, in this order."""
    fields: Any = dtype.fields
    return [fields[name][1] + i for name in names for i in range(fields[name][0].itemsize)]


def as_keys(octets: Octets2d) -> Keys:
    """Rows of octets as keys of that width."""
    rows, width = octets.shape
    return np.ascontiguousarray(octets).view(f"S{width}").reshape(rows)


def as_octets(keys: Keys) -> Octets2d:
    """Keys as rows of octets; shares the memory."""
    return np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)


def _masks(bits: int) -> list[NDArray[Any]]:
    """For each word of an address and each value of a prefix length: what must be zero behind it."""
    full = (1 << bits) - 1
    octets = b"".join((full >> length).to_bytes(bits // 8) for length in range(256))
    words = np.frombuffer(octets, f"u{min(bits // 8, 8)}").reshape(256, -1)
    return [np.ascontiguousarray(column) for column in words.T]


_BEHIND = {4: _masks(32), 16: _masks(128)}


def _host_bits(addresses: NDArray[Any], lengths: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which addresses (an array of octet strings) have bits set behind their prefix length."""
    masks = _BEHIND[addresses.itemsize]
    words = np.ascontiguousarray(addresses).view(masks[0].dtype).reshape(-1, len(masks))
    found = words[:, 0] & masks[0][lengths]
    for place, mask in enumerate(masks[1:], 1):
        found |= words[:, place] & mask[lengths]
    return np.asarray(found != 0)


# --- RTR prefixes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class PrefixForm:
    """How validated prefixes of one family lie in their PDU and in their key (address, max length, length, AS)."""

    family: int
    pdu: type[Pdu]
    dtype: np.dtype[Any]
    key: np.dtype[Any]
    bits: int

    @property
    def size(self) -> int:
        """Octets of one PDU."""
        return int(self.dtype.itemsize)

    @property
    def key_dtype(self) -> str:
        """The dtype of the keys."""
        return f"S{self.key.itemsize}"


def _prefix_form(family: int, pdu: type[Pdu], bits: int) -> PrefixForm:
    dtype = record_dtype(pdu)
    fields: Any = dtype.fields
    key = np.dtype([(name, fields[name][0]) for name in ("prefix", "max_length", "prefix_length", "asn")])
    return PrefixForm(family, pdu, dtype, key, bits)


PREFIX_FORMS = {form.family: form for form in (_prefix_form(4, Ipv4Prefix, 32), _prefix_form(6, Ipv6Prefix, 128))}
PREFIX_FORM_OF_TYPE = {form.pdu.number: form for form in PREFIX_FORMS.values()}


@dataclass(frozen=True, slots=True, eq=False)
class Prefixes(Pdu):
    """A run of IPv4 or IPv6 Prefix PDUs, as columns in the order received; a single PDU is a run of one."""

    family: int
    announced: NDArray[np.bool_]
    keys: Keys

    def __len__(self) -> int:
        return len(self.keys)

    def first(self, count: int) -> Prefixes:
        """The run without what comes after so many rows."""
        return Prefixes(self.family, self.announced[:count], self.keys[:count])


Prefixes.title = "Prefixes"


def decode_prefixes(form: PrefixForm, octets: bytes | bytearray | memoryview) -> tuple[Prefixes, CorruptData | None]:
    """Whole PDUs of one form as columns, up to the first bad one; and what is wrong with that."""
    fields = np.frombuffer(octets, form.dtype)
    keys = np.empty(len(fields), form.key)
    for name in form.key.names or ():
        keys[name] = fields[name]
    lengths, longest = keys["prefix_length"], keys["max_length"]
    bad = (lengths > longest) | (longest > form.bits) | _host_bits(keys["prefix"], lengths)
    prefixes = Prefixes(form.family, (fields["flags"] & ANNOUNCE).astype(bool), keys.view(form.key_dtype))
    if not bad.any():
        return prefixes, None
    first = int(bad.argmax())
    return prefixes.first(first), _explain(form, fields[first].tobytes())


def _explain(form: PrefixForm, offending: bytes) -> CorruptData:
    try:
        decode(offending)
    except CorruptData as broken:
        return broken
    return CorruptData(f"{form.pdu.title} that cannot be", offending)


def encode_prefixes(form: PrefixForm, keys: Keys, announce: bool, version: int) -> bytes:
    """One PDU per key, in their order."""
    rows = np.zeros(len(keys), form.dtype)
    rows["version"], rows["type"], rows["size"], rows["flags"] = version, form.pdu.number, form.size, announce
    parts = np.ascontiguousarray(keys).view(form.key)
    for name in form.key.names or ():
        rows[name] = parts[name]
    return rows.tobytes()


# --- Rotoro routes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class RouteForm:
    """How routes of one family lie in rows and in their key (address, length, path identifier)."""

    family: int
    pdu: type[Routes4] | type[Routes6]
    row: type[Part]
    bits: int
    dtypes: tuple[np.dtype[Any], ...]
    """How a row lies under each combination of flags."""

    @property
    def key_width(self) -> int:
        """Octets of a key."""
        return self.bits // 8 + 5


def _route_form(family: int, pdu: type[Routes4] | type[Routes6], row: type[Part], bits: int) -> RouteForm:
    return RouteForm(family, pdu, row, bits, tuple(record_dtype(row, flags) for flags in FLAG_SUMS))


ROUTE_FORMS = {4: _route_form(4, Routes4, RouteRow4, 32), 6: _route_form(6, Routes6, RouteRow6, 128)}


@dataclass(frozen=True, slots=True, eq=False)
class RouteRows:
    """The rows of a run of routes as columns."""

    keys: Keys
    attributes: NDArray[np.uint32]
    """Set numbers of the bracket; empty for withdrawals."""
    times: NDArray[np.uint64]
    """Microseconds since 1970."""


def decode_routes(run: Routes4 | Routes6) -> RouteRows:
    """The rows of a run; CorruptData if they do not fill it, a length is too long or host bits are set."""
    run.check()
    family = 4 if isinstance(run, Routes4) else 6
    keys, attributes, offsets, bad = decode_rows(family, run.flags, run.rows)
    if bad.any():
        first, size = int(bad.argmax()), ROUTE_FORMS[family].dtypes[run.flags].itemsize
        shown = run.rows[first * size : (first + 1) * size]
        raise CorruptData(f"route {first} of a run has a length or host bits that cannot be", shown)
    times = np.full(len(keys), run.time, np.uint64)
    if run.flags & RouteFlags.OFFSETS:
        times += offsets * np.uint64(run.tick)
    return RouteRows(keys, attributes, times)


def decode_rows(
    family: int, flags: int, octets: bytes
) -> tuple[Keys, NDArray[np.uint32], NDArray[np.uint64], NDArray[np.bool_]]:
    """Whole rows as columns: keys, attribute sets, time offsets, and which rows have a length or host bits that cannot
    be. Columns that the flags do not name are empty, but for path identifiers, which are 0."""
    form = ROUTE_FORMS[family]
    dtype = form.dtypes[flags]
    rows = np.frombuffer(octets, np.uint8).reshape(-1, dtype.itemsize)
    fields = np.frombuffer(octets, dtype)
    keys = np.zeros((len(rows), form.key_width), np.uint8)
    keys[:, : form.bits // 8] = rows[:, _places(dtype, "prefix")]
    keys[:, form.bits // 8] = fields["prefix_length"]
    if flags & RouteFlags.PATHS:
        keys[:, form.bits // 8 + 1 :] = rows[:, _places(dtype, "path")]
    bad = (fields["prefix_length"] > form.bits) | _host_bits(fields["prefix"], fields["prefix_length"])
    attributes = fields["attributes"].astype(np.uint32) if flags & RouteFlags.ANNOUNCE else np.empty(0, np.uint32)
    offsets = fields["offset"].astype(np.uint64) if flags & RouteFlags.OFFSETS else np.empty(0, np.uint64)
    return as_keys(keys), attributes, offsets, bad


def encode_rows(
    family: int, flags: int, keys: Keys, attributes: NDArray[np.uint32] | None, offsets: NDArray[np.uint32] | None
) -> bytes:
    """The rows of a run, in the order of the keys; the columns must be those that the flags name."""
    form = ROUTE_FORMS[family]
    dtype = form.dtypes[flags]
    octets = as_octets(keys)
    rows = np.empty((len(keys), dtype.itemsize), np.uint8)
    rows[:, _places(dtype, "prefix")] = octets[:, : form.bits // 8]
    fields = rows.view(dtype).reshape(len(keys))
    fields["prefix_length"] = octets[:, form.bits // 8]
    if flags & RouteFlags.ANNOUNCE:
        fields["attributes"] = attributes
    if flags & RouteFlags.PATHS:
        rows[:, _places(dtype, "path")] = octets[:, form.bits // 8 + 1 :]
    if flags & RouteFlags.OFFSETS:
        fields["offset"] = offsets
    return rows.tobytes()
