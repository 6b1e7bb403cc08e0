"""Plays the conversations of `spec/transcripts` against our sessions, in memory.

A story is a list of lines. `#` says what it is about; what happens beside the wire stands in square brackets. Every
other line is a PDU: `>` from the client or `<` from the server, its octets in hexadecimal, then `;` and what they mean.
Playing a story gives all its lines anew; with REWRITE=1 in the environment they are written, else they are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Flush, Update
from rotoro.session.follower import FollowingPeer, Want
from rotoro.session.negotiation import ClientSession, Mode, serve
from rotoro.session.router import RouterSession
from rotoro.session.tables import ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import History
from rotoro.table.ingress import Ingress, IngressKind
from rotoro.table.slots import RouteSlot
from rotoro.table.snapshot import Snapshot
from rotoro.wire import Decoder, Pdu
from rotoro.wire.bulk import Prefixes
from rotoro.wire.codec import decode
from rotoro.wire.rotoro import FieldType, RecordKind
from rotoro.wire.rotoro import Mode as Wish
from rotoro.wire.typed import Field, RecordType
from tests.data import ROOT
from tests.session.worlds import Model, aspa, providers, router_key, snapshot, vrp
from tests.simulator import Client, Server, Simulator, Weather

FOLDER = ROOT / "spec" / "transcripts"
SESSION = 0x1110
EPOCH = 0x0123456789ABCDEF

ONE = {vrp("192.0.2.0/24", 24, 64496): None}
TWO = {**ONE, vrp("2001:db8::/32", 48, 64496): None, router_key(0x11): None, aspa(64500): providers(64501, 64502)}
THREE = {vrp("2001:db8::/32", 48, 64496): None, aspa(64500): providers(64501)}


def routes() -> tuple[Snapshot, Snapshot]:
    """A small table of routes, and what becomes of it."""
    store = AttributeStore()
    peer = Ingress(7, IngressKind.BGP, bytes((192, 0, 2, 1)), 64496, name="one")
    first, second = (bytes.fromhex(text) for text in ("40010100", "40010101"))
    keys = [bytes((10, number, 0, 0, 16)) + bytes(4) for number in (1, 2, 3)]
    slot = RouteSlot(4, peer, store)
    before: Model = {(slot, keys[0]): (first, 1_700_000_000), (slot, keys[1]): (second, 1_700_000_000)}
    after: Model = {(slot, keys[0]): (second, 1_700_000_005), (slot, keys[2]): (second, 1_700_000_005)}
    return snapshot(before), snapshot(after)


SEEN = RecordType("Seen", (Field("by", FieldType.ASN), Field("paths", FieldType.AS_PATH, repeated=True)))


def records() -> tuple[Snapshot, Snapshot]:
    """A small table of records, three of which two are equal, and what becomes of it."""
    store = AttributeStore()
    peer = Ingress(7, IngressKind.BGP, bytes((192, 0, 2, 1)), 64496, name="one")
    slot = RouteSlot(4, peer, store)
    first, second = (SEEN.encode((64496, (((2, (64496, number)),),))) for number in (64497, 64498))
    keys = [bytes((10, number, 0, 0, 16)) + bytes(4) for number in (1, 2, 3)]
    before: Model = {(slot, key): (octets, 0) for key, octets in zip(keys, (first, first, second), strict=True)}
    after: Model = {(slot, keys[0]): (first, 0), (slot, keys[1]): (SEEN.encode((64496, None)), 0)}
    return snapshot(before), snapshot(after)


@dataclass
class Stage:
    """One client, one server, one wire, and a script of what is said on it."""

    client: Any
    choose: Callable[[int], Any]
    table: History = field(default_factory=lambda: History(EPOCH, 1))
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.simulator = Simulator(0, Weather((1 << 20, 1 << 20), (0.01, 0.01)))
        self.server = Server(self.simulator, self.choose)
        self.actor = Client(self.simulator, self.client, self.server)
        self.actor.connects = False
        self._shown = 0

    def happens(self, what: str) -> None:
        self.lines.append(f"[{what}]")

    def connect(self) -> None:
        self.happens("the client connects")
        self.actor.connect()
        west, east = self.actor.side, self.actor.side.other
        for side, arrow in ((west, "<"), (east, ">")):
            self._listen(side, arrow)
        self.go()

    def go(self, seconds: float = 1.0) -> None:
        """Let time pass, and write down what came of it."""
        self.simulator.run(seconds)
        for effect in self.actor.effects[self._shown :]:
            match effect:
                case Update(table, position, held):
                    where = f"{position.epoch:x}:{position.serial}"
                    self.happens(
                        f"the client has {held.count} records of {table} at {where}, digest {held.digest:016x}"
                    )
                case Flush(reason):
                    self.happens(f"the client gives up its data: {reason}")
        self._shown = len(self.actor.effects)
        if not self.actor.connected and self.lines[-1] != "[the connection is closed]":
            self.happens("the connection is closed")

    def commit(self, model: Any) -> None:
        self.table.commit(model if isinstance(model, Snapshot) else snapshot(model))
        self.happens(f"the server's table changes: {self.table.snapshot.count} records at serial {self.table.serial}")
        self.server.changed()
        self.go()

    def _listen(self, side: Any, arrow: str) -> None:
        receive = side.receive

        def heard(octets: bytes) -> None:
            self.lines += [f"{arrow} {line}" for line in described(octets)]
            receive(octets)

        side.receive = heard


def described(octets: bytes) -> Iterator[str]:
    """Whole PDUs as octets and meaning."""
    while octets:
        length = int.from_bytes(octets[4:8])
        yield f"{octets[:length].hex(' ', -4)} ; {meaning(octets[:length])}"
        octets = octets[length:]


def meaning(octets: bytes) -> str:
    """One PDU for people."""
    decoder = Decoder()
    decoder.receive(octets)
    ((_, pdu),) = decoder.items()
    if isinstance(pdu, Prefixes):
        pdu = decode(octets)[1]
    return _text(pdu)


def _text(pdu: Pdu) -> str:
    fields = ", ".join(f"{name}={_value(getattr(pdu, name))}" for name in pdu.wires)
    return f"{pdu.title}({fields})"


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex() or "none"
    if isinstance(value, tuple) and value and hasattr(value[0], "wires"):
        return "[" + "; ".join(", ".join(f"{n}={_value(getattr(one, n))}" for n in one.wires) for one in value) + "]"
    return str(value)


# --- the casts -------------------------------------------------------------------------------------------------------


def plain(model: Any, versions: tuple[int, ...] = (0, 1, 2), known: int = 2) -> Stage:
    """A router and an RTR cache."""
    table = History(EPOCH, 1)
    if model is not None:
        table.commit(snapshot(model))
    return Stage(RouterSession("rtr", known), lambda first: CacheSession(CacheData.of(table, SESSION), versions), table)


def ours(
    first_state: Any,
    wish: Wish = Wish.FOLLOW,
    mode: Mode = Mode.ROTORO,
    rotoro: bool = True,
    record: RecordType | None = None,
) -> Stage:
    """A client that knows Rotoro, and a server that does, or does not; records of that type, if of one."""
    table, tables = History(EPOCH, 1), ServedTables()
    table.commit(first_state if isinstance(first_state, Snapshot) else snapshot(first_state))
    kind = RecordKind.ROUTES if isinstance(first_state, Snapshot) else RecordKind.RPKI
    tables.add("one", kind if record is None else RecordKind.TYPED, table, record)
    data = CacheData.of(table, SESSION)
    follower = FollowingPeer(lambda entry: Want(wish, record=record), AttributeStore(), lambda ingress: ingress)
    session = ClientSession(mode, follower, RouterSession("rtr"))
    return Stage(session, lambda first: serve(first, tables, data) if rotoro else CacheSession(data), table)


# --- the stories -----------------------------------------------------------------------------------------------------


def first_contact() -> Stage:
    """A router without data meets a cache, in version 2."""
    stage = plain(TWO)
    stage.connect()
    return stage


def changes_since() -> Stage:
    """A router comes back, and asks for what changed since."""
    stage = plain(TWO)
    stage.connect()
    stage.actor.cut()
    stage.commit(THREE)
    stage.connect()
    return stage


def cache_reset() -> Stage:
    """A router comes back with a serial that the cache does not know any more."""
    stage = plain(TWO)
    stage.connect()
    stage.actor.cut()
    stage.client.held = type(stage.client.held)(*(2, SESSION + 2, 0), *_rest(stage.client.held))
    stage.happens("the router remembers serial 0")
    stage.connect()
    return stage


def _rest(held: Any) -> tuple[Any, ...]:
    return held.timers, held.since, held.snapshot


def downgrade() -> Stage:
    """A cache of version 1 refuses version 2 and names its own; the router goes on in that, on the same connection."""
    stage = plain(TWO, (0, 1))
    stage.connect()
    return stage


def no_data_yet() -> Stage:
    """A cache that has just started."""
    stage = plain(None)
    stage.connect()
    stage.commit(ONE)
    return stage


def notify() -> Stage:
    """One notify, and within the next minute no other, whatever happens; then one with the latest serial."""
    stage = plain(ONE)
    stage.connect()
    stage.commit(TWO)
    stage.commit(THREE)
    stage.commit(ONE)
    stage.happens("a minute goes by")
    stage.go(60)
    return stage


def an_error() -> Stage:
    """A query of another session in an established one."""
    stage = plain(ONE)
    stage.connect()
    held = stage.client.held
    stage.client.held = type(held)(2, 0xBAD, held.serial, *_rest(held))
    stage.happens("the router mistakes the session")
    stage.go(3600)
    return stage


def oldest_version() -> Stage:
    """A router of version 0 gets neither timers nor what came later."""
    stage = plain(TWO, known=0)
    stage.connect()
    return stage


def rotoro_tables() -> Stage:
    """HELLO, parameters, the catalogue, a whole table of routes and a change of it."""
    before, after = routes()
    stage = ours(before)
    stage.connect()
    stage.commit(after)
    return stage


def rotoro_records() -> Stage:
    """A table of records of a declared type: behind the catalogue its type, then rows as of routes; then a change."""
    before, after = records()
    stage = ours(before, record=SEEN)
    stage.connect()
    stage.commit(after)
    return stage


def rotoro_rpki() -> Stage:
    """The same with RPKI data, and a follower that comes back."""
    stage = ours(TWO)
    stage.connect()
    stage.actor.cut()
    stage.commit(THREE)
    stage.connect()
    return stage


def rotoro_stream() -> Stage:
    """Single pairs from now on."""
    before, after = routes()
    stage = ours(before, Wish.STREAM)
    stage.connect()
    stage.commit(after)
    return stage


def digest_mismatch() -> Stage:
    """A follower whose table is damaged finds out at the next commit, says so, and starts over."""
    stage = ours(ONE)
    stage.connect()
    stage.client.follower.tables["one"].snapshot = snapshot({})
    stage.happens("the follower's memory fails")
    stage.commit(TWO)
    return stage


def goodbye() -> Stage:
    """A server that restarts says when to come back."""
    stage = ours(ONE)
    stage.connect()
    stage.happens("the server is about to restart")
    stage.server.each(lambda session: session.goodbye(1, 30, "restarting"))
    stage.go()
    return stage


def plain_cache_and_hello() -> Stage:
    """A client that does not know what it will meet, and a cache that never heard of Rotoro."""
    stage = ours(ONE, mode=Mode.AUTO, rotoro=False)
    stage.connect()
    stage.connect()
    return stage


STORIES = (
    first_contact,
    changes_since,
    cache_reset,
    downgrade,
    no_data_yet,
    notify,
    an_error,
    oldest_version,
    rotoro_tables,
    rotoro_records,
    rotoro_rpki,
    rotoro_stream,
    digest_mismatch,
    goodbye,
    plain_cache_and_hello,
)


def played(story: Callable[[], Stage]) -> str:
    """A story as it goes."""
    stage = story()
    return "\n".join((f"# {(story.__doc__ or '').strip()}", *stage.lines, ""))
