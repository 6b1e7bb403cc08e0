"""Small tables of records that are legal on the wire, few enough that changes meet, and what sessions say to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st

from rotoro.session.effects import Close, Effect, Send
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import History
from rotoro.table.ingress import Ingress, IngressKind
from rotoro.table.records import Records
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, VRP6, RouteSlot, Slot
from rotoro.table.snapshot import EMPTY, Snapshot
from rotoro.wire.rtr import ErrorReport

patient = settings(deadline=None)

Model = dict[tuple[Slot, bytes], Any]
"""Records of a table: slot and key to value."""


def vrp(prefix: str, max_length: int, asn: int) -> tuple[Slot, bytes]:
    """A VRP as slot and key."""
    text, _, length = prefix.partition("/")
    address = ip_address(text)
    key = address.packed + bytes((max_length, int(length))) + asn.to_bytes(4)
    return (VRP4 if address.version == 4 else VRP6), key


def vrps(*numbers: int) -> Snapshot:
    """A table of one VRP for each number."""
    return snapshot({vrp(f"10.{number}.0.0/16", 24, 64496 + number): None for number in numbers})


def router_key(number: int, info: bytes = b"\x30\x03key", asn: int = 64496) -> tuple[Slot, bytes]:
    return ROUTER_KEY, bytes([number] * 20) + len(info).to_bytes(4) + info + asn.to_bytes(4)


def aspa(customer: int) -> tuple[Slot, bytes]:
    return ASPA, customer.to_bytes(4)


def providers(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4) for number in numbers)


def snapshot(model: Mapping[tuple[Slot, bytes], Any]) -> Snapshot:
    """The table of a model."""
    by_slot: dict[Slot, dict[bytes, Any]] = {}
    for (slot, key), value in model.items():
        by_slot.setdefault(slot, {})[key] = value
    return Snapshot.of({slot: _records(slot, table) for slot, table in by_slot.items()})


def _records(slot: Slot, table: dict[bytes, Any]) -> Records:
    values: Any = None if slot.value_dtype is None else list(table.values())
    times: Any = None
    if isinstance(slot, RouteSlot):
        values = slot.attributes.intern_all([octets for octets, _ in table.values()])
        times = [time for _, time in table.values()]
    return Records.of(slot, list(table), values, times)


def recounted(made: Snapshot) -> Snapshot:
    """The same table with a digest that nobody carried along."""
    return Snapshot.of(dict(made))


RPKI: dict[tuple[Slot, bytes], list[Any]] = {
    vrp("0.0.0.0/0", 0, 0): [None],
    vrp("10.0.0.0/8", 8, 64496): [None],
    vrp("10.0.0.0/8", 24, 64496): [None],
    vrp("10.0.0.0/8", 24, 0): [None],
    vrp("192.0.2.0/24", 24, 0xFFFFFFFF): [None],
    vrp("255.255.255.255/32", 32, 1): [None],
    vrp("::/0", 0, 0): [None],
    vrp("2001:db8::/32", 48, 64496): [None],
    vrp("2001:db8::/32", 48, 1): [None],
    vrp("2001:db8::1/128", 128, 64497): [None],
    router_key(0): [None],
    router_key(1, b"", 1): [None],
    router_key(1, b"\0\0", 256): [None],
    router_key(1, b"\0\0", 1): [None],
    aspa(0): [providers(0), providers(1)],
    aspa(64496): [providers(0), providers(1, 2), providers(2)],
    aspa(0xFFFFFFFF): [providers(0xFFFFFFFF)],
}
"""RPKI records, and the values that each may have."""


class Routes:
    """Routes of a few ingresses, over one store."""

    def __init__(self) -> None:
        self.store = AttributeStore()
        self.ingresses = [
            Ingress(7, IngressKind.BGP, b"\xc0\0\2\1", 64496, name="one"),
            Ingress(8, IngressKind.BMP, name="two"),
            Ingress(7, IngressKind.MRT, name="the same number, another ingress"),
        ]
        sets = [b"\x40\x01\x01" + bytes([number]) for number in range(5)] + [b""]
        values = [(octets, time) for octets in sets for time in (0, 1_700_000_000)]
        self.pool: dict[tuple[Slot, bytes], list[Any]] = {
            (RouteSlot(family, ingress, self.store), key): values
            for ingress in self.ingresses
            for family, keys in _KEYS.items()
            for key in keys
        }


def _key(prefix: str, path: int = 0) -> bytes:
    text, _, length = prefix.partition("/")
    return ip_address(text).packed + bytes([int(length)]) + path.to_bytes(4)


_KEYS: dict[Literal[4, 6], list[bytes]] = {
    4: [
        _key("0.0.0.0/0"),
        _key("10.0.0.0/8"),
        _key("10.0.0.0/8", 7),
        _key("10.1.0.0/16"),
        _key("255.255.255.255/32"),
    ],
    6: [_key("::/0"), _key("2001:db8::/32"), _key("2001:db8::/32", 0xFFFFFFFF), _key("2001:db8::1/128")],
}


def changes(pool: Mapping[tuple[Slot, bytes], list[Any]]) -> st.SearchStrategy[Model]:
    """Records to announce with a value of theirs, or to withdraw (Ellipsis)."""
    keys = st.sampled_from(list(pool))
    pairs = keys.flatmap(lambda key: st.tuples(st.just(key), st.sampled_from([..., *pool[key]])))
    return st.lists(pairs, max_size=12).map(dict)


def applied(model: Model, change: Model) -> Model:
    merged = {**model, **change}
    return {key: value for key, value in merged.items() if value is not ...}


def in_version(table: Snapshot, version: int) -> Snapshot:
    """What routers of a version get of a table."""
    without = {0: (ROUTER_KEY, ASPA), 1: (ASPA,)}.get(version, ())
    return Snapshot.of({slot: own for slot, own in table.items() if slot not in without})


def history(first: Snapshot | None = EMPTY, *, epoch: int = 5, serial: int = 0xFFFFFFFD) -> History:
    """A table whose RTR serials soon start again; with None, one without data."""
    made = History(epoch, serial)
    if first is not None:
        made.commit(first)
    return made


def sent(effects: Iterable[Effect]) -> list[Any]:
    return [effect.pdu for effect in effects if isinstance(effect, Send)]


def report(effects: Iterable[Effect]) -> ErrorReport | None:
    """The Error Report among effects, if any."""
    return next((pdu for pdu in sent(effects) if isinstance(pdu, ErrorReport)), None)


def closes(effects: Iterable[Effect]) -> bool:
    return any(isinstance(effect, Close) for effect in effects)
