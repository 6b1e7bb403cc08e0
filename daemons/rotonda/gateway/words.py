"""Records as JSON, a few hundred at a time. What a set of attributes says is written once, not once per route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from numpy.typing import NDArray

from rotonda.gateway.payloads import aspa, router_key, vrp
from rotonda.rib.prefixes import key_texts
from rotonda.views.ingresses import shown_ingress
from rotoro.table import ASPA, ROUTER_KEY, Records, RouteSlot, Slot
from rotoro.table.columns import whole

KEPT_SETS = 1 << 17
"""Attribute sets whose words are kept, twice as many at most: some 70 MB where there are as many, so that a whole table
writes each once. Of octets and strings the garbage collector has nothing to look at."""
_encode = msgspec.json.Encoder().encode

Display = Callable[[bytes], Mapping[str, object]]
"""The members that an attribute set, or the octets of a record of another type, has in JSON."""


class Words:
    """Writes the records of one table."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._kept: dict[bytes, str] = {}
        self._kept_before: dict[bytes, str] = {}

    def forget(self) -> None:
        """Nobody reads now: keep nothing."""
        self._kept, self._kept_before = {}, {}

    def head(self, slot: Slot) -> str:
        """What is said once of the records of a slot: members of an object, without its braces."""
        if isinstance(slot, RouteSlot):
            ingress = _encode(shown_ingress(slot.ingress)).decode()
            return f'"kind":"ipv{slot.family}","ingress":{ingress}'
        return f'"kind":"{slot.name.replace(" ", "_")}"'

    def announced(self, slot: Slot, records: Records) -> str:
        """These records, with commas between."""
        if isinstance(slot, RouteSlot):
            return self._routes(slot, records)
        if slot == ASPA:
            assert records.values is not None
            customers = records.keys.view(">u4").tolist()
            return ",".join(map(_text, map(aspa, customers, records.values.tolist())))
        return ",".join(map(_text, map(_payload(slot), _keys(records.keys))))

    def withdrawn(self, slot: Slot, keys: NDArray[Any]) -> str:
        """As much of records as says which they are."""
        if isinstance(slot, RouteSlot):
            return ",".join(
                f'{{"prefix":"{prefix}","path_id":{path}}}' if path else f'{{"prefix":"{prefix}"}}'
                for prefix, path in key_texts(keys.tobytes(), slot.family)
            )
        if slot == ASPA:
            return ",".join(f'{{"customer":"AS{customer}"}}' for customer in keys.view(">u4").tolist())
        return ",".join(map(_text, map(_payload(slot), _keys(keys))))

    def _routes(self, slot: RouteSlot, records: Records) -> str:
        assert records.values is not None
        assert records.times is not None
        octets, times = slot.attributes.octets, records.times.tolist()
        sets = [octets[number] for number in records.values.tolist()]
        kept = map(self._kept.get, sets)
        written = [self._of_set(own) if found is None else found for found, own in zip(kept, sets, strict=True)]
        texts = key_texts(records.keys.tobytes(), slot.family)
        return ",".join(
            [
                f'{{"prefix":"{prefix}",{f""""path_id":{path},""" if path else ""}"received":{time}{behind}'
                for (prefix, path), time, behind in zip(texts, times, written, strict=True)
            ]
        )

    def _of_set(self, octets: bytes) -> str:
        found = self._kept.get(octets)
        if found is None:
            found = self._kept_before.get(octets)
            if len(self._kept) >= KEPT_SETS:
                self._kept_before, self._kept = self._kept, {}
            found = self._kept[octets] = self._written(octets) if found is None else found
        return found

    def _written(self, octets: bytes) -> str:
        """The members of a set, behind those that a route has of its own."""
        shown = self._display(octets)
        return f",{_encode(shown).decode()[1:]}" if shown else "}"


def _payload(slot: Slot) -> Callable[[bytes], dict[str, object]]:
    return router_key if slot == ROUTER_KEY else vrp


def _keys(keys: NDArray[Any]) -> list[bytes]:
    return [whole(keys, row) for row in range(len(keys))]


def _text(value: object) -> str:
    return _encode(value).decode()
