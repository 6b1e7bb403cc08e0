"""What the tests of the wire room share: octets through a decoder in any slices, and results that compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st

from rotoro.wire import Decoder, Pdu, encode
from rotoro.wire.bulk import Prefixes, as_octets
from rotoro.wire.errors import ProtocolError
from rotoro.wire.rtr import Aspa, Ipv4Prefix, Ipv6Prefix

T = TypeVar("T")

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For a machine that does other things as well."""

_ONCE = settings(PATIENT, phases=[Phase.generate], database=None, max_examples=500)

Segment = list[Any]
"""PDUs in order; prefixes and ASPAs that follow one another are one dict of lists, by version and kind."""


def some(strategy: st.SearchStrategy[T], wanted: Callable[[T], Any] = lambda _: True) -> T:
    """One value of a strategy, the first that is wanted."""
    return find(strategy, wanted, settings=_ONCE)


def slices(octets: bytes) -> st.SearchStrategy[list[bytes]]:
    """Any way to cut octets into pieces."""
    cuts = st.lists(st.integers(0, len(octets)), max_size=8)
    return cuts.map(lambda places: cut(octets, places))


def cut(octets: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(octets)]
    return [octets[start:end] for start, end in pairwise(edges)]


def received(pieces: Iterable[bytes], decoder: Decoder | None = None) -> Iterator[tuple[int, Pdu]]:
    """What a decoder makes of pieces."""
    decoder = decoder or Decoder()
    for piece in pieces:
        decoder.receive(piece)
        yield from decoder.items()


def outcome(pieces: Iterable[bytes], decoder: Decoder | None = None) -> tuple[Segment, ProtocolError | None]:
    """What came out, and the error that ended it; any other exception is the test's failure."""
    found: list[tuple[int, Pdu]] = []
    try:
        found.extend(received(pieces, decoder))
    except ProtocolError as broken:
        return comparable(found), broken
    return comparable(found), None


def comparable(items: Iterable[tuple[int, Pdu]]) -> Segment:
    """Single records and runs of them in one form: the kinds may come in any order, the records of each may not."""
    segments: Segment = []
    for version, pdu in items:
        rows = list(_rows(pdu))
        if not rows:
            segments.append((version, pdu))
            continue
        if not segments or not isinstance(segments[-1], dict):
            segments.append({})
        segments[-1].setdefault((version, _kind(pdu)), []).extend(rows)
    return segments


def _kind(pdu: Pdu) -> str:
    return f"IPv{pdu.family} Prefix" if isinstance(pdu, Prefixes) else pdu.title


def _rows(pdu: Pdu) -> Iterator[Any]:
    if isinstance(pdu, Prefixes):
        yield from zip(pdu.announced.tolist(), map(bytes, as_octets(pdu.keys)), strict=True)
    elif isinstance(pdu, Ipv4Prefix | Ipv6Prefix):
        yield bool(pdu.flags & 1), prefix_key(pdu)
    elif isinstance(pdu, Aspa):
        yield pdu


def prefix_key(pdu: Ipv4Prefix | Ipv6Prefix) -> bytes:
    """The key of a single prefix, made without numpy."""
    return pdu.prefix.packed + bytes((pdu.max_length, pdu.prefix_length)) + pdu.asn.to_bytes(4)


def stream(items: Iterable[tuple[int, Pdu]]) -> bytes:
    return b"".join(encode(pdu, version) for version, pdu in items)
