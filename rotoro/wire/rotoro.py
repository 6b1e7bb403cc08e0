"""The PDUs that Rotoro adds to RTR: 32-63 data, 64-79 configuration, 80-95 housekeeping.

An unknown type from 32 to 127 is critical and ends the session; one from 128 to 254 is skipped by its length.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, ClassVar

from rotoro.wire.errors import BadTypeDefinition, CorruptData
from rotoro.wire.fields import (
    Address4,
    Address6,
    Asn,
    BgpId,
    Capabilities,
    Column,
    Count64,
    CounterValue,
    Digest,
    Distinguisher,
    Echo,
    EndOfRib,
    Epoch,
    Flags,
    IngressNumber,
    Lengths16,
    Line,
    MaxPdu,
    Microseconds,
    Octets,
    Octets8,
    Offset32,
    Outcome,
    Parent,
    PrefixLength,
    Reason,
    Repeated,
    Resume,
    Revision,
    RouteFlags,
    RowCount,
    RowOffset,
    RowPath,
    RowSetNumber,
    RunFlags,
    Seconds,
    Sequence,
    Serial64,
    SetFlags,
    SetLimit,
    SetNumber,
    Sha256,
    Size32,
    Table16,
    TableNumber,
    Text8,
    Text16,
    Tick,
    Token,
    Type16,
    TypeNumber,
    Zero8,
    Zero16,
    Zero24,
    listed,
    named,
)
from rotoro.wire.pdu import ROTORO, Part, Pdu, part, pdu

CRITICAL = range(32, 128)
"""PDU types that a receiver must know."""

SKIPPABLE = range(128, 255)
"""PDU types that a receiver may pass over by their length."""

ANY = 0xFFFFFFFF
"""No ingress, or all of them."""

ADDRESS_SIZES = (0, 4, 16)

MIN_MAX_PDU = 1 << 17
"""The least that PARAMS may allow for a PDU, in octets: the largest attribute set must fit."""

MIN_ATTRIBUTE_SETS = 1 << 16
"""The fewest attribute sets that PARAMS may allow: no fewer than a PDU can have rows."""


class RecordKind(IntEnum):
    """What a table holds."""

    RPKI = 0
    ROUTES = 1
    TYPED = 2


class Families(IntEnum):
    """Bits for address families."""

    IPV4 = 1
    IPV6 = 2
    BOTH = 3


class Mode(IntEnum):
    """How a subscriber wants a table."""

    SNAPSHOT = 0
    """Once, as it stands."""
    FOLLOW = 1
    """As it stands, or what changed since the resume token; then every change."""
    STREAM = 2
    """Single pairs from now on."""


class ScopeKind(IntEnum):
    """Which prefixes of a table a subscriber wants."""

    ALL = 0
    COVERING = 1
    """The prefixes that contain the scope's, itself included."""
    COVERED = 2
    """The prefixes inside the scope's, itself included."""


class BracketKind(IntEnum):
    """What stands between a BEGIN and its COMMIT."""

    SNAPSHOT = 0
    """The whole table; forget what you had."""
    DIFF = 1
    """What turns the table at `from` into the table at `to`."""


class Health(IntEnum):
    """How the unit behind a table fares."""

    HEALTHY = 0
    STALLED = 1
    GONE = 2


class IngressKind(IntEnum):
    """By what an ingress receives."""

    BGP = 1
    BMP = 2
    MRT = 3
    RTR = 4
    FILE = 5
    ROTORO = 6


class RibView(IntEnum):
    """Which RIB of the observed router the routes are in (RFC 7854, RFC 8671, RFC 9069)."""

    ADJ_RIB_IN_PRE = 0
    ADJ_RIB_IN_POST = 1
    LOC_RIB = 2
    ADJ_RIB_OUT_PRE = 3
    ADJ_RIB_OUT_POST = 4


class IngressHealth(IntEnum):
    """What became of an ingress."""

    DOWN = 0
    """Not heard at the moment; its routes stay until they are withdrawn."""
    UP = 1
    CLOSED = 2
    """Gone; all its routes are withdrawn, and its number is free."""


class FieldType(IntEnum):
    """The types of the block language on the wire."""

    BOOL = 1
    U8 = 2
    U16 = 3
    U32 = 4
    U64 = 5
    ASN = 6
    IP_ADDRESS = 7
    PREFIX = 8
    TIMESTAMP = 9
    COMMUNITY = 10
    EXTENDED_COMMUNITY = 11
    LARGE_COMMUNITY = 12
    AS_PATH = 13
    STRING = 14
    OCTETS = 15
    RECORD = 16


# --- opening ---------------------------------------------------------------------------------------------------------


@pdu(2, versions=(ROTORO,))
class Hello(Pdu):
    """A client asks whether the server speaks Rotoro: the shape of a Reset Query, which every RTR cache can refuse."""

    capabilities: Capabilities


@pdu(3, versions=(ROTORO,))
class HelloAck(Pdu):
    """The server does: the shape of a Cache Response."""

    capabilities: Capabilities


# --- data ------------------------------------------------------------------------------------------------------------


@part
class TypeField(Part):
    """One field of a record type."""

    name: Text8
    kind: Annotated[int, named(FieldType)]
    repeated: Repeated


@pdu(32, versions=(ROTORO,))
class TypeDefinition(Pdu):
    """Defines a record type, once per session, before a record of it."""

    type_number: TypeNumber
    name: Text8
    fields: Annotated[tuple[TypeField, ...], listed(TypeField, "The fields of the type, in their order.")]

    def check(self) -> None:
        """A name, known field types, no field name twice."""
        if not self.name:
            raise BadTypeDefinition(f"record type {self.type_number} has no name")
        if len({field.name for field in self.fields}) != len(self.fields):
            raise BadTypeDefinition(f"record type {self.name} names a field twice")
        for field in self.fields:
            if not field.name or field.kind not in FieldType.__members__.values():
                raise BadTypeDefinition(f"field {field.name!r} of {self.name} has the unknown type {field.kind}")


@pdu(33, versions=(ROTORO,))
class IngressState(Pdu):
    """Defines where routes come from, or tells what became of it; closing it withdraws all its routes."""

    table: TableNumber
    ingress: IngressNumber
    kind: Annotated[int, named(IngressKind)]
    view: Annotated[int, named(RibView)]
    state: Annotated[int, named(IngressHealth)]
    zero: ClassVar[Zero8]
    parent: Parent
    asn: Asn
    bgp_id: BgpId
    distinguisher: Distinguisher
    address: Octets8
    name: Text8

    def check(self) -> None:
        """An address of 0, 4 or 16 octets; a state that is known."""
        if len(self.address) not in ADDRESS_SIZES:
            raise CorruptData(f"ingress {self.ingress} has an address of {len(self.address)} octets")
        if self.state not in IngressHealth.__members__.values():
            raise CorruptData(f"ingress {self.ingress} has the unknown state {self.state}")


@pdu(34, versions=(ROTORO,))
class AttributeSets(Pdu):
    """Defines attribute sets for the rows of the same bracket: the path attributes as BGP writes them (RFC 4271)."""

    table: TableNumber
    first: SetNumber
    lengths: Lengths16
    octets: Octets

    def check(self) -> None:
        """The lengths add up to the octets."""
        if sum(self.lengths) != len(self.octets):
            raise CorruptData(f"{len(self.lengths)} attribute sets of {sum(self.lengths)} octets in {len(self.octets)}")


@part
class RouteRow4(Part):
    """One IPv4 route of a run."""

    prefix_length: PrefixLength
    prefix: Address4
    attributes: RowSetNumber
    path: RowPath
    offset: RowOffset


@part
class RouteRow6(Part):
    """One IPv6 route of a run."""

    prefix_length: PrefixLength
    prefix: Address6
    attributes: RowSetNumber
    path: RowPath
    offset: RowOffset


def _check_rows(run: Routes4 | Routes6) -> None:
    if run.flags & ~sum(RouteFlags):
        raise CorruptData(f"{type(run).__name__} with the unknown flags {run.flags:#x}")
    if not run.rows:
        raise CorruptData(f"{type(run).__name__} without a row")


@pdu(36, versions=(ROTORO,), row=RouteRow4)
class Routes4(Pdu):
    """A run of IPv4 routes of one ingress, announced or withdrawn together; a single pair is a run of one."""

    table: TableNumber
    flags: RunFlags
    zero: ClassVar[Zero24]
    ingress: IngressNumber
    time: Microseconds
    tick: Tick
    rows: Octets

    def check(self) -> None:
        """Known flags, at least one row."""
        _check_rows(self)


@pdu(38, versions=(ROTORO,), row=RouteRow6)
class Routes6(Pdu):
    """A run of IPv6 routes of one ingress, announced or withdrawn together; a single pair is a run of one."""

    table: TableNumber
    flags: RunFlags
    zero: ClassVar[Zero24]
    ingress: IngressNumber
    time: Microseconds
    tick: Tick
    rows: Octets

    def check(self) -> None:
        """Known flags, at least one row."""
        _check_rows(self)


@pdu(40, versions=(ROTORO,))
class TypedRecords(Pdu):
    """A run of records of a declared type: prefix and fields, fixed columns first, then variable ones with lengths."""

    table: TableNumber
    flags: Flags
    zero: ClassVar[Zero8]
    type_number: Type16
    ingress: IngressNumber
    time: Microseconds
    count: RowCount
    rows: Octets


@pdu(44, versions=(ROTORO,))
class Begin(Pdu):
    """Opens a bracket: what follows, up to COMMIT, is one change of one table."""

    table: TableNumber
    kind: Annotated[int, named(BracketKind)]
    zero: ClassVar[Zero24]
    from_epoch: Epoch
    from_serial: Serial64
    epoch: Epoch
    serial: Serial64

    def check(self) -> None:
        """A bracket of a known kind."""
        if self.kind not in BracketKind.__members__.values():
            raise CorruptData(f"bracket of the unknown kind {self.kind}")


@pdu(45, versions=(ROTORO,))
class Commit(Pdu):
    """Closes a bracket: from here on readers see the new state, and both sides can prove that they agree."""

    table: TableNumber
    epoch: Epoch
    serial: Serial64
    count: Count64
    digest: Digest


# --- configuration ---------------------------------------------------------------------------------------------------


@pdu(64, versions=(ROTORO,))
class ConfigGet(Pdu):
    """Asks for the configuration in force. Privileged."""


@pdu(65, versions=(ROTORO,))
class ConfigData(Pdu):
    """A piece of the configuration in force, in the block language."""

    revision: Revision
    size: Size32
    offset: Offset32
    digest: Sha256
    text: Octets


@pdu(66, versions=(ROTORO,))
class ConfigSet(Pdu):
    """A piece of a configuration to put in force, all or nothing. Privileged."""

    flags: SetFlags
    sequence: Sequence
    expected: Revision
    size: Size32
    offset: Offset32
    digest: Sha256
    text: Octets


@part
class Diagnostic(Part):
    """One complaint about a configuration."""

    line: Line
    column: Column
    message: Text16


@pdu(67, versions=(ROTORO,))
class ConfigResult(Pdu):
    """What became of a CONFIG SET."""

    outcome: Outcome
    sequence: Sequence
    revision: Revision
    diagnostics: Annotated[tuple[Diagnostic, ...], listed(Diagnostic, "Every complaint, in the order of the text.")]


@pdu(68, versions=(ROTORO,))
class ConfigChanged(Pdu):
    """Tells that another configuration is in force now."""

    revision: Revision
    digest: Sha256


# --- housekeeping ----------------------------------------------------------------------------------------------------


@pdu(80, versions=(ROTORO,))
class Params(Pdu):
    """What this side of the session allows and is; each side sends it once, after the HELLOs."""

    capabilities: Capabilities
    max_pdu: MaxPdu
    attribute_sets: SetLimit
    keepalive: Seconds
    name: Text8

    def check(self) -> None:
        """Limits that a session can live with."""
        if self.max_pdu < MIN_MAX_PDU or self.attribute_sets < MIN_ATTRIBUTE_SETS or not self.keepalive:
            raise CorruptData(
                f"PDUs of {self.max_pdu} octets, {self.attribute_sets} attribute sets, {self.keepalive} s: too little"
            )


@part
class TableEntry(Part):
    """One table of the catalogue."""

    number: Table16
    kind: Annotated[int, named(RecordKind)]
    families: Annotated[int, named(Families)]
    health: Annotated[int, named(Health)]
    zero: ClassVar[Zero8]
    type_number: Type16
    count: Count64
    epoch: Epoch
    serial: Serial64
    name: Text8


@pdu(81, versions=(ROTORO,))
class Catalogue(Pdu):
    """All tables that the sender serves; sent after PARAMS and whenever a table comes or goes."""

    tables: Annotated[tuple[TableEntry, ...], listed(TableEntry, "The tables, by number.")]

    def check(self) -> None:
        """No number and no name twice."""
        if len({entry.number for entry in self.tables}) != len(self.tables):
            raise CorruptData("the catalogue numbers two tables alike")
        if len({entry.name for entry in self.tables}) != len(self.tables):
            raise CorruptData("the catalogue names two tables alike")


@pdu(82, versions=(ROTORO,))
class Subscribe(Pdu):
    """Asks for a table: in which mode, from which position, and which part of it."""

    table: TableNumber
    mode: Annotated[int, named(Mode)]
    resume: Resume
    families: Annotated[int, named(Families)]
    scope: Annotated[int, named(ScopeKind)]
    epoch: Epoch
    serial: Serial64
    ingress: IngressNumber
    scope_length: PrefixLength
    zero: ClassVar[Zero24]
    scope_address: Octets8

    def check(self) -> None:
        """A known mode, family and scope; a prefix where the scope wants one."""
        if self.mode not in Mode.__members__.values() or self.scope not in ScopeKind.__members__.values():
            raise CorruptData(f"subscription with the unknown mode {self.mode} or scope {self.scope}")
        if self.families not in Families.__members__.values():
            raise CorruptData(f"subscription to the unknown families {self.families:#x}")
        if self.scope == ScopeKind.ALL:
            return
        if len(self.scope_address) not in (4, 16) or self.scope_length > 8 * len(self.scope_address):
            raise CorruptData(f"scope of {len(self.scope_address)} octets and prefix length {self.scope_length}")


@pdu(83, versions=(ROTORO,))
class Unsubscribe(Pdu):
    """Ends a subscription."""

    table: TableNumber


@pdu(84, versions=(ROTORO,))
class Keepalive(Pdu):
    """Shows, and asks, that the other side is there."""

    echo: Echo
    token: Token


@part
class Counter(Part):
    """One counter of a unit."""

    name: Text8
    value: CounterValue


@pdu(85, versions=(ROTORO,))
class Status(Pdu):
    """How the unit behind a table fares."""

    table: TableNumber
    health: Annotated[int, named(Health)]
    end_of_rib: EndOfRib
    zero: ClassVar[Zero16]
    text: Text16
    counters: Annotated[tuple[Counter, ...], listed(Counter, "Counters of the unit, by name.")]


@pdu(86, versions=(ROTORO,))
class Goodbye(Pdu):
    """The sender ends the session in good order; come back after so many seconds."""

    reason: Reason
    retry: Seconds
    text: Text16
