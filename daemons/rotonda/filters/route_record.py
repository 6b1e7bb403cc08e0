"""One route as filters see it: what its row, its ingress and its attribute set say, decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from rotonda.bgp.as_path import AsPath, read
from rotonda.bgp.attributes import AS_PATH, EXTENDED_COMMUNITIES, Attributes, Octets, decoded, parsed
from rotonda.bgp.errors import Malformed
from rotonda.blocks.types import ORIGIN, RIB_VIEW, STATUS
from rotonda.blocks.values import Address, Constant, LargeCommunity, Prefix
from rotonda.filters.edits import Edit, edited
from rotoro.table import Ingress

ADDRESS_OCTETS = {4: 4, 6: 16}
MICROSECONDS = 1_000_000
_EXTENDED_OCTETS = 8


class AttributesView:
    """An attribute set by the names of the fields of `Route`. What cannot be read is missing."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def get(self, name: str) -> Any:
        """The field of this name; None if it is missing."""
        read = _ATTRIBUTES.get(name)
        return None if read is None else read(self)

    @cached_property
    def attributes(self) -> Attributes:
        """The set; none of its attributes is there if it is not framed soundly."""
        try:
            return decoded(self.octets)
        except Malformed:
            return Attributes()

    @cached_property
    def as_path(self) -> AsPath:
        """The path, for who asks nothing else."""
        if "attributes" in vars(self):
            return self.attributes.as_path
        try:
            return read(parsed(self.octets).get(AS_PATH, (0, b""))[1], 4)
        except (Malformed, ValueError, IndexError):
            return ()

    @cached_property
    def extended_communities(self) -> tuple[int, ...]:
        """Extended communities as numbers."""
        try:
            attributes: Octets = parsed(self.octets)
        except Malformed:
            return ()
        value = attributes.get(EXTENDED_COMMUNITIES, (0, b""))[1]
        if len(value) % _EXTENDED_OCTETS:
            return ()
        return tuple(int.from_bytes(value[at : at + 8]) for at in range(0, len(value), _EXTENDED_OCTETS))


_ATTRIBUTES: Mapping[str, Callable[[AttributesView], Any]] = {
    "origin": lambda view: _constant(ORIGIN.name, view.attributes.origin),
    "as_path": lambda view: view.as_path,
    "origin_asn": lambda view: view.attributes.origin_as,
    "next_hop": lambda view: _address(view.attributes.next_hop),
    "med": lambda view: view.attributes.med,
    "local_pref": lambda view: view.attributes.local_pref,
    "atomic_aggregate": lambda view: view.attributes.atomic_aggregate,
    "aggregator_asn": lambda view: None if view.attributes.aggregator is None else view.attributes.aggregator[0],
    "communities": lambda view: tuple(high << 16 | low for high, low in view.attributes.communities),
    "extended_communities": lambda view: view.extended_communities,
    "large_communities": lambda view: tuple(LargeCommunity(*parts) for parts in view.attributes.large_communities),
    "originator_id": lambda view: _address(view.attributes.originator_id),
    "only_to_customer": lambda view: view.attributes.only_to_customer,
}
ATTRIBUTE_FIELDS = tuple(_ATTRIBUTES)


def _constant(type: str, name: str | None) -> Constant | None:
    return None if name is None else Constant(type, name)


def _address(words: str | None) -> Address | None:
    return None if words is None else Address.parse(words)


class RouteRecord:
    """One route.

    `key` is the address, the length and the path identifier as a table has them (zeros at its end may be cut off),
    `octets` the attribute set in the normal form of `rotonda.bgp.sets`, `seconds` when it was received, `status` a
    constant of `types.STATUS`. `edits` are the changes that made it of the route that came.
    """

    def __init__(
        self,
        family: int,
        key: bytes,
        ingress: Ingress,
        octets: bytes,
        seconds: int = 0,
        status: str = "ACTIVE",
        edits: tuple[Edit, ...] = (),
    ) -> None:
        width = ADDRESS_OCTETS[family]
        self.family = family
        self.key = key.ljust(width + 5, b"\0")
        self.ingress = ingress
        self.octets = octets
        self.seconds = seconds
        self.status = status
        self.edits = edits
        self._view = AttributesView(octets)

    @cached_property
    def prefix(self) -> Prefix:
        """Where it leads."""
        width = ADDRESS_OCTETS[self.family]
        return Prefix(self.key[:width], self.key[width])

    def get(self, name: str) -> Any:
        """The field of this name; None if it is missing."""
        read = _ROUTE.get(name)
        return self._view.get(name) if read is None else read(self)

    def edited(self, edits: Sequence[Edit]) -> RouteRecord:
        """The route after these changes. Raises ValueError if they cannot be made."""
        octets = edited(self.octets, edits)
        more = (*self.edits, *edits)
        return RouteRecord(self.family, self.key, self.ingress, octets, self.seconds, self.status, more)


_ROUTE: Mapping[str, Callable[[RouteRecord], Any]] = {
    "prefix": lambda route: route.prefix,
    "path_id": lambda route: int.from_bytes(route.key[ADDRESS_OCTETS[route.family] + 1 :]),
    "peer_id": lambda route: route.ingress.digest,
    "peer_asn": lambda route: route.ingress.asn,
    "peer_address": lambda route: Address(route.ingress.address) if route.ingress.address else None,
    "peer_name": lambda route: route.ingress.name,
    "router_id": lambda route: router_id(route.ingress.bgp_id),
    "rib": lambda route: Constant(RIB_VIEW.name, route.ingress.view.name),
    "received": lambda route: route.seconds * MICROSECONDS,
    "status": lambda route: Constant(STATUS.name, route.status),
}


def router_id(number: int) -> Address | None:
    """A BGP identifier as an address; 0 is none."""
    return Address(number.to_bytes(4)) if number else None
