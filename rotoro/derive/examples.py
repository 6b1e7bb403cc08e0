"""What the vectors of Rotoro's own PDUs say: one value or more of each."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from rotoro.derive.definition import build_rows
from rotoro.wire.pdu import Pdu
from rotoro.wire.rotoro import (
    ANY,
    AttributeSets,
    Begin,
    BracketKind,
    Catalogue,
    Commit,
    ConfigChanged,
    ConfigData,
    ConfigGet,
    ConfigResult,
    ConfigSet,
    Counter,
    Diagnostic,
    Families,
    FieldType,
    Goodbye,
    Health,
    Hello,
    HelloAck,
    IngressHealth,
    IngressKind,
    IngressState,
    Keepalive,
    Mode,
    Params,
    RecordKind,
    RibView,
    RouteRow4,
    RouteRow6,
    Routes4,
    Routes6,
    ScopeKind,
    Status,
    Subscribe,
    TableEntry,
    TypeDefinition,
    TypedRecords,
    TypeField,
    Unsubscribe,
)

_TIME = 1_767_225_600_000_000
_TEXT = b"unit rib = PhysicalRib {}\n"
_SHA256 = bytes(range(32))
_ORIGIN_IGP = bytes.fromhex("400101004002060201" + "0000fbf0" + "400304c0000201")
_ROWS4 = [
    {"prefix_length": 24, "prefix": IPv4Address("192.0.2.0"), "attributes": 0, "path": 1, "offset": 0},
    {"prefix_length": 24, "prefix": IPv4Address("198.51.100.0"), "attributes": 0, "path": 2, "offset": 1500},
]
_ROWS6 = [{"prefix_length": 32, "prefix": IPv6Address("2001:db8::"), "attributes": 0}]

EXAMPLES: list[Pdu] = [
    Hello(0),
    HelloAck(0),
    TypeDefinition(7, "flow", (TypeField("name", FieldType.STRING, 0), TypeField("hops", FieldType.ASN, 1))),
    IngressState(
        table=1,
        ingress=5,
        kind=IngressKind.BGP,
        view=RibView.ADJ_RIB_IN_PRE,
        state=IngressHealth.UP,
        parent=ANY,
        asn=64496,
        bgp_id=0xC0000201,
        distinguisher=0,
        address=bytes.fromhex("c0000201"),
        name="transit",
    ),
    AttributeSets(1, 0, (len(_ORIGIN_IGP), 4), _ORIGIN_IGP + bytes.fromhex("40010102")),
    Routes4(1, 1, 5, _TIME, 0, build_rows(RouteRow4, 1, _ROWS4)),
    Routes4(1, 0, 5, _TIME, 0, build_rows(RouteRow4, 0, _ROWS4)),
    Routes4(1, 7, 5, _TIME, 1000, build_rows(RouteRow4, 7, _ROWS4)),
    Routes6(1, 1, 5, _TIME, 0, build_rows(RouteRow6, 1, _ROWS6)),
    TypedRecords(2, 1, 7, 5, _TIME, 1, bytes.fromhex("01020304")),
    Begin(1, BracketKind.DIFF, 77, 41, 77, 42),
    Commit(1, 77, 42, 2, 0x0123456789ABC),
    ConfigGet(),
    ConfigData(3, len(_TEXT), 0, _SHA256, _TEXT),
    ConfigSet(1, 9, 3, len(_TEXT), 0, _SHA256, _TEXT),
    ConfigResult(1, 9, 3, (Diagnostic(1, 6, "no unit type Rib"),)),
    ConfigChanged(4, _SHA256),
    Params(0, 1 << 20, 65_536, 30, "rotoro example"),
    Catalogue((TableEntry(1, RecordKind.ROUTES, Families.BOTH, Health.HEALTHY, 0, 2, 77, 42, "example.rib-loc"),)),
    Subscribe(1, Mode.FOLLOW, 1, Families.IPV4, ScopeKind.COVERED, 77, 41, ANY, 8, bytes.fromhex("0a000000")),
    Unsubscribe(1),
    Keepalive(0, 4711),
    Status(1, Health.STALLED, 1, "no update for 60 s", (Counter("updates", 1234),)),
    Goodbye(1, 10, "back soon"),
]
