"""Chooses what of a table is worth showing, by questions that any client may ask and without any dice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

Network = IPv4Network | IPv6Network
Route = Mapping[str, Any]

SAMPLE_FIELDS = "prefix,ingress,origin_as,rov"
SAMPLE_OF_EACH = 200
_BLOCKS4 = 48
_BLOCKS6 = ("2001::/16", "2400::/12", "2600::/12", "2800::/12", "2a00::/12", "2c00::/12")


def blocks() -> list[str]:
    """Blocks from all over the address space, each of which gives some routes to a sample."""
    first, last = 1, 223
    octets = sorted({first + step * (last - first) // (_BLOCKS4 - 1) for step in range(_BLOCKS4)})
    return [*(f"{octet}.0.0.0/8" for octet in octets), *_BLOCKS6]


def example(routes: Sequence[Route]) -> Route | None:
    """The route whose prefix shows most: several peers have it, it is valid, it lies within another, it is long."""
    peers: dict[str, set[int]] = defaultdict(set)
    for route in routes:
        peers[route["prefix"]].add(route["ingress"])
    networks = {prefix: ip_network(prefix) for prefix in peers}
    known = set(networks.values())

    def worth(route: Route) -> tuple[bool, int, bool, bool, int]:
        network = networks[route["prefix"]]
        valid, has_origin = route.get("rov") == "valid", route.get("origin_as") is not None
        return has_origin, len(peers[route["prefix"]]), valid, is_covered(network, known), network.prefixlen

    ours = [route for route in routes if networks[route["prefix"]].version == 4] or routes
    return max(ours, key=worth, default=None)


def is_covered(network: Network, known: set[Network]) -> bool:
    """Whether one of the known ones lies around it.

    >>> is_covered(ip_network("192.0.2.0/24"), {ip_network("192.0.0.0/16"), ip_network("192.0.2.0/24")})
    True
    """
    return any(network.supernet(new_prefix=length) in known for length in range(network.prefixlen))


def address_in(prefix: str) -> str:
    """An address of a prefix that is no network's own where that can be helped.

    >>> address_in("192.0.2.0/24"), address_in("192.0.2.1/32")
    ('192.0.2.1', '192.0.2.1')
    """
    network = ip_network(prefix)
    return str(network[min(1, network.num_addresses - 1)])


def commonest_origin(routes: Iterable[Route]) -> int | None:
    """The AS that most of the routes come from; None if none has one."""
    counted = Counter(route["origin_as"] for route in routes if route.get("origin_as") is not None)
    return counted.most_common(1)[0][0] if counted else None


def judgeable(routes: Iterable[Route]) -> list[Route]:
    """The routes that have an origin AS, which those with an AS_SET do not."""
    return [route for route in routes if route.get("origin_as") is not None]
