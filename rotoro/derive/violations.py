"""PDUs that break exactly one rule, each with the error that must answer it. Needs Hypothesis."""

from __future__ import annotations

import struct
from dataclasses import replace
from enum import IntEnum
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from rotoro.derive.shape import in_header, shape
from rotoro.derive.strategies import U32, field, pdus
from rotoro.wire.errors import AspaProviderListError, BadTypeDefinition, CorruptData, ProtocolError
from rotoro.wire.fields import RouteFlags
from rotoro.wire.pdu import HEADER_LENGTH, PDUS, Pdu, max_length
from rotoro.wire.rotoro import (
    AttributeSets,
    Begin,
    BracketKind,
    Catalogue,
    Families,
    FieldType,
    IngressHealth,
    IngressState,
    Mode,
    Params,
    Routes4,
    Routes6,
    ScopeKind,
    Subscribe,
    TableEntry,
    TypeDefinition,
    TypeField,
)
from rotoro.wire.rtr import ANNOUNCE, Aspa, Ipv4Prefix, Ipv6Prefix

NEVER_A_LENGTH = (*range(HEADER_LENGTH), 1 << 31, (1 << 32) - 1)
"""Lengths that no PDU can have."""


class Violation(NamedTuple):
    """One rule, broken."""

    what: str
    error: type[ProtocolError]
    broken: SearchStrategy[Any]
    """PDUs that break it; they encode, and must not decode."""


def minimum(pdu: type[Pdu]) -> int:
    """The octets that every PDU of a class has."""
    forms = (shape(pdu, name) for name in in_header(pdu, False))
    return HEADER_LENGTH + sum(form.size if form.fixed else form.prefix for form in forms)


def fixed_width(pdu: type[Pdu]) -> bool:
    """Whether all PDUs of a class are equally long."""
    return all(shape(pdu, name).fixed for name in in_header(pdu, False))


def refused_lengths(version: int, number: int) -> list[int]:
    """Lengths that must be refused as soon as the header is there.

    >>> refused_lengths(2, 2)[-5:]
    [9, 65535, 65536, 2147483648, 4294967295]
    """
    pdu = PDUS[version, number]
    longer = [minimum(pdu) + 1, max_length(version)] if fixed_width(pdu) else []
    return sorted({*NEVER_A_LENGTH, minimum(pdu) - 1, *longer, max_length(version) + 1})


def header(version: int, number: int, length: int) -> bytes:
    """A header and nothing else."""
    return struct.pack(">BBHI", version, number, 0, length)


def _unknown(names: type[IntEnum]) -> SearchStrategy[int]:
    """A number that has no name."""
    return st.sampled_from(sorted(set(range(256)) - set(names)))


def _changed(pdu: type[Pdu], **fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.builds(replace, pdus(pdu), **fields)


def _host_bit(pdu: Any) -> SearchStrategy[Any]:
    """One bit set behind the prefix length."""
    bits = pdu.prefix.max_prefixlen
    places = st.integers(0, bits - pdu.prefix_length - 1)
    return places.map(lambda place: replace(pdu, prefix=type(pdu.prefix)(int(pdu.prefix) | 1 << place)))


def _of_prefixes(pdu: Any, bits: int) -> list[Violation]:
    shorter = pdus(pdu).filter(lambda made: made.prefix_length)
    open_ended = pdus(pdu).filter(lambda made: made.prefix_length < bits)
    too_long = st.integers(bits + 1, 255)
    return [
        Violation("host bits", CorruptData, open_ended.flatmap(_host_bit)),
        Violation("a maximum below the prefix length", CorruptData, shorter.map(lambda p: replace(p, max_length=0))),
        Violation("a maximum above the bits", CorruptData, _changed(pdu, max_length=too_long)),
        Violation("a prefix length above the bits", CorruptData, _changed(pdu, prefix_length=too_long)),
    ]


def _announced(providers: SearchStrategy[tuple[int, ...]]) -> SearchStrategy[Any]:
    return st.builds(Aspa, st.just(ANNOUNCE), U32, providers)


def _of_aspas() -> list[Violation]:
    numbers = st.lists(st.integers(1, 0xFFFFFFFF), min_size=2, max_size=6, unique=True)
    unsorted = numbers.map(lambda found: tuple(sorted(found, reverse=True)))
    repeated = numbers.map(lambda found: tuple(sorted([*found, found[0]])))
    with_zero = numbers.map(lambda found: (0, *sorted(found)))
    return [
        Violation("no provider", AspaProviderListError, _announced(st.just(()))),
        Violation("unsorted providers", AspaProviderListError, _announced(unsorted)),
        Violation("a provider twice", AspaProviderListError, _announced(repeated)),
        Violation("AS 0 beside others", AspaProviderListError, _announced(with_zero)),
        Violation("a withdrawal with providers", CorruptData, st.builds(Aspa, st.just(0), U32, unsorted)),
    ]


def _of_routes(pdu: Any) -> list[Violation]:
    return [
        Violation("unknown flags", CorruptData, _changed(pdu, flags=st.integers(int(sum(RouteFlags)) + 1, 255))),
        Violation("no row", CorruptData, _changed(pdu, rows=st.just(b""))),
    ]


def _of_catalogues() -> list[Violation]:
    entry = TableEntry(1, 0, 3, 0, 0, 0, 1, 1, "one")
    return [
        Violation("a number twice", CorruptData, st.just(Catalogue((entry, replace(entry, name="two"))))),
        Violation("a name twice", CorruptData, st.just(Catalogue((entry, replace(entry, number=2))))),
    ]


def _of_definitions() -> list[Violation]:
    one = TypeField("one", 1, 0)
    fields = {
        "a field twice": st.just((one, one)),
        "a field without a name": st.just((replace(one, name=""),)),
        "an unknown field type": _unknown(FieldType).map(lambda kind: (replace(one, kind=kind),)),
    }
    return [
        Violation("no name", BadTypeDefinition, _changed(TypeDefinition, name=st.just(""))),
        *(Violation(what, BadTypeDefinition, _changed(TypeDefinition, fields=made)) for what, made in fields.items()),
    ]


def _of_subscriptions() -> list[Violation]:
    scoped = pdus(Subscribe).filter(lambda made: bool(made.scope))
    length = scoped.map(lambda made: replace(made, scope_length=8 * len(made.scope_address) + 1))
    return [
        Violation("an unknown mode", CorruptData, _changed(Subscribe, mode=_unknown(Mode))),
        Violation("an unknown scope", CorruptData, _changed(Subscribe, scope=_unknown(ScopeKind))),
        Violation("unknown families", CorruptData, _changed(Subscribe, families=_unknown(Families))),
        Violation("a scope longer than its address", CorruptData, length),
        Violation("a scope without an address", CorruptData, st.builds(replace, scoped, scope_address=st.just(b""))),
    ]


def _of_params() -> list[Violation]:
    least = {"max_pdu": st.integers(0, 4095), "attribute_sets": st.just(0), "keepalive": st.just(0)}
    return [
        Violation(f"too little {name}", CorruptData, _changed(Params, **{name: low})) for name, low in least.items()
    ]


def _of_others() -> list[Violation]:
    odd = st.binary(max_size=20).filter(lambda octets: len(octets) not in (0, 4, 16))
    lengths = field(AttributeSets, "lengths").filter(sum)
    too_few = _changed(AttributeSets, lengths=lengths, octets=st.just(b""))
    return [
        Violation("an address of odd size", CorruptData, _changed(IngressState, address=odd)),
        Violation("an unknown state", CorruptData, _changed(IngressState, state=_unknown(IngressHealth))),
        Violation("lengths that do not add up", CorruptData, too_few),
        Violation("an unknown bracket", CorruptData, _changed(Begin, kind=_unknown(BracketKind))),
    ]


def violations() -> list[Violation]:
    """Every rule that `check` knows, broken alone."""
    return [
        *_of_prefixes(Ipv4Prefix, 32),
        *_of_prefixes(Ipv6Prefix, 128),
        *_of_aspas(),
        *_of_routes(Routes4),
        *_of_routes(Routes6),
        *_of_catalogues(),
        *_of_definitions(),
        *_of_subscriptions(),
        *_of_params(),
        *_of_others(),
    ]
