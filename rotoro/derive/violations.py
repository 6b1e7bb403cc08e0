"""PDUs that break exactly one rule, each with the error that must answer it. Needs Hypothesis.

Numbers that are not allowed are read off the declarations; whoever adds to `must_hold` adds here what breaks it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from rotoro.derive.strategies import U32, anything, field, pdus
from rotoro.wire.errors import AspaProviderListError, BadTypeDefinition, CorruptData, ProtocolError
from rotoro.wire.pdu import HEADER_LENGTH, PDUS, Layout, Pdu
from rotoro.wire.rotoro import (
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
from rotoro.wire.shape import every_pdu, in_header, shape

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
    longer = [minimum(pdu) + 1, pdu.longest] if fixed_width(pdu) else []
    return sorted({*NEVER_A_LENGTH, minimum(pdu) - 1, *longer, pdu.longest + 1})


def header(version: int, number: int, length: int) -> bytes:
    """A header and nothing else."""
    return struct.pack(">BBHI", version, number, 0, length)


def _changed(pdu: type[Pdu], **fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.builds(replace, pdus(pdu), **fields)


def _of_numbers(pdu: type[Pdu]) -> Iterator[Violation]:
    """Each number that is not allowed, in the PDU and in the entries of its lists."""
    for name, wrong in _wrong_numbers(pdu):
        yield Violation(f"{pdu.title} with an unknown {name}", CorruptData, _changed(pdu, **{name: wrong}))
    for listed, wire in pdu.limits.items():
        entry: Any = wire.entry
        for name, wrong in _wrong_numbers(entry) if entry else ():
            entries = st.tuples(st.builds(replace, anything(entry), **{name: wrong}))
            what = f"{pdu.title} with an unknown {name} in its {listed}"
            yield Violation(what, CorruptData, _changed(pdu, **{listed: entries}))


def _wrong_numbers(owner: type[Layout]) -> Iterator[tuple[str, SearchStrategy[int]]]:
    for name, wire in owner.limits.items():
        if wire.allowed is not None:
            numbers = range(256 ** shape(owner, name).size)
            yield name, st.sampled_from(sorted({*numbers} - {*wire.allowed}))


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
    unfilled = pdus(pdu).map(lambda run: replace(run, rows=run.rows + b"\0"))
    return [
        Violation("no row", CorruptData, _changed(pdu, rows=st.just(b""))),
        Violation("a row that is not whole", CorruptData, unfilled),
    ]


def _of_records() -> list[Violation]:
    more = pdus(TypedRecords).map(lambda records: replace(records, count=len(records.rows) + 1))
    return [
        Violation("no record", CorruptData, _changed(TypedRecords, count=st.just(0))),
        Violation("more records than octets", CorruptData, more),
    ]


def _of_brackets() -> list[Violation]:
    snapshots = pdus(Begin).filter(lambda made: made.kind == BracketKind.SNAPSHOT)
    diffs = pdus(Begin).filter(lambda made: made.kind == BracketKind.DIFF)
    later = diffs.filter(lambda made: made.serial + 1 < 1 << 64).map(
        lambda made: replace(made, from_serial=made.serial + 1)
    )
    return [
        Violation("a snapshot of a change", CorruptData, st.builds(replace, snapshots, from_serial=st.integers(1, 9))),
        Violation(
            "a diff of another epoch", CorruptData, diffs.map(lambda made: replace(made, from_epoch=made.epoch ^ 1))
        ),
        Violation("a diff backwards", CorruptData, later),
    ]


def _of_catalogues() -> list[Violation]:
    entry = TableEntry(1, 0, 3, 0, 0, 0, 1, 1, "one")
    wrong = {
        "a number twice": (entry, replace(entry, name="two")),
        "a name twice": (entry, replace(entry, number=2)),
        "a table without a name": (replace(entry, name=""),),
    }
    return [Violation(what, CorruptData, st.just(Catalogue(entries))) for what, entries in wrong.items()]


def _of_definitions() -> list[Violation]:
    one = TypeField("one", 1, 0)
    wrong = {"a field twice": (one, one), "a field without a name": (replace(one, name=""),)}
    return [
        Violation("no name", BadTypeDefinition, _changed(TypeDefinition, name=st.just(""))),
        *(
            Violation(what, BadTypeDefinition, _changed(TypeDefinition, fields=st.just(fields)))
            for what, fields in wrong.items()
        ),
    ]


def _of_subscriptions() -> list[Violation]:
    scoped = pdus(Subscribe).filter(lambda made: made.scope != ScopeKind.ALL)
    whole = pdus(Subscribe).filter(lambda made: made.scope == ScopeKind.ALL)
    length = scoped.map(lambda made: replace(made, scope_length=8 * len(made.scope_address) + 1))
    return [
        Violation("a scope longer than its address", CorruptData, length),
        Violation("a scope without an address", CorruptData, st.builds(replace, scoped, scope_address=st.just(b""))),
        Violation(
            "a scope of everything with a length", CorruptData, st.builds(replace, whole, scope_length=st.just(1))
        ),
    ]


def _of_params() -> list[Violation]:
    least = {"max_pdu": MIN_MAX_PDU, "attribute_sets": MIN_ATTRIBUTE_SETS, "keepalive": 1}
    return [
        Violation(f"too little {name}", CorruptData, _changed(Params, **{name: st.integers(0, low - 1)}))
        for name, low in least.items()
    ]


def _of_ingresses() -> list[Violation]:
    odd = st.binary(max_size=20).filter(lambda octets: len(octets) not in (0, 4, 16))
    return [
        Violation("an address of odd size", CorruptData, _changed(IngressState, address=odd)),
        Violation("the number of no ingress", CorruptData, _changed(IngressState, ingress=st.just(ANY))),
    ]


def _of_attribute_sets() -> list[Violation]:
    lengths = field(AttributeSets, "lengths").filter(sum)
    too_few = _changed(AttributeSets, lengths=lengths, octets=st.just(b""))
    return [
        Violation("lengths that do not add up", CorruptData, too_few),
        Violation("no set", CorruptData, _changed(AttributeSets, lengths=st.just(()), octets=st.just(b""))),
    ]


def _of_pieces(pdu: type[Pdu]) -> list[Violation]:
    outside = pdus(pdu).filter(lambda made: made.text).map(lambda made: replace(made, offset=made.size))
    return [Violation("a piece outside of the whole", CorruptData, outside)]


def violations() -> list[Violation]:
    """Every rule that `check` knows, broken alone."""
    return [
        *(violation for pdu in every_pdu() for violation in _of_numbers(pdu)),
        *_of_prefixes(Ipv4Prefix, 32),
        *_of_prefixes(Ipv6Prefix, 128),
        *_of_aspas(),
        *_of_routes(Routes4),
        *_of_routes(Routes6),
        *_of_records(),
        *_of_brackets(),
        *_of_catalogues(),
        *_of_definitions(),
        *_of_subscriptions(),
        *_of_params(),
        *_of_ingresses(),
        *_of_attribute_sets(),
        *_of_pieces(ConfigData),
        *_of_pieces(ConfigSet),
    ]
