"""A server as views have it: whom it serves, and what it has done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rotonda.views.served import Client, Listener, Served
from rotoro.net.listening import Listening
from rotoro.net.protocol import SessionProtocol
from rotoro.net.server import ServerFactory
from rotoro.session.cache import CacheSession
from rotoro.session.peer import ServingPeer
from rotoro.table import History
from rotoro.table.serial import serial_distance


def shown_server(
    factory: ServerFactory,
    services: Sequence[Listening],
    history: History,
    seconds: Callable[[], float],
    wall: Callable[[], float],
) -> Served:
    """How a server fares: `seconds` is the clock of its connections, `wall` the time of the day."""
    counters, connections = factory.counters, list(factory.connections)
    serial = history.serial if history.ready else None
    start = wall() - seconds()
    return Served(
        serial=serial,
        accepted=counters.accepted,
        refused=dict(counters.refused),
        shed=counters.shed,
        delayed=counters.delayed,
        pauses=counters.pauses,
        late=dict(+counters.late),
        octets_in=counters.octets_in + sum(each.octets_in for each in connections),
        octets_out=counters.octets_out + sum(each.octets_out for each in connections),
        pdus_in=counters.pdus_in + sum(each.pdus_in for each in connections),
        queries=counters.queries + sum(each.queries for each in connections),
        errors_sent=dict(counters.errors_sent),
        errors_received=dict(counters.errors_received),
        listeners=[_listener(service) for service in services],
        clients=[_client(each, serial, start) for each in connections],
    )


def _listener(service: Listening) -> Listener:
    tls = service.tls
    if tls is None:
        return Listener(name=service.door.what)
    return Listener(
        name=tls.what,
        handshakes=tls.handshakes,
        refused={reason.value: count for reason, count in tls.refused.items()},
        certificate_ends=tls.not_after,
        unusable_files=tls.failures,
    )


def _client(connection: SessionProtocol, serial: int | None, start: float) -> Client:
    session = connection.session
    client = Client(
        peer=connection.peer,
        protocol="?",
        state="silent" if session is None else session.state.value,
        since=start + connection.since,
        octets_in=connection.octets_in,
        octets_out=connection.octets_out,
        pdus_in=connection.pdus_in,
        queries=connection.queries,
        errors_sent=connection.errors_sent,
        errors_received=connection.errors_received,
    )
    if isinstance(session, ServingPeer):
        client.protocol = "rotoro"
    elif isinstance(session, CacheSession) and session.met:
        client.protocol = f"rtr {session.version}"
        client.session, client.serial = session.session_id, session.serial
        if serial is not None and session.serial is not None:
            client.lag = serial_distance(session.serial, serial)
    return client
