"""Tables for other programs: each as a stream of JSON, over WebSocket or as server-sent events, and all as RIS Live."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from twisted.web.http import Request as PlainRequest

from rotonda.gateway.chosen_rows import Wanted
from rotonda.gateway.counts import Streamed
from rotonda.gateway.holds import Holds
from rotonda.gateway.messages import Form, Message, read_place
from rotonda.gateway.ris_feed import Hosts, RisFeed
from rotonda.gateway.ris_subscriptions import BadRequest, Group, Subscriber, error
from rotonda.gateway.steps import Steps
from rotonda.gateway.table_stream import Feed, Reader, Table, TooSlow, heartbeat
from rotonda.http import parameters as read
from rotonda.http.answers import Live
from rotonda.http.carriers import HttpCarrier, SocketCarrier, must_be_of_this_site, must_be_websocket
from rotonda.http.common import Clock
from rotonda.http.errors import Refused, excerpt, suggestion
from rotonda.http.live import Client, Crowd, Ending, Limits, Source
from rotonda.http.routing import Asked, Route
from rotonda.rib.query import Match
from rotoro.table import Position

_FILTERS = ("table", "prefix", "match", "family", "ingress", "peer", "peer_as", "since")
_MATCHES = (Match.EXACT.value, Match.LONGER.value, Match.SHORTER.value)
_FAMILIES = {"4": 4, "6": 6, "ipv4": 4, "ipv6": 6}
_FORMS = {"sse": Form.EVENTS, "json": Form.LINES}
_LAST_SUBSCRIPTION = 12_000


class Units(Hosts, Protocol):
    """What the gateway shows. What it answers may change at any time."""

    def names(self) -> Collection[str]:
        """All units that have a table."""

    def tables(self, name: str) -> Mapping[str, Table]:
        """The tables of a unit: `rib`, of its routes or records, and `rpki`, as far as it has them."""


class Gateway:
    """Streams of tables, and RIS Live."""

    def __init__(self, reactor: Any, units: Units, wall: Clock, limits: Callable[[], Limits] = Limits) -> None:
        """`limits` tells those that hold now: they may change."""
        self._units, self._reactor = units, reactor
        self._crowd = Crowd(reactor, limits, self._tick)
        self._feeds: dict[tuple[str, str], Feed] = {}
        self._holds = Holds(self._crowd.turns.wake)
        self._ris = _RisLive(units, wall, self._crowd, self._holds)

    @property
    def streamed(self) -> Streamed:
        """What it has done."""
        return self._crowd.counts

    def routes(self) -> list[Route]:
        """Its paths."""
        return [
            Route("GET", "/api/v1/units/{name}/stream", self._table_stream, ("format", *_FILTERS)),
            Route("GET", "/api/v1/units/{name}/ws", self._table_socket, _FILTERS),
            Route("GET", "/v1/stream", self._ris_stream, ("format", "client", "subscribe")),
            Route("GET", "/v1/ws", self._ris_socket, ("client",)),
        ]

    # --- tables ------------------------------------------------------------------------------------------------------

    def _table_stream(self, asked: Asked) -> Live:
        form = _FORMS[read.optional(asked.parameters, "format", read.choice(tuple(_FORMS))) or "sse"]
        table, wanted = self._table(asked), _wanted(asked)
        since = read.optional(asked.parameters, "since", _place)

        def start(request: PlainRequest) -> None:
            at = _place_of_header(request.getHeader("last-event-id")) or since
            self._stay(request, form, lambda: _TableSource(self, table, wanted, at))

        return Live(start)

    def _table_socket(self, asked: Asked) -> Live:
        table, wanted = self._table(asked), _wanted(asked)
        since = read.optional(asked.parameters, "since", _place)
        return Live(lambda request: self._socket(request, lambda: _TableSource(self, table, wanted, since)))

    def _table(self, asked: Asked) -> Table:
        name = asked.path["name"]
        names = self._units.names()
        if name not in names:
            raise Refused(404, f"there is no unit {excerpt(name)} with a table", suggestion(name, names))
        tables = self._units.tables(name)
        which = asked.parameters.get("table") or next(iter(tables))
        if which not in tables:
            raise Refused(404, f"{name} has no table {excerpt(which)}", suggestion(which, tables))
        return tables[which]

    def feed(self, table: Table) -> Feed:
        """The one that all share who follow this table."""
        key = table.unit, table.name
        found = self._feeds.get(key)
        if found is None or found.table.history is not table.history:
            found = self._feeds[key] = Feed(table, Steps(table.history, lambda: self._wake(key), self._holds))
        return found

    def left(self, feed: Feed) -> None:
        """Somebody follows it no more."""
        if not feed.readers:
            feed.steps.close()
            feed.table.words.forget()
            if self._feeds.get((feed.table.unit, feed.table.name)) is feed:
                del self._feeds[feed.table.unit, feed.table.name]

    def is_current(self, feed: Feed) -> bool:
        """Whether the unit still has this table."""
        name = feed.table.unit
        table = self._units.tables(name).get(feed.table.name) if name in self._units.names() else None
        return table is not None and table.history is feed.table.history

    def _wake(self, key: tuple[str, str]) -> None:
        for client in self._crowd.clients:
            if isinstance(client.source, _TableSource) and client.source.key == key:
                client.wake()

    # --- RIS Live ----------------------------------------------------------------------------------------------------

    def _ris_stream(self, asked: Asked) -> Live:
        form = _FORMS[read.optional(asked.parameters, "format", read.choice(tuple(_FORMS))) or "json"]
        by_parameter = asked.parameters.get("subscribe")

        def start(request: PlainRequest) -> None:
            words = request.getHeader("x-ris-subscribe") or by_parameter or "{}"
            if len(words) > _LAST_SUBSCRIPTION:
                raise Refused(400, f"a subscription of more than {_LAST_SUBSCRIPTION:,} characters")
            source = _RisSource(self._ris, self._crowd.limits)
            source.subscribe(words)
            self._stay(request, form, lambda: source)

        return Live(start)

    def _ris_socket(self, asked: Asked) -> Live:
        return Live(lambda request: self._socket(request, lambda: _RisSource(self._ris, self._crowd.limits)))

    # --- clients -----------------------------------------------------------------------------------------------------

    def _stay(self, request: PlainRequest, form: Form, source: Callable[[], Source]) -> None:
        must_be_of_this_site(request)
        address = _address(request)
        self._crowd.must_have_room(address)
        if request.method == b"HEAD":
            request.finish()
            return
        client: Client
        carrier = HttpCarrier(request, form, lambda: client.gone())
        client = Client(self._crowd, address, source(), carrier)
        self._crowd.join(client)

    def _socket(self, request: PlainRequest, source: Callable[[], Source]) -> None:
        must_be_of_this_site(request)
        must_be_websocket(request)
        address = _address(request)
        self._crowd.must_have_room(address)
        client: Client

        def alive() -> None:
            client.heard_at = self._reactor.seconds()

        carrier = SocketCarrier(
            self._reactor,
            lambda words: client.hear(words),
            alive,
            lambda code, why: client.end(Ending("broke the rules", why, code)),
            lambda: client.gone(),
        )
        carrier.accept(request)
        client = Client(self._crowd, address, source(), carrier)
        self._crowd.join(client)

    def _tick(self, now: float) -> None:
        for client in list(self._crowd.clients):
            source = client.source
            if isinstance(source, _TableSource) and not client.closed and not self.is_current(source.feed):
                client.end(Ending("no table", f"{source.feed.table.unit} has no such table any more", 1001))
        self._ris.tick()


class _TableSource:
    """One table for one client."""

    stream = "table"

    def __init__(self, gateway: Gateway, table: Table, wanted: Wanted, since: Position | None) -> None:
        self._gateway = gateway
        self.feed = gateway.feed(table)
        self.key = table.unit, table.name
        self._reader: Reader = self.feed.join(wanted, since)

    @property
    def idle(self) -> bool:
        return self._reader.idle

    def joined(self, client: Client) -> None:
        """It is found by its table."""

    def take(self) -> Message | None:
        try:
            return self._reader.take()
        except TooSlow as late:
            raise Ending("too slow", f"too slow: {late}") from None

    def quiet(self) -> Message | None:
        return heartbeat(self._reader)

    def hear(self, words: str) -> None:
        raise Ending("broke the rules", "nothing is to be said here")

    def ending(self, why: Ending) -> Message:
        return Message.of("error", message=str(why))

    def left(self) -> None:
        self._reader.close()
        self._gateway.left(self.feed)


class _RisLive:
    """All clients of RIS Live, and what they are told."""

    def __init__(self, units: Units, wall: Clock, crowd: Crowd, holds: Holds) -> None:
        self.units = units
        self._crowd = crowd
        self._feed = RisFeed(units, wall, lambda: crowd.turns.wake(self), holds)
        self._sources: dict[_RisSource, None] = {}
        self._wanting: dict[Group, list[_RisSource]] = {}
        self._outdated = False

    def work(self) -> bool:
        """Tell one message."""
        if self._outdated:
            self._use()
        told = self._feed.take()
        if told is None:
            return not self._feed.idle
        defaults = self.units.defaults()
        found: dict[_RisSource, None] = {}
        for group, sources in self._wanting.items():
            if group.wants(told, defaults):
                found.update(dict.fromkeys(sources))
        for source in found:
            source.push(told.message(source.subscriber.raw))
        return True

    def changed(self, source: _RisSource) -> None:
        """A client has other subscriptions now."""
        self._sources[source] = None
        self._look_anew()

    def _look_anew(self) -> None:
        """Soon, once for however many changes there are."""
        self._outdated = True
        self._crowd.turns.wake(self)

    def left(self, source: _RisSource) -> None:
        """A client is gone."""
        if source in self._sources:
            del self._sources[source]
            if self._sources:
                self._look_anew()
            else:
                self._use()
                self._crowd.turns.forget(self)

    def tick(self) -> None:
        """Look after what does not tell by itself when it changes: units that come and go, states of ingresses."""
        if not self._sources:
            return
        self._feed.use(self._wanting)
        self._feed.look()
        for host, rows in self._feed.lost().items():
            self._crowd.counts.left_out += rows
            for source in self._sources:
                source.push(error(f"{host}: at least {rows} changes were too many at once and are left out"))

    def _use(self) -> None:
        self._outdated = False
        self._wanting = {}
        for source in self._sources:
            for group in source.subscriber.groups:
                self._wanting.setdefault(group, []).append(source)
        self._feed.use(self._wanting)


class _RisSource:
    """RIS Live for one client."""

    stream = "ris"

    def __init__(self, ris: _RisLive, limits: Limits) -> None:
        self.subscriber = Subscriber(lambda: ris.units.histories())
        self._client: Client | None = None
        self._ris, self._limits = ris, limits
        self._waiting: list[Message] = []
        self._at = 0
        self._octets = 0
        self._ending: Ending | None = None

    @property
    def idle(self) -> bool:
        return self._at == len(self._waiting) and self._ending is None

    def push(self, message: Message) -> None:
        """One message more."""
        if self._ending is not None:
            return
        self._waiting.append(message)
        self._octets += len(message.json)
        if self._octets > self._limits.waiting_octets:
            self._waiting, self._at, self._octets = [], 0, 0
            self._ending = Ending("too slow", f"too slow: more than {self._limits.waiting_octets:,} octets wait")
        if self._client is not None:
            if self._ending is None:
                self._client.wake()
            else:
                self._client.end(self._ending)  # it may not be reading at all

    def joined(self, client: Client) -> None:
        self._client = client
        if self.subscriber.groups:
            self._ris.changed(self)

    def take(self) -> Message | None:
        if self._ending is not None:
            raise self._ending
        if self._at == len(self._waiting):
            return None
        message = self._waiting[self._at]
        self._at += 1
        self._octets -= len(message.json)
        if self._at == len(self._waiting):
            self._waiting, self._at = [], 0
        return message

    def quiet(self) -> Message | None:
        return None

    def hear(self, words: str) -> None:
        before = self.subscriber.groups
        answers = list(self.subscriber.hear(words))
        if self.subscriber.groups is not before:
            self._ris.changed(self)  # first, so that what is acknowledged is done
        for answer in answers:
            self.push(answer)

    def subscribe(self, words: str) -> None:
        """Subscribe to this. Raises Refused."""
        try:
            self._waiting.extend(self.subscriber.subscribe(words))
        except BadRequest as wrong:
            raise Refused(400, f"the subscription: {wrong}") from None

    def ending(self, why: Ending) -> Message:
        return error(str(why))

    def left(self) -> None:
        self._ris.left(self)


def _wanted(asked: Asked) -> Wanted:
    given = asked.parameters
    prefix = read.optional(given, "prefix", read.prefix)
    match = read.optional(given, "match", read.choice(_MATCHES))
    if match is not None and prefix is None:
        raise Refused(400, f"match={match} needs a prefix", "give prefix=")
    family = read.optional(given, "family", read.choice(tuple(_FAMILIES)))
    return Wanted(
        prefix=prefix,
        match=Match(match) if match else Match.EXACT,
        family=None if family is None else _FAMILIES[family],
        ingress=read.optional(given, "ingress", read.number),
        peer_as=read.optional(given, "peer_as", read.as_number),
        peer=read.optional(given, "peer", read.address),
    )


def _place(name: str, words: str) -> Position:
    try:
        return read_place(words)
    except ValueError as wrong:
        raise Refused(400, f"{name}: {wrong}", "give back the id of an event, or EPOCH-SERIAL of a position") from None


def _place_of_header(words: str | None) -> Position | None:
    return None if not words else _place("Last-Event-ID", words)


def _address(request: PlainRequest) -> str:
    return str(getattr(request.getClientAddress(), "host", None) or "a local client")
