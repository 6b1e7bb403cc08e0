"""Every type of block, by its configuration. To add a setting is to add a line here and to read it where it is used.

RIBs have routes; connectors and the units behind those of RPKI data bring something in, or take it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rotonda.blocks import types
from rotonda.blocks.settings import (
    ADDRESS,
    ASN,
    BOOL,
    DURATION,
    ENDPOINT,
    FILTER_MAP,
    NEEDED,
    NUMBER,
    PURE_FILTER,
    STRING,
    BlockReference,
    Choice,
    Config,
    FilterUse,
    Graph,
    GraphPath,
    HashFields,
    ListOf,
    NestedRecord,
    OneOf,
    Overwrite,
    Plain,
    RecordTypeReference,
    Window,
    setting,
)
from rotonda.blocks.syntax import BlockKind

UNIT, SOURCE, STREAM, INSTANCE = BlockKind
PORT = Plain("U16", 0, 65535)
FAILURE = Choice(("REJECT", "ACCEPT"))
MODE = Choice(("AUTO", "RTR", "ROTORO"))
RPKI_UNITS = ("RtrConnector", "JsonConnector", "Any", "Merge", "LocalExceptions", "RotoroLink", "PhysicalRib")
"""Types of units that have RPKI data."""

Endpoint = Any
"""A `values.SocketAddress`, a port, or a string as command lines have it."""


# --- brokers and queues ----------------------------------------------------------------------------------------------


class StreamQueue(Config):
    """Settings of every output stream: what becomes of records that cannot be written at once."""

    queue: int = setting(Plain("U32", 1), 250_000, "how many records may wait in memory")
    overflow = setting(
        Choice(("DROP_NEWEST", "DROP_OLDEST", "BLOCK", "SPILL")), "DROP_NEWEST", "what is done when no more may wait"
    )
    spill: str | None = setting(STRING, None, "for SPILL: the folder where records wait on disk")
    spill_limit: int = setting(Plain("U64", 1), 1 << 30, "how many octets may wait there")


class BrokerTls(Config):
    """TLS to a broker, whose certificate is always verified."""

    authority: str | None = setting(STRING, None, "who signs its certificate; without it, whom the system trusts")
    name: str | None = setting(STRING, None, "what its certificate calls it, if not as its host")
    certificate: str | None = setting(STRING, None, "our certificate")
    key: str | None = setting(STRING, None, "the key of our certificate, which nobody else may read")


class KafkaLogin(Config):
    """How Kafka is reached, and as whom."""

    brokers: tuple[str, ...] = setting(ListOf(STRING), NEEDED, 'brokers to begin with, `"host:port"`')
    tls: BrokerTls | bool = setting(OneOf((BOOL, NestedRecord(BrokerTls))), False, "whether and how TLS is spoken")
    user: str | None = setting(STRING, None, "as whom we log in")
    password: str | None = setting(STRING, None, "the password")
    password_file: str | None = setting(STRING, None, "a file with the password, which nobody else may read")
    mechanism = setting(Choice(("PLAIN", "SCRAM_SHA_256", "SCRAM_SHA_512")), "PLAIN", "how we log in (SASL)")


class KafkaBrokers(KafkaLogin, StreamQueue):
    """How Kafka is reached, and how sure it must be to have what we send."""

    acks = setting(Choice(("ALL", "ONE", "NONE")), "ALL", "which replicas must have a message")
    idempotent: bool | None = setting(
        BOOL, None, "whether the brokers keep out what comes twice; without it, if `acks` is ALL"
    )
    compression = setting(Choice(("NONE", "GZIP", "SNAPPY", "LZ4", "ZSTD")), "LZ4", "of messages that go together")
    linger: float = setting(Plain("Duration", 0, 60), 0.005, "how long messages wait for others, to go together")
    message_limit: int = setting(Plain("U32", 1000, 1_000_000_000), 1_000_000, "octets of a message; more is not sent")


# --- RIBs ------------------------------------------------------------------------------------------------------------


UNHASHED = ("peer_name", "rib", "received", "status", "origin_asn", "aggregator_asn")
"""Fields of routes by which entries are not told apart: others say the same, or they change while it does not."""


class MergeStrategy(Config):
    """Which entries of a route are distinct, and how many of them are kept."""

    hash = setting(HashFields(), ("prefix", "peer_id", "as_path"), "fields by which entries are told apart", "key")
    overwrite = setting(Overwrite(), Window(), "MOST_RECENT, MOVING_WINDOW_COUNT(n) or MOVING_WINDOW_TIME_WEEKS(n)")


class PhysicalRib(Config, word="PhysicalRib", kind=UNIT, category="Rib"):
    """Stores the routes that its filter-map accepts, and the RPKI data of its wests."""

    merge_strategy: MergeStrategy = setting(NestedRecord(MergeStrategy), MergeStrategy(), "which entries are kept")
    filter_map: FilterUse | None = setting(FILTER_MAP, None, "what is done to each route before it is stored", "filter")
    contains: types.RecordType | None = setting(RecordTypeReference(), None, "the type of the records that it stores")
    on_failure = setting(FAILURE, "REJECT", "what becomes of a route on which the filter fails")


class VirtualRib(Config, word="VirtualRib", kind=UNIT, category="Rib"):
    """Stores nothing: shows the RIB west of it through its filter-map, to queries and to whoever follows it."""

    filter_map: FilterUse | None = setting(FILTER_MAP, None, "what is done to each route", "filter")
    contains: types.RecordType | None = setting(RecordTypeReference(), None, "the type of the records that it shows")
    on_failure = setting(FAILURE, "REJECT", "what becomes of a route on which the filter fails")


# --- connectors ------------------------------------------------------------------------------------------------------


class Proxy(Config):
    """Where a BMP connector hands its messages on to."""

    to: tuple[Endpoint, ...] = setting(ListOf(ENDPOINT), NEEDED, "other BMP stations")
    filtered = setting(BOOL, True, "whether only what the filter accepts is handed on")


class RawTopic(KafkaBrokers):
    """A topic of Kafka with what a BMP connector takes, message by message, as OpenBMP collectors publish it."""

    topic = setting(STRING, "openbmp.bmp_raw", "where messages go")
    collector = setting(STRING, "", "what we are called there; without it, the name of the instance")
    filtered = setting(BOOL, True, "whether only what the filter accepts is published")


class BmpConnector(Config, word="BmpConnector", kind=UNIT, category="Connector"):
    """Takes BMP sessions of routers (RFC 7854)."""

    listen: Endpoint = setting(ENDPOINT, 11019, "where routers connect to")
    filter: FilterUse | None = setting(PURE_FILTER, None, "which messages are taken", "west_filter", "filter_map")
    proxy: Proxy | bool = setting(OneOf((BOOL, NestedRecord(Proxy))), False, "whether and where messages are handed on")
    raw: RawTopic | None = setting(NestedRecord(RawTopic), None, "where in Kafka messages are published as they are")
    on_failure = setting(FAILURE, "REJECT", "what becomes of a message on which the filter fails")


class BgpPeer(Config):
    """A BGP neighbour."""

    address = setting(ADDRESS, NEEDED, "its address", "addr")
    port = setting(PORT, 179, "its port, for a session that we open")
    asn = setting(ASN, NEEDED, "its AS", "remote_asn")
    name = setting(STRING, "", "what it is called")
    families: tuple[str, ...] = setting(ListOf(Choice(("IPV4", "IPV6"))), ("IPV4", "IPV6"), "what is exchanged")
    add_path = setting(BOOL, False, "whether several routes for a prefix are taken (RFC 7911)", "addpath")
    west_filter: FilterUse | None = setting(PURE_FILTER, None, "for this peer in place of the connector's", "filter")


class BgpConnector(Config, word="BgpConnector", kind=UNIT, category="Connector"):
    """Speaks BGP (RFC 4271): learns routes at the west of a graph, announces what reaches it at the east."""

    topology = setting(Choice(("WestEastSplit", "WestOnly", "EastOnly")), "WestEastSplit", "at which ends it stands")
    listen: Endpoint = setting(ENDPOINT, 179, "where peers connect to")
    my_asn: int | None = setting(ASN, None, "our AS; needed as soon as there are peers")
    my_bgp_id: Any = setting(ADDRESS, None, "our BGP identifier; without it, the address that we listen at")
    peers: tuple[BgpPeer, ...] = setting(ListOf(NestedRecord(BgpPeer)), (), "who may have a session")
    hold_time: float = setting(Plain("Duration", 0, 65535), 90.0, "after how long without a word a session ends")
    mode = setting(Choice(("PASSIVE", "ACTIVE")), "PASSIVE", "whether peers connect, or we do")
    next_hop: Any = setting(ADDRESS, None, "for routes of IPv6 over sessions of IPv4")
    echo = setting(BOOL, False, "whether routes go back to the peer that sent them")
    west_filter: FilterUse | None = setting(PURE_FILTER, None, "which messages are taken", "filter", "west_pure_filter")
    east_filter: FilterUse | None = setting(FILTER_MAP, None, "what is done to what goes out", "east_filter_map")
    on_failure = setting(FAILURE, "REJECT", "what becomes of what a filter fails on")


class MrtConnector(Config, word="MrtConnector", kind=UNIT, category="Connector"):
    """Reads MRT archives, plain or compressed, and reads them again when they change (RFC 6396)."""

    files: tuple[str, ...] = setting(ListOf(STRING), NEEDED, "the archives, a table first", "file", "source_file")


class RtrConnector(Config, word="RtrConnector", kind=UNIT, category="Connector"):
    """Follows an RTR cache, or a Rotoro server, for its RPKI data."""

    server: Endpoint = setting(
        ENDPOINT, NEEDED, 'the cache, `"tls:..."` with its settings', "connect", "cache", "remote"
    )
    mode = setting(MODE, "AUTO", "what it speaks")
    stale = setting(Choice(("DROP", "KEEP")), "DROP", "what becomes of data past its expiry")
    preference: int = setting(Plain("U8"), 0, "among the wests of an `Any`, the lowest comes first")


class JsonConnector(Config, word="JsonConnector", kind=UNIT, category="Connector"):
    """Reads RPKI data as validators export it, JSON or CSV, from a file or the web."""

    source_file: str = setting(STRING, NEEDED, "a file, or a URL of http or https", "source", "url", "file")
    check_update_interval: float = setting(Plain("Duration", 1), 60.0, "how often the web is asked", "refresh")
    stale = setting(Choice(("DROP", "KEEP")), "DROP", "what becomes of data past its expiry")
    keep_expired = setting(BOOL, False, "whether entries past their expiry are used, for archives")
    max_age: float | None = setting(DURATION, None, "how old an export may be as a whole")
    preference: int = setting(Plain("U8"), 0, "among the wests of an `Any`, the lowest comes first")


class AnyUnit(Config, word="Any", kind=UNIT, category="Policy"):
    """Uses the RPKI data of one of its wests: of the preferred one that has some."""

    hold_down: float = setting(DURATION, 60.0, "how long a source must be back, or away, before it matters")


class MergeUnit(Config, word="Merge", kind=UNIT, category="Policy"):
    """Makes one set of the RPKI data of all its wests."""


class LocalExceptions(Config, word="LocalExceptions", kind=UNIT, category="Policy"):
    """Applies local exceptions to RPKI data (SLURM, RFC 8416)."""

    files: tuple[str, ...] = setting(ListOf(STRING), NEEDED, "SLURM files about different things", "file")


class RotoroLink(Config, word="RotoroLink", kind=UNIT, category="Connector"):
    """Follows a Rotoro server that no instance of this file is: its routes and its RPKI data."""

    server: Endpoint = setting(ENDPOINT, NEEDED, "where it is", "connect", "remote")
    mode = setting(MODE, "AUTO", "what it speaks")
    contains: types.RecordType | None = setting(RecordTypeReference(), None, "the type of its records, if not routes")
    table: str | None = setting(STRING, None, "the one table that is wanted; without it, routes and RPKI data")


class KafkaTopic(KafkaLogin, word="KafkaTopic", kind=UNIT, category="Connector"):
    """Puts the table of its wests into a compacted topic of Kafka; what stands east of it has a share of the topic."""

    topic = setting(STRING, NEEDED, "the topic")
    partitions: int = setting(Plain("U16", 1, 10_000), 12, "into how many parts it is cut when it is made; they stay")
    replication: int = setting(Plain("U8", 1, 100), 1, "on how many brokers each part is kept when it is made")
    group = setting(STRING, "rotonda", "what those are called together that have the topic among them")
    writer: str | None = setting(STRING, None, "what who writes is called there; without it, `INSTANCE.UNIT`")
    restart_time: float = setting(DURATION, 30.0, "how long, when who writes begins anew, what it wrote before stays")
    contains: types.RecordType | None = setting(RecordTypeReference(), None, "the type of its records, if not routes")


class Router(Config, word="Router", kind=UNIT, category="Router"):
    """Judges routes and paths by the RPKI data of its wests, as routers do."""

    patience: float = setting(DURATION, 10.0, "how long preferred wests may be away before others are used")


# --- data sources ----------------------------------------------------------------------------------------------------


class RibSource(Config, word="Rib", kind=SOURCE):
    """A read-only view of a physical RIB of the same instance."""

    related: str = setting(BlockReference(UNIT, ("PhysicalRib",)), NEEDED, "the RIB", "rib")


class RpkiSource(Config, word="Rpki", kind=SOURCE):
    """The RPKI data of a unit: origins and paths are validated by it."""

    related: str = setting(BlockReference(UNIT, RPKI_UNITS), NEEDED, "the unit that has the data", "unit")


class TableSource(Config, word="Table", kind=SOURCE):
    """Records of a file, JSON, JSON lines or CSV."""

    source_file: str = setting(STRING, NEEDED, "the file; what it is, its suffix says", "file")
    check_update_interval: float = setting(Plain("Duration", 1), 3600.0, "how often it is looked whether it changed")
    mode = setting(Choice(("ACTIVE", "PASSIVE")), "PASSIVE", "whether changes have stored routes judged again")
    contains: types.RecordType = setting(RecordTypeReference(), NEEDED, "the type of its records")


# --- output streams --------------------------------------------------------------------------------------------------


class LogStream(StreamQueue, word="Log", kind=STREAM):
    """Lines for people: each field of a record as `name=value`."""

    level = setting(Choice(("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL")), "INFO", "how urgent they are")
    target = setting(Choice(("STDERR", "FILE", "SYSLOG")), "STDERR", "where they go")
    facility = setting(
        Choice(("DAEMON", "USER", "SYSLOG", *(f"LOCAL{number}" for number in range(8)))), "DAEMON", "for syslog"
    )
    file: str | None = setting(STRING, None, "for FILE")
    rx: types.RecordType = setting(RecordTypeReference(), types.LOG_MESSAGE, "what may be sent to it")


class FileStream(StreamQueue, word="File", kind=STREAM):
    """A file of records."""

    path: str = setting(STRING, NEEDED, "where it is", "file")
    format = setting(Choice(("JSONL", "CSV")), "JSONL", "how records are written")
    rotate: int = setting(Plain("U64"), 0, "octets after which another file is begun; 0: never")
    rotate_every: float = setting(
        Plain("Duration", 0), 0.0, "after what time another file is begun, on the stroke of UTC; 0: never"
    )
    keep: int = setting(Plain("U16", 1), 5, "how many files are kept when they rotate")
    fsync = setting(
        Choice(("NEVER", "ON_ROTATE", "EACH_BATCH")), "NEVER", "when records are brought to the disk by force"
    )
    rx: types.RecordType = setting(RecordTypeReference(), NEEDED, "what may be sent to it")


class Server(Config):
    """A host and a port."""

    host: Any = setting(OneOf((STRING, ADDRESS)), NEEDED, "its name or address")
    port: int = setting(PORT, NEEDED, "its port")


class MqttStream(StreamQueue, word="Mqtt", kind=STREAM):
    """Messages to an MQTT broker, each the JSON of a record."""

    server: Server = setting(NestedRecord(Server), NEEDED, "the broker")
    version = setting(Choice(("V3_1_1", "V5")), "V3_1_1", "of MQTT")
    tls: BrokerTls | bool = setting(OneOf((BOOL, NestedRecord(BrokerTls))), False, "whether and how TLS is spoken")
    user: str | None = setting(STRING, None, "as whom we log in")
    password: str | None = setting(STRING, None, "the password")
    password_file: str | None = setting(STRING, None, "a file with the password, which nobody else may read")
    client_id = setting(STRING, "", "what we are called there; without it, `rotonda-INSTANCE-STREAM`")
    topic = setting(STRING, "rotonda/{instance}/{stream}", "where messages go")
    state_topic = setting(STRING, "rotonda/{instance}/state", 'where `online` or `offline` is kept; `""` for nowhere')
    qos: int = setting(Plain("U8", 0, 2), 0, "quality of service")
    retain = setting(BOOL, False, "whether the broker keeps the last message of each topic")
    window: int = setting(Plain("U16", 1, 1000), 250, "messages on their way that the broker has not confirmed")
    keep_alive: float = setting(
        Plain("Duration", 1, 65_535), 60.0, "after what silence each side asks for a sign of life"
    )
    session_expiry: float = setting(
        Plain("Duration", 0, 4_294_967_294), 3600.0, "how long a broker of V5 keeps our session while we are away"
    )
    rx: types.RecordType = setting(RecordTypeReference(), NEEDED, "what may be sent to it")


class KafkaStream(KafkaBrokers, word="Kafka", kind=STREAM):
    """Messages to Kafka, each the JSON of a record."""

    topic = setting(STRING, NEEDED, "where messages go")
    key: str | None = setting(STRING, None, "the field whose text is the key; what has one key stays in order")
    rx: types.RecordType = setting(RecordTypeReference(), NEEDED, "what may be sent to it")


# --- instances -------------------------------------------------------------------------------------------------------


class Remote(Config):
    """Another instance of the file, as this one reaches it."""

    address: Endpoint = setting(ENDPOINT, NEEDED, "where it listens", "server")
    mode = setting(MODE, "ROTORO", "what it speaks")


class Limits(Config):
    """How much of its servers an instance gives to others."""

    max_connections: int = setting(NUMBER, 4096, "connections at a time")
    sessions_per_address: int = setting(NUMBER, 64, "connections of one IPv4 address or IPv6 /64 at a time")
    full_loads_per_minute: int = setting(NUMBER, 30, "whole tables a minute for one address; more have to wait")
    full_loads_at_once: int = setting(NUMBER, 64, "whole tables for one address before that holds")
    queries_waiting: int = setting(NUMBER, 2, "queries of a router that may wait while it is answered")
    parts_per_session: int = setting(NUMBER, 16, "parts of tables that a follower may have cut out")
    gateway_clients: int = setting(NUMBER, 512, "clients that follow tables as JSON at a time")
    gateway_clients_per_address: int = setting(NUMBER, 64, "those of one IPv4 address or IPv6 /64 at a time")
    handshake: float = setting(DURATION, 10.0, "how long a TLS handshake may take")
    first_octet: float = setting(DURATION, 30.0, "how long who has connected may say nothing")
    header: float = setting(DURATION, 10.0, "how long a begun PDU header may take")
    pdu: float = setting(DURATION, 30.0, "how long a begun PDU may take")
    last_write: float = setting(DURATION, 60.0, "how long a peer that is being closed may read nothing of the rest")


class Timers(Config):
    """What routers are told about time (RFC 8210 section 6)."""

    refresh: float = setting(Plain("Duration", 1, 86_400), 3600.0, "after how long they ask for news")
    retry: float = setting(Plain("Duration", 1, 7200), 600.0, "after how long they try again")
    expire: float = setting(Plain("Duration", 600, 172_800), 7200.0, "without news, when they give the data up")


class Daemon(Config, word="Daemon", kind=INSTANCE):
    """One process: the units of its graph, where it serves them, and where it answers questions.

    A setting with the name of another instance is a `Remote` that says how to reach it.
    """

    graph: tuple[GraphPath, ...] = setting(Graph(), NEEDED, "paths of units, from west to east", "pipelines")
    listen: tuple[Endpoint, ...] = setting(ListOf(ENDPOINT), (), "where Rotoro and RTR are served")
    http: Endpoint = setting(ENDPOINT, None, "where questions are answered, metrics among them")
    rtr: str | None = setting(BlockReference(UNIT), None, "the unit whose RPKI data routers get, if there are several")
    state: str | None = setting(STRING, None, "a folder where RPKI data is kept, to be served at once after a restart")
    state_max_age: float = setting(Plain("Duration", 1), 86_400.0, "after how long kept data is too old")
    goodbye = setting(Choice(("RESTART", "SHUTDOWN")), "RESTART", "what routers are told when it stops")
    oldest_version: int = setting(Plain("U8", 0, 2), 0, "the oldest version of RTR that is served")
    limits: Limits = setting(NestedRecord(Limits), Limits(), "how much others may have")
    timers: Timers = setting(NestedRecord(Timers), Timers(), "what routers are told about time")

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.remotes: Mapping[str, Remote] = {}
        """The other instances that it says how to reach, by their full names; the checker finds them."""


def _all(parent: type[Config]) -> list[type[Config]]:
    return [found for child in parent.__subclasses__() for found in (child, *_all(child))]


BLOCKS: Mapping[tuple[BlockKind, str], type[Config]] = {
    (config.KIND, config.WORD): config for config in _all(Config) if config.KIND is not None
}
"""Every type of block, by its keyword and its name."""

WORD_ALIASES = {"CsvConnector": "JsonConnector", "Slurm": "LocalExceptions", "Rib": "PhysicalRib"}
"""Other names of types of units."""
