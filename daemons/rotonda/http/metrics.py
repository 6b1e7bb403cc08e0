"""What a daemon tells Prometheus: `/metrics`, in its text format or as OpenMetrics.

Nothing is counted here. All figures are looked up when they are asked for, in the reactor's thread; times are in
seconds since 1970, so that whoever draws a picture reckons ages by one clock. Series of single clients have a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rotonda.gateway.counts import Streamed
from rotonda.http.answers import Answer
from rotonda.http.common import Clock, Table
from rotonda.http.routing import Asked, Route
from rotonda.views.served import Client, Served
from rotonda.views.shown import Filtered, Link, Sending, Sourced, View

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MAX_CLIENTS = 1000
"""Clients that have series of their own; a scrape holds the reactor for about 40 microseconds for each."""

_IP_VERSIONS = {"vrp4": "ipv4", "vrp6": "ipv6"}


def metrics_routes(
    view: View, clock: Clock, tables: Callable[[], Sequence[Table]], streamed: Streamed | None = None
) -> list[Route]:
    """The path where all is told; what a server and a gateway have done is among it if the daemon has them."""

    def metrics(asked: Asked) -> Answer:
        # This takes a while to import, and a daemon that nobody scrapes starts sooner without.
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry()
        registry.register(_Collector(view, clock(), tables(), streamed))
        try:
            encode, content_type = choose_encoder(asked.accept)
        except (TypeError, ValueError):  # it does not expect every version that somebody may ask for
            encode, content_type = choose_encoder("")
        return Answer(encode(registry), content_type)

    return [Route("GET", "/metrics", metrics)]


class _Collector:
    """All families of one scrape, in the shape that prometheus_client asks for."""

    def __init__(self, view: View, now: float, tables: Sequence[Table], streamed: Streamed | None) -> None:
        self._view, self._now, self._tables, self._streamed = view, now, tables, streamed

    def describe(self) -> list[Metric]:
        """Nothing is known before it is looked up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of it."""
        yield from self._program()
        yield from _of_tables(self._tables)
        yield from _of_sources(self._view.links(), self._now)
        served = getattr(self._view, "served", None)
        if served is not None:
            yield from _of_server(served())
        filtered, sending = getattr(self._view, "filtered", None), getattr(self._view, "sending", None)
        if filtered is not None and sending is not None:
            yield from _of_filters(filtered())
            yield from _of_streams(sending())
        sourced = getattr(self._view, "sourced", None)
        if sourced is not None:
            yield from _of_files(sourced())
        if self._streamed is not None:
            yield from _of_gateway(self._streamed)

    def _program(self) -> Iterator[Metric]:
        view = self._view
        yield _info("rotonda", "The program.", {"name": view.name, "version": view.version})
        yield _gauge("rotonda_start_timestamp_seconds", "When the program was started.", view.started)
        yield _gauge("rotonda_ready", "Whether all that was expected at the start has come.", not view.missing())


def _of_tables(tables: Sequence[Table]) -> Iterator[Metric]:
    labels = ("table", "kind")
    whose = [(table.name, table.kind) for table in tables]
    for name, text, value in (
        ("ready", "Whether there is data.", lambda table: table.ready),
        ("serial", "The serial of the data, which has 64 bits here.", lambda table: table.position.serial),
        ("kept_diffs", "How many changes back a follower may be.", lambda table: table.kept_diffs),
        ("memory_bytes", "Memory of the records.", lambda table: table.memory_octets),
    ):
        values = {own: value(table) for own, table in zip(whose, tables, strict=True)}
        yield _gauges(f"rotonda_table_{name}", text, labels, values)
    records = {
        (*own, record): count
        for own, table in zip(whose, tables, strict=True)
        for record, count in table.records.items()
    }
    yield _gauges("rotonda_table_records", "Records, by what they are.", (*labels, "record"), records)
    vrps = {(_IP_VERSIONS[own[2]],): count for own, count in records.items() if own[2] in _IP_VERSIONS}
    if vrps:
        yield _gauges("rpki_vrps", "VRPs, by the name that other caches give them.", ("ip_version",), vrps)


def _of_sources(links: Sequence[Link], now: float) -> Iterator[Metric]:
    """Links to the west: each figure only of those that have it."""
    states = {(link.name, link.state): 1 for link in links}
    yield _gauges("rotonda_source_state", "The state of a source, whose value is 1.", ("source", "state"), states)
    failing = {(link.name,): link.last_error is not None for link in links}
    yield _gauges("rotonda_source_failing", "Whether its status tells an error.", ("source",), failing)
    whose = [link.name for link in links]
    figures = (
        ("version", "The version of RTR that it speaks.", lambda link: link.version),
        ("session", "Its session id.", lambda link: link.session),
        ("serial", "The serial of its data.", lambda link: link.serial),
        ("records", "Its records.", lambda link: link.records),
        ("preference", "Its preference; the lowest comes first.", lambda link: link.preference),
        ("in_use", "Whether its data is used.", lambda link: link.in_use),
        ("left_out_customers", "Customers of ASPAs with too many providers for one PDU.", lambda link: link.left_out),
        ("updated_timestamp_seconds", "When its data last came.", lambda link: _then(now, link.age, -1)),
        ("expiry_timestamp_seconds", "When its data expires.", lambda link: _then(now, link.expires_in, 1)),
    )
    yield from _each(_gauges, "source", links, whose, figures)
    counts = (
        ("clamped_timers", "Timers of its End of Data that were out of range.", lambda link: link.clamped),
        ("tolerated_records", "Records that a strict router would not have taken.", lambda link: link.tolerated),
    )
    yield from _each(_counters, "source", links, whose, counts)
    yield from _of_partitions(links)


def _of_partitions(links: Sequence[Link]) -> Iterator[Metric]:
    """Parts of topics, of links that have any."""
    held = {(link.name, str(part.number)): part for link in links for part in link.partitions}
    if not held:
        return
    labels = ("source", "partition")
    for name, text, value in (
        ("offset", "The offset of the next record of a partition.", lambda part: part.offset),
        ("lag", "How many records of a partition are behind that.", lambda part: part.lag),
        ("loaded", "Whether what was there when the partition came is in the table.", lambda part: part.loaded),
    ):
        yield _gauges(f"rotonda_partition_{name}", text, labels, {own: value(part) for own, part in held.items()})


def _then(now: float, seconds: float | None, sign: int) -> float | None:
    return None if seconds is None else now + sign * seconds


def _of_server(served: Served) -> Iterator[Metric]:
    for name, text, value in (
        ("connections_accepted", "Connections that were accepted.", served.accepted),
        ("connections_shed", "Connections that said nothing and made room for others.", served.shed),
        ("full_loads_delayed", "Whole tables that had to wait for their turn.", served.delayed),
        ("accept_pauses", "How often there were no file descriptors for more connections.", served.pauses),
        ("received_bytes", "Octets received.", served.octets_in),
        ("sent_bytes", "Octets sent.", served.octets_out),
        ("received_pdus", "PDUs received.", served.pdus_in),
        ("queries", "Queries of routers.", served.queries),
    ):
        yield _counters(f"rotonda_server_{name}", text, (), {(): value})
    for name, text, label, counted in (
        ("connections_refused", "Connections that were refused, by reason.", "reason", served.refused),
        ("deadlines_missed", "Connections that a deadline ended, by what was late.", "what", served.late),
        ("errors_sent", "Error Reports sent, by code.", "code", served.errors_sent),
        ("errors_received", "Error Reports received, by code.", "code", served.errors_received),
    ):
        yield _counters(
            f"rotonda_server_{name}", text, (label,), {(str(key),): count for key, count in counted.items()}
        )
    yield from _of_tls(served)
    connections: dict[tuple[str, ...], int] = {}
    for client in served.clients:
        connections[client.protocol,] = connections.get((client.protocol,), 0) + 1
    yield _gauges("rotonda_server_connections", "Connections, by what they speak.", ("protocol",), connections)
    routers = sum(client.protocol.startswith("rtr") for client in served.clients)
    yield _gauge("rtr_clients", "Routers, by the name that other caches give them.", routers)
    if served.serial is not None:
        yield _gauge("rtr_serial", "The serial of the RPKI data, as RTR has it.", served.serial)
    text = "Whether the data could not be written to the disk the last time."
    yield _gauge("rotonda_state_failing", text, served.not_kept is not None)
    yield from _of_clients(served.clients[:MAX_CLIENTS])
    hidden = max(0, len(served.clients) - MAX_CLIENTS)
    yield _gauge("rotonda_clients_left_out", "Clients without series of their own, for there are too many.", hidden)


def _of_tls(served: Served) -> Iterator[Metric]:
    secure = [listener for listener in served.listeners if listener.handshakes is not None]
    if not secure:
        return
    made = {(each.name,): each.handshakes or 0 for each in secure}
    yield _counters("rotonda_tls_handshakes", "TLS handshakes that succeeded.", ("listener",), made)
    refused = {(each.name, reason): count for each in secure for reason, count in each.refused.items()}
    yield _counters("rotonda_tls_refused", "TLS handshakes that failed.", ("listener", "reason"), refused)
    ends = {(each.name,): each.certificate_ends for each in secure if each.certificate_ends is not None}
    text = "When our certificate expires."
    yield _gauges("rotonda_tls_certificate_expiry_timestamp_seconds", text, ("listener",), ends)
    unusable = {(each.name,): each.unusable_files or 0 for each in secure}
    yield _counters("rotonda_tls_unusable_files", "Changed files that could not be used.", ("listener",), unusable)


def _of_filters(filters: Sequence[Filtered]) -> Iterator[Metric]:
    labels = ("unit", "filter")
    names = [(each.unit, each.filter) for each in filters]
    for name, text in (
        ("seen", "Records looked at."),
        ("accepted", "Records accepted."),
        ("rejected", "Not accepted."),
    ):
        values = dict.fromkeys(names, 0)
        for each in filters:
            values[each.unit, each.filter] += getattr(each, name)
        yield _counters(f"rotonda_filter_records_{name}", text, labels, values)
    failures: dict[tuple[str, ...], int] = {}
    for each in filters:
        for place, count in each.failures.items():
            key = each.unit, each.filter, place
            failures[key] = failures.get(key, 0) + count
    text = "Records on which a filter failed, by the place of the failure."
    yield _counters("rotonda_filter_failures", text, (*labels, "place"), failures)


def _of_streams(streams: Sequence[Sending]) -> Iterator[Metric]:
    figures: Sequence[tuple[str, str]] = (
        ("sent", "Records that filters have sent."),
        ("written", "Records that have arrived."),
        ("spilled", "Records that were brought to the disk, to wait there."),
    )
    for name, text in figures:
        values = {(each.name,): getattr(each, name) for each in streams}
        yield _counters(f"rotonda_stream_records_{name}", text, ("stream",), values)
    lost = {(each.name, why): count for each in streams for why, count in {"full": 0, **each.dropped_by}.items()}
    yield _counters("rotonda_stream_records_dropped", "Records that are lost.", ("stream", "reason"), lost)
    waiting = {(each.name,): each.waiting for each in streams}
    yield _gauges("rotonda_stream_records_waiting", "Records on their way, or on disk.", ("stream",), waiting)
    octets = {(each.name,): each.spill_octets for each in streams}
    yield _gauges("rotonda_stream_spill_octets", "What waits on disk.", ("stream",), octets)
    blocking = {(each.name,): each.blocking for each in streams}
    yield _gauges("rotonda_stream_blocking", "Whether connectors wait for a stream.", ("stream",), blocking)
    failing = {(each.name,): each.problem is not None for each in streams}
    yield _gauges("rotonda_stream_failing", "Whether something is wrong with a stream.", ("stream",), failing)


def _of_files(sources: Sequence[Sourced]) -> Iterator[Metric]:
    """Data sources that are files."""
    labels = ("source",)
    figures: Sequence[tuple[str, str, Callable[[Sourced], float | None]]] = (
        ("records", "Records of the table that is in use.", lambda each: each.records),
        ("age_seconds", "Since the file was last read and good.", lambda each: each.age),
        ("failing", "Whether something is wrong with the file.", lambda each: each.problem is not None),
    )
    for name, text, read in figures:
        values = {(each.name,): value for each in sources if (value := read(each)) is not None}
        yield _gauges(f"rotonda_data_source_{name}", text, labels, values)
    for name, text in (("changes", "Tables in the place of others."), ("failures", "Readings that failed.")):
        values = {(each.name,): getattr(each, name) for each in sources}
        yield _counters(f"rotonda_data_source_{name}", text, labels, values)


def _of_gateway(streamed: Streamed) -> Iterator[Metric]:
    """Followers of tables as JSON, all together."""
    labels = ("stream", "form")
    yield _gauges("rotonda_gateway_clients", "Clients that follow tables as JSON.", labels, streamed.clients)
    text = "Clients that have not yet read what they were sent."
    yield _gauges("rotonda_gateway_clients_behind", text, (), {(): streamed.behind})
    yield _counters("rotonda_gateway_clients_accepted", "Clients that were accepted.", labels, streamed.accepted)
    for name, text, label, counted in (
        (
            "clients_refused",
            "Clients for whom there was no room, by what there was too much of.",
            "what",
            streamed.refused,
        ),
        ("clients_closed", "Clients that were closed, by why.", "why", streamed.ended),
        ("messages", "Messages to clients.", "stream", streamed.messages),
        ("sent_bytes", "Octets to clients.", "stream", streamed.octets),
    ):
        yield _counters(f"rotonda_gateway_{name}", text, (label,), {(key,): count for key, count in counted.items()})
    yield _counters("rotonda_gateway_received_messages", "Messages of clients.", (), {(): streamed.heard})
    text = "Changes that clients of RIS Live could not be told."
    yield _counters("rotonda_gateway_left_out", text, (), {(): streamed.left_out})


def _of_clients(clients: Sequence[Client]) -> Iterator[Metric]:
    """A series per connection: its counters never go back, and end with it."""
    known = {(client.peer, client.protocol, client.state): 1 for client in clients}
    labels = ("client", "protocol", "state")
    yield _gauges("rotonda_client_state", "What a client speaks, and its state; 1.", labels, known)
    whose = [client.peer for client in clients]
    figures = (
        ("connected_timestamp_seconds", "Since when it is connected.", lambda client: client.since),
        ("session", "The session id that it knows.", lambda client: client.session),
        ("serial", "The serial that it was sent.", lambda client: client.serial),
        ("lag", "How many serials it is behind.", lambda client: client.lag),
    )
    yield from _each(_gauges, "client", clients, whose, figures)
    counts = (
        ("received_bytes", "Octets that came from it.", lambda client: client.octets_in),
        ("sent_bytes", "Octets that it was sent.", lambda client: client.octets_out),
        ("received_pdus", "PDUs that came from it.", lambda client: client.pdus_in),
        ("queries", "Its queries.", lambda client: client.queries),
        ("errors_sent", "Error Reports that it was sent.", lambda client: client.errors_sent),
        ("errors_received", "Error Reports that came from it.", lambda client: client.errors_received),
    )
    yield from _each(_counters, "client", clients, whose, counts)


Values = Mapping[Any, float]
"""Figures by the values of their labels, each a tuple of strings."""


Figure = tuple[str, str, Callable[[Any], float | None]]
"""The rest of the name of a family, what it is, and how it is found."""


def _each(
    family: Callable[[str, str, Sequence[str], Values], Metric],
    kind: str,
    owners: Sequence[Any],
    names: Sequence[str],
    figures: Sequence[Figure],
) -> Iterator[Metric]:
    """Families with one series for each owner that has the figure."""
    for name, text, find in figures:
        found = {(own,): find(owner) for own, owner in zip(names, owners, strict=True)}
        values = {labels: value for labels, value in found.items() if value is not None}
        yield family(f"rotonda_{kind}_{name}", text, (kind,), values)


def _gauge(name: str, text: str, value: float) -> Metric:
    return _gauges(name, text, (), {(): value})


def _gauges(name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    return _filled(GaugeMetricFamily(name, text, labels=labels), values)


def _counters(name: str, text: str, labels: Sequence[str], values: Values) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily

    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def _filled(family: Any, values: Values) -> Metric:
    for labels, value in values.items():
        family.add_metric(labels, float(value))
    metric: Metric = family
    return metric


def _info(name: str, text: str, values: Mapping[str, str]) -> Metric:
    from prometheus_client.metrics_core import InfoMetricFamily

    return InfoMetricFamily(name, text, value=dict(values))
