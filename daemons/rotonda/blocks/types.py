"""The types of the language, and what can be asked of a value of each.

Fields and methods are declared here once: the checker, the interpreter, the compiler and the tables of `spec/blocks.md`
are all told by these tables. What a method does is said by the interpreter, under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

# --- kinds of types --------------------------------------------------------------------------------------------------


class ScalarType(msgspec.Struct, frozen=True):
    """A type without parts that could be named in a file; `about` is for people."""

    name: str
    about: str = ""

    def __str__(self) -> str:
        return self.name


class EnumType(msgspec.Struct, frozen=True):
    """A type of named constants, which ascend in this order."""

    name: str
    constants: tuple[str, ...]
    about: str = ""

    def __str__(self) -> str:
        return self.name


class ListType(msgspec.Struct, frozen=True):
    """Values of one type in a row."""

    item: Type

    def __str__(self) -> str:
        return f"[{self.item}]"


class FieldOf(msgspec.Struct, frozen=True):
    """A field of a record type. A field that is `optional` may be missing; to use it then is a failure of the filter.

    `settable` ones may be changed by actions where the record is a `tx` or an `rx_tx`.
    """

    name: str
    type: Type
    about: str = ""
    optional: bool = False
    settable: bool = True

    @property
    def is_key(self) -> bool:
        """Whether it is the prefix under which a record flows."""
        return self.name == "prefix" and self.type == PREFIX


class RecordType(msgspec.Struct, frozen=True):
    """Named fields. Two record types are the same if their names and their fields are."""

    name: str
    fields: tuple[FieldOf, ...]
    about: str = ""

    def field(self, name: str) -> FieldOf | None:
        """The field of this canonical name."""
        return next((field for field in self.fields if field.name == name), None)

    def __str__(self) -> str:
        return self.name or "a record"


class VariantOf(msgspec.Struct, frozen=True):
    """One of the variants of a sum type, and what it holds."""

    name: str
    type: RecordType


class SumType(msgspec.Struct, frozen=True):
    """One of several records; which one is asked by `match ... with`."""

    name: str
    variants: tuple[VariantOf, ...]
    about: str = ""
    common: tuple[FieldOf, ...] = ()
    """Fields that may be asked for whatever the variant is."""

    def variant(self, name: str) -> VariantOf | None:
        """The variant of this name."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def __str__(self) -> str:
        return self.name


class SourceType(msgspec.Struct, frozen=True):
    """A data source of some kind (`Rib`, `Table`, `Rpki`), with records of a type."""

    kind: str
    record: RecordType

    def key_field(self, key: Type) -> str | None:
        """The field in which a value of this type is looked up; None if there is none. A RIB always has prefixes."""
        found = next((field.name for field in self.record.fields if field.type == key), None)
        return "prefix" if found is None and self.kind == "Rib" and key == PREFIX else found

    def __str__(self) -> str:
        return f"{self.kind} of {self.record}"


class FoundType(msgspec.Struct, frozen=True):
    """What a data source found: nothing, or records of a type."""

    record: RecordType

    def __str__(self) -> str:
        return f"what was found of {self.record}"


class StreamType(msgspec.Struct, frozen=True):
    """An output stream that takes records of a type; without fields, any record."""

    record: RecordType

    def __str__(self) -> str:
        return f"a stream of {self.record}"


Type: TypeAlias = (
    ScalarType | EnumType | ListType | RecordType | SumType | SourceType | FoundType | StreamType
)  # fmt: skip

# --- scalars ---------------------------------------------------------------------------------------------------------

BOOL = ScalarType("Bool", "true or false")
U8 = ScalarType("U8", "a whole number below 2^8")
U16 = ScalarType("U16", "a whole number below 2^16")
U32 = ScalarType("U32", "a whole number below 2^32")
U64 = ScalarType("U64", "a whole number below 2^64")
FLOAT = ScalarType("Float", "a number with a fraction")
STRING = ScalarType("String", "a text")
ASN = ScalarType("Asn", "an AS number, `AS64496`")
ADDRESS = ScalarType("IpAddress", "an address of IPv4 or IPv6, `192.0.2.1`")
SOCKET_ADDRESS = ScalarType("SocketAddress", "an address and a port, `192.0.2.1:179`")
PREFIX = ScalarType("Prefix", "a prefix of IPv4 or IPv6, `192.0.2.0/24`")
PREFIX_LENGTH = ScalarType("PrefixLength", "the length of a prefix, `/24`")
PREFIX_MATCH = ScalarType("PrefixMatch", "prefixes of a range, `192.0.2.0/24 upto /28`")
AS_PATH = ScalarType("AsPath", "the AS numbers that a route passed, the neighbour's first")
COMMUNITY = ScalarType("Community", "a community of RFC 1997, `64496:1`")
EXTENDED_COMMUNITY = ScalarType("ExtendedCommunity", "a community of RFC 4360, `rt:64496:1`")
LARGE_COMMUNITY = ScalarType("LargeCommunity", "a community of RFC 8092, `64496:1:2`")
TIME = ScalarType("TimeStamp", "a moment, exact to a microsecond")
DURATION = ScalarType("Duration", "how long something takes, `HOURS(1)`")

SCALARS = (
    BOOL, U8, U16, U32, U64, FLOAT, STRING, ASN, ADDRESS, SOCKET_ADDRESS, PREFIX, PREFIX_LENGTH, PREFIX_MATCH, AS_PATH,
    COMMUNITY, EXTENDED_COMMUNITY, LARGE_COMMUNITY, TIME, DURATION,
)  # fmt: skip

WHOLE_NUMBERS: Mapping[ScalarType, int] = {U8: 8, U16: 16, U32: 32, U64: 64, ASN: 32, PREFIX_LENGTH: 8}
"""Types whose values are whole numbers, and how many bits these have."""

SECONDS = {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600, "DAYS": 86_400, "WEEKS": 604_800}
"""How durations are constructed, `HOURS(1)`."""

# --- enumerations ----------------------------------------------------------------------------------------------------

ORIGIN = EnumType("Origin", ("IGP", "EGP", "INCOMPLETE"), "how a route came into BGP (RFC 4271 section 5.1.1)")
STATUS = EnumType("Status", ("ACTIVE", "STALE", "REPLACED", "WITHDRAWN"), "whether a route is the current one")
ROV = EnumType("Rov", ("NOT_FOUND", "VALID", "INVALID"), "what VRPs say of prefix and origin (RFC 6811)")
PATH_STATE = EnumType("PathState", ("UNKNOWN", "VALID", "INVALID"), "what ASPAs say of an AS path")
DIRECTION = EnumType(
    "PathDirection", ("UPSTREAM", "DOWNSTREAM"), "whether customers and peers sent a path, or providers"
)
AFI = EnumType("Afi", ("IPV4", "IPV6", "OTHER"), "the address family of NLRI")
SAFI = EnumType("Safi", ("UNICAST", "MULTICAST", "OTHER"), "what NLRI are for")
RIB_VIEW = EnumType(
    "RibView",
    ("ADJ_RIB_IN_PRE", "ADJ_RIB_IN_POST", "ADJ_RIB_OUT_PRE", "ADJ_RIB_OUT_POST", "LOC_RIB"),
    "which RIB of a router routes are from (RFC 7854, 8671, 9069)",
)

ENUMERATIONS = (ORIGIN, STATUS, ROV, PATH_STATE, DIRECTION, AFI, SAFI, RIB_VIEW)

WELL_KNOWN_COMMUNITIES: Mapping[str, int] = {
    "GRACEFUL_SHUTDOWN": 0xFFFF0000,  # RFC 8326
    "ACCEPT_OWN": 0xFFFF0001,  # RFC 7611
    "LLGR_STALE": 0xFFFF0006,  # RFC 9494
    "NO_LLGR": 0xFFFF0007,
    "BLACKHOLE": 0xFFFF029A,  # RFC 7999
    "NO_EXPORT": 0xFFFFFF01,  # RFC 1997
    "NO_ADVERTISE": 0xFFFFFF02,
    "NO_EXPORT_SUBCONFED": 0xFFFFFF03,
    "NO_PEER": 0xFFFFFF04,  # RFC 3765
}
"""Communities that have names, `NO_EXPORT` or `Community::NO_EXPORT`."""

# --- records that are built in ---------------------------------------------------------------------------------------

ROUTE = RecordType(
    "Route",
    (
        FieldOf("prefix", PREFIX, "where it leads", settable=False),
        FieldOf("path_id", U32, "the path identifier of ADD-PATH (RFC 7911), 0 without", settable=False),
        FieldOf("peer_id", U64, "what its ingress is known by in every process", settable=False),
        FieldOf("peer_asn", ASN, "the AS of the BGP speaker that sent it", settable=False),
        FieldOf("peer_address", ADDRESS, "the address of that speaker", optional=True, settable=False),
        FieldOf("peer_name", STRING, "what its ingress is called", settable=False),
        FieldOf("router_id", ADDRESS, "the BGP identifier of that speaker", optional=True, settable=False),
        FieldOf("rib", RIB_VIEW, "which RIB of a router it is from", settable=False),
        FieldOf("received", TIME, "when it was received", settable=False),
        FieldOf("status", STATUS, "whether it is the current one", settable=False),
        FieldOf("origin", ORIGIN, "how it came into BGP", optional=True),
        FieldOf("as_path", AS_PATH, "its AS path"),
        FieldOf("origin_asn", ASN, "the AS that announced it first", optional=True, settable=False),
        FieldOf("next_hop", ADDRESS, "where packets go next", optional=True),
        FieldOf("med", U32, "MULTI_EXIT_DISC", optional=True),
        FieldOf("local_pref", U32, "LOCAL_PREF", optional=True),
        FieldOf("atomic_aggregate", BOOL, "whether ATOMIC_AGGREGATE is there"),
        FieldOf("aggregator_asn", ASN, "the AS in AGGREGATOR", optional=True, settable=False),
        FieldOf("communities", ListType(COMMUNITY), "RFC 1997"),
        FieldOf("extended_communities", ListType(EXTENDED_COMMUNITY), "RFC 4360"),
        FieldOf("large_communities", ListType(LARGE_COMMUNITY), "RFC 8092"),
        FieldOf("originator_id", ADDRESS, "ORIGINATOR_ID (RFC 4456)", optional=True, settable=False),
        FieldOf("only_to_customer", ASN, "ONLY_TO_CUSTOMER (RFC 9234)", optional=True),
    ),
    "one route: a prefix, what BGP says of it, and where it was heard",
)

NLRI = RecordType(
    "Nlri",
    (
        FieldOf("afi", AFI, "address family", settable=False),
        FieldOf("safi", SAFI, "what they are for", settable=False),
        FieldOf("prefixes", ListType(PREFIX), "the announced ones", settable=False),
        FieldOf("withdrawn", ListType(PREFIX), "the withdrawn ones", settable=False),
    ),
    "the prefixes of a message",
)

_ATTRIBUTES = (
    "origin", "as_path", "origin_asn", "next_hop", "med", "local_pref", "atomic_aggregate", "aggregator_asn",
    "communities", "extended_communities", "large_communities", "originator_id", "only_to_customer",
)  # fmt: skip


def _read_only(names: Sequence[str]) -> tuple[FieldOf, ...]:
    return tuple(
        FieldOf(field.name, field.type, field.about, field.optional, settable=False)
        for field in ROUTE.fields
        if field.name in names
    )


RAW_BGP_MESSAGE = RecordType(
    "RawBgpMessage",
    (
        FieldOf(
            "kind", STRING, 'its type: "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE_REFRESH"', settable=False
        ),
        FieldOf("length", U16, "its octets, with the header", settable=False),
        FieldOf("nlris", NLRI, "its prefixes", settable=False),
        FieldOf("received", TIME, "when it was received", settable=False),
        *_read_only(("peer_asn", "peer_address", "router_id")),
        *_read_only(_ATTRIBUTES),
    ),
    "a BGP message as it came, before it is taken apart",
)
BGP_UPDATE_MESSAGE = RecordType("BgpUpdateMessage", RAW_BGP_MESSAGE.fields, "another name of RawBgpMessage")

PER_PEER_HEADER = RecordType(
    "PerPeerHeader",
    (
        FieldOf("asn", ASN, "of the peer", settable=False),
        FieldOf("address", ADDRESS, "of the peer", settable=False),
        FieldOf("is_ipv6", BOOL, "whether that is one of IPv6", settable=False),
        FieldOf("bgp_id", ADDRESS, "of the peer", settable=False),
        FieldOf("distinguisher", U64, "which VRF or instance it belongs to", settable=False),
        FieldOf("rib", RIB_VIEW, "which RIB the message is about", settable=False),
        FieldOf("timestamp", TIME, "when the router saw it", settable=False),
    ),
    "the per-peer header of BMP (RFC 7854 section 4.2)",
)
_HEADER = FieldOf("per_peer_header", PER_PEER_HEADER, "whom it is about", settable=False)


def _bmp(name: str, *fields: FieldOf) -> VariantOf:
    return VariantOf(name, RecordType(name, fields, f"a BMP message {name}"))


BMP_MESSAGE = SumType(
    "BmpMessage",
    (
        _bmp("RouteMonitoring", _HEADER, *(f for f in RAW_BGP_MESSAGE.fields if f.name in ("nlris", *_ATTRIBUTES))),
        _bmp("StatisticsReport", _HEADER),
        _bmp("PeerDownNotification", _HEADER, FieldOf("reason", U8, "why", settable=False)),
        _bmp("PeerUpNotification", _HEADER, FieldOf("local_address", ADDRESS, "of the router", settable=False)),
        _bmp("InitiationMessage"),
        _bmp("TerminationMessage"),
        _bmp("RouteMirroring", _HEADER),
    ),
    "a BMP message (RFC 7854 section 4)",
)

VRP = RecordType(
    "Vrp",
    (
        FieldOf("prefix", PREFIX, "which prefix may be announced", settable=False),
        FieldOf("max_length", PREFIX_LENGTH, "up to which length", settable=False),
        FieldOf("asn", ASN, "by whom", settable=False),
    ),
    "a validated ROA payload",
)

LOG_MESSAGE = RecordType("LogMessage", (FieldOf("message", STRING, "a line for people"),), "what a log takes")

_NAMED: tuple[ScalarType | EnumType | RecordType | SumType, ...] = (
    *SCALARS, *ENUMERATIONS, ROUTE, RAW_BGP_MESSAGE, BGP_UPDATE_MESSAGE, BMP_MESSAGE, NLRI, PER_PEER_HEADER, VRP,
    LOG_MESSAGE, *(variant.type for variant in BMP_MESSAGE.variants),
)  # fmt: skip
BUILT_IN: Mapping[str, Type] = {type.name: type for type in _NAMED}

# --- methods ---------------------------------------------------------------------------------------------------------


class Method(msgspec.Struct, frozen=True):
    """A question that can be asked of a value: what it takes and gives.

    `subject`, `arguments` and `result` may be names in `VARIABLES`, which stand for the same type in all of them.
    """

    name: str
    subject: Type | str
    arguments: tuple[Type | str, ...]
    result: Type | str
    about: str

    @property
    def key(self) -> str:
        """What the interpreter and the compiler know it by."""
        return f"{self.subject}.{self.name}"


ITEM, ANY_LIST, ANY, FOUND, SOURCE, RECORD, KEY = "Item", "[Item]", "Any", "Found", "Source", "Record", "Key"
VARIABLES = (ITEM, ANY_LIST, ANY, FOUND, SOURCE, RECORD, KEY)
"""Any type of items, a list of these, any type, what a source found, a source, a record of it, a value to look up."""

METHODS: tuple[Method, ...] = (
    Method("exists", ANY, (), BOOL, "whether it is there; asked of a field that may be missing, it never fails"),
    Method("to_string", ANY, (), STRING, "as people write it"),
    Method("address", PREFIX, (), ADDRESS, "its first address"),
    Method("len", PREFIX, (), PREFIX_LENGTH, "its length"),
    Method("is_ipv6", PREFIX, (), BOOL, "whether it is one of IPv6"),
    Method("covers", PREFIX, (PREFIX,), BOOL, "whether the other is the same or more specific"),
    Method("is_covered_by", PREFIX, (PREFIX,), BOOL, "whether it is the same as the other or more specific"),
    Method("contains", PREFIX, (ADDRESS,), BOOL, "whether the address is one of its addresses"),
    Method("matches", PREFIX, (PREFIX_MATCH,), BOOL, "whether it is in the range"),
    Method("origin", AS_PATH, (), ASN, "the AS at the end; missing if a set is there, or nothing (RFC 6811 section 2)"),
    Method("first", AS_PATH, (), ASN, "the AS at the beginning, the neighbour; missing in an empty path"),
    Method("last", AS_PATH, (), ASN, "the AS at the end, whatever it is in; missing in an empty path"),
    Method("len", AS_PATH, (), U32, "how long it is for choosing routes: a set counts once (RFC 4271 section 9.1.2.2)"),
    Method("contains", AS_PATH, (ASN,), BOOL, "whether the AS is anywhere in it"),
    Method("contains_any", AS_PATH, (ListType(ASN),), BOOL, "whether one of these is anywhere in it"),
    Method("starts_with", AS_PATH, (ListType(ASN),), BOOL, "whether it begins with these, in this order"),
    Method("has_set", AS_PATH, (), BOOL, "whether an AS_SET is in it (RFC 9774)"),
    Method("is_ipv6", ADDRESS, (), BOOL, "whether it is one of IPv6"),
    Method("is_in", ADDRESS, (PREFIX,), BOOL, "whether the prefix has it"),
    Method("asn", COMMUNITY, (), ASN, "its first half"),
    Method("value", COMMUNITY, (), U16, "its second half"),
    Method("asn", LARGE_COMMUNITY, (), ASN, "its administrator"),
    Method("contains", STRING, (STRING,), BOOL, "whether the other text is in it"),
    Method("starts_with", STRING, (STRING,), BOOL, "whether it begins with the other text"),
    Method("len", STRING, (), U32, "its characters"),
    Method("len", ANY_LIST, (), U32, "how many there are"),
    Method("is_empty", ANY_LIST, (), BOOL, "whether there are none"),
    Method("contains", ANY_LIST, (ITEM,), BOOL, "whether this one is among them"),
    Method("contains_any", ANY_LIST, (ANY_LIST,), BOOL, "whether one of these is among them"),
    Method("first", ANY_LIST, (), ITEM, "the first; missing if there is none"),
    Method("last", ANY_LIST, (), ITEM, "the last; missing if there is none"),
    Method("exact_match", SOURCE, (PREFIX,), FOUND, "records of this prefix"),
    Method("longest_match", SOURCE, (PREFIX,), FOUND, "records of the longest prefix that covers this one"),
    Method("less_specifics", SOURCE, (PREFIX,), FOUND, "records of all prefixes that cover this one"),
    Method("more_specifics", SOURCE, (PREFIX,), FOUND, "records of all prefixes that this one covers"),
    Method("contains", SOURCE, (KEY,), BOOL, "whether a record has this prefix, or this value in its first field"),
    Method("find", SOURCE, (KEY,), FOUND, "records with this value in the first field of its type"),
    Method("validate", SOURCE, (PREFIX, ASN), ROV, "what its VRPs say of a prefix and its origin; only of RPKI data"),
    Method("verify", SOURCE, (AS_PATH, DIRECTION), PATH_STATE, "what its ASPAs say of a path; only of RPKI data"),
    Method("matches", FOUND, (), BOOL, "whether something was found"),
    Method("len", FOUND, (), U32, "how many records were found"),
    Method("first", FOUND, (), RECORD, "the first record; missing if nothing was found"),
)

ALIASES: Mapping[str, str] = {
    "match": "find", "count": "len", "is_some": "exists", "prefix_len": "len", "length": "len", "is_v6": "is_ipv6",
}  # fmt: skip
"""Other names of methods, which older programs have."""

FUNCTIONS: tuple[Method, ...] = (
    Method("from", PREFIX, (ADDRESS, PREFIX_LENGTH), PREFIX, "the prefix of that length that has the address"),
    Method(
        "format", STRING, (STRING,), STRING, "the text, with each `{}` replaced by the next of the values behind it"
    ),
    Method("from", STRING, (ANY,), STRING, "the value as people write it"),
)
"""Methods of types themselves, `Prefix.from(...)`; `format` takes any number of values more."""


class Change(msgspec.Struct, frozen=True):
    """What an action may do to a field of a record that it may change."""

    name: str
    subject: Type | str
    arguments: tuple[Type | str, ...]
    about: str


CHANGES: tuple[Change, ...] = (
    Change("set", ANY, (ANY,), "give it this value"),
    Change("unset", ANY, (), "make it missing; only of a field that may be"),
    Change("push", ANY_LIST, (ITEM,), "put this one behind them, unless it is there"),
    Change("add", ANY_LIST, (ITEM,), "the same"),
    Change("remove", ANY_LIST, (ITEM,), "take this one out, if it is there"),
    Change("clear", ANY_LIST, (), "take all of them out"),
    Change("prepend", AS_PATH, (ASN,), "put this AS in front"),
    Change("prepend", AS_PATH, (ASN, U8), "put this AS in front so many times"),
)
