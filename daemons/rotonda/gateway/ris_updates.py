"""Changes of tables as messages of RIS Live: one for each attribute set of each ingress, with as many prefixes as fit
into one UPDATE of BGP.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rotonda.bgp import as_path
from rotonda.bgp.attributes import decoded
from rotonda.bgp.errors import Malformed
from rotonda.bgp.written import room_of_prefixes, whole_update, withdrawals
from rotonda.gateway.messages import Message
from rotonda.gateway.ris_paths import Item
from rotonda.gateway.ris_prefixes import Bare
from rotonda.gateway.steps import KeptStep
from rotonda.rib.prefixes import OCTETS, address_text, key_texts
from rotonda.rib.rows import prefix_keys
from rotoro.table import Ingress, IngressState, Records, RouteSlot, Snapshot

SOME = 5_000
"""Rows that are grouped in one go."""

_NOBODY = {4: "0.0.0.0", 6: "::"}
_KEPT = 1 << 11
_encode = msgspec.json.Encoder().encode

Keys = NDArray[Any]


class Told:
    """One message, not yet written: what filters look at, and how it is written when somebody wants it."""

    type = "UPDATE"
    keys: frozenset[str] = frozenset()
    """The members of its own that it has, besides those that all messages have."""

    def __init__(self, host: str, ingress: Ingress, timestamp: float, identity: str) -> None:
        self.host = host
        self.peer = ingress.address
        self._head = {
            "timestamp": timestamp,
            "peer": address_text(ingress.address) or _NOBODY[4],
            "peer_asn": str(ingress.asn),
            "id": identity,
            "host": host,
            "type": self.type,
        }

    @property
    def path(self) -> tuple[Item, ...] | None:
        """The AS path, if it has one."""
        return None

    @property
    def prefixes(self) -> list[Bare]:
        """The prefixes that it is about."""
        return []

    def message(self, raw: bool) -> Message:
        """The message, written once; with the octets of BGP if they are wanted and there are some."""
        return self._with_raw if raw else self._plain

    @cached_property
    def _plain(self) -> Message:
        return _message(self._body())

    @cached_property
    def _with_raw(self) -> Message:
        octets = self._octets()
        return self._plain if octets is None else _message(f'{self._body()},"raw":"{octets.hex().upper()}"')

    def _body(self) -> str:
        """The members, without braces."""
        return _encode(self._head).decode()[1:-1]

    def _octets(self) -> bytes | None:
        return None


class PeerState(Told):
    """An ingress has come up or gone down."""

    type = "RIS_PEER_STATE"
    keys = frozenset({"state"})

    def __init__(self, host: str, ingress: Ingress, timestamp: float, identity: str) -> None:
        super().__init__(host, ingress, timestamp, identity)
        self._head["state"] = "connected" if ingress.state is IngressState.UP else "down"


class _OfPrefixes(Told):
    """A message about prefixes, which are keys of routes."""

    def __init__(self, host: str, slot: RouteSlot, timestamp: float, identity: str, keys: Keys) -> None:
        super().__init__(host, slot.ingress, timestamp, identity)
        self._family, self._rows = slot.family, keys

    @cached_property
    def prefixes(self) -> list[Bare]:
        """The prefixes."""
        octets, width = self._rows.tobytes(), OCTETS[self._family]
        found: list[Bare] = []
        for start in range(0, len(octets), width + 5):
            at = start + width
            found.append((self._family, int.from_bytes(octets[start:at]), octets[at]))
        return found

    def _texts(self) -> list[str]:
        return [text for text, _ in key_texts(self._rows.tobytes(), self._family)]


class Withdrawal(_OfPrefixes):
    """Prefixes that an ingress does not have any more."""

    keys = frozenset({"withdrawals"})

    def _body(self) -> str:
        return f'{super()._body()},"withdrawals":{_encode(self._texts()).decode()}'

    def _octets(self) -> bytes | None:
        return next(withdrawals(self._family, self._rows), None)


class Announcement(_OfPrefixes):
    """Prefixes that an ingress has with one attribute set."""

    def __init__(self, host: str, slot: RouteSlot, timestamp: float, identity: str, keys: Keys, octets: bytes) -> None:
        super().__init__(host, slot, timestamp, identity, keys)
        self._set = octets
        self._path, self._hop, self._attributes, own = _of_set(octets)
        self.keys = own | {"announcements"}

    @property
    def path(self) -> tuple[Item, ...] | None:
        """The AS path."""
        return self._path

    def _body(self) -> str:
        told = _encode(self._texts()).decode()
        hop = self._hop or _NOBODY[self._family]
        return f'{super()._body()}{self._attributes},"announcements":[{{"next_hop":"{hop}","prefixes":{told}}}]'

    def _octets(self) -> bytes | None:
        return whole_update(self._family, self._rows, self._set)


class Updates:
    """Writes what happens to the tables of one unit, or of one RIB, under the name of a host."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._count = 0

    def state(self, ingress: Ingress, now: float) -> PeerState:
        """An ingress is in this state now."""
        return PeerState(self.host, ingress, now, self._identity("state", ingress.number))

    def of(self, step: KeptStep, after: Snapshot, now: float) -> Iterator[Told | None]:
        """What a step says: withdrawals, which have no time of their own but `now`, then announcements, with the newest
        time of their routes. None where rows have come to nothing. `after` is the table behind the step, or later."""
        step.hold.take()
        try:
            changes = [(slot, change) for slot, change in step.diff.items() if isinstance(slot, RouteSlot)]
            for slot, change in changes:
                for start in range(0, len(change.before), SOME):
                    keys = change.before.keys[start : start + SOME]
                    if len(change.after):
                        keys = keys[~change.after.find(keys)[1]]
                    yield None
                    yield from self._withdrawals(slot, _gone(keys, after.records(slot)), step, now)
            for slot, change in changes:
                for start in range(0, len(change.after), SOME):
                    yield None
                    yield from self._announcements(slot, change.after.take(slice(start, start + SOME)), step)
        finally:
            step.hold.leave()

    def _withdrawals(self, slot: RouteSlot, keys: Keys, step: KeptStep, now: float) -> Iterator[Told]:
        most = room_of_prefixes(slot.family, None)
        for start in range(0, len(keys), most):
            identity = self._identity(step.serial, slot.number)
            yield Withdrawal(self.host, slot, now, identity, keys[start : start + most])

    def _announcements(self, slot: RouteSlot, records: Records, step: KeptStep) -> Iterator[Told]:
        assert records.values is not None
        assert records.times is not None
        order = np.argsort(records.values, kind="stable")
        numbers, keys, times = records.values[order], records.keys[order], records.times[order]
        starts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
        newest = np.maximum.reduceat(times, starts).tolist()
        ends = [*starts[1:].tolist(), len(order)]
        for first, end, number, time in zip(starts.tolist(), ends, numbers[starts].tolist(), newest, strict=True):
            octets = slot.attributes.octets[number]
            most = room_of_prefixes(slot.family, octets)
            for start in range(first, end, most):
                some, identity = keys[start : min(end, start + most)], self._identity(step.serial, slot.number)
                yield Announcement(self.host, slot, float(time), identity, some, octets)

    def _identity(self, serial: int | str, ingress: int) -> str:
        self._count += 1
        return f"{self.host}-{ingress}-{serial}-{self._count}"


def _gone(keys: Keys, left: Records) -> Keys:
    """The keys of which no other path of the same prefix is left: RIS Live has no path identifiers."""
    if not len(keys):
        return keys
    family = 4 if keys.dtype.itemsize == OCTETS[4] + 5 else 6
    prefixes = prefix_keys(keys, family)
    gone = np.zeros(len(keys), np.bool_)
    gone[np.unique(prefixes, return_index=True)[1]] = True  # each once
    if len(left):
        at = left.keys.searchsorted(prefixes.astype(left.keys.dtype))  # path identifier 0, or the next one
        near = prefix_keys(np.ascontiguousarray(left.keys[np.minimum(at, len(left) - 1)]), family)
        gone &= near != prefixes
    told: Keys = keys[gone]
    return told


@lru_cache(_KEPT)
def _of_set(octets: bytes) -> tuple[tuple[Item, ...] | None, str | None, str, frozenset[str]]:
    """Path, next hop, members in JSON, and their names."""
    try:
        read = decoded(octets)
    except Malformed:
        return None, None, "", frozenset()
    path = _hops(read.as_path)
    aggregator = read.aggregator
    members = {
        "path": [list(hop) if isinstance(hop, tuple) else hop for hop in path],
        "community": list(read.communities) or None,
        "origin": read.origin,
        "med": read.med,
        "aggregator": aggregator and f"{aggregator[0]}:{aggregator[1]}",
    }
    there = {name: value for name, value in members.items() if value is not None}
    return path, read.next_hop, f",{_encode(there).decode()[1:-1]}", frozenset(there)


def _hops(path: as_path.AsPath) -> tuple[Item, ...]:
    """The path without confederations, which RIS Live does not know."""
    hops: list[Item] = []
    for kind, numbers in path:
        if kind == as_path.AS_SEQUENCE:
            hops.extend(numbers)
        elif kind == as_path.AS_SET:
            hops.append(tuple(sorted(numbers)))
    return tuple(hops)


def _message(body: str) -> Message:
    return Message(f'{{"type":"ris_message","data":{{{body}}}}}'.encode(), "ris_message")
