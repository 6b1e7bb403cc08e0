"""Hypothesis strategies for every PDU: legal ones, and ones that break a single rule. Needs Hypothesis.

What a field may carry is read off the declarations. Where `must_hold` asks for more, `_LEGAL` says how to please it; a
new PDU needs a row there only if hardly any of its values pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from rotoro.derive.definition import build_rows
from rotoro.wire.errors import ProtocolError
from rotoro.wire.pdu import PDUS, Layout, Pdu
from rotoro.wire.rotoro import (
    ADDRESS_SIZES,
    ANY,
    MIN_ATTRIBUTE_SETS,
    MIN_MAX_PDU,
    AttributeSets,
    Begin,
    BracketKind,
    Catalogue,
    ConfigData,
    ConfigSet,
    IngressState,
    Params,
    RouteRow4,
    RouteRow6,
    Routes4,
    Routes6,
    ScopeKind,
    Subscribe,
    TableEntry,
    TypeDefinition,
    TypedRecords,
    TypeField,
)
from rotoro.wire.rtr import ANNOUNCE, Aspa, Ipv4Prefix, Ipv6Prefix
from rotoro.wire.shape import Kind, every_pdu, shape

U32 = st.integers(0, 0xFFFFFFFF)


def field(owner: type[Layout], name: str) -> SearchStrategy[Any]:
    """Any value that one field may carry."""
    wire, form = owner.laid_out[name], shape(owner, name)
    if wire.allowed is not None:
        return st.sampled_from(sorted(wire.allowed))
    if form.kind is Kind.NUMBER:
        return st.integers(0, 256**form.size - 1)
    if form.kind is Kind.OCTETS:
        octets = st.binary(min_size=form.size, max_size=form.size)
        return octets.map(wire.from_wire) if wire.from_wire else octets
    if form.kind in (Kind.NUMBERS, Kind.COUNTED_NUMBERS):
        return st.lists(st.integers(0, 256**form.size - 1), max_size=8).map(tuple)
    if wire.entry is not None:
        return st.lists(anything(wire.entry), max_size=4).map(tuple)
    if form.value is str:
        return st.text(st.characters(codec="utf-8"), max_size=40)
    return st.binary(max_size=64)


def anything(owner: type[Layout]) -> SearchStrategy[Any]:
    """A PDU or part with any values that its fields may carry, whether or not they go together."""
    return st.builds(owner, **{name: field(owner, name) for name in owner.wires})


def pdus(*classes: type[Pdu]) -> SearchStrategy[Any]:
    """Any legal PDU, or any legal PDU of these classes."""
    return st.one_of([_LEGAL[pdu]() if pdu in _LEGAL else anything(pdu) for pdu in classes or every_pdu()]).filter(
        legal
    )


def versioned(*classes: type[Pdu]) -> SearchStrategy[tuple[int, Pdu]]:
    """Any legal PDU with a version that has it."""
    return pdus(*classes).flatmap(lambda pdu: st.sampled_from(pdu.versions).map(lambda version: (version, pdu)))


def of_version(version: int) -> SearchStrategy[Any]:
    """Any legal PDU that a version has."""
    return pdus(*(pdu for (known, _), pdu in PDUS.items() if known == version))


def legal(pdu: Pdu) -> bool:
    """Whether a PDU passes its own check."""
    try:
        pdu.check()
    except ProtocolError:
        return False
    return True


# --- what pleases the checks -----------------------------------------------------------------------------------------


def prefixes(bits: int) -> SearchStrategy[tuple[Any, int]]:
    """An address without bits behind its length, and the length."""
    make: Callable[[int], Any] = IPv4Address if bits == 32 else IPv6Address

    def cut(number: int, length: int) -> tuple[Any, int]:
        return make(number >> (bits - length) << (bits - length)), length

    return st.builds(cut, st.integers(0, (1 << bits) - 1), st.integers(0, bits))


def _validated(pdu: type[Ipv4Prefix] | type[Ipv6Prefix], bits: int) -> SearchStrategy[Pdu]:
    def make(prefix: tuple[Any, int], longer: int, flags: int, asn: int) -> Pdu:
        return pdu(flags, prefix[1], min(prefix[1] + longer, bits), prefix[0], asn)

    return st.builds(make, prefixes(bits), st.integers(0, bits), st.sampled_from([0, 1]), U32)


def _aspas() -> SearchStrategy[Pdu]:
    providers = st.sets(st.integers(1, 0xFFFFFFFF), min_size=1, max_size=8).map(lambda found: tuple(sorted(found)))
    announced = st.builds(Aspa, st.just(ANNOUNCE), U32, providers | st.just((0,)))
    return announced | st.builds(Aspa, st.just(0), U32, st.just(()))


def _attribute_sets() -> SearchStrategy[Pdu]:
    def make(table: int, first: int, sets: list[bytes]) -> Pdu:
        return AttributeSets(table, first, tuple(map(len, sets)), b"".join(sets))

    sets = st.lists(st.binary(max_size=20), min_size=1, max_size=5)
    return st.builds(make, field(AttributeSets, "table"), U32, sets)


def _definitions() -> SearchStrategy[Pdu]:
    fields = st.lists(anything(TypeField).filter(lambda one: one.name), max_size=4, unique_by=lambda one: one.name)
    return st.builds(replace, anything(TypeDefinition).filter(lambda made: made.name), fields=fields.map(tuple))


def _ingresses() -> SearchStrategy[Pdu]:
    addresses = st.sampled_from(ADDRESS_SIZES).flatmap(lambda size: st.binary(min_size=size, max_size=size))
    return st.builds(replace, anything(IngressState), address=addresses, ingress=st.integers(0, ANY - 1))


def _params() -> SearchStrategy[Pdu]:
    least = {"max_pdu": MIN_MAX_PDU, "attribute_sets": MIN_ATTRIBUTE_SETS, "keepalive": 1}
    return st.builds(replace, anything(Params), **{name: st.integers(low, 0xFFFFFFFF) for name, low in least.items()})


def _catalogues() -> SearchStrategy[Pdu]:
    numbered, called = (lambda entry: entry.number), (lambda entry: entry.name)
    entry = anything(TableEntry).filter(lambda entry: entry.name)
    return st.lists(entry, max_size=4, unique_by=(numbered, called)).map(tuple).map(Catalogue)


def _begins() -> SearchStrategy[Any]:
    def make(made: Any, earlier: int) -> Any:
        if made.kind == BracketKind.SNAPSHOT:
            return replace(made, from_epoch=0, from_serial=0)
        return replace(made, from_epoch=made.epoch, from_serial=min(earlier, made.serial))

    return st.builds(make, anything(Begin), field(Begin, "serial"))


def _records() -> SearchStrategy[Any]:
    def make(made: Any, rows: bytes) -> Any:
        return replace(made, rows=rows, count=1 + made.count % len(rows))

    return st.builds(make, anything(TypedRecords), st.binary(min_size=1, max_size=64))


def _pieces(pdu: type[Pdu]) -> SearchStrategy[Any]:
    def make(made: Any) -> Any:
        return replace(made, offset=min(made.offset, made.size), size=min(made.size + len(made.text), 0xFFFFFFFF))

    return st.builds(make, anything(pdu))


def _subscriptions() -> SearchStrategy[Any]:
    def make(made: Any, prefix: tuple[Any, int]) -> Any:
        if made.scope == ScopeKind.ALL:
            return replace(made, scope_length=0, scope_address=b"")
        return replace(made, scope_length=prefix[1], scope_address=prefix[0].packed)

    return st.builds(make, anything(Subscribe), st.sampled_from([32, 128]).flatmap(prefixes))


def route_rows(family: int, flags: int) -> SearchStrategy[list[dict[str, Any]]]:
    """The values of the rows of a run, by name, with the columns that the flags give them."""
    row: Any = RouteRow4 if family == 4 else RouteRow6
    columns = [name for name, wire in row.present(flags).items() if wire.when]

    def make(prefix: tuple[Any, int], *values: int) -> dict[str, Any]:
        return {"prefix_length": prefix[1], "prefix": prefix[0], **dict(zip(columns, values, strict=True))}

    one = st.builds(make, prefixes(32 if family == 4 else 128), *(field(row, name) for name in columns))
    return st.lists(one, min_size=1, max_size=20)


def route_runs(family: int) -> SearchStrategy[Any]:
    """A run of routes with any combination of flags."""
    pdu: Any = Routes4 if family == 4 else Routes6

    def run(made: Any, flags: int) -> SearchStrategy[Any]:
        rows = route_rows(family, flags).map(lambda values: build_rows(pdu.row, flags, values))
        return st.builds(replace, st.just(made), flags=st.just(flags), rows=rows)

    return st.tuples(anything(pdu), field(pdu, "flags")).flatmap(lambda pair: run(*pair))


_LEGAL: dict[type[Pdu], Callable[[], SearchStrategy[Any]]] = {
    Ipv4Prefix: lambda: _validated(Ipv4Prefix, 32),
    Ipv6Prefix: lambda: _validated(Ipv6Prefix, 128),
    Aspa: _aspas,
    AttributeSets: _attribute_sets,
    TypeDefinition: _definitions,
    IngressState: _ingresses,
    Params: _params,
    Catalogue: _catalogues,
    Subscribe: _subscriptions,
    Begin: _begins,
    TypedRecords: _records,
    ConfigData: lambda: _pieces(ConfigData),
    ConfigSet: lambda: _pieces(ConfigSet),
    Routes4: lambda: route_runs(4),
    Routes6: lambda: route_runs(6),
}
