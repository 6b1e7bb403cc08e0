"""The validated set as validators export it, so that whatever reads their files reads this.

The pieces of an export are made of one snapshot, so an export is one state, however slowly it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rotonda.gateway.payloads import aspa, router_key
from rotonda.http import parameters as read
from rotonda.http.answers import JSON, Answer
from rotonda.http.common import no_data
from rotonda.http.routing import Asked, Route
from rotonda.http.texts import Words, decimal, ipv4, ipv6, lines
from rotoro.table import ASPA, ROUTER_KEY, VRP4, VRP6, History, Snapshot

CSV = "text/csv; charset=utf-8"
CSV_HEADER = b"ASN,IP Prefix,Max Length,Trust Anchor\n"
_PIECE = 8192


def export_routes(history: History) -> list[Route]:
    """The paths that export this table: all of it, and its ASPAs alone."""

    def vrps(asked: Asked) -> Answer:
        form = read.optional(asked.parameters, "format", read.choice(tuple(_FORMATS))) or "json"
        if not history.ready:
            raise no_data()
        content_type, write = _FORMATS[form]
        return Answer(write(history.snapshot), content_type, str(history.position))

    def aspas(asked: Asked) -> Answer:
        if not history.ready:
            raise no_data()
        return Answer(aspa_export(history.snapshot), JSON, str(history.position))

    return [Route("GET", "/api/v1/vrps", vrps, ("format",)), Route("GET", "/api/v1/aspas", aspas)]


def json_export(snapshot: Snapshot) -> Iterator[bytes]:
    """VRPs, router keys and ASPAs in the members that routinator has for them."""
    yield b'{"roas":[\n'
    yield from _separated(
        lines(b',\n{"asn":"AS', asns, b'","prefix":"', addresses, b"/", lengths, b'","maxLength":', longest, b"}")
        for asns, addresses, lengths, longest in _vrps(snapshot)
    )
    yield b'\n],"routerKeys":[\n'
    yield from _separated(_objects(map(router_key, snapshot.records(ROUTER_KEY).keys.tolist())))
    yield b'\n],"aspas":[\n'
    yield from _aspas(snapshot)
    yield b"\n]}\n"


def aspa_export(snapshot: Snapshot) -> Iterator[bytes]:
    """ASPAs alone, as they are in the whole."""
    yield b'{"aspas":[\n'
    yield from _aspas(snapshot)
    yield b"\n]}\n"


def csv_export(snapshot: Snapshot) -> Iterator[bytes]:
    """VRPs only, as CSV has no place for more. RTR does not tell the trust anchor."""
    yield CSV_HEADER
    for asns, addresses, lengths, longest in _vrps(snapshot):
        yield lines(b"AS", asns, b",", addresses, b"/", lengths, b",", longest, b",N/A\n")


_FORMATS = {"json": (JSON, json_export), "csv": (CSV, csv_export)}


def _vrps(snapshot: Snapshot) -> Iterator[tuple[Words, Words, Words, Words]]:
    """AS numbers, addresses, lengths and longest lengths in words."""
    for slot, width, written in ((VRP4, 4, ipv4), (VRP6, 16, ipv6)):
        keys = snapshot.records(slot).keys
        for start in range(0, len(keys), _PIECE):
            octets = _octets(keys[start : start + _PIECE])
            asns = np.ascontiguousarray(octets[:, width + 2 :]).view(">u4").reshape(-1)
            yield decimal(asns), written(octets[:, :width]), decimal(octets[:, width + 1]), decimal(octets[:, width])


def _octets(keys: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)


def _aspas(snapshot: Snapshot) -> Iterator[bytes]:
    aspas = snapshot.records(ASPA)
    customers, providers = aspas.keys.view(">u4").tolist(), aspas.columns[1]
    return _separated(_objects(map(aspa, customers, providers.tolist() if providers is not None else ())))


def _objects(objects: Iterator[dict[str, object]]) -> Iterator[bytes]:
    for some in _batched(objects):
        yield b"".join(b",\n" + msgspec.json.encode(one) for one in some)


def _batched(objects: Iterator[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    while some := list(islice(objects, _PIECE)):
        yield some


def _separated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces in which each entry begins with a separator, without the first one."""
    first = True
    for piece in pieces:
        yield piece.removeprefix(b",\n") if first else piece
        first = False
