"""Routes and messages that the tests of filters look at."""

from __future__ import annotations

from ipaddress import ip_network

from rotonda.bgp import as_path
from rotonda.bgp.as_path import AS_SEQUENCE, AS_SET, AsPath
from rotonda.bgp.attributes import written
from rotonda.filters.route_record import RouteRecord

from rotoro.table.ingress import Ingress, IngressKind, RibView

PEER = Ingress(
    3, IngressKind.BMP, bytes((192, 0, 2, 9)), 64497, 0x0A00_0001, view=RibView.ADJ_RIB_IN_POST, name="edge-1"
)
PATH: AsPath = ((AS_SEQUENCE, (64497, 64498, 64498, 64496)),)
EVERYTHING = {
    1: (0x40, b"\1"),
    2: (0x40, as_path.written(PATH)),
    3: (0x40, bytes((192, 0, 2, 1))),
    4: (0x80, (50).to_bytes(4)),
    5: (0x40, (100).to_bytes(4)),
    6: (0x40, b""),
    7: (0xC0, (64496).to_bytes(4) + bytes((192, 0, 2, 2))),
    8: (0xC0, (64496 << 16 | 1).to_bytes(4) + (64496 << 16 | 2).to_bytes(4)),
    9: (0x80, bytes((192, 0, 2, 3))),
    16: (0xC0, bytes.fromhex("0002fbf000000001")),
    32: (0xC0, b"".join(part.to_bytes(4) for part in (64496, 1, 2))),
    35: (0xC0, (64497).to_bytes(4)),
}
BARE = {2: (0x40, b"")}
WITH_SET = {1: (0x40, b"\0"), 2: (0x40, as_path.written(((AS_SEQUENCE, (64497,)), (AS_SET, (64498, 64499)))))}


def route(
    attributes: dict[int, tuple[int, bytes]] = EVERYTHING,
    prefix: str = "198.51.100.0/24",
    path_id: int = 7,
    ingress: Ingress = PEER,
    status: str = "ACTIVE",
) -> RouteRecord:
    """A route with these attributes."""
    network = ip_network(prefix)
    key = network.network_address.packed + bytes((network.prefixlen,)) + path_id.to_bytes(4)
    family = network.version
    return RouteRecord(family, key, ingress, written(attributes), 1_700_000_000, status)
