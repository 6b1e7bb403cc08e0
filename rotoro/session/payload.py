"""RPKI data between tables and RTR PDUs: what a cache sends, in the order that version 2 demands, in shared octets."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotoro.session.effects import Rows
from rotoro.table.diff import Change, Diff
from rotoro.table.history import State
from rotoro.table.records import Records
from rotoro.table.resolve import Contradiction, Resolved, resolve_rows
from rotoro.table.resolve import DuplicateAnnouncement as TwiceThere
from rotoro.table.serial import Position
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, VRP6, Slot
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.bulk import PREFIX_FORMS, Prefixes, encode_prefixes
from rotoro.wire.codec import encode
from rotoro.wire.errors import DuplicateAnnouncement, UnknownWithdrawal
from rotoro.wire.rtr import ANNOUNCE, Aspa, CacheResponse, EndOfData, EndOfDataV0, RouterKey

Payload = Prefixes | RouterKey | Aspa
"""What RPKI data comes in."""

_FAMILY_OF: dict[Slot, int] = {VRP4: 4, VRP6: 6}
_SINCE: dict[Slot, int] = {VRP4: 0, VRP6: 0, ROUTER_KEY: 1, ASPA: 2}
"""The RTR version that brought each kind of record (RFC 8210 section 14, 8210bis section 5)."""

_KEY = struct.Struct(">20sI")


@dataclass(frozen=True, slots=True)
class Timers:
    """What End of Data tells a router, in seconds (RFC 8210 section 6)."""

    refresh: int = 3600
    retry: int = 600
    expire: int = 7200

    def __post_init__(self) -> None:
        for name, low, high in (("refresh", 1, 86_400), ("retry", 1, 7_200), ("expire", 600, 172_800)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"the {name} timer must be {low} to {high} seconds, not {getattr(self, name)}")
        if self.expire <= max(self.refresh, self.retry):
            raise ValueError(f"the expire timer ({self.expire} s) must be longer than refresh and retry")

    @classmethod
    def clamped(cls, refresh: int, retry: int, expire: int) -> Timers:
        """What a router makes of the timers of a cache: the nearest that are allowed."""
        refresh = min(max(refresh, 1), 86_400)
        retry = min(max(retry, 1), 7_200)
        return cls(refresh, retry, min(max(expire, 600, refresh + 1, retry + 1), 172_800))


DEFAULT_TIMERS = Timers()


@dataclass(frozen=True, slots=True)
class RtrEncoder:
    """Answers of an RTR cache in one version: Cache Response, data, End of Data."""

    version: int
    session: int
    timers: Timers

    def snapshot(self, state: State) -> Iterator[bytes]:
        """The answer to a Reset Query."""
        return self._bracketed(changes(EMPTY.diff(state.snapshot), self.version), state.position)

    def diff(self, diff: Diff, start: Position, state: State) -> Iterator[bytes]:
        """The answer to a Serial Query."""
        return self._bracketed(changes(diff, self.version), state.position)

    def _bracketed(self, data: Iterable[bytes], position: Position) -> Iterator[bytes]:
        yield encode(CacheResponse(self.session), self.version)
        yield from data
        serial, timers = position.rtr_serial, self.timers
        if self.version == 0:
            yield encode(EndOfDataV0(self.session, serial), 0)
            return
        yield encode(EndOfData(self.session, serial, timers.refresh, timers.retry, timers.expire), self.version)


def changes(diff: Diff, version: int) -> Iterator[bytes]:
    """The RPKI data of a diff as PDUs, for RTR or Rotoro.

    8210bis section 11.2: types ascending, announcements before withdrawals, announced prefixes descending by address,
    maximum length, length and AS, everything else ascending.
    """
    for slot in _SINCE:
        change = diff.get(slot)
        if change is None or version < _SINCE[slot]:
            continue
        gone = change.withdrawn
        if slot in _FAMILY_OF:
            form = PREFIX_FORMS[_FAMILY_OF[slot]]
            yield encode_prefixes(form, change.after.keys[::-1], True, version)
            yield encode_prefixes(form, gone, False, version)
        elif slot is ROUTER_KEY:
            yield b"".join(encode(router_key(key, True), version) for key in change.after.keys)
            yield b"".join(encode(router_key(key, False), version) for key in gone)
        else:
            yield b"".join(encode(aspa, version) for aspa in _aspas(change.after))
            yield b"".join(encode(Aspa(0, int(customer), ()), version) for customer in gone.view(">u4"))


def router_key(key: bytes, announce: bool) -> RouterKey:
    """The PDU of a router key as it is kept: SKI, length of the SPKI, SPKI, AS."""
    key_id, size = _KEY.unpack_from(key)
    info = key[_KEY.size : _KEY.size + size]
    return RouterKey(ANNOUNCE if announce else 0, key_id, int.from_bytes(key[_KEY.size + size :]), info)


def router_key_octets(pdu: RouterKey) -> bytes:
    """The other way."""
    return _KEY.pack(pdu.key_id, len(pdu.key_info)) + pdu.key_info + pdu.asn.to_bytes(4)


def size(pdu: Payload) -> tuple[int, int]:
    """How much data this is: records, and octets of what has no fixed width in them."""
    if isinstance(pdu, Prefixes):
        return len(pdu), 0
    return 1, len(pdu.key_info) if isinstance(pdu, RouterKey) else 4 * len(pdu.providers)


def _aspas(records: Records) -> Iterator[Aspa]:
    values: Any = records.values
    for customer, providers in zip(records.keys.view(">u4"), values, strict=True):
        yield Aspa(ANNOUNCE, int(customer), struct.unpack(f">{len(providers) // 4}I", providers))


def payload_rows(pdus: list[Payload]) -> Iterator[Rows]:
    """Received RPKI data by kind, each kind in the order received."""
    for family, slot in ((4, VRP4), (6, VRP6)):
        runs = [run for run in pdus if isinstance(run, Prefixes) and run.family == family]
        if runs:
            announced = np.concatenate([run.announced for run in runs])
            yield Rows(slot, announced, np.concatenate([run.keys for run in runs]), None, None)
    keys = [pdu for pdu in pdus if isinstance(pdu, RouterKey)]
    if keys:
        yield Rows(ROUTER_KEY, _announced(keys), _column(map(router_key_octets, keys)), None, None)
    aspas = [pdu for pdu in pdus if isinstance(pdu, Aspa)]
    if aspas:
        customers = np.array([pdu.customer for pdu in aspas], ">u4").view("S4")
        yield Rows(ASPA, _announced(aspas), customers, _column(map(_provider_octets, aspas)), None)


def payload_diff(base: Snapshot, pdus: list[Payload], version: int) -> Diff:
    """The diff that the answer of an RTR cache makes of a snapshot.

    Raises what `payload_changes` raises, and DuplicateAnnouncement for a customer who is announced twice: from one
    answer to the next an ASPA replaces, but in one answer each record has its place once (8210bis section 5.12).
    """
    _refuse_repeated([pdu for pdu in pdus if isinstance(pdu, Aspa)], version)
    return Diff.of(payload_changes(base, pdus, version))


def payload_changes(base: Snapshot, pdus: list[Payload], version: int) -> dict[Slot, Change]:
    """What received RPKI data changes in a snapshot, each record against what is there when it comes.

    Raises UnknownWithdrawal or DuplicateAnnouncement (RFC 8210 section 12, codes 6 and 7) with the PDU, written in
    the version in which it came.
    """
    try:
        return {slot: found.change for slot, found in payload_resolved(base, pdus, strict=True).items()}
    except TwiceThere as twice:
        raise DuplicateAnnouncement(str(twice), _contradicting(twice, True, version)) from None
    except Contradiction as unknown:
        raise UnknownWithdrawal(str(unknown), _contradicting(unknown, False, version)) from None


def payload_resolved(base: Snapshot, pdus: list[Payload], *, strict: bool = False) -> dict[Slot, Resolved]:
    """What received RPKI data changes in a snapshot, by kind, and how many records change nothing.

    Raises a `Contradiction` at the first of these if `strict`.
    """
    return {
        rows.slot: resolve_rows(base, rows.slot, rows.announced, rows.keys, rows.values, strict=strict)
        for rows in payload_rows(pdus)
    }


def _refuse_repeated(aspas: list[Aspa], version: int) -> None:
    there: dict[int, int] = {}
    for pdu in aspas:
        announced = pdu.flags & ANNOUNCE
        if announced and there.get(pdu.customer):
            raise DuplicateAnnouncement(f"AS{pdu.customer} is announced twice in one answer", encode(pdu, version))
        there[pdu.customer] = announced


def _provider_octets(pdu: Aspa) -> bytes:
    return struct.pack(f">{len(pdu.providers)}I", *pdu.providers)


def _announced(pdus: Sequence[RouterKey | Aspa]) -> NDArray[np.bool_]:
    return np.array([pdu.flags & ANNOUNCE for pdu in pdus], bool)


def _column(items: Iterable[bytes]) -> NDArray[Any]:
    octets = list(items)
    return np.fromiter(octets, np.object_, len(octets))


def _contradicting(error: Contradiction, announce: bool, version: int) -> bytes:
    if error.slot in _FAMILY_OF:
        keys = np.array([error.key], error.slot.key_dtype)
        return encode_prefixes(PREFIX_FORMS[_FAMILY_OF[error.slot]], keys, announce, version)
    pdu = router_key(error.key, announce) if error.slot == ROUTER_KEY else Aspa(0, int.from_bytes(error.key), ())
    return encode(pdu, version)
