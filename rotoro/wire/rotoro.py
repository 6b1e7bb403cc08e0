"""The PDUs that Rotoro adds to RTR: 32-63 data, 64-79 configuration, 80-95 housekeeping.

An unknown type from 128 to 254 is skipped by its length; any other is critical and ends the session. So does a number
that is not `allowed`: what may be meant by new ones is for the capabilities of HELLO to agree first.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, ClassVar

from rotoro.wire.errors import BadTypeDefinition, CorruptData
from rotoro.wire.fields import (
    FLAG_SUMS,
    Absence,
    Address,
    Announced,
    BgpId,
    Capabilities,
    Column,
    CounterValue,
    Digest,
    Distinguisher,
    Echo,
    EndOfRib,
    Epoch,
    FromEpoch,
    FromSerial,
    IngressNumber,
    KeepaliveInterval,
    Line,
    ListedNumber,
    MaxPdu,
    Microseconds,
    Name,
    OnlyIngress,
    Outcome,
    Parent,
    PeerAsn,
    Piece,
    PieceOffset,
    Prefix4,
    Prefix6,
    PrefixLength,
    Reason,
    RecordCount,
    RecordType,
    Repeated,
    Resume,
    Revision,
    RowCount,
    RowOffset,
    RowPath,
    Rows,
    RowSetNumber,
    RunFlags,
    Sequence,
    SetFlags,
    SetLengths,
    SetLimit,
    SetNumber,
    SetOctets,
    Sha256,
    TableNumber,
    TableSerial,
    Text,
    Tick,
    Token,
    TypeNumber,
    WholeSize,
    Zero8,
    Zero16,
    Zero24,
    listed,
    named,
)
from rotoro.wire.pdu import ROTORO, Part, Pdu, part, pdu

SKIPPABLE = range(128, 255)
"""PDU types that a receiver may pass over by their length."""

ANY = 0xFFFFFFFF
"""No ingress, or all of them."""

ADDRESS_SIZES = (0, 4, 16)

MIN_MAX_PDU = 1 << 17
"""The least that PARAMS may allow for a PDU, in octets: the largest attribute set must fit."""

MAX_ROWS = (1 << 16) - 1
"""How many rows a run of routes may have."""

MIN_ATTRIBUTE_SETS = MAX_ROWS + 1
"""The fewest attribute sets that PARAMS may allow: a run must not need more than a receiver keeps."""


class RecordKind(IntEnum):
    """What a table holds."""

    RPKI = 0
    """VRPs, router keys and ASPAs."""
    ROUTES = 1
    TYPED = 2
    """Records of a declared type."""


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
    """Something that it needs is missing or late; STATUS says in words what."""
    GONE = 2
    """It works no more; what it had last is still served."""


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
    """What a field of a record holds, in the types of the block language."""

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

    name: Name
    kind: Annotated[int, named(FieldType)]
    repeated: Repeated


@pdu(32, versions=(ROTORO,))
class TypeDefinition(Pdu):
    """Defines a record type, once per session, behind the first catalogue that names it."""

    type_number: TypeNumber
    name: Name
    fields: Annotated[tuple[TypeField, ...], listed(TypeField, "The fields of the type, in their order.")]

    def must_hold(self) -> None:
        """The type and each of its fields have a name, and no two fields the same."""
        names = [field.name for field in self.fields]
        if not self.name or not all(names):
            raise BadTypeDefinition(f"record type {self.type_number}, {self.name!r}, or a field of it has no name")
        if len(set(names)) != len(names):
            raise BadTypeDefinition(f"record type {self.name!r} names a field twice")


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
    asn: PeerAsn
    bgp_id: BgpId
    distinguisher: Distinguisher
    address: Address
    name: Name

    def must_hold(self) -> None:
        """An address of 0, 4 or 16 octets; a number that does not stand for no ingress at all, 0xFFFFFFFF."""
        if len(self.address) not in ADDRESS_SIZES:
            raise CorruptData(f"ingress {self.ingress} has an address of {len(self.address)} octets")
        if self.ingress == ANY:
            raise CorruptData(f"an ingress of the number {ANY:#x}, which stands for none")


@pdu(34, versions=(ROTORO,))
class AttributeSets(Pdu):
    """Defines attribute sets for the rows of the same bracket: path attributes (RFC 4271), or records of a type."""

    table: TableNumber
    first: SetNumber
    lengths: SetLengths
    octets: SetOctets

    def must_hold(self) -> None:
        """At least one set; the lengths add up to the octets."""
        if not self.lengths:
            raise CorruptData(f"{self.title} without a set")
        if sum(self.lengths) != len(self.octets):
            raise CorruptData(f"{len(self.lengths)} attribute sets of {sum(self.lengths)} octets in {len(self.octets)}")


@part
class RouteRow4(Part):
    """One IPv4 route of a run."""

    prefix_length: PrefixLength
    prefix: Prefix4
    attributes: RowSetNumber
    path: RowPath
    offset: RowOffset


@part
class RouteRow6(Part):
    """One IPv6 route of a run."""

    prefix_length: PrefixLength
    prefix: Prefix6
    attributes: RowSetNumber
    path: RowPath
    offset: RowOffset


def _row_sizes(row: type[Part]) -> list[int]:
    """The octets of a row under each combination of flags."""
    return [sum(wire.layout.sizeof() for wire in row.present(flags).values()) for flags in FLAG_SUMS]


_ROW4_SIZES, _ROW6_SIZES = _row_sizes(RouteRow4), _row_sizes(RouteRow6)


def _check_rows(run: Routes4 | Routes6, size: int) -> None:
    count, over = divmod(len(run.rows), size)
    if over:
        raise CorruptData(f"{len(run.rows)} octets of rows that take {size} each", run.rows)
    if not 1 <= count <= MAX_ROWS:
        raise CorruptData(f"{run.title} with {count} rows; 1 to {MAX_ROWS} are allowed")


@pdu(36, versions=(ROTORO,), row=RouteRow4)
class Routes4(Pdu):
    """A run of IPv4 routes of one ingress, announced or withdrawn together; a single pair is a run of one."""

    table: TableNumber
    flags: RunFlags
    zero: ClassVar[Zero24]
    ingress: IngressNumber
    time: Microseconds
    tick: Tick
    rows: Rows

    def must_hold(self) -> None:
        """Whole rows, 1 to 65,535 of them; in each a length that can be, and no host bits."""
        _check_rows(self, _ROW4_SIZES[self.flags])


@pdu(38, versions=(ROTORO,), row=RouteRow6)
class Routes6(Pdu):
    """A run of IPv6 routes of one ingress, announced or withdrawn together; a single pair is a run of one."""

    table: TableNumber
    flags: RunFlags
    zero: ClassVar[Zero24]
    ingress: IngressNumber
    time: Microseconds
    tick: Tick
    rows: Rows

    def must_hold(self) -> None:
        """Whole rows, 1 to 65,535 of them; in each a length that can be, and no host bits."""
        _check_rows(self, _ROW6_SIZES[self.flags])


@pdu(40, versions=(ROTORO,))
class TypedRecords(Pdu):
    """A run of records of a declared type. Nobody sends it: records travel as the attribute sets of rows."""

    table: TableNumber
    flags: Announced
    zero: ClassVar[Zero8]
    type_number: RecordType
    ingress: IngressNumber
    time: Microseconds
    count: RowCount
    rows: Rows

    def must_hold(self) -> None:
        """At least one row, and no more than there are octets."""
        if not 1 <= self.count <= len(self.rows):
            raise CorruptData(f"{self.count} records in {len(self.rows)} octets")


@pdu(44, versions=(ROTORO,))
class Begin(Pdu):
    """Opens a bracket: what follows, up to COMMIT, is one change of one table."""

    table: TableNumber
    kind: Annotated[int, named(BracketKind)]
    zero: ClassVar[Zero24]
    from_epoch: FromEpoch
    from_serial: FromSerial
    epoch: Epoch
    serial: TableSerial

    def must_hold(self) -> None:
        """A snapshot comes from nothing, 0 and 0; a diff from the same epoch and no later serial."""
        start, end = (self.from_epoch, self.from_serial), (self.epoch, self.serial)
        if self.kind == BracketKind.SNAPSHOT:
            if start != (0, 0):
                raise CorruptData(f"a snapshot that begins at {start}")
        elif start[0] != end[0] or start[1] > end[1]:
            raise CorruptData(f"a diff from {start} to {end}")


@pdu(45, versions=(ROTORO,))
class Commit(Pdu):
    """Closes a bracket: from here on readers see the new state, and both sides can prove that they agree."""

    table: TableNumber
    epoch: Epoch
    serial: TableSerial
    count: RecordCount
    digest: Digest


# --- configuration ---------------------------------------------------------------------------------------------------


@pdu(64, versions=(ROTORO,))
class ConfigGet(Pdu):
    """Asks for the configuration in force. Privileged."""


def _check_piece(piece: ConfigData | ConfigSet) -> None:
    if piece.offset + len(piece.text) > piece.size:
        raise CorruptData(f"{len(piece.text)} octets at {piece.offset} of a text of {piece.size}")


@pdu(65, versions=(ROTORO,))
class ConfigData(Pdu):
    """A piece of the configuration in force, in the block language."""

    revision: Revision
    size: WholeSize
    offset: PieceOffset
    digest: Sha256
    text: Piece

    def must_hold(self) -> None:
        """The piece lies within the whole."""
        _check_piece(self)


@pdu(66, versions=(ROTORO,))
class ConfigSet(Pdu):
    """A piece of a configuration to put in force, all or nothing. Privileged."""

    flags: SetFlags
    sequence: Sequence
    expected: Revision
    size: WholeSize
    offset: PieceOffset
    digest: Sha256
    text: Piece

    def must_hold(self) -> None:
        """The piece lies within the whole."""
        _check_piece(self)


@part
class Diagnostic(Part):
    """One complaint about a configuration."""

    line: Line
    column: Column
    message: Text


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
    keepalive: KeepaliveInterval
    name: Name

    def must_hold(self) -> None:
        """PDUs of at least 131,072 octets, at least 65,536 attribute sets, a keepalive interval that is not 0."""
        if self.max_pdu < MIN_MAX_PDU or self.attribute_sets < MIN_ATTRIBUTE_SETS or not self.keepalive:
            raise CorruptData(
                f"PDUs of {self.max_pdu} octets, {self.attribute_sets} attribute sets, {self.keepalive} s: too little"
            )


@part
class TableEntry(Part):
    """One table of the catalogue."""

    number: ListedNumber
    kind: Annotated[int, named(RecordKind)]
    families: Annotated[int, named(Families)]
    health: Annotated[int, named(Health)]
    zero: ClassVar[Zero8]
    type_number: RecordType
    count: RecordCount
    epoch: Epoch
    serial: TableSerial
    name: Name


@pdu(81, versions=(ROTORO,))
class Catalogue(Pdu):
    """All tables that the sender serves; sent after PARAMS and whenever a table comes or goes."""

    tables: Annotated[tuple[TableEntry, ...], listed(TableEntry, "The tables, by number.")]

    def must_hold(self) -> None:
        """No number and no name twice, and no table without a name."""
        if len({entry.number for entry in self.tables}) != len(self.tables):
            raise CorruptData("the catalogue numbers two tables alike")
        if len({entry.name for entry in self.tables}) != len(self.tables):
            raise CorruptData("the catalogue names two tables alike")
        if not all(entry.name for entry in self.tables):
            raise CorruptData("a table of the catalogue has no name")


@pdu(82, versions=(ROTORO,))
class Subscribe(Pdu):
    """Asks for a table: in which mode, from which position, and which part of it."""

    table: TableNumber
    mode: Annotated[int, named(Mode)]
    resume: Resume
    families: Annotated[int, named(Families)]
    scope: Annotated[int, named(ScopeKind)]
    epoch: Epoch
    serial: TableSerial
    ingress: OnlyIngress
    scope_length: PrefixLength
    zero: ClassVar[Zero24]
    scope_address: Address

    def must_hold(self) -> None:
        """A prefix where the scope wants one, and none where it does not."""
        size, length = len(self.scope_address), self.scope_length
        wanted = ADDRESS_SIZES[:1] if self.scope == ScopeKind.ALL else ADDRESS_SIZES[1:]
        if size not in wanted or length > 8 * size:
            raise CorruptData(f"scope {self.scope} with an address of {size} octets and prefix length {length}")


@pdu(83, versions=(ROTORO,))
class Unsubscribe(Pdu):
    """Ends a subscription."""

    table: TableNumber


@pdu(84, versions=(ROTORO,))
class Keepalive(Pdu):
    """Shows that the sender is there, and asks whether the other side is."""

    echo: Echo
    token: Token


@part
class Counter(Part):
    """One counter of a unit."""

    name: Name
    value: CounterValue


@pdu(85, versions=(ROTORO,))
class Status(Pdu):
    """How the unit behind a table fares."""

    table: TableNumber
    health: Annotated[int, named(Health)]
    end_of_rib: EndOfRib
    zero: ClassVar[Zero16]
    text: Text
    counters: Annotated[tuple[Counter, ...], listed(Counter, "Counters of the unit, by name.")]


@pdu(86, versions=(ROTORO,))
class Goodbye(Pdu):
    """The sender ends the session in good order; come back after so many seconds."""

    reason: Reason
    retry: Absence
    text: Text
